"""Files whose name or folder is wrong, and errors that are not the file's."""

from __future__ import annotations

from errno import EACCES, EIO, ENOENT
from pathlib import Path

import pytest

from archive import Archive
from archive.errors import WrongName
from archive.ingest.describe import describe
from archive.ingest.refile import content_in_place, describe_filed, is_machine_error, refile
from stixcore.errors import InvalidProduct
from stixcore.recipe import sha256_of

#: A name that says 13:00, for a file that begins at 12:00.
WRONG = "solo_L1_stix-sci-xray-cpd_20221111T130000-20221111T130100_V01_2211116471-50000.fits"


def test_a_wrong_name_gives_way_to_that_of_the_header(tmp_path: Path, make) -> None:
    path = make.pixel_file(name=WRONG).write(tmp_path)
    with pytest.raises(WrongName):
        describe(path, "0" * 64, make.now)
    row = describe_filed(path, "0" * 64, make.now).row
    assert row.name == "solo_L1_stix-sci-xray-cpd_20221111T120000-20221111T120100_V01_2211116471.fits"


def test_a_file_moves_to_its_place_unless_another_is_there(archive: Archive, make) -> None:
    path = make.pixel_file(name=WRONG).write(archive.root / "fits")
    row = describe_filed(path, sha256_of(path), make.now).row
    assert content_in_place(archive, row) == ""
    refile(archive, path, row)
    assert not path.exists()
    assert content_in_place(archive, row) == row.sha256
    other = make.pixel_file(name=WRONG, counts=4).write(archive.root / "fits")
    with pytest.raises(InvalidProduct, match="expected no other file at"):
        refile(archive, other, row)
    assert other.exists()


@pytest.mark.parametrize(
    ("error", "is_machines"),
    [
        (MemoryError(), True),
        (OSError(EIO, "disk"), True),
        (PermissionError(EACCES, "no"), True),
        (FileNotFoundError(ENOENT, "gone"), False),
        (ValueError("number"), False),
        (None, False),
    ],
)
def test_errors_of_the_machine_also_as_a_cause(error: BaseException | None, is_machines: bool) -> None:
    assert is_machine_error(error) is is_machines
    wrapped = InvalidProduct("x.fits", "readable headers", "none")
    wrapped.__cause__ = error
    assert is_machine_error(wrapped) is is_machines
