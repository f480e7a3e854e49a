"""Records of the tracks of flares: sources in the images of cubes, and fits of spectra.

Times of records must increase (HAPI 3.2, 3.6.1). Two science requests may have a step at the same time; then that with
more counts is served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from archive import Archive
from archive.cubes import Cube, CubePoint, cubes_by_day
from archive.spectrum_track import FITTED, UNITS, SpectrumPoint
from dashboards.server.hapi.records import Columns
from dashboards.server.hapi.standard import Parameter

SOURCES = (
    "The brightest source in each step of the images of flares. Errors are one standard deviation, without that of "
    "the pointing. One step of a flare takes seconds to minutes, and there is nothing between flares."
)
SPECTRA = (
    "The automatic fit of each step of a flare. Errors are one standard deviation; where they are unknown, the data do "
    "not limit the value on that side."
)

_TIMES = (
    Parameter("Time", "isotime", "Start of the step, UTC at Solar Orbiter", "UTC"),
    Parameter("t_end", "isotime", "End of the step, UTC at Solar Orbiter", "UTC"),
    Parameter("flare_id", "string", "Flare: yymmddhhmm of the peak, ten digits", length=12),
    Parameter("uid", "string", "Unique id of the science request", length=12),
)
_FLUX = "ct.s-1.cm-2.keV-1"
_MEASURES = {
    "x": ("Position as seen from Solar Orbiter, solar west", "arcsec"),
    "y": ("Position as seen from Solar Orbiter, solar north", "arcsec"),
    "x_sigma": ("Error of x", "arcsec"),
    "y_sigma": ("Error of y", "arcsec"),
    "fwhm": ("Width at half maximum", "arcsec"),
    "fwhm_sigma": ("Error of the width", "arcsec"),
    "flux": ("Flux of the image", _FLUX),
    "flux_sigma": ("Error of the flux", _FLUX),
    "net_counts": ("Counts above background", "ct"),
}
SOURCE_PARAMETERS = (
    *_TIMES,
    *(Parameter(name, "double", text, unit) for name, (text, unit) in _MEASURES.items()),
    Parameter("doubts", "string", "What is doubtful: position, flux, shape; empty if nothing is", length=24),
)
_FIT_TEXTS = {
    "temperature": "Temperature",
    "emission_measure": "Emission measure",
    "temperature_2": "Temperature of the hotter component",
    "emission_measure_2": "Emission measure of the hotter component",
    "electron_rate": "Electrons per second above the cutoff",
    "delta": "Spectral index of the electrons",
    "e_cut": "Low-energy cutoff of the electrons",
}


def _unit(name: str) -> str | None:
    """Unit of a fitted value as astropy reads it; ``1e49 cm-3`` without the blank."""
    unit = UNITS.get(name)
    return None if unit is None else unit.replace("1e", "10**").replace(" ", ".")


_ENDS = {"": "", "_minus": ", lower error", "_plus": ", upper error"}
SPECTRUM_PARAMETERS = (
    *_TIMES,
    Parameter("model", "string", "Components of the model, joined by +", length=64),
    Parameter("verdict", "string", "trusted or doubtful", length=12),
    Parameter("counts", "double", "Counts above background in the fitted energies", "ct"),
    Parameter("fit_low", "double", "Lowest fitted energy", "keV"),
    Parameter("fit_high", "double", "Highest fitted energy", "keV"),
    Parameter("chi2", "double", "χ², not divided by the degrees of freedom"),
    Parameter("ndof", "integer", "Degrees of freedom"),
    *(
        Parameter(f"{name}{end}", "double", f"{_FIT_TEXTS[name]}{text}", _unit(f"{name}{end}"))
        for name in FITTED
        for end, text in _ENDS.items()
    ),
)


def read_sources(
    archive: Archive, start: np.datetime64, end: np.datetime64, *, band: tuple[float, float], simulated: bool
) -> Iterator[Columns]:
    """Steps of a band [keV] that begin in a time range, day by day."""

    def points(cube: Cube) -> Sequence[CubePoint]:
        return [one for one in cube.points if (one.e_low, one.e_high) == band]

    for steps in _steps(archive, start, end, points, "net_counts", simulated=simulated):
        doubts = np.array([",".join(sorted(one.doubts)) for _, one in steps], dtype=object)
        yield _common(steps) | _numbers(steps, _MEASURES) | {"doubts": doubts}


def read_spectra(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> Iterator[Columns]:
    """Fits whose steps begin in a time range, day by day."""
    names = ("counts", "fit_low", "fit_high", "chi2", *(f"{name}{end}" for name in FITTED for end in _ENDS))

    def points(cube: Cube) -> Sequence[SpectrumPoint]:
        return cube.spectra

    for steps in _steps(archive, start, end, points, "counts", simulated=simulated):
        texts = {name: np.array([getattr(one, name) for _, one in steps], dtype=object) for name in _TEXTS}
        ndof = np.array([one.ndof for _, one in steps], dtype=np.int64)
        yield _common(steps) | texts | _numbers(steps, names) | {"ndof": ndof}


_TEXTS = ("model", "verdict")


def _steps[Point: (CubePoint, SpectrumPoint)](
    archive: Archive,
    start: np.datetime64,
    end: np.datetime64,
    points: Callable[[Cube], Sequence[Point]],
    counts: str,
    *,
    simulated: bool,
) -> Iterator[list[tuple[Cube, Point]]]:
    """Steps of each day with any, in order of time; of several at the same time that with most counts."""
    for day, cubes in cubes_by_day(archive, start, end, simulated=simulated):
        found: dict[np.datetime64, tuple[Cube, Point]] = {}
        for cube in cubes:
            for one in points(cube):
                if start <= one.t_start < end and one.t_start.astype("datetime64[D]") == day:
                    other = found.get(one.t_start)
                    if other is None or (getattr(one, counts) or 0.0) > (getattr(other[1], counts) or 0.0):
                        found[one.t_start] = cube, one
        if found:
            yield [found[time] for time in sorted(found)]


def _common(steps: Sequence[tuple[Cube, Any]]) -> dict[str, Any]:
    ids = [["", *cube.group_id.split("-")[1:]][-2:] for cube, _ in steps]  # cube-<flare id>-<uid>, or cube-<uid>
    return {
        "Time": np.array([one.t_start for _, one in steps]),
        "t_end": np.array([one.t_end for _, one in steps]),
        "flare_id": np.array([flare for flare, _ in ids], dtype=object),
        "uid": np.array([uid for _, uid in ids], dtype=object),
    }


def _numbers(steps: Sequence[tuple[Cube, Any]], names: Any) -> dict[str, Any]:
    return {name: np.array([getattr(one, name) for _, one in steps], dtype=np.float64) for name in names}
