"""Keywords of Solar Orbiter's metadata standard in image files, against sunpy and the science files."""

import subprocess
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from stixcore.fits.read import read_header
from stixcore.fits.spec import PLANNING_KEYWORDS
from stixcore.image_files.header import image_header
from stixcore.image_files.standard import carrington_longitude, photon_cards, range_cards
from stixcore.image_files.write import write_image
from stixcore.imaging.reconstruction import Method

CREATED = np.datetime64("2026-01-02T03:04:05", "us")
NAME = "stix_L3_20221111T113540-20221111T113740_6-10keV_2211116471_0123456789abcdef_clean.fits"


@pytest.fixture(scope="module")
def path(november_images, tmp_path_factory):
    """A file that gets its name only after it is written, as in the archive."""
    folder = tmp_path_factory.mktemp("standard")
    write_image(folder / ".part-1.fits", november_images, Method.CLEAN, CREATED, name=NAME)
    return (folder / ".part-1.fits").rename(folder / NAME)


@pytest.fixture(scope="module")
def header(path):
    return fits.getheader(path)


@settings(deadline=None, max_examples=40)
@given(
    st.floats(-180.0, 180.0),
    st.floats(-34.0, 34.0),
    st.floats(0.28, 1.02),
    st.integers(0, 24 * 365 * 6),
)
def test_the_carrington_longitude_is_that_of_sunpy(lon, lat, distance, hours):
    from sunpy.coordinates import HeliographicCarrington, HeliographicStonyhurst

    moment = np.datetime64("2020-02-10", "us") + np.timedelta64(hours, "h")
    place = SkyCoord(lon * u.deg, lat * u.deg, distance * u.au, frame=HeliographicStonyhurst(obstime=str(moment)))
    expected = place.transform_to(HeliographicCarrington(obstime=str(moment), observer="self")).lon.deg
    found = carrington_longitude(lon, distance * u.au.to(u.m), moment)
    assert (found - expected + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-5)


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(
    "name",
    [
        "solo_L1_stix-sci-xray-cpd_20220911T021423-20220911T030223_V02_2209115148-62679.fits",
        "solo_L1_stix-sci-xray-spec_20221227T135500-20221227T200000_V02_2212273755-58243.fits",
    ],
)
def test_the_carrington_longitude_is_that_of_science_files_of_version_2(shared_data, name):
    """These files take the light time to the Earth instead of that to Solar Orbiter, which is up to 0.05 deg."""
    science = fits.getheader(shared_data / "formats" / name)
    moment = np.datetime64(science["DATE-AVG"], "us")
    found = carrington_longitude(science["HGLN_OBS"], science["DSUN_OBS"], moment)
    assert found == pytest.approx(science["CRLN_OBS"], abs=0.05)


@pytest.mark.needs_shared_data
def test_the_observer_of_a_file_is_at_one_place_in_both_systems(path, header):
    """Of the science file of this image both longitudes are the same, -21.45 deg, which is wrong."""
    import sunpy.map
    from sunpy.coordinates import HeliographicCarrington

    seen = sunpy.map.Map(path).observer_coordinate
    carrington = seen.transform_to(HeliographicCarrington(obstime=header["DATE-AVG"], observer="self"))
    assert header["CRLN_OBS"] == pytest.approx(carrington.lon.deg, abs=1e-5)
    assert header["CRLT_OBS"] == header["HGLT_OBS"] == header["SOLAR_B0"] == pytest.approx(carrington.lat.deg, abs=1e-6)


@pytest.mark.needs_shared_data
def test_the_plan_is_that_of_the_science_file(header, november_images):
    planning = november_images.pixels.header.planning
    assert planning["OBS_MODE"] == "STIX_ANALYSIS;STIX_BASIC"
    for key in PLANNING_KEYWORDS:
        assert header[key] == planning.get(key, "none")


@pytest.mark.needs_shared_data
def test_an_invented_identifier_is_not_a_plan(shared_data):
    """Early files have the text "obs_id" as OBS_ID, and an empty text or "none" elsewhere."""
    early = "solo_L1_stix-sci-xray-l1-1178451984_20200607T225959-20200607T235900_V01.fits"
    assert read_header(shared_data / "formats" / early).planning == {"OBS_MODE": "Nominal", "TARGET": "Sun"}
    real = "solo_L1_stix-sci-xray-cpd_20220911T021423-20220911T030223_V02_2209115148-62679.fits"
    planning = read_header(shared_data / "formats" / real).planning
    assert planning == {"OBS_ID": "SSTX_080A_000_000_5Md2_113", "OBS_MODE": "STIX_BASIC"}


@pytest.mark.needs_shared_data
def test_parents_are_all_files_that_determine_the_image(header, november_images):
    recipe = november_images.recipe
    names = [recipe.science.name, recipe.background.name, *(file.name for file in recipe.aspect)]
    assert header["PARENT"].split(";")[: len(names)] == names
    alone = replace(november_images, recipe=replace(recipe, background=None))
    assert recipe.background.name not in image_header(alone, Method.CLEAN, CREATED)["PARENT"]


@pytest.mark.needs_shared_data
def test_file_name_version_and_range_of_values(path, header):
    assert header["FILENAME"] == NAME == path.name
    assert header["VERSION"] == "01"
    data = fits.getdata(path)
    assert (header["DATAMIN"], header["DATAMAX"]) == pytest.approx((data.min(), data.max()), rel=1e-15)
    assert header["CROTA"] == 0.0
    assert not {"CROTA1", "CROTA2"} & set(header)  # FITS 4.0, section 8.1.2: not with PC


@pytest.mark.needs_shared_data
def test_wavelengths_are_those_of_the_energies(header):
    """12.398 keV is 1 Å."""
    assert header["WAVEUNIT"] == "nm"
    assert header["WAVEMIN"] * header["ENERGY_H"] == pytest.approx(1.239842, abs=1e-6)
    assert header["WAVEMAX"] * header["ENERGY_L"] == pytest.approx(1.239842, abs=1e-6)


def test_ranges_without_end():
    assert dict(card[:2] for card in photon_cards((84.0, np.inf)))["WAVEMIN"] == 0.0
    assert not list(photon_cards((0.0, 4.0)))


def test_the_range_is_that_of_stored_values():
    cards = {key: value for key, value, _ in range_cards(np.array([[np.nan, 0.1], [0.2, 0.7]]))}
    assert cards == {"DATAMIN": float(np.float32(0.1)), "DATAMAX": float(np.float32(0.7))}
    assert not list(range_cards(np.full((2, 2), np.inf)))


@pytest.mark.needs_shared_data
@pytest.mark.needs_fitsverify
def test_fitsverify_finds_nothing(path):
    report = subprocess.run(["fitsverify", "-e", path], capture_output=True, text=True, check=False)
    assert "found 0 warning(s) and 0 error(s)" in report.stdout, report.stdout


@pytest.mark.needs_shared_data
def test_names_with_other_characters_are_escaped(november_images, tmp_path):
    write_image(tmp_path / "größe.fits", november_images, Method.BP, CREATED)
    assert fits.getheader(tmp_path / "größe.fits")["FILENAME"] == r"gr\xf6\xdfe.fits"
