"""Simulated telemetry: expected counts, Poisson noise, integer compression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from stixcore.calibration.catalog import energy_lookup_table
from stixcore.coordinates import Pointing
from stixcore.errors import SelectionError
from stixcore.fits.compression import compress, compression_variance, decompress
from stixcore.fits.products import PixelData, ProductHeader
from stixcore.fits.spec import ProductKind
from stixcore.instrument.geometry import BACKGROUND_MONITOR
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, trigger_accumulator
from stixcore.simulation.flare import Flare, components_of, mean_level
from stixcore.simulation.instrument import (
    EMPTY_TRIGGER_RATE,
    N_CHANNELS,
    SCIENCE_EDGES,
    Background,
    channel_edges,
    dead_time,
    group_rates,
    pixel_response,
)
from stixcore.simulation.spectrum import integrate

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]
Scheme = tuple[int, int, int]

#: On-board compression (s, k, m) of pixel counts and of triggers.
COUNTS_SKM: Scheme = (0, 4, 4)
TRIGGERS_SKM: Scheme = (0, 5, 3)


@dataclass(frozen=True, eq=False)
class Observation:
    """Counts of all pixels in consecutive time bins: expected values, or random counts.

    Attributes
    ----------
    t_start : (n_time,) datetime64[us]; duration : (n_time,) float, s
    counts, counts_comp_err : (n_time, 32, 12, 32) float, ct
        All detectors, pixels and science channels; the error is that of the integer compression only.
    triggers, triggers_comp_err : (n_time, 16) float
    rcr : (n_time,) int
        Rate-control state; 1 or more with the attenuator in.
    live_fraction : (n_time, 32) float
        True live fraction, of which the triggers give an estimate.
    """

    t_start: Times
    duration: Floats
    counts: Floats
    counts_comp_err: Floats
    triggers: Floats
    triggers_comp_err: Floats
    rcr: NDArray[np.int64]
    live_fraction: Floats

    @property
    def t_end(self) -> Times:
        """End of every bin."""
        return np.asarray(self.t_start + np.rint(self.duration * 1e6).astype("int64").astype("timedelta64[us]"))


def expected_counts(
    flares: Sequence[Flare],
    t_start: Times,
    duration: Floats,
    pointing: Pointing,
    *,
    background: Background | None = None,
    nominal_edges: bool = False,
    rcr: ArrayLike = 0,
) -> Observation:
    """Expected counts and triggers, without noise.

    Parameters
    ----------
    flares : sequence of Flare
        May be empty, for a background interval.
    t_start : (n_time,) datetime64; duration : (n_time,) float, s
    pointing : Pointing
        The same for all time bins.
    background : Background, optional
        ``Background(0)`` for none.
    nominal_edges : bool
        True for the nominal channel edges in all pixels; False for those of the energy look-up table on board at the
        first bin.
    rcr : int or (n_time,) int
        Rate-control state; 1 or more with the attenuator in.

    Raises
    ------
    SelectionError
        When there are no time bins, or one has no length.
    """
    if t_start.size == 0 or t_start.shape != duration.shape or not (duration > 0).all():
        message = f"an observation needs time bins of positive duration, found {t_start.size} starts and {duration}"
        raise SelectionError(message)
    state = np.broadcast_to(np.asarray(rcr, dtype=np.int64), t_start.shape)
    elut = None if nominal_edges else energy_lookup_table(t_start[0])
    edges = channel_edges(elut)
    quiet = (background or Background()).pixel_rates(edges)
    # incident rate without dead time: R[t] = Σ_c level_c(t) · (area_c × spectrum_c) + background
    rates = np.tile(quiet.ravel(), (t_start.size, 1))
    for component in components_of(flares):
        level = mean_level(component.profile, t_start, duration)
        area = pixel_response(component.sources, pointing)[:, :, None]
        for attenuated in (False, True):
            bins = np.flatnonzero((state > 0) == attenuated)
            if bins.size:
                response = area * integrate(component.spectrum, edges, attenuated=attenuated)
                if attenuated:  # the background monitor has no attenuator in front of it
                    response[BACKGROUND_MONITOR] = area[BACKGROUND_MONITOR] * integrate(
                        component.spectrum, edges[BACKGROUND_MONITOR]
                    )
                rates[bins] += np.multiply.outer(level[bins], response.ravel())
    rates = rates.reshape(t_start.size, N_DETECTORS, N_PIXELS, N_CHANNELS)
    incident = group_rates(rates.sum(axis=(2, 3))) + EMPTY_TRIGGER_RATE
    fraction, trigger_rate = dead_time(incident)
    live = fraction[:, trigger_accumulator()]
    counts = rates
    counts *= (live * duration[:, None])[:, :, None, None]
    return Observation(
        t_start=t_start.astype("datetime64[us]"),
        duration=duration,
        counts=counts,
        counts_comp_err=np.broadcast_to(0.0, counts.shape),
        triggers=trigger_rate * duration[:, None],
        triggers_comp_err=np.broadcast_to(0.0, incident.shape),
        rcr=state.copy(),
        live_fraction=live,
    )


def observe(expected: Observation, rng: Generator, *, compressed: bool = True) -> Observation:
    """Random Poisson counts and triggers, by default with the on-board integer compression."""
    counts, triggers = rng.poisson(expected.counts), rng.poisson(expected.triggers)
    if not compressed:
        return replace(expected, counts=counts.astype(float), triggers=triggers.astype(float))
    counts, triggers = through_compression(counts, COUNTS_SKM), through_compression(triggers, TRIGGERS_SKM)
    return replace(
        expected,
        counts=counts.astype(float),
        counts_comp_err=np.sqrt(compression_variance(counts, COUNTS_SKM)),
        triggers=triggers.astype(float),
        triggers_comp_err=np.sqrt(compression_variance(triggers, TRIGGERS_SKM)),
    )


def through_compression(values: NDArray[np.int64], skm: Scheme) -> NDArray[np.int64]:
    """Compress and decompress values; small values do not change."""
    coarse = values >= 1 << (skm[2] + 1)
    result = values.copy()
    result[coarse] = decompress(compress(values[coarse], skm), skm)
    return result


def channel_range(low: float, high: float) -> slice:
    """Science channels from ``low`` to ``high`` keV.

    Raises
    ------
    SelectionError
        When either is not an edge of a science channel.
    """
    edges = SCIENCE_EDGES.tolist()
    if low not in edges or high not in edges or not low < high:
        message = f"{low:g}-{high:g} keV is not a range of science channels, whose edges are {edges}"
        raise SelectionError(message)
    return slice(edges.index(low), edges.index(high))


def as_pixel_data(observation: Observation, name: str = "simulated") -> PixelData:
    """The observation as pixel data with all pixels and the channels above 4 keV; counts need not be integers."""
    channels = channel_range(4.0, np.inf)
    counts = observation.counts[..., channels]
    lost = observation.counts_comp_err[..., channels]
    triggers, triggers_lost = observation.triggers, observation.triggers_comp_err

    def load(times: slice, wanted: slice) -> tuple[Floats, Floats, Floats, Floats]:
        chosen, fired = counts[times][..., wanted], triggers[times]
        return chosen, lost[times][..., wanted] ** 2 + chosen, fired, triggers_lost[times] ** 2 + fired

    n_time = observation.duration.size
    t_end = observation.t_end
    return PixelData(
        path=Path(name),
        header=simulated_header(name, observation.t_start[0], t_end[-1]),
        t_start=observation.t_start,
        t_end=t_end,
        duration=observation.duration,
        e_low=SCIENCE_EDGES[channels],
        e_high=SCIENCE_EDGES[1:][channels],
        rcr=observation.rcr,
        pixel_mask=np.ones((n_time, N_PIXELS), dtype=bool),
        detector_mask=np.ones((n_time, N_DETECTORS), dtype=bool),
        loader=load,
    )


def simulated_header(name: str, date_beg: np.datetime64, date_end: np.datetime64) -> ProductHeader:
    """Header of simulated data without a file."""
    return ProductHeader(
        name=name,
        kind=ProductKind.PIXEL_DATA,
        level="L1",
        version="02",
        request_id="",
        date_beg=date_beg.astype("datetime64[us]"),
        date_end=date_end.astype("datetime64[us]"),
        ephemeris={},
        purpose="simulated",
        simulated=True,
    )
