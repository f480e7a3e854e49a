"""An archive with light curves, flares and tracks, also simulated ones, and a server of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from archive import Archive
from archive.index.series import day_file, month_file, write_rows
from archive.layout import cube_folder, cube_id
from archive.lightcurves.minutes import minutes_of
from tests.dashboards.conftest import (
    DAY,
    FIRST,
    PLACED,
    light_curve_rows,
    make_curves,
    make_flare,
    make_image,
    make_quicklook_file,
)


def _step(second: int, **values: Any) -> dict[str, Any]:
    begin = FIRST + np.timedelta64(3 * 3600 + second, "s")
    return {"t_start": str(begin), "t_end": str(begin + np.timedelta64(20, "s")), **values}


def _fit(second: int) -> dict[str, Any]:
    values = {"livetime_s": 18.0, "attenuator_in": False, "counts": 900.0 + second, "model": "thermal+thick target"}
    limits = {"fit_low": 4.0, "fit_high": 28.0, "chi2": 12.5, "ndof": 9, "verdict": "trusted", "doubts": []}
    return _step(second, **values, **limits, temperature=15.5 + second / 100, temperature_minus=0.5, delta=5.25)


def make_cube(archive: Archive, uid: str, counts: float, first: int = 0) -> None:
    """The record of a cube, and the rows of its images."""
    flare = make_flare(FIRST, 3).flare_id
    group = cube_id(flare, uid)
    tracks = [
        _step(20 * step, e_low=low, e_high=high, x=100.0 + step, y=None, net_counts=counts, doubts="flux,position")
        for step in range(3)
        for low, high in ((4.0, 10.0), (16.0, 28.0))
    ]
    folder = archive.root / cube_folder(FIRST, group)
    folder.mkdir(parents=True)
    record = {"tracks": tracks, "spectra": {"track": [_fit(0), _fit(20)]}}
    (folder / "cube.json").write_text(json.dumps(record))
    images = [
        make_image(
            archive.root, 300 + first + place, "clean", group_id=group, flare_id=flare, uid=uid, author="auto",
            t_start=np.datetime64(one["t_start"]), t_end=np.datetime64(one["t_end"]), e_low=one["e_low"],
            e_high=one["e_high"],
        )
        for place, one in enumerate(tracks)
    ]  # fmt: skip
    archive.upsert("images", images)


@pytest.fixture(scope="session")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Two days of light curves, flares with and without positions, and two cubes of the same times."""
    archive = make_curves(tmp_path_factory.mktemp("rich") / "archive").archive
    rows = light_curve_rows(FIRST + DAY)
    write_rows(day_file(archive.index, FIRST + DAY), rows, {})
    both = [minutes_of(light_curve_rows(day)) for day in (FIRST, FIRST + DAY)]
    write_rows(month_file(archive.index, FIRST), pa.concat_tables(both))
    archive.upsert("quicklook_files", [make_quicklook_file(FIRST + DAY)])
    placed = make_flare(FIRST, 3, **PLACED, attenuator_in=True)
    flares = [placed, make_flare(FIRST + 2 * DAY, 5, goes_estimated_flux=4e-6), make_flare(FIRST, 20, simulated=True)]
    archive.upsert("flares", flares)
    make_cube(archive, "2211100001", 500.0)
    make_cube(archive, "2211100002", 800.0, first=10)
    archive.build_read_model()
    yield archive
    archive.close()


@pytest.fixture(scope="session")
def rich_server(serve: Callable[[Path], Any], rich: Archive) -> Iterator[Any]:
    with serve(rich.root) as started:
        yield started


@pytest.fixture
def visitor(rich_server: Any, new_client: Any) -> Any:
    return new_client(rich_server.url)
