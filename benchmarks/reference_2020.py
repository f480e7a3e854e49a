"""The 24 visibilities of 2020-06-07 with all methods, compared with the IDL ground software."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import june_2020
from benchmarks.real_data import SHARED_DATA, real_flare
from benchmarks.timing import print_table
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.imaging.back_projection import BackProjectionParameters, back_project
from stixcore.imaging.clean import CleanParameters, clean
from stixcore.imaging.em import EmParameters, count_response, expectation_maximization
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import EarlyStop, FluxEstimate, MemGeParameters, mem_ge
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method, Reconstruction, chi_square
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.weights import Weighting
from stixcore.instrument.geometry import PixelSet, detector_indices, uv_points

REFERENCE = SHARED_DATA.parent / "reference_20200607.json"
GRID = ImageGrid((129, 129), 2.0)
#: Names of the values of a source, here and in the reference.
VALUES = {
    "flux": "flux",
    "x": "x",
    "y": "y",
    "fwhm": "fwhm",
    "fwhm_max": "fwhm_max",
    "fwhm_min": "fwhm_min",
    "position_angle": "pa",
    "loop_angle": "loop_angle",
}

type Numbers = Mapping[str, float]


def run() -> None:
    """Print the tables."""
    if not REFERENCE.is_file():
        print(f"\nSkipped the comparison with IDL on 2020-06-07: {REFERENCE.name} is not in ../shared")
        return
    reference = json.loads(REFERENCE.read_text())
    with single_threaded():
        _print_fits(reference["fwdfit_gdl_original_pso"])
        _print_maps(reference["images_gdl_original"])
        _print_em(reference["em_synthetic_gdl"])
    if SHARED_DATA.is_dir():
        _print_level_1()


# ---- forward fits ----


def _print_fits(idl: Mapping[str, Any]) -> None:
    rows: list[list[object]] = []
    loop = dict(idl["loop"], ndof=41, redchi2=idl["loop"]["redchi2_gsw_ndof40"] * idl["loop"]["ndof_gsw"] / 41)
    loop["pa"] = loop["pa_loop_convention"]
    for shapes, expected in (
        (("circle",), idl["circle"]),
        (("ellipse",), dict(idl["ellipse"], fwhm=np.sqrt(idl["ellipse"]["fwhm_max"] * idl["ellipse"]["fwhm_min"]))),
        (("loop",), dict(loop, fwhm=np.sqrt(loop["fwhm_max"] * loop["fwhm_min"]))),
        (("circle", "circle"), idl["two_circles"]),
    ):
        result = forward_fit(june_2020.ours(), GRID, ForwardFitParameters(shapes))
        (model,) = result.model_selection
        name = "+".join(shapes)
        chi2, idl_chi2 = model["chi2"], expected["redchi2"] * expected["ndof"]
        rows.append([name, "chi²", f"{chi2:.5f}", "", f"{idl_chi2:.5f}", "", f"{chi2 - idl_chi2:+.5f}", ""])
        theirs = sorted(expected.get("sources", [expected]), key=lambda source: -source["flux"])
        ours = sorted(result.sources, key=lambda source: -source["flux"])
        for number, (source, other) in enumerate(zip(ours, theirs, strict=True), start=1):
            for value, theirs_name in VALUES.items():
                if value not in source:
                    continue
                difference, sigma = source[value] - other[theirs_name], source[f"{value}_sigma"]
                idl_sigma = other.get("sigma", {}).get(theirs_name, float("nan"))
                rows.append(
                    [
                        f"{name} {number}" if len(shapes) > 1 else name,
                        value,
                        f"{source[value]:.4f}",
                        f"{sigma:.3f}",
                        f"{other[theirs_name]:.4f}",
                        "" if np.isnan(idl_sigma) else f"{idl_sigma:.3f}",
                        f"{difference:+.4f}",
                        f"{difference / sigma:+.3f}",
                    ]
                )
    columns = ["model", "value", "ours", "± residuals", "IDL's PSO", "± 20 refits", "difference", "in our sigma"]
    print_table(
        "Forward fits to the 24 visibilities of 2020-06-07 (chi² of a loop: IDL's, with its 41 dof)", columns, rows
    )


# ---- maps ----


def _maps() -> list[tuple[str, str, Reconstruction]]:
    """Name here, name in the reference, result."""
    vis, operator = june_2020.ours(), FourierOperator(june_2020.ours().u, june_2020.ours().v, GRID)
    amplitude, gsw = MemGeParameters(flux_estimate=FluxEstimate.AMPLITUDE), MemGeParameters(early_stop=EarlyStop.GSW)
    maps = [
        ("BP natural", "gdl_bp_nat", back_project(vis, GRID)),
        ("BP uniform", "gdl_bp_uni", back_project(vis, GRID, BackProjectionParameters(Weighting.UNIFORM))),
    ]
    for weighting, short in ((Weighting.NATURAL, "nat"), (Weighting.UNIFORM, "uni")):
        result = clean(vis, GRID, CleanParameters(weighting=weighting), operator=operator)
        maps.append((f"CLEAN {weighting}", f"gdl_clean_{short}_bw20", result))
        for plane, theirs in (("restored", "cleanconv"), ("components", "cleancomp")):
            part = Reconstruction(Method.CLEAN, GRID, result.planes[plane], n_iter=result.n_iter)
            maps.append((f"  its {plane}", f"gdl_{theirs}_{short}_bw20", part))
    maps += [
        ("MEM_GE with IDL's stop rule", "gdl_mem_ge", mem_ge(vis, GRID, gsw)),
        ("MEM_GE at its optimum", "gdl_mem_ge", mem_ge(vis, GRID)),
        ("MEM_GE, F = max |V| (default)", "gdl_mem_ge", mem_ge(vis, GRID, amplitude)),
    ]
    return maps


def _print_maps(idl: Mapping[str, Any]) -> None:
    vis = june_2020.ours()
    operator = FourierOperator(vis.u, vis.v, GRID)
    rows: list[list[object]] = []
    for name, theirs, result in _maps():
        other = idl["maps"][theirs]
        source, image = measure_source(result.image, GRID), result.image
        per_area = result.method is not Method.BP
        flux, their_flux = image.sum() * GRID.pixel_area, other["total_flux"]
        chi2 = chi_square(operator.forward(image), vis)
        components = theirs.startswith("gdl_cleancomp")  # single pixels: centroid and width are not meaningful
        rows.append(
            [
                name,
                f"{image.max():.6g}",
                f"{100.0 * (image.max() / other['peak'] - 1.0):+.4f}",
                "{:.0f}, {:.0f}".format(*GRID.peak(image)),
                f"{other['peak_x']:.0f}, {other['peak_y']:.0f}",
                f"{flux:.4f}" if per_area else "",
                f"{flux - their_flux:+.4f}" if per_area else "",
                "" if components else f"{source.x:.2f}, {source.y:.2f}",
                ""
                if components
                else f"{source.x - other['centroid_x50']:+.2f}, {source.y - other['centroid_y50']:+.2f}",
                "" if components else f"{source.fwhm:.2f}",
                "" if components else f"{source.fwhm - other['fwhm_equiv']:+.2f}",
                f"{chi2:.4f}" if per_area else "",
                f"{other['chi2_gsw'] * (len(vis) - 1) / (2 * len(vis)):.4f}" if per_area else "",
                result.n_iter or "",
            ]
        )
    columns = ["map", "peak", "- IDL [%]", "at", "IDL at", "total flux", "- IDL", "centroid", "- IDL", "FWHM", "- IDL"]
    print_table(
        "Maps of the same visibilities, 129² × 2″ (CLEAN: beam 20″; IDL's iterations: natural "
        f"{idl['clean_iterations']['natural']}, uniform {idl['clean_iterations']['uniform']})",
        [*columns, "chi²/23", "IDL", "iterations"],
        rows,
    )


# ---- EM ----


def _print_em(idl: Mapping[str, Any]) -> None:
    """On the noise-free synthetic counts used with IDL's ``stx_em``; there is no EM result of IDL for real counts."""
    labels = [f"{number}{letter}" for number in range(3, 11) for letter in "abc"]
    index, grid, center = detector_indices(labels), ImageGrid((65, 65), 4.0), (300.0, -200.0)
    u, v = uv_points()[index].T.copy()
    operator = FourierOperator(u, v, grid)
    response = count_response(operator, index, center, center, AmplitudeScheme.GSW_2026, PixelSet.TOP_BOT)
    rates = np.array(idl["em_rates"])[index]
    found = expectation_maximization(response, rates, np.zeros_like(rates), EmParameters())
    std, c_stat = list(idl["std_trace"].values())[-1], list(idl["cstat_trace"].values())[-1]
    pairs = [
        ("iterations", float(found.n_iter), float(idl["stop_iteration"])),
        ("STD index", float(found.std_index[-1]), std),
        ("C-statistic", float(found.c_stat[-1]), c_stat),
        ("peak", float(found.image.max()), idl["peak"]),
        ("peak x", grid.peak(found.image)[0], idl["peak_xy"][0]),
        ("peak y", grid.peak(found.image)[1], idl["peak_xy"][1]),
        ("total flux", float(found.image.sum() * grid.pixel_area), idl["total_flux"]),
    ]
    rows: list[list[object]] = [
        [name, f"{ours:.8g}", f"{theirs:.8g}", f"{ours / theirs - 1.0:+.1e}"] for name, ours, theirs in pairs
    ]
    title = "EM on synthetic counts, a Gaussian of 20″ and flux 10 (65² × 4″)"
    print_table(title, ["number", "ours", "IDL's stx_em", "ratio - 1"], rows)


# ---- from the level-1 file ----


def _print_level_1() -> None:
    """All methods from the counts with the current calibration; there is no reference for EM."""
    given = real_flare("2020")
    rows: list[list[object]] = []
    for method, result in given.images.images.items():
        if method is Method.FULL_DISK_BP:
            continue
        source = measure_source(result.image, result.grid)
        place = f"{source.x - result.grid.center[0]:+.2f}, {source.y - result.grid.center[1]:+.2f}"
        deconvolved = method is not Method.BP
        rows.append(
            [
                str(method),
                f"{result.total_flux:.3f}" if deconvolved else "",
                f"{result.image.max():.5g}",
                place,
                f"{source.fwhm:.1f}",
                f"{result.chi2:.3f}" if deconvolved else "",
                result.n_iter or "",
                str(result.stopped_by),
            ]
        )
    columns = [
        "method",
        "total flux",
        "peak",
        "centroid - map center",
        "FWHM [″]",
        "chi²/23",
        "iterations",
        "stop reason",
    ]
    counts = "{:.0f} counts, {:.0f} of background".format(*given.images.counts)
    print_table(f"The same flare from its level-1 file with the defaults of the archive ({counts})", columns, rows)
