"""Times as people and programs write them: UTC however it is marked, and no other offset."""

import numpy as np
import pytest

from stixcore.errors import SelectionError
from stixcore.times import format_time, parse_time, without_utc

NOON = np.datetime64("2022-11-11T12:00:00", "us")


@pytest.mark.parametrize("mark", ["", "Z", "z", "+00:00", "-00:00", "+0000", "+00", " +00:00", " Z", " 00:00"])
@pytest.mark.parametrize("text", ["2022-11-11T12:00:00", "2022-11-11 12:00", "2022-11-11T12:00:00.000"])
def test_marks_of_utc(text, mark):
    assert parse_time(text + mark) == NOON


def test_a_date_has_no_offset():
    assert parse_time("2022-11-11") == parse_time("2022-11-11Z") == parse_time("2022-11-11 00:00")
    assert without_utc("2022-11-11 00:00") == "2022-11-11 00:00"
    for text in ("2022-11-11+00:00", "2022-11-11 00:00 00:00:00", "today", "20221111", ""):
        with pytest.raises(SelectionError, match="is not a time"):
            parse_time(text)


@pytest.mark.parametrize("offset", ["+01:00", "-05:30", "+0100", "+02", "+00:01"])
def test_another_offset_is_refused(offset):
    with pytest.raises(SelectionError, match=r"has the offset .*write it in UTC") as error:
        parse_time("2022-11-11T12:00:00" + offset)
    assert offset in str(error.value)


def test_milliseconds_are_rounded():
    assert format_time(NOON + np.timedelta64(1500, "us")) == "2022-11-11T12:00:00.002"
