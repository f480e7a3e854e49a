"""The record of a run beside its images says what the index says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.index.records import RECORD, keep_records, read_record, write_record


def test_rows_come_back_as_they_were(tmp_path: Path, make) -> None:
    run = make.run("0000000000000001", e_high=np.inf, elapsed_s=1.5, hidden=True, reason="…")
    images = [make.image(1, method=method, chi2=1.25, n_iter=7) for method in ("em", "clean")]
    write_record(tmp_path, run, images)
    record = read_record(tmp_path)
    assert record is not None
    assert record.run == run
    assert record.images == tuple(reversed(images))  # by key


def test_unknown_numbers_and_times_are_empty(tmp_path: Path, make) -> None:
    run = make.run("0000000000000001", counts_total=np.float64("nan"), elapsed_s=float("nan"))
    write_record(tmp_path, run, [])
    content = json.loads((tmp_path / RECORD).read_text())
    assert (content["run"]["counts_total"], content["run"]["elapsed_s"]) == (None, None)
    assert read_record(tmp_path).run == replace(run, counts_total=None, elapsed_s=None)


def test_a_record_is_rewritten_only_when_it_changes(tmp_path: Path, make) -> None:
    run, path = make.run("0000000000000001"), tmp_path / RECORD
    write_record(tmp_path, run, [make.image(1)])
    before = path.stat().st_ino
    write_record(tmp_path, run, [make.image(1)])
    assert path.stat().st_ino == before
    write_record(tmp_path, run, [make.image(1, n_iter=8)])
    assert read_record(tmp_path).images == (make.image(1, n_iter=8),)


def test_only_runs_with_images_and_a_folder_have_a_record(tmp_path: Path, make) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    runs = [
        make.run(make.image(1).recipe_id, folder="one"),
        make.run(make.image(2).recipe_id, folder="two"),  # without images
        make.run(make.image(3).recipe_id, folder="gone"),
        make.run(make.image(4).recipe_id),
    ]
    images = [make.image(1), make.image(3), make.image(4), make.image(1, method="em"), make.image(9)]
    keep_records(tmp_path, runs, images)
    assert [path.relative_to(tmp_path) for path in tmp_path.rglob(RECORD)] == [Path("one", RECORD)]
    assert read_record(tmp_path / "one").images == (make.image(1), make.image(1, method="em"))


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"format": 3}, False),
        ({"run": {}}, False),
        ({"run": 3}, False),
        ({"images": None}, False),
        ({"images": [{"image_id": "x"}]}, False),
    ],
)
def test_what_is_no_record_is_none(tmp_path: Path, make, change: dict[str, Any], valid: bool) -> None:
    write_record(tmp_path, make.run("0000000000000001"), [make.image(1)])
    content = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps(content | change))
    assert (read_record(tmp_path) is not None) == valid
    assert read_record(tmp_path / "elsewhere") is None


def test_columns_may_come_and_go(tmp_path: Path, make) -> None:
    run = make.run("0000000000000001", background_uid="2211098157")
    write_record(tmp_path, run, [])
    content = json.loads((tmp_path / RECORD).read_text())
    content["run"]["column_of_yesterday"] = 3
    del content["run"]["background_uid"]
    (tmp_path / RECORD).write_text(json.dumps(content))
    assert read_record(tmp_path).run == replace(run, background_uid=None)
