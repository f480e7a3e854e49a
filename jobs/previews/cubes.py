"""Cubes of previews: a flare in steps of time and bands of energy, on one grid, with tracks and a movie.

The image sets are ordinary previews that carry the id of their group. Tracks, movie, the track of fits of spectra and
record are in ``cubes/2022/11/11/cube-<flare id>-<uid>/``; the record is written last, by the process that writes the
index, and shows that the cube is complete (docs/decisions/cubes.md).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from archive.index.schema import Flare, Run, RunKind, ScienceFile
from archive.layout import cube_folder, cube_id
from jobs.executors.base import report_progress
from jobs.imaging.task import Locator, RunContext, RunRows, band_label, write_products
from jobs.previews.spectrum_track import fit_steps, write_spectrum_track
from jobs.previews.tracks import TrackPoint, write_movie, write_tracks
from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.coordinates import Pointing
from stixcore.errors import StixError, public_sentence
from stixcore.fits.products import AspectTable, PixelData
from stixcore.fits.read import read_aspect
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.measure_track import LEAST_FIT_COUNTS
from stixcore.pointings import solutions_in_window
from stixcore.prepare import PreparedData, find_pointing
from stixcore.recipe import Location, Recipe
from stixcore.reconstruct import ImageSet, prepare_data, reconstruct
from stixcore.spectra.bins import separated
from stixcore.times import format_time

log = logging.getLogger(__name__)

Band = tuple[float, float]
Step = tuple[np.datetime64, np.datetime64]
RECORD = "cube.json"
#: Raised to make the fits of all cubes again.
SPECTRA_VERSION = 2
NO_STEPS = "no band has two steps with enough counts"


@dataclass(frozen=True)
class CubeRules:
    """What a cube of a flare contains; its cost is that of ``max_steps`` image sets of one method for each band.

    Attributes
    ----------
    bands : (low, high) pairs, keV
    step_counts : float, ct
        Counts above background that a step has on average, all detectors. A band without two such steps is left out.
    max_steps : int
        Largest number of steps in a band, unless attenuator, pixels or detectors change more often.
    method : Method
    copies : int
        Simulated copies of the data for the errors of position, flux and size.
    fit_counts : float, ct
        Counts above background that a step of the track of fits needs in the fitted energies.
    """

    bands: tuple[Band, ...] = ((4.0, 10.0), (10.0, 15.0), (16.0, 28.0))
    step_counts: float = 5_000.0
    max_steps: int = 12
    method: Method = Method.CLEAN
    copies: int = 12
    fit_counts: float = LEAST_FIT_COUNTS


@dataclass(frozen=True)
class CubeTask:
    """A task that makes the image sets, tracks and movie of one flare in one file. It can be pickled.

    Attributes
    ----------
    root : Path
        Folder of the archive.
    rules : CubeRules
    base : Recipe
        Recipe of the flare's preview: files, calibration, location and grid of the cube.
    paths : tuple of Path
        Files of the recipe.
    limits : (start, end)
        Of the flare.
    context : RunContext
        Of its image sets, except for their bands.
    created : datetime64
    calibration : CalibrationCatalog
    thermal : str
        Table of thermal emission for the fits.
    keeps_images : bool
        Whether images, tracks and movie exist, so that only the fits are made.
    """

    waits_for_others: ClassVar[bool] = False

    root: Path
    rules: CubeRules
    base: Recipe
    paths: tuple[Path, ...]
    limits: tuple[np.datetime64, np.datetime64]
    context: RunContext
    created: np.datetime64
    calibration: CalibrationCatalog = SHIPPED
    thermal: str = ""
    keeps_images: bool = False

    @property
    def group_id(self) -> str:
        """Id of the group of image sets."""
        return self.context.group_id or ""

    @property
    def folder(self) -> Path:
        """Folder of tracks, movie and record."""
        return self.root / cube_folder(self.base.t_start, self.group_id)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that determines images, tracks and movie."""
        limits = [format_time(time) for time in self.limits]
        rules = {**asdict(self.rules), "method": str(self.rules.method)}
        del rules["fit_counts"]
        return _hash([self.base.to_json(), rules, limits])

    @property
    def spectra_fingerprint(self) -> str:
        """Hash of everything that determines the fits: what the images depend on, and the options of the fits."""
        return _hash([self.fingerprint, self.rules.fit_counts, self.thermal, SPECTRA_VERSION])

    @property
    def record(self) -> dict[str, Any] | None:
        """The record of a complete cube with the same images; None where there is none."""
        try:
            found = json.loads((self.folder / RECORD).read_text("utf-8"))
            return dict(found) if found["fingerprint"] == self.fingerprint else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def is_made(self) -> bool:
        """Whether a complete cube of these inputs exists, with its fits."""
        spectra = (self.record or {}).get("spectra")
        return isinstance(spectra, dict) and spectra.get("fingerprint") == self.spectra_fingerprint


