"""The form for spectra of regions without a browser: regions as text, feedback, refusals, URL, and the measurement."""

import json
import shlex
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

import numpy as np
import pytest

from archive import Archive
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.filing import Filing, filed_html
from dashboards.pages.science_data.prefilled import fill_in
from dashboards.pages.science_data.prefilled_regions import fill_in_regions, region_address
from dashboards.pages.science_data.region_feedback import BandFeedback, band_feedback, region_notes
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.pages.science_data.region_result import asked_of, measure_box
from dashboards.pages.science_data.region_texts import band_html, note_html, result_html
from dashboards.pages.science_data.spectrum_texts import model_name
from dashboards.pages.science_data.state import ScienceState
from dashboards.pages.science_data.tracking import Tracking
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.region_entries import RegionEntry, address_of, entries_of, new_name
from dashboards.shared.source import ArchiveSource
from jobs.queue.journal import Journal, RequestState, TaskResult
from jobs.shared.errors import LimitReached
from stixcore.errors import InvalidProduct, SelectionError
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging_spectroscopy.measure_regions import REGION_CANDIDATES
from stixcore.spectra.regions import Circle, Contour, Ellipse, Polygon

FLARE = "2211116471"
NOW = np.datetime64("2026-11-25T12:00:00", "us")
REGIONS = (
    Circle("west", 960.5, -120.0, 12.0),
    Ellipse("east side", 900.0, -100.0, 20.0, 10.0, 35.0),
    Polygon("top: a;b", ((0.0, 0.0), (10.0, 0.0), (10.0, 10.5))),
    Contour("half", 0.5, 940.0, -110.0),
)


@pytest.fixture
def form(november: Archive) -> RegionForm:
    view = FileView(november.locate(FLARE))
    form = RegionForm(view, ArchiveSource(november.root), november.science_file(FLARE), side=65, pixel=3.0)
    view.box = form.first_box()
    return form


@pytest.fixture
def picture() -> Reconstruction:
    """A map of 40 × 40 arcsec with all flux in four pixels around (10, 20), three quarters of it in the west."""
    image = np.zeros((20, 20))
    image[9:11, 9], image[9:11, 10] = 1.0, 3.0
    return Reconstruction(Method.MEM_GE, ImageGrid((20, 20), 2.0, (10.0, 20.0)), image)


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: type(region).__name__)
def test_regions_are_typed_and_shared_without_loss(region):
    entry = replace(RegionEntry.of(region), model="vth")
    assert entry.region() == region
    (again,) = entries_of(address_of([entry]))
    assert (again.region(), again.model) == (region, "vth")


@pytest.mark.parametrize(
    ("shape", "numbers", "said"),
    [
        ("circle", "1, 2", "expected 3 numbers, found 2"),
        ("circle", "1, 2, wide", "expected a number, found “wide”"),
        ("circle", "1, 2, −3", "radius must be a positive number"),
        ("ellipse", "1, 2, 3", "expected 4 or 5 numbers, found 3"),
        ("polygon", "0, 0, 1, 1, 2", "X and Y of every corner, found 5"),
        ("polygon", "0 0 9 9 9 0 0 9", "cross each other"),
        ("contour", "120", "level"),
    ],
)
def test_wrong_numbers_are_refused_by_name(shape, numbers, said):
    with pytest.raises(SelectionError, match="'footpoint'") as refused:
        RegionEntry("footpoint", shape, numbers).region()
    assert said in str(refused.value)


def test_new_names_are_free():
    entries = [RegionEntry(name, "circle", "0, 0, 1") for name in ("region 1", "loop", "region 3")]
    assert new_name(entries) == "region 2"


def test_shares_of_the_shown_image(picture):
    entries = [RegionEntry("east", "circle", "7, 20, 3"), RegionEntry("west", "polygon", "10 16 16 16 16 24 10 24")]
    east, west = region_notes(entries, picture)
    assert (east.fraction, west.fraction) == (pytest.approx(0.25), pytest.approx(0.75))
    assert west.area == pytest.approx(48.0)
    assert "75.0" in note_html(1, west)
    contour = region_notes([RegionEntry("peak", "contour", "50, 11, 20")], picture)[0]
    assert (contour.fraction, contour.area) == (pytest.approx(0.75), pytest.approx(8.0))
    length = sum(float(np.hypot(np.ptp(x), np.ptp(y))) for x, y in contour.outlines)
    assert length == pytest.approx(12.0)  # around 2 × 4 arcsec


