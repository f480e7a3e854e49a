"""Writing the index: an upsert is a dictionary's update, whatever is killed in between."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import Archive, IndexDamaged, NotInArchive
from archive.atomic import PART
from archive.index.write import MOVES

DAYS = ["2022-10-31T23:59", "2022-11-01", "2022-11-11T12:00", "2022-12-01", "2023-11-11"]


def stored(archive: Archive) -> dict[str, Any]:
    rows = archive.images(limit=10_000)
    assert len(rows) == len({row.image_id for row in rows}), "a twin"
    assert archive.count_images() == len(rows)
    return {row.image_id: row for row in rows}


def test_one_file_per_month(archive: Archive, make) -> None:
    changed = archive.upsert("images", [make.image(n, day) for n, day in enumerate(DAYS)])
    assert changed == ("2022-10", "2022-11", "2022-12", "2023-11")
    assert sorted(path.name for path in (archive.index / "images").iterdir()) == [f"{m}.parquet" for m in changed]


def test_the_same_again_changes_not_a_byte(archive: Archive, make) -> None:
    rows = [make.image(n, day, chi2=float("nan")) for n, day in enumerate(DAYS)]
    archive.upsert("images", rows)
    before = make.tree(archive.root)
    times = {path: path.stat().st_mtime_ns for path in archive.index.rglob("*.parquet")}
    assert archive.upsert("images", reversed(rows)) == ()
    assert archive.upsert("images", []) == ()
    assert make.tree(archive.root) == before
    assert {path: path.stat().st_mtime_ns for path in archive.index.rglob("*.parquet")} == times


def test_the_order_of_arrival_leaves_no_trace(tmp_path: Path, make) -> None:
    rows = [make.image(n, DAYS[n % 5]) for n in range(20)]
    one, other = (Archive(tmp_path / name, create=True) for name in "ab")
    one.upsert("images", rows)
    for row in reversed(rows):
        other.upsert("images", [row])
    assert make.tree(one.index / "images") == make.tree(other.index / "images")


def test_a_row_that_changes_month_leaves_no_twin(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1, DAYS[0]), make.image(2, DAYS[0]), make.image(3, DAYS[2])])
    assert archive.upsert("images", [make.image(1, DAYS[2])]) == ("2022-10", "2022-11")
    assert stored(archive) == {
        row.image_id: row for row in (make.image(1, DAYS[2]), make.image(2, DAYS[0]), make.image(3, DAYS[2]))
    }
    archive.upsert("images", [make.image(2, DAYS[4])])
    assert not (archive.index / "images" / "2022-10.parquet").exists()
    assert not (archive.index / "images" / MOVES).exists()


def test_rows_may_swap_months(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1, DAYS[0]), make.image(2, DAYS[2])])
    archive.upsert("images", [make.image(1, DAYS[2]), make.image(2, DAYS[0])])
    assert stored(archive) == {row.image_id: row for row in (make.image(1, DAYS[2]), make.image(2, DAYS[0]))}


def test_rows_can_be_removed(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(n, DAYS[n % 2]) for n in range(6)])
    assert archive.delete("images", [make.image(0).image_id, make.image(1).image_id, "nobody"]) == (
        "2022-10",
        "2022-11",
    )
    assert set(stored(archive)) == {make.image(n).image_id for n in range(2, 6)}
    assert archive.delete("images", ["nobody"]) == ()


def test_a_table_that_does_not_exist(archive: Archive) -> None:
    with pytest.raises(NotInArchive, match="no table 'users'"):
        archive.upsert("users", [])


STEPS = st.lists(
    st.one_of(
        st.lists(st.tuples(st.integers(0, 5), st.sampled_from(DAYS), st.integers(0, 3)), max_size=6),
        st.sets(st.integers(0, 5), max_size=3),
        st.just("build"),
    ),
    max_size=8,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_upserts_is_a_dictionary(steps, make, tmp_path_factory) -> None:
    archive = Archive(tmp_path_factory.mktemp("upserts") / "archive", create=True)
    expected: dict[str, Any] = {}
    for step in steps:
        if step == "build":
            archive.build_read_model()
        elif isinstance(step, set):
            keys = [make.image(n).image_id for n in step]
            archive.delete("images", keys)
            expected = {key: row for key, row in expected.items() if key not in keys}
        else:
            rows = [make.image(n, day, n_iter=value) for n, day, value in step]
            archive.upsert("images", rows)
            expected |= {row.image_id: row for row in rows}
        assert stored(archive) == expected
        for row in expected.values():
            assert archive.image(row.image_id) == row


class PowerCut(Exception):
    """Stands for the moment the process is killed."""


@contextmanager
def killed_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Let so many files be renamed or removed, and then no more. Yields what is left of the steps."""
    left, replace, unlink = [steps], Path.replace, Path.unlink

    def step() -> None:
        if left[0] == 0:
            raise PowerCut
        left[0] -= 1

    def cut_replace(self: Path, target: Path) -> Path:
        step()
        return replace(self, target)

    def cut_unlink(self: Path, missing_ok: bool = False) -> None:
        if not self.name.startswith(PART):  # a killed process does not tidy up, but that is tested elsewhere
            step()
        unlink(self, missing_ok=missing_ok)

    with monkeypatch.context() as patched, suppress(PowerCut):
        patched.setattr(Path, "replace", cut_replace)
        patched.setattr(Path, "unlink", cut_unlink)
        yield left


