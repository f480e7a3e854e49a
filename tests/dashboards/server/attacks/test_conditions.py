"""Conditional and range requests, row by row after RFC 9110: a resumed download never joins two versions of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

OTHER = '"another"'


@pytest.fixture(scope="module")
def fits(target: Any, small: Any) -> Path:
    """An image file whose date is well in the past."""
    path = target.root / small.images[7].file
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return Path(path)


@pytest.fixture
def address(small: Any) -> str:
    return f"/archive/fits/{small.images[7].image_id}"


@pytest.fixture
def values(attacker: Any, fits: Path, address: str) -> dict[str, str]:
    """What the rows of the table speak of."""
    headers = attacker.get(address).headers
    date = parsedate_to_datetime(headers["Last-Modified"])
    return {
        "same": headers["Etag"],
        "weak": f"W/{headers['Etag']}",
        "date": headers["Last-Modified"],
        "before": format_datetime(date - timedelta(days=1), usegmt=True),
        "after": format_datetime(date + timedelta(days=1), usegmt=True),
        "size": str(fits.stat().st_size),
        "last": str(fits.stat().st_size - 1),
    }


PART = {"Range": "bytes=80-159"}
#: Headers, status, Content-Range ("" for none). {same}, {weak}: this entity tag; {before}, {date}, {after}: dates.
TABLE: list[tuple[dict[str, str], int, str]] = [
    # If-Match: strong comparison (13.1.1)
    ({"If-Match": "{same}"}, 200, ""),
    ({"If-Match": '"x", {same}'}, 200, ""),
    ({"If-Match": "*"}, 200, ""),
    ({"If-Match": OTHER}, 412, ""),
    ({"If-Match": "{weak}"}, 412, ""),
    ({"If-Match": "unquoted"}, 412, ""),
    # If-Unmodified-Since (13.1.4), ignored beside If-Match or when it is no date
    ({"If-Unmodified-Since": "{date}"}, 200, ""),
    ({"If-Unmodified-Since": "{after}"}, 200, ""),
    ({"If-Unmodified-Since": "{before}"}, 412, ""),
    ({"If-Unmodified-Since": "yesterday"}, 200, ""),
    ({"If-Match": "{same}", "If-Unmodified-Since": "{before}"}, 200, ""),
    # If-None-Match: weak comparison (13.1.2)
    ({"If-None-Match": "{same}"}, 304, ""),
    ({"If-None-Match": "{weak}"}, 304, ""),
    ({"If-None-Match": '"x", W/"y", {weak}'}, 304, ""),
    ({"If-None-Match": "*"}, 304, ""),
    ({"If-None-Match": OTHER}, 200, ""),
    ({"If-None-Match": ""}, 200, ""),
    # If-Modified-Since (13.1.3), ignored beside If-None-Match or when it is no date
    ({"If-Modified-Since": "{date}"}, 304, ""),
    ({"If-Modified-Since": "{after}"}, 304, ""),
    ({"If-Modified-Since": "{before}"}, 200, ""),
    ({"If-Modified-Since": "yesterday"}, 200, ""),
    ({"If-None-Match": OTHER, "If-Modified-Since": "{after}"}, 200, ""),
    ({"If-None-Match": "", "If-Modified-Since": "{after}"}, 200, ""),
    ({"If-None-Match": "{same}", "If-Modified-Since": "{before}"}, 304, ""),
    # order of evaluation (13.2.2)
    ({"If-Match": OTHER, "If-None-Match": "{same}"}, 412, ""),
    ({"If-Match": "{same}", "If-None-Match": "{same}"}, 304, ""),
    ({"If-Unmodified-Since": "{before}", "If-Modified-Since": "{after}"}, 412, ""),
    ({"If-None-Match": "{same}", **PART}, 304, ""),
    ({"If-Match": OTHER, **PART}, 412, ""),
    # If-Range: exact, strong, or the whole (13.1.5)
    ({"If-Range": "{same}", **PART}, 206, "bytes 80-159/{size}"),
    ({"If-Range": "{date}", **PART}, 206, "bytes 80-159/{size}"),
    ({"If-Range": OTHER, **PART}, 200, ""),
    ({"If-Range": "{weak}", **PART}, 200, ""),
    ({"If-Range": "{before}", **PART}, 200, ""),
    ({"If-Range": "{after}", **PART}, 200, ""),
    ({"If-Range": "yesterday", **PART}, 200, ""),
    ({"If-Range": "*", **PART}, 200, ""),
    ({"If-Range": '{same}, "x"', **PART}, 200, ""),
    ({"If-Range": OTHER, "Range": "bytes=99999999-"}, 200, ""),
    ({"If-Range": "{same}", "Range": "bytes=99999999-"}, 416, "bytes */{size}"),
    ({"If-Range": "{same}"}, 200, ""),
    ({"If-Match": "{same}", "If-Range": OTHER, **PART}, 200, ""),
    # Range (14.1.2, 14.2)
    (PART, 206, "bytes 80-159/{size}"),
    ({"Range": "Bytes=80-159"}, 206, "bytes 80-159/{size}"),
    ({"Range": "bytes=0-0"}, 206, "bytes 0-0/{size}"),
    ({"Range": "bytes=80-"}, 206, "bytes 80-{last}/{size}"),
    ({"Range": "bytes=80-99999999"}, 206, "bytes 80-{last}/{size}"),
    ({"Range": "bytes={last}-"}, 206, "bytes {last}-{last}/{size}"),
    ({"Range": "bytes=-1"}, 206, "bytes {last}-{last}/{size}"),
    ({"Range": "bytes=-99999999"}, 200, ""),
    ({"Range": "bytes=0-"}, 200, ""),
    ({"Range": "bytes=-0"}, 416, "bytes */{size}"),
    ({"Range": "bytes={size}-"}, 416, "bytes */{size}"),
    ({"Range": "bytes=99999999-99999999"}, 416, "bytes */{size}"),
    # what is no range, or several, is answered with the whole
    ({"Range": "bytes=0-9,20-29"}, 200, ""),
    ({"Range": "bytes=20-10"}, 200, ""),
    ({"Range": "bytes=--5"}, 200, ""),
    ({"Range": "bytes=+5-10"}, 200, ""),
    ({"Range": "bytes=1_0-2_0"}, 200, ""),
    ({"Range": "bytes=a-b"}, 200, ""),
    ({"Range": "bytes="}, 200, ""),
    ({"Range": "bytes=-"}, 200, ""),
    ({"Range": "lines=1-2"}, 200, ""),
    ({"Range": "bytes=0-" + "9" * 5000}, 200, ""),
]


def filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


@pytest.mark.parametrize(("headers", "status", "content_range"), TABLE)
def test_conditions_and_ranges(
    attacker: Any,
    fits: Path,
    address: str,
    values: dict[str, str],
    headers: dict[str, str],
    status: int,
    content_range: str,
) -> None:
    """Conditions and ranges follow RFC 9110; a range that may be of another version is answered with the whole file."""
    sent = {name.replace("-", "_"): filled(value, values) for name, value in headers.items()}
    whole, content_range = fits.read_bytes(), filled(content_range, values)
    answer, head = (attacker.send(method, address, None, **sent) for method in ("GET", "HEAD"))
    assert answer.status == status
    assert answer.headers.get("Content-Range", "") == content_range
    assert head.status == (200 if status in {206, 416} else status)  # ranges are for GET (14.2)
    assert "Content-Range" not in head.headers
    if status in {200, 206, 304}:
        assert answer.headers["Etag"] == head.headers["Etag"] == values["same"]
        assert answer.headers["Cache-Control"] == head.headers["Cache-Control"]
    if status in {200, 206}:
        assert answer.headers["Last-Modified"] == values["date"]
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert int(head.headers["Content-Length"]) == len(whole)
    expected = whole if status == 200 else b""
    if status == 206:
        first, last = content_range.split()[1].split("/")[0].split("-")
        expected = whole[int(first) : int(last) + 1]
    if status in {200, 206, 304}:
        assert answer.body == expected


@pytest.fixture
def restored(fits: Path) -> Iterator[Path]:
    content = fits.read_bytes()
    yield fits
    fits.write_bytes(content)
    os.utime(fits, (1_700_000_000, 1_700_000_000))


def test_same_size_and_date(attacker: Any, address: str, restored: Path) -> None:
    """A file of other content gets another entity tag even when its size and date are set back."""
    before, content = attacker.get(address), restored.read_bytes()
    restored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(restored, (1_700_000_000, 1_700_000_000))
    after = attacker.get(address, If_Range=before.headers["Etag"], Range="bytes=80-")
    assert after.headers["Last-Modified"] == before.headers["Last-Modified"]
    assert after.headers["Etag"] != before.headers["Etag"]
    assert (after.status, after.body) == (200, restored.read_bytes())


def test_date_of_this_second(attacker: Any, address: str, restored: Path) -> None:
    """A date in If-Range does not count for a file that could change again within that second."""
    in_a_minute = 60 + int(restored.stat().st_ctime)
    os.utime(restored, (in_a_minute, in_a_minute))
    date = attacker.get(address).headers["Last-Modified"]
    assert attacker.get(address, If_Range=date, Range="bytes=80-").status == 200


def generated(small: Any) -> dict[str, str]:
    ids = f"{small.images[7].image_id},{small.images[8].image_id}"
    return {
        "table": f"/archive/selection/table.csv?images={ids}",
        "parquet": f"/archive/selection/table.parquet?images={ids}",
        "bundle": f"/archive/selection/bundle.zip?images={ids}",
        "curves": "/archive/lightcurve.csv?start=1668067200&span=86400",
    }


@pytest.mark.parametrize("kind", ["table", "parquet", "bundle", "curves"])
def test_generated_files(attacker: Any, small: Any, kind: str) -> None:
    """What is made for each request is never sent in parts, and a condition that does not hold is answered with 412."""
    path = generated(small)[kind]
    whole = attacker.get(path)
    assert whole.status in {200, 404}
    if whole.status == 404:
        return
    part = attacker.get(path, Range="bytes=5-9")
    assert (part.status, len(part.body)) == (200, len(whole.body))
    assert attacker.get(path, If_Match=OTHER).status == 412
    assert attacker.get(path, If_Match="*").status == 200
    assert attacker.get(path, If_None_Match="*").status == 304
    etag = whole.headers["Etag"]
    if etag is not None:
        assert attacker.get(path, If_None_Match=f"W/{etag}").status == 304
        assert attacker.get(path, If_Match=etag).status == 200
    head = attacker.send("HEAD", path, None)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]


def test_scripts_of_the_pages(attacker: Any) -> None:
    """The server's own scripts and styles follow the same rules."""
    path = "/static/js/bokeh.min.js"
    etag = attacker.get(path).headers["Etag"]
    assert attacker.get(path, If_Range=OTHER, Range="bytes=0-9").status == 200
    assert attacker.get(path, If_Range=etag, Range="bytes=0-9").status == 206
    assert attacker.get(path, If_Match=OTHER).status == 412
