"""State of the light-curve page: window, display options, and the data of the archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import param

from archive import Archive, ImageFilter, LightCurveView
from archive.errors import QueryRefused
from archive.index.schema import FLARES, IMAGES, OTHER_FILES, QUICKLOOK_FILES, SCIENCE_FILES
from archive.index.series import BANDS
from archive.index.sql import select
from archive.lightcurves.corrections import NONE, Corrections
from archive.lightcurves.detector import LONGEST_DETECTOR
from archive.lightcurves.science import LONGEST, ScienceCurve
from dashboards.pages.lightcurves.flares import FlareSpan, flares_in
from dashboards.pages.lightcurves.images import WindowImages, images_in
from dashboards.pages.lightcurves.origin import PATTERN, TimeOrigin, origin_of
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.dialog_layers import DIALOG_KEYS
from dashboards.shared.light_times import Clock, LightTimes, light_times
from dashboards.shared.opened_image import OpenedImageState
from dashboards.shared.ranges import EARLIEST
from dashboards.shared.source import ArchiveSource
from dashboards.shared.time_window import DAY_S, LONGEST_S, MARGIN, SHORTEST_S, Window, go_to, resolution, unix_seconds
from stixcore.errors import StixError
from stixcore.fits.spec import ProductKind

#: Requested bin lengths, s; 0: as fine as the window allows.
BINS = (0.0, 4.0, 20.0, 60.0, 300.0, 3600.0, 86_400.0)
#: In longer windows [s] the light time changes by seconds: up to 10 s a day.
SHIFT_CHANGES_S = 21_600.0
REAL, SIMULATED = "real", "simulated"
LOG, LINEAR = "log", "linear"
RECORDED, CORRECTED = "recorded", "corrected"
LATEST = np.datetime64("2060")


@dataclass(frozen=True)
class Extent:
    """Time range of available data, and what they are: "light curves", "images" or "flares"."""

    window: Window
    what: str


@dataclass(frozen=True)
class Curves:
    """Data of the plot for a window.

    Attributes
    ----------
    window : Window
        Visible window; the curves extend beyond it on both sides.
    view : LightCurveView or None
        None if nothing could be loaded.
    coarser : bool
        The bins are longer than requested.
    flares : tuple of FlareSpan
        The strongest flares, including those in the margins.
    n_flares : int
        Total number of flares.
    light : LightTimes or None
        At the middle of the window; None if unknown.
    light_ends : tuple of LightTimes or None
        At both ends of the window, if another clock is shown and the window is so long that they differ; else empty.
    problem : str
        Why nothing could be loaded, for the visitor; empty if it could.
    science : ScienceCurve or None
        Where the view is from, if there are no quick-look bins and it is from science files.
    corrections : Corrections
        What the rates are corrected for.
    detector : ScienceCurve or None
        Curve of the background detector, if it is shown and there is one.
    origin : TimeOrigin or None
        T0 of a relative time axis.
    remarks : tuple of str
        Why the background detector or T0 is not shown.
    """

    window: Window
    view: LightCurveView | None = None
    coarser: bool = False
    flares: tuple[FlareSpan, ...] = ()
    n_flares: int = 0
    light: LightTimes | None = None
    light_ends: tuple[LightTimes | None, ...] = ()
    problem: str = ""
    science: ScienceCurve | None = None
    corrections: Corrections = NONE
    detector: ScienceCurve | None = None
    origin: TimeOrigin | None = None
    remarks: tuple[str, ...] = ()

    @property
    def recorded(self) -> bool:
        """Whether there are data inside the visible window."""
        if self.view is None:
            return False
        inside = (self.view.time < self.window.end) & (self.view.time >= self.window.begin)
        return bool(np.isfinite(self.view.mean[inside]).any())


class LightCurvesState(OpenedImageState):
    """Everything that the light-curve page shows.

    Set the parameters above `curves` and read the others; each change loads only what it affects.

    Parameters
    ----------
    source : ArchiveSource
    visitor : callable
        Returns the current visitor, so that a user who has signed out elsewhere no longer sees hidden images.
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
    livetime: param.Selector[Any] = param.Selector(
        default="",
        objects=["", RECORDED, CORRECTED],
        doc="Rates corrected for live time; empty: those of science files, not those of quick-look files",
    )
    attenuator: param.Selector[Any] = param.Selector(
        default=RECORDED, objects=[RECORDED, CORRECTED], doc="Rates with the attenuator in, where that is possible"
    )
    detector = param.Boolean(default=False, doc="Whether the curve of the background detector is shown")
    t0 = param.String("", regex=PATTERN, doc="T0 of a relative time axis; empty for the time of day")
    pictures = param.Boolean(default=False, doc="Whether the images of the window are shown")
    series: param.Selector[Any] = param.Selector(
        default="", objects=["", REAL, SIMULATED], doc="Which light curves; empty: the real ones where there are any"
    )
    curves = param.ClassSelector(class_=Curves, default=Curves(Window(0.0, DAY_S)), doc="What the plot shows")
    images = param.ClassSelector(class_=WindowImages, default=WindowImages(), doc="Images of the window")
    extents = param.Dict({}, doc="Simulated or not → Extent of what the archive has")
    detectors = param.List([], doc="Simulated or not, for each kind of data with files of the background detector")

    outcomes: ClassVar = ("curves", "images", "extents", "detectors", "detail", "detail_problem")
    address_keys: ClassVar[dict[str, str]] = {
        "start": "start",
        "span": "span",
        "bands": "bands",
        "scale": "scale",
        "bin_s": "bin",
        "clock": "clock",
        "livetime": "livetime",
        "attenuator": "attenuator",
        "detector": "detector",
        "t0": "t0",
        "pictures": "img",
        "series": "series",
        "opened": "image",
        **DIALOG_KEYS,
    }

    def __init__(self, source: ArchiveSource, visitor: Callable[[], Visitor] = lambda: GUEST, **params: Any) -> None:
        super().__init__(source, visitor, **params)
        self.param.watch(self._moved, ["start", "span", "series"])
        self.param.watch(self._rebinned, ["bin_s", "livetime", "attenuator", "detector", "t0"])
        self.param.watch(self._clock_changed, "clock")
        self.param.watch(self._load_images, "pictures")

    @property
    def address_pairs(self) -> list[tuple[str, str]]:
        """Names and values of the query string: a start always has its span, so that links stay valid."""
        pairs = super().address_pairs
        if self.start is not None and self.span == self.param["span"].default:
            pairs.insert(1, ("span", f"{self.span:.15g}"))
        return pairs

    # Display --------------------------------------------------------------------------------------------------------

    @property
    def simulated(self) -> bool:
        """Whether the simulated series is shown: as selected, else only if there are no real data."""
        if self.series:
            return bool(self.series == SIMULATED)
        return False not in self.extents and True in self.extents

    @property
    def has_detector(self) -> bool:
        """Whether the archive has files of the background detector for the shown series."""
        return self.simulated in self.detectors

    @property
    def both_series(self) -> bool:
        """Whether the archive has real and simulated data."""
        return len(self.extents) == 2

    @property
    def extent(self) -> Extent | None:
        """Time range of the shown series."""
        extent: Extent | None = self.extents.get(self.simulated)
        return extent

    @property
    def is_damaged(self) -> bool:
        """Whether part of the table of light-curve files cannot be read."""
        return self._source.lacks(QUICKLOOK_FILES.name)

    @property
    def window(self) -> Window:
        """The visible window; without a start in the URL, the end of the data."""
        if self.start is not None:
            return Window(self.start, self.span)
        end = self.extent.window.end if self.extent else np.datetime64("2022-01-01", "us")
        return Window(unix_seconds(end) - self.span, self.span).limited()

    # User actions ---------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Load everything that is shown."""
        try:
            self.extents = self._source.ask(lambda archive: extents(archive, self._visitor()))
        except StixError:
            self.extents = {}  # the curves report the error
        try:
            self.detectors = self._source.ask(detectors)
        except StixError:
            self.detectors = []
        self._moved()
        self._opened()

    def show(self, window: Window) -> None:
        """Show another window."""
        limited = window.limited()
        low, high = self.param.start.bounds
        self.param.update(start=min(max(limited.start, low), high), span=limited.span)

    def shift(self, windows: int) -> None:
        """Show the window that many spans later."""
        self.show(self.window.moved(windows))

    def show_last(self, span: float) -> None:
        """Show the last ``span`` seconds of the data."""
        if self.extent is not None:
            self.show(Window(unix_seconds(self.extent.window.end) - span, span))

    def go_to(self, text: str) -> None:
        """Show a flare, by id, or a time.

        Raises
        ------
        NotUnderstood
            If it is neither, or there is no such flare.
        Unavailable
            If the archive cannot be read.
        """
        window = self._source.ask(lambda archive: go_to(text, archive, self.window))
        self.show(window)

    @property
    def _image_ids(self) -> list[str]:
        return [image.image_id for image in self.images.images]

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
        corrections = Corrections(self.livetime == CORRECTED, self.attenuator == CORRECTED)
        view = archive.light_curve(
            wanted.loaded.begin,
            wanted.loaded.end,
            wanted.points,
            simulated=self.simulated,
            corrections=corrections,
        )
        flares, total = flares_in(archive, wanted.loaded, simulated=self.simulated)
        other = self.clock != Clock.SOLAR_ORBITER and window.span >= SHIFT_CHANGES_S
        ends = (window.begin, window.end) if other else ()
        light, *at_ends = (light_times(archive, t, simulated=self.simulated) for t in (window.middle, *ends))
        curves = Curves(
            window, view, wanted.wish_too_fine, tuple(flares), total, light, tuple(at_ends), corrections=corrections
        )
        origin, no_origin = origin_of(self.t0, archive, window, flares)
        detector, no_detector = self._detector_curve(archive, wanted.loaded, wanted.points)
        remarks = tuple(one for one in (no_origin, no_detector) if one)
        curves = replace(curves, origin=origin, detector=detector, remarks=remarks)
        if curves.recorded or window.end - window.begin > LONGEST:
            return curves
        live_time = self.livetime != RECORDED
        science = archive.science_curve(
            window.begin,
            window.end,
            wanted.points,
            simulated=self.simulated,
            corrected=live_time,
            attenuator=corrections.attenuator,
        )
        if not science.files:
            return curves
        now = Corrections(live_time, corrections.attenuator)
        return replace(curves, view=science.view, science=science, coarser=False, corrections=now)

    def _detector_curve(self, archive: Archive, loaded: Window, points: int) -> tuple[ScienceCurve | None, str]:
        """Curve of the background detector, and why it is not shown although it was asked for."""
        if not self.detector:
            return None, ""
        longest = LONGEST_DETECTOR / (1 + 2 * MARGIN)
        if loaded.end - loaded.begin > LONGEST_DETECTOR:
            days = longest / np.timedelta64(1, "D")
            return None, f"The background detector is shown in windows of up to {days:.0f} days."
        corrected = self.livetime == CORRECTED
        try:
            curve = archive.detector_curve(
                loaded.begin, loaded.end, points, simulated=self.simulated, corrected=corrected
            )
        except QueryRefused as error:
            return None, str(error)
        if not curve.files:
            return None, "No file of the background detector (ql-background) covers this window."
        return curve, ""

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


def detectors(archive: Archive) -> list[bool]:
    """Simulated or not, for each kind of data with files of the background detector."""
    where = " WHERE product = ? ORDER BY simulated"
    rows = archive.rows(select("DISTINCT simulated", OTHER_FILES.name, where), [ProductKind.BACKGROUND_MONITOR.value])
    return [bool(row["simulated"]) for row in rows]


def extents(archive: Archive, visitor: Visitor = GUEST) -> dict[bool, Extent]:
    """Time ranges of the data in an archive: of its light curves, otherwise of its images, science files or flares.

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
        ("science files", SCIENCE_FILES.name, "t_start", "t_end", " WHERE NOT is_background", ()),
        ("flares", FLARES.name, "t_peak", "t_peak", "", ()),
    ):
        question = select(f"simulated, min({begin}) AS first, max({end}) AS last", table, f"{where} GROUP BY simulated")
        for row in archive.rows(question, values):
            first, last = (np.datetime64(row[name], "us") for name in ("first", "last"))
            found.setdefault(row["simulated"], Extent(Window.between(first, last), what))
    return found