def test_a_refusal_stands_beside_its_region(picture):
    entries = [
        RegionEntry("a", "circle", "8, 20, 4"),
        RegionEntry("b", "circle", "12, 20, 4"),
        RegionEntry("c", "circle", "28, 20, 4"),
        RegionEntry("d", "circle", "11.9, 30, 0.1"),
        RegionEntry("e", "circle", "0, 30, 3"),
        RegionEntry("e", "circle", "0, 40, x"),
    ]
    notes = region_notes(entries, picture)
    said = [note.refusal for note in notes]
    assert "shares" in said[0]
    assert "'b'" in said[0]
    assert "'a'" in said[1]
    assert "outside the map by 2 arcsec in the west" in said[2]
    assert "contains no pixel centre" in said[3]
    assert "another region has the name 'e'" in said[4]
    assert "found “x”" in said[5]
    assert [note.refusal != "" for note in region_notes(entries, None)] == [False, False, False, False, True, True]
    assert "advice" in note_html(2, notes[2])
    fitted = replace(picture, method=Method.VIS_FWDFIT)
    assert [note.refusal for note in region_notes(entries[:2], fitted)] == ["", ""]
    (polygon,) = region_notes([RegionEntry("p", "polygon", "5 15 15 15 15 25")], fitted)
    assert "a source of" in polygon.refusal


def test_the_automatic_model_names_what_it_chooses_from():
    assert model_name("auto") == "automatic: vth, vth+thick2 or vth+vth"
    assert model_name("auto", REGION_CANDIDATES) == "automatic: vth, thick2, vth+thick2 or vth+vth"


@pytest.mark.needs_shared_data
def test_channels_with_enough_counts_are_known_before(form):
    form.least = 1000.0
    known = band_feedback(form, form.view.box)
    assert known.problem == ""
    assert known.instant is not None
    assert known.instant.image.method is Method.CLEAN
    assert known.channels[0].low == 4.0
    assert known.channels[-1].high == 28.0
    assert 0 < known.imaged < len(known.channels)
    html = band_html(known, form.least, str(form.method))
    assert (
        f"at least {formatting.counts(1000)} counts above background: {known.imaged} of {len(known.channels)} channels"
        in html
    )
    form.least = 1e6
    assert band_feedback(form, form.view.box).imaged == 0


@pytest.mark.needs_shared_data
def test_a_link_fills_in_the_form(form, november):
    form.param.update(method=Method.MEM_GE, ensemble=5, least=500.0, model="vth", x=950.0, y=-130.0, place="given")
    form.entries = (
        RegionEntry("west & ~" + "ü" * 40, "circle", "960, -120, 12"),
        RegionEntry("b", "contour", "50", "vth+thick2"),
    )
    address = region_address(form, form.view.box, "regions")
    state = ScienceState(ArchiveSource(november.root))
    assert state.take_address(urlsplit(address).query) == []
    assert (state.uid, state.tab) == (FLARE, "regions")
    view = FileView(november.locate(FLARE))
    again = RegionForm(view, ArchiveSource(november.root), november.science_file(FLARE))
    fill_in(state, view, again)
    assert view.energies_chosen
    fill_in_regions(state, again)
    assert view.problem == ""
    assert asked_of(again, view.box) == asked_of(form, form.view.box)
    assert region_address(again, view.box, "regions") == address
    form.change(0, numbers="1, 2")
    assert region_address(form, form.view.box, "regions") == ""
    assert parse_qs(urlsplit(address).query)["copies"] == ["5"]


@pytest.mark.needs_shared_data
def test_the_window_of_a_link_gives_way_to_another_selection(form, november):
    """And a wrong option is reported beside a window that can be selected."""
    start, end = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:37:00", "us")
    state = ScienceState(ArchiveSource(november.root))
    assert state.take_address(f"window={start},{end},4,28&map=5000,2") == []
    view = FileView(november.locate(FLARE))
    fill_in(state, view, form)
    assert view.problem == "the URL has an option that the form does not allow: side=5000"
    assert view.box == view.snap(start, end, 4, 28)
    view.choose(start, end, 5, 20)
    fill_in(state, view, form)
    assert (view.box.low, view.box.high) == (5, 20)


@pytest.mark.needs_shared_data
def test_an_impossible_link_is_reported(form, november):
    state = ScienceState(ArchiveSource(november.root))
    complaints = state.take_address("regions=circle:a:1,2;nonsense&method=bp&copies=1")
    assert [complaint.split("=")[0] for complaint in complaints] == [
        "Ignored invalid regions",
        "Ignored invalid method",
    ]
    fill_in_regions(state, form)
    assert "ensemble=1" in form.view.problem


def test_a_ragged_contour_has_a_share_and_no_outline():
    """The browser could not draw hundreds of thousands of lines."""
    image = np.ones((202, 202))
    image[::2, ::2] = 0.0
    image[[0, -1]] = image[:, [0, -1]] = 0.0
    ragged = Reconstruction(Method.MEM_GE, ImageGrid((202, 202), 1.0), image)
    (note,) = region_notes([RegionEntry("ragged", "contour", "50, 0.5, 0.5")], ragged)
    assert (note.refusal, note.outlines) == ("", ())
    assert note.fraction == pytest.approx(1.0)


