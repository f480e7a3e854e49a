"""Reasons for doubt: each appears when it should, and only then."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.imaging.products import describe
from stixcore.calibration.pointing import assumed_pointing
from stixcore.coordinates import PointingSource
from stixcore.image_files.header import image_header
from stixcore.imaging.methods import BackProjectionParameters
from stixcore.imaging.position_error import PositionError, position_error
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import (
    THRESHOLDS,
    Aspect,
    Severity,
    about,
    assess,
    flux_at_edge,
    is_trusted,
    unexplained,
    verdict,
)
from stixcore.options import ImageRequest, default_mem_ge
from stixcore.reconstruct import prepare_recipe, reconstruct
from stixcore.references import FileReference

pytestmark = pytest.mark.needs_shared_data


@pytest.fixture
def november_images(november_images):
    """As if there were a CAL file of the day: without one every set has a note."""
    cal_file = FileReference("cal.fits", "", "0" * 64)
    return replace(november_images, calibration=replace(november_images.calibration, cal_file=cal_file))


def test_without_a_cal_file_there_is_a_note(november_images):
    images = replace(november_images, calibration=replace(november_images.calibration, cal_file=None))
    (note,) = of_set(images)
    assert (note.code, note.severity) == ("no_cal_file", Severity.NOTE)
    assert "elut_table_20220918" in note.text


def test_a_date_beyond_the_known_tables_is_a_doubt(november_images):
    def at(date):
        time = np.datetime64(date, "us")
        return codes(replace(november_images, pixels=replace(november_images.pixels, t_start=time)))

    assert at("2026-07-11") == at("2027-05-02") == set()
    assert at("2027-05-04") == at("2028-01-01") == {"energy_table_unknown"}


def test_edges_that_the_energy_table_does_not_have_are_a_doubt(november_images):
    pixels = replace(november_images.pixels, e_low=6.3)
    images = with_recipe(replace(november_images, pixels=pixels), energy_range=(6.3, 10.0))
    assert codes(images) == {"energy_table_channels"}


def of_set(images):
    return about(assess(images), None)


def codes(images):
    return {finding.code for finding in of_set(images)}


def test_nothing_speaks_against_the_brightest_flare(november_images):
    """2.9 million counts, within 0.2″ of IDL: that it is no simple shape is worth knowing, and no doubt."""
    found = assess(november_images)
    assert {(one.code, one.method, one.severity) for one in found} == {
        (code, Method.VIS_FWDFIT, Severity.NOTE) for code in ("poor_fit", "missing_flux")
    }
    assert 0.15 < unexplained(november_images.images[Method.VIS_FWDFIT], november_images.vis) < THRESHOLDS.unexplained
    assert all(verdict(found, method).trusted for method in november_images.images)


def with_recipe(images, **changes):
    return replace(images, recipe=replace(images.recipe, **changes))


def with_pointing(images, source):
    return with_recipe(images, pointing=replace(images.recipe.pointing, source=source))


@pytest.mark.parametrize(
    ("source", "code", "trusted"),
    [
        (PointingSource.ASSUMED, "pointing_assumed", False),
        (PointingSource.SPACECRAFT, "pointing_spacecraft", True),
        (PointingSource.MANUAL, "pointing_manual", True),
    ],
)
def test_pointing(november_images, source, code, trusted):
    findings = of_set(with_pointing(november_images, source))
    assert [finding.code for finding in findings] == [code]
    assert is_trusted(findings) is trusted


def test_the_attitude_of_the_spacecraft_is_noted_with_its_error(november_images):
    """On six days its attitude and the aspect solution are 7 to 44″ apart; the error of a position holds these 30″."""
    images = with_pointing(november_images, PointingSource.SPACECRAFT)
    assert images.recipe.pointing.sigma == pytest.approx(30.0, abs=0.5)
    (finding,) = of_set(images)
    assert finding.severity is Severity.NOTE
    assert finding.text == "no aspect solution: pointing from the spacecraft, good to 30″ on each axis"
    assert verdict(assess(images), Method.MEM_GE).position == ()


def test_the_error_of_a_position_holds_that_of_the_pointing(november_flare):
    science, background, aspect = november_flare
    window = np.datetime64("2022-11-11T11:35:40.271"), np.datetime64("2022-11-11T11:37:40.271")
    asked = ImageRequest(*window, energy=(6.0, 10.0), methods={Method.BP: BackProjectionParameters()})
    recipe = prepare_recipe(asked, science, background, [aspect])
    paths = {path.name: path for path in november_flare}
    far = replace(recipe, pointing=replace(recipe.pointing, source=PointingSource.SPACECRAFT))
    near, wide = (reconstruct(one, lambda file: paths[file.name]).position for one in (recipe, far))
    own = recipe.pointing.sigma
    assert 4.0 <= own < 4.1
    assert own < near.sigma_x < 5.0
    # σ² = σ_fit² + 30² + scatter² instead of σ_fit² + 4² + scatter²
    assert wide.sigma_x == pytest.approx(np.sqrt(near.sigma_x**2 - 4.0**2 + 30.0**2))
    assert wide.sigma_y == pytest.approx(np.sqrt(near.sigma_y**2 - 4.0**2 + 30.0**2))
    assert wide.off == pytest.approx(near.off)  # of the place in the frame of the pointing


def with_rival(location, ratio, x):
    rival = replace(location.candidates[1], x=x, y=0.0, relative_height=ratio)
    return replace(location, sidelobe_ratio=ratio, candidates=(location.candidates[0], rival))


@pytest.mark.parametrize("ratio", [0.89, 0.9, 1.0])
def test_side_lobe(november_images, ratio):
    for place, on_disk in ((500.0, True), (2400.0, False)):
        location = with_rival(november_images.location, ratio, place)
        high = on_disk and ratio >= THRESHOLDS.sidelobe_ratio
        for probability, doubted in ((0.0, False), (0.04, False), (0.06, True)):
            position = replace(november_images.position, rival=probability)
            found = of_set(replace(november_images, location=location, position=position, locator=None))
            expected = [("sidelobe", Severity.DOUBT if doubted else Severity.NOTE)] if high else []
            assert [(finding.code, finding.severity) for finding in found] == expected


def test_off_disk(november_images):
    location = replace(november_images.recipe.location, x=2100.0)
    assert "off_disk" in codes(with_recipe(november_images, location=location))


def test_no_background(november_images):
    """EM counts all that was recorded, the others image differences of counts."""
    images = with_recipe(november_images, background=None)
    assert codes(images) == {"no_background"}
    assert {one.code for one in assess(images) if one.severity is Severity.DOUBT} == {"background_unknown"}
    words = {method: verdict(assess(images), method).word(Aspect.FLUX) for method in images.images}
    assert words[Method.EM] == "doubtful"
    assert words[Method.MEM_GE] == words[Method.CLEAN] == "trusted"


def test_few_counts_and_noise(november_images):
    pixels = november_images.pixels
    background = pixels.counts - 10.0  # 4 × 10 counts left per detector
    found = codes(replace(november_images, pixels=replace(pixels, background=background)))
    assert "few_counts" in found
    noisy = replace(november_images.vis, sigma=november_images.vis.amplitude / 2)
    assert "low_snr" in codes(replace(november_images, vis=noisy))


def test_attenuator_matters_at_low_energy_only(november_images):
    inserted = replace(november_images.pixels, rcr=1)
    assert "attenuator" in codes(replace(november_images, pixels=inserted))
    assert "attenuator" not in codes(replace(november_images, pixels=replace(inserted, e_low=16.0)))


def test_bins_of_early_flight_software(november_images):
    header = replace(november_images.pixels.header, bins_late=True)
    late = replace(november_images, pixels=replace(november_images.pixels, header=header))
    assert codes(late) == {"bins_late"}
    assert is_trusted(of_set(late))


def test_uneven_illumination(november_images):
    pixels = november_images.pixels
    for factor, severity in ((0.85, None), (0.75, Severity.NOTE), (0.6, Severity.DOUBT)):
        rows = pixels.top_bottom * [1.0, factor]
        found = of_set(replace(november_images, pixels=replace(pixels, top_bottom=rows)))
        assert [(f.code, f.severity) for f in found] == ([("partial_illumination", severity)] if severity else [])
    judged = verdict(tuple(found), Method.EM)
    assert "% of the flux may be missing" in judged.flux[0]
    assert (judged.position, judged.shape) == ((), ())


def test_illumination_that_differs_between_sub_collimators_is_a_doubt_of_the_shape(november_images):
    pixels = november_images.pixels
    for factor, doubted in ((1.1, False), (1.6, True)):
        rows = pixels.top_bottom.copy()
        rows[::2, 0] *= factor
        judged = verdict(assess(replace(november_images, pixels=replace(pixels, top_bottom=rows))), Method.EM)
        assert (len(judged.shape), judged.flux) == (int(doubted), ())


def test_few_counts_do_not_light_unevenly(november_images):
    """Poisson noise alone scatters the ratio of the rows by 45 %."""
    pixels, rng = november_images.pixels, np.random.default_rng(1)
    rows = rng.poisson(10.0, pixels.top_bottom.shape) + 1.0
    found = codes(replace(november_images, pixels=replace(pixels, top_bottom=rows)))
    assert "uneven_illumination" not in found


def test_images_that_explain_nothing_and_disagree(november_images):
    clean = november_images.images[Method.CLEAN]
    assert "poor_fit" in codes(replace(november_images, images={Method.CLEAN: replace(clean, chi2=9.0)}))
    moved = replace(clean, method=Method.EM, image=np.roll(clean.image, 20, axis=0))
    findings = assess(replace(november_images, images={Method.CLEAN: clean, Method.EM: moved}))
    assert [(f.code, f.severity) for f in findings] == [("disagreement", Severity.NOTE)]
    assert "40″ apart" in findings[0].text


def test_an_image_that_does_not_explain_what_another_does(november_images):
    clean = november_images.images[Method.CLEAN]
    poor = replace(clean, method=Method.VIS_FWDFIT, chi2=15.0)
    findings = assess(replace(november_images, images={Method.CLEAN: clean, Method.VIS_FWDFIT: poor}))
    assert [(f.code, f.severity, f.method) for f in findings] == [("poor_fit", Severity.DOUBT, Method.VIS_FWDFIT)]
    assert "χ² is 15.0" in findings[0].text
    assert is_trusted(findings, Method.CLEAN)
    assert not is_trusted(findings, Method.VIS_FWDFIT)
    assert not is_trusted(findings)
    assert (about(findings, Method.CLEAN), about(findings, Method.VIS_FWDFIT)) == ((), findings)


def test_doubts_come_first(november_images):
    few = replace(november_images.pixels, background=november_images.pixels.counts - 10.0)
    images = replace(with_pointing(november_images, PointingSource.MANUAL), pixels=few, background_check=None)
    assert [finding.severity for finding in of_set(images)] == [Severity.DOUBT, Severity.NOTE]


def test_each_doubt_is_about_position_flux_or_shape(november_images):
    few = replace(november_images.pixels, background=november_images.pixels.counts - 10.0)
    unsure = replace(november_images, pixels=few, position=PositionError(4.0, 4.0, off=0.6), background_check=None)
    judged = verdict(assess(unsure), Method.CLEAN)
    assert {str(aspect): judged.word(aspect) for aspect in Aspect} == dict.fromkeys(
        ("position", "flux", "shape"), "doubtful"
    )
    assert judged.position == (
        "the position is off by more than 5″ with a probability of 60 % (standard deviation 6″)",
    )
    assert judged.flux == judged.shape
    assert not judged.trusted
    sure = replace(unsure, position=PositionError(3.0, 3.0, off=0.4))
    assert verdict(assess(sure), Method.CLEAN).word(Aspect.POSITION) == "trusted"


def test_a_misfit_counts_in_units_of_what_the_best_image_leaves(november_images):
    """χ² of 16 is as much beyond 4 as 4 is beyond 1."""
    poor = replace(november_images.images[Method.VIS_FWDFIT], chi2=15.0)
    for chi2, doubted in ((0.5, True), (3.0, True), (3.9, False)):
        best = replace(november_images.images[Method.CLEAN], chi2=chi2)
        images = replace(november_images, images={Method.CLEAN: best, Method.VIS_FWDFIT: poor})
        assert verdict(assess(images), Method.VIS_FWDFIT).trusted is not doubted


def test_without_a_circle_the_position_is_doubted(november_images):
    judged = verdict(assess(replace(november_images, position=None)), Method.CLEAN)
    assert len(judged.position) == 1
    assert judged.flux == judged.shape == ()


def test_probability_of_a_position_that_is_off(november_images):
    vis = november_images.vis
    assert position_error(vis, None).off < 0.01
    noisy = replace(vis, sigma=20.0 * vis.sigma)
    unsure = position_error(noisy, None)
    assert 0.2 < unsure.off < 1.0
    assert unsure.rival == 0.0
    shifted = replace(noisy, vis=noisy.vis * np.exp(2j * np.pi * noisy.u * 40.0))
    assert position_error(noisy, (noisy, shifted)).off > unsure.off
    # pointing that swings by 5″ on both axes: exp(-25/(2·25)) of a place that is sure
    assert position_error(vis, None, scatter=5.0).off == pytest.approx(np.exp(-0.5), abs=0.03)


def test_a_rival_that_explains_as_much_has_half_of_the_probability(november_images):
    vis = november_images.vis
    found = position_error(vis, None, rivals=[(0.0, 0.0)])
    assert found.rival == pytest.approx(0.5)
    assert found.off == pytest.approx(0.5, abs=0.01)
    elsewhere = position_error(vis, None, rivals=[(900.0, -300.0)])
    assert elsewhere.rival < 1e-6
    assert elsewhere.off == pytest.approx(position_error(vis, None).off)


def test_a_row_without_signal_leaves_the_position_of_all_counts(november_images):
    vis = november_images.vis
    silent = replace(vis, vis=np.zeros_like(vis.vis))
    found, alone = position_error(vis, (vis, silent)), position_error(vis, None)
    assert (found.sigma_x, found.sigma_y, found.off) == (alone.sigma_x, alone.sigma_y, alone.off)
    assert np.isnan(found.rows_apart)


def test_a_misfit_leaves_the_position_in_peace(november_images):
    """The brightest flares are no circles; their positions are the best."""
    fit = replace(november_images.images[Method.VIS_FWDFIT], chi2=15.0)
    images = replace(november_images, images=dict(november_images.images) | {Method.VIS_FWDFIT: fit})
    judged = verdict(assess(images), Method.VIS_FWDFIT)
    assert (judged.position, len(judged.flux), len(judged.shape)) == ((), 1, 1)
    assert verdict(assess(images), Method.CLEAN).trusted


def test_the_method_that_disagrees_is_doubted_alone(november_images):
    moved = november_images.images[Method.EM]
    moved = replace(moved, image=np.roll(moved.image, 20, axis=0))
    findings = assess(replace(november_images, images=dict(november_images.images) | {Method.EM: moved}))
    (doubt,) = (finding for finding in findings if finding.code == "disagreement")
    assert (doubt.severity, doubt.method) == (Severity.DOUBT, Method.EM)
    assert verdict(findings, Method.EM).word(Aspect.POSITION) == "doubtful"
    assert verdict(findings, Method.MEM_GE).trusted


def test_an_image_of_a_source_outside_the_map_does_not_doubt_the_others(november_images):
    """Two that have the source at the edge are no majority against the one that has it where it is."""
    given = november_images.images
    edge = given[Method.MEM_GE].image.copy()
    edge[0, 40] = 2.0 * edge.max()
    outside = {method: replace(given[method], image=edge) for method in (Method.EM, Method.MEM_GE)}
    findings = assess(replace(november_images, images={Method.CLEAN: given[Method.CLEAN]} | outside))
    found = {finding.code for finding in findings}
    assert "edge_peak" in found
    assert not {"disagreement", "location_disagrees"} & found
    assert verdict(findings, Method.CLEAN).word(Aspect.POSITION) == "trusted"


def test_flux_that_gathers_at_the_edge(november_images):
    image = november_images.images[Method.MEM_GE]
    assert not flux_at_edge(image)
    at_edge = image.image.copy()
    at_edge[0, 40] = 2.0 * at_edge.max()
    spread = image.image.copy()
    spread[:4] += spread.sum() / spread[:4].size
    for pixels, codes_of_method in ((at_edge, {"edge_peak"}), (spread, set())):
        changed = replace(image, image=pixels)
        assert flux_at_edge(changed)
        findings = assess(replace(november_images, images={Method.MEM_GE: changed}))
        assert "flux_outside" in {f.code for f in about(findings, None)}
        assert {f.code for f in findings if f.method is Method.MEM_GE} == codes_of_method


def test_an_image_closer_to_the_data_than_their_errors_is_remarked_on(november_images):
    image = replace(november_images.images[Method.CLEAN], chi2=0.1)
    findings = assess(replace(november_images, images={Method.CLEAN: image}))
    assert [(f.code, f.severity) for f in findings] == [("low_chi2", Severity.NOTE)]


@pytest.mark.parametrize(
    ("method", "chi2", "certificate", "low"),
    [
        (Method.CLEAN, 0.19, {}, False),  # half of 48 numbers are free: 0.5 is usual, 0.16 one in a thousand
        (Method.CLEAN, 0.14, {}, True),
        (Method.MEM_GE, 0.14, {"effective_parameters": 31.8}, False),  # 16 are free
        (Method.MEM_GE, 0.07, {"effective_parameters": 31.8}, True),
        (Method.VIS_FWDFIT, 0.4, {}, True),  # 44 are
        (Method.VIS_FWDFIT, 0.6, {}, False),
    ],
)
def test_what_a_low_chi2_is_depends_on_what_the_image_leaves_free(november_images, method, chi2, certificate, low):
    image = replace(november_images.images[method], chi2=chi2, certificate=certificate)
    found = {f.code for f in assess(replace(november_images, images={method: image}))}
    assert found == ({"low_chi2"} if low else set())


def test_real_chi2_of_pixels_is_what_the_free_data_leave(november_images):
    mem = november_images.images[Method.MEM_GE]
    assert mem.certificate["effective_parameters"] == pytest.approx(31.8, abs=1.0)
    assert "low_chi2" not in {f.code for f in assess(november_images)}


@pytest.mark.parametrize(
    ("share", "text", "severity"),
    [
        (0.35, "hold only 65 %", Severity.DOUBT),
        (0.2, "hold only 80 %", Severity.NOTE),
        (-0.1, "hold 110 %", Severity.NOTE),
        (-0.3, "hold 130 %", Severity.DOUBT),
        (0.1, None, None),
        (-0.04, None, None),
    ],
)
def test_flux_that_is_not_the_counted_one(november_images, share, text, severity):
    clean = november_images.images[Method.CLEAN]
    certificate = {"counted_flux": 1000.0, "missing_flux": 1000.0 * share}
    images = replace(november_images, images={Method.CLEAN: replace(clean, certificate=certificate)})
    found = [f for f in assess(images) if f.code == "missing_flux"]
    assert [f.severity for f in found] == ([] if severity is None else [severity])
    assert all(f.text == f"the components of CLEAN {text} of the flux counted" for f in found)
    judged = verdict(assess(images), Method.CLEAN)
    assert (judged.position, judged.shape) == ((), ())
    assert bool(judged.flux) == (severity is Severity.DOUBT)


def test_every_image_with_a_flux_says_what_it_misses_of_the_counts(november_images):
    known = {method: image.certificate for method, image in november_images.images.items()}
    counted = known[Method.MEM_GE]["counted_flux"]
    for method in (Method.CLEAN, Method.MS_CLEAN, Method.EM, Method.MEM_GE, Method.VIS_FWDFIT):
        assert known[method]["counted_flux"] == counted
        flux = november_images.images[method].total_flux
        assert known[method]["missing_flux"] == pytest.approx(counted - flux, abs=1e-9 * counted)
    assert "missing_flux" not in known[Method.BP]


def test_an_energy_range_that_is_not_one_of_whole_channels_is_a_note(november_images):
    (note,) = of_set(with_recipe(november_images, energy_range=(6.5, 6.6)))
    assert (note.code, note.severity) == ("energy_range", Severity.NOTE)
    assert note.text == "asked 6.5-6.6 keV, whole channels 6-10 keV"
    header = image_header(with_recipe(november_images, energy_range=(6.5, 6.6)), Method.BP, np.datetime64("2026-11-29"))
    assert [header[key] for key in ("REQ_EL", "REQ_EH", "ENERGY_L", "ENERGY_H")] == [6.5, 6.6, 6.0, 10.0]


def test_mem_ge_says_which_flux_it_took(november_images, november_flare):
    """Without a background the counts are no flux: the largest amplitude is taken, and said."""
    counted = november_images.images[Method.MEM_GE]
    assert counted.flux_estimate == "counts"
    assert counted.certificate["flux_constraint"] == counted.certificate["counted_flux"]
    assert counted.certificate["largest_amplitude"] != counted.certificate["counted_flux"]
    recipe = replace(november_images.recipe, background=None, methods={Method.MEM_GE: default_mem_ge()})
    paths = {path.name: path for path in november_flare}
    alone = reconstruct(recipe, lambda file: paths[file.name])
    image = alone.images[Method.MEM_GE]
    assert image.flux_estimate == "amplitude"
    assert image.certificate["flux_constraint"] == image.certificate["largest_amplitude"]
    (note,) = [finding for finding in assess(alone) if finding.code == "flux_estimate"]
    assert (note.severity, note.method) == (Severity.NOTE, Method.MEM_GE)
    header = image_header(alone, Method.MEM_GE, np.datetime64("2026-11-29", "ms"))
    assert (header["FLUXFROM"], "CNTSFLUX" in header) == ("amplitude", False)
    assert header["EFFPAR"] == pytest.approx(image.certificate["effective_parameters"])


def test_reasons_are_plain_ascii_in_a_header(november_images):
    image = replace(november_images.images[Method.CLEAN], chi2=9.0)
    images = replace(november_images, images={Method.CLEAN: image}, position=PositionError(4.0, 4.0, off=0.6))
    header = image_header(images, Method.CLEAN, np.datetime64("2026-11-29", "ms"))
    reasons = [str(value) for key, value in header.items() if key.startswith("RSN")]
    assert len(reasons) >= 3
    assert all("\\" not in reason for reason in reasons)
    assert any("chi^2 is 9.0" in reason for reason in reasons)
    assert any("5 arcsec with a probability" in reason for reason in reasons)


def test_position_error_holds_rows_and_pointing(november_images):
    vis = november_images.vis
    alone = position_error(vis, None)
    agree = position_error(vis, (vis, vis))
    shifted = replace(vis, vis=vis.vis * np.exp(2j * np.pi * vis.u * 20.0))  # 20″ to the west
    apart = position_error(vis, (vis, shifted))
    assert alone.total > agree.total
    assert apart.rows_apart == pytest.approx(20.0, abs=0.1)
    assert apart.sigma_x == pytest.approx(np.sqrt((10 * alone.sigma_x**2 + 2 * 10.0**2) / 12), abs=0.05)
    assert apart.sigma_y == pytest.approx(agree.sigma_y, abs=0.05)
    swinging = position_error(vis, None, (15.0, 0.0))
    assert swinging.sigma_x == pytest.approx(np.hypot(alone.sigma_x, 15.0))
    assert swinging.sigma_y == alone.sigma_y


def test_the_error_of_a_location_is_that_of_a_fitted_circle(november_images):
    """Unknown for a given place, the full disk's peak, and with an assumed pointing."""
    images = november_images
    assert images.location_sigma == (images.position.sigma_x, images.position.sigma_y)
    for found_by in ("given", "full_disk_bp"):
        changed = with_recipe(images, location=replace(images.recipe.location, found_by=found_by))
        assert changed.location_sigma == (None, None)
    assumed = position_error(images.vis, None, (assumed_pointing().sigma,) * 2)
    assert np.isfinite(assumed.off)
    assert replace(images, position=assumed).location_sigma == (None, None)
    assert replace(images, position=None).location_sigma == (None, None)
    likely = replace(assumed, off=0.9)
    (doubt,) = (found for found in of_set(replace(images, position=likely)) if found.code == "position_error")
    assert doubt.text == "the position is off by more than 5″ with a probability of 90 %"


def test_json_header_and_row_say_the_same_error(november_images):
    given = with_recipe(november_images, location=replace(november_images.recipe.location, found_by="given"))
    for images, known in ((november_images, True), (given, False)):
        header = image_header(images, Method.CLEAN, np.datetime64("2026-11-01T00:00:00"))
        described = describe(images, {})["location"]
        assert (header.get("POS_SIGX"), header.get("POS_SIGY")) == (described["sigma_x"], described["sigma_y"])
        assert (described["sigma_x"] is not None) == known
        if known:
            assert described["sigma_x"] > header["PNT_SIG"]


def test_position_and_verdict_of_a_set_that_was_made(november_images):
    assert 4.0 * np.sqrt(2.0) < november_images.position.total < 6.5  # that of the aspect solution and little more
    assert november_images.position.rows_apart < 2.0
