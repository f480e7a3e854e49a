"""Times and formats, without a server."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hapiclient import hapitime2datetime
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import Archive
from archive.extents import Extent
from dashboards.server.hapi.datasets import Dataset, present_datasets
from dashboards.server.hapi.light_curve_records import BIN_PARAMETERS
from dashboards.server.hapi.records import FORMATS, PIECE, data_pieces, in_pieces
from dashboards.server.hapi.requested import wanted_data
from dashboards.server.hapi.standard import FILL, TIME_FILL, Bins, HapiError, Parameter, read_time, write_time

PARAMETERS = (
    Parameter("Time", "isotime", "time", "UTC"),
    Parameter("end", "isotime", "another time", "UTC"),
    Parameter("text", "string", "text", length=12),
    Parameter("pair", "double", "two numbers", "ct/s", bins=Bins("energy", "keV", ((4.0, 10.0), (10.0, 15.0)))),
    Parameter("state", "integer", "whole number"),
)


@pytest.mark.parametrize(
    "text",
    ["2022Z", "2022-11Z", "2022-11-11Z", "2022-315Z", "2022-11-11T01:30Z", "2022-315T01:30:07Z",
     "2022-11-11T01:30:07.5Z", "2022-11-11T01:30:07.123456Z"],
)  # fmt: skip
def test_times_are_read_as_hapiclient_reads_them(text: str) -> None:
    expected = np.datetime64(hapitime2datetime([text])[0].replace(tzinfo=None), "us")
    assert read_time(text) == read_time(text.rstrip("Z")) == expected
    assert read_time(write_time(expected)) == expected


def test_hours_alone_and_short_fractions_are_times() -> None:
    assert read_time("2022-11-11T01Z") == np.datetime64("2022-11-11T01:00:00", "us")
    assert read_time("2022-11-11T01:30:07.0000001Z") == np.datetime64("2022-11-11T01:30:07.000001", "us")
    assert read_time("2020-366") == np.datetime64("2020-12-31T00:00:00", "us")


@pytest.mark.parametrize(
    "text",
    ["", "now", "22", "2022-13", "2022-11-31", "2022-366", "2022-000", "2022-11T05", "2022T05", "2022-11-11T25",
     "2022-11-11 05:00", "2022-11-11T05:00+01:00", "2022-11-11T05:60", "２０２２", "0000", "2022-11-11T05:00:00,5Z"],
)  # fmt: skip
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time|day|month|hour|minute|year"):
        read_time(text)


TIMES = st.integers(0, 2**52).map(lambda us: np.datetime64(us, "us"))
RECORDS = st.lists(
    st.tuples(
        TIMES,
        st.one_of(TIMES, st.just(np.datetime64("NaT", "us"))),
        st.one_of(st.none(), st.text(max_size=16)),
        st.tuples(*[st.floats()] * 2),
        st.integers(-(2**31), 2**31 - 1),
    ),
    min_size=1,
    max_size=9,
)


@given(RECORDS)
def test_all_formats_hold_the_same(records: list[Any]) -> None:
    names = [parameter.name for parameter in PARAMETERS]
    columns = dict(zip(names, map(list, zip(*records, strict=True)), strict=True))
    arrays = {
        "Time": np.array(columns["Time"]),
        "end": np.array(columns["end"]),
        "text": np.array([*columns["text"], None], dtype=object)[:-1],
        "pair": np.array(columns["pair"]),
        "state": np.array(columns["state"]),
    }
    whole = {
        form: b"".join(data_pieces(form, PARAMETERS, in_pieces(iter([arrays])), {} if form == "json" else None))
        for form in FORMATS
    }
    expected = [
        [
            f"{time}Z",
            TIME_FILL if np.isnat(end) else f"{end}Z",
            (text or "").replace("\0", "").encode()[:12].decode(errors="ignore"),
            [number if np.isfinite(number) else FILL for number in pair],
            state,
        ]
        for time, end, text, pair, state in records
    ]
    assert json.loads(b"{" + whole["json"].lstrip(b"{, "))["data"] == expected
    rows = list(csv.reader(io.StringIO(whole["csv"].decode(), newline="")))
    assert [[*row[:3], [float(row[3]), float(row[4])], int(row[5])] for row in rows] == expected
    dtype = [("Time", "S27"), ("end", "S27"), ("text", "S12"), ("pair", "<f8", (2,)), ("state", "<i4")]
    found = np.frombuffer(whole["binary"], dtype)
    assert [
        [one["Time"].decode(), one["end"].decode(), one["text"].decode(), one["pair"].tolist(), int(one["state"])]
        for one in found
    ] == expected


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_split_of_a_range_gives_every_record_once(rich: Archive, data: Any) -> None:
    dataset, extent = data.draw(st.sampled_from(present_datasets(rich)))
    seconds = int((extent.end - extent.start) / np.timedelta64(1, "s"))
    length = data.draw(st.integers(1, min(seconds, 9000)))
    begin = extent.start + np.timedelta64(data.draw(st.integers(0, seconds - length)), "s")
    end = begin + np.timedelta64(length, "s")
    # bins begin at multiples of 4 s: some cuts are at the start of one
    cuts = st.one_of(st.integers(0, length // 4).map(lambda n: n * 4_000_000), st.integers(0, length * 1_000_000))
    cut = begin + np.timedelta64(data.draw(cuts), "us")

    def csv_of(start: np.datetime64, stop: np.datetime64) -> bytes:
        columns = in_pieces(dataset.read(rich, start, stop))
        return b"".join(data_pieces("csv", dataset.parameters, columns, None))

    assert csv_of(begin, cut) + csv_of(cut, end) == csv_of(begin, end)


@pytest.mark.parametrize("form", FORMATS)
def test_a_month_needs_the_memory_of_a_day(form: str) -> None:
    count = 21_600
    day = {
        "Time": np.datetime64("2022-11-10", "us") + np.arange(count) * np.timedelta64(4, "s"),
        **{one.name: np.ones((count, one.size) if one.size else count) for one in BIN_PARAMETERS[1:]},
    }
    tracemalloc.start()
    pieces = data_pieces(form, BIN_PARAMETERS, in_pieces(iter([day] * 5)), {"a": 1})
    size = sum(len(piece) for piece in pieces)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 5 * count * 50
    assert most < size / 2
    assert all(len(one["Time"]) <= PIECE for one in in_pieces(iter([day])))


def test_too_long_a_range_is_too_much() -> None:
    extent = Extent(np.datetime64("2020-01-01", "us"), np.datetime64("2026-01-01", "us"))
    dataset = Dataset("d", "d", "d", PARAMETERS, lambda *_: iter(()), longest_days=366)
    assert wanted_data(dataset, extent, {"start": "2020", "stop": "2021"}).form == "csv"
    assert wanted_data(dataset, extent, {"start": "2025", "stop": "2100"}).stop == extent.end
    with pytest.raises(HapiError) as caught:
        wanted_data(dataset, extent, {"start": "2020", "stop": "2021-01-02"})
    assert caught.value.code == 1408