@pytest.mark.needs_shared_data
def test_an_image_that_keeps_others_waiting_is_refused(form):
    form.param.update(method=Method.EM, side=1024, pixel=0.5)
    feedback = band_feedback(form, form.view.box)
    assert feedback.instant is None
    assert feedback.problem.startswith("an image of 1024 × 1024 pixels with EM may take")
    form.param.update(side=129)
    assert band_feedback(form, form.view.box).problem == ""


@pytest.mark.needs_shared_data
def test_a_measurement_that_may_take_too_long_is_refused_before_it_begins(form):
    form.param.update(entries=entries_of("circle:west:960,-120,12"), method=Method.EM, side=129, ensemble=1000)
    with pytest.raises(LimitReached, match=r"129 × 129 pixels with 1000 copies may take .* 10 minutes are possible"):
        measure_box(form, form.view.box, NOW, lambda *_: None)


@pytest.mark.needs_shared_data
def test_the_measurement_is_the_form(form):
    known = band_feedback(form, form.view.box)
    assert isinstance(known, BandFeedback)
    assert known.instant is not None
    x, y = known.instant.image.peak
    form.param.update(ensemble=2, least=5000.0, method=Method.MEM_GE, model="vth")
    form.entries = (RegionEntry.of(Circle("bright", x, y, 20.0)),)
    known = band_feedback(form, form.view.box)
    steps: list[str] = []
    result = measure_box(form, form.view.box, NOW, lambda step, *_: steps.append(step))
    document = result.document
    assert result.asked == asked_of(form, form.view.box)
    assert sum(document["imaged"]) == known.imaged
    assert f"channel 1 of {known.imaged}" in steps
    (region,) = document["regions"]
    assert region["name"] == "bright"
    html = result_html(document, result.command)
    for text in ("bright", "Outside the regions", "Whole flare", "Scale", "MK", "stix-jobs regions"):
        assert text in html
    words = shlex.split(result.command)
    assert words[:2] == ["stix-jobs", "regions"]
    with ZipFile(result.archive()) as content:
        names = content.namelist()
        assert json.loads(content.read("regions.json"))["region_id"] == document["region_id"]
    assert {"regions.json", "regions.parquet", "command.txt", "stx_srm.fits"} <= set(names)
    form.ensemble = 3
    assert result.asked != asked_of(form, form.view.box)
    with pytest.raises(InvalidProduct):
        result_html({**document, "regions": None}, "")
    form.entries = ()
    with pytest.raises(SelectionError, match="draw a region"):
        measure_box(form, form.view.box, NOW, lambda *_: None)


@pytest.mark.needs_shared_data
def test_a_user_files_what_the_form_measures(form, science_archive):
    form.param.update(ensemble=2, least=700.0, method=Method.MEM_GE, model="vth")
    form.entries = (RegionEntry("a", "circle", "826, 144, 15", "vth+thick2"),)
    request = form.filed_request(form.view.box)
    assert request.regions == form.regions
    assert request.hidden is False
    assert (request.models, request.least_counts, request.spectrum.model) == ({"a": "vth+thick2"}, 700.0, "vth")
    assert ([*request.imaging.methods], request.imaging.ensemble) == ([Method.MEM_GE], 2)
    visitor = Visitor()
    tracking = Tracking(ArchiveSource(science_archive.root), lambda: visitor, lambda: NOW, FLARE)
    filed: list[str] = []
    filing = Filing(
        tracking, lambda: visitor, form, lambda: form.filed_request(form.view.box), lambda: filed.append("filed")
    )
    filing.hidden.value = True
    assert form.filed_request(form.view.box).hidden is True
    filing.button.clicks += 1
    assert tracking.status is None  # a guest
    visitor = Visitor("alice")
    filing.button.clicks += 1
    assert tracking.problem == ""
    assert tracking.status is not None
    assert tracking.status.request.kind == "regions"
    assert not Visitor("bob").may_see_request(tracking.status.request)
    assert filed == []
    assert "is next" in filed_html(tracking.status, answered=False)
    done = replace(tracking.status.request, state=RequestState.DONE)
    part = TaskResult(0, "0123456789abcdef", "")
    html = filed_html(replace(tracking.status, request=done, parts=(part,)), answered=False)
    assert "archive/regions/0123456789abcdef/regions.json" in html
    tracking.status = replace(tracking.status, request=done)
    tracking.answered = True
    assert filed == ["filed"]  # once, however often its state is shown
    Journal(science_archive.root).cancel(done.request_id, NOW)
