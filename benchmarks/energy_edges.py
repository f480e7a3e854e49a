"""Which energy-edge correction makes real data self-consistent: 69 files of November 2022.

Positions are not used, only consistency: the two pixel rows measure the same visibility, A + C and B + D the same flux,
and there is an image that explains the visibilities. The window of a file is the brightest minute in its band, 6-10
keV, then 4-10 keV. There is no CAL file of November 2022, and no science file for the days of the known one, so daily
calibration and medians of neighboring days cannot be tested here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.november_2022 import FOLDER, aspect_files, background
from benchmarks.real_data import SHARED_DATA
from benchmarks.timing import print_table
from stixcore.calibration.catalog import SHIPPED, Calibration
from stixcore.calibration.energy import EdgeCorrection
from stixcore.coordinates import hpc_to_stix
from stixcore.errors import StixError
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_pixel_data
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.methods import ImagingInput, default_methods, run_method
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices
from stixcore.options import ImageRequest
from stixcore.recipe import Recipe
from stixcore.reconstruct import prepare_recipe
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels, sum_pixels
from stixcore.visibility.visibilities import Visibilities

Floats = NDArray[np.float64]

BANDS = ((6.0, 10.0), (4.0, 10.0))
WINDOW_S = 60.0
#: Signal-to-noise ratio of both rows from which visibilities are used in relative differences.
CLEAR = 10.0
#: Number of files with the most counts that are used in the means; the others are dominated by noise.
BRIGHTEST = 30
#: Energy tables in force in November 2022, from June 2025, and from June 2026.
RIGHT, WRONG, NEWEST = "elut_table_20220918", "elut_table_20250523", "elut_table_20260529"


@dataclass(frozen=True)
class Variant:
    """A correction: its name, the spectrum in the channels, and the energy table whose edges are used."""

    name: str
    correction: EdgeCorrection
    table: str = RIGHT


VARIANTS = (
    Variant("no correction", EdgeCorrection.NONE),
    Variant("flat spectrum", EdgeCorrection.FLAT),
    Variant("power law", EdgeCorrection.POWER_LAW),
    Variant("power law, wrong table", EdgeCorrection.POWER_LAW, WRONG),
    Variant("power law, newest table", EdgeCorrection.POWER_LAW, NEWEST),
)


@dataclass(frozen=True)
class Consistency:
    """Results for one file with one correction; arrays over the visibilities of labels 3-10.

    Attributes
    ----------
    rows : float
        χ² per degree of freedom of the visibilities of the TOP row against those of BOT, counting errors only.
    amplitude : (n,) float
        |V_TOP| / |V_BOT| - 1 where both are significant, %.
    phase : (n,) float
        Phase of V_TOP minus that of V_BOT where both are significant, deg.
    sums : float
        χ² per degree of freedom of A + C against B + D.
    sum_ratio : (n,) float
        (A + C) / (B + D) - 1, %.
    mem : float
        χ² per degree of freedom of MEM_GE.
    vis, clear : (24,) complex and bool
        Both rows together, and whether they are significant.
    counts : float
        Net.
    """

    rows: float
    amplitude: Floats
    phase: Floats
    sums: float
    sum_ratio: Floats
    mem: float
    vis: NDArray[np.complex128]
    clear: NDArray[np.bool_]
    counts: float


def run() -> None:
    """Print the tables."""
    if not SHARED_DATA.is_dir():
        print("\nThe files of November 2022 need ../shared/data, which is not here")
        return
    for band in BANDS:
        measured = list(_measured(band))
        print_table(
            f"Energy-edge correction, {band[0]:g}-{band[1]:g} keV, {len(measured)} files: self-consistency",
            ["correction", "TOP/BOT χ²", "amplitude rms %", "phase rms °", "A+C/B+D χ²", "rms %", "MEM_GE χ²"],
            [_row(variant, measured) for variant in VARIANTS],
        )
        _print_change(band, measured)


def _measured(band: tuple[float, float]) -> Iterator[dict[str, Consistency]]:
    for path in sorted((FOLDER / "l1").glob("*.fits")):
        data, quiet = read_pixel_data(path), read_pixel_data(background())
        try:
            start, end = brightest(data, band)
            request = ImageRequest(start, end, band, methods=default_methods())
            recipe = prepare_recipe(request, path, background(), aspect_files())
            yield {variant.name: consistency(data, quiet, recipe, variant) for variant in VARIANTS}
        except StixError as error:
            print(f"  left out: {path.name}: {error}")


def brightest(data: PixelData, band: tuple[float, float]) -> tuple[np.datetime64, np.datetime64]:
    """The window of at least a minute with the highest count rate."""
    counts = np.concatenate([[0.0], np.cumsum(data.summed(*band))])
    edges = np.concatenate([[0.0], np.cumsum(data.duration)])
    last = np.searchsorted(edges, edges[:-1] + min(WINDOW_S, edges[-1]) - 1e-6)
    last = np.minimum(last, data.duration.size)
    rate = (counts[last] - counts[:-1]) / (edges[last] - edges[:-1])
    rate[edges[last] - edges[:-1] < min(WINDOW_S, edges[-1]) - 1e-3] = -np.inf
    first = int(np.argmax(rate))
    return data.t_start[first], data.t_end[last[first] - 1]


def consistency(data: PixelData, quiet: PixelData, recipe: Recipe, variant: Variant) -> Consistency:
    """Measure one file with one correction at the place of its recipe."""
    right = SHIPPED.tables[RIGHT]
    # under the right name, or the background is refused
    table = replace(right, edges=SHIPPED.tables[variant.table].edges)
    calibration = Calibration(SHIPPED, table, SHIPPED.choose(recipe.t_start, recipe.t_end).phases, None, "")

    def pixels(pixel_set: PixelSet) -> MetaPixels:
        return sum_pixels(
            data,
            recipe.t_start,
            recipe.t_end,
            *recipe.energy_range,
            background=quiet,
            pixel_set=pixel_set,
            edge_correction=variant.correction,
            calibration=calibration,
        )

    x, y = hpc_to_stix(recipe.location.x, recipe.location.y, recipe.pointing)
    place = (float(x), float(y))

    def visibilities(summed: MetaPixels, systematic: float) -> Visibilities:
        return form_visibilities(
            summed, IMAGING_LABELS, flare_xy=place, scheme=recipe.amplitude_scheme, systematic=systematic
        )

    both = pixels(PixelSet.TOP_BOT)
    top, bottom = (visibilities(pixels(rows), 0.0) for rows in (PixelSet.TOP, PixelSet.BOT))
    clear = (top.amplitude > CLEAR * top.sigma) & (bottom.amplitude > CLEAR * bottom.sigma)
    ratio = top.vis[clear] / bottom.vis[clear]
    detectors = detector_indices(IMAGING_LABELS)
    rate, variance = both.rate[detectors], both.rate_sigma[detectors] ** 2
    ac, bd = rate[:, 0] + rate[:, 2], rate[:, 1] + rate[:, 3]
    vis = visibilities(both, 0.05).to_helioprojective(recipe.pointing, recipe.location.x, recipe.location.y)
    with single_threaded():
        image = run_method(
            Method.MEM_GE,
            recipe.methods[Method.MEM_GE],
            ImagingInput(
                vis,
                both,
                recipe.grid,
                FourierOperator(vis.u, vis.v, recipe.grid),
                recipe.pointing,
                place,
                recipe.amplitude_scheme,
            ),
        )
    return Consistency(
        # σ is that of the amplitude: half of |difference|² belongs to each of real and imaginary part
        rows=float(np.mean(np.abs(top.vis - bottom.vis) ** 2 / (top.sigma**2 + bottom.sigma**2)) / 2.0),
        amplitude=100.0 * (np.abs(ratio) - 1.0),
        phase=np.rad2deg(np.angle(ratio)),
        sums=float(np.mean((ac - bd) ** 2 / variance.sum(axis=1))),
        sum_ratio=100.0 * (ac / bd - 1.0),
        mem=image.chi2,
        vis=vis.vis,
        clear=clear,
        counts=float(both.counts[detectors].sum() - both.background[detectors].sum()),
    )


def _row(variant: Variant, measured: list[dict[str, Consistency]]) -> list[object]:
    """Means over the brightest files; χ² with its paired difference from no correction and the error of that."""
    plain = VARIANTS[0].name
    bright = sorted(measured, key=lambda one: -one[plain].counts)[:BRIGHTEST]
    found = [one[variant.name] for one in bright]

    def against_plain(field: str) -> str:
        values = np.array([getattr(one[variant.name], field) for one in bright])
        change = values - [getattr(one[plain], field) for one in bright]
        error = change.std(ddof=1) / np.sqrt(change.size)
        return f"{values.mean():.3f} ({change.mean():+.3f} ± {error:.3f})"

    return [
        variant.name,
        against_plain("rows"),
        _rms(np.concatenate([one.amplitude for one in found])),
        _rms(np.concatenate([one.phase for one in found])),
        against_plain("sums"),
        _rms(np.concatenate([one.sum_ratio for one in found])),
        against_plain("mem"),
    ]


def _print_change(band: tuple[float, float], measured: list[dict[str, Consistency]]) -> None:
    """What the wrong table changes, of two that differ as those before and after 2026-06-15 do."""
    pairs = [(one["power law, wrong table"], one["power law, newest table"]) for one in measured]
    ratios = np.concatenate([(wrong.vis / right.vis)[right.clear] for wrong, right in pairs])
    change, phase = 100.0 * np.abs(np.abs(ratios) - 1.0), np.abs(np.rad2deg(np.angle(ratios)))
    print_table(
        f"{WRONG} instead of {NEWEST}, {band[0]:g}-{band[1]:g} keV: clear visibilities of {len(measured)} files",
        ["visibilities", "changed > 1 %", "> 5 %", "rms %", "max %", "phase rms °", "max °"],
        [
            [
                ratios.size,
                f"{100 * np.mean(change > 1):.0f} %",
                f"{100 * np.mean(change > 5):.0f} %",
                _rms(change),
                float(change.max()),
                _rms(phase),
                float(phase.max()),
            ]
        ],
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def of_file(path: Path, band: tuple[float, float]) -> dict[str, Consistency]:
    """All corrections on one file; for tests."""
    data, quiet = read_pixel_data(path), read_pixel_data(background())
    start, end = brightest(data, band)
    recipe = prepare_recipe(
        ImageRequest(start, end, band, methods=default_methods()), path, background(), aspect_files()
    )
    return {variant.name: consistency(data, quiet, recipe, variant) for variant in VARIANTS}
