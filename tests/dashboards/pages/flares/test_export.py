"""Links of the page to files, and what the server sends for them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pyarrow.parquet as pq
import pytest
from astropy.io import votable

from archive import FlareFilter
from archive.client import ArchiveClient
from archive.exports import FORMATS
from dashboards.pages.flares.export import NAMES, export_address, export_html
from dashboards.pages.flares.state import FlaresState
from dashboards.shared.source import ArchiveSource


def test_every_format_has_a_link() -> None:
    assert set(NAMES) == set(FORMATS)
    html = export_html(FlareFilter(text='"><b>'), 3)
    assert html.count("<a ") == len(FORMATS)
    assert "<b>" not in html
    assert export_html(FlareFilter(), 0) == ""


def test_links_carry_limits_on_the_fit() -> None:
    address = export_address(FlareFilter(temperature_min=12.0, delta_max=5.5), "csv")
    assert address == "api/v1/flares?temperature_min=12&delta_max=5.5&format=csv"


def test_files_of_the_filter(flares_server: Any, flares: Any, tmp_path: Path) -> None:
    """What the page shows is what its links bring: every row, every column."""
    state = FlaresState(ArchiveSource(flares.archive.root))
    state.take_address(
        "?start=2022-11-10T06&end=2022-11-11T03&earth=no&box=earth:0,1000,0,300&goes=M1-M2&temperature=..30&rows=50"
    )
    state.load()
    shown = sorted(row.flare.flare_id for row in state.listing.rows)
    assert shown
    for form in FORMATS:
        with urlopen(f"{flares_server.url}/{export_address(state.flare_filter(), form)}", timeout=120) as answer:
            content = answer.read()
            assert answer.headers["Content-Disposition"].startswith('attachment; filename="stix_flares.')
            assert answer.headers["Content-Type"] == FORMATS[form][0]
        if form == "parquet":
            assert pq.read_table(io.BytesIO(content))["flare_id"].to_pylist() == shown
        elif form == "votable":
            assert list(votable.parse_single_table(io.BytesIO(content)).to_table()["flare_id"]) == shown
        elif form == "json":
            assert [row["flare_id"] for row in json.loads(content)["items"]] == shown
        else:
            assert all(flare_id.encode() in content for flare_id in shown)

    client = ArchiveClient(flares_server.url)
    path = client.save_flares(tmp_path / "flares.csv", "csv", has_images=True)
    lines = path.read_text().splitlines()
    assert len(lines) == 2
    (row,) = client.flares(has_images=True)
    assert set(lines[0].replace('"', "").split(",")) == set(row)

    with pytest.raises(HTTPError) as refused:
        urlopen(f"{flares_server.url}/api/v1/flares?format=csv&limit=3", timeout=60)
    assert refused.value.code == 400
    assert "leave limit out" in json.loads(refused.value.read())["error"]
