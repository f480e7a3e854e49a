"""The law between the flux of the background detector and GOES: its coefficients, sample, range and scatter.

    log10 F = a + b · log10(f d²)

F is the GOES flux at the peak above the background before the flare [W m⁻²], f the flux of the background detector
[ct s⁻¹ mm⁻²] and d the distance of Solar Orbiter [au]. Two samples are fitted together, by orthogonal regression:

- **November 2022**: detector 10 in the pixel-data files of 9 to 11 November, flares that the Earth saw, f d² ≥ 0.3.
- **September and October 2024**: flares of the level-3 lists that the Earth saw, attenuator out, f d² ≥ 10. The lists
  have no counts of detector 10; f is the 4-10 keV counts of the quick-look light curve divided by
  the median ratio of the bright flares of the first sample (`counts_per_flux`).

The lists give the flux of GOES with the rest of the Sun in it. That background is the 5 % quantile of the listed fluxes
within half a day: most flares of the lists are too faint for GOES, so their value is that of the quiet Sun.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.constants import R_sun, au
from astropy.io import fits
from numpy.typing import NDArray

from benchmarks.real_data import SHARED_DATA
from benchmarks.timing import print_table
from stixcore.fits.read import read_pixel_data
from stixcore.flares.background_detector import curve_of_pixels, peak_of
from stixcore.flares.goes import flux_of_class

Floats = NDArray[np.float64]

QUIET_FILE = "2211098157"
#: Least f d² of each sample, ct s⁻¹ mm⁻² au²: below it, the flare is lost in the background of GOES.
LEAST = {"November 2022": 0.3, "September and October 2024": 10.0}
#: Flares whose quick-look counts calibrate the second sample: net counts per 4 s.
BRIGHT = 3000.0
#: Quick-look background in 4-10 keV of November 2022, ct per 4 s.
QUIET_COUNTS = 303.0


@dataclass(frozen=True, eq=False)
class Sample:
    """x = log10(f d²) and y = log10 F of some flares."""

    name: str
    x: Floats
    y: Floats


@dataclass(frozen=True)
class Law:
    """Coefficients, correlation, scatter of y about the line [dex] and range of x."""

    a: float
    b: float
    r: float
    scatter: float
    low: float
    high: float
    n: int


def orthogonal(x: Floats, y: Floats) -> Law:
    """Straight line with the least sum of squared perpendicular distances."""
    # direction of the largest eigenvalue of the covariance matrix
    _, vectors = np.linalg.eigh(np.cov(x, y))
    b = float(vectors[1, 1] / vectors[0, 1])
    a = float(y.mean() - b * x.mean())
    scatter = float(np.sqrt(((y - a - b * x) ** 2).sum() / (x.size - 2)))
    return Law(a, b, float(np.corrcoef(x, y)[0, 1]), scatter, float(x.min()), float(x.max()), x.size)


@dataclass(frozen=True)
class Measured:
    """A flare of November 2022: GOES flux, flux of the detector and its σ, distance, quick-look counts, seen."""

    request_id: str
    peak: np.datetime64
    goes: float
    flux: float
    sigma: float
    dsun_au: float
    counts: float
    seen: bool


def november() -> list[Measured]:
    """The flares of November 2022, measured in their pixel-data files."""
    folder = SHARED_DATA / "nov2022"
    quiet_file = _file(QUIET_FILE)
    if quiet_file is None:
        message = f"the pixel data of November 2022 are not in {folder}"
        raise FileNotFoundError(message)
    curve = curve_of_pixels(read_pixel_data(quiet_file))
    quiet = curve.rate(np.ones(curve.counts.size, bool))
    flares = []
    with (folder / "idl/reference_locations.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            start, peak, end = (
                np.datetime64(row[name].replace(" ", "T"), "us") for name in ("start_utc", "peak_utc", "end_utc")
            )
            path = _file(row["request_id"])
            if path is None:
                continue
            found = peak_of(curve_of_pixels(read_pixel_data(path)), start, peak, end, quiet)
            goes = flux_of_class(row["goes_class"])
            if found is not None and goes is not None:
                flares.append(
                    Measured(
                        row["request_id"],
                        peak,
                        goes,
                        found.flux,
                        found.sigma,
                        float(row["solo_distance_au"]),
                        float(row["ql_peak_counts_4_10"]),
                        bool(row["earth_hpc_x"]),
                    )
                )
    return flares


def _file(request_id: str) -> Path | None:
    return next((SHARED_DATA / "nov2022/l1").glob(f"*_{request_id}-*.fits"), None)


def goes_background(days: Floats, flux: Floats) -> Floats:
    """5 % quantile of the fluxes of all flares within half a day of each, W m⁻²."""
    return np.array([np.percentile(flux[(np.abs(days - day) < 0.5) & (flux > 0)], 5) for day in days])


def counts_per_flux(flares: list[Measured]) -> float:
    """Quick-look counts per 4 s for a flux of 1 ct s⁻¹ mm⁻² of the background detector: median of bright flares."""
    bright = [flare for flare in flares if flare.counts - QUIET_COUNTS > BRIGHT]
    return float(np.median([(flare.counts - QUIET_COUNTS) / flare.flux for flare in bright]))


def november_sample(flares: list[Measured]) -> Sample:
    """First sample."""
    days = np.array([flare.peak.astype("datetime64[s]").astype(float) / 86400 for flare in flares])
    goes = np.array([flare.goes for flare in flares])
    scaled = np.array([flare.flux * flare.dsun_au**2 for flare in flares])
    above = goes - goes_background(days, goes)
    used = np.array([flare.seen for flare in flares]) & (scaled >= LEAST["November 2022"]) & (above > 0)
    return Sample("November 2022", np.log10(scaled[used]), np.log10(above[used]))


def listed_sample(ratio: float) -> Sample:
    """Second sample."""
    columns: dict[str, list[Floats]] = {}
    for path in sorted((SHARED_DATA / "products").glob("*flarelist-sdcloc*.fits")):
        with fits.open(path) as hdus:
            for name in ("GOES_flux", "visible_from_earth", "rcr_at_peak", "att_in", "sun_disc_size"):
                columns.setdefault(name, []).append(np.array(hdus["DATA"].data[name], float))
            columns.setdefault("day", []).append(np.array(hdus["DATA"].data["peak_UTC"], float).sum(axis=1))
            peak, quiet = (np.array(hdus["DATA"].data[name], float)[:, 0] for name in ("lc_peak", "lc_bgk_peak"))
            columns.setdefault("net", []).append(peak - quiet)
    of = {name: np.concatenate(parts) for name, parts in columns.items()}
    distance = R_sun.value / np.sin(np.deg2rad(of["sun_disc_size"] / 3600)) / au.value
    scaled = of["net"] / ratio * distance**2
    above = of["GOES_flux"] - goes_background(of["day"], of["GOES_flux"])
    open_and_seen = (of["visible_from_earth"] > 0) & (of["rcr_at_peak"] == 0) & (of["att_in"] == 0)
    used = open_and_seen & (scaled >= LEAST["September and October 2024"]) & (above > 0)
    return Sample("September and October 2024", np.log10(scaled[used]), np.log10(above[used]))


def samples() -> Iterator[Sample]:
    """Both samples."""
    flares = november()
    yield november_sample(flares)
    yield listed_sample(counts_per_flux(flares))


def fitted(parts: list[Sample]) -> Law:
    """The law of some samples together."""
    return orthogonal(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))


def run() -> None:
    """Print the tables."""
    flares = november()
    ratio = counts_per_flux(flares)
    parts = [november_sample(flares), listed_sample(ratio)]
    rows = [(part.name, orthogonal(part.x, part.y)) for part in parts] + [("both", fitted(parts))]
    print(f"counts per 4 s and ct s⁻¹ mm⁻²: {ratio:.0f}")
    print_table(
        "GOES flux above its background from the flux of the background detector, log10 F = a + b log10(f d²)",
        ["sample", "flares", "f d² [ct s⁻¹ mm⁻² au²]", "a", "b", "r", "scatter [dex]"],
        [
            [
                name,
                law.n,
                f"{10**law.low:.2g}-{10**law.high:.3g}",
                f"{law.a:.3f}",
                f"{law.b:.3f}",
                f"{law.r:.3f}",
                f"{law.scatter:.3f}",
            ]
            for name, law in rows
        ],
    )
