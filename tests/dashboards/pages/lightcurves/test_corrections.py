"""Corrections, a relative time axis and the background detector on the light-curve page."""

from typing import Any

import numpy as np
import pytest

from archive import Archive
from archive.ingest.ingest import ingest
from archive.lightcurves.corrections import ATTENUATOR
from dashboards.pages.lightcurves.origin import choices, unit_of
from dashboards.pages.lightcurves.plot import DETECTOR_BAND, LightCurvePlot
from dashboards.pages.lightcurves.state import LightCurvesState
from dashboards.pages.lightcurves.view import LightCurvesPage, notices_for
from dashboards.pages.lightcurves.wording import DETECTOR, about_html, status_html
from dashboards.shared.light_times import Clock
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource
from dashboards.shared.time_window import unix_seconds

HOUR = 3600.0


def state_at(archive: Archive, start: float, hours: float = 1.0, **params: Any) -> LightCurvesState:
    state = LightCurvesState(ArchiveSource(archive.root), start=start, span=hours * HOUR, **params)
    state.load()
    return state


def drawn(state: LightCurvesState) -> Any:
    def nothing(*_: Any) -> None:
        """Nothing is clicked here."""

    plot = LightCurvePlot(RouteLinks(), nothing, nothing, nothing, dark=False)
    plot.show(state.curves, Clock(state.clock))
    return plot


def test_switches_are_in_the_address_and_change_the_rates(curves: Any) -> None:
    recorded = state_at(curves.archive, curves.start + 2.5 * HOUR)
    state = state_at(curves.archive, curves.start + 2.5 * HOUR, livetime="corrected", attenuator="corrected")
    assert "livetime=corrected&attenuator=corrected" in state.address
    assert not recorded.curves.corrections
    inside = state.curves.view.rcr == 0
    assert (state.curves.view.mean[inside] > recorded.curves.view.mean[inside]).all()
    about = about_html(state.curves, state.extent, simulated=False)
    assert "corrected for live time and attenuator" in about
    assert ATTENUATOR.replace("'", "&#x27;") in about
    assert "rates as recorded" in about_html(recorded.curves, recorded.extent, simulated=False)
    files = status_html(state.curves, simulated=False, downloads=True)
    assert "livetime=corrected&amp;attenuator=corrected" in files
    assert "livetime" not in status_html(recorded.curves, simulated=False, downloads=True)


def test_the_switches_of_the_page_show_and_set_what_is_applied(curves: Any) -> None:
    state = state_at(curves.archive, curves.start + 2.5 * HOUR, livetime="corrected")
    switches = LightCurvesPage(state, RouteLinks())._corrections()
    assert switches.value == ["livetime"]
    switches.value = ["attenuator"]
    assert (state.livetime, state.attenuator) == ("recorded", "corrected")
    state.attenuator = "recorded"
    assert switches.value == []


def test_invalid_values_in_the_address_are_refused(curves: Any) -> None:
    state = state_at(curves.archive, curves.start)
    complaints = state.take_address("?t0=peak:<b>&livetime=maybe&attenuator=yes&detector=no")
    assert len(complaints) == 3
    assert (state.t0, state.livetime, state.attenuator, state.detector) == ("", "", "recorded", False)
    for t0 in ("window", "peak", "start", "peak:2211110123", "start:flare_1-a.b"):
        assert state.take_address(f"?t0={t0}") == []
        assert state.t0 == t0


def test_time_counts_from_the_peak_of_a_flare(curves: Any) -> None:
    plain = state_at(curves.archive, curves.start, 24.0)
    flare = plain.curves.flares[0]
    state = state_at(curves.archive, curves.start, 24.0, t0=f"peak:{flare.flare_id}")
    assert state.address.endswith(f"t0=peak:{flare.flare_id}")
    origin = state.curves.origin
    assert origin is not None
    assert (origin.time, origin.text) == (flare.peak, f"peak of flare {flare.flare_id}")
    assert state_at(curves.archive, curves.start, 24.0, t0="peak").curves.origin == origin  # the strongest
    plot = drawn(state)
    hours = (unix_seconds(flare.peak) - curves.start) / HOUR
    assert plot._clock_range.start == pytest.approx(-hours)
    assert plot._clock_range.end == pytest.approx(24.0 - hours)
    assert plot._axis.axis_label.startswith("T − T0 [h], T0 = 2022-11-10 ")
    since = plot._sources.rates.data["since"]
    time = plot._sources.rates.data["time"]
    assert since == pytest.approx(time / 1e3 - unix_seconds(flare.peak))
    state.t0 = ""
    plot.show(state.curves, Clock.SOLAR_ORBITER)
    assert plot._axis.axis_label == "Time [UTC at Solar Orbiter]"
    assert "since" not in plot._sources.rates.data


def test_other_origins_and_why_there_is_none(curves: Any) -> None:
    flare = state_at(curves.archive, curves.start, 24.0).curves.flares[0]
    state = state_at(curves.archive, curves.start, 0.1, t0="window")
    assert state.curves.origin is not None
    assert state.curves.origin.time == state.window.begin
    state.t0 = f"start:{flare.flare_id}"
    assert state.curves.origin is not None
    assert state.curves.origin.time == flare.start
    state.t0 = "start:1"
    assert state.curves.origin is None
    assert any("has no flare 1" in one.text for one in notices_for(state))
    state.t0 = "peak"
    assert any("No flare has its peak" in one.text for one in notices_for(state))
    assert choices("peak:1", state.window, ()) == {"none (UTC)": "", "window start": "window", "peak 1": "peak:1"}
    assert [unit_of(span)[0] for span in (60.0, 3600.0, 86_400.0, 1e6)] == ["s", "min", "h", "days"]


def test_an_archive_without_files_of_the_background_detector_offers_none(curves: Any) -> None:
    state = state_at(curves.archive, curves.start, detector=True)
    assert not state.has_detector
    assert state.curves.detector is None
    assert any("ql-background" in one.text for one in notices_for(state))


def test_the_background_detector_has_its_own_axis(shared_data: Any, tmp_path: Any) -> None:
    files = sorted((shared_data / "products").glob("*ql-[bl]*20200506*"))
    if len(files) != 2:
        pytest.skip("the real quick-look files are absent")
    archive = Archive(tmp_path / "archive", create=True)
    ingest(archive, files, np.datetime64("2026-01-01", "us"))
    begin = unix_seconds(np.datetime64("2020-05-06T10:00", "us"))
    state = state_at(archive, begin, 2.0, detector=True)
    assert state.has_detector
    assert state.address.endswith("detector=yes")
    plot = drawn(state)
    assert [figure.name for figure in plot._column.children] == ["rates", "detector", "strip"]
    rates = plot._sources.detector.data[f"mean_{DETECTOR_BAND}"]
    assert plot._detector_range.start < np.nanmin(rates[rates > 0]) * 1.5
    assert DETECTOR in about_html(state.curves, state.extent, simulated=False)
    assert "source=background-detector" in status_html(state.curves, simulated=False, downloads=True)
    state.show(state.window.around(5 * 86_400.0))
    assert state.curves.detector is None
    assert any("windows of up to 4 days" in one.text for one in notices_for(state))
    plot.show(state.curves, Clock.SOLAR_ORBITER)
    assert [figure.name for figure in plot._column.children] == ["rates", "strip"]
