"""Lists of the API as files: read back by the programs people have, with all rows and none that is hidden."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table

from archive.index.schema import IMAGES, SPECTRA
from archive.index.ucds import UCDS
from dashboards.server.api.call import Call
from dashboards.server.api.errors import Refused
from dashboards.server.api.files import file_reply
from dashboards.server.api.rows import public_names
from dashboards.shared.access import GUEST
from jobs.shared.limits import Limits

LISTS = {"images": IMAGES, "spectra": SPECTRA}


def seen(small: Any, name: str) -> list[Any]:
    """What everybody may see, oldest first."""
    table = LISTS[name]
    rows = [row for row in getattr(small, name) if not row.hidden]
    return sorted(rows, key=lambda row: (row.t_start, getattr(row, table.key)))


@pytest.mark.parametrize("name", LISTS)
def test_votable_is_valid_and_has_all(client: Any, small: Any, tmp_path: Path, name: str) -> None:
    answer = client.get(f"/api/v1/{name}?format=votable")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-votable+xml")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="stix_{name}.vot"'
    path = tmp_path / "rows.vot"
    path.write_bytes(answer.body)
    assert votable.validate(path, output=None, xmllint=False)
    table = votable.parse(path, verify="exception").get_first_table()
    assert table.name == name
    for field in table.fields:
        assert check_ucd(field.ucd, check_controlled_vocabulary=True)
        assert field.ucd == UCDS[name].get(field.name)
    key = LISTS[name].key
    assert list(table.to_table()[key]) == [getattr(row, key) for row in seen(small, name)]


@pytest.mark.parametrize("name", LISTS)
def test_other_formats(client: Any, small: Any, name: str) -> None:
    key, columns = LISTS[name].key, public_names(LISTS[name])
    expected = [getattr(row, key) for row in seen(small, name)]
    for form in ("csv", "ecsv"):
        rows = Table.read(
            client.get(f"/api/v1/{name}?format={form}").text, format="ascii.ecsv" if form == "ecsv" else form
        )
        assert (list(rows[key]), rows.colnames) == (expected, columns)
    items = json.loads(client.get(f"/api/v1/{name}?format=json").body)["items"]
    assert [item[key] for item in items] == expected
    whole = pq.read_table(io.BytesIO(client.get(f"/api/v1/{name}?format=parquet").body))
    assert whole[key].to_pylist() == expected
    with fits.open(io.BytesIO(client.get(f"/api/v1/{name}?format=fits").body)) as hdus:
        assert (list(hdus[1].data[key]), hdus[1].name) == (expected, name.upper())


def test_filters_and_refusals(client: Any, small: Any) -> None:
    rows = Table.read(client.get("/api/v1/images?format=csv&method=clean&trusted=true").text, format="csv")
    assert set(rows["method"]) == {"clean"}
    assert len(rows) == sum(row.method == "clean" and row.trusted for row in seen(small, "images"))
    for name in LISTS:
        answer = client.get(f"/api/v1/{name}?format=csv&limit=5")
        assert (answer.status, answer.json["field"]) == (400, "limit")
        assert client.get(f"/api/v1/{name}?format=docx").json["field"] == "format"


def test_hidden_rows_are_for_their_author(client: Any, small: Any, users: Any) -> None:
    assert small.hidden.image_id not in client.get("/api/v1/images?format=csv").text
    client.sign_in("alice", users["alice"])
    assert small.hidden.image_id in client.get("/api/v1/images?format=csv").text


def test_a_file_has_a_largest_number_of_rows(small: Any) -> None:
    call = Call(GUEST, {"format": "csv"}, {}, {}, b"", np.datetime64("2026-11-23"), Limits())
    number = len(seen(small, "images"))
    read = small.archive.image_table
    assert file_reply(call, IMAGES, number, lambda columns: read(None, columns), number).file is not None
    with pytest.raises(Refused, match=f"{number} images, {number - 1} at most in a file"):
        file_reply(call, IMAGES, number, pytest.fail, number - 1)
