"""A background is compared with the quietest part of the science file."""

from dataclasses import replace

import numpy as np
import pytest

from stixcore.background_check import BackgroundCheck, check_background, quiet_level, quietest_run, require_apart
from stixcore.calibration.livetime import detector_livetime
from stixcore.errors import SelectionError
from stixcore.fits.read import read_pixel_data
from stixcore.image_files.header import image_header
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import THRESHOLDS, Severity, assess, verdict
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices
from stixcore.options import ImageRequest
from stixcore.recipe import Recipe
from stixcore.reconstruct import prepare_recipe, reconstruct
from stixcore.times import format_time
from stixcore.visibility.pixels import sum_pixels

#: Of 11 November 2022, with 10,664 counts.
FAINT_FLARE = "2211112507"


def counts(*rates, seconds):
    """Constant over detectors and pixels: ``rates`` counts per pixel, channel and bin."""
    values = np.ones((len(rates), 32, 12, 8)) * np.array(rates, dtype=float)[:, None, None, None]
    return values, {"duration": seconds}


def check(science, background, times):
    return check_background(science, background, times, (6.0, 10.0), IMAGING_LABELS, PixelSet.TOP_BOT, None)


@pytest.mark.parametrize("level", [0.5, 1.0, 1.6])
def test_the_ratio_of_observed_and_predicted(pixel_data, level):
    values, shape = counts(600, 200 * level, 200 * level, 900, 700, seconds=100.0)
    science = pixel_data(values, **shape)
    quiet = pixel_data(np.full((1, 32, 12, 8), 2000.0), duration=1000.0, name="quiet.fits")
    found = check(science, quiet, slice(3, 4))
    assert (found.start, found.end) == (science.t_start[1], science.t_end[2])
    assert found.ratio == pytest.approx(level, rel=1e-6)
    assert found.observed == 2 * 200 * level * 4 * 24 * 8
    assert 0 < found.sigma < 0.05


def test_the_quietest_run_is_long_enough_outside_the_window_and_of_one_configuration(pixel_data):
    values, shape = counts(5, 5, 1, 50, 20, 20, 20, seconds=50.0)
    science = pixel_data(values, rcr=[0, 0, 0, 0, 0, 0, 0], **shape)
    assert quietest_run(science, slice(3, 4), slice(2, 6)) == slice(0, 3)
    assert quietest_run(science, slice(2, 4), slice(2, 6)) == slice(4, 7)  # 120 s are no two bins
    changed = pixel_data(values, rcr=[1, 1, 1, 0, 0, 0, 0], **shape)
    assert quietest_run(changed, slice(3, 4), slice(2, 6)) == slice(4, 7)
    assert quietest_run(science, slice(0, 7), slice(2, 6)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"rcr": [1, 1, 1, 0, 0, 0, 0]},
        {"pixel_mask": np.arange(12) < np.array([[8]] * 3 + [[12]] * 4)},
        {"detector_mask": np.arange(32) < np.array([[31]] * 3 + [[32]] * 4)},
    ],
)
def test_bins_of_another_configuration_are_no_quiet_part(pixel_data, changed):
    values, shape = counts(5, 5, 1, 50, 20, 20, 20, seconds=50.0)
    science = pixel_data(values, **shape, **changed)
    assert quietest_run(science, slice(3, 4), slice(2, 6)) == slice(4, 7)


def test_the_quietest_run_has_four_hundred_counts(pixel_data):
    """100 counts a bin of 200 s: four bins, and three bins of a file are not enough."""
    values, shape = counts(*[100.0 / (32 * 12 * 4)] * 6, seconds=200.0)
    science = pixel_data(values * 1.0001, **shape)
    assert quietest_run(science, slice(5, 6), slice(2, 6)) == slice(0, 4)
    assert quietest_run(science.part(slice(2, 6)), slice(3, 4), slice(2, 6)) is None


def test_one_bin_or_another_band_tells_nothing(pixel_data):
    one = pixel_data(np.full((1, 32, 12, 8), 100.0), duration=1000.0)
    assert check(one, one, slice(0, 1)) is None
    values, shape = counts(300, 200, 200, 900, seconds=100.0)
    other = pixel_data(np.full((1, 32, 12, 2), 100.0), e_low=[20, 21], duration=1000.0)
    assert check(pixel_data(values, **shape), other, slice(3, 4)) is None


def test_real_backgrounds_never_exceed_the_quietest_part(november):
    """The quiet file of 9 November on flares of three days: at least 0.95 of what it predicts is there."""
    ratios = []
    for flare in november.flares:
        if flare.file is None or (science := read_pixel_data(flare.file)).t_start.size < 5:
            continue
        found = check(science, november.background, science.time_bins(flare.start, flare.end))
        ratios.append(found.ratio)
    assert len(ratios) == 44
    assert 0.95 < min(ratios) < 1.0
    assert np.median(ratios) == pytest.approx(1.19, abs=0.02)


