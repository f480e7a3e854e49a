"""State of the flares page: flares, order, page, what the figures show, and the open image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import param

from archive import Archive, ImageFilter
from archive.index.filters import Box
from archive.index.order import DURATION
from archive.index.schema import FLARES
from dashboards.pages.flares.columns import FlareRow
from dashboards.pages.flares.filter_state import FlareFilterState, box_text
from dashboards.pages.flares.sky import Sky, read_sky
from dashboards.pages.flares.views import SunView
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.dialog_layers import DIALOG_KEYS
from dashboards.shared.light_times import Clock
from dashboards.shared.listing import Listing, pages_of
from dashboards.shared.opened_image import OpenedImageState
from dashboards.shared.source import ArchiveSource
from stixcore.errors import StixError

PAGE_SIZES = (25, 50, 100)
#: What colours mean.
BY_CLASS, BY_TIME = "class", "time"
#: Longer time ranges are brushed in whole days, s.
WHOLE_DAYS_S = 5 * 86_400.0


class FlaresState(FlareFilterState, OpenedImageState):
    """Everything that the flares page shows.

    Set the parameters above `listing` and read the others; each change causes one new listing.

    Parameters
    ----------
    source : ArchiveSource
    visitor : function
        Returns the current visitor, whose hidden images can be opened.
    """

    sort = param.List(default=["-t_peak"], item_type=str, bounds=(1, 4), doc="Columns; a leading “-” turns one round")
    page = param.Integer(default=1, bounds=(1, None), doc="From 1")
    page_size: param.Selector[Any] = param.Selector(default=PAGE_SIZES[0], objects=list(PAGE_SIZES), doc="Rows")
    columns = param.List(default=[], item_type=str, bounds=(0, 40), doc="Columns of the table; empty for the usual")
    clock: param.Selector[Any] = param.Selector(
        default=Clock.SOLAR_ORBITER.value,
        objects=[clock.value for clock in Clock],
        doc="Clock of the times",
    )
    view: param.Selector[Any] = param.Selector(
        default=SunView.SOLAR_ORBITER.value, objects=[view.value for view in SunView], doc="View of the Sun"
    )
    color: param.Selector[Any] = param.Selector(
        default=BY_CLASS, objects=[BY_CLASS, BY_TIME], doc="What the colours of the Sun figure mean"
    )
    listing = param.ClassSelector(class_=Listing, default=Listing(), doc="Flares of this page, as FlareRow")
    sky = param.ClassSelector(class_=Sky, default=None, allow_None=True, doc="All flares of the filter")

    outcomes: ClassVar = ("listing", "sky", "detail", "detail_problem")
    address_keys: ClassVar = {
        "start": "start",
        "end": "end",
        "text": "text",
        "goes": "goes",
        "estimated": "estimated",
        "temperature": "temperature",
        "delta": "delta",
        "verdict": "verdict",
        "earth": "earth",
        "pictures": "images",
        "x": "x",
        "y": "y",
        "box": "box",
        "series": "series",
        "sort": "sort",
        "page": "page",
        "page_size": "rows",
        "columns": "columns",
        "clock": "clock",
        "view": "view",
        "color": "color",
        "opened": "image",
        **DIALOG_KEYS,
    }

    def __init__(self, source: ArchiveSource, visitor: Callable[[], Visitor] = lambda: GUEST, **params: Any) -> None:
        super().__init__(source, visitor, **params)
        self.param.watch(self._filtered, list(self.filter_names))
        self.param.watch(self._reordered, ["sort", "page", "page_size", "clock"])

    @property
    def is_damaged(self) -> bool:
        """Whether the list may be incomplete, because part of its table is damaged."""
        return self._source.lacks(FLARES.name)

    def load(self) -> None:
        """Load everything that is shown."""
        self._load_flares()
        self._load_sky()
        self._opened()

    def brush_sky(self, view: SunView, box: Box) -> None:
        """Keep only the flares in an area of a view."""
        self.box = box_text(view, box)

    def brush_time(self, begin: np.datetime64, end: np.datetime64) -> None:
        """Keep only the flares of a time range, in whole days if it is long."""
        long = (end - begin) / np.timedelta64(1, "s") > WHOLE_DAYS_S
        first, last = (str(time.astype("datetime64[D]" if long else "datetime64[s]")) for time in (begin, end))
        self.param.update(start=first, end=last)

    @property
    def _image_ids(self) -> list[str]:
        pictures = (image for row in self.listing.rows for image in (row.thermal, row.nonthermal))
        return [image.image_id for image in pictures if image is not None]

    def _filtered(self, *_: param.parameterized.Event) -> None:
        self._load_sky()
        if self.page != 1:
            self.page = 1  # loads the flares
        else:
            self._load_flares()

    def _reordered(self, *events: param.parameterized.Event) -> None:
        changed = {event.name for event in events}
        if changed & {"sort", "page_size"} and "page" not in changed and self.page != 1:
            self.page = 1  # calls this method again
            return
        self._load_flares()

    def _load_flares(self) -> None:
        try:
            self.listing = self._source.ask(self._flares)
        except StixError as error:
            self.listing = Listing(page_size=self.page_size, problem=str(error))

    def _flares(self, archive: Archive) -> Listing[FlareRow]:
        which, size = self.flare_filter(), self.page_size
        total = archive.count_flares(which)
        page = min(self.page, pages_of(total, size))
        flares = archive.flare_page(which, sort=self._sort(), limit=size, offset=(page - 1) * size) if total else []
        ids = [name for flare in flares for name in (flare.best_image_thermal, flare.best_image_nonthermal) if name]
        visitor = self._visitor()
        best = ImageFilter(ids=tuple(ids), viewer=visitor.name, all_hidden=visitor.operator)
        found = {image.image_id: image for image in archive.images(best, limit=len(ids))} if ids else {}
        rows = (
            FlareRow(
                flare,
                found.get(flare.best_image_thermal or ""),
                found.get(flare.best_image_nonthermal or ""),
                Clock(self.clock),
            )
            for flare in flares
        )
        return Listing(tuple(rows), total, page, size)

    def _load_sky(self) -> None:
        which = self.flare_filter()
        try:
            self.sky = self._source.ask(lambda archive: read_sky(archive, which))
        except StixError:  # the listing reports it
            self.sky = None

    def _sort(self) -> tuple[str, ...]:
        """The sort columns, without unknown ones."""
        names = {*FLARES.names, DURATION}
        known = tuple(column for column in self.sort if column.removeprefix("-") in names)
        return known or tuple(self.param["sort"].default)
