"""Pixel data, spectrograms and headers of generations that differ from today's, on real files and small copies."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from astropy.io import fits

from stixcore.errors import InvalidProduct, SelectionError
from stixcore.fits.identity import kind_of_header, kind_of_name
from stixcore.fits.read import read_header, read_pixel_data, read_spectrogram
from stixcore.fits.spec import ProductKind
from stixcore.instrument.geometry import PixelSet
from stixcore.visibility.pixels import sum_pixels, summed_pixel_set

OBSERVATION = "20200505T235959-20200506T000019_V01_00870318"
RPD, CPD, SCPD, SPEC = (f"*-sci-xray-{name}_{OBSERVATION}*.fits" for name in ("rpd", "cpd", "scpd", "spec"))


@pytest.fixture
def find(shared_data):
    return lambda folder, pattern: next((shared_data / folder).glob(pattern))


def columns(counts):
    """Counts of A, B, C, D over everything: (n_time, 32, 12, n_channel) → (4,)."""
    return counts.sum(axis=(0, 1, 3)).reshape(3, 4).sum(axis=0)


def test_one_observation_in_four_compression_levels(find):
    """Check sums of `calibration_products.md` 1.3 and 8."""
    raw, compressed, summed = (read_pixel_data(find("products", name)).read() for name in (RPD, CPD, SCPD))
    assert (raw.counts.sum(), raw.triggers.sum()) == (19086, 22923)
    assert compressed.counts.sum(axis=(0, 1, 3)).tolist() == [
        2113, 2242, 2028, 2547, 2093, 2242, 3006, 2357, 117, 125, 97, 111,
    ]  # fmt: skip
    assert columns(compressed.counts).tolist() == [4323, 4609, 5131, 5015]
    # the file has D, C, B, A
    np.testing.assert_allclose(columns(summed.counts), [4323, 4607, 5130, 5019], atol=1e-9)
    assert read_spectrogram(find("products", SPEC)).counts.shape == (5, 32)


def test_raw_counts_are_exact(find):
    raw = read_pixel_data(find("products", RPD)).read()
    np.testing.assert_array_equal(raw.counts_variance, raw.counts)
    np.testing.assert_array_equal(raw.triggers_variance, raw.triggers)


def test_summed_pixels_are_imaged_as_they_were_summed(find):
    compressed, summed = (read_pixel_data(find("products", name)) for name in (CPD, SCPD))
    assert summed_pixel_set(summed) is PixelSet.ALL
    assert summed_pixel_set(compressed) is None
    window = summed.t_start[0], summed.t_end[-1], 6.0, 10.0
    expected, found = (sum_pixels(data, *window, pixel_set=PixelSet.ALL) for data in (compressed, summed))
    np.testing.assert_allclose(found.counts.sum(axis=0), expected.counts.sum(axis=0), rtol=0.01)
    with pytest.raises(SelectionError, match="were summed on board as ALL; choose pixel set ALL"):
        sum_pixels(summed, *window, pixel_set=PixelSet.TOP_BOT)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1)])
def test_pixel_sets_go_by_their_masks_not_by_their_place(find, tmp_path, order):
    path = tmp_path / "shuffled.fits"
    shutil.copy(find("products", SCPD), path)
    with fits.open(path, mode="update") as hdus:
        data = hdus["DATA"].data
        data["pixel_masks"] = data["pixel_masks"][:, list(order)]
        data["counts"][:, :, :4] = data["counts"][:, :, list(order)]
    found = read_pixel_data(path).read()
    np.testing.assert_allclose(columns(found.counts), [4323, 4607, 5130, 5019], atol=1e-9)


def test_channels_that_were_sent_by_the_mask_of_control(find):
    """The file of before 2022 has 18 channels of counts, 32 rows in ENERGIES; today's of the same data has 18."""
    early, today = (read_pixel_data(find(folder, "*-cpd_20200607T213709-*")) for folder in ("found", "demo20200607"))
    np.testing.assert_array_equal(early.e_low, today.e_low)
    np.testing.assert_array_equal(early.e_high, today.e_high)
    np.testing.assert_array_equal(early.read().counts, today.read().counts)


def edited(source, folder, edit):
    """A copy of a file, changed in place by ``edit(hdus)``."""
    path = folder / source.name
    shutil.copy(source, path)
    with fits.open(path, mode="update") as hdus:
        edit(hdus)
    return path


def test_sent_channels_with_a_gap(find, tmp_path):
    """18 flags of 32, with a gap after 8 keV: the channels are those of the flags, not the first 18."""
    mask = np.isin(np.arange(32), [1, 2, 3, 4, *range(8, 22)])

    def edit(hdus):
        hdus["CONTROL"].data["energy_bin_mask"][:] = mask

    found = read_pixel_data(edited(find("found", "*-cpd_20200607T213709-*"), tmp_path, edit))
    assert found.e_low.tolist()[:6] == [4, 5, 6, 7, 11, 12]
    assert found.e_high.tolist()[:6] == [5, 6, 7, 8, 12, 13]
    assert (found.e_low[-1], found.e_high[-1]) == (40, 45)


