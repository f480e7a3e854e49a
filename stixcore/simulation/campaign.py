"""Days of simulated flares, with all files of an archive: pixel data, background, auxiliary and quick-look files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.instrument.tables import N_DETECTORS
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.files import (
    ScienceRequest,
    flare_truth,
    write_auxiliary,
    write_pixel_data,
    write_quicklook,
)
from stixcore.simulation.flare import Component, FastRise, Flare, Gaussian, components_of, mean_level
from stixcore.simulation.instrument import Background, pixel_response
from stixcore.simulation.layout import iso
from stixcore.simulation.observation import Observation, expected_counts, observe
from stixcore.simulation.quicklook import QUICKLOOK_DETECTORS
from stixcore.simulation.sources import Circle, Ellipse, Loop, Source
from stixcore.simulation.spectrum import ThermalSpectrum, ThickTargetSpectrum, integrate
from stixcore.spectra.models.thermal import KEV_PER_MK

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]

SECOND = np.timedelta64(1_000_000, "us")
DAY = np.timedelta64(1, "D")
#: Bands of the expected counts in the truth: those of the preview images.
TRUTH_BANDS = ((4.0, 10.0), (16.0, 28.0))
#: Duration of a background file, s; shorter when there is not enough time between flares.
BACKGROUND_DURATION = 3200.0
SHORTEST_BACKGROUND = 300
MARGIN = 60.0  # s before and after a flare that its request includes
BIN_COUNTS, BIN_LONGEST, BINS_AT_MOST = 4000.0, 20, 100
# One generator per purpose and item, so that additional flares do not change the first ones.
_TIMES, _FLARE, _COUNTS, _QUIET, _CURVE = range(5)


@dataclass(frozen=True)
class FlareSizes:
    """Distribution of random flares.

    Attributes
    ----------
    rate : (low, high), ct s⁻¹
        Rate at the peak in 4-10 keV and the 30 imaging detectors; drawn from a power law N(>r) ~ r^-slope.
    slope : float
    non_thermal_from : float, ct s⁻¹
        Flares at least this bright have footpoints in 16-28 keV.
    off_limb : float
        Fraction of flares just above the limb (1.00-1.04 solar radii); the others are within 0.95 radii of Sun centre.
    """

    rate: tuple[float, float] = (350.0, 15_000.0)
    slope: float = 0.35
    non_thermal_from: float = 1000.0
    off_limb: float = 0.12


def random_flare(rng: Generator, peak: np.datetime64, orbit: Orbit, sizes: FlareSizes | None = None) -> Flare:
    """A flare of random size, shape and position.

    Parameters
    ----------
    rng : numpy Generator
    peak : datetime64
        Peak of the soft light curve.
    orbit : Orbit
    sizes : FlareSizes, optional
    """
    sizes = sizes or FlareSizes()
    low, high = (bound**-sizes.slope for bound in sizes.rate)
    rate = (low - rng.random() * (low - high)) ** (-1.0 / sizes.slope)
    scale = np.log(rate / sizes.rate[0]) / np.log(sizes.rate[1] / sizes.rate[0])  # 0 small … 1 large
    radius = orbit.solar_radius(peak) * (
        rng.uniform(1.0, 1.04) if rng.random() < sizes.off_limb else 0.95 * np.sqrt(rng.random())
    )
    direction = rng.uniform(0.0, 2.0 * np.pi)
    x, y = round(float(radius * np.cos(direction)), 1), round(float(radius * np.sin(direction)), 1)
    angle = round(rng.uniform(0.0, 180.0), 1)
    shape = rng.integers(3)
    body: Source
    length, width = round(rng.uniform(34.0, 60.0), 1), round(rng.uniform(12.0, 22.0), 1)
    if shape == 0:
        body = Circle(x, y, round(rng.uniform(14.0, 34.0), 1))
    elif shape == 1:
        body = Ellipse(x, y, length, width, angle)
    else:
        # an opening angle for which the circles of the loop are at least 13″ wide
        opening = rng.choice((-1.0, 1.0)) * rng.uniform(40.0, 80.0)
        body = Loop(x, y, length, round(0.55 * length, 1), angle, round(opening, 1))
    rise = round(rng.uniform(25.0, 60.0) * (1.0 + scale), 1)
    decay = round(rng.uniform(80.0, 160.0) * (1.0 + 2.0 * scale), 1)
    temperature = round(float(1.0 + 0.6 * scale + rng.uniform(0.0, 0.2)) / KEV_PER_MK, 1)
    pointing = orbit.pointing(peak)
    # detected rate = flux × effective area of the imaging detectors
    thermal = rate / pixel_response((body,), pointing)[QUICKLOOK_DETECTORS].sum()
    components = [
        Component((body,), ThermalSpectrum(round(float(thermal), 3), temperature), FastRise(peak, rise, decay))
    ]
    if rate >= sizes.non_thermal_from:
        feet = _footpoints(rng, body, angle)
        hard = thermal * rng.uniform(0.04, 0.10)
        burst = peak - np.timedelta64(round(rise * 1e3), "ms")
        components.append(
            Component(
                feet,
                ThickTargetSpectrum(round(float(hard), 3), round(1.0 + rng.uniform(3.5, 5.5), 2)),
                Gaussian(burst, round(0.7 * rise, 1)),
            )
        )
    return Flare(tuple(components))


def _footpoints(rng: Generator, body: Source, angle: float) -> tuple[Source, Source]:
    """Two small sources of unequal brightness, at the ends of the chord."""
    half = rng.uniform(14.0, 28.0)
    along = np.deg2rad(angle + (90.0 if isinstance(body, Loop) else 0.0))
    dx, dy = half * np.cos(along), half * np.sin(along)
    share = round(rng.uniform(0.5, 0.7), 2)
    fwhm = round(rng.uniform(9.0, 14.0), 1)
    return (
        Circle(round(float(body.x + dx), 1), round(float(body.y + dy), 1), fwhm, share),
        Circle(round(float(body.x - dx), 1), round(float(body.y - dy), 1), fwhm, round(1.0 - share, 2)),
    )


def native_bins(flares: Sequence[Flare], start: np.datetime64, end: np.datetime64, rate: float) -> tuple[Times, Floats]:
    """Time bins as the instrument chooses them: shorter at higher rates, in whole seconds, at most 20 s.

    Parameters
    ----------
    flares : sequence of Flare
    start, end : datetime64
        Whole seconds apart.
    rate : float, ct s⁻¹
        Background rate in all detectors.

    Returns
    -------
    t_start : (n,) datetime64[us]; duration : (n,) float, s
    """
    n = int((end - start) / SECOND)
    t = start + np.arange(n) * SECOND
    counts = np.full(n, rate)
    for component in components_of(flares):
        low, high = component.spectrum.band
        area = 0.22 * 0.81 * N_DETECTORS  # cm², accurate enough for the choice of bins
        flux = integrate(component.spectrum, np.array([min(low, 4.0), max(high, 28.0)]))[0]
        counts += flux * area * mean_level(component.profile, t, np.ones(n))
    wanted = max(BIN_COUNTS, counts.sum() / BINS_AT_MOST)
    edges, collected = [0], 0.0
    for second, value in enumerate(counts, start=1):
        collected += value
        if collected >= wanted or second - edges[-1] >= BIN_LONGEST or second == n:
            edges.append(second)
            collected = 0.0
    bounds = np.array(edges)
    return start + bounds[:-1] * SECOND, np.diff(bounds).astype(float)


def net_counts(flares: Sequence[Flare], observation: Observation, orbit: Orbit, band: tuple[float, float]) -> float:
    """Expected counts in a band without background, in all pixels of the 30 imaging detectors, with nominal edges."""
    pointing = orbit.pointing(observation.t_start[0] + (observation.t_end[-1] - observation.t_start[0]) // 2)
    total = 0.0
    for component in components_of(flares):
        level = mean_level(component.profile, observation.t_start, observation.duration)
        flux = integrate(component.spectrum, np.array(band))[0]
        area = pixel_response(component.sources, pointing).sum(axis=1)[QUICKLOOK_DETECTORS]
        live = observation.live_fraction[:, QUICKLOOK_DETECTORS]
        total += float((level * observation.duration) @ live @ area * flux)
    return total


def simulate_campaign(
    folder: str | Path,
    seed: int,
    start: np.datetime64,
    days: float = 1.25,
    flares_per_day: float = 6.0,
    *,
    orbit: Orbit | None = None,
    sizes: FlareSizes | None = None,
    min_separation: float = 1500.0,
    science: bool = True,
) -> list[dict[str, Any]]:
    """Write the files of a campaign and return the truth.

    Parameters
    ----------
    folder : path
        Folder of the files, without subfolders; created if missing.
    seed : int
        The same seed and arguments give the same bytes.
    start : datetime64
        UTC at Solar Orbiter.
    days : float
        Length of the quick-look coverage.
    flares_per_day : float
    orbit : Orbit, optional
        By default a quiet cruise at 0.6 au, with ``start`` as its reference.
    sizes : FlareSizes, optional
    min_separation : float, s
        Between flare peaks; with 0, flares may overlap and then share a request.
    science : bool
        False for quick-look and auxiliary files only.

    Returns
    -------
    list of dict
        One per flare, in order of time: ``flare_id``, ``peak_utc``, ``start_utc``, ``end_utc``, ``hpc_x``, ``hpc_y``
        [arcsec], ``components``, ``peak_rate`` [ct s⁻¹, 4-10 keV, 30 detectors]; with ``science`` also ``uid``,
        ``file``, ``background``, ``auxiliary`` (names) and ``expected_counts``, those of this flare in its file, per
        band.

    Raises
    ------
    SelectionError
        When the flares do not fit.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    start = start.astype("datetime64[s]").astype("datetime64[us]")
    end = start + round(days * 86_400) * SECOND
    orbit = orbit or Orbit(start)
    peaks = _peak_times(np.random.default_rng((seed, _TIMES)), start, end, round(days * flares_per_day), min_separation)
    flares = [
        random_flare(np.random.default_rng((seed, _FLARE, i)), peak, orbit, sizes) for i, peak in enumerate(peaks)
    ]
    flares.sort(key=lambda flare: flare.peak)
    records = [flare_truth(flare, peak_rate=round(_peak_rate(flare, orbit), 1)) for flare in flares]
    segments = _days_of(start, end)
    for i, (begin, finish) in enumerate(segments):
        auxiliary = write_auxiliary(folder, begin, orbit)
        near = [flare for flare in flares if flare.interval(1e-6)[0] < finish and flare.interval(1e-6)[1] > begin]
        write_quicklook(folder, near, begin, finish, orbit, np.random.default_rng((seed, _CURVE, i)))
        for record in records:
            if begin <= np.datetime64(record["peak_utc"]) < finish:
                record["auxiliary"] = auxiliary.name
    if science:
        backgrounds = _write_backgrounds(folder, seed, flares, segments, orbit)
        _write_flares(folder, seed, flares, records, backgrounds, orbit)
    return records


