"""Schema changes have names and are applied once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archive import Archive, Flare, IndexVersion
from archive.index.migrations import MIGRATIONS, Migration, migrate, pending
from archive.index.schema import SPECTRA


def test_steps_are_applied_once_in_order(tmp_path: Path) -> None:
    done: list[str] = []
    steps = [Migration(name, lambda _, name=name: done.append(name)) for name in "abc"]
    assert migrate(tmp_path, steps[:2]) == ["a", "b"]
    assert migrate(tmp_path, steps) == ["c"]
    assert migrate(tmp_path, steps) == []
    assert done == ["a", "b", "c"]
    assert json.loads((tmp_path / "schema.json").read_text()) == {"applied": ["a", "b", "c"]}


def test_a_step_that_fails_is_run_again_and_the_ones_before_are_not(tmp_path: Path) -> None:
    done: list[str] = []

    def fails_once(index: Path) -> None:
        if done.count("try") == 0:
            done.append("try")
            raise OSError(28, "disk full")
        done.append("b")

    steps = [Migration("a", lambda _: done.append("a")), Migration("b", fails_once)]
    with pytest.raises(OSError, match="disk full"):
        migrate(tmp_path, steps)
    assert [step.name for step in pending(tmp_path, steps)] == ["b"]
    migrate(tmp_path, steps)
    assert done == ["a", "try", "b"]


def test_a_step_can_add_a_column_and_the_read_model_goes(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1)])
    archive.build_read_model()

    def add_column(index: Path) -> None:
        for path in index.glob("images/*.parquet"):
            month = pq.read_table(path)
            pq.write_table(month.append_column("spots", pa.nulls(month.num_rows, pa.int64())), path)

    migrate(archive.index, [*MIGRATIONS, Migration("2031-05 spots", add_column)])
    assert archive.query("SELECT spots FROM images").to_pylist() == [{"spots": None}]


def test_an_archive_without_spectra_gets_their_columns_and_keeps_its_flares(archive: Archive, make) -> None:
    archive.upsert("flares", [Flare(flare_id="2211111200", t_peak=make.now, source="detected", updated_at=make.now)])
    before = archive.flare("2211111200")
    archive.build_read_model()
    archive.close()
    new = ["spectrum_id", "temperature", "temperature_sigma", "emission_measure", "emission_measure_sigma"]
    new += ["delta", "delta_sigma", "spectrum_verdict", "fitted"]
    for path in archive.index.glob("flares/*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(new), path)
    applied = [step.name for step in MIGRATIONS if step.name != "2026-11 spectra"]
    (archive.index / "schema.json").write_text(json.dumps({"applied": applied}))
    with pytest.raises(IndexVersion, match="written by older software"):
        Archive(archive.root)
    again = Archive(archive.root, create=True)
    assert pending(again.index) == []
    assert again.flare("2211111200") == before
    again.upsert("flares", [replace(before, temperature=14.5)])
    again.build_read_model()
    assert again.rows("SELECT temperature, delta FROM flares") == [{"temperature": 14.5, "delta": None}]
    assert again.spectra() == []


def test_spectra_get_a_second_temperature(archive: Archive, make) -> None:
    row = make.spectrum(1, temperature=14.5)
    archive.write_spectra([row])
    archive.close()
    second = [name for name in SPECTRA.arrow.names if "_2" in name]
    assert len(second) == 6
    for path in archive.index.glob("spectra/*.parquet"):
        pq.write_table(pq.read_table(path).drop_columns(second), path)
    applied = [step.name for step in MIGRATIONS if step.name != "2026-11 second temperatures"]
    (archive.index / "schema.json").write_text(json.dumps({"applied": applied}))
    again = Archive(archive.root, create=True)
    assert again.spectra() == [row]
    hot = replace(row, temperature_2=31.0, temperature_2_minus=2.0, emission_measure_2=0.001)
    again.write_spectra([hot])
    assert again.spectra() == [hot]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"applied": 3}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "schema.json").write_text(content)
    with pytest.raises(IndexVersion, match=r"schema\.json must list the applied migrations"):
        pending(tmp_path)
