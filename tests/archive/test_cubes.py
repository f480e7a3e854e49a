"""Cubes of flares are found by the index, and read from their records."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from archive import Archive, NotInArchive
from archive.cubes import CubeMovie, cube_file, flare_cubes

from .conftest import make_image

FLARE, GROUP = "2211111201", "cube-2211111200-2211116471"
POINT = {
    "t_start": "2022-11-11T12:00:00.000", "t_end": "2022-11-11T12:01:00.000", "e_low": 4.0, "e_high": 10.0,
    "x": 12.5, "y": -3.0, "x_sigma": None, "fwhm": float("nan"), "flux": 2.0, "net_counts": 6000.0, "image_id": "a",
}  # fmt: skip
RECORD = {"tracks": [POINT | {"e_low": 16.0, "e_high": 28.0}, POINT],
          "movie": {"band_kev": [4.0, 10.0], "frames": 2, "file": "movie.mp4", "poster": "poster.png"}}  # fmt: skip


def write_record(archive: Archive, record: Any = RECORD, day: str = "2022/11/10") -> Path:
    """The record of the cube; its flare was found again under another id, and its preview began before midnight."""
    folder = archive.root / "cubes" / day / GROUP
    folder.mkdir(parents=True)
    (folder / "cube.json").write_text(record if isinstance(record, str) else json.dumps(record))
    archive.upsert("images", [make_image(1, flare_id=FLARE, group_id=GROUP)])
    return folder


def test_a_cube_has_tracks_in_order_and_a_movie(archive: Archive) -> None:
    write_record(archive)
    (cube,) = flare_cubes(archive, FLARE)
    assert (cube.group_id, cube.folder) == (GROUP, PurePosixPath("cubes/2022/11/10", GROUP))
    assert [point.e_low for point in cube.points] == [4.0, 16.0]
    point = cube.points[0]
    assert (point.t_start, point.x, point.fwhm, point.x_sigma) == (np.datetime64("2022-11-11T12:00"), 12.5, None, None)
    assert cube.movie == CubeMovie("movie.mp4", "poster.png", ((4.0, 10.0),), 2)
    assert cube.files == ("movie.mp4", "poster.png", "tracks.parquet", "cube.json")
    assert flare_cubes(archive, "2211110000") == []


def test_doubts_of_a_step(archive: Archive) -> None:
    """Records from before 2026-12 have none."""
    said = POINT | {"doubts": "position,shape"}
    write_record(archive, json.dumps({"tracks": [said, POINT | {"doubts": ""}, POINT]}))
    (cube,) = flare_cubes(archive, FLARE)
    assert [point.doubts for point in cube.points] == [{"position", "shape"}, set(), set()]


def test_hidden_images_and_those_of_users_are_no_cube_of_a_flare(archive: Archive) -> None:
    write_record(archive)
    for changes in ({"hidden": True}, {"author": "alice"}, {"group_id": "alice-7"}, {"group_id": None}):
        archive.upsert("images", [make_image(1, flare_id=FLARE, **({"group_id": GROUP} | changes))])
        assert flare_cubes(archive, FLARE) == []
        with pytest.raises(NotInArchive):
            cube_file(archive, GROUP, "cube.json")


@pytest.mark.parametrize(
    "record",
    [
        "{", "[]", '{"tracks": 3}', '{"tracks": [{"t_start": "today"}]}', '{"tracks": ["a"]}',
        *(
            json.dumps({"tracks": [POINT, POINT | changes]})
            for changes in (
                {"e_low": 10**400}, {"e_low": float("nan")}, {"e_low": 10.0}, {"t_start": "NaT"},
                {"t_end": "2022-11-11"}, {"t_end": "9999-01-01"}, {"x": 1e308},
            )
        ),
    ],
)  # fmt: skip
def test_a_damaged_record_is_left_out(archive: Archive, record: str, caplog: pytest.LogCaptureFixture) -> None:
    write_record(archive, record)
    assert flare_cubes(archive, FLARE) == []
    assert "cube.json" in caplog.text


def test_a_movie_may_show_several_bands(archive: Archive) -> None:
    movie = RECORD["movie"] | {"bands_kev": [[4.0, 10.0], [16.0, 28.0]]}
    write_record(archive, RECORD | {"movie": movie})
    (cube,) = flare_cubes(archive, FLARE)
    assert cube.movie is not None
    assert cube.movie.bands == ((4.0, 10.0), (16.0, 28.0))


def test_a_record_cannot_name_files_elsewhere(archive: Archive) -> None:
    movie = {"band_kev": [4.0, 10.0], "frames": 2, "file": "../../secret.mp4", "poster": "poster.png"}
    write_record(archive, RECORD | {"movie": movie})
    (cube,) = flare_cubes(archive, FLARE)
    assert cube.movie is None


def test_files_of_a_cube_are_found_by_group_and_name(archive: Archive) -> None:
    folder = write_record(archive)
    (folder / "movie.mp4").write_bytes(b"film")
    assert cube_file(archive, GROUP, "movie.mp4") == (
        PurePosixPath("cubes/2022/11/10", GROUP, "movie.mp4"),
        "video/mp4",
    )
    for name in ("tracks.parquet", "../cube.json", ".part-1", "cube.json.bak"):
        with pytest.raises(NotInArchive, match="there is no file"):
            cube_file(archive, GROUP, name)
    with pytest.raises(NotInArchive):
        cube_file(archive, "cube-1-1", "cube.json")
