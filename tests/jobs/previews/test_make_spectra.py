"""Spectra of previews: one for each window of a flare, made once, made again when an input changes."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from archive import Archive, RunFilter, RunKind, RunStatus, SpectrumFilter, chianti
from archive.calibration import record_sums
from archive.chianti import CHIANTI_FOLDER
from archive.index.spectrum_records import read_spectrum_record
from archive.ingest.ingest import ingest
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE
from jobs.previews import make_spectra as module
from jobs.previews.make_spectra import SpectrumRules
from jobs.previews.run import make_previews
from stixcore.errors import SelectionError
from stixcore.references import TableReference, sha256_of
from stixcore.spectra.models.thermal import built_in_table
from stixcore.spectrum_recipe import SPECTRUM_REVISION, SpectrumRecipe

NOW = np.datetime64("2026-03-20T00:00:00", "us")
LATER = NOW + np.timedelta64(1, "D")
CHECKPOINT = "read/previews.json"


def windows(archive):
    """Request, flare and time range of every finished preview."""
    runs = archive.runs(RunFilter(statuses=(RunStatus.DONE,), grouped=False, all_hidden=True))
    return sorted({(run.uid, run.flare_id, run.t_start, run.t_end) for run in runs})


def lose_spectra(archive):
    """The archive as it was before there were spectra."""
    archive.delete("spectra", [row.spectrum_id for row in archive.spectra()])
    shutil.rmtree(archive.root / "spectra")
    path = archive.index / CHECKPOINT
    content = json.loads(path.read_text())
    months = {name: one for name, one in content["months"].items() if not name.startswith("spectra/")}
    path.write_text(json.dumps({"by": "earlier software", "months": months}))


@pytest.fixture
def added_table(own_archive, monkeypatch):
    """CHIANTI tables in the archive, whose content is the built-in table with other lines."""
    built_in = built_in_table()
    table = replace(built_in, lines=built_in.lines + np.log(1.05), version="added for a test")
    monkeypatch.setattr(chianti, "read_chianti_files", lambda *_: table)
    folder = own_archive.root / CHIANTI_FOLDER
    folder.mkdir(parents=True)
    paths = [
        folder / name for name in ("chianti_cont_1_250_v71.sav", "chianti_lines_1_10_v71.sav", "xray_abun_file.genx")
    ]
    for path in paths:
        path.write_bytes(path.name.encode())
    record_sums(folder, {path.name: {sha256_of(path)} for path in paths})
    return table


def numbers(archive):
    """What is measured, by id."""
    return {row.spectrum_id: (row.temperature, row.chi2, row.counts, row.delta) for row in archive.spectra()}


@pytest.mark.system
def test_every_window_of_a_preview_has_one_spectrum(finished_archive):
    rows = finished_archive.spectra()
    assert sorted((row.uid, row.flare_id, row.t_start, row.t_end) for row in rows) == windows(finished_archive)
    assert rows
    for row in rows:
        assert (row.kind, row.author, row.simulated) == ("auto", "auto", True)
        assert row.no_fit or row.temperature > 0 or row.delta > 0
        folder = finished_archive.path_of(row.folder)
        record = read_spectrum_record(folder)
        assert record.row == row
        for name in (SPECTRUM_FILE, RESPONSE_FILE):
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == record.sha256[name]


@pytest.mark.system
def test_a_spectrum_has_the_inputs_of_its_preview_and_the_location_of_the_lowest_band(finished_archive):
    for row in finished_archive.spectra():
        runs = [run for run in finished_archive.runs(RunFilter(uid=row.uid)) if run.status == RunStatus.DONE]
        first = json.loads(min(runs, key=lambda run: run.e_low).recipe)
        of_window = (run for run in runs if (run.t_start, run.t_end) == (row.t_start, row.t_end))
        lead = json.loads(min(of_window, key=lambda run: run.e_low).recipe)
        recipe = json.loads(row.recipe)
        assert recipe["location"] == first["location"]
        assert {key: recipe[key] for key in ("science", "background", "aspect", "calibration")} == {
            key: lead[key] for key in ("science", "background", "aspect", "calibration")
        }


@pytest.mark.system
def test_previews_of_earlier_software_get_their_spectra_once(own_archive):
    before = numbers(own_archive)
    lose_spectra(own_archive)
    report = make_previews(own_archive, LATER)
    assert report.runs == ()
    assert {row.spectrum_id for row in report.spectra} == set(before)
    assert numbers(own_archive) == before
    assert make_previews(own_archive, LATER).spectra == ()


@pytest.mark.system
def test_a_killed_run_is_completed_and_makes_nothing_twice(own_archive):
    """Files without a row, as after a kill between record and index; and a row whose removal was begun."""
    before = numbers(own_archive)
    lost, *_ = own_archive.spectra()
    own_archive.delete("spectra", [lost.spectrum_id])
    foreign = replace(lost, spectrum_id="0" * 16, folder="spectra/2026/03/14/0000000000000000")
    own_archive.write_spectra([foreign])
    report = make_previews(own_archive, LATER)
    assert [row.spectrum_id for row in report.spectra] == [lost.spectrum_id]
    assert numbers(own_archive) == before
    folders = {path.parent.name for path in (own_archive.root / "spectra").rglob("spectrum.json")}
    assert folders == set(before)


@pytest.mark.system
def test_another_location_makes_the_spectrum_again_and_removes_the_old_one(own_archive):
    run = min(own_archive.runs(RunFilter(statuses=(RunStatus.DONE,))), key=lambda run: (run.e_low, run.run_id))
    recipe = json.loads(run.recipe)
    recipe["location"]["x_arcsec"] += 100.0
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    of_flare = [row for row in own_archive.spectra() if (row.uid, row.flare_id) == (run.uid, run.flare_id)]
    others = {row.spectrum_id for row in own_archive.spectra()} - {row.spectrum_id for row in of_flare}
    own_archive.write_runs([replace(run, recipe=text, hpc_x=run.hpc_x + 100.0)], [])
    report = make_previews(own_archive, LATER)
    assert len(report.spectra) == len(of_flare)
    assert {row.hpc_x for row in report.spectra} == {recipe["location"]["x_arcsec"]}
    now = {row.spectrum_id for row in own_archive.spectra()}
    assert now == others | {row.spectrum_id for row in report.spectra}
    assert not any(own_archive.path_of(row.folder).exists() for row in of_flare)


@pytest.mark.system
def test_another_revision_of_the_software_makes_all_again(own_archive, monkeypatch):
    before, later = numbers(own_archive), SPECTRUM_REVISION + 1
    monkeypatch.setattr("stixcore.measure_spectrum.SPECTRUM_REVISION", later)
    rules = replace(SpectrumRules.of(own_archive), revision=later)
    monkeypatch.setattr(SpectrumRules, "of", classmethod(lambda cls, archive: rules))
    report = make_previews(own_archive, LATER)
    assert len(report.spectra) == len(before)
    assert not set(before) & set(numbers(own_archive))
    assert all(SpectrumRecipe.from_json(row.recipe).revision == later for row in own_archive.spectra())
    assert make_previews(own_archive, LATER).spectra == ()


@pytest.mark.system
def test_removed_previews_lose_their_spectra(own_archive):
    uid = own_archive.spectra()[0].uid
    broken = own_archive.locate(uid)
    own_archive.delete("runs", [run.run_id for run in own_archive.runs(RunFilter(uid=uid))])
    broken.write_bytes(broken.read_bytes()[:30_000])
    report = make_previews(own_archive, LATER)
    assert len(report.having(RunStatus.FAILED)) == 2
    assert own_archive.spectra(SpectrumFilter(uid=uid)) == []
    assert own_archive.spectra()


@pytest.mark.system
def test_the_flare_of_a_spectrum_follows_its_preview_and_nothing_is_measured_again(own_archive):
    uid = own_archive.spectra()[0].uid
    runs = own_archive.runs(RunFilter(uid=uid, all_hidden=True))
    rows = own_archive.spectra(SpectrumFilter(uid=uid))
    own_archive.write_spectra([replace(row, flare_id="2603140000") for row in rows])
    report = make_previews(own_archive, LATER)
    assert report.spectra == ()
    assert own_archive.spectra(SpectrumFilter(uid=uid)) == rows
    assert {row.flare_id for row in rows} == {run.flare_id for run in runs}
    assert read_spectrum_record(own_archive.path_of(rows[0].folder)).row == rows[0]


@pytest.mark.system
def test_a_spectrum_that_a_user_requested_stays_theirs(own_archive):
    one, *others = own_archive.spectra()
    theirs = replace(one, kind=str(RunKind.USER), author="ann")
    own_archive.write_spectra([theirs])
    make_previews(own_archive, LATER, force=True, uids=[one.uid])
    assert own_archive.spectrum(one.spectrum_id) == theirs
    assert len(own_archive.spectra()) == len(others) + 1


@pytest.mark.system
def test_images_do_not_fail_where_a_spectrum_cannot_be_made(own_archive, monkeypatch, caplog):
    lose_spectra(own_archive)

    def refuse(task):
        message = f"{task.science.name}: for this test"
        raise SelectionError(message)

    monkeypatch.setattr(module, "run_spectrum", refuse)
    report = make_previews(own_archive, LATER)
    assert (report.runs, report.spectra) == ((), ())
    assert own_archive.spectra() == []
    assert caplog.text.count("for this test") == len(windows(own_archive))


@pytest.mark.system
def test_a_damaged_thermal_table_removes_nothing(own_archive, caplog):
    before = numbers(own_archive)
    folder = own_archive.root / "calibration" / "chianti"
    folder.mkdir(parents=True)
    (folder / "chianti_lines_1_10_v71.sav").write_bytes(b"one of three files")
    assert SpectrumRules.of(own_archive).thermal is None
    assert make_previews(own_archive, LATER).spectra == ()
    assert "no spectra are made: calibration/chianti has no file of abundances" in caplog.text
    assert numbers(own_archive) == before
    shutil.rmtree(folder)
    assert isinstance(SpectrumRules.of(own_archive).thermal, TableReference)
    assert make_previews(own_archive, LATER).spectra == ()


@pytest.mark.system
def test_all_spectra_are_made_again_when_chianti_tables_are_added(own_archive, added_table):
    before = {(row.uid, row.t_start): row for row in own_archive.spectra() if row.temperature}
    report = make_previews(own_archive, LATER)
    assert report.runs == ()
    after = {(row.uid, row.t_start): row for row in own_archive.spectra() if row.temperature}
    assert after.keys() == before.keys()
    assert {row.thermal_table for row in after.values()} == {added_table.label}
    assert {row.spectrum_id for row in after.values()}.isdisjoint(row.spectrum_id for row in before.values())
    assert make_previews(own_archive, LATER).spectra == ()


@pytest.mark.system
def test_one_request_is_made_again_with_force(own_archive):
    one = own_archive.spectra()[0]
    report = make_previews(own_archive, LATER, uids=[one.uid], force=True)
    assert {row.spectrum_id for row in report.spectra} == {
        row.spectrum_id for row in own_archive.spectra(SpectrumFilter(uid=one.uid))
    }
    assert own_archive.spectrum(one.spectrum_id).created_at == LATER
    assert own_archive.spectrum(one.spectrum_id).temperature == one.temperature


@pytest.mark.system
@pytest.mark.needs_shared_data
def test_real_previews_have_fitted_spectra(shared_data, tmp_path):
    archive = Archive(tmp_path / "archive", create=True)
    folder = shared_data / "nov2022"
    files = [path for uid in ("2211116471", "2211098157") for path in (folder / "l1").glob(f"*{uid}*")]
    ingest(archive, [*files, folder / "aux"], NOW)
    report = make_previews(archive, NOW)
    assert sorted((row.uid, row.flare_id, row.t_start, row.t_end) for row in report.spectra) == windows(archive)
    for row in report.spectra:
        assert (row.model, row.no_fit, row.background_uid) == ("vth+thick2", "", "2211098157")
        assert 15 < row.temperature < 25
        assert row.chi2 / row.ndof < 2.5
        assert (row.hpc_x, row.hpc_y) == pytest.approx((824, 146), abs=5)
    assert "trusted" in {row.verdict for row in report.spectra}
