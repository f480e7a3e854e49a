"""The coarse flare locator: errors and contours over the disk, on real flares, and what it says of side lobes.

``python -m benchmarks locator`` (ten minutes); ``python -m benchmarks.locator --write`` puts the tables into
docs/accuracy.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_page import PAGE, replace_section
from benchmarks.flags import Table
from benchmarks.locations import BACKGROUND, RADIUS_AT_1_AU
from benchmarks.november_2022 import aspect_files, background, idl_flares
from benchmarks.real_data import SHARED_DATA
from benchmarks.timing import print_table
from stixcore.coordinates import Pointing, PointingSource, hpc_to_stix
from stixcore.errors import ReconstructionError, SelectionError
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.imaging.coarse_locator import LEVELS, REACH, CoarseLocation, locate_coarsely, locator_counts
from stixcore.imaging.forward_fit import fit_circle
from stixcore.imaging.location import DISK_RADIUS, SIDELOBE_DISTANCE, FlareLocation, locate_flare
from stixcore.imaging.position_error import REACH as CIRCLE_REACH
from stixcore.imaging.position_error import position_error
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import THRESHOLDS
from stixcore.instrument.geometry import LOCATION_LABELS
from stixcore.options import ImageRequest
from stixcore.prepare import LOCATION_ENERGY, find_pointing, prepare
from stixcore.simulation.quick import simulate_pixel_sums
from stixcore.simulation.sources import Circle
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

SEED = 20221130
#: Counts of simulated flares in the locator's large pixels, and how many flares each.
COUNTS, N_FLARES = ((20, 100), (100, 300), (300, 1000), (1000, 3000), (3000, 10_000), (10_000, 100_000)), 400
#: Weak flares, and their net counts in the 24 sub-collimators.
N_WEAK, WEAK = 1000, (300.0, 10_000.0)
#: A location further from the truth is that of another peak, arcsec.
MISTAKE = 100.0
#: Heading of the section of docs/accuracy.md, and of the section before which it begins.
HEADING, NEXT = "## Coarse flare locator", "## Quality warnings"


@dataclass(frozen=True)
class Weak:
    """A weak flare: its location and what is said about it.

    Attributes
    ----------
    error : float, arcsec
        Distance of the location from the truth.
    level : float or None
        Confidence level of the locator's contour through the location; None without a locator.
    best_rival : float
        Lowest confidence level of the other peaks of the full-disk map; 1 without one.
    high_rivals : tuple of float
        Confidence levels of the rivals that are at least 0.9 times as high as the highest peak.
    ruled_out : bool
        Whether all sub-collimators rule them out.
    off : float
        Probability that the position is wrong, by the images alone.
    """

    error: float
    level: float | None
    best_rival: float
    high_rivals: tuple[float, ...]
    ruled_out: bool
    off: float

    @property
    def doubted_before(self) -> bool:
        """By the images alone."""
        return (bool(self.high_rivals) and not self.ruled_out) or self.off > THRESHOLDS.off

    @property
    def elsewhere(self) -> bool:
        """Whether the locator puts the flare at another peak."""
        return self.level is not None and self.level > THRESHOLDS.locator and self.best_rival <= THRESHOLDS.locator

    @property
    def confirmed(self) -> bool:
        """Whether the locator rules out all high rivals, but not the location."""
        return (
            self.level is not None
            and self.level <= THRESHOLDS.locator
            and all(level > THRESHOLDS.locator for level in self.high_rivals)
        )

    @property
    def doubted(self) -> bool:
        """With the locator."""
        sidelobe = bool(self.high_rivals) and not self.ruled_out and not self.confirmed
        return sidelobe or self.off > THRESHOLDS.off or self.elsewhere


def run() -> None:
    """Print the tables."""
    for table in locator_tables():
        print_table(*table)


def locator_tables() -> list[Table]:
    """Titles, columns and rows; those of real files only if the files exist."""
    with single_threaded():
        tables = [field_table()]
        if SHARED_DATA.is_dir():
            tables.append(real_table(list(november())))
        return [*tables, weak_table([weak_flare(number) for number in range(N_WEAK)])]


def field_table() -> Table:
    """Error and coverage of contours for simulated flares anywhere on the disk."""
    rows: list[list[object]] = []
    for low, high in COUNTS:
        found = [one for number in range(N_FLARES) if (one := _in_field(number, low, high)) is not None]
        rows.append([f"{low} to {high}", *_row(np.array(found))])
    title = "Simulated flares anywhere on the disk: distance from the truth, and share of flares inside the contours"
    return title, ["counts in the locator", *_COLUMNS], rows


_COLUMNS = ("n", "median [″]", "p90 [″]", "radius of 68 % region [″]", "inside 68 %", "inside 95 %", "inside 99.7 %")


def _row(found: Floats) -> list[object]:
    """Of (n, 3): distance, radius, confidence level of the truth."""
    distance, radius, level = found.T
    inside = [f"{100.0 * np.mean(level <= contour):.0f} %" for contour in LEVELS]
    return [
        len(found),
        f"{np.median(distance):.0f}",
        f"{np.percentile(distance, 90):.0f}",
        f"{np.median(radius):.0f}",
        *inside,
    ]


def random_pointing(rng: np.random.Generator) -> Pointing:
    """Anywhere from 0.4 to 1 au, any roll, within 300″ of Sun center."""
    rsun = float(RADIUS_AT_1_AU / rng.uniform(0.4, 1.0))
    roll, x, y = float(rng.uniform(-180.0, 180.0)), *(float(value) for value in rng.uniform(-300.0, 300.0, 2))
    return Pointing(PointingSource.MANUAL, roll, x, y, rsun=rsun)


def random_circle(rng: np.random.Generator, rsun: float) -> Circle:
    """A circle of 10 to 40″ on the disk."""
    radius, angle = rsun * np.sqrt(rng.uniform()), rng.uniform(0.0, 2.0 * np.pi)
    return Circle(float(radius * np.cos(angle)), float(radius * np.sin(angle)), float(rng.uniform(10.0, 40.0)))


def _in_field(number: int, low: float, high: float) -> tuple[float, float, float] | None:
    rng = np.random.default_rng((SEED, int(low), number))
    pointing = random_pointing(rng)
    source = random_circle(rng, pointing.rsun)
    wanted = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    made = partial(simulate_pixel_sums, [source], pointing=pointing, background=BACKGROUND)
    total = 1e6 * wanted / locator_counts(made(1e6), LOCATION_ENERGY).total
    try:
        found = coarse(made(total, rng), pointing)
    except SelectionError:  # too few counts
        return None
    return (
        float(np.hypot(found.x - source.x, found.y - source.y)),
        found.radius,
        float(found.level(source.x, source.y)),
    )


def coarse(pixels: MetaPixels, pointing: Pointing) -> CoarseLocation:
    """The locator's result for simulated sums."""
    return locate_coarsely(locator_counts(pixels, LOCATION_ENERGY), pointing, pointing.rsun)


