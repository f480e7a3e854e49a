"""Pointing, full-disk peak and circle fit of 56 real flares compared with the IDL ground software."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.november_2022 import IdlFlare, aspect_files, background, idl_flares
from benchmarks.real_data import SHARED_DATA
from benchmarks.timing import print_table
from stixcore.calibration.pointing import pointing_at
from stixcore.coordinates import Pointing, hpc_to_stix, stix_to_hpc
from stixcore.fits.products import AspectTable
from stixcore.fits.read import read_aspect
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.location import full_disk_grid
from stixcore.imaging.methods import FullDiskParameters, MethodParameters
from stixcore.imaging.metrics import signal_to_noise
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import THRESHOLDS, Severity, assess
from stixcore.options import ImageRequest
from stixcore.reconstruct import ImageSet, prepare_recipe, reconstruct

Floats = NDArray[np.float64]

#: Differences from IDL beyond which a reason is listed, arcsec.
FAR_FIT, FAR_PEAK = 5.0, 10.0
#: IDL's list contains the mean pointing from this long before to this long after each peak.
LIST_WINDOW = np.timedelta64(20, "s")
METHODS: dict[Method, MethodParameters] = {
    Method.FULL_DISK_BP: FullDiskParameters(),
    Method.VIS_FWDFIT: ForwardFitParameters(("circle",)),
}


@dataclass(frozen=True)
class Compared:
    """Our result minus IDL's for one flare; (x, y) differences in arcsec, helioprojective unless noted.

    Attributes
    ----------
    flare : IdlFlare
    fit : (2,) float
        Our circle fit minus IDL's.
    fit_same_pointing : (2,) float
        The same with our position in the instrument frame and the pointing of IDL's list.
    fit_sigma : (2,) float
        Our standard deviation.
    peak : (2,) float
        Our sub-pixel full-disk peak minus IDL's circle fit.
    peak_idl : (2,) float
        Our full-disk peak minus IDL's, corrected for its bias of half a pixel.
    pointing_window, pointing_list : (2,) float
        Pointing in the window of the map, and from 20 s before to 20 s after the peak of the flare.
    reduced_chi2 : float
        Of the circle.
    warnings : tuple of str
        Warnings of `stixcore.imaging.trust`.
    model, evidence : str, float
        Model preferred to a circle, or "circle", and the difference in BIC.
    """

    flare: IdlFlare
    fit: Floats
    fit_same_pointing: Floats
    fit_sigma: Floats
    peak: Floats
    peak_idl: Floats
    pointing_window: Floats
    pointing_list: Floats
    sidelobe_ratio: float
    reduced_chi2: float
    counts: float
    net_counts: float
    snr: float
    warnings: tuple[str, ...]
    model: str
    evidence: float

    @property
    def in_idl_sigma(self) -> float:
        """Distance of the fits, each axis in IDL's sigma."""
        return float(np.hypot(*(self.fit / self.flare.fit_sigma)))

    @property
    def background_share(self) -> float:
        """Background ÷ recorded counts."""
        return 1.0 - self.net_counts / self.counts


def run() -> None:
    """Print the tables."""
    if not SHARED_DATA.is_dir():
        print("\nSkipped the flares of November 2022: ../shared/data does not exist")
        return
    aspects = [read_aspect(path) for path in aspect_files()]
    compared = [compare(flare, aspects) for flare in idl_flares()]
    _print_flares(compared)
    _print_summary(compared)
    _print_far(
        f"Circle fits more than {FAR_FIT:g}″ from IDL's, with the reason",
        [(one, one.fit) for one in compared if np.hypot(*one.fit) > FAR_FIT],
    )
    _print_far(
        f"Full-disk peaks more than {FAR_PEAK:g}″ from IDL's circle fit, with the reason",
        [(one, one.peak) for one in compared if np.hypot(*one.peak) > FAR_PEAK],
    )


