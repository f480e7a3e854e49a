"""Flares imaged three times: from all counts, and from the top and the bottom row of pixels only.

The rows have independent counts of the same flare; half of their difference estimates the error of the image of all
counts. Real flares are those of November 2022; simulated ones, some of them faint, come from `simulate_campaign` and
have a known position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.november_2022 import BACKGROUND_UID, FOLDER, aspect_files, background, idl_flares
from stixcore.errors import StixError
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.metrics import SourceMeasure, measure_source
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.trust import Finding, Severity
from stixcore.instrument.geometry import PixelSet
from stixcore.options import ImageRequest
from stixcore.reconstruct import ImageSet, prepare_recipe, reconstruct
from stixcore.simulation.campaign import FlareSizes, simulate_campaign

Floats = NDArray[np.float64]

BAND = (6.0, 10.0)
#: Window around the peak if IDL has none.
HALF_WINDOW = np.timedelta64(60, "s")
#: Simulated campaign: days, flares per day, counts per second at the peak.
DAYS, PER_DAY, RATES = 1.0, 24.0, (15.0, 3000.0)
#: Solar radii from Sun center beyond which IDL's position is not used as the truth.
DISK = 1.1


@dataclass(frozen=True)
class Case:
    """A flare to image.

    Attributes
    ----------
    name : str
    science, background : Path
    aspect : tuple of Path
    start, end : datetime64
    truth : (x, y) or None
        Position of IDL's circle or of the simulated flare; arcsec, helioprojective.
    """

    name: str
    science: Path
    background: Path
    aspect: tuple[Path, ...]
    start: np.datetime64
    end: np.datetime64
    truth: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class Judged:
    """A flare with its images of all counts and of each row (None if a row gives none)."""

    case: Case
    images: ImageSet
    rows: tuple[ImageSet, ImageSet] | None

    @property
    def net_counts(self) -> float:
        """Counts above background, ct."""
        return self.images.counts[0] - self.images.counts[1]

    @property
    def place(self) -> Floats:
        """Location of the flare, arcsec."""
        return place_of(self.images)

    @property
    def rows_apart(self) -> float:
        """Distance of the locations from the two rows, arcsec; infinite if one has none."""
        return np.inf if self.rows is None else float(np.hypot(*(place_of(self.rows[0]) - place_of(self.rows[1]))))

    @property
    def location_doubts(self) -> tuple[str, ...]:
        """Warnings about the location, except for the pointing, which is the same for rows and IDL."""
        return tuple(
            found.code
            for found in self.images.findings
            if found.method is None and _doubts(found, "position") and not found.code.startswith("pointing")
        )

    def doubted(self, method: Method, aspect: str) -> bool:
        """Whether position, flux or shape of an image has a warning, except for the pointing."""
        return any(
            found.method in (None, method) and _doubts(found, aspect) and not found.code.startswith("pointing")
            for found in self.images.findings
        )

    def measured(self, method: Method) -> tuple[SourceMeasure, SourceMeasure, SourceMeasure] | None:
        """Source in the image of all counts, of the top and of the bottom row."""
        found = self.of(method)
        if found is None or any(image.image.max() <= 0 for image in found):
            return None
        whole, top, bottom = (measure_source(image.image, image.grid, image.sources) for image in found)
        return whole, top, bottom

    def of(self, method: Method) -> tuple[Reconstruction, Reconstruction, Reconstruction] | None:
        """Image of all counts, of the top and of the bottom row."""
        if self.rows is None or any(method not in one.images for one in (self.images, *self.rows)):
            return None
        return self.images.images[method], self.rows[0].images[method], self.rows[1].images[method]


def place_of(images: ImageSet) -> Floats:
    """Location of an image set, (2,) float, arcsec."""
    return np.array([images.recipe.location.x, images.recipe.location.y])


def _doubts(found: Finding, aspect: str) -> bool:
    return found.severity is Severity.DOUBT and aspect in {str(one) for one in found.doubts}


def judge(case: Case) -> Judged | None:
    """Image a flare; None if its file cannot be imaged."""
    paths = {path.name: path for path in (case.science, case.background, *case.aspect)}

    def made(pixel_set: PixelSet) -> ImageSet:
        asked = ImageRequest(case.start, case.end, BAND, pixel_set=pixel_set)
        recipe = prepare_recipe(asked, case.science, case.background, case.aspect)
        return reconstruct(recipe, lambda file: paths[file.name])

    try:
        images = made(PixelSet.TOP_BOT)
    except StixError as error:
        print(f"  {case.name}: {error}")
        return None
    try:
        rows = made(PixelSet.TOP), made(PixelSet.BOT)
    except StixError as error:
        print(f"  {case.name}, one row: {error}")
        return Judged(case, images, None)
    return Judged(case, images, rows)


def november_2022() -> Iterator[Case]:
    """The 68 files of flares, in IDL's windows if available, otherwise in the two minutes around the peak."""
    aspect, quiet = tuple(aspect_files()), background()
    listed = {flare.uid: flare for flare in idl_flares()}
    for path in sorted((FOLDER / "l1").glob("*.fits")):
        uid = path.stem.split("_")[-1].split("-")[0]
        if uid == BACKGROUND_UID:
            continue
        if uid in listed:
            flare = listed[uid]
            yield Case(uid, path, quiet, aspect, flare.start, flare.end, flare.fit)
            continue
        data = read_pixel_data(path)
        peak = data.t_start[int(np.argmax(data.summed(*BAND) / data.duration))]
        start, end = max(peak - HALF_WINDOW, data.t_start[0]), min(peak + HALF_WINDOW, data.t_end[-1])
        yield Case(uid, path, quiet, aspect, start, end, None)


def on_the_disk(case: Case, rsun: float) -> Case:
    """Remove IDL's position if it is off the disk, as it cannot be the truth."""
    lies_off = case.truth is not None and np.hypot(*case.truth) > DISK * rsun
    return replace(case, truth=None) if lies_off else case


def simulated(seed: int, days: float = DAYS, rates: tuple[float, float] = RATES) -> Iterator[Case]:
    """Flares of a campaign, with ``rates`` [ct s⁻¹] at the peak; its files exist until the generator is closed."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        start = np.datetime64("2026-03-14T00:00:00", "us")
        records = simulate_campaign(folder, seed, start, days, PER_DAY, sizes=FlareSizes(rates), min_separation=1500.0)
        for record in records:
            yield _simulated_case(folder, record)


def _simulated_case(folder: Path, record: Mapping[str, object]) -> Case:
    peak = np.datetime64(str(record["peak_utc"]), "us")
    science, quiet, aspect = (folder / str(record[name]) for name in ("file", "background", "auxiliary"))
    truth = float(str(record["hpc_x"])), float(str(record["hpc_y"]))
    name = str(record["uid"])
    return Case(name, science, quiet, (aspect,), peak - HALF_WINDOW, peak + HALF_WINDOW, truth)
