"""Links inside the archive, in the place of files that the server sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from archive import Archive
from archive.accounts.store import USERS_FILE
from archive.layout import SPECTRUM_FILES, SPECTRUM_RECORD


@contextmanager
def linked_to_users(root: Path, path: Path) -> Iterator[None]:
    """Put a link to the file of users in the place of a file of the archive, for a while."""
    content = path.read_bytes()
    path.unlink()
    path.symlink_to(os.path.relpath(root / USERS_FILE, path.parent))
    try:
        yield
    finally:
        path.unlink()
        path.write_bytes(content)


def test_a_link_in_the_place_of_an_image(target: Any, attacker: Any) -> None:
    """A link in the place of a file of the archive is not followed, wherever in the archive it leads."""
    archive = Archive(target.root)
    image = next(image for image in archive.images(limit=50) if not image.hidden and image.thumbnail)
    secret = (target.root / USERS_FILE).read_bytes()
    places = {"fits": image.file, "png": image.png, "thumbnail": image.thumbnail}
    for kind, place in places.items():
        with linked_to_users(target.root, target.root / place):
            answer = attacker.get(f"/archive/{kind}/{image.image_id}")
            bundle = attacker.get(f"/archive/selection/bundle.zip?images={image.image_id}")
        assert answer.status == 404, kind
        for body in (answer.body, bundle.body):
            assert secret[:40] not in body
            assert str(target.root).encode() not in body
    archive.close()


def test_a_link_in_the_place_of_a_file_of_a_spectrum(target: Any, attacker: Any) -> None:
    """Neither the download nor the API follows it."""
    archive = Archive(target.root)
    spectrum = archive.spectra(limit=1)[0]
    archive.close()
    secret = (target.root / USERS_FILE).read_bytes()
    for name in SPECTRUM_FILES:
        with linked_to_users(target.root, target.root / spectrum.folder / name):
            download = attacker.get(f"/archive/spectrum/{spectrum.spectrum_id}/{name}")
            described = attacker.get(f"/api/v1/spectra/{spectrum.spectrum_id}")
        assert (download.status, described.status) == (404, 200), name
        assert (described.json["spectrum"] is None) == (name == SPECTRUM_RECORD)
        for body in (download.body, described.body):
            assert secret[:40] not in body
            assert str(target.root).encode() not in body


def test_a_link_in_the_place_of_a_file_of_spectra_of_regions(target: Any, attacker: Any) -> None:
    """Neither the download nor the API follows it."""
    archive = Archive(target.root)
    regions = archive.region_spectra(limit=1)[0]
    archive.close()
    secret = (target.root / USERS_FILE).read_bytes()
    for name in ("regions.json", "regions.png", "stx_srm.fits"):
        with linked_to_users(target.root, target.root / regions.folder / name):
            download = attacker.get(f"/archive/regions/{regions.region_id}/{name}")
            described = attacker.get(f"/api/v1/region-spectra/{regions.region_id}")
        assert (download.status, described.status) == (404, 200), name
        assert (described.json["regions"] is None) == (name == "regions.json")
        for body in (download.body, described.body):
            assert secret[:40] not in body
            assert str(target.root).encode() not in body


@pytest.fixture(autouse=True)
def _as_before(target: Any) -> Any:
    """Other tests find the archive as it was."""
    yield
    places = [*(target.root / "images").rglob("*"), *(target.root / "spectra").rglob("*")]
    places += (target.root / "regions").rglob("*")
    assert not any(path.is_symlink() for path in places)
