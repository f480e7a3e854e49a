"""Visibilities from A, B, C, D: the model they invert, ``stixpy`` one by one, and the real flare of 2020-06-07."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import (
    IDEAL_AMPLITUDE_FACTOR,
    AmplitudeScheme,
    amplitude_factor,
    flight_transmission,
    geometric_transmission,
)
from stixcore.calibration.pointing import pointing_at
from stixcore.coordinates import hpc_to_stix
from stixcore.errors import ReconstructionError
from stixcore.fits.read import read_pixel_data
from stixcore.fits.windows import WindowRule
from stixcore.instrument.geometry import ALL_LABELS, IMAGING_LABELS, PixelSet, detector_indices, uv_points
from stixcore.instrument.tables import phase_correction
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import sum_pixels
from stixcore.visibility.visibilities import Frame

NEW, OLD = AmplitudeScheme.GSW_2026, AmplitudeScheme.GSW_2021
INDEX = detector_indices(ALL_LABELS)


def model_rates(x, y, flux, *, scheme=NEW, pixel_set=PixelSet.TOP_BOT, flare_xy=(0.0, 0.0)):
    """Rates (32, 4) of point sources at (x, y)″ of the STIX frame: the count model of the ground software's ``stx_em``.

    A: M0 - 2 M1 cos ψ, B: M0 - 2 M1 sin ψ, C: M0 + 2 M1 cos ψ, D: M0 + 2 M1 sin ψ,
    ψ = 2π(ux + vy) - (grid + ad-hoc correction + φ0), M0 = T, M1 = (4/π³) sin(π/4) sin²(π√T);
    before 2026 M0 = ¼ and M1 without the last factor, on counts divided by 4T.
    """
    x, y, flux = np.atleast_1d(x), np.atleast_1d(y), np.atleast_1d(flux)
    u, v = np.nan_to_num(uv_points()).T
    psi = 2 * np.pi * (np.outer(u, x) + np.outer(v, y)) - np.deg2rad(phase_correction() + pixel_set.phase)[:, None]
    modulation = 4 / np.pi**3 * np.sin(np.pi / 4)
    if scheme is NEW:
        transmission = flight_transmission(*flare_xy)
        m0, m1 = transmission, modulation * np.sin(np.pi * np.sqrt(transmission)) ** 2
    else:
        m0, m1 = geometric_transmission(*flare_xy), modulation * 4 * geometric_transmission(*flare_xy)
    waves = np.stack([-np.cos(psi), -np.sin(psi), np.cos(psi), np.sin(psi)], axis=1)  # (32, 4, n)
    return (m0[:, None, None] + 2 * m1[:, None, None] * waves) @ flux


positions = st.tuples(st.floats(-1500, 1500), st.floats(-1500, 1500))


# --- the model --------------------------------------------------------------------------------------------------------


@given(positions, st.floats(0.01, 1e4), st.sampled_from([NEW, OLD]), st.sampled_from(["TOP", "BOT", "TOP+BOT", "ALL"]))
def test_visibilities_of_a_point_source(meta_pixels, position, flux, scheme, name):
    """V = F·e^{2πi(ux+vy)} exactly: (C - A) and (D - B) of the count model times M invert each other (4·M1·M = 1)."""
    pixel_set = PixelSet(name)
    rates = model_rates(*position, flux, scheme=scheme, pixel_set=pixel_set, flare_xy=position)
    vis = form_visibilities(meta_pixels(rates, pixel_set), ALL_LABELS, flare_xy=position, scheme=scheme)
    expected = flux * np.exp(2j * np.pi * (vis.u * position[0] + vis.v * position[1]))
    np.testing.assert_allclose(vis.vis, expected, atol=1e-9 * flux)
    assert vis.frame is Frame.STIX
    assert vis.phase_center == (0.0, 0.0)


@given(st.lists(st.tuples(positions, st.floats(0.1, 100)), min_size=1, max_size=5))
def test_visibilities_of_several_sources_add_up(meta_pixels, sources):
    x, y, flux = (np.array(values) for values in zip(*((*position, flux) for position, flux in sources), strict=True))
    vis = form_visibilities(meta_pixels(model_rates(x, y, flux)), ALL_LABELS)
    expected = np.exp(2j * np.pi * (np.outer(vis.u, x) + np.outer(vis.v, y))) @ flux
    np.testing.assert_allclose(vis.vis, expected, atol=1e-9 * flux.sum())


def test_counts_of_the_original_em(meta_pixels, reference):
    """IDL's own A, B, C, D of a Gaussian (FWHM 20″, flux 10) at (312, -208)″, transmission at (300, -200)″."""
    idl = np.array(reference["em_synthetic_gdl"]["em_rates"])
    vis = form_visibilities(meta_pixels(idl), IMAGING_LABELS, flare_xy=(300.0, -200.0))
    radius2 = vis.u**2 + vis.v**2
    expected = 10.0 * np.exp(-(np.pi**2) * 20.0**2 * radius2 / (4 * np.log(2)))
    expected = expected * np.exp(2j * np.pi * (vis.u * 312.0 - vis.v * 208.0))
    np.testing.assert_allclose(vis.vis, expected, atol=2e-4)  # single precision on pixels of 4″
    # A + B + C + D = 4 T · flux
    index = detector_indices(IMAGING_LABELS)
    np.testing.assert_allclose(idl[index].sum(axis=1), 40.0 * flight_transmission(300, -200)[index], rtol=1e-5)


