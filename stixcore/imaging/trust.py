"""Can an image be trusted? All reasons for doubt, with thresholds that are defined only here.

Each doubt concerns the position, the flux or the shape of an image (`verdict`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc

from stixcore.background_check import net_change
from stixcore.calibration.catalog import NO_CAL_FILE
from stixcore.coordinates import PointingSource
from stixcore.imaging.agreement import SourceComparison
from stixcore.imaging.location import DISK_RADIUS, DOUBTFUL_SIDELOBE_RATIO, Candidate
from stixcore.imaging.mem import GIVEN, MemGeParameters
from stixcore.imaging.metrics import signal_to_noise
from stixcore.imaging.position_error import OFF
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name
from stixcore.imaging.registry import is_deconvolved
from stixcore.instrument.geometry import detector_indices

if TYPE_CHECKING:
    from stixcore.reconstruct import ImageSet
    from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of doubts and notes.

    Attributes
    ----------
    off : float
        Probability that the position is wrong by more than 5″: the highest value that detects 9 of 10 flares whose
        positions from top and bottom pixels differ by more than 10″ (``docs/decisions/verdicts.md``).
    pointing_sigma : float, arcsec
        Scatter of the pointing in the time range, on each axis.
    sidelobe_ratio : float
        A rival on the disk ÷ the highest peak of the full-disk map (hayesla/stix_flarelist_science and the ground
        software use 0.9).
    rival : float
        Probability, from all sub-collimators, that the flare is at such a rival. Below it, a high peak of the coarse
        sub-collimators is a side lobe, and the finding is a note.
    locator : float
        Confidence level of the coarse locator's contour. A location outside is doubted if a rival is inside; a rival
        outside is a side lobe if the location is inside.
    net_counts : float, ct
        Counts above background in the sub-collimators used.
    signal_to_noise : float
        Resistant mean of visibility amplitude ÷ sigma.
    chi2 : float
        Of an image that is a model of the source (per degree of freedom), in units of the best image's, at least 1: at
        4 the residuals are twice what counts and calibration allow.
    low_chi2 : float
        Probability that data with these errors give such a small χ². Below it, an image fits the data too closely.
    unexplained : float
        Fraction of the visibilities' amplitude (rms) that an image does not fit, beyond counting and calibration
        errors. In bright flares even a small misfit is significant.
    background : float
        Share by which the net counts would change with the background of the quietest part of the science file, either
        way and beyond three standard deviations (``docs/decisions/background_interval.md``). Without a background,
        by which EM's flux may be too high.
    top_bottom : float
        Ratio of the net counts of top and bottom pixel rows, either way, for a source that lights the detectors
        unevenly; at 1.5 a sixth of the flux is missing.
    uneven : float
        Scatter of that ratio among the sub-collimators, beyond counting: twice the calibration error of an amplitude.
    missing_flux : float
        What the total flux of an image misses of the counted flux, or has more, as a share of it: no
        simulated image whose flux is right within 10 % is beyond 15 % (``docs/decisions/verdicts.md``).
    disagreement : float, arcsec
        Distance of a method's position from the median of the methods, and of that from the location: the finest
        resolution. Beyond it, a position is accepted if it is another source of most methods, and a location if it is
        between two (`SourceComparison`).
    edge_share : float
        Share of an image's flux in a frame of a twentieth of the field on each side.
    disk_radius : float
        Distance from Sun centre in apparent radii, beyond which a source is unlikely.
    low_energy : float, keV
        Below it the attenuator removes most photons.
    """

    off: float = 0.55
    pointing_sigma: float = 10.0
    sidelobe_ratio: float = DOUBTFUL_SIDELOBE_RATIO
    rival: float = 0.05
    locator: float = 0.9545
    net_counts: float = 3000.0
    signal_to_noise: float = 3.5
    chi2: float = 4.0
    unexplained: float = 0.25
    low_chi2: float = 0.001
    background: float = 0.1
    top_bottom: float = 1.5
    uneven: float = 0.2
    missing_flux: float = 0.25
    disagreement: float = 15.0
    edge_share: float = 0.2
    disk_radius: float = DISK_RADIUS
    low_energy: float = 10.0