def compare(flare: IdlFlare, aspects: Sequence[AspectTable]) -> Compared:
    """Image a flare with a circle as the only model."""
    request = ImageRequest(flare.start, flare.end, (6.0, 10.0), methods=METHODS)
    recipe = prepare_recipe(request, flare.file, background(), aspect_files())
    paths = {path.name: path for path in (flare.file, background(), *aspect_files())}
    images = reconstruct(recipe, lambda file: paths[file.name])
    assert images.location is not None
    circle, peak = images.images[Method.VIS_FWDFIT].sources[0], (images.location.x, images.location.y)
    fit = (circle["x"], circle["y"])
    of_list = pointing_at(aspects, flare.peak - LIST_WINDOW, flare.peak + LIST_WINDOW)
    # IDL's 512 pixels start at -256 instead of -255.5, so that its peaks are half a pixel too far south and east.
    half_pixel = full_disk_grid(recipe.pointing.rsun).pixel / 2.0
    x_stix, y_stix = hpc_to_stix(*flare.full_disk, of_list)
    idl_peak = np.array(stix_to_hpc(x_stix + half_pixel, y_stix - half_pixel, of_list))
    models = forward_fit(images.vis, recipe.grid).model_selection
    (chosen,) = (model for model in models if model["chosen"])
    counts, quiet = images.counts
    return Compared(
        flare=flare,
        fit=np.subtract(fit, flare.fit),
        fit_same_pointing=np.array(stix_to_hpc(*hpc_to_stix(*fit, recipe.pointing), of_list)) - flare.fit,
        fit_sigma=np.array([circle["x_sigma"], circle["y_sigma"]]),
        peak=np.subtract(peak, flare.fit),
        peak_idl=peak - idl_peak,
        pointing_window=_axis(recipe.pointing) - flare.pointing,
        pointing_list=_axis(of_list) - flare.pointing,
        sidelobe_ratio=images.location.sidelobe_ratio,
        reduced_chi2=images.images[Method.VIS_FWDFIT].model_selection[0]["reduced_chi2"],
        counts=counts,
        net_counts=counts - quiet,
        snr=signal_to_noise(images.vis.amplitude, images.vis.sigma),
        warnings=_doubts(images),
        model=chosen["model"],
        evidence=models[0]["delta_bic"],
    )


def _axis(pointing: Pointing) -> Floats:
    return np.array([pointing.x, pointing.y])


def _doubts(images: ImageSet) -> tuple[str, ...]:
    return tuple(finding.code for finding in assess(images) if finding.severity is Severity.DOUBT)


def _print_flares(compared: Sequence[Compared]) -> None:
    rows: list[list[object]] = [
        [
            one.flare.uid,
            f"{one.fit[0]:+.2f}",
            f"{one.fit[1]:+.2f}",
            f"{np.hypot(*one.fit):.2f}",
            f"{one.in_idl_sigma:.2f}",
            f"{np.hypot(*one.peak):.2f}",
            f"{one.sidelobe_ratio:.2f}",
            f"{one.reduced_chi2:.2f}",
            f"{one.net_counts:.0f}",
            one.model,
            " ".join(one.warnings),
        ]
        for one in compared
    ]
    columns = ["uid", "dx", "dy", "fit distance [″]", "in IDL σ", "peak distance [″]", "side lobe", "red. χ²", "net ct"]
    print_table(
        f"Circle fit and full-disk peak of {len(rows)} flares compared with IDL's VIS_FWDFIT_PSO, 6-10 keV",
        [*columns, "model by BIC", "warnings"],
        rows,
    )