def _peak_times(
    rng: Generator, start: np.datetime64, end: np.datetime64, n: int, separation: float
) -> list[np.datetime64]:
    """Random times, in whole seconds, at least ``separation`` seconds from each other and from the ends."""
    free = (end - start) / SECOND - separation * (n + 1)
    if n < 0 or free < 0:
        message = f"{n} flares at least {separation:g} s apart do not fit between {start} and {end}"
        raise SelectionError(message)
    offsets = np.sort(rng.uniform(0.0, free, n)) + separation * np.arange(1, n + 1)
    return [start + round(offset) * SECOND for offset in offsets]


def _peak_rate(flare: Flare, orbit: Orbit) -> float:
    """Peak rate of the first component in 4-10 keV and the imaging detectors, ct s⁻¹."""
    component = flare.components[0]
    area = pixel_response(component.sources, orbit.pointing(flare.peak))[QUICKLOOK_DETECTORS].sum()
    return float(integrate(component.spectrum, np.array([4.0, 10.0]))[0] * area)


def _days_of(start: np.datetime64, end: np.datetime64) -> list[tuple[np.datetime64, np.datetime64]]:
    """Start and end of each UTC day of the campaign."""
    midnights = np.arange(start.astype("datetime64[D]"), end.astype("datetime64[D]") + DAY).astype("datetime64[us]")
    bounds = [start, *(midnight for midnight in midnights if start < midnight < end), end]
    return list(pairwise(bounds))


