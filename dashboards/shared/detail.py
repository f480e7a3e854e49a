"""One image with everything known about it, and the images of the same recipe by other methods."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from archive import Archive, Image, ImageFilter, NotInArchive, Run
from dashboards.shared.access import GUEST, Visitor, visible_image
from jobs.imaging.pointings import known_pointings
from stixcore.errors import InvalidProduct, SelectionError
from stixcore.image_files.read import ImageFile, StoredVisibilities, read_image_file, read_visibilities
from stixcore.image_files.significance import Significance, read_significance
from stixcore.imaging.metrics import SourceMeasure, measure_source
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import place_in_order
from stixcore.pointings import PointingChoice, pointing_choices
from stixcore.recipe import Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caution:
    """One reason for caution with an image.

    ``level`` is "doubt" or "note"; ``aspects`` are among "position", "flux" and "shape", and empty for notes and for
    rows without this information.
    """

    severity: str
    text: str
    aspects: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageDetail:
    """An image with its details.

    Attributes
    ----------
    image : Image
    run : Run or None
        The run that made it; None if its row is missing.
    siblings : tuple of Image
        Images of the recipe by all methods, including this one, in the order in which pages list methods.
    file : ImageFile or None
        Content of its FITS file; None if it cannot be read.
    size : SourceMeasure or None
        Measured on the pixels of the file.
    visibilities : mapping of method to StoredVisibilities
        Of every image of the recipe that predicts visibilities.
    n_of_flare : int
        Number of images of the same flare visible to this visitor, including this one; 0 without a flare.
    recipe : Recipe or None
        None if its text is missing or invalid.
    pointings : tuple of PointingChoice
        Pointings that the image can be shown with, and that with which it was made.
    significance : Significance or None
    no_significance : str
        Why there is none, without a full stop.
    """

    image: Image
    run: Run | None
    siblings: tuple[Image, ...]
    file: ImageFile | None = None
    size: SourceMeasure | None = None
    visibilities: Mapping[str, StoredVisibilities] = field(default_factory=dict)
    n_of_flare: int = 0
    recipe: Recipe | None = None
    pointings: tuple[PointingChoice, ...] = ()
    significance: Significance | None = None
    no_significance: str = ""

    @property
    def clocks(self) -> tuple[tuple[str, np.datetime64, float], ...]:
        """Start time on other clocks, from the file: name, time, and seconds later than at Solar Orbiter."""
        header = {} if self.file is None else self.file.header
        shifts = (("at Earth", header.get("EAR_TDEL"), 1.0), ("at the Sun", header.get("SUN_TIME"), -1.0))
        return tuple(
            (whose, self.image.t_start + np.timedelta64(round(sign * float(shift) * 1e6), "us"), sign * float(shift))
            for whose, shift, sign in shifts
            if shift is not None
        )


def load_detail(archive: Archive, image_id: str, visitor: Visitor = GUEST) -> ImageDetail:
    """Load everything about an image.

    Raises
    ------
    NotInArchive
        If there is no such image for this visitor.
    """
    image = visible_image(archive, image_id, visitor)
    same = ImageFilter(recipe_id=image.recipe_id, viewer=visitor.name, all_hidden=visitor.operator)
    siblings = archive.images(same, sort=("method",))
    try:
        run = archive.run(image.recipe_id)
    except NotInArchive:
        run = None
    file = _file(archive, image)
    recipe = _recipe(run)
    return ImageDetail(
        image,
        run,
        tuple(sorted(siblings, key=lambda other: place_in_order(other.method))),
        file,
        None if file is None or not file.pixels.max() > 0 else measure_source(file.pixels, file.grid, file.sources),
        {other.method: vis for other in siblings if (vis := _visibilities(archive, other)) is not None},
        _n_of_flare(archive, image, visitor),
        recipe,
        _pointings(archive, image, recipe, file),
        *_significance(archive, image),
    )


def _significance(archive: Archive, image: Image) -> tuple[Significance | None, str]:
    """Significance of an image, or the reason why there is none."""
    try:
        return read_significance(archive.path_of(image.file)), ""
    except SelectionError as error:
        return None, str(error)
    except InvalidProduct as error:
        log.warning("%s", error)
        return None, "the file cannot be read"


def _recipe(run: Run | None) -> Recipe | None:
    try:
        return None if run is None or run.recipe is None else Recipe.from_json(run.recipe)
    except SelectionError as error:
        log.warning("run %s: %s", run.run_id if run is not None else "", error)
        return None


def _pointings(
    archive: Archive, image: Image, recipe: Recipe | None, file: ImageFile | None
) -> tuple[PointingChoice, ...]:
    if recipe is None or file is None:
        return ()
    known = known_pointings(archive, recipe, file.pointings, simulated=image.simulated)
    return pointing_choices(recipe, known, full_disk=image.method == Method.FULL_DISK_BP)


def _file(archive: Archive, image: Image) -> ImageFile | None:
    try:
        return read_image_file(archive.path_of(image.file))
    except InvalidProduct as error:
        log.warning("%s", error)
        return None


def _visibilities(archive: Archive, image: Image) -> StoredVisibilities | None:
    if image.method == Method.FULL_DISK_BP:  # the same as those of the flare map
        return None
    try:
        return read_visibilities(archive.path_of(image.file))
    except InvalidProduct as error:
        log.warning("%s", error)
        return None


def _n_of_flare(archive: Archive, image: Image, visitor: Visitor) -> int:
    if not image.flare_id:
        return 0
    return archive.count_images(ImageFilter(flare_id=image.flare_id, viewer=visitor.name, all_hidden=visitor.operator))


def read_cautions(text: str) -> tuple[Caution, ...]:
    """Cautions from the JSON column of the index; empty if the text is invalid."""
    try:
        entries = json.loads(text)
    except ValueError:
        return ()
    if not isinstance(entries, list):
        return ()
    return tuple(
        Caution(str(entry.get("severity", "note")), str(entry["text"]), _aspects(entry.get("doubts")))
        for entry in entries
        if isinstance(entry, dict) and "text" in entry
    )


def _aspects(value: object) -> tuple[str, ...]:
    return tuple(str(aspect) for aspect in value) if isinstance(value, list) else ()


@dataclass(frozen=True)
class BackgroundCandidate:
    """A background file that was considered: uid, distance in time [h], and the reason why it was not used."""

    uid: str
    distance_h: float
    qualifies: bool
    reason: str


def read_backgrounds(text: str | None) -> tuple[BackgroundCandidate, ...]:
    """Background candidates from the JSON column of the index; empty if the text is invalid."""
    try:
        entries = json.loads(text or "[]")
        return tuple(
            BackgroundCandidate(
                str(entry["uid"]), float(entry["distance_h"]), bool(entry["qualifies"]), str(entry.get("reason") or "")
            )
            for entry in entries
        )
    except (ValueError, TypeError, KeyError):
        return ()
