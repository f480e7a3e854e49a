"""One answer to what a file is and what it is called: real files of every generation, and an index that is lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import Archive, OutcomeStatus
from archive.checks.run import check
from archive.errors import WrongName
from archive.index.schema import FILE_TABLES, TABLES
from archive.ingest.describe import describe, reason_against
from archive.ingest.ingest import ingest
from archive.ingest.names import identify
from archive.layout import parse_file_name
from stixcore.errors import InvalidProduct

#: Files that the archive does not keep, and why.
REFUSED = {
    "AIA20220402_131341_0304.fits": "STIX product",
    "AIA20220402_131505_0304.fits": "STIX product",
    "sci_9111_uid_2202155513_0_0_0_2022-02-15T18:11:49.918_bp.fits": "STIX product",
    "sci_9111_uid_2202155513_0_0_0_2022-02-15T18:11:49.918_fwfit.fits": "STIX product",
    "solo_L1_stix-sci-xray-l3-87031827_20200508T011207_V01.fits": "all visibilities are zero",
}


def everything(archive: Archive) -> dict[str, list[dict]]:
    """Rows of all files without the time of ingestion."""
    return {
        table.name: archive.rows(f"SELECT * EXCLUDE ingested_at FROM {table.name} ORDER BY name")
        for table in FILE_TABLES
    }


def lose_index(archive: Archive, now: np.datetime64) -> Archive:
    """The archive without its index, repaired from what is on disk."""
    for name in TABLES:
        shutil.rmtree(archive.index / name, ignore_errors=True)
    shutil.rmtree(archive.index / "read", ignore_errors=True)
    check(archive, now, repair=True)
    return archive


@pytest.mark.parametrize("folder", ["found", "formats", "demo20200607", "products"])
def test_real_files_keep_their_names_through_every_rebuild(archive: Archive, shared_data, folder: str, make) -> None:
    outcomes = ingest(archive, [shared_data / folder], make.now)
    files = list((shared_data / folder).rglob("*.fits"))
    by_name = {outcome.path.name: outcome for outcome in outcomes}
    for path in files:
        outcome = by_name[path.name]
        if path.name in REFUSED:
            assert (outcome.status, REFUSED[path.name] in outcome.reason) == (OutcomeStatus.QUARANTINED, True)
        else:
            assert (outcome.status, outcome.name, outcome.reason) == (OutcomeStatus.INGESTED, path.name, "")
    before, refused = everything(archive), make.tree(archive.root / "quarantine")
    lose_index(archive, make.now)
    assert everything(archive) == before
    assert make.tree(archive.root / "quarantine") == refused
    again = ingest(archive, [path for path in files if path.name not in REFUSED], make.now)
    assert {outcome.status for outcome in again} == {OutcomeStatus.KNOWN}


NAMES = st.sampled_from(
    [
        "",
        "download(1).fits",
        "solo_L1_stix-sci-xray-l1-2211116471_20221111T120000-20221111T120100_V01_49807.fits",
        "solo_L1A_stix-sci-xray-l1-2211116471_20221111T120000-20221111T120100_079205_V01.fits",
        "solo_L1_stix-sci-xray-l1-2211116471_20221114T101500_V01.fits",
        "solo_L1_stix-sci-xray-CPD_20221111T120000-20221111T120100_V01_2211116471-50000.fits",
        "solo_L1_stix-sci-xray-cpd-sup1_20221111T120000-20221111T120100_V02_2211116471-50000.fits",
        "solo_L1_stix-sci-foo_20221111T120000-20221111T120100_V01_2211116471-50000.fits",
        "solo_L1_stix-sci-spectrogram-2211116471_20221111T120000-20221111T120100_V01.fits",
        "solo_L0_stix-sci-xray-cpd_20221111T120000-20221111T120100_V01_2211116471-50000.fits",
    ]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "FILENAME": NAMES.filter(bool),
        "LEVEL": st.sampled_from(["L1", "L1A", "L2", "LL01", "L0", "CAL", "L5", ""]),
        "services": st.sampled_from([(21, 6, 21), (21, 6, 20), (21, 6, 24), (21, 6, 99), (0, 0, 1)]),
        "VERSION": st.sampled_from(["01", "02U", "2", "x/y", ""]),
    },
)


@pytest.mark.parametrize("examples", [12, pytest.param(40, marks=pytest.mark.thorough)])
def test_what_was_taken_in_comes_back_from_the_files_alone(tmp_path_factory, make, examples: int) -> None:
    @settings(max_examples=examples)
    @given(file_name=NAMES, header=HEADERS, uid=st.sampled_from(["2211116471", "0087031809"]))
    def comes_back(file_name: str, header: dict[str, Any], uid: str) -> None:
        folder = tmp_path_factory.mktemp("one")
        header = dict(header)
        services = dict(zip(("STYPE", "SSTYPE", "SSID"), header.pop("services", ()), strict=False))
        path = make.pixel_file(name=file_name, header=header | services, uid=uid).write(folder)
        archive = Archive(folder / "archive", create=True)
        (outcome,) = ingest(archive, [path], make.now)
        before, refused = everything(archive), make.tree(archive.root / "quarantine")
        statuses.add(outcome.status)
        assert (outcome.status is OutcomeStatus.QUARANTINED) == bool(outcome.reason)
        lose_index(archive, make.now)
        assert everything(archive) == before
        assert make.tree(archive.root / "quarantine") == refused

    statuses: set[OutcomeStatus] = set()
    comes_back()
    assert statuses == {OutcomeStatus.INGESTED, OutcomeStatus.QUARANTINED}


def test_the_request_is_the_first_number_of_early_names(archive: Archive, tmp_path: Path, make) -> None:
    name = "solo_L1_stix-sci-xray-l1-1178448400_20221111T120000-20221111T120100_V01_49807.fits"
    path = make.pixel_file(name=name, uid="1178448400").write(tmp_path)
    (outcome,) = ingest(archive, [path], make.now)
    assert (outcome.status, outcome.name) == (OutcomeStatus.INGESTED, name)
    assert archive.science_file("1178448400").name == name


def test_a_day_is_not_filed_under_its_neighbour(shared_data, tmp_path: Path) -> None:
    real = shared_data / "found" / "solo_L1_stix-ql-LightCurve_20210117_V01.fits"
    assert str(identify(real).path) == f"fits/L1/2021/01/17/QL/{real.name}"
    renamed = tmp_path / "mine.fits"
    shutil.copy(real, renamed)
    assert identify(renamed).name.name == real.name
    with fits.open(renamed, mode="update") as hdus:
        del hdus[0].header["FILENAME"]
        # the file holds the first minute of the day; as a whole day
        hdus[0].header["DATE_END"] = "2021-01-17T23:59:59.362"
    assert identify(renamed).name.name == "solo_L1_stix-ql-lightcurve_20210117_V01.fits"
    wrong = renamed.rename(tmp_path / "solo_L1_stix-ql-lightcurve_20210116_V01.fits")
    with pytest.raises(InvalidProduct, match="data near 2021-01-16T00:00:00 as in the file name"):
        identify(wrong)


@pytest.mark.parametrize(("seconds", "fits_name"), [(-61, False), (-60, True), (60, True), (61, False)])
def test_names_are_a_minute_near_the_start(tmp_path: Path, make, seconds: int, fits_name: bool) -> None:
    """Names have whole seconds, and those of early files the uncorrected time."""
    begin = np.datetime64("2022-11-11T12:00:00.000") + np.timedelta64(seconds, "s")
    times = {"DATE-BEG": str(begin), "DATE-END": str(begin + np.timedelta64(60, "s"))}
    path = make.pixel_file(header=times).write(tmp_path)
    if fits_name:
        assert identify(path).name.name == path.name
    else:
        with pytest.raises(WrongName, match="DATE-BEG near 2022-11-11T12:00:00 as in the file name"):
            identify(path)


@pytest.mark.parametrize(
    ("middle", "fits_name"),
    [("10T17:59", False), ("10T18:00", True), ("11T12:00", True), ("12T06:00", True), ("12T06:01", False)],
)
def test_a_daily_file_has_its_middle_near_its_day(shared_data, tmp_path: Path, middle: str, fits_name: bool) -> None:
    source = shared_data / "nov2022" / "aux" / "solo_L2_stix-aux-ephemeris_20221111_V01.fits"
    path = tmp_path / source.name
    time, hour = np.datetime64(f"2022-11-{middle}:00.000"), np.timedelta64(1, "h")
    with fits.open(source) as hdus:
        primary = fits.PrimaryHDU(header=hdus[0].header)
        primary.header["DATE-BEG"], primary.header["DATE-END"] = str(time - hour), str(time + hour)
        fits.HDUList([primary, *hdus[1:]]).writeto(path)
    if fits_name:
        assert identify(path).name.name == path.name
    else:
        with pytest.raises(WrongName, match="data near 2022-11-11T00:00:00 as in the file name"):
            identify(path)


def test_a_name_of_another_product_is_refused(shared_data, tmp_path: Path, make) -> None:
    path = tmp_path / "solo_L1_stix-ql-lightcurve_20200506_V01.fits"
    shutil.copy(next((shared_data / "products").glob("*ql-variance*")), path)
    with pytest.raises(InvalidProduct, match=r"a ql-lightcurve product as in the file name .*found a ql-variance"):
        describe(path, "", make.now)


def test_visibilities_that_are_all_zero_are_refused_for_that(shared_data, make) -> None:
    path = shared_data / "products" / "solo_L1_stix-sci-xray-l3-87031827_20200508T011207_V01.fits"
    with pytest.raises(InvalidProduct, match="found all visibilities are zero"):
        describe(path, "", make.now)


def test_names_that_are_passed_over_in_folders() -> None:
    assert reason_against("solo_LL01_stix-ql-lightcurve_20260314_V01.fits") == (
        "product ql-lightcurve of level LL01 is not kept here"
    )
    assert reason_against("solo_L1_stix-sci-foo_20260314_V01.fits").startswith("product sci-foo")
    for name in (
        "solo_L1_stix-ql-background_20200506_V01.fits",
        "solo_L1_stix-hk-maxi_20200501_V01.fits",
        "solo_L1_stix-sci-spectrogram-88217860_20200508T082937_V01.fits",
        "mine.fits",
        "x",
    ):
        assert reason_against(name) == ""
    assert parse_file_name("solo_L1_stix-ql-LightCurve_20210117_V01.fits").product == "ql-lightcurve"
