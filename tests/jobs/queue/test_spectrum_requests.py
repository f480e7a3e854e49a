"""Requests for spectra and for spectra of regions: their JSON, what is refused, and from submission to index."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from archive import Archive, RegionFilter, SpectrumFilter
from archive.checks.run import check
from archive.chianti import CHIANTI_FOLDER
from archive.index.recorded import REGION_RECORDS
from archive.ingest.ingest import OutcomeStatus, ingest
from archive.layout import SPECTRUM_FILE
from jobs.cli.repair import SpectrumRemaker
from jobs.executors.serial import SerialExecutor
from jobs.queue import kept
from jobs.queue.journal import Journal
from jobs.queue.measure_once import index_measurements, spectrum_once
from jobs.queue.measurement_requests import measurement_schema, parse_queued
from jobs.queue.planning import plan_regions, plan_spectrum
from jobs.queue.region_requests import RegionsRequest
from jobs.queue.requests import ImagingRequest
from jobs.queue.spectrum_requests import SpectrumOptions, SpectrumTaskRequest
from jobs.queue.submit import submit
from jobs.queue.worker import Worker, WorkerSettings
from jobs.renderings.planner import RequestPlanner
from jobs.renderings.requests import parse_any
from jobs.shared.errors import BadRequest, LimitReached
from stixcore.imaging.clean import CleanParameters
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.region_recipe import COPIES, RegionRecipe
from stixcore.spectra.regions import Circle, Polygon

NOW = np.datetime64("2026-11-30T12:00:00", "us")
LATER = NOW + np.timedelta64(3, "h")
START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 38))
UID = "2211116471"
PLACE = (825.1, 144.7)
SPECTRUM = {"kind": "spectrum", "uid": UID, "start": "2022-11-11T11:36:00", "end": "2022-11-11T11:38:00"}
IMAGING = {
    "uid": UID,
    "time_ranges": [["2022-11-11T11:36:00", "2022-11-11T11:38:00"]],
    "energy_ranges_kev": [[4, 28]],
    "methods": ["clean"],
}
NORTH = {"name": "north", "shape": "circle", "x": 830.0, "y": 170.0, "radius": 15.0}
SOUTH = {"name": "south", "shape": "polygon", "corners": [[800, 120], [850, 120], [850, 150]]}
REGIONS = {"kind": "regions", "imaging": IMAGING, "regions": [NORTH, SOUTH]}


# JSON ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [SPECTRUM, REGIONS])
def test_json_is_canonical_and_reads_back(document):
    request = parse_queued(json.dumps(document))
    text = request.to_json()
    assert parse_any(text) == request
    assert parse_queued(text).to_json() == text
    assert set(json.loads(text)) == set(measurement_schema(document["kind"])["properties"])


def test_regions_have_their_shapes_and_copies_for_errors():
    request = parse_queued(json.dumps(REGIONS))
    assert request.regions == (
        Circle("north", 830.0, 170.0, 15.0),
        Polygon("south", ((800.0, 120.0), (850.0, 120.0), (850.0, 150.0))),
    )
    assert request.imaging.ensemble == COPIES
    assert request.image.energy == (4.0, 28.0)
    assert parse_queued(json.dumps({**REGIONS, "imaging": {**IMAGING, "ensemble": 0}})).imaging.ensemble == 0


def test_a_request_without_kind_is_for_images_as_before():
    assert isinstance(parse_queued(json.dumps(IMAGING)), ImagingRequest)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({**SPECTRUM, "kind": "spectra"}, "kind: expected spectrum or regions, or no kind for images, found 'spectra'"),
        ({**SPECTRUM, "kind": ["spectrum"]}, "kind: expected spectrum or regions"),
        ({**SPECTRUM, "color": 1}, "unknown key 'color'; a request has kind, "),
        ({"kind": "spectrum", "uid": UID}, "start is missing"),
        ({**SPECTRUM, "end": SPECTRUM["start"]}, "the time range .* is empty"),
        ({**SPECTRUM, "uid": "../users"}, "neither the uid nor the name of a file"),
        ({**SPECTRUM, "model": "magic"}, "magic"),
        ({**SPECTRUM, "model": 3}, "model: expected a text, found 3"),
        ({**SPECTRUM, "energy_range_kev": [28, 4]}, "energy_range_kev: the range 28-4 keV is empty"),
        ({**SPECTRUM, "detectors": [32]}, "detectors: expected 0 to 31, found 32"),
        ({**SPECTRUM, "pixels": []}, "pixels: expected at least one"),
        ({**SPECTRUM, "fixed": {"delta": "5"}}, "fixed: expected a number, found '5'"),
        (
            {**SPECTRUM, "model": "vth", "fixed": {"delta": 5}},
            "fixed: vth has no parameter 'delta'; it has EM_1e49_cm3",
        ),
        (
            {**SPECTRUM, "model": "none", "start_values": {"T_keV": 1}},
            "start_values: nothing is fitted with the model none",
        ),
        ({**SPECTRUM, "hidden": "yes"}, "hidden: expected true or false"),
        ({**REGIONS, "regions": []}, "at least one region is needed"),
        ({**REGIONS, "regions": [NORTH, NORTH]}, "two regions have the name 'north'"),
        ({**REGIONS, "regions": [{**NORTH, "shape": "star"}]}, "shape must be one of circle"),
        (
            {**REGIONS, "regions": [{**NORTH, "radius": "wide"}]},
            "region 'north': radius: expected a number, found 'wide'",
        ),
        ({**REGIONS, "models": {"west": "vth"}}, "there is no region 'west'"),
        ({**REGIONS, "models": {"north": "magic"}}, "magic"),
        ({**REGIONS, "imaging": {**IMAGING, "methods": ["bp"]}}, "method must be one of"),
        ({**REGIONS, "imaging": {**IMAGING, "methods": ["clean", "em"]}}, "imaging: expected one method, found 2"),
        ({**REGIONS, "imaging": {**IMAGING, "methods": ["vis_fwdfit"]}}, "the sources are circles and ellipses"),
        ({**REGIONS, "imaging": {**IMAGING, "energy_ranges_kev": [[4, 8], [8, 12]]}}, "expected one energy range"),
        ({**REGIONS, "imaging": {**IMAGING, "color": 1}}, "imaging: unknown key 'color'"),
        ({**REGIONS, "imaging": [1]}, "imaging: expected an object"),
        ({**REGIONS, "spectrum": {"location_arcsec": [1, 2]}}, "spectrum.location_arcsec: "),
        ({**REGIONS, "least_counts": 0}, "least_counts: "),
    ],
)
def test_what_is_refused_and_why(document, sentence):
    with pytest.raises(BadRequest, match=sentence):
        parse_queued(json.dumps(document))


@pytest.mark.parametrize(
    "document",
    [
        {**SPECTRUM, "model": "m" * 200_000},
        {**SPECTRUM, "model": "vth+" * 50_000},
        {**SPECTRUM, "model": "vth", "fixed": {"f" * 200_000: 1}},
        {**REGIONS, "models": {"n" * 200_000: "vth"}},
        {**REGIONS, "models": {"north": "m" * 200_000}},
        {**REGIONS, "regions": [{**SOUTH, "name": "n" * 200_000, "corners": [[0, 0]]}]},
        {**SPECTRUM, "uid": "u" * 200_000},
        {**SPECTRUM, "k" * 200_000: 1},
    ],
    ids=lambda document: max(document, key=lambda key: len(str(document[key]))),
)
def test_long_texts_are_not_repeated(document):
    with pytest.raises(BadRequest) as refused:
        parse_queued(json.dumps(document))
    assert len(str(refused.value)) < 400


def test_spectra_of_regions_that_may_take_days_are_refused():
    large = {**IMAGING, "methods": ["em"], "shape": [1024, 1024], "ensemble": 1000}
    with pytest.raises(LimitReached, match="EM images of 1024 × 1024 pixels with 1000 copies may take"):
        parse_queued(json.dumps({**REGIONS, "imaging": large}))


@pytest.mark.parametrize("base", [IMAGING, SPECTRUM, REGIONS])
@pytest.mark.parametrize("depth", [21, 400, 2_000])
def test_deep_nesting_is_refused(base, depth):
    """Python and pydantic have limits of their own, deeper ones that are no errors of the request."""
    for key in (*base, "spectrum", "new"):
        nested = "[" * depth + "]" * depth
        text = f'{json.dumps({k: v for k, v in base.items() if k != key})[:-1]}, "{key}": {nested}}}'
        with pytest.raises(BadRequest, match=f"^{key}: lists and objects are nested more than 20 deep"):
            parse_queued(text)


@pytest.mark.parametrize("base", [IMAGING, SPECTRUM, REGIONS])
def test_half_a_character_is_refused(base):
    for key in (*base, "new"):
        for value in ("\ud800", ["a\udfff"], {"\ud800": 1}):
            with pytest.raises(BadRequest, match=f"^{key}: expected text, found .* with half a character$"):
                parse_queued(json.dumps({**base, key: value}))
    with pytest.raises(BadRequest, match=r"^.ud800: expected text"):
        parse_queued(json.dumps({**base, "\ud800": 1}))


# From submission to index --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ingested(shared_data, tmp_path_factory):
    """An archive with the files of the M1.2 flare of 2022-11-11; tests must not change it."""
    folder = shared_data / "nov2022"
    archive = Archive(tmp_path_factory.mktemp("ingested") / "archive", create=True)
    paths = [*folder.glob(f"l1/*_{UID}-*"), *folder.glob("l1/*_2211098157-*"), *folder.glob("aux/*_20221111_*")]
    assert all(outcome.status == OutcomeStatus.INGESTED for outcome in ingest(archive, paths, NOW))
    archive.close()
    return archive.root


@pytest.fixture
def archive(ingested, tmp_path):
    shutil.copytree(ingested, tmp_path / "archive")
    return Archive(tmp_path / "archive")


@pytest.fixture
def work(archive):
    """Let a worker empty the queue."""

    def run():
        settings = WorkerSettings(poll=0.02, beat=0.1, sweep=0.1, backoff=(0.0,))
        Worker(archive.root, RequestPlanner(), SerialExecutor(), lambda: LATER, settings).run(until_idle=True)

    return run


@pytest.fixture
def spectrum():
    return SpectrumTaskRequest(uid=UID, start=START, end=END, model="vth", energy=(4.0, 12.0), location=PLACE)


def test_a_spectrum_goes_from_its_request_into_the_index(archive, work, spectrum):
    journal = Journal(archive.root)
    request, new = submit(archive, journal, spectrum, "ann", NOW)
    assert new
    assert (request.kind, request.task_count, request.set_count, request.contents) == ("spectrum", 1, 0, "a spectrum")
    work()
    done = journal.get(request.request_id)
    assert (done.state, done.reason) == ("done", "")
    (part,) = journal.parts(request.request_id)
    row = archive.spectrum(part.run_id)
    assert (row.kind, row.author, row.uid, row.hidden, row.model) == ("user", "ann", UID, False, "vth")
    assert row.background_uid == "2211098157"
    assert row.temperature > 10  # MK
    assert check(archive, LATER + np.timedelta64(2, "h")) == ()
    again, new = submit(archive, journal, spectrum, "ann", LATER)
    assert (again.request_id, new) == (request.request_id, False)
    other, new = submit(archive, journal, spectrum, "bob", LATER)
    assert (other.state, other.answered_by, new) == ("done", request.request_id, True)


def test_an_earlier_result_of_another_version_answers_and_one_of_another_revision_does_not(
    archive, work, spectrum, monkeypatch
):
    journal = Journal(archive.root)
    request, _ = submit(archive, journal, spectrum, "ann", NOW)
    work()
    (part,) = journal.parts(request.request_id)
    earlier = replace(archive.spectrum(part.run_id), version="0.0.1")
    archive.write_spectra([earlier])
    again, new = submit(archive, journal, spectrum, "ann", LATER)
    assert (again.request_id, new) == (request.request_id, False)
    monkeypatch.setattr(kept, "SPECTRUM_REVISION", kept.SPECTRUM_REVISION + 1)
    again, new = submit(archive, journal, spectrum, "ann", LATER)
    assert (again.state, new) == ("queued", True)


def test_an_earlier_result_without_a_file_or_with_another_thermal_table_does_not_answer(archive, work, spectrum):
    journal = Journal(archive.root)
    request, _ = submit(archive, journal, spectrum, "ann", NOW)
    work()
    (part,) = journal.parts(request.request_id)
    assert kept.holds(archive, "spectra", part.run_id)
    folder = archive.root / CHIANTI_FOLDER
    folder.mkdir(parents=True)
    for name in ("chianti_cont_1_250_v71.sav", "chianti_lines_1_10_v71.sav", "xray_abun_file.genx"):
        (folder / name).write_bytes(b"")
        assert not kept.holds(archive, "spectra", part.run_id)
    shutil.rmtree(folder)
    assert kept.holds(archive, "spectra", part.run_id)
    (archive.path_of(archive.spectrum(part.run_id).folder) / SPECTRUM_FILE).unlink()
    assert not kept.holds(archive, "spectra", part.run_id)
    again, new = submit(archive, journal, spectrum, "ann", LATER)
    assert (again.state, new) == ("queued", True)


def test_a_task_that_runs_twice_is_filed_once(archive, spectrum):
    tasks = [plan_spectrum(archive, replace(spectrum, hidden=hidden), user, NOW)
             for user, hidden in (("ann", True), ("bob", True), ("cem", False))]  # fmt: skip
    first, second = spectrum_once(tasks[0]), spectrum_once(tasks[1])  # both before either is filed
    assert first.row is not None
    assert second.row is not None
    assert index_measurements(archive, [first]) == set()
    assert index_measurements(archive, [second]) == set()
    (row,) = archive.spectra(SpectrumFilter(all_hidden=True))
    assert (row.author, row.hidden) == ("ann", True)
    third = spectrum_once(tasks[2])
    assert third.row is None  # the archive has it
    assert index_measurements(archive, [third]) == set()
    (row,) = archive.spectra()
    assert (row.author, row.hidden) == ("ann", False)  # one author wants it visible
    assert check(archive, LATER) == ()
    archive.delete("spectra", [row.spectrum_id])
    assert index_measurements(archive, [third]) == {row.spectrum_id}


def test_requests_that_no_file_can_satisfy(archive, spectrum):
    journal = Journal(archive.root)
    day = np.timedelta64(1, "D")
    with pytest.raises(BadRequest, match="no science file has the name or uid '1234567890'"):
        submit(archive, journal, replace(spectrum, uid="1234567890"), "ann", NOW)
    with pytest.raises(BadRequest, match=r"the time range .* is not inside"):
        submit(archive, journal, replace(spectrum, start=START + day, end=END + day), "ann", NOW)
    with pytest.raises(BadRequest, match=r"the background .* overlaps"):
        submit(archive, journal, replace(spectrum, background=UID), "ann", NOW)
    assert journal.requests() == []


def test_a_spectrum_that_cannot_be_measured_fails_with_a_sentence(archive, work, spectrum):
    journal = Journal(archive.root)
    request, _ = submit(archive, journal, replace(spectrum, model="auto", fixed={"magic": 1.0}), "ann", NOW)
    work()
    done = journal.get(request.request_id)
    assert done.state == "failed"
    assert "magic" in done.reason
    assert archive.spectra(SpectrumFilter(all_hidden=True)) == []


@pytest.fixture
def regions():
    """Two halves of the flare in a few channels, so that it is quick."""
    imaging = ImagingRequest(
        UID,
        ((START, END),),
        ((6.0, 10.0),),
        methods={Method.CLEAN: CleanParameters()},
        location=PLACE,
        shape=(65, 65),
        ensemble=2,
        hidden=True,
    )
    north, south = Circle("north", 830.0, 165.0, 20.0), Circle("south", 820.0, 125.0, 20.0)
    return RegionsRequest(imaging=imaging, regions=(north, south), spectrum=SpectrumOptions(model="vth"))


def test_spectra_of_regions_go_from_their_request_into_the_index(archive, work, regions):
    journal = Journal(archive.root)
    request, _ = submit(archive, journal, regions, "ann", NOW)
    assert (request.kind, request.contents) == ("regions", "spectra of regions")
    work()
    done = journal.get(request.request_id)
    assert (done.state, done.reason) == ("done", "")
    (part,) = journal.parts(request.request_id)
    row = archive.region_spectrum(part.run_id)
    assert (row.kind, row.author, row.method, row.n_regions, row.hidden) == ("user", "ann", "clean", 2, True)
    assert (row.e_low, row.e_high, row.n_channels, row.copies) == (6.0, 10.0, 4, 2)
    assert json.loads(row.names) == ["north", "south"]
    assert [one["name"] for one in json.loads(row.fits)] == ["north", "south"]
    assert RegionRecipe.from_json(row.recipe).region_id == row.region_id
    record = REGION_RECORDS.read_own(archive.path_of(row.folder))
    assert record.row == row
    assert [one["name"] for one in record.document["regions"]] == ["north", "south"]
    assert set(record.document["files"].values()) == set(record.sha256)
    assert archive.region_spectra() == []
    assert archive.region_spectra(RegionFilter(viewer="ann", method="clean", text="south")) == [row]
    assert check(archive, LATER + np.timedelta64(2, "h")) == ()

    lost = archive.path_of(row.folder) / "stx_srm.fits"
    lost.unlink()
    found = check(archive, LATER + np.timedelta64(2, "h"), repair=True, remeasure=SpectrumRemaker(archive))
    assert [(one.code, one.repaired) for one in found] == [("spectrum-incomplete", True)]
    assert lost.is_file()
    again = archive.region_spectrum(row.region_id)
    assert replace(again, elapsed_s=row.elapsed_s, size=row.size) == row


def test_the_task_of_a_request_for_regions_has_the_background_for_all_its_channels(archive, regions):
    task = plan_regions(archive, regions, "ann", NOW)
    assert "2211098157" in task.background.name
    assert task.context.hidden
    assert task.wanted.spectrum.model == "vth"
