"""A hundred thousand images: the same answers, in the time of a page turned."""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from archive import Archive
from archive.index.schema import IMAGES
from archive.layout import METHODS
from dashboards.pages.image_archive.state import ImageArchiveState
from dashboards.shared.source import ArchiveSource

RECIPES = 100_000 // len(METHODS)
#: Longest a page may take, s: the budget of a page turned in the browser. On two quiet cores it takes 0.02 s.
BUDGET = 0.4


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, pa.Table]:
    archive = Archive(tmp_path_factory.mktemp("many") / "archive", create=True)
    random = np.random.default_rng(7)
    start = np.datetime64("2021-01-01", "us") + np.sort(random.integers(0, 5 * 365 * 86400, RECIPES)).astype("m8[s]")
    recipe = np.array([f"{number:016x}" for number in range(RECIPES)])
    uid = np.array([f"{2_200_000_000 + number}" for number in range(RECIPES)])
    of, rows = np.repeat(np.arange(RECIPES), len(METHODS)), RECIPES * len(METHODS)
    method = np.tile(METHODS, RECIPES)
    thermal = random.random(RECIPES) < 0.7
    columns: dict[str, object] = {
        "image_id": np.char.add(np.char.add(recipe[of], "-"), method),
        "recipe_id": recipe[of],
        "method": method,
        "uid": uid[of],
        "t_start": start[of],
        "t_end": (start + np.timedelta64(60, "s"))[of],
        "e_low": np.where(thermal, 4.0, 16.0)[of],
        "e_high": np.where(thermal, 10.0, 28.0)[of],
        "chi2": random.random(rows),
        "trusted": random.random(rows) < 0.8,
        "hidden": random.random(rows) < 0.01,
        "author": np.full(rows, "auto"),
        "group_id": np.full(rows, None),
    }
    defaults = {pa.string(): "", pa.int64(): 1, pa.float64(): 1.0, pa.bool_(): False}
    defaults[pa.timestamp("us")] = np.datetime64("2026-01-01", "us")
    table = pa.table(
        {f.name: pa.array(columns.get(f.name, np.full(rows, defaults[f.type])), f.type) for f in IMAGES.arrow},
        schema=IMAGES.arrow,
    )
    folder = archive.index / IMAGES.name
    folder.mkdir(parents=True, exist_ok=True)
    months = start[of].astype("datetime64[M]")
    for month in np.unique(months):
        pq.write_table(table.filter(pa.array(months == month)), folder / f"{month}.parquet")
    archive.build_read_model()
    return archive, table


def timed(state: ImageArchiveState, **changes: object) -> float:
    begin = time.perf_counter()
    state.param.update(**changes)
    return time.perf_counter() - begin


def test_a_page_of_many(many: tuple[Archive, pa.Table]) -> None:
    archive, table = many
    rows = table.select(["image_id", "method", "e_low", "chi2", "trusted", "hidden", "t_start"]).to_pandas()
    seen = rows[~rows.hidden]
    state = ImageArchiveState(ArchiveSource(Path(archive.root)), tab="images")
    state.load()
    assert state.listing.total == len(seen)

    took = [timed(state, page=page) for page in (2, 3, 1000, state.listing.pages)]
    newest = seen.sort_values(["t_start", "image_id"], ascending=[False, True])
    assert [row.image.image_id for row in state.listing.rows] == list(newest.image_id[(state.listing.pages - 1) * 25 :])

    took.append(timed(state, sort=["-chi2"], methods=["clean"], band="4-10", trust="trusted"))
    wanted = seen[(seen.method == "clean") & (seen.e_low == 4) & seen.trusted].sort_values("chi2", ascending=False)
    assert state.listing.total == len(wanted)
    assert [row.image.image_id for row in state.listing.rows] == list(wanted.image_id[:25])

    took.append(timed(state, text="2200012345"))
    assert {row.image.uid for row in state.listing.rows} <= {"2200012345"}
    took.append(timed(state, opened=wanted.image_id.iloc[0]))
    assert state.detail.image.image_id == wanted.image_id.iloc[0]
    assert np.median(took) < BUDGET, took
