"""Count spectra: by hand on made-up files, against stixpy and stix2xspec on real ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stixcore.calibration.catalog import SHIPPED
from stixcore.calibration.energy import EdgeCorrection, edge_factors, spectral_indices
from stixcore.calibration.livetime import livetime_fraction, pileup_factor
from stixcore.errors import CalibrationError, SelectionError
from stixcore.fits.products import Spectrogram
from stixcore.fits.read import read_pixel_data, read_spectrogram
from stixcore.instrument.calibration_file import shipped_calibration
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR, IMAGING_LABELS, detector_indices
from stixcore.instrument.tables import trigger_accumulator
from stixcore.spectra.attenuator_changes import bins_with_changes
from stixcore.spectra.counts import count_spectra_of_bins, count_spectrum, systematic_errors
from stixcore.spectra.files import read_spectrum_file
from stixcore.spectra.summed_bins import groups_of_rows

TOP24 = tuple(sorted(detector_indices(IMAGING_LABELS).tolist()))
START = np.datetime64("2022-11-10T12:00:00", "us")
NONE = EdgeCorrection.NONE


def after(seconds):
    return START + np.timedelta64(round(1e6 * seconds), "us")


@pytest.fixture
def flare(pixel_data):
    """Four bins with different triggers in each accumulator."""
    counts = np.random.default_rng(7).poisson(200, (4, 32, 12, 8)).astype(float)
    triggers = 1e4 + 1e3 * np.arange(64.0).reshape(4, 16)
    return pixel_data(counts, duration=[4.0, 6.0, 10.0, 12.0], triggers=triggers, name="flare.fits")


@pytest.fixture
def quiet(pixel_data):
    counts = np.random.default_rng(8).poisson(50, (1, 32, 12, 8)).astype(float)
    return pixel_data(counts, duration=600.0, triggers=5e5, t0="2022-11-10T08:00:00", name="quiet.fits")


def by_hand(flare, quiet, rows, detectors, pixels):
    """Σ_t Σ_d Σ_p [f̄/f_d · C − f̄·Δt·C_b/L_b], variance of counts alone, and Σ f̄·Δt, in loops."""
    f, g = flare.read(), quiet.read()
    accumulator = trigger_accumulator()
    fraction, _ = livetime_fraction(f.triggers, 0 * f.triggers, f.duration[:, None])
    quiet_fraction, _ = livetime_fraction(g.triggers, 0 * g.triggers, g.duration[:, None])
    total, variance, livetime = np.zeros(8), np.zeros(8), 0.0
    for t in rows:
        mean = np.mean([fraction[t, accumulator[d]] for d in detectors])
        livetime += mean * f.duration[t]
        for d in detectors:
            weight = mean / fraction[t, accumulator[d]]
            quiet_livetime = quiet_fraction[0, accumulator[d]] * g.duration[0]
            for p in pixels:
                total += weight * f.counts[t, d, p] - mean * f.duration[t] * g.counts[0, d, p] / quiet_livetime
                variance += weight**2 * f.counts_variance[t, d, p]
    return total, variance, livetime


def test_by_hand(flare, quiet):
    found = count_spectrum(flare, quiet, after(4), after(20), edge_correction=NONE)
    total, variance, livetime = by_hand(flare, quiet, (1, 2), TOP24, range(12))
    np.testing.assert_allclose(found.counts, total, rtol=1e-12)
    assert found.livetime == pytest.approx(livetime)
    assert found.duration == 16.0
    assert (found.t_start, found.t_end) == (after(4), after(20))
    assert (found.detectors, found.pixels, found.rcr) == (TOP24, tuple(range(12)), 0)
    assert found.energy_table == "elut_table_20220918"
    # σ² = Σ σ_C² + live time + background; the live time adds least
    rest = found.sigma**2 - variance - found.background_sigma**2
    assert ((rest > 0) & (rest < 0.1 * variance)).all()
    np.testing.assert_allclose(found.edges, np.arange(4.0, 13.0))
    np.testing.assert_allclose(found.rate, found.counts / found.livetime)


def test_error_of_the_background_level(flare, quiet, pixel_data):
    """2 % of the background, once on the sum: over four bins in quadrature it would be 1 %."""
    certain = pixel_data(50.0, counts_variance=0.0, duration=600.0, t0="2022-11-10T08:00:00", name="quiet.fits")
    found = count_spectrum(flare, certain, after(0), after(32), edge_correction=NONE)
    np.testing.assert_allclose(found.background_sigma, 0.02 * found.background, rtol=1e-12)
    # with N ± √N counts in the file; the error of its live time adds a little
    counted = count_spectrum(flare, quiet, after(0), after(32), edge_correction=NONE)
    recorded = quiet.read().counts[0][list(TOP24)].sum(axis=(0, 1))
    excess = (counted.background_sigma / counted.background) ** 2 - 0.02**2 - 1.0 / recorded
    assert ((excess > 0) & (excess < 0.2 / recorded)).all()


def test_chosen_detectors_and_pixels(flare, quiet):
    found = count_spectrum(flare, quiet, after(0), after(32), detectors=[3, 0, 20], pixels=[5, 1], edge_correction=NONE)
    total, _, livetime = by_hand(flare, quiet, range(4), (0, 3, 20), (1, 5))
    np.testing.assert_allclose(found.counts, total, rtol=1e-12)
    assert found.livetime == pytest.approx(livetime)
    assert (found.detectors, found.pixels) == ((0, 3, 20), (1, 5))


def test_error_of_the_live_time(pixel_data):
    """It is common to the detectors of an accumulator: with counts alone known, σ = (σ_f/f)·C of each of them."""
    data = pixel_data(np.full((1, 32, 12, 8), 1e4), counts_variance=0.0, triggers=4e5, duration=20.0)
    found = count_spectrum(data, None, START, after(20), edge_correction=NONE)
    fraction, sigma = livetime_fraction(np.array(4e5), np.sqrt(4e5), np.array(20.0))
    pairs = np.bincount(trigger_accumulator()[list(TOP24)], minlength=16)
    np.testing.assert_allclose(found.sigma, sigma / fraction * 12e4 * np.sqrt((pairs**2).sum()), rtol=1e-9)


def test_bins_add_up_to_the_range(flare, quiet):
    """Counts add up, errors of counts in quadrature, those of the one background linearly."""
    bins = count_spectra_of_bins(flare, quiet, edge_correction=NONE)
    whole = count_spectrum(flare, quiet, after(0), after(32), edge_correction=NONE)
    assert len(bins) == 4
    for key in ("counts", "background", "background_sigma", "livetime", "duration"):
        np.testing.assert_allclose(sum(getattr(one, key) for one in bins), getattr(whole, key), rtol=1e-12)
    alone = sum(one.sigma**2 - one.background_sigma**2 for one in bins)
    np.testing.assert_allclose(whole.sigma**2, alone + whole.background_sigma**2, rtol=1e-12)
    part = count_spectra_of_bins(flare, quiet, after(4), after(20), edge_correction=NONE)
    np.testing.assert_allclose(part[1].counts, bins[2].counts)


def test_systematic_errors_once(flare, quiet):
    """Not per bin: over four bins in quadrature they would be half of it."""
    whole = count_spectrum(flare, quiet, after(0), after(32), edge_correction=NONE)
    np.testing.assert_array_equal(whole.systematic, [0.07] * 3 + [0.05] * 3 + [0.03] * 2)
    np.testing.assert_allclose(whole.error() ** 2, whole.sigma**2 + (whole.systematic * whole.counts) ** 2)
    # by the mean energy: 6-7.5 keV is below 7, 9-12 keV is not below 10
    np.testing.assert_array_equal(systematic_errors(np.array([6.0, 9.0]), np.array([7.5, 12.0])), [0.07, 0.03])


def test_negative_counts_are_kept(pixel_data):
    quiet = pixel_data(100.0, duration=20.0, t0="2022-11-10T08:00:00")
    found = count_spectrum(pixel_data(10.0), quiet, START, after(20), edge_correction=NONE)
    np.testing.assert_allclose(found.counts, -90.0 * 24 * 12)


def test_open_and_uncommon_channels_are_left_out(pixel_data):
    edges = np.array([0.0, 4, 5, 6, 7, 150])
    data = pixel_data(10.0, e_low=edges, e_high=[*edges[1:], np.inf])
    assert count_spectrum(data, None, START, after(20)).e_low.tolist() == [4, 5, 6, 7]
    quiet = pixel_data(1.0, e_low=[5, 6], t0="2022-11-10T08:00:00", duration=100.0)
    assert count_spectrum(data, quiet, START, after(20)).e_low.tolist() == [5, 6]
    other = pixel_data(1.0, e_low=[20, 22], e_high=[22, 25], t0="2022-11-10T08:00:00", name="other.fits")
    with pytest.raises(CalibrationError, match=r"no energy channel within 4-150 keV that other\.fits has too"):
        count_spectrum(data, other, START, after(20))


# --- energy edges -----------------------------------------------------------------------------------------------------


def test_every_channel_is_corrected_alone(pixel_data):
    shape = np.array([3.0, 8, 11, 9, 4, 2, 1.5, 0.9]) * 1e3
    data = pixel_data(np.broadcast_to(shape, (1, 32, 12, 8)))
    found = count_spectrum(data, None, START, after(20), edge_correction=EdgeCorrection.POWER_LAW)
    table = SHIPPED.energy_table_at(START)
    index = spectral_indices(shape, data.e_low, data.e_high)
    for i in range(8):
        factor, _ = edge_factors(table, data.e_low, data.e_high, slice(i, i + 1), index)
        assert found.counts[i] == pytest.approx(shape[i] * factor[list(TOP24)].sum(), rel=1e-9)
    assert np.abs(found.counts / (shape * 288) - 1).max() > 1e-3


def test_correction_only_with_a_daily_calibration(flare, quiet):
    """As in the ground software; the sentence says why there is none."""
    plain = count_spectrum(flare, quiet, after(0), after(32))
    np.testing.assert_array_equal(
        plain.counts, count_spectrum(flare, quiet, after(0), after(32), edge_correction=NONE).counts
    )
    assert any(
        doubt.startswith("energy edges are not corrected: no daily energy calibration") for doubt in plain.doubts
    )
    calibration = SHIPPED.choose(START, after(32))
    # any file stands for a daily calibration
    daily = replace(calibration, cal_file=type("File", (), {"name": "cal.fits"})())
    corrected = count_spectrum(flare, quiet, after(0), after(32), calibration=daily)
    power_law = count_spectrum(flare, quiet, after(0), after(32), edge_correction=EdgeCorrection.POWER_LAW)
    np.testing.assert_array_equal(corrected.counts, power_law.counts)
    assert corrected.cal_file == "cal.fits"
    assert not any("energy edges" in doubt for doubt in corrected.doubts)


@pytest.mark.parametrize(
    ("durations", "rcr", "rows", "expected"),
    [
        ([10.0] * 4, 0, range(4), [[0, 1], [2, 3]]),
        # the bins that the ground software sets to zero
        ([10.0] * 3, 0, range(3), [[0, 1, 2]]),
        ([10.0] * 5, 0, range(5), [[0, 1], [2, 3, 4]]),
        ([5.0], 0, range(1), [[0]]),
        ([60.0, 60.0], 0, range(2), [[0], [1]]),
        ([10.0] * 4, [0, 0, 0, 1], range(4), [[0, 1, 2], [3]]),
        ([10.0] * 6, 0, [0, 1, 4, 5], [[0, 1], [4, 5]]),
    ],
)
def test_groups_contain_every_bin(durations, rcr, rows, expected):
    n = len(durations)
    found = groups_of_rows(np.array(list(rows)), np.array(durations), np.broadcast_to(rcr, n), 20.0)
    assert [group.tolist() for group in found] == expected


# --- attenuator -------------------------------------------------------------------------------------------------------


def test_bins_in_which_the_attenuator_moves(pixel_data):
    """Recorded at bin 5, but the counts fall at bin 7: bins 4 to 7 are left out; a change back without a jump: two."""
    level = np.where(np.arange(20) >= 7, 10.0, 100.0)
    rcr = np.where((np.arange(20) >= 5) & (np.arange(20) < 12), 1, 0)
    counts = np.broadcast_to(level[:, None, None, None], (20, 32, 12, 8))
    data = pixel_data(counts, duration=2.0, rcr=rcr)
    moving = np.flatnonzero(bins_with_changes(data)).tolist()
    assert moving == [4, 5, 6, 7, 11, 12]
    spectra = count_spectra_of_bins(data, edge_correction=NONE)
    assert [one.rcr for one in spectra] == [0] * 4 + [1] * 3 + [0] * 7
    assert "6 time bins in which the attenuator moves are left out" in spectra[0].doubts
    weak = pixel_data(counts * 0.01, duration=2.0, rcr=rcr)
    assert np.flatnonzero(bins_with_changes(weak)).tolist() == [4, 5, 11, 12]


def test_a_range_across_a_change_is_refused(pixel_data):
    data = pixel_data(np.full((6, 32, 12, 8), 10.0), duration=2.0, rcr=[0, 0, 0, 1, 1, 1])
    with pytest.raises(SelectionError, match=r"attenuator state \(rcr\) changes at 2022-11-10T12:00:08\.000 inside"):
        count_spectrum(data, None, START, after(12))
    with pytest.raises(SelectionError, match="the attenuator moves during the whole time range"):
        count_spectrum(data, None, after(4), after(8))
    # at its edge, the moving bins are left out
    before = count_spectrum(data, None, START, after(6))
    assert (before.duration, before.rcr) == (4.0, 0)
    assert "1 time bins in which the attenuator moves are left out" in before.doubts


# --- doubts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "pixels", "says"),
    [
        (1.2, None, "the top row of pixels has 20% more counts than the other, in shadow: use pixels 0-3 only"),
        (1 / 1.2, None, "the bottom row of pixels has 20% more counts than the other, in shadow: use pixels 4-7 only"),
        (1.04, None, ""),
        (1.2, [0, 1, 2, 3], ""),  # nothing to compare
    ],
)
def test_pixel_rows_in_shadow(pixel_data, factor, pixels, says):
    counts = np.full((1, 32, 12, 8), 100.0)
    counts[:, :, :4] *= factor
    found = count_spectrum(pixel_data(counts), None, START, after(20), pixels=pixels)
    assert [doubt for doubt in found.doubts if "row of pixels" in doubt] == ([says] if says else [])


def test_noise_is_no_shadow(pixel_data):
    counts = np.zeros((1, 32, 12, 8))
    counts[:, TOP24[0], 0], counts[:, TOP24[0], 4] = 2.0, 1.0
    assert not any(
        "row of pixels" in doubt for doubt in count_spectrum(pixel_data(counts), None, START, after(20)).doubts
    )


def test_doubts(flare):
    found = count_spectrum(flare, None, after(0), after(32), detectors=[*TOP24, 10])
    assert "no background was subtracted" in found.doubts
    assert any("sub-collimators 1 and 2" in doubt for doubt in found.doubts)
    assert (found.background == 0).all()


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"detectors": [FLARE_LOCATOR]}, "8 is the flare locator"),
        ({"detectors": [0, BACKGROUND_MONITOR]}, "9 is the background monitor"),
        ({"detectors": [0, 0]}, r"detectors must be different indices from 0 to 31, found \[0, 0\]"),
        ({"detectors": []}, "found none"),
        ({"pixels": [12]}, r"pixels must be different indices from 0 to 11, found \[12\]"),
        ({"pixels": [11]}, r"pixels \[11\] are not read out"),
        ({"detectors": [1]}, r"detectors \[1\] are off"),
    ],
)
def test_bad_choices(pixel_data, choice, says):
    mask, detectors = np.ones(12, bool), np.ones(32, bool)
    mask[11] = detectors[1] = False
    data = pixel_data(10.0, pixel_mask=mask, detector_mask=detectors)
    with pytest.raises(SelectionError, match=says):
        count_spectrum(data, None, START, after(20), **choice)
    default = count_spectrum(data, None, START, after(20))
    assert default.pixels == tuple(range(11))
    assert default.detectors == tuple(d for d in TOP24 if d != 1)
    assert count_spectrum(data, None, START, after(20), detectors=[BACKGROUND_MONITOR]).detectors == (9,)


def test_background_without_the_chosen_pixels(flare, pixel_data):
    mask = np.ones(12, bool)
    mask[8:] = False
    quiet = pixel_data(1.0, pixel_mask=mask, t0="2022-11-10T08:00:00", name="quiet.fits")
    assert count_spectrum(flare, quiet, after(0), after(32)).pixels == tuple(range(8))
    with pytest.raises(CalibrationError, match=r"quiet\.fits: pixels \[9\] were not read out in this background file"):
        count_spectrum(flare, quiet, after(0), after(32), pixels=[0, 9])
    other = pixel_data(1.0, t0="2022-03-01T00:00:00", name="other.fits")
    with pytest.raises(CalibrationError, match="the energy table on board was"):
        count_spectrum(flare, other, after(0), after(32))


# --- spectrograms -----------------------------------------------------------------------------------------------------


@pytest.fixture
def spectrogram(flare):
    """The flare as it would be summed on board over 30 detectors and all pixels."""
    part, detectors = flare.read(), tuple(d for d in range(32) if d not in (FLARE_LOCATOR, BACKGROUND_MONITOR))
    return Spectrogram(
        header=flare.header,
        counts=part.counts[:, detectors].sum(axis=(1, 2)),
        counts_variance=part.counts_variance[:, detectors].sum(axis=(1, 2)),
        triggers=part.triggers.sum(axis=1),
        triggers_variance=part.triggers_variance.sum(axis=1),
        rcr=flare.rcr,
        t_start=flare.t_start,
        duration=flare.duration,
        e_low=flare.e_low,
        e_high=flare.e_high,
        detectors=detectors,
        pixels=tuple(range(12)),
    )


def test_spectrogram_and_pixel_data_agree(flare, quiet, spectrogram):
    """But for the live time, which is one number for a spectrogram: within 2 % here."""
    ours = count_spectrum(spectrogram, quiet, after(0), after(32))
    pixels = count_spectrum(flare, quiet, after(0), after(32), detectors=spectrogram.detectors)
    np.testing.assert_allclose(ours.counts / ours.livetime, pixels.counts / pixels.livetime, rtol=0.02)
    np.testing.assert_allclose(ours.background, pixels.background * ours.livetime / pixels.livetime, rtol=1e-9)
    assert ours.spectrogram
    assert "energy edges are not corrected: counts were summed on board" in ours.doubts


def test_the_background_of_a_spectrogram_is_that_of_its_pixels(spectrogram, quiet):
    """The ground software sums all 32 · 12."""
    eight = replace(spectrogram, pixels=tuple(range(8)))
    ours = count_spectrum(eight, quiet, after(0), after(32))
    whole = count_spectrum(spectrogram, quiet, after(0), after(32))
    np.testing.assert_allclose(ours.background / whole.background, 8 / 12, rtol=0.1)


def test_what_was_summed_on_board_cannot_be_chosen(spectrogram, quiet):
    with pytest.raises(SelectionError, match=r"were summed on board; \[0, 1\] cannot be separated from them"):
        count_spectrum(spectrogram, quiet, after(0), after(32), pixels=[0, 1])
    unknown = replace(spectrogram, pixels=())
    with pytest.raises(SelectionError, match="does not say which pixels were summed on board; name them"):
        count_spectrum(unknown, quiet, after(0), after(32))
    assert count_spectrum(unknown, quiet, after(0), after(32), pixels=range(12)).pixels == tuple(range(12))


# --- real files -------------------------------------------------------------------------------------------------------


def test_counts_of_stixpy(agrees, november_flare, stixpy_product, patience):
    """Recorded counts and errors of chosen detectors and pixels, with equal live time in all of them."""
    science, *_ = november_flare
    data = read_pixel_data(science).in_memory()
    untriggered = replace(data, loader=lambda t, c: (*data.loader(t, c)[:2], *(0 * x for x in data.loader(t, c)[2:])))
    rows = slice(20, 24)
    found = count_spectrum(untriggered, None, *data.window(rows), edge_correction=NONE)
    energy = [int(np.flatnonzero(data.e_low == low)[0]) for low in found.e_low]
    counts, errors, *_ = stixpy_product(science).get_data(
        vtype="c", time_indices=[[20, 23]], detector_indices=list(TOP24), energy_indices=energy
    )
    agrees("counts of stixpy, 2022-11-11", found.counts, counts.value.sum(axis=(0, 1, 2)), rtol=1e-6)
    agrees("their errors", found.sigma, np.sqrt((errors.value**2).sum(axis=(0, 1, 2))), rtol=1e-6)


def test_rates_of_stix2xspec(agrees, shared_data):
    """Its differences: the live time with the older latency of 2.63 µs, and counts × mean actual ÷ nominal width with
    the table of 2021-12-09, which was not on board any more.
    """
    theirs = read_spectrum_file(shared_data / "spectroscopy" / "files" / "stx_spectrum_20220723_122031.fits")
    (science,) = (shared_data / "found").glob("*spectrogram-2207238956*")
    (quiet,) = (shared_data / "formats").glob("*2207235029*")
    data = read_spectrogram(science)
    ours = count_spectra_of_bins(data, read_pixel_data(quiet))
    assert len(ours) == theirs.counts.shape[0]
    rate = data.triggers / 16 / data.duration
    into = rate / (1 - rate * (10.1e-6 + 2.63e-6))
    fraction = np.exp(-pileup_factor() * 2.63e-6 * into) / (1 + (10.1e-6 + 2.63e-6) * into)
    agrees("live fraction of stix2xspec, 1359 bins", theirs.livetime / theirs.duration, fraction, atol=5e-5)
    table = shipped_calibration().tables["elut_table_20211209"]
    width = np.diff(table.edges[list(ours[0].detectors)].mean(axis=(0, 1))) / np.diff(table.nominal)
    their_rate = theirs.counts / theirs.livetime[:, None]
    our_rate = np.array([one.rate for one in ours])
    bright = np.argsort(our_rate.sum(axis=1))[-300:]
    ratio = np.median(their_rate[bright] / our_rate[bright] / width, axis=0)
    agrees("rates ÷ those of stix2xspec, 4-12 keV, 300 bins", ratio[:8], np.ones(8), atol=2e-3)
    # the line of the calibration source at 31 keV is subtracted alike: the background is the same
    line = int(np.flatnonzero(ours[0].e_low == 28)[0])
    assert abs((their_rate - our_rate)[:, line].mean()) < 0.02 * ours[0].background[line] / ours[0].livetime


def test_channels_of_a_spectrogram_are_those_of_its_response(shared_data):
    """The L1 file and the response that the ground software made for it: 30 channels, 30 detectors, 12 pixels."""
    from stixcore.spectra.files import read_response_file

    response = read_response_file(shared_data / "spectroscopy" / "srm" / "stx_srm_2303197888.fits")
    (science,) = (shared_data / "spectroscopy" / "files").glob("*2303197888*")
    data = read_spectrogram(science)
    found = count_spectrum(data, None, data.t_start[100], data.t_start[110])
    np.testing.assert_array_equal(found.edges, response.channel_edges)
    assert (found.detectors, found.pixels) == (response.detectors, response.pixels)
    assert data.header.ephemeris["DSUN_OBS"] / 1.495978707e11 == pytest.approx(response.distance, rel=1e-9)


@pytest.mark.needs_march_2024
def test_published_counts_of_march_2024(agrees, shared_data):
    """2024-03-10 12:05:50-55: the numbers that stixpy's pull request 192 compares with IDL."""
    from astropy.io import fits

    folder = shared_data / "spectroscopy"
    (science,), (quiet,) = ((folder / "files").glob(f"*cpd*{one}*.fits") for one in ("2403109216", "2403087339"))
    found = count_spectrum(
        read_pixel_data(science),
        read_pixel_data(quiet),
        np.datetime64("2024-03-10T12:05:50", "us"),
        np.datetime64("2024-03-10T12:05:55", "us"),
        pixels=range(8),
        edge_correction=NONE,
    )
    with fits.open(folder / "srm" / "stixpy_pr192_20240310_top24.fits") as hdus:
        expected, exposure = hdus["COUNTS"].data, hdus[0].header["EXPTIME"]
        with_background = hdus["COUNTS_NO_BKG"].data
    assert found.livetime == pytest.approx(exposure, rel=1e-5)
    agrees("counts of 2024-03-10 (stixpy and IDL)", found.counts, expected, atol=1.0)
    np.testing.assert_allclose(found.counts + found.background, with_background, atol=1.0)
