"""State of the light-curve page: which window, what of it is shown, and what the archive has of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import param

from archive import Archive, ImageFilter, LightCurveView
from archive.index.schema import FLARES, IMAGES, QUICKLOOK_FILES
from archive.index.series import BANDS
from archive.index.sql import select
from dashboards.pages.lightcurves.clocks import Clock, LightTimes, light_times
from dashboards.pages.lightcurves.flares import FlareSpan, flares_in
from dashboards.pages.lightcurves.images import WindowImages, images_in
from dashboards.pages.lightcurves.window import DAY_S, LONGEST_S, SHORTEST_S, Window, go_to, resolution, unix_seconds
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.address import AddressState
from dashboards.shared.detail import ImageDetail, load_detail
from dashboards.shared.ranges import EARLIEST
from dashboards.shared.source import ArchiveSource
from dashboards.shared.steps import Steps, beside
from stixcore.errors import StixError

#: Wished length of the bins, s; 0: as fine as the window can show.
BINS = (0.0, 4.0, 20.0, 60.0, 300.0, 3600.0, 86_400.0)
#: In windows longer than this, s, the light time changes by seconds: it does by up to 10 s a day.
SHIFT_CHANGES_S = 21_600.0
REAL, SIMULATED = "real", "simulated"
LOG, LINEAR = "log", "linear"
LATEST = np.datetime64("2060")


@dataclass(frozen=True)
class Extent:
    """From the first to the last moment of something, and what that is: "light curves", "images" or "flares"."""

    window: Window
    what: str


@dataclass(frozen=True)
class Curves:
    """Everything that the plot shows of a window.

    Attributes
    ----------
    window : Window
        What is seen; the curves reach further on either side.
    view : LightCurveView or None
        None when nothing could be loaded.
    coarser : bool
        The bins are longer than was wished for.
    flares : tuple of FlareSpan
        The strongest, with those in the margins.
    n_flares : int
        All of them.
    light : LightTimes or None
        In the middle of the window; None when no file tells.
    light_ends : tuple of LightTimes or None
        At its first and last moment, where another clock is shown and the window so long that these differ; else empty.
    problem : str
        Why nothing could be loaded, in plain words; empty when nothing is wrong.
    """

    window: Window
    view: LightCurveView | None = None
    coarser: bool = False
    flares: tuple[FlareSpan, ...] = ()
    n_flares: int = 0
    light: LightTimes | None = None
    light_ends: tuple[LightTimes | None, ...] = ()
    problem: str = ""

    @property
    def recorded(self) -> bool:
        """Whether anything was recorded inside the window itself."""
        if self.view is None:
            return False
        inside = (self.view.time < self.window.end) & (self.view.time >= self.window.begin)
        return bool(np.isfinite(self.view.mean[inside]).any())


class LightCurvesState(AddressState):
    """Everything that the light-curve page shows.

    Change the parameters above `curves` and read those from there on; each change leads to what it needs and no more.

    Parameters
    ----------
    source : ArchiveSource
    visitor : callable
        Who looks, asked each time: whoever has signed out elsewhere sees no hidden image any more.
    """

    start: float | None = param.Number(  # type: ignore[assignment]
        default=None,
        allow_None=True,
        bounds=(unix_seconds(EARLIEST), unix_seconds(LATEST)),
        doc="First moment, s since 1970, UTC at Solar Orbiter; none: the end of the data",
    )
    span: float = param.Number(default=DAY_S, bounds=(SHORTEST_S, LONGEST_S), doc="Length of the window, s")  # type: ignore[assignment]
    bands = param.ListSelector(default=list(BANDS), objects=list(BANDS), doc="Bands that are shown")
    scale: param.Selector[Any] = param.Selector(default=LOG, objects=[LOG, LINEAR], doc="Of the count rates")
    bin_s: param.Selector[Any] = param.Selector(default=0.0, objects=list(BINS), doc="Wished length of the bins, s")
    clock: param.Selector[Any] = param.Selector(
        default=Clock.SOLAR_ORBITER.value, objects=[clock.value for clock in Clock], doc="Whose clock the axis shows"
    )
    pictures = param.Boolean(default=False, doc="Whether the images of the window are shown")
    series: param.Selector[Any] = param.Selector(
        default="", objects=["", REAL, SIMULATED], doc="Which light curves; empty: the real ones where there are any"
    )
    opened = param.String("", doc="Id of the image shown large; empty for none")

    curves = param.ClassSelector(class_=Curves, default=Curves(Window(0.0, DAY_S)), doc="What the plot shows")
    images = param.ClassSelector(class_=WindowImages, default=WindowImages(), doc="Images of the window")
    extents = param.Dict({}, doc="Simulated or not → Extent of what the archive has")
    detail = param.ClassSelector(class_=ImageDetail, allow_None=True, doc="The opened image")
    detail_problem = param.String("", doc="Why the opened image is not shown")

    outcomes: ClassVar = ("curves", "images", "extents", "detail", "detail_problem")
    address_keys: ClassVar[dict[str, str]] = {
        "start": "start",
        "span": "span",
        "bands": "bands",
        "scale": "scale",
        "bin_s": "bin",
        "clock": "clock",
        "pictures": "img",
        "series": "series",
        "opened": "image",
    }

    def __init__(self, source: ArchiveSource, visitor: Callable[[], Visitor] = lambda: GUEST, **params: Any) -> None:
        super().__init__(**params)
        self._source = source
        self._visitor = visitor
        self.param.watch(self._moved, ["start", "span", "series"])
        self.param.watch(self._rebinned, "bin_s")
        self.param.watch(self._clock_changed, "clock")
        self.param.watch(self._load_images, "pictures")
        self.param.watch(self._opened, "opened")

    @property
    def address_pairs(self) -> list[tuple[str, str]]:
        """Names and values of the query string: a start never without its span, so that a link stays what it is."""
        pairs = super().address_pairs
        if self.start is not None and self.span == self.param["span"].default:
            pairs.insert(1, ("span", f"{self.span:.15g}"))
        return pairs

    # What is shown --------------------------------------------------------------------------------------------------

    @property
    def simulated(self) -> bool:
        """Whether the simulated series is shown: as wished, else only where there is no real one."""
        if self.series:
            return bool(self.series == SIMULATED)
        return False not in self.extents and True in self.extents

    @property
    def both_series(self) -> bool:
        """Whether the archive has real and simulated data."""
        return len(self.extents) == 2

    @property
    def extent(self) -> Extent | None:
        """What there is of the shown series."""
        extent: Extent | None = self.extents.get(self.simulated)
        return extent

    @property
    def is_damaged(self) -> bool:
        """Whether part of what says which light curves there are cannot be read."""
        return self._source.lacks(QUICKLOOK_FILES.name)

    @property
    def window(self) -> Window:
        """What is seen; without a start in the address, the end of the data."""
        if self.start is not None:
            return Window(self.start, self.span)
        end = self.extent.window.end if self.extent else np.datetime64("2022-01-01", "us")
        return Window(unix_seconds(end) - self.span, self.span).limited()

    # What a visitor does --------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Ask the archive for everything that is shown."""
        try:
            self.extents = self._source.ask(lambda archive: extents(archive, self._visitor()))
        except StixError:
            self.extents = {}  # the curves say why
        self._moved()
        self._opened()

    def show(self, window: Window) -> None:
        """Show another window."""
        limited = window.limited()
        low, high = self.param.start.bounds
        self.param.update(start=min(max(limited.start, low), high), span=limited.span)

    def shift(self, windows: int) -> None:
        """Show the window so many spans later."""
        self.show(self.window.moved(windows))

    def show_last(self, span: float) -> None:
        """Show the last so many seconds of what there is."""
        if self.extent is not None:
            self.show(Window(unix_seconds(self.extent.window.end) - span, span))

    def go_to(self, text: str) -> None:
        """Show a flare, by its id, or a time.

        Raises
        ------
        NotUnderstood
            When it is neither, or there is no such flare.
        Unavailable
            When the archive cannot be read.
        """
        window = self._source.ask(lambda archive: go_to(text, archive, self.window))
        self.show(window)

    def step(self, by: int) -> None:
        """Open the image that many further on in the strip; stays at its ends."""
        self.opened = beside(self._ids, self.opened, by)

    @property
    def steps(self) -> Steps:
        """Where one can go from the opened image."""
        return Steps.among(self._ids, self.opened)

    @property
    def _ids(self) -> list[str]:
        return [image.image_id for image in self.images.images]

    # ----------------------------------------------------------------------------------------------------------------

    def _moved(self, *_: param.parameterized.Event) -> None:
        self._load_curves()
        self._load_images()

    def _rebinned(self, *_: param.parameterized.Event) -> None:
        self._load_curves()

    def _clock_changed(self, *_: param.parameterized.Event) -> None:
        if self.window.span >= SHIFT_CHANGES_S:
            self._load_curves()

    def _load_curves(self) -> None:
        window = self.window
        try:
            self.curves = self._source.ask(lambda archive: self._curves(archive, window))
        except StixError as error:
            self.curves = Curves(window, problem=str(error))

    def _curves(self, archive: Archive, window: Window) -> Curves:
        wanted = resolution(window, self.bin_s)
        view = archive.light_curve(wanted.loaded.begin, wanted.loaded.end, wanted.points, simulated=self.simulated)
        flares, total = flares_in(archive, wanted.loaded, simulated=self.simulated)
        other = self.clock != Clock.SOLAR_ORBITER and window.span >= SHIFT_CHANGES_S
        ends = (window.begin, window.end) if other else ()
        light, *at_ends = (light_times(archive, t, simulated=self.simulated) for t in (window.middle, *ends))
        return Curves(window, view, wanted.wish_too_fine, tuple(flares), total, light, tuple(at_ends))

    def _load_images(self, *_: param.parameterized.Event) -> None:
        if not self.pictures:
            self.images = WindowImages()
            return
        window, simulated = self.window, self.simulated
        try:
            self.images = self._source.ask(
                lambda archive: images_in(archive, window, self._visitor(), simulated=simulated)
            )
        except StixError as error:
            self.images = WindowImages(problem=str(error))

    def _opened(self, *_: param.parameterized.Event) -> None:
        if not self.opened:
            self.param.update(detail=None, detail_problem="")
            return
        try:
            detail = self._source.ask(lambda archive: load_detail(archive, self.opened, self._visitor()))
            self.param.update(detail=detail, detail_problem="")
        except StixError as error:
            self.param.update(detail=None, detail_problem=str(error))


def extents(archive: Archive, visitor: Visitor = GUEST) -> dict[bool, Extent]:
    """What an archive has to show: of its light curves, without any of its images, without these of its flares.

    Returns
    -------
    dict of bool to Extent
        For real (False) and simulated (True) data, where there are any.
    """
    visible = ImageFilter(viewer=visitor.name, all_hidden=visitor.operator).conditions
    found: dict[bool, Extent] = {}
    for what, table, begin, end, where, values in (
        ("light curves", QUICKLOOK_FILES.name, "t_start", "t_end", "", ()),
        ("images", IMAGES.name, "t_start", "t_end", visible.where, visible.values),
        ("flares", FLARES.name, "t_peak", "t_peak", "", ()),
    ):
        question = select(f"simulated, min({begin}) AS first, max({end}) AS last", table, f"{where} GROUP BY simulated")
        for row in archive.rows(question, values):
            first, last = (np.datetime64(row[name], "us") for name in ("first", "last"))
            found.setdefault(row["simulated"], Extent(Window.between(first, last), what))
    return found
