"""State of the science data page: files, order, and the open file with related data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import param

from archive import Archive, Flare, Image, ImageFilter, NotInArchive, ScienceFile, ScienceFilter
from archive.index.rows import Place
from archive.index.schema import FILE_KINDS, SCIENCE_FILES, ProductFile
from dashboards.pages.science_data.file_spectra_state import FileSpectraState
from dashboards.pages.science_data.prefilled_regions import PrefilledRegions
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.dialog_layers import DIALOG_KEYS, DialogLayers
from dashboards.shared.filter_state import FilterState
from dashboards.shared.listing import Listing, pages_of
from dashboards.shared.ranges import earliest, energy_band, latest
from dashboards.shared.source import ArchiveSource, Unavailable
from dashboards.shared.steps import Steps, beside
from dashboards.shared.typed_numbers import TypedInteger
from jobs.inputs import flare_named_in
from stixcore.errors import StixError
from stixcore.fits.spec import IMAGEABLE, ProductKind

PAGE_SIZES = (25, 50, 100)
ANY = "any"
PIXELS, SPECTROGRAMS = "pixels", "spectrograms"
FLARES, BACKGROUNDS = "flares", "backgrounds"
PREVIEW_TAB, ANALYSIS_TAB, SPECTRUM_TAB, REGIONS_TAB = "preview", "analysis", "spectrum", "regions"
#: Maximum number of images of one file; a file rarely has more than a dozen sets.
MOST_IMAGES = 240

_PRODUCTS = {PIXELS: str(ProductKind.PIXEL_DATA), SPECTROGRAMS: str(ProductKind.SPECTROGRAM)}


@dataclass(frozen=True)
class RelatedFile:
    """A file of the same flare: "science", "aux" or "quicklook", name, description, size [byte]."""

    kind: str
    name: str
    what: str
    size: int


@dataclass(frozen=True)
class ScienceDetail:
    """An open science file.

    Attributes
    ----------
    file : ScienceFile
    path : Path
    flares : tuple of Flare
        Flares of the flare list that overlap it.
    related : tuple of RelatedFile
        Other files of the same time: science, quick-look, auxiliary, and the backgrounds of its images.
    images : tuple of Image
        Images made from it that this visitor may see, newest runs first.
    """

    file: ScienceFile
    path: Path
    flares: tuple[Flare, ...] = ()
    related: tuple[RelatedFile, ...] = ()
    images: tuple[Image, ...] = ()

    @property
    def has_pixels(self) -> bool:
        """Whether images can be made from it."""
        return self.file.product in IMAGEABLE


class ScienceState(FilterState, DialogLayers, PrefilledRegions, FileSpectraState):
    """Everything that the science data page shows, except the forms for images and spectra.

    Set the parameters above `listing` and read the others.

    Parameters
    ----------
    source : ArchiveSource
    visitor : Visitor
        Whose hidden images are included.
    """

    start = param.String("", doc="Earliest time, UTC at Solar Orbiter; may be given in part")
    end = param.String("", doc="Latest time, included, UTC at Solar Orbiter; may be given in part")
    text = param.String("", doc="A uid, or a piece of file name or purpose")
    product: param.Selector[Any] = param.Selector(default=ANY, objects=[ANY, PIXELS, SPECTROGRAMS], doc="Kind of file")
    aim: param.Selector[Any] = param.Selector(default=ANY, objects=[ANY, FLARES, BACKGROUNDS], doc="What it was for")
    band = param.String("", doc="Energy range that the channels cover, “4-10”")
    minutes = TypedInteger(default=0, bounds=(0, None), doc="Shortest duration, minutes")
    sort = param.List(default=["-t_start"], item_type=str, bounds=(1, 4), doc="Columns; a leading “-” turns one round")
    page = param.Integer(default=1, bounds=(1, None), doc="From 1")
    page_size: param.Selector[Any] = param.Selector(default=PAGE_SIZES[0], objects=list(PAGE_SIZES), doc="Rows")
    uid = param.String("", doc="Uid or name of the opened file; empty for none")
    tab: param.Selector[Any] = param.Selector(
        default=PREVIEW_TAB,
        objects=[PREVIEW_TAB, ANALYSIS_TAB, SPECTRUM_TAB, REGIONS_TAB],
        doc="What is shown of the opened file",
    )
    request = param.Integer(default=0, bounds=(0, None), doc="Number of the imaging request that is followed; 0: none")
    opened_image = param.String("", doc="Id of the image that is shown large; empty for none")

    listing = param.ClassSelector(class_=Listing, default=Listing(), doc="Files of this page, as ScienceFile")
    detail = param.ClassSelector(class_=ScienceDetail, default=None, allow_None=True, doc="The opened file")
    own = param.ClassSelector(class_=ScienceDetail, default=None, allow_None=True, doc="The visitor's own file, opened")
    steps = param.ClassSelector(class_=Steps, default=Steps(), doc="Where one can go from it, in the list")
    detail_problem = param.String("", doc="Why the opened file cannot be shown")
    image = param.ClassSelector(class_=ImageDetail, default=None, allow_None=True, doc="The opened image")

    address_keys: ClassVar = {
        "start": "start",
        "end": "end",
        "text": "text",
        "product": "type",
        "aim": "for",
        "band": "energy",
        "minutes": "minutes",
        "sort": "sort",
        "page": "page",
        "page_size": "rows",
        "uid": "uid",
        "tab": "tab",
        "request": "request",
        "opened_image": "image",
        "spectrum": "spectrum",
        **DIALOG_KEYS,
        **PrefilledRegions.prefilled_keys,
    }
    outcomes: ClassVar = ("listing", "spectra", "filed_regions", "detail", "detail_problem", "image", "complaints")
    filter_names: ClassVar = ("start", "end", "text", "product", "aim", "band", "minutes")

    def __init__(self, source: ArchiveSource, visitor: Visitor = GUEST, **params: Any) -> None:
        super().__init__(**params)
        self.source = source
        self.visitor = visitor
        self.param.watch(self._reordered, [*self.filter_names, "sort", "page", "page_size"])
        self.param.watch(self._opened, "uid")
        self.param.watch(self._image_opened, "opened_image")

    def load(self) -> None:
        """Load what is shown: the open file, else the list."""
        self._opened()
        self._image_opened()

    def open_file(self, name: str) -> None:
        """Open a file of the list."""
        row = next((row for row in self.listing.rows if row.name == name), None)
        if row is None:
            return
        try:
            self.uid = self.source.ask(lambda archive: _key(archive, row))
        except (NotInArchive, Unavailable) as error:
            self.detail_problem = str(error)

    def close_file(self) -> None:
        """Return to the list."""
        self.param.update(
            uid="", tab=PREVIEW_TAB, opened_image="", spectrum="", request=0, own=None, **self.nothing_prefilled
        )

    def step(self, by: int) -> None:
        """Open the file that many rows further in the list, and turn to its page; stops at the ends of the list."""
        detail: ScienceDetail | None = self.detail
        if detail is None:
            return

        def neighbour(archive: Archive) -> dict[str, Any]:
            which, sort = self._filter(), self._sort()
            place = archive.science_file_place(detail.file.name, which, sort=sort)
            if place is None:
                return {}
            number = place.beside(by)
            found = archive.science_files(which, sort=sort, limit=1, offset=number)
            if not found:
                return {}
            return {
                "uid": _key(archive, found[0]),
                "page": number // self.page_size + 1,
                "request": 0,
                "opened_image": "",
                "spectrum": "",
                **self.nothing_prefilled,
            }

        try:
            self.param.update(**self.source.ask(neighbour))
        except (NotInArchive, Unavailable) as error:
            self.detail_problem = str(error)

    def step_image(self, by: int) -> None:
        """Open the image that many places further among those of the file; stops at the ends."""
        self.opened_image = beside(self._image_ids, self.opened_image, by)

    @property
    def image_steps(self) -> Steps:
        """Previous and next of the open image."""
        return Steps.among(self._image_ids, self.opened_image)

    @property
    def _image_ids(self) -> list[str]:
        return [image.image_id for image in self.detail.images] if self.detail is not None else []

    def reload_images(self) -> None:
        """Load the images of the open file again."""
        detail: ScienceDetail | None = self.detail
        if detail is None:
            return
        try:
            images = self.source.ask(lambda archive: _images(archive, detail.file.uid, self.visitor))
        except StixError:
            return  # keep those that are shown
        if images != detail.images:
            self.detail = replace(detail, images=images)

    def _reordered(self, *events: param.parameterized.Event) -> None:
        changed = {event.name for event in events}
        if "page" not in changed and self.page != 1:
            self.page = 1  # calls this method again
            return
        self._load_list()

    def _load_list(self) -> None:
        try:
            self.listing = self.source.ask(self._files)
        except StixError as error:
            self.listing = Listing(page_size=self.page_size, problem=str(error))

    def _files(self, archive: Archive) -> Listing[ScienceFile]:
        which, size = self._filter(), self.page_size
        total = archive.count_science_files(which)
        page = min(self.page, pages_of(total, size))
        rows = archive.science_files(which, sort=self._sort(), limit=size, offset=(page - 1) * size) if total else []
        return Listing(with_listed_ids(archive, rows), total, page, size)

    def _filter(self) -> ScienceFilter:
        meaning = self._parse_fields({"start": earliest, "end": latest, "band": energy_band})
        low, high = meaning["band"] or (None, None)
        text = self.text.strip()
        return ScienceFilter(
            t_start=meaning["start"],
            t_end=meaning["end"],
            text=text,
            product=_PRODUCTS.get(self.product),
            is_background={FLARES: False, BACKGROUNDS: True}.get(self.aim),
            min_duration_s=60.0 * self.minutes or None,
            e_low=low,
            e_high=high,
        )

    def _sort(self) -> tuple[str, ...]:
        """The sort columns, without unknown ones."""
        known = tuple(column for column in self.sort if column.removeprefix("-") in SCIENCE_FILES.names)
        return known or tuple(self.param["sort"].default)

    def _opened(self, *_: param.parameterized.Event) -> None:
        if not self.uid:
            self._load_list()
            self.param.update(detail=None, detail_problem="")
            return

        def ask(archive: Archive) -> tuple[ScienceDetail, Place | None]:
            detail = load_science(archive, self.uid, self.visitor)
            return detail, archive.science_file_place(detail.file.name, self._filter(), sort=self._sort())

        try:
            detail, place = self.source.ask(ask)
            self.load_spectra(detail.file.name)
            self.param.update(detail=detail, steps=Steps.at(place), detail_problem="")
        except (NotInArchive, Unavailable) as error:
            self._load_list()
            self.param.update(detail=None, detail_problem=str(error))

    def _image_opened(self, *_: param.parameterized.Event) -> None:
        if not self.opened_image:
            self.image = None
            return
        try:
            self.image = self.source.ask(lambda archive: load_detail(archive, self.opened_image, self.visitor))
        except (NotInArchive, Unavailable):
            self.image = None


def with_listed_ids(archive: Archive, files: Sequence[ScienceFile]) -> tuple[ScienceFile, ...]:
    """Files whose purpose names a flare by its id in the flare list; the id of the request comes after it.

    ``Flare 2405110442, Solar Flare`` becomes ``Flare 2405110441 (2405110442 in the request), Solar Flare``.
    """
    named = {file.name: flare_named_in(file.purpose) for file in files}
    listed = archive.listed_ids({flare_id for flare_id in named.values() if flare_id})
    return tuple(_renamed(file, named[file.name], listed.get(named[file.name])) for file in files)


def _renamed(file: ScienceFile, named: str, listed: str | None) -> ScienceFile:
    if listed is None:
        return file
    first, _, rest = file.purpose.partition(named)  # a purpose may repeat the id
    return replace(file, purpose=f"{first}{listed} ({named} in the request){rest.replace(named, listed)}")


def _key(archive: Archive, row: ScienceFile) -> str:
    """Name of a file in a URL: its uid, unless that identifies another file."""
    return row.uid if row.uid and archive.science_file(row.uid).name == row.name else row.name


def load_science(archive: Archive, uid: str, visitor: Visitor = GUEST) -> ScienceDetail:
    """A science file with related data.

    Raises
    ------
    NotInArchive
        If there is no file with that uid or name.
    """
    (file,) = with_listed_ids(archive, [archive.science_file(uid)])
    # flares are indexed by their peak, which may be outside the file
    margin = np.timedelta64(1, "h")
    flares = tuple(
        flare
        for flare in archive.flares(file.t_start - margin, file.t_end + margin)
        if flare.simulated == file.simulated
        and (flare.t_start or flare.t_peak) <= file.t_end
        and (flare.t_end or flare.t_peak) >= file.t_start
    )
    images = _images(archive, file.uid, visitor) if file.uid else ()
    return ScienceDetail(file, archive.path_of(file.path), flares, _related(archive, file, flares, images), images)


def _images(archive: Archive, uid: str, visitor: Visitor) -> tuple[Image, ...]:
    which = ImageFilter(uid=uid, viewer=visitor.name, all_hidden=visitor.operator)
    return tuple(archive.images(which, sort=("-created_at", "t_start", "e_low", "method"), limit=MOST_IMAGES))


_BACKGROUNDS = "SELECT DISTINCT background_uid AS uid FROM runs WHERE background_uid IS NOT NULL AND uid = ?"


def _related(
    archive: Archive, file: ScienceFile, flares: tuple[Flare, ...], images: tuple[Image, ...]
) -> tuple[RelatedFile, ...]:
    """All files for working on the same flare offline; for a background, which has no flare, only its pointing."""
    start = min([file.t_start, *(flare.t_start for flare in flares if flare.t_start)])
    end = max([file.t_end, *(flare.t_end for flare in flares if flare.t_end)])
    near = archive.science_files(ScienceFilter(t_start=start, t_end=end, simulated=file.simulated))
    found = [_related_file(row) for row in near if row.name != file.name and not row.is_background]
    if images:
        found += _backgrounds(archive, file.uid)
    middle, half = start + (end - start) // 2, float((end - start) / np.timedelta64(2, "s"))
    found += map(_related_file, archive.quicklook_files(start, end, simulated=file.simulated))
    found += map(_related_file, archive.aux_for(middle, within_s=half + 300.0, simulated=file.simulated))
    found += map(_related_file, archive.other_files(start, end, simulated=file.simulated))
    return tuple(found)


def _backgrounds(archive: Archive, uid: str) -> list[RelatedFile]:
    """Backgrounds that were subtracted in images of a science file."""
    found = []
    for used in archive.rows(_BACKGROUNDS, [uid]):
        try:
            row = archive.science_file(used["uid"])
        except NotInArchive:  # it was removed since
            continue
        found.append(RelatedFile("science", row.name, "background of images", row.size))
    return found


def _related_file(row: ProductFile) -> RelatedFile:
    kind = next(kind for kind, table in FILE_KINDS.items() if type(row) is table.row)
    return RelatedFile(kind, row.name, PRODUCT_WORDS[row.product], row.size)


#: Display names of products.
PRODUCT_WORDS = {
    str(ProductKind.PIXEL_DATA): "pixel data",
    str(ProductKind.RAW_PIXEL_DATA): "raw pixel data",
    str(ProductKind.SUMMED_PIXEL_DATA): "summed pixel data",
    str(ProductKind.SPECTROGRAM): "spectrogram",
    str(ProductKind.LIGHT_CURVE): "quick-look light curves",
    str(ProductKind.ASPECT): "pointing and ephemeris",
    str(ProductKind.VISIBILITIES): "on-board visibilities",
    str(ProductKind.BACKGROUND_MONITOR): "quick-look background",
    str(ProductKind.QUICKLOOK_SPECTRA): "quick-look spectra",
    str(ProductKind.VARIANCE): "quick-look variance",
    str(ProductKind.FLARE_FLAGS): "flare flags",
    str(ProductKind.ONBOARD_FLARES): "on-board flare list",
    str(ProductKind.CALIBRATION_SPECTRA): "calibration spectra",
    str(ProductKind.ENERGY_CALIBRATION): "daily energy calibration",
    str(ProductKind.ASPECT_BURST): "aspect diodes in bursts",
    str(ProductKind.HOUSEKEEPING_MINI): "housekeeping",
    str(ProductKind.HOUSEKEEPING): "housekeeping",
    str(ProductKind.FLARE_LIST): "flare list",
}
