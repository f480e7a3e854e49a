"""Names of every generation, and places."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.errors import InvalidName
from archive.layout import (
    METHODS,
    archive_path,
    build_file_name,
    image_folder,
    image_id,
    image_name,
    mission_image_name,
    parse_file_name,
    parse_image_name,
    skipped_run_id,
    version_rank,
)
from stixcore.fits.products import ProductHeader
from stixcore.fits.spec import ProductKind

# name, level, product, version, uid, start, end, kind
REAL = [
    (
        "solo_L1_stix-sci-xray-cpd_20221110T180722-20221110T181622_V01_2211102195-54653.fits",
        ("L1", "sci-xray-cpd", "01", "2211102195", "2022-11-10T18:07:22", "2022-11-10T18:16:22"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_L1_stix-sci-xray-cpd_20220911T021423-20220911T030223_V02U_2209115148-62679.fits",
        ("L1", "sci-xray-cpd", "02U", "2209115148", "2022-09-11T02:14:23", "2022-09-11T03:02:23"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_L1A_stix-sci-xray-l1-2207235029_20220723T113947-20220723T122747_079205_V01.fits",
        ("L1A", "sci-xray-l1", "01", "2207235029", "2022-07-23T11:39:47", "2022-07-23T12:27:47"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_L1_stix-sci-xray-l1-1178451984_20200607T225959-20200607T235900_V01.fits",
        ("L1", "sci-xray-l1", "01", "1178451984", "2020-06-07T22:59:59", "2020-06-07T23:59:00"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_L1_stix-sci-xray-l1-1178448400_20200607T220000-20200607T225900_V01_49807.fits",
        ("L1", "sci-xray-l1", "01", "1178448400", "2020-06-07T22:00:00", "2020-06-07T22:59:00"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_L1_stix-sci-spectrogram-88217860_20200508T082937_V01.fits",
        ("L1", "sci-spectrogram", "01", "0088217860", "2020-05-08T08:29:37", "2020-05-09T08:29:37"),
        ProductKind.SPECTROGRAM,
    ),
    (
        "solo_L1_stix-ql-LightCurve_20210117_V01.fits",
        ("L1", "ql-lightcurve", "01", "", "2021-01-17T00:00:00", "2021-01-18T00:00:00"),
        ProductKind.LIGHT_CURVE,
    ),
    (
        "solo_L1_stix-sci-xray-cpd-sup1_20221110T180722-20221110T181622_V02_2211102195-54653.fits",
        ("L1", "sci-xray-cpd-sup1", "02", "2211102195", "2022-11-10T18:07:22", "2022-11-10T18:16:22"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_CAL_stix-cal-energy_20250302T230511-20250303T230512_V02.fits",
        ("CAL", "cal-energy", "02", "", "2025-03-02T23:05:11", "2025-03-03T23:05:12"),
        ProductKind.ENERGY_CALIBRATION,
    ),
    (
        "solo_L1_stix-cal-energy_20200506_V01.fits",
        ("L1", "cal-energy", "01", "", "2020-05-06T00:00:00", "2020-05-07T00:00:00"),
        ProductKind.CALIBRATION_SPECTRA,
    ),
    (
        "solo_L0_stix-ql-lightcurve_20200506_V01.fits",
        ("L0", "ql-lightcurve", "01", "", "2020-05-06T00:00:00", "2020-05-07T00:00:00"),
        None,
    ),
    (
        "solo_L1_stix-sci-xray-spec_20221227T135500-20221227T200000_V02_2212273755-58243.fits",
        ("L1", "sci-xray-spec", "02", "2212273755", "2022-12-27T13:55:00", "2022-12-27T20:00:00"),
        ProductKind.SPECTROGRAM,
    ),
    (
        "solo_L1_stix-sci-xray-cpd_20200505T235959-20200506T000019_V01_0087031809-50883.fits",
        ("L1", "sci-xray-cpd", "01", "0087031809", "2020-05-05T23:59:59", "2020-05-06T00:00:19"),
        ProductKind.PIXEL_DATA,
    ),
    (
        "solo_L1A_stix-ql-lightcurve_20210606_010104_V01.fits",
        ("L1A", "ql-lightcurve", "01", "", "2021-06-06T00:00:00", "2021-06-07T00:00:00"),
        ProductKind.LIGHT_CURVE,
    ),
    (
        "solo_L1_stix-ql-lightcurve_20230712_V02.fits",
        ("L1", "ql-lightcurve", "02", "", "2023-07-12T00:00:00", "2023-07-13T00:00:00"),
        ProductKind.LIGHT_CURVE,
    ),
    (
        "solo_L2_stix-aux-ephemeris_20221109_V01.fits",
        ("L2", "aux-ephemeris", "01", "", "2022-11-09T00:00:00", "2022-11-10T00:00:00"),
        ProductKind.ASPECT,
    ),
    (
        "solo_ANC_stix-asp-ephemeris_20240101_V02U.fits",
        ("ANC", "asp-ephemeris", "02U", "", "2024-01-01T00:00:00", "2024-01-02T00:00:00"),
        ProductKind.ASPECT,
    ),
    (
        "solo_L1_stix-ql-background_20200506_V01.fits",
        ("L1", "ql-background", "01", "", "2020-05-06T00:00:00", "2020-05-07T00:00:00"),
        ProductKind.BACKGROUND_MONITOR,
    ),
]


#: Folders of the shared data in which every product is one that the archive keeps.
FLARES = ("nov2022", "demo20200607", "formats")


@pytest.mark.parametrize(("name", "parts", "kind"), REAL, ids=[entry[0] for entry in REAL])
def test_names_of_every_generation(name: str, parts: tuple[str, ...], kind: ProductKind | None) -> None:
    found = parse_file_name(name)
    assert (found.level, found.product, found.version, found.uid, str(found.start), str(found.end)) == parts
    assert found.kind is kind


@pytest.mark.needs_shared_data
def test_every_real_name_is_understood(shared_data) -> None:
    names = [path.name for folder in FLARES for path in (shared_data / folder).rglob("solo_*.fits")]
    assert len(names) > 70
    assert all(parse_file_name(name).kind for name in names)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "README.md",
        "../solo_L1_stix-ql-lightcurve_20230712_V02.fits",
        "solo_L1_stix-ql-lightcurve_20230712_V02.fits\n",
        "solo_L1_stix-ql-lightcurve_20230712_V02.fits.gz",
        "solo_L1_stix-ql-lightcurve_20231312_V02.fits",  # month 13
        "solo_L1_stix-ql-lightcurve_٢٠٢٣٠٧١٢_V02.fits",  # digits, but not ours
        "solo_L1_stix-sci-xray-cpd_20221110T180722-20221110T186022_V01_2211102195-54653.fits",  # minute 60
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        parse_file_name(name)


@given(st.text(max_size=120))
def test_no_text_breaks_the_parser(name: str) -> None:
    with pytest.raises(InvalidName):
        parse_file_name(name)


def test_places_follow_the_public_archive() -> None:
    def place(name: str) -> str:
        parsed = parse_file_name(name)
        assert parsed.kind is not None
        return str(archive_path(parsed, parsed.kind).parent)

    assert place(REAL[0][0]) == "fits/L1/2022/11/10/SCI"
    assert place("solo_L1A_stix-sci-xray-l1-2207235029_20220723T113947-20220723T122747_079205_V01.fits") == (
        "fits/L1A/2022/07/23/SCI"
    )
    assert place("solo_L1A_stix-ql-lightcurve_20210606_010104_V01.fits") == "fits/L1A/2021/06/06/QL"
    assert place("solo_L2_stix-aux-ephemeris_20221109_V01.fits") == "fits/L2/2022/11/09/AUX"
    assert place("solo_ANC_stix-asp-ephemeris_20240101_V02U.fits") == "fits/ANC/2024/01/01/AUX"


def test_versions_from_old_to_new() -> None:
    old_to_new = [("?", "02"), ("L1A", "x"), ("L1A", "01"), ("L1A", "10"), ("L1", "01U"), ("L1", "02U"), ("L1", "01")]
    old_to_new += [("L1", "02"), ("L1", "10"), ("L2", "01"), ("ANC", "01")]
    assert sorted(set(old_to_new), key=lambda pair: version_rank(*pair)) == old_to_new


def header(**changes) -> ProductHeader:
    values = {
        "name": "my flare.fits",
        "kind": ProductKind.PIXEL_DATA,
        "level": "L1",
        "version": "02U",
        "request_id": "2211102195",
        "date_beg": np.datetime64("2022-11-10T18:07:22.900", "us"),
        "date_end": np.datetime64("2022-11-10T18:16:22.100", "us"),
        "ephemeris": {},
    }
    return ProductHeader(**(values | changes))


def test_a_name_is_built_from_the_header() -> None:
    expected = "solo_L1_stix-sci-xray-cpd_20221110T180722-20221110T181622_V02U_2211102195.fits"
    assert build_file_name(header()) == expected
    daily = header(kind=ProductKind.ASPECT, level="ANC", version="01", request_id="")
    assert build_file_name(daily) == "solo_ANC_stix-asp-ephemeris_20221110_V01.fits"


def test_a_day_that_begins_before_midnight_is_the_day_of_its_middle() -> None:
    begin, end = np.datetime64("2022-11-09T23:59:59.5", "us"), np.datetime64("2022-11-10T23:59:59.5", "us")
    daily = header(kind=ProductKind.LIGHT_CURVE, version="02", request_id="", date_beg=begin, date_end=end)
    assert build_file_name(daily) == "solo_L1_stix-ql-lightcurve_20221110_V02.fits"


@pytest.mark.parametrize("change", [{"level": ""}, {"level": "../.."}, {"version": ""}, {"version": "1/2"}])
def test_no_name_is_built_from_nonsense(change: dict[str, str]) -> None:
    with pytest.raises(InvalidName):
        build_file_name(header(**change))


TIMES = st.datetimes(
    min_value=np.datetime64("2020-01-01", "us").item(), max_value=np.datetime64("2049-01-01", "us").item()
)


@given(TIMES, st.integers(1, 7200), st.floats(0, 150).map(lambda e: round(e, 2)), st.sampled_from(METHODS))
def test_image_names_say_what_they_were_made_of(start, seconds: int, e_low: float, method: str) -> None:
    t_start = np.datetime64(start, "us")
    t_end = t_start + np.timedelta64(seconds, "s")
    energy = (e_low, e_low + 6)
    found = parse_image_name(image_name(t_start, t_end, energy, "2211116471", "0123456789abcdef", method))
    assert (found.start, found.end) == (t_start.astype("M8[s]"), t_end.astype("M8[s]"))
    assert (found.e_low, found.e_high) == pytest.approx(energy)
    assert (found.uid, found.recipe_id, found.method) == ("2211116471", "0123456789abcdef", method)


def test_an_image_name_as_promised() -> None:
    start, end = np.datetime64("2022-11-11T01:45:00.5"), np.datetime64("2022-11-11T01:46:00.5")
    assert image_name(start, end, (4.0, 10.0), "2211110132", "00ff00ff00ff00ff", "mem_ge") == (
        "stix_L3_20221111T014500-20221111T014600_4-10keV_2211110132_00ff00ff00ff00ff_mem_ge.fits"
    )
    assert image_folder(start, "00ff00ff00ff00ff") == PurePosixPath("images/2022/11/11/00ff00ff00ff00ff")
    assert image_id("00ff00ff00ff00ff", "mem_ge") == "00ff00ff00ff00ff-mem_ge"


@given(st.sampled_from(METHODS), st.floats(3, 100).map(lambda e: round(e, 2)))
def test_names_of_the_mission_have_its_form_and_are_no_names_of_the_archive(method: str, e_low: float) -> None:
    start, end = np.datetime64("2022-11-11T01:45:00.5"), np.datetime64("2022-11-11T01:46:00.5")
    name = mission_image_name(image_name(start, end, (e_low, 150.0), "2211110132", "00ff00ff00ff00ff", method))
    level, descriptor, times, version, free = name.removeprefix("solo_").removesuffix(".fits").split("_")
    assert (level, times, version) == ("L3", "20221111T014500-20221111T014600", "V01")
    assert descriptor == descriptor.lower() == f"stix-img-{method.replace('_', '-')}"
    assert free == f"2211110132-{e_low:g}-150kev-00ff00ff00ff00ff"
    for parse in (parse_image_name, parse_file_name):
        with pytest.raises(InvalidName):
            parse(name)


@pytest.mark.parametrize("method", ["mem", "clean_map", "", "../clean"])
def test_a_suffix_never_changes_its_meaning(method: str) -> None:
    start, end = np.datetime64("2022-11-11T01:45:00"), np.datetime64("2022-11-11T01:46:00")
    with pytest.raises(InvalidName):
        image_name(start, end, (4, 10), "2211110132", "00ff00ff00ff00ff", method)


def test_a_skip_has_one_identity() -> None:
    assert skipped_run_id("2211110132", "16-28 keV") == skipped_run_id("2211110132", "16-28 keV")
    different = {
        skipped_run_id("1", "2"),
        skipped_run_id("12", ""),
        skipped_run_id("1", "2", "3"),
        skipped_run_id("", "12"),
    }
    assert len(different) == 4
    assert all(len(run_id) == 16 for run_id in different)