def _request_id(time: np.datetime64, number: int) -> int:
    """Request id: yymmdd and a four-digit number."""
    day = str(np.datetime_as_string(time, unit="D"))[2:].replace("-", "")
    return int(day) * 10_000 + number % 10_000


def _whole_second(time: np.datetime64) -> np.datetime64:
    return np.datetime64(time.astype("datetime64[s]"), "us")


def _write_backgrounds(
    folder: Path,
    seed: int,
    flares: Sequence[Flare],
    segments: Sequence[tuple[np.datetime64, np.datetime64]],
    orbit: Orbit,
) -> list[tuple[np.datetime64, str]]:
    """Write one background file per day, in the widest gap between flares; return middle and name of each."""
    written: list[tuple[np.datetime64, str]] = []
    for i, (begin, finish) in enumerate(segments):
        if (finish - begin) / DAY < 0.2 and written:
            continue
        busy = [flare.interval(1e-4) for flare in flares]
        edges = [begin, *sorted(bound for pair in busy for bound in pair if begin < bound < finish), finish]
        gaps = [
            (b - a, a) for a, b in pairwise(edges) if not any(first < a + (b - a) // 2 < last for first, last in busy)
        ]
        width, first = max(gaps, default=(np.timedelta64(0, "us"), begin))
        if width < SHORTEST_BACKGROUND * SECOND:
            continue  # no quiet interval on that day
        duration = min(BACKGROUND_DURATION, np.floor(0.8 * (width / SECOND)))
        quiet_start = _whole_second(first + (width - round(duration) * SECOND) // 2)
        observation = observe(
            expected_counts((), np.array([quiet_start]), np.array([duration]), orbit.pointing(quiet_start)),
            np.random.default_rng((seed, _QUIET, i)),
        )
        date = str(np.datetime_as_string(quiet_start, unit="D"))
        request = ScienceRequest(
            _request_id(quiet_start, 9000 + i),
            60_000 + i % 5000,
            f"BKG quiet, Background, Background request for {date}",
            (4.0, float("inf")),
            12,
        )
        truth = {"kind": "background", "rate": Background().rate, "start_utc": iso(quiet_start), "duration": duration}
        path = write_pixel_data(folder, observation, request, orbit, truth)
        written.append((quiet_start + round(duration / 2) * SECOND, path.name))
    return written


def _requests(flares: Sequence[Flare]) -> list[tuple[np.datetime64, np.datetime64, list[int]]]:
    """Intervals to request, with the flares in them; overlapping intervals are merged."""
    margin = round(MARGIN) * SECOND
    merged: list[tuple[np.datetime64, np.datetime64, list[int]]] = []
    for i, flare in enumerate(flares):
        begin, finish = flare.interval(0.03)
        begin, finish = _whole_second(begin - margin), _whole_second(finish + margin)
        if merged and begin < merged[-1][1]:
            first, last, members = merged.pop()
            merged.append((min(first, begin), max(last, finish), [*members, i]))
        else:
            merged.append((begin, finish, [i]))
    return merged


def _write_flares(
    folder: Path,
    seed: int,
    flares: Sequence[Flare],
    records: Sequence[dict[str, Any]],
    backgrounds: Sequence[tuple[np.datetime64, str]],
    orbit: Orbit,
) -> None:
    """Write one pixel-data file per request, and add its contents to the records of the flares."""
    for number, (begin, finish, members) in enumerate(_requests(flares)):
        inside = [flares[i] for i in members]
        brightest = max(records[i]["peak_rate"] for i in members)
        rate = Background().rate
        if brightest < 450.0:  # the smallest flares have a single bin
            t_start, duration = np.array([begin]), np.array([(finish - begin) / SECOND])
        else:
            t_start, duration = native_bins(inside, begin, finish, rate)
        reach = (begin - DAY // 24, finish + DAY // 24)
        near = [flare for flare in flares if flare.interval(1e-4)[0] < reach[1] and flare.interval(1e-4)[1] > reach[0]]
        pointing = orbit.pointing(begin + (finish - begin) // 2)
        expected = expected_counts(near, t_start, duration, pointing)
        observation = observe(expected, np.random.default_rng((seed, _COUNTS, number)))
        uid = _request_id(begin, 1000 + number)
        request = ScienceRequest(
            uid,
            50_000 + number % 10_000,
            f"Flare {inside[0].flare_id}, Solar Flare, simulated request for Flare {inside[0].flare_id}",
            (4.0, 18.0 if brightest < 600.0 else 28.0 if brightest < 5000.0 else 50.0),
            12 if number % 4 == 3 else 8,
        )
        for i in members:
            records[i]["expected_counts"] = {
                f"{low:g}-{high:g}": round(net_counts([flares[i]], expected, orbit, (low, high)), 1)
                for low, high in TRUTH_BANDS
            }
        truths = [{key: value for key, value in records[i].items() if key != "auxiliary"} for i in members]
        path = write_pixel_data(folder, observation, request, orbit, {"kind": "flares", "flares": truths})
        middle = begin + (finish - begin) // 2
        nearest = min(backgrounds, key=lambda item: abs(item[0] - middle))[1] if backgrounds else ""
        for i in members:
            records[i] |= {
                "uid": f"{uid:010d}",
                "file": path.name,
                "background": nearest,
            }
