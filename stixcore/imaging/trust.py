"""Can this picture be trusted? Every reason for doubt, against thresholds that stand here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from stixcore.coordinates import PointingSource
from stixcore.imaging.location import DOUBTFUL_SIDELOBE_RATIO
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import detector_indices
from stixcore.metrics import measure_source, signal_to_noise

if TYPE_CHECKING:
    from stixcore.reconstruct import ImageSet


@dataclass(frozen=True)
class Thresholds:
    """Where doubt begins.

    Attributes
    ----------
    sidelobe_ratio : float
        Second full-disk peak ÷ first (hayesla/stix_flarelist_science and the ground software use 0.9).
    net_counts : float, ct
        Counts above background in the sub-collimators used.
    signal_to_noise : float
        Resistant mean of visibility amplitude ÷ sigma.
    chi2 : float
        Of an image that is a model of the source (per degree of freedom).
    top_bottom : float
        Ratio of the net counts of top and bottom pixel rows, either way, for a source that lights the detectors
        unevenly.
    disagreement : float, arcsec
        Distance between the centroids of two methods.
    disk_radius : float
        Distance from Sun centre in apparent radii, beyond which a source is unlikely.
    low_energy : float, keV
        Below it the attenuator removes most photons.
    """

    sidelobe_ratio: float = DOUBTFUL_SIDELOBE_RATIO
    net_counts: float = 3000.0
    signal_to_noise: float = 3.5
    chi2: float = 2.5
    top_bottom: float = 1.25
    disagreement: float = 15.0
    disk_radius: float = 1.3
    low_energy: float = 10.0


THRESHOLDS = Thresholds()
#: A background that misses the quietest part of the science file by more than this factor is noted.
BACKGROUND_RATIO = 1.25
#: Scatter of the pointing in a window, arcsec: the ground software warns above 3; above 10 the position is doubted.
POINTING_RMS_NOTE, POINTING_RMS_DOUBT = 3.0, 10.0


class Severity(StrEnum):
    """A note is worth knowing; a doubt means: do not use the picture without looking into it."""

    NOTE = "note"
    DOUBT = "doubt"


@dataclass(frozen=True)
class Finding:
    """One reason to be careful: a stable code, how serious, and one sentence.

    Attributes
    ----------
    method : Method or None
        Of the image that it is about; None: of the whole set.
    """

    code: str
    severity: Severity
    text: str
    method: Method | None = None


def assess(images: ImageSet, limits: Thresholds = THRESHOLDS) -> tuple[Finding, ...]:
    """Everything that speaks against a set of images, most serious first; empty when nothing does.

    Parameters
    ----------
    images : ImageSet
    limits : Thresholds
    """
    found = [
        *_location(images, limits),
        *_window(images),
        *_counts(images, limits),
        *_illumination(images, limits),
        *_pointing(images),
        *_calibration(images),
        *_fit(images, limits),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.DOUBT))


def about(findings: tuple[Finding, ...], method: Method | None) -> tuple[Finding, ...]:
    """What was found about the whole set, and about the image of a method."""
    return tuple(finding for finding in findings if finding.method in (None, method))


def is_trusted(findings: tuple[Finding, ...], method: Method | None = None) -> bool:
    """Whether nothing but notes was found: at all, or about the image of a method and the set that it is of."""
    found = findings if method is None else about(findings, method)
    return all(finding.severity is not Severity.DOUBT for finding in found)


def _location(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    location, recipe = images.location, images.recipe
    if location is not None and location.sidelobe_ratio >= limits.sidelobe_ratio:
        text = (
            f"another place on the full disk is {location.sidelobe_ratio:.2f} times as bright: the location is doubtful"
        )
        yield Finding("sidelobe", Severity.DOUBT, text)
    rsun = recipe.pointing.rsun
    distance = np.hypot(recipe.location.x, recipe.location.y) / rsun if np.isfinite(rsun) else 0.0
    if distance > limits.disk_radius:
        text = f"the map is centred {distance:.2f} solar radii from Sun centre"
        yield Finding("off_disk", Severity.DOUBT, text)


def _window(images: ImageSet) -> Iterator[Finding]:
    if images.asked.differs:
        yield Finding("time_range", Severity.NOTE, str(images.asked))


def _counts(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    total, background = images.counts
    if total - background < limits.net_counts:
        text = f"only {total - background:.0f} counts above background in the sub-collimators used"
        yield Finding("few_counts", Severity.DOUBT, text)
    ratio = signal_to_noise(images.vis.amplitude, images.vis.sigma)
    if ratio < limits.signal_to_noise:
        yield Finding("low_snr", Severity.DOUBT, f"signal-to-noise ratio of the visibilities is {ratio:.1f}")
    if images.recipe.background is None:
        yield Finding("no_background", Severity.NOTE, "no background was subtracted")
    yield from _background(images)
    if images.pixels.rcr > 0 and images.pixels.e_low < limits.low_energy:
        text = f"the attenuator was in: counts below {limits.low_energy:g} keV are suppressed"
        yield Finding("attenuator", Severity.NOTE, text)
    if images.recipe.shift_bins:
        text = "taken before 2021-12-09 14:00 UTC: counts were moved to the time bin before, to which they belong"
        yield Finding("bins_shifted", Severity.NOTE, text)
    elif images.pixels.header.bins_late:
        text = "taken before 2021-12-09 14:00 UTC: unless summed on board, counts stand one time bin too late"
        yield Finding("bins_late", Severity.NOTE, text)


def _background(images: ImageSet) -> Iterator[Finding]:
    check = images.background_check
    if check is None:
        return
    ratio, (total, background) = check.ratio, images.counts
    if abs(np.log(ratio)) > np.log(BACKGROUND_RATIO) and abs(ratio - 1.0) > 3.0 * check.sigma:
        change = 100.0 * (1.0 - ratio) * background / max(total - background, 1.0)
        text = (
            f"the quietest {check.seconds:.0f} s of the science file have {ratio:.2f} ± {check.sigma:.2f} times the "
            f"counts that the background predicts; with that level the net counts would change by {change:+.0f} %"
        )
        yield Finding("background_mismatch", Severity.NOTE, text)


def _illumination(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    top, bottom = images.pixels.top_bottom[detector_indices(images.vis.labels)].sum(axis=0)
    if min(top, bottom) <= 0:
        return  # too few counts to say; the counts speak for themselves
    ratio = max(top / bottom, bottom / top)
    spread = np.sqrt(images.counts[0]) / max(top + bottom, 1.0)  # Poisson error of the asymmetry
    if ratio > limits.top_bottom and (ratio - 1.0) / (ratio + 1.0) > 3.0 * spread:
        text = f"top and bottom pixels differ by a factor of {ratio:.2f}: the source lights the detectors unevenly"
        yield Finding("partial_illumination", Severity.DOUBT, text)


def _pointing(images: ImageSet) -> Iterator[Finding]:
    pointing = images.recipe.pointing
    moved = max(pointing.rms_x or 0.0, pointing.rms_y or 0.0)
    if moved > POINTING_RMS_NOTE:
        text = (
            f"the pointing moved during the time range: scatter {moved:.1f}″, range {pointing.peak_to_peak:.0f}″; "
            "a shorter range may be sharper"
        )
        yield Finding("pointing_moved", Severity.DOUBT if moved > POINTING_RMS_DOUBT else Severity.NOTE, text)
    if pointing.rejected:
        text = f"{pointing.rejected} of {pointing.records + pointing.rejected} aspect records left out as outliers"
        yield Finding("pointing_outliers", Severity.NOTE, text)
    match pointing.source:
        case PointingSource.ASSUMED:
            text = "no aspect record: pointing and roll are assumed, the place on the Sun is unknown"
            yield Finding("pointing_assumed", Severity.DOUBT, text)
        case PointingSource.SPACECRAFT:
            text = "no aspect solution: pointing from the spacecraft, good to about one arcminute"
            yield Finding("pointing_spacecraft", Severity.NOTE, text)
        case PointingSource.MANUAL:
            yield Finding("pointing_manual", Severity.NOTE, "the pointing was given by hand")


def _calibration(images: ImageSet) -> Iterator[Finding]:
    used = images.calibration
    if used is None:
        return
    doubt = used.catalog.doubt_about(images.pixels.t_start)
    if doubt:
        yield Finding("energy_table_unknown", Severity.DOUBT, doubt)
    edges = (images.pixels.e_low, images.pixels.e_high)
    foreign = [edge for edge in edges if edge and not np.isclose(edge, used.energy_table.nominal, atol=1e-3).any()]
    if foreign:
        text = f"the file has channel edges at {foreign} keV, which the energy table {used.energy_table.name} lacks"
        yield Finding("energy_table_channels", Severity.DOUBT, text)
    if used.cal_file is None:
        text = f"{used.reason or 'no daily energy calibration'}: energy edges are those of {used.energy_table.name}"
        yield Finding("no_cal_file", Severity.NOTE, text)


def _fit(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    for method, reason in images.failures.items():
        yield Finding("method_failed", Severity.NOTE, f"{method} made no image: {reason}")
    models = {m: r for m, r in images.images.items() if m not in (Method.FULL_DISK_BP, Method.BP)}
    explained = {method: image.chi2 for method, image in models.items() if np.isfinite(image.chi2)}
    best = min(explained, key=explained.__getitem__, default=None)
    if best is not None and explained[best] > limits.chi2:
        text = f"no image explains the visibilities: χ² is {explained[best]:.1f} at best ({best})"
        yield Finding("poor_fit", Severity.DOUBT, text)
    elif best is not None:
        for method, chi2 in explained.items():
            if chi2 > limits.chi2:
                text = f"{method} does not explain the visibilities: χ² is {chi2:.1f}, of {best} {explained[best]:.1f}"
                yield Finding("poor_fit", Severity.DOUBT, text, method)
    centers = {m: measure_source(r.image, r.grid, r.sources) for m, r in models.items() if r.image.max() > 0}
    names = list(centers)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            distance = float(np.hypot(centers[first].x - centers[second].x, centers[first].y - centers[second].y))
            if distance > limits.disagreement:
                text = f"{first} and {second} put the brightest source {distance:.0f}″ apart"
                yield Finding("disagreement", Severity.NOTE, text)
