"""The form of the interactive reconstruction, and a request on its way, without a browser."""

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, ImageFilter
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.form_parts import feedback_html
from dashboards.pages.science_data.imaging_form import BINS, COUNTS, GIVEN, STEPS, ImagingForm
from dashboards.pages.science_data.newest_only import NewestOnly
from dashboards.pages.science_data.tracking import Tracking
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.source import ArchiveSource
from jobs.executors.serial import SerialExecutor
from jobs.queue.journal import Journal, RequestState
from jobs.queue.planning import plan_request
from jobs.queue.requests import NONE, parse_request
from jobs.queue.worker import Worker
from jobs.renderings.planner import RequestPlanner
from jobs.shared.errors import BadRequest, LimitReached
from stixcore.errors import SelectionError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import ALL_LABELS, PixelSet
from stixcore.options import ShiftBins

FLARE, QUIET, LONG = "2211116471", "2211098157", "2212273755"
NOW = np.datetime64("2026-11-25T12:00:00", "us")


@pytest.fixture
def form(november: Archive) -> ImagingForm:
    view = FileView(november.locate(FLARE))
    view.box = view.peak_minute()
    return ImagingForm(view, ArchiveSource(november.root), november.science_file(FLARE))


@pytest.fixture
def early(tmp_path: Path, shared_data: Path) -> ImagingForm:
    """A file of November 2022 with its dates in 2020, when counts were a bin late, and bins of 3 s."""
    path = tmp_path / "early.fits"
    shutil.copyfile(next((shared_data / "nov2022" / "l1").glob(f"*_{FLARE}-*.fits")), path)
    with fits.open(path, mode="update") as hdus:
        for key in ("DATE-BEG", "DATE-OBS", "DATE-AVG", "DATE-END"):
            if key in hdus[0].header:
                hdus[0].header[key] = hdus[0].header[key].replace("2022-", "2020-")
        for column in ("time", "timedel", "triggers"):
            hdus["DATA"].data[column][:] //= 20
    archive = Archive(tmp_path / "archive", create=True)
    view = FileView(path)
    view.box = view.peak_minute()
    return ImagingForm(view, ArchiveSource(archive.root), None, background=NONE)


@pytest.fixture
def own_november(november: Archive, tmp_path: Path) -> Archive:
    shutil.copytree(november.root, tmp_path / "archive")
    return Archive(tmp_path / "archive")


def test_the_request_is_what_was_chosen(form: ImagingForm) -> None:
    request = form.request(form.view.box)
    assert parse_request(request.to_json()) == request
    assert request.time_ranges == ((form.view.box.start, form.view.box.end),)
    assert request.energy_ranges == ((6.0, 10.0),)
    assert set(request.methods) == set(Method)
    form.param.update(
        energies="10-15, 15-25",
        background=NONE,
        methods=["clean", "vis_fwdfit"],
        clean_gain=0.05,
        shape_of_sources="two circles",
        side=65,
        pixel=4.0,
        subcollimators=["3a", "10a", "1c"],
        pixel_set=PixelSet.TOP,
        place=GIVEN,
        x=800.0,
        y=150.0,
        pointing=GIVEN,
        roll=2.0,
        pointing_x=30.0,
        hidden=True,
    )
    request = form.request(form.view.box)
    assert parse_request(request.to_json()).to_json() == request.to_json()
    assert request.energy_ranges == ((6.0, 10.0), (10.0, 15.0), (15.0, 25.0))
    assert request.subcollimators == tuple(label for label in ALL_LABELS if label in {"3a", "10a", "1c"})
    assert request.methods[Method.CLEAN].gain == 0.05
    assert request.methods[Method.VIS_FWDFIT].configuration == ("circle", "circle")
    assert (request.location, request.shape, request.pixel) == ((800.0, 150.0), (65, 65), 4.0)
    assert (request.pointing.roll, request.pointing.x, request.hidden) == (2.0, 30.0, True)


def test_error_bars_are_a_choice_with_30_copies_unless_another_number_is_given(form: ImagingForm) -> None:
    form.param.update(ensemble=12, seed=7)
    assert (form.request(form.view.box).ensemble, form.request(form.view.box).seed) == (0, 0)
    form.error_bars = True
    asked = form.request(form.view.box)
    assert (asked.ensemble, asked.seed) == (12, 7)
    assert "with error bars from 12 copies each: about 4.2 s more" in feedback_html(form.feedback(form.view.box))
    assert ImagingForm.param.ensemble.default == 30


def test_lambda_is_automatic_until_it_is_given(form: ImagingForm) -> None:
    form.mem_percent = 2.0
    assert form.method_parameters()[Method.MEM_GE].percent_lambda is None
    form.mem_choice = GIVEN
    assert form.method_parameters()[Method.MEM_GE].percent_lambda == 0.02