def test_small_pixels_keep_the_factor_of_large_ones(meta_pixels):
    """As in the ground software: M does not know the pixel width, although small pixels modulate 8 % better."""
    k = 2
    rates = model_rates(100.0, 50.0, 1.0, pixel_set=PixelSet.SMALL)
    better = k * np.sin(np.pi / (4 * k)) / np.sin(np.pi / 4)
    mean = rates.mean(axis=1, keepdims=True)
    vis = form_visibilities(meta_pixels(mean + better * (rates - mean), PixelSet.SMALL), ALL_LABELS)
    np.testing.assert_allclose(vis.amplitude, 1.0824, atol=1e-4)


# --- errors and metadata ----------------------------------------------------------------------------------------------


def test_error(meta_pixels):
    """σ = √((Mσ_amp)² + (0.05·M·amp)²), σ_amp² = (Re/amp)²(σ_C² + σ_A²) + (Im/amp)²(σ_D² + σ_B²)."""
    rng = np.random.default_rng(5)
    rate, sigma = rng.uniform(1, 10, (32, 4)), rng.uniform(0.1, 1, (32, 4))
    vis = form_visibilities(meta_pixels(rate, rate_sigma=sigma), ALL_LABELS, flare_xy=(100.0, 50.0))
    (a, b, c, d), (sa, sb, sc, sd) = rate[INDEX].T, sigma[INDEX].T
    re, im, amp = c - a, d - b, np.hypot(c - a, d - b)
    amplitude_sigma = np.sqrt((re / amp * np.hypot(sc, sa)) ** 2 + (im / amp * np.hypot(sd, sb)) ** 2)
    factor = amplitude_factor(NEW, 100.0, 50.0)[INDEX]
    np.testing.assert_allclose(vis.sigma, np.hypot(factor * amplitude_sigma, 0.05 * factor * amp))
    without = form_visibilities(meta_pixels(rate, rate_sigma=sigma), ALL_LABELS, flare_xy=(100.0, 50.0), systematic=0.0)
    np.testing.assert_allclose(without.sigma, factor * amplitude_sigma)


def test_no_modulation_has_an_error_too(meta_pixels):
    """Equal rates: amplitude zero, its direction unknown."""
    vis = form_visibilities(meta_pixels(np.full((32, 4), 3.0)), ALL_LABELS)
    np.testing.assert_array_equal(vis.amplitude, 0.0)
    assert (vis.sigma > 0).all()


def test_scheme_and_interval_are_kept(meta_pixels):
    pixels = meta_pixels(np.ones((32, 4)) + np.arange(4))
    meta = form_visibilities(pixels, scheme=OLD).meta
    assert (meta["scheme"], meta["pixel_set"]) == ("gsw-2021", "TOP+BOT")
    assert (meta["t_start"], meta["t_end"], meta["e_low"], meta["e_high"]) == (pixels.t_start, pixels.t_end, 6.0, 10.0)
    assert form_visibilities(pixels).meta["scheme"] == "gsw-2026"


