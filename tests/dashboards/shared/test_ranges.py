from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.shared.errors import NotUnderstood
from dashboards.shared.ranges import at_least, earliest, energy_band, goes_range, latest, number_range


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
    with pytest.raises(NotUnderstood, match="example: 4-10"):
        energy_band(text)


@given(st.text(max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    for read in (earliest, latest, energy_band, at_least, number_range, goes_range):
        with suppress(NotUnderstood):
            found = read(text)
            nothing = found is None or (isinstance(found, tuple) and found == (None, None))
            assert nothing == (not text.strip())


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("", (None, None)),
        ("-600..-400", (-600, -400)),
        ("−600 to −400", (-600, -400)),
        ("-600.5:0", (-600.5, 0)),
        ("500…", (500, None)),
        (".. 0", (None, 0)),
        ("≥ 500", (500, None)),
        ("<= -20″", (None, -20)),
    ],
)
def test_ranges_of_places(text: str, ends: tuple[float | None, float | None]) -> None:
    assert number_range(text) == ends


@pytest.mark.parametrize("text", ["5..-5", "..", "west", "1-2", "≥ a", "1..2..3"])
def test_what_is_no_range_is_named(text: str) -> None:
    with pytest.raises(NotUnderstood, match=r"examples: -600\.\.-400"):
        number_range(text)


def test_least_counts() -> None:
    assert at_least("") is None
    assert at_least("10000") == at_least("10 000") == at_least("≥ 10,000") == 10000
    with pytest.raises(NotUnderstood, match="example: 10000"):
        at_least("many")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("C1", [1e-6, 3e-4], [9.9e-7]),
        ("≥C1", [1e-6, 3e-4], [9.9e-7]),
        (">= c1.5", [1.5e-6], [1.4e-6]),
        ("m1+", [1e-5], [9e-6]),
        ("C", [1e-6, 9.9e-6], [9.9e-7, 1e-5]),
        ("X", [1e-4, 1e-3], [9e-5]),
        ("< M1", [9.9e-6, 1e-8], [1e-5]),
        ("≤ M1", [1e-5], [1.1e-5]),
        ("C1-M5", [1e-6, 5e-5], [5.1e-5, 9e-7]),
        ("B to C", [1e-7, 9.9e-6], [1e-5, 9e-8]),
    ],
)
def test_goes_classes_and_ranges_of_them(text: str, inside: list[float], outside: list[float]) -> None:
    low, high = goes_range(text)

    def holds(flux: float) -> bool:  # as the archive compares
        return (low is None or flux >= low) and (high is None or flux < high)

    assert [holds(flux) for flux in (*inside, *outside)] == [True] * len(inside) + [False] * len(outside)


@pytest.mark.parametrize("text", ["big", "D1", "M5-C1", "1e-6", "C1-", "≥", "-"])
def test_what_is_no_class_is_named(text: str) -> None:
    with pytest.raises(NotUnderstood, match="GOES class"):
        goes_range(text)