def test_a_mismatch_is_a_note_with_its_ratio(november_images):
    start, end = november_images.pixels.t_start, november_images.pixels.t_end
    assert november_images.background_check.ratio == pytest.approx(1.10, abs=0.02)
    assert "background_mismatch" not in {finding.code for finding in assess(november_images)}
    for ratio in (0.6, 1.6):
        wrong = replace(november_images, background_check=BackgroundCheck(start, end, 120.0, ratio * 1e4, 1e4, 0.02))
        (note,) = [finding for finding in assess(wrong) if finding.code == "background_mismatch"]
        assert f"{ratio:.2f} ± 0.02 times" in note.text
    noise = replace(november_images, background_check=BackgroundCheck(start, end, 120.0, 16.0, 10.0, 0.5))
    assert "background_mismatch" not in {finding.code for finding in assess(noise)}


@pytest.mark.parametrize(
    ("ratio", "sigma", "severity"),
    [(0.5, 0.02, Severity.DOUBT), (1.5, 0.02, Severity.DOUBT), (0.85, 0.02, None), (1.3, 0.04, Severity.NOTE)],
)
def test_a_mismatch_that_changes_the_net_counts_doubts_the_flux(november_images, ratio, sigma, severity):
    """Half of the net counts are subtracted: the ratio changes them by half of what it is off, ± half of its error."""
    start, end = november_images.pixels.t_start, november_images.pixels.t_end
    pixels = replace(november_images.pixels, background=november_images.pixels.counts / 3.0)
    check = BackgroundCheck(start, end, 120.0, ratio * 1e4, 1e4, sigma)
    images = replace(november_images, pixels=pixels, background_check=check)
    found = [finding for finding in assess(images) if finding.code == "background_mismatch"]
    assert [finding.severity for finding in found] == ([] if severity is None else [severity])
    if severity is Severity.DOUBT:
        assert f"would change by {50.0 * (1.0 - ratio):+.0f} ± 1 %" in found[0].text
        judged = verdict(assess(images), Method.MEM_GE)
        assert found[0].text in judged.flux
        assert judged.position == ()


def test_what_real_backgrounds_doubt(november):
    """Faint flares only: none with more than 20,000 net counts, and about one in six."""
    doubted, changes = [], []
    for flare in november.flares:
        if flare.file is None:
            continue
        science = read_pixel_data(flare.file)
        found = check(science, november.background, science.time_bins(flare.start, flare.end))
        if found is None:
            continue
        total, background = sum_pixels(
            science, flare.start, flare.end, 6.0, 10.0, background=november.background, pixel_set=PixelSet.TOP_BOT
        ).totals(detector_indices(IMAGING_LABELS))
        share = background / (total - background)
        changes.append((1.0 - found.ratio) * share)
        if abs(changes[-1]) - 3.0 * found.sigma * share > THRESHOLDS.background:
            doubted.append(total - background)
    assert len(changes) == 44
    assert max(changes) < 0.02
    assert 5 <= len(doubted) <= 8
    assert max(doubted) < 20_000.0


@pytest.mark.parametrize("level", [0.05, 0.5])
def test_the_level_of_the_quietest_part_in_the_window(pixel_data, level):
    """A window of 100 s after 200 quiet seconds of the same pixels: as many counts a second, half as many in all."""
    values, shape = counts(1000, 1000 * level, 1000 * level, 1000, 900, seconds=100.0)
    science = pixel_data(values, **shape)
    found = quiet_level(science, slice(3, 4), (6.0, 10.0), IMAGING_LABELS, PixelSet.TOP_BOT, None)
    assert found.seconds == 200.0
    assert found.expected == pytest.approx(1000 * level * 4 * 24 * 8, rel=1e-6)
    assert 0 < found.sigma < 0.02 * found.expected
    one = science.part(slice(3, 4))
    assert quiet_level(one, slice(0, 1), (6.0, 10.0), IMAGING_LABELS, PixelSet.TOP_BOT, None) is None


def test_em_without_a_background_is_trusted_where_the_file_shows_that_there_is_little(november_flare, november):
    """The brightest flare has a quiet part below 1 % of its counts; a faint one's has 46 %."""
    faint = next(flare for flare in november.flares if flare.request_id == FAINT_FLARE)
    science, _, aspect = november_flare
    window = np.datetime64("2022-11-11T11:35:40.271", "us"), np.datetime64("2022-11-11T11:37:40.271", "us")
    words = []
    for file, start, end in ((science, *window), (faint.file, faint.start, faint.end)):
        methods = {Method.EM: PARAMETERS[Method.EM]()}
        request = ImageRequest(start, end, (6.0, 10.0), methods=methods, location=(820.0, 150.0))
        recipe = prepare_recipe(request, file, None, [aspect])
        paths = {path.name: path for path in (file, aspect)}
        images = reconstruct(recipe, lambda reference, paths=paths: paths[reference.name])
        reasons = verdict(images.findings, Method.EM).flux
        words.append([reason for reason in reasons if "no background was subtracted" in reason])
    assert words[0] == []
    assert len(words[1]) == 1
    assert "% of the counts, all of which EM takes for the flare" in words[1][0]