@pytest.mark.parametrize("with_model", [pytest.param(False, marks=pytest.mark.thorough), True])
def test_killed_at_any_step_nothing_is_lost_and_no_twin_stays(tmp_path: Path, make, monkeypatch, with_model) -> None:
    before = [make.image(n, DAYS[n]) for n in range(5)]
    batch = [make.image(0, DAYS[2], size=7), make.image(1, DAYS[0]), make.image(4, DAYS[1]), make.image(9, DAYS[3])]
    expected = {row.image_id: row for row in before} | {row.image_id: row for row in batch}
    for steps in itertools.count():
        archive = Archive(tmp_path / f"{steps}", create=True)
        archive.upsert("images", before)
        if with_model:
            archive.build_read_model()
        with killed_after(steps, monkeypatch) as left:
            archive.upsert("images", batch)
        found = {row.image_id: row for row in archive.images(limit=100)}
        assert set(found) >= {row.image_id for row in before}, "an old row was lost"
        assert all(row in (expected[key], *before) for key, row in found.items())
        archive.upsert("images", [])  # whoever writes next finishes what was begun
        stored(archive)
        archive.upsert("images", batch)
        assert stored(archive) == expected
        assert not (archive.index / "images" / MOVES).exists()
        if left[0]:
            break
    assert steps > 5


WRITER = """
import sys
from archive import Archive
sys.path.insert(0, sys.argv[4])
from conftest import make_image
archive = Archive(sys.argv[1])
first, last = int(sys.argv[2]), int(sys.argv[3])
for n in range(first, last):
    archive.upsert("images", [make_image(n, f"2022-{1 + n % 3:02d}-01")])
    if n % 7 == 0:
        archive.build_read_model()
"""


def test_two_processes_write_while_a_third_reads(archive: Archive, make) -> None:
    folder = str(Path(__file__).parents[1])
    archive.upsert("images", [make.image(999)])
    ranges = [("0", "15"), ("15", "30")]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(archive.root), *numbers, folder]) for numbers in ranges
    ]
    seen = 0
    while any(writer.poll() is None for writer in writers):
        rows = archive.images(limit=100)
        assert len({row.image_id for row in rows}) == len(rows) >= seen, "a reader saw less than before"
        seen = len(rows)
        archive.image(make.image(999).image_id)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert set(stored(archive)) == {make.image(n).image_id for n in [*range(30), 999]}


def test_a_damaged_month_is_named_and_left_alone(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1, DAYS[0]), make.image(2, DAYS[2])])
    month = archive.index / "images" / "2022-11.parquet"
    month.write_bytes(b"PAR1 and nothing else")
    for attempt in (
        lambda: archive.upsert("images", [make.image(3, DAYS[2])]),
        archive.images,
        archive.build_read_model,
    ):
        with pytest.raises(IndexDamaged, match=r"2022-11\.parquet"):
            attempt()
    assert month.read_bytes() == b"PAR1 and nothing else"
