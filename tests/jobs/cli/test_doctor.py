"""``stix-jobs doctor`` on a sound installation, and with each thing broken in turn."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from archive import Archive, Flare, Spectrum
from archive.accounts import Accounts
from archive.calibration import record_sums
from archive.checks.findings import Code, Finding, Level, keep_findings
from archive.chianti import CHIANTI_FOLDER
from archive.goes import GoesMinutes, add_goes_minutes
from archive.ingest.ingest import ingest
from jobs.cli import doctor
from jobs.cli.doctor import Verdict, examine, is_well, missing_packages
from jobs.queue.journal import Journal
from jobs.queue.leases import Leases
from jobs.shared.lock import single_instance
from stixcore.references import sha256_of
from stixcore.spectra.models.thermal import built_in_table

MINUTE, DAY = np.timedelta64(60, "s"), np.timedelta64(1, "D")


def clock() -> np.datetime64:
    return np.datetime64("now", "us")


@contextmanager
def answering(status: int = 200):
    """A web server that answers every address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"pages")

        def log_message(self, *words):
            """Nothing: tests watch standard error."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def filled(campaign, tmp_path_factory):
    """An archive with files and without images; tests must not change it."""
    folder = tmp_path_factory.mktemp("filled") / "archive"
    ingest(Archive(folder, create=True), [campaign[0]], clock() - MINUTE)
    return folder


@pytest.fixture
def bare(filled, tmp_path):
    """A copy of it that a test may change."""
    return Path(shutil.copytree(filled, tmp_path / "archive"))


@pytest.fixture
def root(bare):
    """An installation in which everything is well."""
    folder = bare
    Leases(folder).sign_in("here-1", "2 processes", clock())
    with single_instance(folder, "ingest"), single_instance(folder, "previews"):
        pass
    Accounts(folder).add("ada", "a long enough password", clock())
    keep_findings(folder, [], clock())
    return folder


def verdicts(root, **options):
    options = {"pages": ""} | options
    return {answer.subject: answer for answer in examine(root, clock(), **options)}


def the_wrong(root, **options):
    return {subject for subject, answer in verdicts(root, **options).items() if answer.verdict is Verdict.WRONG}


def test_a_sound_installation(root):
    with answering() as url:
        found = verdicts(root, pages=url)
    assert {answer.verdict for answer in found.values()} == {Verdict.GOOD}, found
    assert set(found) == {
        "software", "archive", "write access", "locks", "disk", "clock", "secrets", "accounts", "index", "last ingest",
        "energy tables", "thermal table", "GOES", "pipeline", "worker", "check", "pages",
    }  # fmt: skip
    assert "2 processes" in found["worker"].text
    assert "science files" in found["index"].text
    assert "ingest ran" in found["pipeline"].text
    assert not list(root.rglob(".part-*"))


def test_goes_files_that_lack_are_a_note(bare):
    def flare(text, **changes):
        peak = np.datetime64(text, "us")
        values = {"flare_id": f"{text[2:4]}{text[5:7]}{text[8:10]}0000", "t_peak": peak, "peak_counts": 1e4}
        return Flare(**(values | {"source": "detected", "updated_at": peak, "earth_delay_s": 240.0} | changes))

    archive = Archive(bare)
    archive.upsert("flares", [flare("2022-11-11T12:00"), flare("2022-11-12T12:00"), flare("2022-12-01T12:00")])
    archive.upsert("flares", [flare("2023-01-01T12:00", simulated=True)])
    found = verdicts(bare)["GOES"]
    assert (found.verdict, "import-goes" in found.remedy) == (Verdict.NOTE, True)
    assert found.text == "GOES files cover 0 of 3 flares; without: 2022-11 (2), 2022-12 (1)"
    minutes = np.datetime64("2022-11-11T12:00", "us") + np.arange(10) * MINUTE.astype("timedelta64[us]")
    goes = GoesMinutes(16, "a file", minutes, np.full(10, 1e-6), np.full(10, 1e-7))
    with archive.write_lock():
        add_goes_minutes(bare, goes)
    assert verdicts(bare)["GOES"].text == "GOES files cover 1 of 3 flares; without: 2022-11 (1), 2022-12 (1)"
    assert is_well([verdicts(bare)["GOES"]])


def test_spectra_of_previews_with_another_thermal_table_are_a_note(bare):
    label, peak = built_in_table().label, np.datetime64("2022-11-11T11:36", "us")

    def spectrum(digit, **changes):
        values = {
            "spectrum_id": digit * 16, "kind": "auto", "uid": "1", "science_name": "science.fits", "flare_id": None,
            "t_start": peak, "t_end": peak + MINUTE, "livetime_s": 50.0, "attenuator_in": False, "scheme": "gsw-2026",
            "distance_au": 0.6, "recipe": "{}", "folder": f"spectra/2022/11/11/{digit * 16}", "size": 1,
            "version": "1", "created_at": peak, "thermal_table": label,
        }  # fmt: skip
        return Spectrum(**(values | changes))

    archive, folder = Archive(bare), bare / CHIANTI_FOLDER
    # the other two cannot be out of date: a user's keeps its table, the last one has no thermal component
    archive.write_spectra([spectrum("a"), spectrum("b", kind="user"), spectrum("c", thermal_table=None)])
    found = verdicts(bare)["thermal table"]
    assert (found.verdict, found.text) == (Verdict.GOOD, label)
    folder.mkdir(parents=True)
    names = ("chianti_cont_1_250_v71.sav", "chianti_lines_1_10_v71.sav", "xray_abun_file.genx")
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(path.name.encode())
    assert verdicts(bare)["thermal table"].verdict is Verdict.WRONG  # its files have no recorded sums
    record_sums(folder, {path.name: {sha256_of(path)} for path in paths})
    found = verdicts(bare)["thermal table"]
    assert (found.verdict, found.remedy) == (Verdict.NOTE, "stix-jobs previews makes them again")
    assert found.text == f"spectra of 1 preview are fitted with another table than {', '.join(names)}"
    archive.write_spectra([spectrum("a", thermal_table=f"CHIANTI 7.1.3 ({names[1]}, {names[0]})")])
    assert verdicts(bare)["thermal table"].verdict is Verdict.GOOD


def test_a_lock_that_is_taken_again_tells_when(root):
    lock = root / "locks" / "ingest.lock"
    os.utime(lock, (1e9, 1e9))
    os.utime(root / "locks" / "previews.lock", (1e9, 1e9))
    found = verdicts(root)["pipeline"]
    assert (found.verdict, "days ago" in found.text) == (Verdict.NOTE, True)
    with single_instance(root, "ingest"):
        pass
    assert verdicts(root)["pipeline"].text.startswith("ingest ran 0 s ago")


def test_no_archive(tmp_path):
    (answer,) = [a for a in examine(tmp_path / "none", clock(), pages="") if a.verdict is Verdict.WRONG]
    assert answer.subject == "archive"
    (tmp_path / "empty").mkdir()
    assert the_wrong(tmp_path / "empty") == {"archive"}


def test_an_archive_of_newer_software(root):
    (root / "index" / "schema.json").write_text('{"applied": ["2026-11 first layout", "2030 another"]}')
    assert "newer software" in verdicts(root)["archive"].text


def test_a_package_that_is_missing(root, monkeypatch):
    assert missing_packages() == []
    needs = ["numpy>=2", "no-such-package-anywhere[x]>=1", "only-extra; extra == 'x'"]
    monkeypatch.setattr(doctor, "requires", lambda name: needs)
    assert missing_packages() == ["no-such-package-anywhere"]
    assert the_wrong(root) == {"software"}


def test_a_folder_that_cannot_be_written(root, monkeypatch):
    make = doctor.tempfile.NamedTemporaryFile

    def refusing(**options):
        if options["dir"] == root / "images":
            raise PermissionError(13, "Permission denied")
        return make(**options)

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refusing)
    found = verdicts(root)["write access"]
    assert found.verdict is Verdict.WRONG
    assert f"{root / 'images'} (Permission denied)" in found.text


def test_another_user(root, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: root.stat().st_uid + 1)
    assert verdicts(root)["write access"].verdict is Verdict.NOTE


def test_a_full_disk(root, monkeypatch):
    usage = type(shutil.disk_usage(root))(10**12, 10**12 - 10**9, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert the_wrong(root) == {"disk"}


def test_no_inodes(root, monkeypatch):
    real = os.statvfs(root)
    names = [name for name in dir(real) if name.startswith("f_")]
    full = SimpleNamespace(**{name: getattr(real, name) for name in names} | {"f_files": 100, "f_favail": 0})
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    assert "inodes" in verdicts(root)["disk"].text


def test_clocks_that_disagree(root):
    early = {a.subject: a for a in examine(root, clock() - 10 * MINUTE, pages="")}
    assert early["clock"].verdict is Verdict.WRONG
    assert re.search(r"stamped \+6\d\d s from", early["clock"].text)


def test_a_clock_that_was_set_back(root):
    (newest,) = Archive(root).query("select * from science_files order by ingested_at desc limit 1").to_pylist()
    Archive(root).upsert("science_files", [newest | {"ingested_at": clock() + 2 * DAY}])
    assert "set back" in verdicts(root)["clock"].remedy


def test_secrets_that_others_can_read(root):
    (root / "users.json").chmod(0o644)
    found = verdicts(root)["secrets"]
    assert (found.verdict, "users.json (644)" in found.text) == (Verdict.WRONG, True)
    assert f"chmod 600 {root / 'users.json'}" == found.remedy


def test_a_folder_open_to_everybody(root):
    root.chmod(0o777)
    assert the_wrong(root) == {"secrets"}


def test_a_damaged_index(root):
    shutil.rmtree(root / "index" / "read", ignore_errors=True)
    for month in (root / "index" / "science_files").glob("*.parquet"):
        month.write_bytes(b"no parquet")
    assert the_wrong(root) == {"index"}


def test_files_that_nobody_takes_in(root):
    forgotten = root / "incoming" / "solo_L1_x.fits"
    forgotten.write_bytes(b"x")
    assert the_wrong(root) == set()
    os.utime(forgotten, (1e9, 1e9))
    assert "1 files wait" in verdicts(root)["pipeline"].text
    assert the_wrong(root) == {"pipeline"}


def test_refused_files_are_a_note(root):
    (root / "quarantine" / "2026-11-25").mkdir(parents=True)
    (root / "quarantine" / "2026-11-25" / "x.fits.reason.json").write_text("{}")
    assert verdicts(root)["quarantine"].verdict is Verdict.NOTE


def test_a_worker_that_died(root):
    journal = Leases(root)
    journal.sign_out("here-1")
    assert verdicts(root)["worker"].verdict is Verdict.NOTE
    journal.sign_in("here-2", "serial", clock() - 10 * MINUTE)
    found = verdicts(root)["worker"]
    assert (found.verdict, "10 minutes ago" in found.text) == (Verdict.WRONG, True)


def test_requests_without_a_worker(root):
    Leases(root).sign_out("here-1")
    Journal(root).submit("ada", "{}", clock(), uid="1", task_count=1)
    assert "1 requests wait, and no worker" in verdicts(root)["worker"].text


def test_an_archive_that_never_had_a_worker(bare):
    found = verdicts(bare)
    assert found["worker"].verdict is Verdict.NOTE
    assert found["check"].text == "the archive was never checked"
    assert not (bare / "requests.sqlite").exists()  # looking leaves nothing behind


def test_what_the_last_check_found(root):
    keep_findings(root, [Finding(Level.ERROR, Code.FILE_MISSING, "science_files", "a.fits", "a.fits is gone")], clock())
    assert the_wrong(root) == {"check"}
    keep_findings(root, [], clock() - 30 * DAY)
    assert verdicts(root)["check"].verdict is Verdict.NOTE


def test_pages_that_do_not_answer(root):
    with answering() as url:
        pass
    assert the_wrong(root, pages=url) == {"pages"}
    with answering(500) as url:
        assert "500" in verdicts(root, pages=url)["pages"].text
    assert the_wrong(root, pages="no address") == {"pages"}


def test_for_people_and_for_machines(stix_jobs, root):
    status, out, _ = stix_jobs("doctor", "--archive", root, "--pages", "")
    assert (status, out.splitlines()[0].split()[:2]) == (0, ["good", "software"])
    (root / "users.json").chmod(0o644)
    status, out, _ = stix_jobs("doctor", "--archive", root, "--pages", "", "--json")
    (wrong,) = [answer for answer in json.loads(out) if answer["verdict"] == "wrong"]
    assert (status, wrong["subject"]) == (1, "secrets")
    assert not is_well(examine(root, clock(), pages=""))