def test_an_error_below_half_a_percent_is_not_said(november_images):
    start, end = november_images.pixels.t_start, november_images.pixels.t_end
    pixels = replace(november_images.pixels, background=november_images.pixels.counts / 41.0)  # 1/40 of the net counts
    for sigma, text in ((0.02, "would change by -2 %"), (0.8, "would change by -25 ± 2 %")):
        ratio = 2.0 if sigma < 0.1 else 11.0
        check = BackgroundCheck(start, end, 120.0, ratio * 1e4, 1e4, sigma)
        found = assess(replace(november_images, pixels=pixels, background_check=check))
        (said,) = [finding.text for finding in found if finding.code == "background_mismatch"]
        assert said.endswith(text)


def test_a_background_with_a_bin_in_the_time_of_the_image_is_refused(pixel_data):
    values, shape = counts(1, 2, 9, 3, seconds=100.0)
    science = pixel_data(values, **shape)
    window = science.header.name, science.t_start[2], science.t_end[2]
    for bins, apart in ((slice(0, 2), True), (slice(3, 4), True), (slice(1, 3), False), (slice(2, 4), False)):
        if apart:
            require_apart(*window, science.part(bins))
        else:
            with pytest.raises(SelectionError, match="is its own background: a quiet part of it has to be named"):
                require_apart(*window, science.part(bins))
    other = pixel_data(values, name="other.fits", **shape)
    with pytest.raises(SelectionError, match=r"the background other.fits overlaps the time range"):
        require_apart(*window, other)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (None, "is its own background"),
        (("2022-11-11T11:36:00", "2022-11-11T11:44:00"), "is its own background"),
        (("1000-01-01T00:00:00", "9999-01-01T00:00:00"), "most of the background range is not inside the file"),
    ],
)
def test_a_flare_is_no_background(november_flare, part, reason):
    science, _, aspect = november_flare
    window = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:38:00", "us")
    used = None if part is None else (np.datetime64(part[0], "us"), np.datetime64(part[1], "us"))
    with pytest.raises(SelectionError, match=reason):
        prepare_recipe(ImageRequest(*window, (6.0, 10.0), background_range=used), science, science, [aspect])


def test_a_part_of_a_background_needs_a_background(november_flare):
    science, _, aspect = november_flare
    window = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:38:00", "us")
    with pytest.raises(SelectionError, match="but no background file"):
        prepare_recipe(ImageRequest(*window, (6.0, 10.0), background_range=window), science, None, [aspect])


def test_the_bins_of_a_part_of_the_background_are_said(november_flare):
    science, _, aspect = november_flare
    window = np.datetime64("2022-11-11T11:35:40.271", "us"), np.datetime64("2022-11-11T11:37:40.271", "us")
    instant = np.datetime64("2022-11-11T11:12:00", "us"), np.datetime64("2022-11-11T11:12:00.100", "us")
    methods = {Method.BP: PARAMETERS[Method.BP]()}
    request = ImageRequest(*window, (6.0, 10.0), methods=methods, location=(820.0, 150.0), background_range=instant)
    paths = {path.name: path for path in november_flare}
    images = reconstruct(prepare_recipe(request, science, science, [aspect]), lambda file: paths[file.name])
    part = images.background_asked
    assert part.seconds == pytest.approx(60.0, abs=0.1)
    assert part.t_start <= instant[0] < instant[1] <= part.t_end
    (note,) = [finding for finding in assess(images) if finding.code == "background_range"]
    assert "background: asked 2022-11-11 11:12:00-11:12:00.100, whole bins" in note.text
    header = image_header(images, Method.BP, np.datetime64("2026-11-29", "ms"))
    assert (header["BKG_EXPO"], header["BKGB_BEG"]) == (part.seconds, format_time(part.t_start))


def test_an_interval_of_the_science_file_as_its_background(november_flare):
    science, background, aspect = november_flare
    window = np.datetime64("2022-11-11T11:35:40.271", "us"), np.datetime64("2022-11-11T11:37:40.271", "us")
    quiet = np.datetime64("2022-11-11T11:11:02", "us"), np.datetime64("2022-11-11T11:13:10", "us")
    methods = {Method.BP: PARAMETERS[Method.BP]()}
    request = ImageRequest(*window, (6.0, 10.0), methods=methods, location=(820.0, 150.0), background_range=quiet)
    recipe = prepare_recipe(request, science, science, [aspect])
    assert recipe.background.name == science.name
    assert Recipe.from_json(recipe.to_json()) == recipe
    whole = prepare_recipe(replace(request, background_range=None), science, background, [aspect])
    assert whole.background_range is None
    paths = {path.name: path for path in november_flare}
    images, others = (reconstruct(each, lambda file: paths[file.name]) for each in (recipe, whole))
    data = read_pixel_data(science)
    part = data.part(data.time_bins(*quiet))
    ratio = images.pixels.livetime / detector_livetime(part.read())[0]
    recorded = part.read(channels=data.energy_channels(6.0, 10.0)).counts[:, :, :8].sum(axis=(0, 3))
    expected = (recorded * ratio[:, None]).reshape(32, 2, 4).sum(axis=1)
    np.testing.assert_allclose(images.pixels.background, expected, rtol=1e-9)
    assert images.counts[1] == pytest.approx(1.1 * others.counts[1], rel=0.03)  # as the check says
