"""Validation of maps: a good one altered one keyword at a time, real maps of other software, and damaged files."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from stixcore.errors import InvalidProduct
from stixcore.image_files.standard import carrington_longitude
from stixcore.image_files.validation import file as validation
from stixcore.image_files.validation.file import validate
from stixcore.image_files.validation.findings import Level
from stixcore.image_files.write import write_image

DISTANCE = 9.3122363752e10
CRLN = carrington_longitude(-21.4514, DISTANCE, np.datetime64("2022-11-11T11:36:40.271", "us"))
SCIENCE = "solo_L1_stix-sci-xray-cpd_20221111T111102-20221111T121212_V01_2211116471-54717.fits"
CARDS = {
    "FILENAME": "map.fits", "PARENT": f"{SCIENCE};none", "VERSION": "01", "LEVEL": "L3", "ORIGIN": "a test",
    "CREATOR": "a test", "VERS_SW": "1", "TELESCOP": "SOLO/STIX", "INSTRUME": "STIX", "OBSRVTRY": "Solar Orbiter",
    "SOOPTYPE": "none", "SOOPNAME": "none", "OBS_ID": "none", "OBS_MODE": "STIX_BASIC", "TARGET": "Sun",
    "SPICE_MK": "solo_ANC_soc-flown-mk_V110_20230329_002.tm", "WCSNAME": "Helioprojective-cartesian",
    "TIMESYS": "UTC", "MJDREF": 0.0, "DATE": "2026-01-02T03:04:05", "DATE-OBS": "2022-11-11T11:35:40.271",
    "DATE-BEG": "2022-11-11T11:35:40.271", "DATE-AVG": "2022-11-11T11:36:40.271",
    "DATE-END": "2022-11-11T11:37:40.271", "DATE_EAR": "2022-11-11T11:38:43.702",
    "DATE_SUN": "2022-11-11T11:30:29.648", "EAR_TDEL": 183.431, "SUN_TIME": 310.623, "XPOSURE": 120.0,
    "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRPIX1": 4.5,
    "CRPIX2": 4.5, "CRVAL1": 0.0, "CRVAL2": 0.0, "CDELT1": 2.0, "CDELT2": 2.0, "PC1_1": 1.0, "PC1_2": 0.0,
    "PC2_1": 0.0, "PC2_2": 1.0, "CROTA": 0.0, "RSUN_REF": 6.957e8, "RSUN_ARC": 1541.0, "RSUN_OBS": 1541.0,
    "DSUN_OBS": DISTANCE, "HGLN_OBS": -21.4514, "HGLT_OBS": 7.868, "CRLN_OBS": CRLN, "CRLT_OBS": 7.868,
    "SOLAR_B0": 7.868, "HEQX_OBS": 8.5855684e10, "HEQY_OBS": -3.3735410e10, "HEQZ_OBS": 1.2747479e10,
    "BUNIT": "ct s-1 cm-2 keV-1 arcsec-2", "BTYPE": "X-ray count flux", "ENERGY_L": 6.0, "ENERGY_H": 10.0,
    "WAVEUNIT": "nm", "WAVEMIN": 0.1239842, "WAVEMAX": 0.2066403, "DATAMIN": 0.0, "DATAMAX": 63.0,
}  # fmt: skip


def write(path, changes=(), **keywords):
    """A map without faults but for the changes; None removes a keyword."""
    cards = CARDS | {"FILENAME": path.name} | dict(changes) | keywords
    pixels = np.arange(64, dtype=np.float32).reshape(8, 8)
    hdu = fits.PrimaryHDU(pixels)
    for key, value in cards.items():
        if value is not None:
            hdu.header[key] = value
    hdu.add_checksum()
    hdu.writeto(path)
    return path


def test_a_map_without_faults(tmp_path):
    assert validate(write(tmp_path / "map.fits")) == ()


ERRORS = [
    ({"CTYPE1": None}, "CTYPE1"),
    ({"DSUN_OBS": None}, "DSUN_OBS"),
    ({"HGLN_OBS": None, "CRLN_OBS": None}, "HGLN_OBS"),
    ({"ENERGY_L": "6.0"}, "ENERGY_L"),
    ({"LEVEL": 3}, "LEVEL"),
    ({"LEVEL": "final"}, "LEVEL"),
    ({"TELESCOP": "SDO/AIA"}, "TELESCOP"),
    ({"BUNIT": "counts per second"}, "BUNIT"),
    ({"CUNIT1": "arcsecs"}, "CUNIT1"),
    ({"CUNIT2": "keV"}, "CUNIT2"),
    ({"CTYPE2": "solar_y"}, "CTYPE2"),
    ({"CTYPE1": "HPLT-TAN"}, "CTYPE1"),
    ({"CDELT1": 0.0}, "CDELT1"),
    ({"CDELT1": -2.0}, "CDELT1"),
    ({"PC2_2": 0.0}, "PC1_1"),
    ({"CROTA": 3.0}, "CROTA"),
    ({"CROTA2": -3.0}, "CROTA2"),
    ({"DATE-BEG": "2022-11-11 11:35:40.271"}, "DATE-BEG"),
    ({"DATE-OBS": "11-Nov-2022 11:35:40.271"}, "DATE-OBS"),
    ({"DATE-AVG": "2022-13-11T11:35:40.271"}, "DATE-AVG"),
    ({"DATE-END": "2022-11-11T11:35:40.271"}, "DATE-END"),
    ({"DATE-AVG": "2022-11-11T11:35:00.000"}, "DATE-AVG"),
    ({"DATE-AVG": "2022-11-11T11:38:00.000"}, "DATE-AVG"),
    ({"DATE-BEG": "2019-11-11T11:35:40.271"}, "DATE-BEG"),
    ({"TIMESYS": "TAI"}, "TIMESYS"),
    ({"XPOSURE": 0.0}, "XPOSURE"),
    ({"XPOSURE": 200.0}, "XPOSURE"),
    ({"DSUN_OBS": 9.3122e7}, "DSUN_OBS"),
    ({"HGLT_OBS": 78.68}, "HGLT_OBS"),
    ({"CRLT_OBS": 7.0}, "CRLT_OBS"),
    ({"SOLAR_B0": -7.868}, "SOLAR_B0"),
    ({"CRLN_OBS": -21.4514}, "CRLN_OBS"),
    ({"CRLN_OBS": CRLN + 0.3}, "CRLN_OBS"),
    ({"HGLN_OBS": 21.4514}, "HGLN_OBS"),
    ({"RSUN_OBS": 960.0}, "RSUN_OBS"),
    ({"RSUN_ARC": 960.0}, "RSUN_ARC"),
    ({"HEQZ_OBS": 8.5855684e10}, "HEQZ_OBS"),
    ({"ENERGY_L": 10.0}, "ENERGY_L"),
    ({"ENERGY_L": -1.0}, "ENERGY_L"),
    ({"WAVEMIN": 0.3}, "WAVEMIN"),
    ({"WAVEMAX": 6.0}, "WAVEMAX"),
    ({"WAVEUNIT": "furlongs"}, "WAVEUNIT"),
    ({"DATAMAX": 64.0}, "DATAMAX"),
]
WARNINGS = [
    ({"PARENT": None}, "PARENT"),
    ({"BUNIT": None}, "BUNIT"),
    ({"CRLN_OBS": None}, "CRLN_OBS"),
    ({"FILENAME": "other.fits"}, "FILENAME"),
    ({"VERSION": "1"}, "VERSION"),
    ({"LEVEL": "L1"}, "LEVEL"),
    ({"PARENT": f"{SCIENCE};flare.fits"}, "PARENT"),
    ({"FLNM_SCI": "flare"}, "FLNM_SCI"),
    ({"DATE-OBS": "2022-11-11T11:36:00.000"}, "DATE-OBS"),
    ({"DATE_EAR": "2022-11-11T11:35:40.271"}, "DATE_EAR"),
    ({"DATE_SUN": "2022-11-11T11:35:40.271"}, "DATE_SUN"),
    ({"RSUN_REF": 6.8e8}, "RSUN_REF"),
    ({"SUN_TIME": 499.0, "DATE_SUN": None}, "SUN_TIME"),
    ({"WAVEUNIT": None}, "WAVEMIN"),
    ({"PC1_2": 0.3}, "PC1_2"),
]
NOTES = [
    ({"SOOPNAME": None}, "SOOPNAME"),
    ({"OBS_ID": "obs_id"}, "OBS_ID"),
    ({"CROTA1": 0.0}, "CROTA1"),
    ({"HEQZ_OBS": None}, "HEQY_OBS"),
]


@pytest.mark.parametrize(
    ("level", "changes", "keyword"),
    [
        (level, *case)
        for level, cases in ((Level.ERROR, ERRORS), (Level.WARNING, WARNINGS), (Level.NOTE, NOTES))
        for case in cases
    ],
    ids=str,
)
def test_one_keyword_that_is_wrong(tmp_path, level, changes, keyword):
    found = validate(write(tmp_path / "map.fits", changes))
    assert (level, keyword) in {(one.level, one.keyword) for one in found}
    assert all(one.text.endswith(".") and one.hdu == "0" for one in found)
    assert list(found) == sorted(found, key=lambda one: list(Level).index(one.level))


@pytest.mark.parametrize(
    "changes",
    [
        {"CRLN_OBS": CRLN - 360.0},
        {"PC1_1": 0.0, "PC1_2": -1.0, "PC2_1": 1.0, "PC2_2": 0.0, "CROTA": 90.0},
        {"CDELT1": -2.0, "PC1_1": -1.0},
        {"WAVEUNIT": -9},
        {"CUNIT1": "deg", "CUNIT2": "deg"},
        {"FILENAME": "map.fits"},
    ],
    ids=str,
)
def test_other_ways_to_write_the_same(tmp_path, changes):
    assert validate(write(tmp_path / "map.fits", changes)) == ()


def test_a_header_of_hundreds_of_digits_is_no_number(tmp_path):
    found = validate(write(tmp_path / "map.fits", {"CRVAL1": int("9" * 60)}))
    assert found == ()  # a number all the same
    path = write(tmp_path / "inf.fits")
    path.write_bytes(path.read_bytes().replace(b"CRVAL1  =                  0.0", b"CRVAL1  =                1E999"))
    assert ("CRVAL1", "It must be a number, and is no finite number.") in {(f.keyword, f.text) for f in validate(path)}


def test_pixels_and_checksums(tmp_path):
    path = write(tmp_path / "map.fits")
    content = bytearray(path.read_bytes())
    with fits.open(path) as hdus:
        first = hdus[0].fileinfo()["datLoc"]
    content[first : first + 4] = np.array([np.nan], ">f4").tobytes()
    path.write_bytes(content)
    found = {(one.level, one.keyword): one.text for one in validate(path)}
    assert (Level.ERROR, "DATASUM") in found
    assert (Level.ERROR, "CHECKSUM") in found
    assert found[Level.NOTE, ""] == "1 of 64 pixels have no finite value."
    content[first : first + 256] = np.full(64, np.nan, ">f4").tobytes()
    path.write_bytes(content)
    assert "No pixel has a finite value." in {one.text for one in validate(path)}


def test_maps_in_extensions_are_named(tmp_path):
    pixels, header = fits.getdata(write(tmp_path / "one.fits", {"LEVEL": "L1"}), header=True)
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, header, name="CLEAN")])
    hdus.writeto(tmp_path / "map.fits")
    assert ("1 CLEAN", "LEVEL") in {(one.hdu, one.keyword) for one in validate(tmp_path / "map.fits")}


# --- files of other software ------------------------------------------------------------------------------------------


@pytest.mark.needs_shared_data
def test_every_map_of_this_software_is_without_faults(november_images, tmp_path):
    for method in november_images.images:
        write_image(tmp_path / f"{method}.fits", november_images, method, np.datetime64("2026-12-01", "us"))
        found = validate(tmp_path / f"{method}.fits")
        assert [(one.level, one.keyword) for one in found] == [(Level.NOTE, "HAEY_OBS")]  # HAEZ_OBS is left out


@pytest.mark.needs_shared_data
@pytest.mark.parametrize("uid", ["2211092397", "2211116471", "2211117374", "2211118567"])
def test_maps_of_stx_map2fits(shared_data, uid):
    """Known slips of the IDL: energies are texts, times have no T, and the Carrington longitude is Stonyhurst."""
    found = validate(shared_data / "nov2022/idl" / f"bp_nat_map-{uid}.fits")
    errors = {one.keyword for one in found if one.level is Level.ERROR}
    times = {"DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END"}
    assert errors == {"ENERGY_L", "ENERGY_H", "DATEREF", "CRLN_OBS", *times}
    assert {"BUNIT", "UNITS", "LEVEL"} <= {one.keyword for one in found if one.level is Level.WARNING}


@pytest.mark.needs_shared_data
@pytest.mark.parametrize("kind", ["bp", "fwfit"])
def test_maps_of_2022(shared_data, kind):
    name = f"sci_9111_uid_2202155513_0_0_0_2022-02-15T18:11:49.918_{kind}.fits"
    errors = {one.keyword for one in validate(shared_data / "formats" / name) if one.level is Level.ERROR}
    assert {"HGLN_OBS", "HGLT_OBS", "DSUN_OBS", "TELESCOP", "CTYPE1", "CUNIT1", "DATE-OBS"} <= errors


def test_maps_that_sunpy_saves(tmp_path):
    """sunpy 8 copies the checksum of the file that it has read, which is then wrong."""
    import sunpy.map

    loaded = sunpy.map.Map(write(tmp_path / "map.fits"))
    saved = tmp_path / "saved" / "map.fits"
    saved.parent.mkdir()
    loaded.save(saved)
    assert {one.keyword for one in validate(saved)} == {"CHECKSUM"}
    saved.unlink()
    loaded.save(saved, hdu_type=fits.CompImageHDU)
    assert {one.hdu for one in validate(saved)} <= {"1 COMPRESSED_IMAGE"}
    assert not [one for one in validate(saved) if one.level is Level.ERROR]
    saved.unlink()
    import astropy.units as u

    loaded.rotate(30 * u.deg).save(saved)
    assert {"CHECKSUM", "DATASUM", "CROTA"} <= {one.keyword for one in validate(saved)}


def test_a_map_as_the_examples_of_stixpy_make_it(tmp_path):
    """Rolled by 90 deg and the roll of the spacecraft, with few keywords."""
    import astropy.units as u
    import sunpy.map
    from astropy.coordinates import SkyCoord
    from sunpy.coordinates import HeliographicStonyhurst, Helioprojective

    moment = "2022-11-11T11:36:40"
    place = SkyCoord(-21.4514 * u.deg, 7.868 * u.deg, DISTANCE * u.m, frame=HeliographicStonyhurst(obstime=moment))
    center = SkyCoord(10 * u.arcsec, 0 * u.arcsec, frame=Helioprojective(observer=place, obstime=moment))
    pixels = np.ones((16, 16))
    header = sunpy.map.make_fitswcs_header(
        pixels,
        center,
        scale=[2, 2] * u.arcsec / u.pix,
        rotation_angle=93 * u.deg,
        telescope="STIX",
        observatory="Solar Orbiter",
    )
    sunpy.map.Map(pixels, header).save(tmp_path / "map.fits")
    found = validate(tmp_path / "map.fits")
    assert not [one for one in found if one.level is Level.ERROR]
    missing = {one.keyword for one in found if one.level is Level.WARNING and one.value is None}
    assert {"DATE-BEG", "DATE-END", "ENERGY_L", "ENERGY_H", "BUNIT", "PARENT", "CRLN_OBS"} <= missing
    assert "TELESCOP" in {one.keyword for one in found} - missing


@pytest.mark.needs_shared_data
def test_a_science_file_is_not_a_map(shared_data):
    with pytest.raises(InvalidProduct, match="expected an image of two dimensions"):
        validate(next((shared_data / "formats").glob("solo_L1_*_V02_*.fits")))


# --- damage -----------------------------------------------------------------------------------------------------------


def _replace(content, keyword, value):
    first = content.index(f"{keyword:8}=".encode())
    return content[:first] + f"{keyword:8}= {value}".ljust(80).encode() + content[first + 80 :]


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda _: b"", "found"),
        (lambda _: b"not FITS" * 1000, "SIMPLE"),
        (lambda content: content[:4000], "truncated|value"),
        (lambda content: content[:-2880], "truncated"),
        (lambda content: _replace(content, "NAXIS1", "9" * 18), "truncated"),
        (lambda content: _replace(content, "NAXIS1", -8), "NAXIS1"),
        (lambda content: _replace(content, "NAXIS", 999), "NAXIS"),
        (lambda content: _replace(content, "BITPIX", 17), "BITPIX"),
        (lambda content: _replace(content, "CRVAL1", "NaN"), "CRVAL1"),
        (lambda content: gzip.compress(content)[:500], "gzip"),
        (lambda content: gzip.compress(content)[:20] + b"\xff" * 40, "gzip"),
    ],
)
def test_damage_is_a_sentence(tmp_path, damage, match):
    path = write(tmp_path / "map.fits")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InvalidProduct, match=match):
        validate(path)


def test_a_file_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "MOST_BYTES", 1 << 20)
    path = tmp_path / "map.fits.gz"
    path.write_bytes(gzip.compress(bytes(2 << 20)))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(InvalidProduct, match="at most 1 MiB when unpacked"):
        validate(path)
    path.write_bytes(bytes(2 << 20))
    with pytest.raises(InvalidProduct, match="at most 1 MiB"):
        validate(path)


def test_a_compressed_image_that_claims_to_be_huge(tmp_path):
    path = tmp_path / "map.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros((64, 64), np.float32))]).writeto(path)
    path.write_bytes(_replace(_replace(path.read_bytes(), "ZNAXIS1", 10**6), "ZNAXIS2", 10**6))
    with pytest.raises(InvalidProduct, match="at most 16777216 pixels in HDU 1"):
        validate(path)


def test_compressed_with_gzip(tmp_path):
    plain = write(tmp_path / "map.fits")
    packed = tmp_path / "map.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert validate(packed) == ()


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.binary(min_size=1, max_size=40))
def test_any_change_gives_findings_or_a_sentence(tmp_path_factory, place, change):
    path = write(tmp_path_factory.mktemp("changed") / "map.fits")
    content = bytearray(path.read_bytes())
    first = place % len(content)
    content[first : first + len(change)] = change
    path.write_bytes(content[: path.stat().st_size])
    try:
        found = validate(path)
    except InvalidProduct:
        return
    assert all(isinstance(one.text, str) for one in found)
