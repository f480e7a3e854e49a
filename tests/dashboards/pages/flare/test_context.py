"""Context maps on the flare page, and their pictures."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image as Picture

from archive import Archive, NotInArchive
from archive.context_maps import FOLDER, LARGEST_UNPACKED
from dashboards.pages.flare.content import FlareContent, load_flare
from dashboards.pages.flare.context import Field, context_html, moved_contours
from dashboards.pages.flare.geometry import EARTH, SOLO
from dashboards.server.context_picture import NOTHING, SIDE, context_picture, grey_levels

from .test_flare_view import measured, text_of

NAME = "context_aia_171_20221110T030403.fits"


@pytest.fixture
def content(cubed: Archive, flared: Any, monkeypatch: pytest.MonkeyPatch) -> FlareContent:
    monkeypatch.setattr("dashboards.pages.flare.context.routes_are_served", lambda: True)
    found = load_flare(cubed, flared.flare.flare_id)
    return replace(found, thermal=measured(flared.images[1], 823.3, 147.9))


def test_a_map_is_shown_in_both_views_with_the_assumption(content: FlareContent) -> None:
    html = context_html(content)
    for view in (SOLO, EARTH):
        assert f'href="archive/context/2211100301/{NAME}/{view}.png"' in html
    said = text_of(html)
    assert "SDO/AIA 171 Å, 2022-11-10 03:04:03 at the Earth, 0 s before the peak , as the Earth sees it" in said
    assert "with contours of CLEAN, 4–10 keV" in said
    assert "Assumption: all sources are on the solar surface." in said
    beyond = replace(content, flare=replace(content.flare, off_limb=True))
    assert "sources beyond the limb are on a sphere around Solar Orbiter" in text_of(context_html(beyond))


def test_a_flare_that_the_earth_does_not_see_has_one_view(content: FlareContent) -> None:
    hidden = replace(content, flare=replace(content.flare, earth_visible=False))
    assert re.findall(r"/(\w+)\.png", context_html(hidden)) == [SOLO]
    unknown = replace(content, flare=replace(content.flare, hpc_x=None, earth_x=None))
    assert "position of the flare is unknown" in context_html(unknown)
    assert context_html(replace(content, context=())) == ""


def test_contours_are_around_the_flare_in_both_views(content: FlareContent) -> None:
    assert content.thermal is not None
    for view, center in ((SOLO, (823.3, 147.9)), (EARTH, (188.7, 150.4))):
        field = Field.of(content.flare, view)
        assert field is not None
        contours = moved_contours(content, content.thermal, field)
        assert [len(lines) for lines in contours] == [1, 1, 1, 1]
        x, y = contours[-1][0]
        assert (x.mean(), y.mean()) == (pytest.approx(center[0], abs=12), pytest.approx(center[1], abs=12))


@pytest.mark.parametrize("view", [SOLO, EARTH])
def test_the_picture_has_the_flare_in_its_middle(cubed: Archive, view: str) -> None:
    content = context_picture(cubed, "2211100301", NAME, view)
    assert content is context_picture(cubed, "2211100301", NAME, view)
    picture = Picture.open(BytesIO(content))
    greys = np.asarray(picture.convert("L"), dtype=float)
    assert greys.shape == (SIDE, SIDE)
    rows, columns = np.nonzero(greys > 0.95 * greys.max())
    assert (rows.mean(), columns.mean()) == (pytest.approx(SIDE / 2, abs=14), pytest.approx(SIDE / 2, abs=14))


def test_what_is_no_map_of_the_flare_is_not_drawn(cubed: Archive, flared: Any) -> None:
    for flare_id, name in (
        ("9901010000", NAME),
        ("2211100301", NAME.replace("171", "193")),
    ):
        with pytest.raises(NotInArchive):
            context_picture(cubed, flare_id, name, SOLO)


def three_axes() -> bytes:
    stream = BytesIO()
    fits.PrimaryHDU(np.ones((2, 4, 4))).writeto(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: b"SIMPLE  = no map", ""),
        (lambda _: gzip.compress(b"SIMPLE  =" + bytes(LARGEST_UNPACKED)), ".*more than 132 MiB when unpacked"),
        (lambda content: gzip.compress(gzip.compress(content)), ".*not a FITS file packed with gzip"),
        (lambda _: three_axes(), ".*no image with two axes"),
    ],
)
def test_a_map_that_cannot_be_read_is_named(
    cubed: Archive, flared: Any, change: Callable[[bytes], bytes], words: str
) -> None:
    path: Path = cubed.root / FOLDER / NAME
    content = path.read_bytes()
    try:
        path.write_bytes(change(content))
        with pytest.raises(NotInArchive, match=f"the map overlays/{NAME} cannot be read{words}"):
            context_picture(cubed, flared.flare.flare_id, NAME, SOLO)
    finally:
        path.write_bytes(content)


def test_greys_leave_out_what_a_map_does_not_show() -> None:
    greys = grey_levels(np.array([[np.nan, 1.0], [5.0, 9.0]]))
    assert greys[1, 0] == NOTHING
    assert greys[1, 1] < greys[0, 0] < greys[0, 1] < NOTHING
    assert (grey_levels(np.full((2, 2), np.nan)) == NOTHING).all()