def test_schemes_differ_by_their_factor_only(meta_pixels):
    pixels = meta_pixels(model_rates(120.0, -40.0, 3.0))
    new, old = (form_visibilities(pixels, scheme=scheme) for scheme in (NEW, OLD))
    np.testing.assert_allclose(new.phase, old.phase)
    index = detector_indices(IMAGING_LABELS)
    np.testing.assert_allclose(new.vis / old.vis, (amplitude_factor(NEW, 0, 0) / amplitude_factor(OLD, 0, 0))[index])


def test_detectors_that_were_off_are_left_out(meta_pixels):
    rate = np.ones((32, 4)) + np.arange(4)
    mask, livetime = np.ones(32, dtype=bool), np.full(32, 60.0)
    off, dead = detector_indices(["5a", "3c"])
    mask[off], livetime[dead], rate[dead] = False, 0.0, np.nan
    vis = form_visibilities(meta_pixels(rate, detector_mask=mask, livetime=livetime))
    assert vis.labels == tuple(label for label in IMAGING_LABELS if label not in {"5a", "3c"})
    with pytest.raises(ReconstructionError, match=r"made-up\.fits: none of the chosen sub-collimators was switched on"):
        form_visibilities(meta_pixels(rate, detector_mask=mask), ["5a"])


def test_rates_that_are_no_numbers_are_refused(meta_pixels):
    rate = np.ones((32, 4))
    rate[detector_indices(["7b"])[0], 2] = np.nan
    with pytest.raises(ReconstructionError, match=r"made-up\.fits: rates of 7b are not finite numbers"):
        form_visibilities(meta_pixels(rate))