def change_masks(row, chosen, value):
    def edit(hdus):
        hdus["DATA"].data["pixel_masks"][row, chosen, :] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        # the file has D, C, B, A: pixels 3, 7, 11 first
        (change_masks(2, 0, np.arange(12) == 3), "pixel_masks that change"),
        (change_masks(slice(None), 1, np.arange(12) % 4 == 3), "a pixel in two of pixel_masks"),
        (change_masks(slice(None), slice(0, 2), [np.isin(np.arange(12), s) for s in ((2, 3), (6, 7))]), "two columns"),
    ],
)
def test_pixel_sets_that_are_none_are_refused(find, tmp_path, edit, found):
    with pytest.raises(InvalidProduct, match=found):
        read_pixel_data(edited(find("products", SCPD), tmp_path, edit))


def test_sums_are_shared_out_by_area(find):
    """A large pixel has 9.6195 mm², a small one 1.0010 mm²."""
    counts = read_pixel_data(find("products", SCPD)).read().counts.sum(axis=(0, 1, 3))
    np.testing.assert_allclose(counts[:4], counts[4:8], rtol=1e-12)
    np.testing.assert_allclose(counts[8:] / counts[:4], 1.0010 / 9.6195, rtol=1e-3)


def test_the_attenuator_goes_by_the_row_of_control(find, tmp_path):
    source = find("products", "*spectrogram-88217860*")

    def by_index(hdus):
        hdus["CONTROL"].data["rcr"][:] = hdus["CONTROL"].data["index"] % 7
        hdus["DATA"].data["control_index"][::4] = 24
        hdus["DATA"].data["control_index"][1::4] = 11

    with fits.open(edited(source, tmp_path, by_index)) as hdus:
        assert len(set(hdus["CONTROL"].data["index"] % 7)) > 2
    found = read_spectrogram(tmp_path / source.name)
    assert {24 % 7, 11 % 7} <= set(found.rcr.tolist())

    def unknown(hdus):
        hdus["DATA"].data["control_index"][5] = 99

    with pytest.raises(InvalidProduct, match="a row in CONTROL for every control_index, found none for 99"):
        read_spectrogram(edited(source, tmp_path, unknown))


def test_a_spectrogram_of_2020_keeps_its_attenuator_in_control(find, tmp_path):
    path = find("products", "*spectrogram-88217860*")
    found = read_spectrogram(path)
    assert found.header.request_id == "0088217860"
    assert (found.rcr == 0).all()
    # four times the same 175 bins: twice with the counts, twice without
    assert found.counts.shape == (175, 32)
    assert (np.diff(found.t_start) > np.timedelta64(0, "us")).all()
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(found.counts, hdus["DATA"].data["counts"][:175])
    moved = tmp_path / path.name
    shutil.copy(path, moved)
    with fits.open(moved, mode="update") as hdus:
        hdus["CONTROL"].data["rcr"][:] = 3
    assert (read_spectrogram(moved).rcr == 3).all()


def test_line_breaks_in_headers_are_blanks(find, tmp_path):
    path = tmp_path / "x.fits"
    original = find("found", "*2211133513*")
    content = original.read_bytes()
    assert b"LEVEL   = 'L1      '" in content
    path.write_bytes(content.replace(b"LEVEL   = 'L1      '", b"LEVEL   = 'L1\r\n    '", 1))
    assert read_header(path).level == "L1"
    np.testing.assert_array_equal(read_pixel_data(path).read().counts, read_pixel_data(original).read().counts)


def test_the_header_decides_before_the_name(find, tmp_path):
    path = tmp_path / "solo_L1_stix-ql-lightcurve_20200506_V01.fits"
    shutil.copy(find("products", "*ql-background*"), path)
    assert kind_of_name(path.name) is ProductKind.LIGHT_CURVE
    assert read_header(path).kind is ProductKind.BACKGROUND_MONITOR


def test_one_name_two_products_by_level():
    services = {"STYPE": 21, "SSTYPE": 6, "SSID": 41}
    assert kind_of_header(services | {"LEVEL": "CAL"}) is ProductKind.ENERGY_CALIBRATION
    assert kind_of_header(services | {"LEVEL": "L1"}) is ProductKind.CALIBRATION_SPECTRA
    assert kind_of_header(services | {"LEVEL": "LL01"}) is None


def test_unknown_services_are_refused(find, tmp_path):
    path = tmp_path / find("found", "*2211133513*").name
    shutil.copy(find("found", "*2211133513*"), path)
    fits.setval(path, "SSID", value=99)
    with pytest.raises(InvalidProduct, match="SSID = 99"):
        read_header(path)
