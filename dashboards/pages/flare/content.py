"""Everything that the archive knows about one flare."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np

from archive import (
    Archive,
    Flare,
    Image,
    ImageFilter,
    LightCurveView,
    NotInArchive,
    RegionFilter,
    Run,
    RunFilter,
    SpectrumFilter,
)
from archive.context_maps import ContextMap, context_maps
from archive.cubes import Cube, flare_cubes
from archive.index.schema import RUNS, select_files
from archive.layout import MOST_METHODS
from archive.lightcurves.science import LONGEST
from archive.scripts.sources import ImageSource, InputFile, read_sources, with_recipe
from dashboards.shared.access import GUEST, Visitor, visible_image
from dashboards.shared.light_times import Clock, LightTimes, light_times
from dashboards.shared.stored_regions import StoredRegions, load_regions
from dashboards.shared.stored_spectra import StoredSpectra, load_spectra
from dashboards.shared.time_window import Window, resolution
from stixcore.errors import InvalidProduct
from stixcore.image_files.read import ImageFile, read_image_file
from stixcore.imaging.metrics import SourceMeasure, measure_source
from stixcore.imaging.registry import place_in_order

log = logging.getLogger(__name__)

#: Most image sets on the page; the image archive shows the others.
MOST_SETS = 24
#: Margin of the light curves on each side, as a fraction of the flare, and shortest window, s.
MARGIN, SHORTEST_S = 0.25, 600.0


@dataclass(frozen=True)
class ImageSet:
    """The images of one time and energy range by all methods, and their run; None if its row is missing."""

    images: tuple[Image, ...]
    run: Run | None

    @property
    def first(self) -> Image:
        """An image in the band of the set; the full-disk map has its own."""
        return next((image for image in self.images if image.method != "full_disk_bp"), self.images[0])


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """An image with the content of its file and the size of its source; None if nothing is above zero."""

    image: Image
    file: ImageFile
    size: SourceMeasure | None


@dataclass(frozen=True)
class UsedFile:
    """A file that was used for the images of a flare.

    Attributes
    ----------
    kind : str
        "science", "background", "aux" or "calibration".
    name, sha256 : str
    size : int or None, byte
        None if the archive does not have the file.
    """

    kind: str
    name: str
    sha256: str
    size: int | None


@dataclass(frozen=True, eq=False)
class FlareContent:
    """A flare with its images, light curves and files.

    Attributes
    ----------
    flare : Flare
    window : Window
        Time range of the light curves.
    sets : tuple of ImageSet
        Visible image sets, in order of time and energy, at most `MOST_SETS`.
    n_sets : int
        Number of visible image sets.
    thermal, nonthermal : MeasuredImage or None
        Best images; None if there is none for this visitor.
    curves : LightCurveView or None
        Quick-look light curves, or those of science files where there are none; None if nothing is recorded.
    curve_notes : tuple of str
        What to know about light curves of science files; empty for quick-look ones.
    spectra : StoredSpectra
    regions : StoredRegions
    light : LightTimes or None
        None if the distance of Solar Orbiter is unknown.
    sources : tuple of ImageSource
        One per image with a known recipe.
    files : tuple of UsedFile
    cubes : tuple of Cube
        Those with tracks, one per science request.
    context : tuple of ContextMap
        EUV maps of other instruments near the flare.
    """

    flare: Flare
    window: Window
    sets: tuple[ImageSet, ...] = ()
    n_sets: int = 0
    thermal: MeasuredImage | None = None
    nonthermal: MeasuredImage | None = None
    curves: LightCurveView | None = None
    light: LightTimes | None = None
    sources: tuple[ImageSource, ...] = ()
    files: tuple[UsedFile, ...] = ()
    cubes: tuple[Cube, ...] = ()
    context: tuple[ContextMap, ...] = ()
    curve_notes: tuple[str, ...] = ()
    spectra: StoredSpectra = field(default_factory=StoredSpectra)
    regions: StoredRegions = field(default_factory=StoredRegions)

    @property
    def images(self) -> tuple[Image, ...]:
        """Images of all sets shown."""
        return tuple(image for one in self.sets for image in one.images)

    def shift(self, clock: Clock) -> float | None:
        """Offset of a clock from that at Solar Orbiter, s; None if it is unknown."""
        if clock is Clock.SOLAR_ORBITER:
            return 0.0
        own = self.flare.earth_delay_s if clock is Clock.EARTH else self.flare.sun_delay_s
        if own is not None:
            return own if clock is Clock.EARTH else -own
        return None if self.light is None else self.light.shift(clock)


def load_flare(archive: Archive, flare_id: str, visitor: Visitor = GUEST, spectrum_id: str = "") -> FlareContent:
    """Load everything about a flare.

    Parameters
    ----------
    archive : Archive
    flare_id : str
        Any of its ids.
    visitor : Visitor
        Hidden images and spectra are visible to their author and operators only.
    spectrum_id : str
        Spectrum to show; empty for the one that gave the flare its values.

    Raises
    ------
    NotInArchive
        If there is no such flare.
    """
    flare = archive.flare(flare_id)
    sets, total = image_sets(archive, flare.flare_id, visitor)
    window = curve_window(flare, [one.first for one in sets])
    view, notes = _curves(archive, window, simulated=flare.simulated)
    known = flare.earth_delay_s is not None and flare.sun_delay_s is not None
    shown = with_recipe(archive, [image for one in sets for image in one.images])
    sources = read_sources(archive, shown, "")
    return FlareContent(
        flare,
        window,
        sets,
        total,
        _measured(archive, flare.best_image_thermal, visitor),
        _measured(archive, flare.best_image_nonthermal, visitor),
        view,
        None if known else light_times(archive, flare.t_peak, simulated=flare.simulated),
        sources,
        used_files(archive, sources),
        tuple(cube for cube in flare_cubes(archive, flare.flare_id) if cube.points),
        tuple(context_maps(archive, flare)),
        notes,
        load_flare_spectra(archive, flare, visitor, spectrum_id),
        load_regions(archive, RegionFilter(flare_id=flare.flare_id), visitor),
    )


def load_flare_spectra(archive: Archive, flare: Flare, visitor: Visitor, spectrum_id: str) -> StoredSpectra:
    """Spectra of a flare; shown is the wanted one, else the one that gave the flare its values."""
    return load_spectra(archive, SpectrumFilter(flare_id=flare.flare_id), visitor, spectrum_id, flare.spectrum_id)


def visible_images(archive: Archive, flare_id: str, visitor: Visitor, limit: int) -> list[Image]:
    """Images of a flare that a visitor may see, in order of time, energy and method."""
    which = ImageFilter(flare_id=flare_id, grouped=False, viewer=visitor.name, all_hidden=visitor.operator)
    found = archive.images(which, sort=("t_start", "e_low", "recipe_id"), limit=limit)
    starts: dict[str, tuple[np.datetime64, float]] = {}
    for image in found:  # the full-disk map of a set has another band
        if image.method != "full_disk_bp" or image.recipe_id not in starts:
            starts[image.recipe_id] = (image.t_start, image.e_low)
    return sorted(found, key=lambda i: (*starts[i.recipe_id], i.recipe_id, place_in_order(i.method)))


def image_sets(archive: Archive, flare_id: str, visitor: Visitor) -> tuple[tuple[ImageSet, ...], int]:
    """The first image sets of a flare, in order of time and energy, and the number of all; only visible ones."""
    which = ImageFilter(flare_id=flare_id, grouped=False, viewer=visitor.name, all_hidden=visitor.operator).conditions
    sql = f"SELECT count(DISTINCT recipe_id) AS total FROM images{which.where}"  # noqa: S608 - no user input
    total = int(archive.rows(sql, which.values)[0]["total"])
    found = visible_images(archive, flare_id, visitor, MOST_SETS * MOST_METHODS)
    grouped = [tuple(group) for _, group in groupby(found, lambda image: image.recipe_id)][:MOST_SETS]
    runs = _runs(archive, flare_id, [images[0].recipe_id for images in grouped])
    return tuple(ImageSet(images, runs.get(images[0].recipe_id)) for images in grouped), total


def curve_window(flare: Flare, images: Sequence[Image] = ()) -> Window:
    """The time range of a flare and its images with a margin."""
    begins = [flare.t_start or flare.t_peak, *(image.t_start for image in images)]
    ends = [flare.t_end or flare.t_peak, *(image.t_end for image in images)]
    whole = Window.between(min(begins), max(ends))
    return whole.around(max(whole.span * (1.0 + 2.0 * MARGIN), SHORTEST_S)).limited()


def used_files(archive: Archive, sources: Iterable[ImageSource]) -> tuple[UsedFile, ...]:
    """Input files of images, without duplicates, with their sizes."""
    kinds: dict[str, tuple[str, InputFile]] = {}
    for source in sources:
        background = (source.background,) if source.background is not None else ()
        for kind, files in (
            ("science", (source.science,)),
            ("background", background),
            ("aux", source.aspect),
            ("calibration", source.calibration),
        ):
            for file in files:
                kinds.setdefault(file.name, (kind, file))
    sql = select_files("name, size", " WHERE name IN (SELECT unnest($1))")
    sizes = {row["name"]: int(row["size"]) for row in archive.rows(sql, [[*kinds]])} if kinds else {}
    order = ("science", "background", "aux", "calibration")
    ordered = sorted(kinds.items(), key=lambda item: (order.index(item[1][0]), item[0]))
    return tuple(UsedFile(kind, name, file.sha256, sizes.get(name)) for name, (kind, file) in ordered)


def json_sentences(text: str | None) -> tuple[str, ...]:
    """Sentences of a JSON list in the index; empty if the text is invalid."""
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(str(entry) for entry in entries) if isinstance(entries, list) else ()


def _runs(archive: Archive, flare_id: str, recipe_ids: Sequence[str]) -> dict[str, Run]:
    """Runs by recipe: those of the flare in one query, because one query for each takes several times as long."""
    if not recipe_ids:
        return {}
    of_flare = archive.runs(RunFilter(flare_id=flare_id, grouped=False, all_hidden=True))  # only of visible images
    known = {run.run_id: run for run in of_flare}
    found: dict[str, Run] = {}
    for recipe_id in recipe_ids:
        try:
            found[recipe_id] = known.get(recipe_id) or archive.run(recipe_id)
        except NotInArchive:
            log.warning("the run %s of images is not in the table %s", recipe_id, RUNS.name)
    return found


def _measured(archive: Archive, image_id: str | None, visitor: Visitor) -> MeasuredImage | None:
    if image_id is None:
        return None
    try:
        image = visible_image(archive, image_id, visitor)
        file, size = _read(archive.path_of(image.file), image.sha256)
    except (NotInArchive, InvalidProduct) as error:
        log.warning("%s", error)
        return None
    return MeasuredImage(image, file, size)


@lru_cache(maxsize=32)
def _read(path: Path, sha256: str) -> tuple[ImageFile, SourceMeasure | None]:
    """Content of an image file and the size of its source; half of the time of a page."""
    del sha256  # a file that changed is read again
    file = read_image_file(path)
    return file, measure_source(file.pixels, file.grid, file.sources) if file.pixels.max() > 0 else None


def _curves(archive: Archive, window: Window, *, simulated: bool) -> tuple[LightCurveView | None, tuple[str, ...]]:
    """Quick-look light curves; without them, those of science files, and what to know about them."""
    wanted = resolution(window)
    view = archive.light_curve(window.begin, window.end, wanted.points, simulated=simulated)
    if np.isfinite(view.mean).any():
        return view, ()
    if window.end - window.begin > LONGEST:
        return None, ()
    science = archive.science_curve(window.begin, window.end, wanted.points, simulated=simulated)
    if not np.isfinite(science.view.mean).any():
        return None, ()
    rates = "corrected for live time" if science.live_time_corrected else "as recorded"
    said = f"There are no quick-look light curves of this time. These are from science files, {rates}."
    return science.view, (said, *science.cautions)
