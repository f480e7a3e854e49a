"""Flare detection in simulated weeks: detection rate and false alarms against the significance of the peak.

A week contains 200 flares at random times, some of which overlap, in quick-look files like those of the instrument:
Poisson noise, dead time, onboard compression. Every flare is simulated twice, with and without it; the difference is
its contribution to the 4-10 keV band.

- The *significance* of a flare is its largest contribution to a bin of 4 s divided by the standard deviation of that
  bin without it (counting and compression noise of the background and of simultaneous flares).
- A flare is *merged* if the curve is higher at the peak of another flare less than five minutes away: by the rule, the
  two are one flare. (320 s, because noise shifts the peak of a one-minute mean by up to five bins.)
- A flare is *found* if a detected flare is within two minutes of its peak; each detection counts once.
- A detection that is not within two minutes of any flare is a *false alarm*, in the row of its significance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from benchmarks.timing import print_table
from stixcore.fits.read import read_light_curve
from stixcore.flares import DetectedFlare, QuicklookSeries, find_flares
from stixcore.flares.envelope import deviation
from stixcore.simulation.campaign import FlareSizes, random_flare
from stixcore.simulation.ephemeris import Orbit
from stixcore.simulation.files import write_quicklook
from stixcore.simulation.flare import Flare
from stixcore.simulation.quicklook import QUICKLOOK_BIN, quicklook_rates

START = np.datetime64("2024-05-06", "us")
DAYS, FLARES = 7, 200
MERGED_WITHIN = np.timedelta64(320, "s")
FOUND_WITHIN = np.timedelta64(120, "s")
EDGES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 1e9)
_DAY, _BIN = np.timedelta64(1, "D"), np.timedelta64(QUICKLOOK_BIN, "s")


@dataclass(frozen=True)
class TrueFlare:
    """A simulated flare: time of its peak, counts there [ct per 4 s], level without it, significance.

    ``t_curve`` is the nearest peak of the one-minute mean of the noise-free curve, which is some seconds earlier during
    the decay of another flare.
    """

    t_peak: np.datetime64
    t_curve: np.datetime64
    counts: float
    level: float
    significance: float

    @property
    def curve(self) -> float:
        """Height of the whole curve at its peak."""
        return self.counts + self.level


@dataclass(frozen=True)
class Week:
    """A simulated week and the flares detected in it."""

    truth: list[TrueFlare]
    merged: list[bool]
    found: list[DetectedFlare | None]
    false: list[DetectedFlare]
    seconds: float


def simulate_week(folder: Path, seed: int, sizes: FlareSizes) -> list[TrueFlare]:
    """Write a week of quick-look files; returns their flares in order of time."""
    orbit = Orbit(START)
    rng = np.random.default_rng(seed)
    peaks = np.sort(rng.uniform(600.0, DAYS * 86_400.0 - 600.0, FLARES))
    flares = [random_flare(rng, START + np.timedelta64(round(peak), "s"), orbit, sizes) for peak in peaks]
    for day in range(DAYS):
        begin, end = START + day * _DAY, START + (day + 1) * _DAY
        write_quicklook(folder, _near(flares, begin, end), begin, end, orbit, rng)
    truth = [_truth(flares, flare, orbit) for flare in flares]
    return sorted(truth, key=lambda flare: flare.t_peak)


def _near(flares: list[Flare], begin: np.datetime64, end: np.datetime64) -> list[Flare]:
    return [flare for flare in flares if flare.interval(1e-6)[0] < end and flare.interval(1e-6)[1] > begin]


def _truth(flares: list[Flare], flare: Flare, orbit: Orbit) -> TrueFlare:
    begin = flare.peak.astype("datetime64[m]").astype("datetime64[us]") - np.timedelta64(5, "m")
    n = 150
    near = _near(flares, begin, begin + n * _BIN)
    pointing = orbit.pointing(flare.peak)
    with_it = quicklook_rates(near, begin, n, pointing)[0][:, 0] * QUICKLOOK_BIN
    without = quicklook_rates([one for one in near if one is not flare], begin, n, pointing)[0][:, 0] * QUICKLOOK_BIN
    own = with_it - without
    top = int(np.argmax(own))
    around = slice(max(top - 15, 0), top + 16)
    mean = np.convolve(with_it, np.full(15, 1 / 15), mode="same")
    summit = around.start + int(np.argmax(mean[around]))
    if summit in (around.start, around.stop - 1):
        summit = top  # a shoulder is not a peak
    middle = begin + _BIN // 2
    sigma = float(deviation(without[[top]])[0])
    return TrueFlare(
        middle + top * _BIN, middle + summit * _BIN, float(own[top]), float(without[top]), float(own[top] / sigma)
    )


def merged(truth: list[TrueFlare]) -> list[bool]:
    """Whether flares belong to a higher one by the five-minute rule."""
    return [
        any(abs(one.t_curve - other.t_curve) < MERGED_WITHIN and other.curve > one.curve for other in truth)
        for one in truth
    ]


def assign(truth: list[TrueFlare], is_merged: list[bool], detected: list[DetectedFlare]) -> list[DetectedFlare | None]:
    """The detected flare for every true one, nearest pairs first; merged flares are matched last."""
    pairs = sorted(
        (is_merged[i], abs(one.t_peak - flare.t_peak), i, j)
        for i, one in enumerate(truth)
        for j, flare in enumerate(detected)
        if abs(one.t_peak - flare.t_peak) <= FOUND_WITHIN
    )
    found: list[DetectedFlare | None] = [None] * len(truth)
    used: set[int] = set()
    for _, _, i, j in pairs:
        if found[i] is None and j not in used:
            found[i] = detected[j]
            used.add(j)
    return found


def run_week(seed: int, sizes: FlareSizes) -> Week:
    """Simulate, detect, compare."""
    with TemporaryDirectory() as name:
        truth = simulate_week(Path(name), seed, sizes)
        series = read_series(sorted(Path(name).glob("*.fits")))
    begin = perf_counter()
    detected = find_flares(series)
    seconds = perf_counter() - begin
    is_merged = merged(truth)
    found = assign(truth, is_merged, detected)
    false = [flare for flare in detected if all(abs(flare.t_peak - one.t_peak) > FOUND_WITHIN for one in truth)]
    return Week(truth, is_merged, found, false, seconds)


def read_series(paths: list[Path]) -> QuicklookSeries:
    """Consecutive quick-look files."""
    files = [read_light_curve(path) for path in paths]
    return QuicklookSeries(
        *(np.concatenate([getattr(file, name) for file in files]) for name in ("t_start", "duration", "counts", "rcr"))
    )


def table(weeks: list[Week]) -> list[list[object]]:
    """Per range of significance: flares, merged ones, others, found among these, fraction, false alarms."""
    rows: list[list[object]] = []
    for low, high in pairwise(EDGES):
        inside = [
            (is_merged, found)
            for week in weeks
            for one, is_merged, found in zip(week.truth, week.merged, week.found, strict=True)
            if low <= one.significance < high
        ]
        alone = [found for is_merged, found in inside if not is_merged]
        n_found = sum(found is not None for found in alone)
        false = sum(low <= flare.significance < high for week in weeks for flare in week.false)
        label = f"{low:g}-{high:g}" if high < 1e9 else f"above {low:g}"
        share = f"{100 * n_found / len(alone):.1f} %" if alone else ""
        rows.append([label, len(inside), len(inside) - len(alone), len(alone), n_found, share, false])
    return rows


def run(seeds: tuple[int, ...] = (1, 2, 3)) -> None:
    """Print the tables."""
    populations = {
        "flares of the demo (350-15,000 ct/s)": FlareSizes(),
        "including small flares (1-3,000 ct/s)": FlareSizes((1.0, 3000.0), 0.25),
    }
    for name, sizes in populations.items():
        weeks = [run_week(seed, sizes) for seed in seeds]
        print_table(
            f"Flare detection, {len(weeks)} weeks of {FLARES} flares each: {name}",
            ["peak significance", "flares", "merged", "alone", "found", "share", "false alarms"],
            table(weeks),
        )
        for week in weeks:
            for one, is_merged, found in zip(week.truth, week.merged, week.found, strict=True):
                if one.significance >= 6 and not is_merged and found is None:
                    print(f"  missed: {one}")
        seconds = [week.seconds for week in weeks]
        print(f"  detection takes {1e3 * min(seconds) / DAYS:.0f} ms per day")


if __name__ == "__main__":
    run()
