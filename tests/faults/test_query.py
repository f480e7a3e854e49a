"""``query`` reads the index and nothing else, and takes no more than its share, whatever it is asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import payloads
import pytest

from archive import Archive
from jobs.cli.parser import main as stix_jobs

pytestmark = pytest.mark.system

SECRET = "do not read me"


def everything_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "write.lock"
    }


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("query")
    archive = Archive(folder / "archive", create=True)
    archive.build_read_model()
    for path in (folder / "secret.csv", archive.root / "users.json", archive.root / "config.toml"):
        path.write_text(SECRET)
    before = everything_below(folder)
    child = subprocess.run(
        [sys.executable, payloads.__file__, str(archive.root)], capture_output=True, text=True, timeout=300, check=True
    )
    assert everything_below(folder) == before
    return [json.loads(line) for line in child.stdout.splitlines()]


def test_there_are_enough_of_them(reports):
    assert len(reports) == len(payloads.FORBIDDEN) + len(payloads.HARMLESS) + len(payloads.HEAVY) > 140


def test_whatever_does_more_than_read_is_refused(reports):
    forbidden = [report for report in reports if report["kind"] == "forbidden"]
    assert [report for report in forbidden if report["outcome"] != "QueryRefused"] == []


def test_no_secret_comes_out(reports):
    assert [report["sql"] for report in reports if SECRET in report["said"]] == []


def test_nothing_ends_in_an_error_that_nobody_expects(reports):
    assert [report for report in reports if report["outcome"].startswith("raised")] == []


def test_whatever_takes_too_much_is_stopped(reports):
    heavy = [report for report in reports if report["kind"] == "heavy"]
    assert {report["outcome"] for report in heavy} == {"QueryRefused", "QueryTimeout"}
    assert max(report["peak_mib"] for report in reports) < 2500


def test_an_answer_that_cannot_be_written_is_a_sentence(tmp_path, capsys):
    Archive(tmp_path, create=True)
    asked = ["query", "SELECT * FROM test_all_types()", "--archive", str(tmp_path), "--format"]
    assert stix_jobs([*asked, "csv"]) == 1
    assert capsys.readouterr().err.startswith("stix-jobs: the answer cannot be written as csv: ")