def test_a_box_can_be_cut(form: ImagingForm) -> None:
    start, end = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:46:00", "us")
    box = form.view.snap(start, end, 6, 10)
    form.param.update(cut=STEPS, step=120.0)
    steps = form.intervals(box)
    assert len(steps) == 5
    assert (steps[0][0], steps[-1][1]) == (box.start, box.end)
    form.cut = BINS
    assert len(form.intervals(box)) == 10
    form.param.update(cut=COUNTS, counts=1e6)
    assert len(form.intervals(box)) < 10
    form.param.update(cut=BINS, energies="10-15")
    assert form.request(box).task_count == 20
    feedback = form.feedback(box)
    assert (feedback.n_images, feedback.problem) == (20 * len(default_methods()), "")


TYPED = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:37:00", "us")


def test_typed_times_become_bins_by_the_chosen_rule(form: ImagingForm) -> None:
    view, data = form.view, form.data
    for rule in WindowRule:
        view.choose(*TYPED, 6, 10, typed=True, rule=rule)
        bins = data.time_bins(*TYPED, rule)
        assert (view.box.start, view.box.end) == data.window(bins)
        seconds = float(data.duration[bins].sum())
        assert view.asked.startswith("asked 2022-11-11 11:36:00-11:37:00, whole bins ")
        assert view.asked.endswith(f", {seconds:.10g} s")
    assert (seconds, float(data.duration[data.time_bins(*TYPED)].sum())) == (120.0, 60.0)  # outward, centres


def test_exact_refuses_typed_times_that_are_not_of_whole_bins(form: ImagingForm) -> None:
    view, before = form.view, form.view.box
    view.choose(*TYPED, 6, 10, typed=True, exact=True)
    assert view.problem.startswith("the time range does not match whole bins: asked 2022-11-11 11:36:00-11:37:00")
    assert view.box == before
    start, end = form.data.window(slice(2, 4))
    view.choose(start, end, 6, 10, typed=True, exact=True)
    assert (view.problem, view.asked) == ("", "")
    assert (view.box.start, view.box.end) == (start, end)


def test_late_counts_are_moved_as_chosen_in_image_and_request(early: ImagingForm) -> None:
    assert early.data.can_shift_bins
    box = early.view.box
    moved = early.feedback(box)
    assert early.request(box).shift_bins is ShiftBins.AUTO
    early.shift_bins = ShiftBins.OFF
    left = early.feedback(box)
    assert (moved.problem, left.problem) == ("", "")
    assert early.request(box).shift_bins is ShiftBins.OFF
    times, channels = early.data.time_bins(box.start, box.end), early.data.energy_channels(box.low, box.high)
    assert left.instant.recorded == early.data.read(times, channels).counts.sum()
    assert moved.instant.recorded == early.data.with_shifted_bins().read(times, channels).counts.sum()
    assert moved.instant.recorded != left.instant.recorded


def test_what_cannot_be_asked_for_is_said(form: ImagingForm) -> None:
    box = form.view.box
    form.energies = "high"
    with pytest.raises(NotUnderstood, match="“high” is not an energy range"):
        form.request(box)
    assert "“high”" in form.feedback(box).problem
    form.energies = "4-90"
    with pytest.raises(SelectionError, match="not inside the file"):
        form.request(box)
    form.param.update(energies="", methods=[])
    with pytest.raises(BadRequest, match="at least one method"):
        form.request(box)
    form.param.update(methods=["bp"], cut=BINS, energies=",".join(f"{k}-{k + 1}" for k in range(4, 16)))
    whole = form.view.snap(form.data.t_start[0], form.data.t_end[-1], 6, 10)
    with pytest.raises(LimitReached, match="image sets, 500 at most"):
        form.request(whole)
    form.param.update(energies="", cut="one", subcollimators=[])
    assert "sub-collimator" in form.feedback(box).problem


def test_the_instant_image_is_the_one_the_worker_makes(form: ImagingForm, november: Archive) -> None:
    box = form.view.box
    feedback = form.feedback(box)
    assert feedback.instant is not None
    assert QUIET in feedback.background
    form.methods = ["bp"]
    (task,) = plan_request(november, form.request(box), "alice", NOW)
    from stixcore.reconstruct import prepare_recipe, reconstruct

    paths = {path.name: path for path in (task.science, task.background, *task.aspect)}
    recipe = prepare_recipe(task.request, task.science, task.background, task.aspect)
    final = reconstruct(recipe, lambda file: paths[file.name])
    assert feedback.instant.image.peak == final.images[Method.BP].peak
    np.testing.assert_array_equal(feedback.instant.image.image, final.images[Method.BP].image)
    assert (feedback.instant.counts, feedback.instant.background) == final.counts
    assert feedback.spectrum is not None
    assert np.isfinite(feedback.spectrum.background).any()
    form.background = NONE
    assert np.isnan(form.feedback(box).spectrum.background).all()
    assert form.feedback(box).instant.background == 0


def test_only_pixel_data_can_be_imaged(november: Archive) -> None:
    with pytest.raises(BadRequest, match="has no pixel data"):
        ImagingForm(FileView(november.locate(LONG)), ArchiveSource(november.root), november.science_file(LONG))