# --- stixpy -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stixpy_visibilities(november):
    """``stixpy``'s calibrated visibilities of a real V01 file without the network, about the origin."""
    import gc
    import warnings

    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time
    from stixpy.calibration.visibility import calibrate_visibility, create_meta_pixels, create_visibility
    from stixpy.coordinates.frames import STIXImaging
    from stixpy.product import Product

    def make(request, start, end, low, high, pixels, flare_xy=(0.0, 0.0)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            product = Product(november.file(request))
            span, energies = Time([str(start), str(end)]), [low, high] * u.keV
            flare = SkyCoord(*flare_xy * u.arcsec, frame=STIXImaging(obstime=span[0]))
            meta = create_meta_pixels(product, span, energies, flare_location=flare, pixels=pixels.lower())
            center = SkyCoord(0 * u.arcsec, 0 * u.arcsec, frame=STIXImaging(obstime=meta["time_range"].center))
            vis = calibrate_visibility(create_visibility(meta), flare_location=center)
            gc.collect()
        return {
            label: (value, sigma)
            for label, value, sigma in zip(
                vis.meta["vis_labels"], vis.visibilities.value, vis.amplitude_uncertainty.value, strict=True
            )
        }

    return make


@pytest.mark.parametrize(
    ("request_id", "low", "high", "name"),
    [
        ("2211117374", 6, 10, "TOP+BOT"),
        ("2211117374", 4, 16, "TOP"),
        ("2211117374", 12, 25, "BOT"),
        ("2211106008", 6, 10, "SMALL"),
        ("2211106008", 5, 9, "ALL"),
    ],
)
def test_equal_to_stixpy_one_by_one(november, stixpy_visibilities, request_id, low, high, name):
    """In the scheme of 2021-25, without background, flat energy correction, on axis: 30 amplitudes and phases.

    Ours carry the error of the live time in addition, as the ground software does; ``stixpy`` leaves it out. The range
    ends strictly inside bins, because ``stixpy`` also takes a bin that only touches it.
    """
    data = read_pixel_data(november.file(request_id))
    margin = np.timedelta64(100, "ms")
    start, end = data.t_start[3] + margin, data.t_end[12] - margin
    theirs = stixpy_visibilities(request_id, start, end, low, high, name)
    pixels = sum_pixels(data, start, end, low, high, pixel_set=PixelSet(name), edge_correction=EdgeCorrection.FLAT)
    ours = form_visibilities(pixels, ALL_LABELS, scheme=OLD)
    assert len(theirs) == len(ours) == 30
    for label, value, sigma in zip(ours.labels, ours.vis, ours.sigma, strict=True):
        assert value == pytest.approx(theirs[label][0], rel=1e-9)
        assert sigma == pytest.approx(theirs[label][1], rel=1e-6)
        assert sigma >= theirs[label][1] * (1 - 1e-12)


def test_where_stixpy_differs_a_single_channel(november, stixpy_visibilities):
    """The ground software takes one ratio of widths; ``stixpy`` multiplies the factors of both edges."""
    data = read_pixel_data(november.file("2211117374"))
    margin = np.timedelta64(100, "ms")
    start, end = data.t_start[3] + margin, data.t_end[12] - margin
    theirs = stixpy_visibilities("2211117374", start, end, 10, 11, "TOP+BOT")
    ours = form_visibilities(sum_pixels(data, start, end, 10, 11, edge_correction=EdgeCorrection.FLAT), scheme=OLD)
    difference = np.array(
        [abs(value / theirs[label][0] - 1) for label, value in zip(ours.labels, ours.vis, strict=True)]
    )
    assert 1e-4 < difference.max() < 0.01


def test_where_stixpy_differs_off_axis(november, stixpy_visibilities):
    """``stixpy`` shadows by |x cos o| + y sin o instead of |x cos o + y sin o|: amplitudes differ, phases do not."""
    data = read_pixel_data(november.file("2211117374"))
    margin = np.timedelta64(100, "ms")
    start, end = data.t_start[3] + margin, data.t_end[12] - margin
    theirs = stixpy_visibilities("2211117374", start, end, 6, 10, "TOP+BOT", flare_xy=(300.0, -200.0))
    pixels = sum_pixels(data, start, end, 6, 10, edge_correction=EdgeCorrection.FLAT)
    ours = form_visibilities(pixels, scheme=OLD, flare_xy=(300.0, -200.0))
    ratio = np.array([value / theirs[label][0] for label, value in zip(ours.labels, ours.vis, strict=True)])
    np.testing.assert_allclose(np.angle(ratio), 0.0, atol=1e-9)
    assert ratio[ours.labels.index("5c")].real == pytest.approx(0.24317 / 0.23959, abs=1e-4)
    assert np.abs(ratio).max() < 1.05


# --- 2020-06-07 -------------------------------------------------------------------------------------------------------

#: Map centre of the stored visibilities, (-1625, -700)″ helioprojective, in the STIX frame of their authors: found
#: by matching phases. It lies 93″ from where today's aspect solution puts it.
STORED_CENTER = (-759.0, 1652.0)


def degrees(phase):
    """Difference of angles, wrapped to ±180°."""
    return (np.rad2deg(phase) + 180.0) % 360.0 - 180.0


def test_the_flare_of_2020_06_07_against_the_stored_visibilities(demo, june_2020, june_2020_stored):
    """Our visibilities from the L1 file against the 24 that IDL made in 2021, amplitudes and phases one by one.

    What differs, and how much of it is understood:

    * amplitude scheme: theirs has counts divided by 4T and M = 2.7406, so ours is taken in that scheme, T at the flare;
    * time: theirs took the 11 bins whose centres are in 21:39:00-21:42:49, as ours does; the ground software's rule of
      today takes the 13 that cover it, which lowers all amplitudes by 9 %: the flare is fainter at its edges. With the
      11 bins the median ratio is 0.976;
    * the 2.4 % left over and a scatter of 3 % are not resolved: the grid tables are newer than theirs, and whether they
      subtracted the background cannot be told (ratio 0.979 without); a change of the live-time constants makes 0.06 %;
    * phases: theirs were shifted to the map centre with the old (u, v), which needs their projection phase
      -x·360π/(180·3600·8.8)·(47.78 + 545.30/2), +48.2° here. All phases then agree to 2.7° in the mean and 2° in
      scatter, where σ/amplitude is 4° and more.
    """
    data = demo.science
    asked = np.datetime64("2020-06-07T21:39:00", "us"), np.datetime64("2020-06-07T21:42:49", "us")
    assert data.time_bins(*asked) == slice(6, 17)
    assert data.time_bins(*asked, WindowRule.OUTWARD) == slice(5, 18) == data.time_bins(demo.start, demo.end)
    covering, inside = (
        sum_pixels(
            data,
            data.t_start[first],
            data.t_end[last],
            6,
            10,
            background=demo.background,
            edge_correction=EdgeCorrection.FLAT,
        )
        for first, last in ((5, 17), (6, 16))
    )
    ours, wide = (form_visibilities(pixels, flare_xy=STORED_CENTER, scheme=OLD) for pixels in (inside, covering))
    strong = june_2020.amplitude > 8 * june_2020.sigma
    assert strong.sum() == 15  # 10a … 6c: the source is 35″ wide and resolved by the finer ones

    # amplitudes
    ratio = ours.amplitude / june_2020.amplitude
    assert np.median(ratio[strong]) == pytest.approx(0.976, abs=0.005)
    assert np.std(ratio[strong]) < 0.035
    assert 0.89 < ratio[strong].min() < ratio[strong].max() < 1.04
    assert np.median((wide.amplitude / june_2020.amplitude)[strong]) == pytest.approx(0.889, abs=0.005)
    assert (np.abs(ours.amplitude / 0.976 - june_2020.amplitude) < 2 * june_2020.sigma).all()
    assert np.median(ours.sigma / june_2020.sigma) == pytest.approx(0.93, abs=0.05)

    # phases, in their convention: old (u, v) and the projection phase
    x, y = STORED_CENTER
    old_u, old_v = june_2020.u, june_2020.v
    projection = np.deg2rad(-x * 360 * np.pi / (180 * 3600 * 8.8) * (47.78 + 545.30 / 2))
    assert np.rad2deg(projection) == pytest.approx(48.2, abs=0.1)
    theirs = ours.vis * np.exp(-2j * np.pi * (old_u * x + old_v * y) + 1j * projection)
    difference = degrees(np.angle(theirs / june_2020.vis))
    assert np.median(difference[strong]) == pytest.approx(2.7, abs=1.0)
    assert np.std(difference[strong]) < 2.5
    assert np.abs(difference[strong] - np.median(difference[strong])).max() < 5.5
    # and all 24, weak ones included, within their errors
    turned = theirs * np.exp(-1j * np.deg2rad(2.7)) / 0.976
    assert (np.abs(turned - june_2020.vis) < 2.1 * june_2020.sigma).all()

    # phases, in today's convention: new (u, v), no projection phase, centre 16″ further
    present = ours.shifted(-764.0, 1666.0)
    difference = degrees(np.angle(present.vis / june_2020.vis))
    assert np.median(difference[strong]) == pytest.approx(4.8, abs=1.0)
    assert np.std(difference[strong]) < 2.5
    assert june_2020_stored.pitch.size == 24


def test_where_the_stored_visibilities_have_their_centre(demo):
    """Today's aspect solution puts (-1625, -700)″ 93″ from where the phases say its authors had it."""
    pointing = pointing_at(demo.aspect, demo.start, demo.end)
    today = hpc_to_stix(-1625.0, -700.0, pointing)
    assert np.hypot(today[0] - STORED_CENTER[0], today[1] - STORED_CENTER[1]) == pytest.approx(93, abs=3)


def test_the_old_uv_convention_of_the_stored_visibilities(june_2020, june_2020_stored):
    """(u, v) = -s (cos α, sin α)/p with mean pitch over 550 mm: up to five per cent from today's."""
    sense, pitch = np.asarray(june_2020_stored.phase_sense), june_2020_stored.pitch.to_value("arcsec")
    angle = june_2020_stored.orientation.to_value("rad")
    np.testing.assert_allclose(june_2020.u, -sense * np.cos(angle) / pitch, atol=1e-12)
    np.testing.assert_allclose(june_2020.v, -sense * np.sin(angle) / pitch, atol=1e-12)
    today = np.hypot(*uv_points()[detector_indices(IMAGING_LABELS)].T)
    ratio = today / np.hypot(june_2020.u, june_2020.v)
    assert 0.96 < ratio.min() < ratio.max() < 1.05


def test_the_stored_amplitudes_carry_the_ideal_factor(june_2020, june_2020_stored):
    """Their rates were divided by 4T, so amplitude = 2.7406 |(C - A) + i(D - B)|.

    The rates are stored in the order of detector numbers up to 8; the rows beyond belong to other detectors.
    """
    a, b, c, d = np.asarray(june_2020_stored.rate).T
    good = np.asarray(june_2020_stored.isc) <= 8
    ratio = june_2020.amplitude / np.hypot(c - a, d - b)
    np.testing.assert_allclose(ratio[good], IDEAL_AMPLITUDE_FACTOR, rtol=1e-4)
    assert np.abs(ratio[~good] / IDEAL_AMPLITUDE_FACTOR - 1).min() > 0.05