THRESHOLDS = Thresholds()
#: Fewer counts above background give a note: what 10,000 counts of all detectors leave in the 24 that make images.
SMALL_FLARE = 7500.0
#: A background that differs from the quietest part of the science file by more than this factor gives a note.
BACKGROUND_RATIO = 1.25
#: An image gets a note if it misses more than the first fraction of the counted flux, or exceeds it by more than the
#: second (amplitudes are calibrated to 5 %).
MISSING_NOTE, EXCESS_NOTE = 0.15, 0.05
#: Scatter of the pointing in a window, arcsec: the ground software warns above 3.
POINTING_RMS_NOTE = 3.0
#: Ratio of the pixel rows above which uneven illumination gives a note.
TOP_BOTTOM_NOTE = 1.25
#: Width of the frame in which flux from outside the field appears, on each side: the field divided by this.
FRAME = 20
#: A field wider than this gives a note, arcsec; previews have 258″, or twice that where flux lies outside.
WIDE_FIELD = 400.0


class Severity(StrEnum):
    """A note is information; a doubt means that the image must not be used without further checks."""

    NOTE = "note"
    DOUBT = "doubt"


class Aspect(StrEnum):
    """Property of an image that can be doubted."""

    POSITION = "position"
    FLUX = "flux"
    SHAPE = "shape"


EVERYTHING = frozenset(Aspect)
_POSITION = frozenset({Aspect.POSITION})
_FLUX = frozenset({Aspect.FLUX})
_SHAPE = frozenset({Aspect.SHAPE})


@dataclass(frozen=True)
class Finding:
    """A finding about an image or a set of images: a stable code, its severity, and one sentence.

    Attributes
    ----------
    method : Method or None
        Method of the image concerned; None for the whole set.
    doubts : frozenset of Aspect
        Aspects that a doubt concerns; ignored for a note.
    """

    code: str
    severity: Severity
    text: str
    method: Method | None = None
    doubts: frozenset[Aspect] = EVERYTHING


@dataclass(frozen=True)
class Verdict:
    """Reasons to doubt position, flux and shape of an image, Aspects without reasons are trusted."""

    position: tuple[str, ...] = ()
    flux: tuple[str, ...] = ()
    shape: tuple[str, ...] = ()

    def word(self, aspect: Aspect) -> str:
        """``"trusted"`` or ``"doubtful"``."""
        return "doubtful" if self.reasons[aspect] else "trusted"

    @property
    def reasons(self) -> Mapping[Aspect, tuple[str, ...]]:
        """The reasons of each aspect."""
        return {Aspect.POSITION: self.position, Aspect.FLUX: self.flux, Aspect.SHAPE: self.shape}

    @property
    def trusted(self) -> bool:
        """Whether no aspect is doubted."""
        return not (self.position or self.flux or self.shape)


def verdict(findings: tuple[Finding, ...], method: Method) -> Verdict:
    """Verdict on the image of a method, from the findings about it and about its set."""
    doubts = [found for found in about(findings, method) if found.severity is Severity.DOUBT]
    return Verdict(*(tuple(found.text for found in doubts if aspect in found.doubts) for aspect in Aspect))


def assess(images: ImageSet, limits: Thresholds = THRESHOLDS) -> tuple[Finding, ...]:
    """Find all reasons for doubt about a set of images, and notes.

    Parameters
    ----------
    images : ImageSet
    limits : Thresholds

    Returns
    -------
    tuple of Finding
        Doubts first, then notes.
    """
    found = [
        *_location(images, limits),
        *_window(images),
        *_counts(images, limits),
        *_illumination(images, limits),
        *_pointing(images, limits),
        *_calibration(images),
        *_fit(images, limits),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.DOUBT))


def about(findings: tuple[Finding, ...], method: Method | None) -> tuple[Finding, ...]:
    """Findings about the whole set and about the image of a method."""
    return tuple(finding for finding in findings if finding.method in (None, method))


def is_trusted(findings: tuple[Finding, ...], method: Method | None = None) -> bool:
    """Whether there are no doubts: in all findings, or in those about the image of a method and its set."""
    found = findings if method is None else about(findings, method)
    return all(finding.severity is not Severity.DOUBT for finding in found)