def test_a_guest_cannot_submit_nor_who_signed_out(form: ImagingForm, own_november: Archive) -> None:
    who = [GUEST]
    tracking = Tracking(ArchiveSource(own_november.root), lambda: who[0], lambda: NOW, FLARE)
    tracking.submit(lambda: form.request(form.view.box))
    assert "sign in to submit requests" in tracking.problem
    assert Journal(own_november.root).requests() == []
    who[0] = Visitor("alice")
    tracking.submit(lambda: form.request(form.view.box))
    assert tracking.problem == ""
    assert tracking.status.request.state is RequestState.QUEUED
    assert tracking.status.position == 0
    number = tracking.request_id
    who[0] = GUEST  # in another tab
    for act in (tracking.cancel, tracking.retry):
        act()
        assert "sign in" in tracking.problem
    who[0] = Visitor("bob")
    tracking.cancel()
    assert "another user's" in tracking.problem
    assert tracking.mine == ()
    assert Journal(own_november.root).get(number).state is RequestState.QUEUED
    who[0] = Visitor("alice")
    tracking.cancel()
    assert tracking.status.request.state is RequestState.CANCELLED
    tracking.retry()
    assert tracking.status.request.state is RequestState.QUEUED
    assert [request.request_id for request in tracking.mine] == [number]


def test_a_hidden_request_is_nobody_elses(form: ImagingForm, own_november: Archive) -> None:
    who = [Visitor("alice")]
    tracking = Tracking(ArchiveSource(own_november.root), lambda: who[0], lambda: NOW, FLARE)
    form.hidden = True
    tracking.submit(lambda: form.request(form.view.box))
    assert tracking.status is not None
    for other in (GUEST, Visitor("bob")):
        who[0] = other
        tracking.refresh()
        assert tracking.status is None
    who[0] = Visitor("olga", operator=True)
    tracking.refresh()
    assert tracking.status is not None
    tracking.follow(4711)
    assert tracking.status is None


def test_from_submission_to_images_and_at_once_the_second_time(form: ImagingForm, own_november: Archive) -> None:
    tracking = Tracking(ArchiveSource(own_november.root), lambda: Visitor("alice"), lambda: NOW, FLARE)
    form.param.update(methods=["bp", "clean"], side=65, pixel=4.0)
    tracking.submit(lambda: form.request(form.view.box))
    assert tracking.is_open
    assert not tracking.answered
    with SerialExecutor() as executor:
        assert Worker(own_november.root, RequestPlanner(), executor, lambda: NOW).run(until_idle=True) == 1
    tracking.refresh()
    assert tracking.status.request.state is RequestState.DONE
    run_id = tracking.status.parts[0].run_id
    made = own_november.images(ImageFilter(recipe_id=run_id))
    assert {image.method for image in made} == {"bp", "clean"}
    assert {image.author for image in made} == {"alice"}
    (bp,) = (image for image in made if image.method == "bp")
    assert (bp.peak_hpc_x, bp.peak_hpc_y) == form.feedback(form.view.box).instant.image.peak
    tracking.submit(lambda: form.request(form.view.box))
    assert tracking.answered
    assert not tracking.is_open


def test_what_goes_wrong_with_the_journal_is_one_sentence(form: ImagingForm, tmp_path: Path) -> None:
    tracking = Tracking(ArchiveSource(tmp_path / "nowhere"), lambda: Visitor("alice"), lambda: NOW, FLARE)
    tracking.submit(lambda: form.request(form.view.box))
    assert "There is no archive here yet" in tracking.problem


def test_only_the_newest_question_is_answered() -> None:
    latest, started, go_on, done = NewestOnly(), threading.Event(), threading.Event(), threading.Event()
    answered: list[Any] = []

    def first() -> None:
        started.set()
        go_on.wait(20)
        answered.append("first")

    def last() -> None:
        answered.append("last")
        done.set()

    latest.ask(first)
    assert started.wait(20)
    for number in range(50):
        latest.ask(lambda number=number: answered.append(number))
    latest.ask(last)
    go_on.set()
    assert done.wait(20)
    assert answered == ["first", "last"]
    assert latest.begun == 2
    latest.close()
    latest.ask(lambda: answered.append("too late"))
    assert answered == ["first", "last"]


def test_a_question_that_fails_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    latest, done = NewestOnly(), threading.Event()
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        message = "no"
        raise RuntimeError(message)

    latest.ask(fail)
    assert failed.wait(20)
    latest.ask(done.set)
    assert done.wait(20)


def test_a_typed_range_that_is_not_of_whole_bins_is_said(form: ImagingForm) -> None:
    start, end = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:37:00", "us")
    form.view.choose(start, end, 6, 10, typed=True)
    text = "asked 2022-11-11 11:36:00-11:37:00, whole bins 2022-11-11 11:35:40.271-11:36:40.271, 60 s"
    assert form.feedback(form.view.box).asked == text
    assert "Asked 2022-11-11 11:36:00-11:37:00, whole bins" in feedback_html(form.feedback(form.view.box))
    box = form.view.box
    form.view.choose(box.start, box.end, 6, 10, typed=True)
    assert form.feedback(form.view.box).asked == ""
    form.view.choose(start, end, 6, 10)  # dragged
    assert form.feedback(form.view.box).asked == ""