def november() -> Iterator[tuple[float, float, float, float]]:
    """Flares with IDL's position on the disk: distance from it, radius, its confidence level, counts."""
    aspects, quiet = [read_aspect(path) for path in aspect_files()], read_pixel_data(background())
    for flare in idl_flares():
        science = read_pixel_data(flare.file)
        pointing = find_pointing(science.header, aspects, flare.start, flare.end)
        data = prepare(ImageRequest(flare.start, flare.end, LOCATION_ENERGY), science, quiet, pointing)
        found = data.locate_coarsely()
        x, y = flare.fit
        level = float(found.level(x, y)) if np.hypot(x, y) < REACH * pointing.rsun else np.nan
        yield float(np.hypot(found.x - x, found.y - y)), found.radius, level, found.observed.total


def real_table(found: Sequence[tuple[float, float, float, float]]) -> Table:
    """Distance from IDL's circle, and how many of these positions the contours hold."""
    every = np.array(found)
    rows: list[list[object]] = []
    for name, chosen in (
        ("all", every),
        ("above 1,000 counts", every[every[:, 3] > 1000.0]),
        ("above 3,000 counts", every[every[:, 3] > 3000.0]),
    ):
        distance = _row(chosen[:, :3])[:4]
        on_disk = _row(chosen[np.isfinite(chosen[:, 2]), :3])
        rows.append([name, *distance, *on_disk[4:]])
    title = (
        "Flares of 9-11 November 2022, from 4 keV: distance from IDL's circle; contours without the flare that IDL "
        "puts off the disk"
    )
    return title, ["flares", *_COLUMNS], rows


