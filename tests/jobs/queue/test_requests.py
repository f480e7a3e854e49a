"""Requests: JSON in and out, what is refused and how, and the image sets they become."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import Archive, OtherFile, RunFilter, RunStatus
from archive.layout import image_id
from jobs.queue.journal import Journal, RequestState, TaskResult
from jobs.queue.leases import Leases
from jobs.queue.planning import plan_request
from jobs.queue.requests import ImagingRequest, parse_request
from jobs.queue.submit import submit, whole_bins
from jobs.renderings.requests import parse_any
from jobs.shared.errors import BadRequest, LimitReached, NotAllowed
from jobs.shared.limits import Limits
from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource
from stixcore.fits.read import read_pixel_data
from stixcore.fits.windows import WindowRule
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import ALL_LABELS, PixelSet
from stixcore.options import ShiftBins
from stixcore.recipe import Recipe
from stixcore.reconstruct import prepare_recipe

NOW = np.datetime64("2026-03-21T00:00:00", "us")
SECOND = np.timedelta64(1_000_000, "us")
LEAST = {
    "uid": "2603141000",
    "time_ranges": [["2026-03-14T10:13:00", "2026-03-14T10:14:00"]],
    "energy_ranges_kev": [[4, 10]],
}


def text(**changes):
    return json.dumps(LEAST | changes)


def test_the_rest_has_defaults():
    request = parse_request(text())
    assert request.methods == default_methods()
    assert (request.background, request.location, request.pointing, request.hidden) == ("auto", None, None, False)
    assert (request.shape, request.pixel, request.task_count) == ((129, 129), 2.0, 1)


times = st.integers(0, 10**11).map(lambda n: np.datetime64("2022-01-01", "us") + n * np.timedelta64(1, "ms"))
ranges = st.lists(times, min_size=2, max_size=2, unique=True).map(lambda pair: tuple(sorted(pair)))
numbers = st.floats(-9e3, 9e3)
requests = st.builds(
    ImagingRequest,
    uid=st.sampled_from(["2603141000", "solo_L1_x.fits"]),
    time_ranges=st.lists(ranges, min_size=1, max_size=3, unique=True).map(tuple),
    energy_ranges=st.lists(st.tuples(st.floats(0, 10), st.floats(10.1, 150)), min_size=1, max_size=3, unique=True).map(
        tuple
    ),
    background=st.sampled_from(["auto", "none", "2603149000"]),
    methods=st.just(default_methods())
    | st.builds(lambda gain: {Method.CLEAN: CleanParameters(gain=gain)}, st.floats(0.01, 1.0)),
    location=st.none() | st.tuples(numbers, numbers),
    pointing=st.none() | st.builds(Pointing, st.just(PointingSource.MANUAL), numbers, numbers, numbers),
    shape=st.tuples(st.integers(16, 1024), st.integers(16, 1024)),
    pixel=st.floats(0.1, 60.0),
    subcollimators=st.lists(st.sampled_from(ALL_LABELS), min_size=1, unique=True).map(tuple),
    pixel_set=st.sampled_from(PixelSet),
    amplitude_scheme=st.sampled_from(AmplitudeScheme),
    edge_correction=st.sampled_from(EdgeCorrection),
    window_rule=st.sampled_from(WindowRule),
    exact=st.booleans(),
    shift_bins=st.sampled_from(ShiftBins),
    ensemble=st.sampled_from([0, 2, 30, 1000]),
    seed=st.integers(0, 10**15),
    hidden=st.booleans(),
)


@given(requests)
def test_json_and_back_is_the_same_and_canonical(request):
    again = parse_request(request.to_json())
    assert again.to_json() == request.to_json()
    for name, value in vars(request).items():
        if name != "pointing":  # the radius of a manual one is NaN, and that is not equal to itself
            assert getattr(again, name) == value
    assert repr(again.pointing) == repr(request.pointing)


def test_every_choice_reaches_every_image_set():
    """Each differs from its default, so that none can be left out; a new one has to be added here."""
    choices = {
        "methods": {Method.CLEAN: CleanParameters(gain=0.2)},
        "location": (1.0, 2.0),
        "pointing": Pointing(PointingSource.MANUAL, 1.0, 2.0, 3.0),
        "shape": (64, 65),
        "pixel": 3.0,
        "subcollimators": ("10a", "9b"),
        "pixel_set": PixelSet.TOP,
        "amplitude_scheme": AmplitudeScheme.GSW_2021,
        "edge_correction": EdgeCorrection.FLAT,
        "window_rule": WindowRule.OUTWARD,
        "exact": True,
        "shift_bins": ShiftBins.OFF,
        "ensemble": 30,
        "seed": 7,
    }
    elsewhere = {"uid", "time_ranges", "energy_ranges", "background", "hidden"}
    assert {field.name for field in fields(ImagingRequest)} == set(choices) | elsewhere
    times = tuple((NOW + n * SECOND, NOW + (n + 1) * SECOND) for n in range(2))
    energies = ((4.0, 10.0), (10.0, 16.0))
    parts = ImagingRequest("2603141000", times, energies, **choices).parts()
    assert [(part.start, part.end, part.energy) for part in parts] == [
        (*times[0], energies[0]),
        (*times[0], energies[1]),
        (*times[1], energies[0]),
        (*times[1], energies[1]),
    ]
    for part in parts:
        assert {name: getattr(part, name) for name in choices} == choices


def test_however_it_is_written_equal_requests_are_equal_texts():
    spelled_out = json.loads(parse_request(text()).to_json())
    shuffled = dict(reversed(spelled_out.items()))
    variants = [
        text(shape=129, pixel_arcsec=2, energy_ranges_kev=[[4.0, 1e1]]),
        text(time_ranges=[["2026-03-14 10:13", "2026-03-14T10:14:00.000Z"]]),
        text(methods=None),
        text(methods=[str(method) for method in default_methods()]),
        text(methods={str(method): {} for method in default_methods()}),
        text(version=1, location=None, pointing="auto", hidden=False),
        json.dumps(shuffled, indent=2),
    ]
    assert {parse_request(variant).to_json() for variant in variants} == {parse_request(text()).to_json()}


def test_parameters_that_are_not_given_have_their_defaults():
    request = parse_request(text(methods={"clean": {"gain": 0.2}, "vis_fwdfit": {"configuration": ["circle"]}}))
    assert request.methods[Method.CLEAN] == replace(default_methods()[Method.CLEAN], gain=0.2)
    assert request.methods[Method.VIS_FWDFIT].configuration == ("circle",)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"uid": "../etc"}, "'../etc' is neither the uid nor the name of a file"),
        ({"uid": 7}, "uid: expected a text, found 7"),
        ({"background": ""}, "'' is neither"),
        ({"time_ranges": []}, "at least one time range"),
        ({"time_ranges": [["2026-03-14", "2026-03-14"]]}, "the time range 2026-03-14.* is empty"),
        ({"time_ranges": [["now", "2026-03-14"]]}, "time_ranges: 'now' is not a time"),
        ({"time_ranges": [["2026-03-14"]]}, "time_ranges: expected a list of two"),
        ({"time_ranges": LEAST["time_ranges"] * 2}, "the same time range is asked for twice"),
        ({"energy_ranges_kev": [[10, 4]]}, "the energy range 10-4 keV is empty"),
        ({"energy_ranges_kev": [[4, True]]}, "energy_ranges_kev: expected a number"),
        ({"energy_ranges_kev": [[4, 10**400]]}, "energy_ranges_kev: expected a number"),
        ({"methods": {}}, "at least one method"),
        ({"methods": ["magic"]}, "methods: expected full_disk_bp, .* or vis_fwdfit, found 'magic'"),
        ({"methods": {"clean": {"gian": 1}}}, "methods: clean has no parameter 'gian'; it has beam_fwhm, gain"),
        ({"methods": {"clean": {"gain": 7}}}, "methods: CLEAN needs"),
        ({"methods": {"clean": {"gain": "high"}}}, "methods: expected a number, found 'high'"),
        ({"methods": {"clean": {"max_iterations": 1.5}}}, "methods: expected a whole number"),
        ({"methods": {"clean": {"weighting": "heavy"}}}, "methods: expected natural or uniform, found 'heavy'"),
        ({"methods": {"vis_fwdfit": {"configuration": ["square"]}}}, "methods: a configuration is"),
        ({"methods": {"vis_fwdfit": {"fwhm_limits": 3}}}, "methods: "),
        ({"location": [1, 2]}, "location: expected an object with x_arcsec, y_arcsec"),
        ({"location": {"x_arcsec": 1}}, "location: expected an object with x_arcsec, y_arcsec"),
        ({"pointing": "there"}, "pointing: expected an object with roll_deg"),
        ({"shape": [129]}, "shape: expected a list of two"),
        ({"subcollimators": ["11z"]}, "sub-collimators must be distinct labels"),
        ({"subcollimators": ["3a", "3a"]}, "the same sub-collimator is asked for twice"),
        ({"pixel_set": "HALF"}, "pixel_set: expected TOP, .*, found 'HALF'"),
        ({"hidden": 1}, "hidden: expected true or false"),
        ({"version": 2}, "version: found 2, this software reads 1"),
        ({"colour": "red"}, "unknown key 'colour'; a request has version, uid"),
    ],
)
def test_what_is_wrong_is_named(changes, sentence):
    with pytest.raises(BadRequest, match=sentence):
        parse_request(text(**changes))


@pytest.mark.parametrize("broken", ["", "[]", "null", "{", '{"uid": NaN}', "[" * 50_000, '{"a":' * 50_000, b"\xff"])
def test_what_is_no_object_is_refused(broken):
    with pytest.raises(BadRequest, match="a request is a JSON object"):
        parse_request(broken)


@pytest.mark.parametrize("key", list(LEAST))
def test_what_is_missing_is_named(key):
    with pytest.raises(BadRequest, match=f"^{key} is missing$"):
        parse_request(json.dumps({name: value for name, value in LEAST.items() if name != key}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shape": 1025}, "images of 1025 pixels a side, 16 to 1024 are possible"),
        ({"shape": [16, 1025]}, "images of 1025 pixels a side, 16 to 1024 are possible"),
        ({"shape": 0}, "images of 0 pixels a side"),
        ({"pixel_arcsec": 0.01}, "pixels of 0.01 arcsec, 0.1 to 60 are possible"),
        ({"pixel_arcsec": -2}, "pixels of -2 arcsec"),
        ({"location": {"x_arcsec": 0, "y_arcsec": -20000}}, "a map 20000 arcsec from Sun centre, 10000 at most"),
        (
            {
                "time_ranges": [[f"2026-03-14T10:{m:02d}:{s:02d}", "2026-03-15"] for m in range(10) for s in range(26)],
                "energy_ranges_kev": [[4, 10], [10, 16]],
            },
            "520 image sets, 500 at most",
        ),
        ({"uid": "x" * 300_000}, "a request may be 262144 bytes long, this one has 300"),
    ],
)
def test_limits_are_told_in_one_sentence(changes, sentence):
    with pytest.raises(LimitReached, match=sentence):
        parse_request(text(**changes))


def test_five_hundred_are_allowed():
    seconds = [f"2026-03-14T10:{m:02d}:{s:02d}" for m in range(10) for s in range(25)]
    request = parse_request(
        text(time_ranges=[[s, "2026-03-15"] for s in seconds], energy_ranges_kev=[[4, 10], [10, 16]])
    )
    parts = request.parts()
    assert len(parts) == request.task_count == 500
    assert [part.energy for part in parts[:3]] == [(4.0, 10.0), (10.0, 16.0), (4.0, 10.0)]
    assert [part.start for part in parts[::2]] == [np.datetime64(s, "us") for s in seconds]


# In an archive


@pytest.fixture
def flare(finished_archive):
    """A science file that has preview images, and such a run."""
    run = finished_archive.runs(RunFilter(statuses=(RunStatus.DONE,)))[0]
    return finished_archive.science_file(run.uid), run


def like(run, **changes):
    """The request for what a run shows."""
    recipe = Recipe.from_json(run.recipe)
    choices = {
        "uid": run.uid,
        "time_ranges": ((recipe.t_start, recipe.t_end),),
        "energy_ranges": (recipe.energy_range,),
    }
    return ImagingRequest(**choices | changes)


def test_the_same_choices_as_a_preview_are_the_same_recipe(finished_archive, flare):
    _, run = flare
    (task,) = plan_request(finished_archive, like(run), "anna", NOW)
    assert prepare_recipe(task.request, task.science, task.background, task.aspect).recipe_id == run.run_id
    assert (task.context.author, task.context.kind, task.context.band) == ("anna", "user", run.band)
    assert (task.context.flare_id, task.context.background_uid) == (run.flare_id, run.background_uid)


def test_a_background_of_the_time_of_the_flare_is_refused(finished_archive, tmp_path, flare):
    request = like(flare[1], background=flare[1].uid)
    with pytest.raises(BadRequest, match="overlaps the time range"):
        submit(finished_archive, Journal(tmp_path), request, "anna", NOW)


def test_exact_is_refused_at_once_and_says_the_bins(finished_archive, tmp_path, flare):
    file, run = flare
    data = read_pixel_data(finished_archive.path_of(file.path))
    start, end = data.t_start[3], data.t_end[20]
    journal = Journal(tmp_path)
    late = like(run, time_ranges=((start + np.timedelta64(100, "ms"), end),), exact=True)
    with pytest.raises(BadRequest, match=r"the time range is not one of whole bins: asked .*, whole bins "):
        submit(finished_archive, journal, late, "anna", NOW)
    assert journal.requests() == []
    _, new = submit(finished_archive, journal, replace(late, time_ranges=((start, end),)), "anna", NOW)
    assert new
    (window,) = whole_bins(finished_archive, replace(late, exact=False), file)
    assert (window.t_start, window.t_end, window.differs) == (start, end, True)


def test_background_as_asked_for(finished_archive, flare):
    _, run = flare
    assert run.background_uid
    (task,) = plan_request(finished_archive, like(run, background="none"), "anna", NOW)
    assert task.background is None
    assert task.context.background_reason == "no background subtracted: as asked for"
    (task,) = plan_request(finished_archive, like(run, background=run.background_uid), "anna", NOW)
    assert task.background == finished_archive.locate(run.background_uid)
    assert (task.context.background_uid, task.context.background_reason) == (run.background_uid, "as asked for")


def test_every_range_is_an_image_set(finished_archive, flare):
    file, run = flare
    start = file.t_start + np.arange(4) * 60 * SECOND
    request = like(
        run, time_ranges=tuple((t, t + 60 * SECOND) for t in start), energy_ranges=((4.0, 10.0), (6.0, 12.0))
    )
    tasks = plan_request(finished_archive, request, "anna", NOW)
    assert [task.request for task in tasks] == request.parts()
    assert {task.created for task in tasks} == {NOW}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"uid": "1234567890"}, "no science file has the name or uid '1234567890'"),
        ({"background": "1234567890"}, "no science file has the name or uid '1234567890'"),
        ({"energy_ranges": ((4.0, 500.0),)}, r"the energy range 4-500 keV is not inside .*, which covers 4-\d+ keV"),
        (
            {"time_ranges": ((NOW, NOW + SECOND),)},
            "the time range 2026-03-21.* is not inside .*, which covers 2026-03-14",
        ),
    ],
)
def test_what_the_archive_cannot_satisfy_is_refused_at_once(finished_archive, tmp_path, flare, changes, sentence):
    journal = Journal(tmp_path)
    with pytest.raises(BadRequest, match=sentence):
        submit(finished_archive, journal, like(flare[1], **changes), "anna", NOW)
    assert journal.requests() == []


def test_a_seed_without_copies_is_refused_and_stored_requests_stay_readable(finished_archive, tmp_path, flare):
    stored = parse_request(text(seed=7))
    assert parse_request(stored.to_json()).seed == 7
    with pytest.raises(BadRequest, match="seed: has no effect without simulated copies; set ensemble"):
        submit(finished_archive, Journal(tmp_path), like(flare[1], seed=7), "anna", NOW)
    assert submit(finished_archive, Journal(tmp_path), like(flare[1], ensemble=2, seed=7), "anna", NOW)[1]
    assert parse_any(stored.to_json(), Limits()) == stored  # as the worker reads it


def test_a_spectrogram_makes_no_image(flare):
    with pytest.raises(BadRequest, match="holds no pixel data"):
        like(flare[1]).check_file(replace(flare[0], product="sci-xray-spec"))


def test_limits_hold_for_requests_made_by_hand(finished_archive, tmp_path, flare):
    with pytest.raises(LimitReached, match="2000 pixels a side, 16 to 1024"):
        submit(finished_archive, Journal(tmp_path), like(flare[1], shape=(2000, 2000)), "anna", NOW)
    with pytest.raises(LimitReached, match="1 image sets, 0 at most"):
        submit(finished_archive, Journal(tmp_path), like(flare[1]), "anna", NOW, Limits(task_count=0))
    with pytest.raises(NotAllowed):
        submit(finished_archive, Journal(tmp_path), like(flare[1]), "guest", NOW)


def answer(archive, journal, request, run, user="anna"):
    """Submit a request and have it done, as if a worker had."""
    leases = Leases(journal.path.parent)
    submitted, new = submit(archive, journal, request, user, NOW)
    assert new
    leases.claim("w", NOW, 30.0)
    leases.record(submitted.request_id, "w", [TaskResult(0, run.run_id, "")], 1.0)
    leases.finish(submitted.request_id, "w", NOW, RequestState.DONE)
    return submitted.request_id


def test_what_was_answered_is_answered_at_once(finished_archive, tmp_path, flare):
    journal = Journal(tmp_path)
    first = answer(finished_archive, journal, like(flare[1]), flare[1])
    own, new = submit(finished_archive, journal, like(flare[1]), "anna", NOW)
    assert (own.request_id, own.state, new) == (first, "done", False)
    other, new = submit(finished_archive, journal, like(flare[1]), "bert", NOW)
    assert (other.answered_by, other.state, new) == (first, "done", True)
    assert [part.run_id for part in journal.parts(other.request_id)] == [flare[1].run_id]


def test_an_answer_whose_images_are_gone_is_none(own_archive, tmp_path, flare):
    journal = Journal(tmp_path)
    run = flare[1]
    first = answer(own_archive, journal, like(run), run)
    own_archive.delete("runs", [run.run_id])
    own_archive.delete("images", [image_id(run.run_id, "bp")])
    again, new = submit(own_archive, journal, like(run), "anna", NOW)
    assert new
    assert (again.request_id != first, again.state) == (True, "queued")


def test_an_answer_from_before_a_new_file_came_is_none(own_archive, tmp_path, flare):
    journal = Journal(tmp_path)
    answer(own_archive, journal, like(flare[1]), flare[1])
    own_archive.upsert("science_files", [replace(flare[0], ingested_at=NOW + SECOND)])
    again, new = submit(Archive(own_archive.root), journal, like(flare[1]), "anna", NOW)
    assert (again.state, new) == ("queued", True)


@pytest.mark.parametrize(("product", "queued"), [("cal-energy", True), ("hk-maxi", False)])
def test_an_answer_from_before_a_new_calibration_came_is_none(own_archive, tmp_path, flare, product, queued):
    journal = Journal(tmp_path)
    answer(own_archive, journal, like(flare[1]), flare[1])
    columns = ("level", "version", "sha256", "size", "path", "t_start", "t_end", "uid", "purpose")
    row = {name: getattr(flare[0], name) for name in columns}
    file = OtherFile(name="x.fits", product=product, n_rows=1, ingested_at=NOW + SECOND, **row)
    own_archive.upsert("other_files", [file])
    again, _ = submit(Archive(own_archive.root), journal, like(flare[1]), "anna", NOW)
    assert (again.state == "queued") is queued
