"""State of the image archive page: images, order, page, selection, and the open image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import param

from archive import Archive, Image, NotInArchive, Run
from archive.index.order import NET_COUNTS
from archive.index.rows import Place
from archive.index.schema import IMAGES, RUNS
from dashboards.pages.image_archive.filter_state import ImageFilterState
from dashboards.pages.image_archive.selection import FEW, Selection, TooMany
from dashboards.pages.image_archive.set_columns import SetRow
from dashboards.pages.image_archive.sets import SET_SORTS, set_rows, with_images
from dashboards.pages.image_archive.tracks import MOST_TRACKED, track
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.compare import (
    LEAST_COMPARED,
    MOST_COMPARED,
    CompareChoice,
    Comparison,
    Scene,
    compare,
    read_scenes,
)
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.dialog_layers import DIALOG_KEYS, DialogLayers
from dashboards.shared.image_columns import Counts, ImageRow
from dashboards.shared.listing import Listing, pages_of
from dashboards.shared.source import ArchiveSource, Unavailable
from dashboards.shared.steps import Steps
from stixcore.errors import StixError
from stixcore.imaging.reconstruction import Method

PAGE_SIZES = (25, 50, 100)
SETS_TAB, IMAGES_TAB, NO_IMAGE_TAB, COMPARE_TAB, TRACKS_TAB = "sets", "images", "imageless", "compare", "tracks"
TABS = (SETS_TAB, IMAGES_TAB, NO_IMAGE_TAB, COMPARE_TAB, TRACKS_TAB)
#: Image sets whose rows of single images can be shown at the same time.
MOST_OPENED = 20
#: Value in the URL for a selection of all images that match its filter.
ALL = "all"

_PAGES = {"page", "runs_page", "sets_page"}
_COUNTS = "SELECT run_id, counts_total, counts_background FROM runs WHERE run_id IN (SELECT unnest(?))"


type Who = Visitor | Callable[[], Visitor]


class ImageArchiveState(ImageFilterState, CompareChoice, DialogLayers):
    """Everything that the image archive page shows.

    Set the parameters above `listing` and read the others; each change causes one new listing.

    Parameters
    ----------
    source : ArchiveSource
    visitor : Visitor, or function that returns the current one
        Whose hidden images are included.
    """

    sort = param.List(default=["-t_start"], item_type=str, bounds=(1, 4), doc="Columns; a leading “-” turns one round")
    page = param.Integer(default=1, bounds=(1, None), doc="From 1")
    page_size: param.Selector[Any] = param.Selector(
        default=PAGE_SIZES[0], objects=list(PAGE_SIZES), doc="Rows on a page"
    )
    opened = param.String("", doc="Id of the image that is shown large; empty for none")
    tab: param.Selector[Any] = param.Selector(
        default=SETS_TAB, objects=list(TABS), doc="What is shown: a table, or pictures and plots of the picked images"
    )
    columns = param.List(
        default=[], item_type=str, bounds=(0, 40), doc="Columns of the table; empty for the usual ones"
    )
    selected = param.List(
        default=[], item_type=str, bounds=(0, FEW), doc="Picked images as an address has them: ids, or “all”"
    )
    runs_page = param.Integer(default=1, bounds=(1, None), doc="Page of the bands without image, from 1")
    sets_page = param.Integer(default=1, bounds=(1, None), doc="Page of the image sets, from 1")
    opened_sets = param.List(
        default=[], item_type=str, bounds=(0, MOST_OPENED), doc="Recipe ids of sets whose images have rows"
    )

    listing = param.ClassSelector(class_=Listing, default=Listing(), doc="Images of this page, as ImageRow")
    sets = param.ClassSelector(class_=Listing, default=Listing(), doc="Image sets of this page, as SetRow")
    set_rows = param.ClassSelector(class_=tuple, default=(), doc="These sets, and the images of opened ones, as SetRow")
    runs = param.ClassSelector(class_=Listing, default=Listing(), doc="Runs without image of this page, as Run")
    selection = param.ClassSelector(
        class_=Selection, default=Selection(), doc="Selected images; they outlive filter, order and page"
    )
    n_selected = param.Integer(default=0, doc="How many they are")
    selected_rows = param.ClassSelector(class_=frozenset, default=frozenset(), doc="Ids of those on this page")
    comparison = param.ClassSelector(class_=Comparison, default=None, allow_None=True, doc="Picked images side by side")
    tracks = param.ClassSelector(class_=tuple, default=(), doc="Picked images as TrackPoint")
    views_problem = param.String("", doc="Why the picked images are not compared or tracked, or which are left out")
    selection_problem = param.String("", doc="What is wrong with the selection in the address")
    detail = param.ClassSelector(class_=ImageDetail, default=None, allow_None=True, doc="The opened image")
    steps = param.ClassSelector(class_=Steps, default=Steps(), doc="Where one can go from it, in the list")
    detail_problem = param.String("", doc="Why the opened image cannot be shown")

    outcomes: ClassVar = (
        "listing",
        "sets",
        "set_rows",
        "runs",
        "selected_rows",
        "n_selected",
        "selection_problem",
        "comparison",
        "tracks",
        "views_problem",
        "detail",
        "detail_problem",
    )
    address_keys: ClassVar = {
        "start": "start",
        "end": "end",
        "text": "text",
        "methods": "method",
        "band": "energy",
        "trust": "trust",
        "flare": "flare",
        "uid": "uid",
        "goes": "goes",
        "estimated": "estimated",
        "x": "x",
        "y": "y",
        "counts": "counts",
        "author": "author",
        "sort": "sort",
        "page": "page",
        "page_size": "rows",
        "opened": "image",
        **DIALOG_KEYS,
        "tab": "tab",
        "columns": "columns",
        "selected": "picked",
        **{name: name for name in CompareChoice.choice_names},
        "runs_page": "imageless_page",
        "sets_page": "sets_page",
        "opened_sets": "rows_of",
    }

    def __init__(self, source: ArchiveSource, visitor: Who = GUEST, **params: Any) -> None:
        super().__init__(**params)
        self._source = source
        self._who = visitor
        self._read: tuple[Any, list[Scene]] = (None, [])
        pages = [*_PAGES]
        self.param.watch(self._reordered, [*self.filter_names, "sort", "page_size", "tab", *pages])
        self.param.watch(self._show_set_rows, ["sets", "opened_sets"])
        self.param.watch(self._opened, "opened")
        self.param.watch(self._selection_changed, "selection")
        self.param.watch(self._show_views, ["selection", "tab"])
        self.param.watch(self._compare, list(self.choice_names))

    @property
    def _visitor(self) -> Visitor:
        """The current visitor."""
        return self._who() if callable(self._who) else self._who

    @property
    def is_damaged(self) -> bool:
        """Whether the list of this tab may be incomplete, because part of its table is damaged."""
        tables = {NO_IMAGE_TAB: (RUNS.name,), SETS_TAB: (RUNS.name, IMAGES.name)}.get(self.tab, (IMAGES.name,))
        return any(self._source.lacks(name) for name in tables)

    def load(self) -> None:
        """Load everything that is shown."""
        self._load_selection()
        self._load_tab()
        self._show_views()
        self._opened()

    def step(self, by: int) -> None:
        """Open the image that many rows further in the list, and turn to its page; stops at the ends of the list."""

        def neighbour(archive: Archive) -> dict[str, Any]:
            which, sort = self.image_filter(self._visitor), self._sort()
            place = archive.image_place(self.opened, which, sort=sort)
            if place is None:
                return {}
            number = place.beside(by)
            found = archive.images(which, sort=sort, limit=1, offset=number)
            return {"opened": found[0].image_id, "page": number // self.page_size + 1} if found else {}

        try:
            self.param.update(**self._source.ask(neighbour))
        except Unavailable as error:
            self.detail_problem = str(error)

    def select(self, on: Iterable[str] = (), off: Iterable[str] = ()) -> None:
        """Add images to the selection, and remove others."""
        self.selection = self.selection.turned(on, off)

    def select_all(self) -> None:
        """Select all images that match the filter."""
        self.selection = Selection.of_all(self.image_filter(self._visitor))

    def select_none(self) -> None:
        """Clear the selection."""
        self.selection = Selection()

    def selected_images(self, most: int) -> tuple[Image, ...]:
        """The selected images, oldest first.

        Raises
        ------
        TooMany, Unavailable
            If there are more than ``most``; if the archive cannot be read.
        """
        return self._source.ask(lambda archive: self.selection.images(archive, self._visitor, most))

    def _reordered(self, *events: param.parameterized.Event) -> None:
        changed = {event.name for event in events}
        if changed & {*self.filter_names, "sort", "page_size"} and not changed & _PAGES:
            first = {name: 1 for name in _PAGES if getattr(self, name) != 1}
            if first:
                self.param.update(**first)  # calls this method again
                return
        self._load_tab()

    def _load_tab(self) -> None:
        if self.tab == NO_IMAGE_TAB:
            self._load_runs()
        elif self.tab == SETS_TAB:
            self._load_sets()
        else:  # the number of matches is also shown above pictures and plots
            self._load_images()

    def _load_images(self) -> None:
        try:
            self.listing = self._source.ask(self._images)
        except StixError as error:
            self.listing = Listing(page_size=self.page_size, problem=str(error))
        self._selection_changed()

    def _load_sets(self) -> None:
        try:
            sets, number = self._source.ask(self._sets)
            self.param.update(sets=sets, listing=Listing(total=number, page_size=self.page_size))
        except StixError as error:
            nothing: Listing[Any] = Listing(page_size=self.page_size, problem=str(error))
            self.param.update(sets=nothing, listing=nothing)
        self._selection_changed()

    def _sets(self, archive: Archive) -> tuple[Listing[SetRow], int]:
        """A page of image sets, and the number of images that match."""
        which, size = self.image_filter(self._visitor), self.page_size
        sort = self._sort_by({*RUNS.names, *SET_SORTS})
        runs, total = archive.set_page(which, sort=sort, size=size, page=self.sets_page)
        rows = set_rows(archive, runs, self._visitor)
        return Listing(rows, total, min(self.sets_page, pages_of(total, size)), size), archive.count_images(which)

    def show_rows(self, recipe_id: str) -> None:
        """Show the rows of the images of a set, or hide them."""
        others = [one for one in self.opened_sets if one != recipe_id]
        self.opened_sets = others if recipe_id in self.opened_sets else [*others, recipe_id][-MOST_OPENED:]

    def _show_set_rows(self, *_: param.parameterized.Event) -> None:
        self.set_rows = with_images(self.sets.rows, self.opened_sets)

    def _images(self, archive: Archive) -> Listing[ImageRow]:
        which, size = self.image_filter(self._visitor), self.page_size
        images, total = archive.image_page(which, sort=self._sort(), size=size, page=self.page)
        page = min(self.page, pages_of(total, size))
        counts = _counts(archive, images)
        rows = tuple(ImageRow(image, _own_counts(image, counts)) for image in images)
        return Listing(rows, total, page, size)

    def _load_selection(self) -> None:
        """Load the selection from the URL; `selection_problem` says how many images are not available."""
        if self.selected == [ALL]:
            self.selection = Selection.of_all(self.image_filter(self._visitor))
        elif self.selected and not self.selection.ids:
            asked = Selection(tuple(dict.fromkeys(self.selected)))
            try:
                found = {image.image_id for image in self._source.ask(lambda a: asked.images(a, self._visitor))}
            except (TooMany, Unavailable):
                return
            missing = len(asked.ids) - len(found)
            self.selection_problem = (
                f"{missing} of the {len(asked.ids)} selected images in the URL are not in the archive"
                if missing
                else ""
            )
            self.selection = Selection(tuple(image_id for image_id in asked.ids if image_id in found))

    def _selection_changed(self, *_: param.parameterized.Event) -> None:
        selection, ids = self.selection, self._ids_on_page
        try:
            rows = self._source.ask(lambda archive: selection.among(archive, ids, self._visitor))
            number = self._source.ask(lambda archive: selection.count(archive, self._visitor))
        except Unavailable:  # the listing reports it
            return
        if selection == Selection() or selection.is_few:
            selected = list(selection.ids)
        else:
            selected = [ALL] if selection == Selection.of_all(self.image_filter(self._visitor)) else []
        self.param.update(selected_rows=rows, n_selected=number, selected=selected)

    @property
    def _ids_on_page(self) -> list[str]:
        if self.tab == SETS_TAB:
            return [image_id for row in self.sets.rows for image_id in row.image_ids]
        return [row.image.image_id for row in self.listing.rows]

    def _show_views(self, *_: param.parameterized.Event) -> None:
        """Read the files of the selected images if a view needs them."""
        if self.tab == COMPARE_TAB:
            if self.n_selected < LEAST_COMPARED:
                self.param.update(comparison=None, views_problem="")
            else:
                self._compare()
        elif self.tab == TRACKS_TAB:
            self._track()

    def _compare(self, *_: param.parameterized.Event) -> None:
        if self.tab != COMPARE_TAB or self.n_selected < LEAST_COMPARED:
            return
        problems: list[str] = []
        try:
            images = self.selected_images(MOST_COMPARED)
            key = tuple((image.image_id, image.sha256) for image in images)
            if key != self._read[0]:
                self._read = key, self._source.ask(lambda archive: list(read_scenes(archive, images, problems)))
        except (TooMany, Unavailable) as error:
            self.param.update(comparison=None, views_problem=f"{error}.")
            return
        scenes = self._read[1]
        comparison = compare(scenes, self) if len(scenes) >= LEAST_COMPARED else None
        self.param.update(comparison=comparison, views_problem=" ".join(problems))

    def _track(self) -> None:
        problems: list[str] = []
        try:
            images = self.selected_images(MOST_TRACKED)
            points = self._source.ask(lambda archive: track(read_scenes(archive, images, problems)))
            self.param.update(tracks=points, views_problem=" ".join(problems))
        except (TooMany, Unavailable) as error:
            self.param.update(tracks=(), views_problem=f"{error}.")

    def _load_runs(self) -> None:
        try:
            self.runs = self._source.ask(self._runs)
        except StixError as error:
            self.runs = Listing(page_size=self.page_size, problem=str(error))

    def _runs(self, archive: Archive) -> Listing[Run]:
        which, size = self.run_filter(self._visitor), self.page_size
        total = archive.count_runs(which)
        page = min(self.runs_page, pages_of(total, size))
        runs = archive.runs(which, limit=size, offset=(page - 1) * size) if total else []
        return Listing(tuple(runs), total, page, size)

    def _sort(self) -> tuple[str, ...]:
        """The sort columns of images, without unknown ones."""
        return self._sort_by({*IMAGES.names, NET_COUNTS})

    def _sort_by(self, names: set[str]) -> tuple[str, ...]:
        known = tuple(column for column in self.sort if column.removeprefix("-") in names)
        return known or tuple(self.param["sort"].default)

    def _opened(self, *_: param.parameterized.Event) -> None:
        if not self.opened:
            self.param.update(detail=None, detail_problem="")
            return

        def ask(archive: Archive) -> tuple[ImageDetail, Place | None]:
            detail = load_detail(archive, self.opened, self._visitor)
            return detail, archive.image_place(self.opened, self.image_filter(self._visitor), sort=self._sort())

        try:
            detail, place = self._source.ask(ask)
            self.param.update(detail=detail, steps=Steps.at(place), detail_problem="")
        except (NotInArchive, Unavailable) as error:
            self.param.update(detail=None, detail_problem=str(error))


def _own_counts(image: Image, counts: dict[str, Counts]) -> Counts | None:
    """Counts of an image: those of its recipe, but none for the full-disk map, which has its own band."""
    return None if image.method == Method.FULL_DISK_BP else counts.get(image.recipe_id)


def _counts(archive: Archive, images: list[Image]) -> dict[str, Counts]:
    """Counts by recipe, for the images of one page."""
    recipes = sorted({image.recipe_id for image in images})
    if not recipes:
        return {}
    rows = archive.rows(_COUNTS, [recipes])
    return {row["run_id"]: Counts(row["counts_total"], row["counts_background"]) for row in rows}