def weak_flare(number: int) -> Weak:
    """Flare ``number``: located and judged like a preview, without files."""
    rng = np.random.default_rng((SEED, number))
    pointing = random_pointing(rng)
    source = random_circle(rng, pointing.rsun)
    counts = float(np.exp(rng.uniform(*np.log(WEAK))))
    pixels = simulate_pixel_sums([source], counts, rng, pointing=pointing, background=BACKGROUND)
    rough = locate_flare(form_visibilities(pixels, LOCATION_LABELS), pointing, pointing.rsun)
    x, y = _refined(pixels, pointing, rough)
    try:
        locator: CoarseLocation | None = coarse(pixels, pointing)
    except SelectionError:
        locator = None
    rivals = [
        one
        for one in rough.candidates
        if np.hypot(one.x - x, one.y - y) > SIDELOBE_DISTANCE and np.hypot(one.x, one.y) < DISK_RADIUS * pointing.rsun
    ]
    levels = [1.0 if locator is None else float(locator.level(one.x, one.y)) for one in rivals]
    judged = position_error(
        _visibilities(pixels, pointing, x, y), None, rivals=[(one.x - x, one.y - y) for one in rivals]
    )
    pairs = zip(rivals, levels, strict=True)
    return Weak(
        error=float(np.hypot(x - source.x, y - source.y)),
        level=None if locator is None else float(locator.level(x, y)),
        best_rival=min(levels, default=1.0),
        high_rivals=tuple(level for one, level in pairs if one.relative_height >= THRESHOLDS.sidelobe_ratio),
        ruled_out=judged is not None and judged.rival <= THRESHOLDS.rival,
        off=1.0 if judged is None else judged.off,
    )


def _visibilities(pixels: MetaPixels, pointing: Pointing, x: float, y: float) -> Visibilities:
    x_stix, y_stix = hpc_to_stix(x, y, pointing)
    return form_visibilities(pixels, flare_xy=(float(x_stix), float(y_stix))).to_helioprojective(pointing, x, y)


def _refined(pixels: MetaPixels, pointing: Pointing, rough: FlareLocation) -> tuple[float, float]:
    """The circle around the highest peak, as `PreparedData.find_location`."""
    try:
        circle, _ = fit_circle(_visibilities(pixels, pointing, rough.x, rough.y), CIRCLE_REACH)
    except ReconstructionError:
        return rough.x, rough.y
    if max(abs(circle["x"]), abs(circle["y"])) > 0.99 * CIRCLE_REACH:
        return rough.x, rough.y
    return rough.x + circle["x"], rough.y + circle["y"]


def weak_table(flares: Sequence[Weak]) -> Table:
    """How many side-lobe mistakes are doubted without and with the locator, and how many right locations."""
    rows: list[list[object]] = []
    for name, chosen in (
        (f"off by more than {MISTAKE:g}″", [one for one in flares if one.error > MISTAKE]),
        ("right", [one for one in flares if one.error <= MISTAKE]),
    ):
        rows.append(
            [
                name,
                len(chosen),
                sum(one.level is None for one in chosen),
                sum(one.doubted_before for one in chosen),
                sum(one.doubted for one in chosen),
                sum(one.elsewhere for one in chosen),
                sum(one.doubted_before and not one.doubted for one in chosen),
            ]
        )
    title = (
        f"{len(flares)} simulated weak flares, {WEAK[0]:.0f} to {WEAK[1]:,.0f} counts above {BACKGROUND:.0f} of "
        "background in the 24 sub-collimators"
    )
    columns = [
        "location",
        "flares",
        "no locator",
        "doubted by the images",
        "doubted with the locator",
        "the locator puts it at a rival",
        "doubts that it removes",
    ]
    return title, columns, rows


def section(tables: Sequence[Table]) -> str:
    """Section of docs/accuracy.md."""
    parts = []
    for title, columns, rows in tables:
        lines: list[list[object]] = [[*columns], ["---"] * len(columns), *rows]
        parts.append(f"**{title}**\n\n" + "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))
    text = "\n\n".join(parts)
    return f"""{HEADING}

Positions from detector 9 alone ([method](science/coarse_locator.md)). Simulated flares are circles of 10 to 40″
anywhere on the disk, at 0.4 to 1 au, with any roll and a pointing within 300″ of Sun center; they have no calibration
errors, so their contours hold more than their share. A location is a mistake here if it is more than {MISTAKE:g}″
from the truth. `python -m benchmarks.locator --write` makes these tables.

{text}

"""


def main() -> None:
    """Print the tables; with ``--write``, also write them to docs/accuracy.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.locator")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/accuracy.md")
    asked = parser.parse_args()
    tables = locator_tables()
    for table in tables:
        print_table(*table)
    if asked.write:
        replace_section(PAGE, section(tables), NEXT)


if __name__ == "__main__":
    main()
