from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.state.errors import NotUnderstood
from dashboards.state.ranges import earliest, energy_band, latest


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2022", "2022-01-01T00:00:00", "2023-01-01T00:00:00"),
        ("2022-12", "2022-12-01T00:00:00", "2023-01-01T00:00:00"),
        (" 2024-02-29 ", "2024-02-29T00:00:00", "2024-03-01T00:00:00"),
        ("2022-11-11T13", "2022-11-11T13:00:00", "2022-11-11T14:00:00"),
        ("2022-11-11 13:56", "2022-11-11T13:56:00", "2022-11-11T13:57:00"),
        ("2022-11-11T13:56:34Z", "2022-11-11T13:56:34", "2022-11-11T13:56:35"),
        ("2022-11-11T13:56:34.5", "2022-11-11T13:56:34.500", "2022-11-11T13:56:34.501"),
    ],
)
def test_a_time_given_in_part_means_all_of_it(text: str, first: str, after: str) -> None:
    assert earliest(text) == np.datetime64(first, "us")
    assert latest(text) == np.datetime64(after, "us")
    assert earliest(text).dtype == latest(text).dtype == np.dtype("datetime64[us]")


def test_nothing_is_no_limit() -> None:
    assert earliest("") is latest("  ") is energy_band(" ") is None


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "today",
        "NaT",
        "12",
        "2022-13",
        "2023-02-29",
        "2022-11-11T25",
        "11.11.2022",
        "0001",
        "2019-12-31",
        "<script>",
        "-2022",
    ],
)
def test_what_is_no_time_is_named(text: str) -> None:
    with pytest.raises(NotUnderstood, match="“"):
        earliest(text)


@pytest.mark.parametrize(
    ("text", "band"), [("4-10", (4, 10)), ("4–10 keV", (4, 10)), (" 16 - 28kev", (16, 28)), ("6.5-10", (6.5, 10))]
)
def test_energy_bands_as_people_write_them(text: str, band: tuple[float, float]) -> None:
    assert energy_band(text) == band


@pytest.mark.parametrize("text", ["10", "10-4", "4-4", "a-b", "-4-10", "4-10 MeV", "inf-nan"])
def test_what_is_no_band_is_named(text: str) -> None:
    with pytest.raises(NotUnderstood, match="write 4-10"):
        energy_band(text)


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    for read in (earliest, latest, energy_band):
        with suppress(NotUnderstood):
            assert (read(text) is None) == (not text.strip())