def _hash(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


@dataclass(frozen=True)
class CubeRows:
    """Rows of a cube's image sets and its record; the caller writes both.

    ``keeps_images``: only the fits were made, because the image sets exist.
    """

    sets: tuple[RunRows, ...]
    record: dict[str, Any]
    keeps_images: bool = False


def plan_cube(
    root: Path,
    rules: CubeRules,
    file: ScienceFile,
    run: Run,
    flare: Flare | None,
    paths: Iterable[Path],
    now: np.datetime64,
    calibration: CalibrationCatalog = SHIPPED,
    thermal: str = "",
) -> CubeTask:
    """A task for the flare that a finished preview shows."""
    limits = (flare.t_start, flare.t_end) if flare and flare.t_start and flare.t_end else (file.t_start, file.t_end)
    context = RunContext(
        kind=RunKind(run.kind),
        author=run.author,
        uid=run.uid,
        science_name=run.science_name,
        band="",
        flare_id=run.flare_id,
        goes_class=flare.goes_class if flare else None,
        goes_flux=flare.goes_flux if flare else None,
        background_uid=run.background_uid,
        background_reason=run.background_reason,
        background_candidates=run.background_candidates,
        simulated=run.simulated,
        group_id=cube_id(run.flare_id or "", run.uid),
    )
    recipe = Recipe.from_json(run.recipe or "")
    return CubeTask(root, rules, recipe, tuple(paths), limits, context, now, calibration, thermal)


def run_cube(task: CubeTask) -> CubeRows:
    """Make the image sets, tracks and movie of a cube, and its fits; a step that gives no image is left out.

    Raises
    ------
    StixError
        When the files of the recipe cannot be read.
    """
    begin = perf_counter()
    locate = Locator.of(*task.paths)
    data = prepare_data(task.base, locate, task.calibration)
    data = replace(data, science=data.science.in_memory())
    aspects = [read_aspect(locate(reference)) for reference in task.base.aspect]
    steps = {band: _steps(task, data, band) for band in task.rules.bands}
    record = task.record if task.keeps_images else None
    keeps_images = record is not None
    sets: list[RunRows] = []
    if record is None:
        sets, record = _make_images(task, locate, data, aspects, steps)
    record["spectra"] = _make_fits(task, data, aspects, max(steps.values(), key=len))
    log.info("%s: %d image sets in %.1f s", task.group_id, len(sets), perf_counter() - begin)
    return CubeRows(tuple(sets), record, keeps_images)


def _make_images(
    task: CubeTask,
    locate: Locator,
    data: PreparedData,
    aspects: Sequence[AspectTable],
    steps: dict[Band, list[Step]],
) -> tuple[list[RunRows], dict[str, Any]]:
    """Make image sets, tracks and movie; returns the rows, and the record without the fits."""
    listed = [(band, step) for band, parts in steps.items() for step in parts]
    sets: list[RunRows] = []
    points: list[TrackPoint] = []
    for number, (band, step) in enumerate(listed):
        report_progress(f"{band_label(band)}, step {number + 1} of {len(listed)}", number + 1, len(listed) + 1)
        try:
            images = _image(task, locate, data, aspects, band, step)
            rows = _write(task, images, band)
        except StixError as error:
            log.warning("%s %s %s: %s", task.group_id, band_label(band), step[0], error)
            continue
        sets.append(rows)
        points.append(TrackPoint.of(images, task.rules.method, rows.images[0].image_id))
    record = {
        "group_id": task.group_id,
        "fingerprint": task.fingerprint,
        "created": format_time(task.created),
        "simulated": task.context.simulated,
        "reason": "" if points else NO_STEPS,
        "runs": [rows.run.run_id for rows in sets],
        "tracks": [point.as_json() for point in points],
    }
    if points:
        write_tracks(task.folder, points)
        record["movie"] = write_movie(task.folder, [task.root / rows.images[0].file for rows in sets], data.science)
    return sets, record


def _make_fits(
    task: CubeTask, data: PreparedData, aspects: Sequence[AspectTable], steps: Sequence[Step]
) -> dict[str, Any]:
    """Fit the steps of the band with the most, as in the movie; writes the file, returns its part of the record."""
    reason = "" if steps else NO_STEPS
    location = task.base.location.x, task.base.location.y
    try:
        points = fit_steps(task.root, data, _pointing(task, data, aspects), location, steps, task.rules.fit_counts)
    except StixError as error:
        log.warning("%s: no fits: %s", task.group_id, error)
        points, reason = [], public_sentence(error)
    write_spectrum_track(task.folder, points)
    if not (points or reason):
        reason = f"no step has {task.rules.fit_counts:.0f} counts above background in the energies of a fit"
    return {
        "fingerprint": task.spectra_fingerprint,
        "created": format_time(task.created),
        "reason": reason,
        "track": [point.as_json() for point in points],
    }


def _pointing(
    task: CubeTask, data: PreparedData, aspects: Sequence[AspectTable]
) -> Callable[[np.datetime64, np.datetime64], Pointing]:
    """The pointing of a step; that of the preview without auxiliary files."""
    return lambda *step: find_pointing(data.science.header, aspects, *step) if aspects else task.base.pointing


def _steps(task: CubeTask, data: PreparedData, band: Band) -> list[Step]:
    """Steps of a band with equal counts; none where the file lacks the band, or the flare the counts for two steps."""
    science, rules = data.science, task.rules
    try:
        channels = science.energy_channels(max(band[0], float(science.e_low[0])), _end(science, band))
        times = science.time_bins(max(task.limits[0], science.t_start[0]), min(task.limits[1], science.t_end[-1]))
    except StixError:
        return []
    recorded = science.read(channels=channels).counts.sum(axis=(1, 2, 3))
    net = float(recorded[times].sum()) - _background(data, band, times)
    number = min(rules.max_steps, int(net / rules.step_counts))
    if number < 2:
        return []
    steps = [science.window(bins) for bins in _equal_parts(science, times, recorded[times], number)]
    return steps if len(steps) > 1 else []  # a file of one bin has no steps


def _equal_parts(data: PixelData, times: slice, recorded: NDArray[np.float64], number: int) -> list[slice]:
    """Whole bins divided into parts of nearly equal counts, also at changes of attenuator, pixels or detectors."""
    middle = np.cumsum(recorded) - recorded / 2.0  # counts to the middle of each bin
    part = np.minimum((middle / recorded.sum() * number).astype(int), number - 1)
    first = int(times.indices(data.t_start.size)[0])
    cuts = [
        row + 1
        for row in range(part.size - 1)
        if part[row] != part[row + 1] or separated(data, first + row, first + row + 1)
    ]
    return [slice(first + begin, first + end) for begin, end in pairwise([0, *cuts, part.size])]


def _end(science: PixelData, band: Band) -> float:
    """Upper end of what the file has of a band, keV; the lower edge where that is less than half, which is no range."""
    last = float(science.e_high[np.isfinite(science.e_high)].max(initial=0.0))
    covered = min(band[1], last) - max(band[0], float(science.e_low[0]))
    return min(band[1], last) if covered >= (band[1] - band[0]) / 2.0 else band[0]


def _background(data: PreparedData, band: Band, times: slice) -> float:
    """Background counts of a band in some bins; 0 without a background file."""
    quiet, science = data.background, data.science
    if quiet is None:
        return 0.0
    try:
        counts = float(quiet.summed(max(band[0], float(science.e_low[0])), _end(science, band)).sum())
    except StixError:
        return 0.0
    pixels, all_pixels = (
        one.pixel_mask.sum(axis=1) * one.detector_mask.sum(axis=1) * one.duration for one in (science, quiet)
    )
    return counts * float(pixels[times].sum()) / float(all_pixels.sum())


def _image(
    task: CubeTask,
    locate: Locator,
    data: PreparedData,
    aspects: Sequence[AspectTable],
    band: Band,
    step: Step,
) -> ImageSet:
    science, base, method = data.science, task.base, task.rules.method
    recipe = replace(
        base,
        time_range=(format_time(step[0]), format_time(step[1])),
        energy_range=(max(band[0], float(science.e_low[0])), _end(science, band)),
        pointing=_pointing(task, data, aspects)(*step),
        location=Location.given(base.location.x, base.location.y),
        methods={method: default_methods()[method]},
    )
    own = replace(
        data,
        options=recipe,
        start=recipe.t_start,
        end=recipe.t_end,
        energy=recipe.energy_range,
        times=science.time_bins(recipe.t_start, recipe.t_end, recipe.window_rule),
        pointing=recipe.pointing,
    )
    images = reconstruct(recipe, locate, ensemble=task.rules.copies, catalog=task.calibration, data=own)
    return replace(images, pointings=solutions_in_window(recipe, aspects))


def _write(task: CubeTask, images: ImageSet, band: Band) -> RunRows:
    reason = f"step of a cube with {task.rules.step_counts:.0f} counts or more above background on average"
    context = replace(task.context, band=band_label(band), window_reason=reason)
    return write_products(task.root, images, task.paths[0], context, task.created)
