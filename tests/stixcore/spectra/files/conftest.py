"""A response and a count spectrum with simple numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.instrument.tables import pixel_area
from stixcore.spectra.counts import CountSpectrum, systematic_errors
from stixcore.spectra.response import Response

TOP24 = tuple(sorted(detector_indices(IMAGING_LABELS).tolist()))
LARGE = tuple(range(8))


@pytest.fixture(scope="session")
def plain_response():
    """Factory: 0.9 of the photons in their own channel and the rest one below; changes are fields."""

    def make(channel_edges, **changes):
        photon_edges = np.unique(np.concatenate([np.arange(3.5, 170.0, 0.5), channel_edges]))
        middle = 0.5 * (photon_edges[1:] + photon_edges[:-1])
        matrix = np.zeros((channel_edges.size - 1, middle.size))
        own = np.searchsorted(channel_edges, middle) - 1
        for fraction, channel in ((0.9, own), (0.1, own - 1)):
            inside = (channel >= 0) & (channel < matrix.shape[0])
            matrix[channel[inside], np.flatnonzero(inside)] += fraction * (1.0 - np.exp(-middle[inside] / 10.0))
        area = len(TOP24) * float(pixel_area()[list(LARGE)].sum())
        made = Response(
            photon_edges=photon_edges,
            channel_edges=np.asarray(channel_edges, float),
            matrix=matrix,
            area=area,
            scheme="gsw-2026",
            attenuator=False,
            detectors=TOP24,
            pixels=LARGE,
            place=(-275.0, -1422.0),
            tailing=True,
        )
        return replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def made_spectrum():
    """Factory of a spectrum in native channels 4-20 keV with one negative channel; changes are fields."""

    def make(**changes):
        edges = np.array([*range(4, 17), 18.0, 20.0])
        counts = np.append(np.linspace(900.0, 100.0, edges.size - 2), -3.5)
        start = np.datetime64("2024-03-10T12:05:50", "us")
        made = CountSpectrum(
            e_low=edges[:-1],
            e_high=edges[1:],
            counts=counts,
            sigma=np.sqrt(np.abs(counts) + 25.0),
            background=np.full(counts.size, 20.0),
            systematic=systematic_errors(edges[:-1], edges[1:]),
            livetime=3.75,
            t_start=start,
            t_end=start + np.timedelta64(4_500, "ms"),
            detectors=TOP24,
            pixels=LARGE,
            rcr=0,
            energy_table="elut_table_20240205",
            doubts=("a doubt — with a dash",),
            duration=4.5,
            background_sigma=np.full(counts.size, 5.0),
            source="solo_L1_made-up.fits",
            request_id="2403109216",
            background_source="solo_L1_background.fits",
        )
        return replace(made, **changes)

    return make