def _print_summary(compared: Sequence[Compared]) -> None:
    rows = [
        _summary("circle fit - IDL's circle fit", compared, lambda one: one.fit, "median ≤ 0.5, p90 ≤ 2.2"),
        _summary("  with the pointing of IDL's list", compared, lambda one: one.fit_same_pointing, ""),
        _summary("full-disk peak - IDL's circle fit", compared, lambda one: one.peak, "median ≤ 4, p90 < 10"),
        _summary("full-disk peak - IDL's, bias corrected", compared, lambda one: one.peak_idl, ""),
        _summary("pointing in the window of the map", compared, lambda one: one.pointing_window, "each axis ≤ 0.5"),
        _summary("pointing in the window of IDL's list", compared, lambda one: one.pointing_list, ""),
    ]
    columns = [
        "difference [″]",
        "median",
        "p90",
        "largest",
        "largest x, y",
        "mean x, y",
        "± s.e.",
        "median x, y",
        "target",
    ]
    print_table("Summary", columns, rows)
    in_sigma = [one.in_idl_sigma for one in compared]
    fits, weights = np.array([one.fit for one in compared]), np.array([1.0 / one.fit_sigma**2 for one in compared])
    offset = (fits * weights).sum(axis=0) / weights.sum(axis=0)
    near = fits[np.hypot(*fits.T) <= FAR_FIT]
    print(
        f"\n  Circle fits in IDL's sigma: median {np.median(in_sigma):.2f}, p90 {np.percentile(in_sigma, 90):.2f}, "
        f"largest {max(in_sigma):.2f}\n"
        f"  Systematic offset of the circle fits (target: 0.1″): weighted mean ({offset[0]:+.3f}, {offset[1]:+.3f})″, "
        f"mean of the {len(near)} within {FAR_FIT:g}″ ({near[:, 0].mean():+.3f}, {near[:, 1].mean():+.3f}) ± "
        f"({near[:, 0].std(ddof=1) / np.sqrt(len(near)):.3f}, {near[:, 1].std(ddof=1) / np.sqrt(len(near)):.3f})″"
    )


def _summary(name: str, compared: Sequence[Compared], of: Callable[[Compared], Floats], bar: str) -> list[object]:
    shift = np.array([of(one) for one in compared])
    distance = np.hypot(*shift.T)

    def pair(values: Floats, form: str = "+.3f") -> str:
        return ", ".join(format(value, form) for value in values)

    error = shift.std(axis=0, ddof=1) / np.sqrt(len(shift))
    largest = [f"{value:.3f}" for value in (np.median(distance), np.percentile(distance, 90), distance.max())]
    axes = [pair(np.abs(shift).max(axis=0), ".3f"), pair(shift.mean(axis=0)), pair(error, ".3f")]
    return [name, *largest, *axes, pair(np.median(shift, axis=0)), bar]


def _print_far(title: str, far: Sequence[tuple[Compared, Floats]]) -> None:
    rows: list[list[object]] = [
        [one.flare.uid, f"{np.hypot(*shift):.2f}", " ".join(one.warnings) or "none", _reason(one)] for one, shift in far
    ]
    if rows:
        print_table(title, ["uid", "off [″]", "warnings", "reasons"], rows)
    else:
        print(f"\n{title}: none")


def _reason(one: Compared) -> str:
    """Values near or beyond the thresholds of warnings, and the standard deviations of both fits."""
    reasons = []
    if one.sidelobe_ratio >= THRESHOLDS.sidelobe_ratio - 0.01:
        reasons.append(f"side-lobe ratio {one.sidelobe_ratio:.3f}")
    if one.reduced_chi2 >= THRESHOLDS.chi2:
        reasons.append(f"reduced χ² {one.reduced_chi2:.1f}")
    if one.net_counts < 2.0 * THRESHOLDS.net_counts:
        reasons.append(f"{one.net_counts:.0f} net counts")
    if one.snr < THRESHOLDS.signal_to_noise:
        reasons.append(f"signal-to-noise {one.snr:.1f}")
    if one.background_share > 0.4:
        reasons.append(f"{100.0 * one.background_share:.0f} % of the counts are background")
    if one.model != "circle":
        reasons.append(f"{one.model} fits better than one circle (ΔBIC {one.evidence:.0f})")
    ours, idl = np.hypot(*one.fit_sigma), np.hypot(*one.flare.fit_sigma)
    return ", ".join([*reasons, f"sigma of the position: {ours:.1f}″ (ours), {idl:.1f}″ (IDL)"])
