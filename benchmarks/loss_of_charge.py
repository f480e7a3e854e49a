"""Whether the spectra of flares show the loss of charge that the ground software assumes, for ``docs/accuracy.md``.

Every spectrum is fitted with a thermal model and a thick target in 4-28 keV, with a response that includes the loss of
charge and with one that does not; all else is equal. The peaks of real flares of several years: files of
``../shared/data``, and the counts of 2024-03-10 that were published with sunkit-spex.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.accuracy_page import write_table
from benchmarks.real_data import SHARED_DATA
from stixcore.calibration.pointing import assumed_pointing
from stixcore.errors import StixError
from stixcore.fits.products import PixelData, Spectrogram
from stixcore.flare_response import distance_to_sun
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices
from stixcore.measure_spectrum import read_science
from stixcore.spectra.counts import CountSpectrum, count_spectrum, systematic_errors
from stixcore.spectra.fit import fit_spectrum
from stixcore.spectra.response import make_response
from stixcore.spectra.tables import response_tables

#: ``ANGLE`` [degree] is between the centre of the disk and the limb: the albedo changes both fits alike.
MODEL, BAND, ANGLE = "vth+thick2", (4.0, 28.0), 45.0
#: Request of the background file of November 2022.
QUIET = "2211098157"
HALF = np.timedelta64(30, "s")  # of the minute around the peak
#: Flares with fewer counts say little about a response.
LEAST_COUNTS = 5000.0
#: Files of flares of other months.
SPECTROGRAMS = ("formats/*_2212273755-*", "spectroscopy/files/*_2303197888-*")


@dataclass(frozen=True, eq=False)
class Compared:
    """χ² with and without the loss of charge, degrees of freedom, and the residuals in the lowest channel [σ]."""

    group: str
    chi2: tuple[float, float]
    ndof: int
    lowest: tuple[float, float]


def spectra() -> Iterator[tuple[str, CountSpectrum, float]]:
    """Group, spectrum and distance [au] of each flare."""
    (quiet,) = (SHARED_DATA / "nov2022" / "l1").glob(f"*_{QUIET}-*.fits")
    background = read_science(quiet)
    assert isinstance(background, PixelData)
    for path in sorted((SHARED_DATA / "nov2022" / "l1").glob("*.fits")):
        if path != quiet:
            yield from _of_file("9-11 November 2022", path, background)
    for pattern in SPECTROGRAMS:
        for path in SHARED_DATA.glob(pattern):
            yield from _of_file("", path, None)
    yield from published()


def _of_file(group: str, path: Path, background: PixelData | None) -> Iterator[tuple[str, CountSpectrum, float]]:
    """The minute around the highest rate in 6-12 keV with the attenuator out."""
    data = read_science(path)
    band = (data.e_low >= 6) & (data.e_high <= 12)
    counts = data.counts[:, band].sum(axis=1) if isinstance(data, Spectrogram) else data.summed(6.0, 12.0)
    rate = np.where(data.rcr == 0, counts / data.duration, -np.inf)
    try:
        spectrum = count_spectrum(data, background, *_around(data, int(rate.argmax())))
        if background is None:  # the quietest minute
            quietest = int(np.where(data.rcr == 0, rate, np.inf).argmin())
            spectrum = _without(spectrum, count_spectrum(data, None, *_around(data, quietest)))
        distance = distance_to_sun(assumed_pointing(), data.header)
    except StixError:  # no bin, or the attenuator moves
        return
    if spectrum.counts.sum() > LEAST_COUNTS:
        yield group or str(spectrum.t_start.astype("datetime64[D]")), spectrum, distance


def _around(data: PixelData | Spectrogram, number: int) -> tuple[np.datetime64, np.datetime64]:
    middle = data.t_start[number] + np.timedelta64(int(5e5 * data.duration[number]), "us")
    return middle - HALF, middle + HALF


def _without(spectrum: CountSpectrum, quiet: CountSpectrum) -> CountSpectrum:
    """A spectrum less the counts of a quiet one in its live time."""
    scale = spectrum.livetime / quiet.livetime
    return replace(
        spectrum,
        counts=spectrum.counts - scale * quiet.counts,
        background=scale * quiet.counts,
        background_sigma=scale * quiet.sigma,
        sigma=np.hypot(spectrum.sigma, scale * quiet.sigma),
    )


def published() -> Iterator[tuple[str, CountSpectrum, float]]:
    """The same of the flare of 2024-03-10, whose counts were published with sunkit-spex."""
    fits = json.loads((SHARED_DATA / "spectroscopy" / "truth" / "published_fits.json").read_text())
    flare = fits["soler_20240310"]
    counts, edges = np.array(flare["counts_background_subtracted"]), response_tables().channel_edges
    start = np.datetime64("2024-03-10T12:05:55", "us")
    spectrum = CountSpectrum(
        e_low=edges[:-1],
        e_high=edges[1:],
        counts=counts,
        sigma=np.sqrt(np.maximum(counts, 1.0)),
        background=np.zeros(counts.size),
        systematic=systematic_errors(edges[:-1], edges[1:]),
        livetime=4.001,
        t_start=start,
        t_end=start + np.timedelta64(5, "s"),
        detectors=tuple(sorted(detector_indices(IMAGING_LABELS).tolist())),
        pixels=tuple(range(8)),
    )
    yield "2024-03-10", spectrum, float(flare["distance_AU"])


def compare(group: str, spectrum: CountSpectrum, distance: float) -> Compared:
    """Fit a spectrum with both responses."""
    fits = []
    for tailing in (True, False):
        response = make_response(spectrum.edges, detectors=spectrum.detectors, pixels=spectrum.pixels, tailing=tailing)
        band = BAND[0], min(BAND[1], float(spectrum.e_high[-1]))
        fits.append(fit_spectrum(spectrum, response, distance=distance, model=MODEL, energy=band, angle=ANGLE))
    chi2, lowest = [fit.chi2 for fit in fits], [float(fit.residuals[0]) for fit in fits]
    return Compared(group, (chi2[0], chi2[1]), fits[0].ndof, (lowest[0], lowest[1]))


def run() -> None:
    """Write the section of the page."""
    found: dict[str, list[Compared]] = {}
    for group, spectrum, distance in spectra():
        found.setdefault(group, []).append(compare(group, spectrum, distance))
    rows: list[list[object]] = []
    for group, flares in found.items():
        ndof = sum(flare.ndof for flare in flares)
        cells = [f"{sum(flare.chi2[side] for flare in flares) / ndof:.2f}" for side in (0, 1)]
        cells += [f"{_median([flare.lowest[side] for flare in flares]):+.1f}" for side in (0, 1)]
        rows.append([group, len(flares), ndof, *cells])
    columns = ["flares", "number", "degrees of freedom", "χ² with", "χ² without", "4-5 keV with", "4-5 keV without"]
    write_table("Loss of charge", INTRODUCTION, columns, rows, before="## By scene")


def _median(values: list[float]) -> float:
    return float(np.median(values))


INTRODUCTION = f"""The ground software's model of the charge that is lost near the surface of a detector, on the
peaks of flares above {LEAST_COUNTS:,.0f} counts: {MODEL} in {BAND[0]:g}-{BAND[1]:g} keV, with a response that includes
the loss and one that does not. χ² is per degree of freedom, the residual of 4-5 keV is in σ (7 % systematic error
included; median). [What follows](decisions/loss_of_charge.md). `python -m benchmarks loss_of_charge` writes this
section.
"""