def _location(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    recipe = images.recipe
    rsun = recipe.pointing.rsun
    yield from _rivals(images, limits)
    position = images.position
    distance = np.hypot(recipe.location.x, recipe.location.y) / rsun if np.isfinite(rsun) else 0.0
    if distance > limits.disk_radius:
        text = f"the map is centred {distance:.2f} solar radii from Sun centre"
        yield Finding("off_disk", Severity.DOUBT, text, doubts=_POSITION)
    if position is None:
        text = "no circle fits the visibilities: how sure the position is cannot be said"
        yield Finding("position_unknown", Severity.DOUBT, text, doubts=_POSITION)
    elif position.off > limits.off:
        text = (
            f"the position is off by more than {OFF:g}″ with a probability of {100.0 * position.off:.0f} % "
            f"(standard deviation {position.total:.0f}″)"
            if np.isfinite(position.total)
            else f"the position is off by more than {OFF:g}″ with a probability of {100.0 * position.off:.0f} %"
        )
        yield Finding("position_error", Severity.DOUBT, text, doubts=_POSITION)


def _rivals(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    """Other peaks of the full-disk map: what all sub-collimators and the coarse locator say about them."""
    location, recipe, position = images.location, images.recipe, images.position
    if location is None:
        return
    rsun = recipe.pointing.rsun
    here, level = recipe.location, images.locator_level
    others = location.rivals_of(here.x, here.y, rsun)
    levels = _levels(images, others)
    elsewhere = level is not None and level > limits.locator
    if images.locator is not None and elsewhere:
        found = images.locator
        text = (
            f"the coarse locator puts the flare at ({found.x:.0f}, {found.y:.0f})″, "
            f"{np.hypot(found.x - here.x, found.y - here.y):.0f}″ from the location"
        )
        if min(levels, default=1.0) <= limits.locator:
            text = f"{text}, where the full-disk map has another peak"
            yield Finding("locator", Severity.DOUBT, text)
        else:
            yield Finding("locator", Severity.NOTE, f"{text}, where the full-disk map has no peak")
    height = location.rival(rsun)
    if height < limits.sidelobe_ratio:
        return
    text = f"another place on the disk is {height:.2f} times as bright in the coarse sub-collimators"
    high = [one for other, one in zip(others, levels, strict=True) if other.relative_height >= limits.sidelobe_ratio]
    if position is not None and position.rival <= limits.rival:
        yield Finding("sidelobe", Severity.NOTE, f"{text}; the others rule it out")
    elif level is not None and level <= limits.locator and min(high, default=0.0) > limits.locator:
        yield Finding("sidelobe", Severity.NOTE, f"{text}; the coarse locator rules it out")
    else:
        # of everything: the images may show an empty place
        yield Finding("sidelobe", Severity.DOUBT, f"{text}: the location is doubtful")


def _levels(images: ImageSet, others: Sequence[Candidate]) -> list[float]:
    """Confidence levels of the coarse locator's contours through other peaks; 1 without a locator."""
    if images.locator is None:
        return [1.0] * len(others)
    return [float(images.locator.level(one.x, one.y)) for one in others]


def _window(images: ImageSet) -> Iterator[Finding]:
    if images.asked.differs:
        yield Finding("time_range", Severity.NOTE, str(images.asked))
    asked, covered = images.recipe.energy_range, (images.pixels.e_low, images.pixels.e_high)
    if not np.allclose(asked, covered, atol=1e-3):
        text = f"asked {asked[0]:g}-{asked[1]:g} keV, whole channels {covered[0]:g}-{covered[1]:g} keV"
        yield Finding("energy_range", Severity.NOTE, text)


def _counts(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    total, background = images.counts
    if total - background < limits.net_counts:
        text = f"only {total - background:.0f} counts above background in the sub-collimators used"
        yield Finding("few_counts", Severity.DOUBT, text, doubts=_FLUX | _SHAPE)
    elif total - background < SMALL_FLARE:
        yield Finding("small_flare", Severity.NOTE, _small_flare(images, total - background))
    ratio = signal_to_noise(images.vis.amplitude, images.vis.sigma)
    if ratio < limits.signal_to_noise:
        text = f"signal-to-noise ratio of the visibilities is {ratio:.1f}"
        yield Finding("low_snr", Severity.DOUBT, text, doubts=_SHAPE)
    if images.recipe.background is None:
        yield Finding("no_background", Severity.NOTE, "no background was subtracted")
        yield from _not_subtracted(images, limits)
    yield from _background(images, limits)
    if images.pixels.rcr > 0 and images.pixels.e_low < limits.low_energy:
        text = f"the attenuator was in: counts below {limits.low_energy:g} keV are suppressed"
        yield Finding("attenuator", Severity.NOTE, text)
    if images.recipe.shift_bins:
        text = "taken before 2021-12-09 14:00 UTC: counts were moved to the time bin before, to which they belong"
        yield Finding("bins_shifted", Severity.NOTE, text)
    elif images.pixels.header.bins_late:
        text = "taken before 2021-12-09 14:00 UTC: unless summed on board, counts stand one time bin too late"
        yield Finding("bins_late", Severity.NOTE, text)


def _small_flare(images: ImageSet, net: float) -> str:
    """What few counts mean for the numbers of an image."""
    sigma = images.position.total if images.position is not None else float("nan")
    position = f", here {sigma:.0f}″" if np.isfinite(sigma) else ""
    return (
        f"small flare: {net:.0f} counts above background in the sub-collimators used; the position is known to a few "
        f"arcseconds{position}, fluxes of CLEAN and VIS_FWDFIT to 20 %, and noise changes the shape"
    )


def _background(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    part, check = images.background_asked, images.background_check
    if part is not None and part.differs:
        yield Finding("background_range", Severity.NOTE, f"background: {part}")
    if check is None:
        return
    ratio, background = check.ratio, images.counts[1]
    change, error = net_change(images.counts, ratio * background, check.sigma * background)
    doubted = abs(change) - 3.0 * error > limits.background
    if doubted or (abs(np.log(ratio)) > np.log(BACKGROUND_RATIO) and abs(ratio - 1.0) > 3.0 * check.sigma):
        text = (
            f"the quietest {check.seconds:.0f} s of the science file have {ratio:.2f} ± {check.sigma:.2f} times the "
            f"counts that the background predicts; with that level the net counts would change by "
            f"{_percent(change, error)}"
        )
        yield Finding("background_mismatch", Severity.DOUBT if doubted else Severity.NOTE, text, doubts=_FLUX)


def _percent(change: float, error: float) -> str:
    """A change with its sign, and with its error unless that is below half a percent."""
    text = f"{round(100.0 * change):+d}"
    return f"{text} ± {100.0 * error:.0f} %" if round(100.0 * error) else f"{text} %"


def _not_subtracted(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    """Without a background EM attributes all counts to the flare; other methods use differences of counts."""
    if Method.EM not in images.images:
        return
    level = images.quiet_level
    if level is None:
        text = (
            "no background was subtracted and the science file has no quiet part that says how strong it is: "
            f"{method_name(Method.EM)} takes all counts for the flare"
        )
        yield Finding("background_unknown", Severity.DOUBT, text, Method.EM, _FLUX)
        return
    change, error = net_change(images.counts, level.expected, level.sigma)
    # a background is taken for small only where that is sure, three standard deviations
    if abs(change) + 3.0 * error > limits.background:
        text = (
            f"no background was subtracted: at the level of the quietest {level.seconds:.0f} s of the science file it "
            f"is {100.0 * level.expected / images.counts[0]:.0f} % of the counts, all of which "
            f"{method_name(Method.EM)} takes for the flare"
        )
        yield Finding("background_unknown", Severity.DOUBT, text, Method.EM, _FLUX)


def _illumination(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    rows = images.pixels.top_bottom[detector_indices(images.vis.labels)]
    top, bottom = rows.sum(axis=0)
    if min(top, bottom) <= 0:
        return  # too few counts for a ratio; there is a finding about the counts already
    ratio = max(top / bottom, bottom / top)
    spread = np.sqrt(images.counts[0]) / max(top + bottom, 1.0)  # Poisson error of the asymmetry
    if ratio > TOP_BOTTOM_NOTE and (ratio - 1.0) / (ratio + 1.0) > 3.0 * spread:
        text = (
            f"top and bottom pixels differ by a factor of {ratio:.2f}: the source lights the detectors unevenly, "
            f"and {50.0 * (1.0 - 1.0 / ratio):.0f} % of the flux may be missing"
        )
        severity = Severity.DOUBT if ratio > limits.top_bottom else Severity.NOTE
        yield Finding("partial_illumination", severity, text, doubts=_FLUX)
    if (scatter := _uneven(rows, images.counts)) > limits.uneven:
        text = f"the ratio of top to bottom pixels scatters by {100.0 * scatter:.0f} % among the sub-collimators"
        yield Finding("uneven_illumination", Severity.DOUBT, text, doubts=_SHAPE)


def _uneven(rows: Floats, counts: tuple[float, float]) -> float:
    """Scatter of top ÷ bottom net counts among sub-collimators, beyond counting noise; 0 where noise explains it.

    Parameters
    ----------
    rows : (n, 2) float, ct
    counts : recorded, background; ct
    """
    if rows.min(initial=np.inf) <= 0 or len(rows) < 2:
        return 0.0
    recorded = counts[0] / rows.sum()  # recorded ÷ net counts
    # σ²(ln(top/bottom)) = N_top/n_top² + N_bottom/n_bottom², N recorded and n net counts
    counting = float((recorded / rows).sum(axis=1).mean())
    found = float(np.var(np.log(rows[:, 0] / rows[:, 1]), ddof=1))
    return float(np.sqrt(found - counting)) if found > 2.0 * counting else 0.0


def _pointing(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    pointing = images.recipe.pointing
    moved = max(pointing.rms_x or 0.0, pointing.rms_y or 0.0)
    if moved > POINTING_RMS_NOTE:
        text = (
            f"the pointing moved during the time range: scatter {moved:.1f}″, range {pointing.peak_to_peak:.0f}″; "
            "a shorter range may be sharper"
        )
        severity = Severity.DOUBT if moved > limits.pointing_sigma else Severity.NOTE
        yield Finding("pointing_moved", severity, text, doubts=_POSITION | _SHAPE)
    if pointing.rejected:
        text = f"{pointing.rejected} of {pointing.records + pointing.rejected} aspect records left out as outliers"
        if pointing.interpolated:
            text += "; none is left in the time range, the pointing is interpolated between its neighbours"
        yield Finding("pointing_outliers", Severity.NOTE, text)
    match pointing.source:
        case PointingSource.ASSUMED:
            text = "no aspect record: pointing and roll are assumed, the place on the Sun is unknown"
            yield Finding("pointing_assumed", Severity.DOUBT, text, doubts=_POSITION)
        case PointingSource.SPACECRAFT:
            # A note: the error of the position includes these 30″.
            text = f"no aspect solution: pointing from the spacecraft, good to {pointing.sigma:.0f}″ on each axis"
            yield Finding("pointing_spacecraft", Severity.NOTE, text)
        case PointingSource.MANUAL:
            yield Finding("pointing_manual", Severity.NOTE, "the pointing was given by hand")


def _calibration(images: ImageSet) -> Iterator[Finding]:
    used = images.calibration
    if used is None:
        return
    doubt = used.catalog.doubt_about(images.pixels.t_start)
    if doubt:
        yield Finding("energy_table_unknown", Severity.DOUBT, doubt, doubts=_FLUX)
    edges = (images.pixels.e_low, images.pixels.e_high)
    foreign = [edge for edge in edges if edge and not np.isclose(edge, used.energy_table.nominal, atol=1e-3).any()]
    if foreign:
        text = f"the file has channel edges at {foreign} keV, which the energy table {used.energy_table.name} lacks"
        yield Finding("energy_table_channels", Severity.DOUBT, text, doubts=_FLUX)
    if used.cal_file is None:
        text = f"{used.reason or NO_CAL_FILE}: energy edges are those of {used.energy_table.name}"
        yield Finding("no_cal_file", Severity.NOTE, text)


def _fit(images: ImageSet, limits: Thresholds) -> Iterator[Finding]:
    for method, reason in images.failures.items():
        yield Finding("method_failed", Severity.NOTE, f"{method_name(method)} made no image: {reason}")
    models: dict[Method, Reconstruction] = {m: r for m, r in images.images.items() if is_deconvolved(m)}
    yield from _flux(images, models, limits)
    yield from _misfit(images, models, limits)
    yield from _disagreement(images, models, limits)
    outside = [method for method, image in models.items() if flux_at_edge(image, limits)]
    if outside:
        names = ", ".join(map(method_name, outside))
        text = f"flux from outside the map gathers at its edge ({names}): a wider field is needed"
        yield Finding("flux_outside", Severity.DOUBT, text, doubts=_FLUX | _SHAPE)
    for method in outside:
        if _peak_at_edge(models[method]):
            text = f"{method_name(method)} has its maximum at the edge of the map"
            yield Finding("edge_peak", Severity.DOUBT, text, method)
    field = images.recipe.pixel * min(images.recipe.shape)
    if field > WIDE_FIELD:
        text = f"the map covers {field:.0f}″ with pixels of {images.recipe.pixel:g}″, more than usual"
        yield Finding("wide_field", Severity.NOTE, text)


def _flux(images: ImageSet, models: Mapping[Method, Reconstruction], limits: Thresholds) -> Iterator[Finding]:
    """Findings about the flux estimate of an image and its share of the counted flux."""
    for method, image in models.items():
        parameters = images.recipe.methods.get(method)
        wanted = parameters.flux_estimate if isinstance(parameters, MemGeParameters) else ""
        if wanted and image.flux_estimate not in ("", GIVEN, str(wanted)):
            text = (
                f"no background was subtracted, so the total flux of {method_name(method)} is not that of the counts "
                f'but by "{image.flux_estimate}": the largest visibility amplitude, which noise makes too high'
            )
            yield Finding("flux_estimate", Severity.NOTE, text, method)
        said = image.certificate
        if not ("missing_flux" in said and said["counted_flux"] > 0):
            continue
        share = said["missing_flux"] / said["counted_flux"]
        if -EXCESS_NOTE <= share <= MISSING_NOTE:
            continue
        name = method_name(method)
        # CLEAN has components, and a residual beside them
        holds = f"the components of {name} hold" if "residual" in image.planes else f"the image of {name} holds"
        text = f"{holds} {'only ' if share > 0 else ''}{100.0 * (1.0 - share):.0f} % of the flux counted"
        severity = Severity.DOUBT if abs(share) > limits.missing_flux else Severity.NOTE
        yield Finding("missing_flux", severity, text, method, _FLUX)


def _misfit(images: ImageSet, models: Mapping[Method, Reconstruction], limits: Thresholds) -> Iterator[Finding]:
    explained = {method: image.chi2 for method, image in models.items() if np.isfinite(image.chi2)}
    best = min(explained, key=explained.__getitem__, default=None)
    if best is not None and explained[best] > limits.chi2:
        text = f"no image explains the visibilities: χ² is {explained[best]:.1f} at best ({method_name(best)})"
        yield Finding("poor_fit", Severity.DOUBT, text, doubts=_FLUX | _SHAPE)
    elif best is not None:
        unit = max(1.0, explained[best])  # the image that follows the data best says what their errors are
        for method, chi2 in explained.items():
            if chi2 > limits.chi2 * unit:
                left = unexplained(models[method], images.vis, unit)
                text = (
                    f"{method_name(method)} leaves {100.0 * left:.0f} % of the visibilities' amplitude unexplained: "
                    f"χ² is {chi2:.1f}, of {method_name(best)} {explained[best]:.1f}"
                )
                severity = Severity.DOUBT if left > limits.unexplained else Severity.NOTE
                yield Finding("poor_fit", severity, text, method, _FLUX | _SHAPE)
    for method, chi2 in explained.items():
        ndof, free = _degrees_of_freedom(models[method], images.vis)
        # P(χ² < found) of data with these errors
        if gammainc(free / 2.0, chi2 * ndof / 2.0) < limits.low_chi2:
            text = (
                f"χ² of {method_name(method)} is {chi2:.2f}, where {free / ndof:.2f} is usual: "
                "it fits the data better than their errors allow"
            )
            yield Finding("low_chi2", Severity.NOTE, text, method)


def _degrees_of_freedom(image: Reconstruction, vis: Visibilities) -> tuple[int, float]:
    """Degrees of freedom by which χ² is divided, and the effective ones.

    The pixels of an image fit the data but are not counted as parameters. MEM_GE determines its effective number of
    parameters γ; other pixel images leave about half of the data free.
    """
    ndof = max(2 * len(vis) - image.n_parameters, 1)
    if image.n_parameters:
        return ndof, float(ndof)
    return ndof, max(ndof - image.certificate.get("effective_parameters", ndof / 2.0), 1.0)


def unexplained(image: Reconstruction, vis: Visibilities, unit: float = 1.0) -> float:
    """Fraction of the visibilities' amplitude (rms) that an image does not fit, beyond their errors, 0 … 1.

    √((χ² - unit)·ndof / Σ|V|²/σ²) with ndof = 2 n_vis - n_parameters.

    Parameters
    ----------
    image : Reconstruction
    vis : Visibilities
    unit : float
        χ² per degree of freedom that counts as a perfect fit.
    """
    ndof = max(2 * len(vis) - image.n_parameters, 1)
    power = float((vis.amplitude**2 / vis.sigma**2).sum())
    return unexplained_share(image.chi2 * ndof, ndof, power, unit)


def unexplained_share(chi2: float, ndof: int, power: float, unit: float = 1.0) -> float:
    """√(max(χ² - unit·ndof, 0) / Σ|V|²/σ²): share of the amplitude (rms) that is not fitted, beyond the errors.

    Parameters
    ----------
    chi2 : float
        Not divided by ``ndof``.
    ndof : int
    power : float
        Σ|V|²/σ².
    unit : float
        χ² per degree of freedom that counts as a perfect fit.
    """
    return float(np.sqrt(max(chi2 - unit * ndof, 0.0) / power))


def _disagreement(images: ImageSet, models: Mapping[Method, Reconstruction], limits: Thresholds) -> Iterator[Finding]:
    # an image whose source is outside the field is excluded; it has a separate finding
    inside = {m: r for m, r in models.items() if r.image.max() > 0 and not _peak_at_edge(r)}
    compared = SourceComparison.of(inside)
    if len(inside) == 2:
        (first, one), (second, two) = compared.brightest.items()
        distance = float(np.hypot(one.x - two.x, one.y - two.y))
        if distance > limits.disagreement:
            text = f"{method_name(first)} and {method_name(second)} place the brightest source {distance:.0f}″ apart"
            yield Finding("disagreement", Severity.NOTE, text)
    if len(inside) < 3:
        return
    for method in inside:
        distance = compared.distance(method)
        if distance <= limits.disagreement:
            continue
        if compared.is_one_of_several(method):
            text = (
                f"the brightest source of {method_name(method)} is {distance:.0f}″ from that of the other methods, "
                "which show both"
            )
            yield Finding("disagreement", Severity.NOTE, text, method)
        else:
            text = f"{method_name(method)} places the brightest source {distance:.0f}″ from the other methods"
            yield Finding("disagreement", Severity.DOUBT, text, method, _POSITION | _SHAPE)
    location = images.recipe.location
    distance = compared.distance_of(location.x, location.y, apart=limits.disagreement)
    if location.found_by != "given" and distance > limits.disagreement:
        text = f"the images place the brightest source {distance:.0f}″ from the flare location"
        yield Finding("location_disagrees", Severity.DOUBT, text, doubts=_POSITION)


def flux_at_edge(image: Reconstruction, limits: Thresholds = THRESHOLDS) -> bool:
    """Whether an image has its maximum at the edge of the map, or much of its flux near it.

    A source outside the field adds flux that no pixel can fit; MEM_GE and EM place it at the edge.
    """
    if image.sources or image.image.max() <= 0 or "residual" in image.planes:
        return False  # a fit has no edge; CLEAN's residual reaches it everywhere
    ny, nx = image.image.shape
    rows, columns = max(ny // FRAME, 1), max(nx // FRAME, 1)
    inner = image.image[rows : ny - rows, columns : nx - columns].sum()
    return _peak_at_edge(image) or float(1.0 - inner / image.image.sum()) > limits.edge_share


def _peak_at_edge(image: Reconstruction) -> bool:
    ny, nx = image.image.shape
    row, column = np.unravel_index(int(np.argmax(image.image)), image.image.shape)
    return bool(min(row, column, ny - 1 - row, nx - 1 - column) <= 1)
