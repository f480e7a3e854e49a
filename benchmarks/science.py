"""Accuracy of all methods on more than a thousand simulated flares of known truth, and of other packages.

``make bench-science``. Prints the tables and writes them to docs/accuracy.md with docs/figures/accuracy.png.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import coverage, flags, fluxes
from benchmarks.accuracy_page import keep_sections, replace_section
from benchmarks.measures import (
    BEAM,
    BEFORE,
    CHOICES,
    DIP,
    FAINTEST,
    METHODS,
    NEAR,
    SMEARED,
    Fitted,
    Measured,
    measure,
    measure_ours,
)
from benchmarks.peers import peer_images
from benchmarks.real_data import SHARED_DATA
from benchmarks.scenes import BACKGROUND, COUNTS, DESCRIPTION, PIXEL, SHAPE, Scene, observe
from benchmarks.timing import print_table
from stixcore.imaging.threads import single_threaded

N_REALIZATIONS = 90
#: Realizations that are also imaged with other packages, whose MEM takes seconds per image.
N_PEERS = 4
WORKERS = 2
DOCS = Path(__file__).resolve().parents[1] / "docs"
#: Targets at this number of counts.
BAR_COUNTS = 1e5
POSITION_MEDIAN, POSITION_P95 = 1.0, 4.0  # arcsec
FLUX_BAR, FWHM_BAR, SEPARATED_BAR = 5.0, 10.0, 95.0  # %


@dataclass(frozen=True)
class Table:
    """A titled table, for the terminal and for the documentation."""

    title: str
    columns: list[str]
    rows: list[list[object]]

    def print(self) -> None:
        print_table(self.title, self.columns, self.rows)

    def markdown(self) -> str:
        lines: list[list[object]] = [[*self.columns], ["---"] * len(self.columns), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


@dataclass(frozen=True)
class Results:
    """All measurements."""

    ours: list[Measured]
    fits: list[Fitted]
    peers: list[Measured]


type Task = tuple[Scene, float, int, bool]


def run(n_realizations: int = N_REALIZATIONS, n_peers: int = N_PEERS, docs: Path = DOCS) -> None:
    """Run the campaign, print the tables and write the page."""
    begin = perf_counter()
    results = campaign(n_realizations, n_peers)
    tables = _tables(results)
    tables["errors"] = [
        Table(*fluxes.flux_table()),
        *([Table(*fluxes.ratio_table())] if SHARED_DATA.is_dir() else []),
        Table(*coverage.coverage_table()),
    ]
    for group in tables.values():
        for table in group:
            if table.rows:
                table.print()
    draw_figure(results, docs / "figures" / "accuracy.png")
    page = docs / "accuracy.md"
    earlier = page.read_text(encoding="utf-8") if page.is_file() else ""
    written = keep_sections(_page(tables, n_realizations, n_peers), earlier, flags.NEXT)
    page.write_text(written, encoding="utf-8")
    doubts = flags.flag_tables()
    for doubt in doubts:
        print_table(*doubt)
    replace_section(page, flags.section(doubts), flags.NEXT)
    print(f"\n  {len(Scene) * len(COUNTS) * n_realizations} flares in {perf_counter() - begin:.0f} s; written: {page}")


def campaign(n_realizations: int, n_peers: int) -> Results:
    """All scenes, counts and noise realizations, on two processes."""
    # the slow ones, with other packages, first
    tasks: list[Task] = sorted(
        ((s, c, n, n < n_peers) for n in range(n_realizations) for s in Scene for c in COUNTS),
        key=lambda task: not task[3],
    )
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        parts = list(pool.map(_one_flare, tasks))
    return Results(
        ours=[one for ours, _, _ in parts for one in ours],
        fits=[one for _, fits, _ in parts for one in fits],
        peers=[one for _, _, peers in parts for one in peers],
    )


def _one_flare(task: Task) -> tuple[list[Measured], list[Fitted], list[Measured]]:
    scene, counts, number, with_peers = task
    given = observe(scene, counts, number)
    with single_threaded():
        ours, fits = measure_ours(given)
        images = peer_images(given) if with_peers else {}
    peers = [measure(given, name, peer.image, peer.total_flux, peer=True) for name, peer in images.items()]
    return ours, fits, peers


# ---- tables ----


def _tables(results: Results) -> dict[str, list[Table]]:
    return {
        "bars": [_position_table(results), _fit_table(results), _separation_table(results)],
        "scenes": [_scene_table(results, scene) for scene in Scene],
        "peers": [_peer_table(results), _peer_rms_table(results)],
    }


def _pick[T: (Measured, Fitted)](
    values: Iterable[T], scene: Scene | None = None, counts: float | None = None, **wanted: object
) -> list[T]:
    return [
        one
        for one in values
        if scene in (None, one.scene)
        and counts in (None, one.counts)
        and all(getattr(one, name) == value for name, value in wanted.items())
    ]


def _median(values: Sequence[Measured], of: Callable[[Measured], float], form: str = ".2f") -> str:
    numbers = np.array([of(one) for one in values])
    return "" if not numbers.size or np.isnan(numbers).all() else format(float(np.median(numbers)), form)


def _percent(hits: Sequence[bool | None]) -> str:
    return f"{100.0 * sum(map(bool, hits)) / len(hits):.0f}"


def _power(counts: float) -> str:
    return "10" + "⁰¹²³⁴⁵⁶⁷⁸⁹"[round(np.log10(counts))]


def _position_table(results: Results) -> Table:
    rows: list[list[object]] = []
    for method in METHODS:
        if method == SMEARED:
            continue
        row: list[object] = [method]
        for scene in (*Scene, None):
            off = [one.position for one in _pick(results.ours, scene, BAR_COUNTS, method=method)]
            median, p95 = float(np.median(off)), float(np.percentile(off, 95))
            row.append(f"{median:.2f} / {p95:.2f}")
        row.append("yes" if median < POSITION_MEDIAN and p95 < POSITION_P95 else "no")
        rows.append(row)
    title = (
        f"Position error at {_power(BAR_COUNTS)} counts, median / 95 % [″]; "
        f"target: {POSITION_MEDIAN:g} / {POSITION_P95:g}"
    )
    return Table(title, ["method", *Scene, "all scenes", "met"], rows)


def _fit_table(results: Results) -> Table:
    rows: list[list[object]] = [
        [scene, _power(counts), *_fit_row(_pick(results.fits, scene, counts, choice=choice), choice)]
        for scene in Scene
        for counts in COUNTS
        for choice in CHOICES
    ]
    title = (
        f"Forward fit, median |error| / fraction within the target of {FLUX_BAR:g} % (flux) and {FWHM_BAR:g} % (FWHM "
        "of the brightest source, if the fit has as many sources as the scene)"
    )
    columns = ["scene", "counts", "shapes", "models", "flux bias [%]", "flux [%]", "FWHM [%]", "position [″]"]
    return Table(title, columns, rows)


def _fit_row(fits: Sequence[Fitted], choice: str) -> list[object]:
    models = Counter(fit.model for fit in fits).most_common()
    flux = 100.0 * np.array([fit.flux for fit in fits])
    width = 100.0 * np.array([fit.fwhm for fit in fits if np.isfinite(fit.fwhm)])
    position = np.array([fit.position for fit in fits])
    return [
        choice,
        ", ".join(f"{name} {_percent([fit.model == name for fit in fits])} %" for name, _ in models),
        f"{np.median(flux):+.2f}",
        _within(flux, FLUX_BAR),
        _within(width, FWHM_BAR),
        f"{np.median(position):.2f} / {np.percentile(position, 95):.2f}",
    ]


def _within(errors: np.ndarray, bar: float) -> str:
    if not errors.size:
        return ""
    return f"{np.median(np.abs(errors)):.2f} / {100.0 * np.mean(np.abs(errors) <= bar):.0f} %"


def _separation_table(results: Results) -> Table:
    rows: list[list[object]] = []
    for method in METHODS:
        if method != SMEARED:
            chosen = [_pick(results.ours, Scene.TWO, counts, method=method) for counts in COUNTS]
            rows.append([f"{method} image", *(_percent([one.separated for one in part]) for part in chosen)])
    for choice in CHOICES:
        fits = [_pick(results.fits, Scene.TWO, counts, choice=choice) for counts in COUNTS]
        rows.append(
            [f"VIS_FWDFIT, two circles {choice}", *(_percent([one.separated for one in part]) for part in fits)]
        )
    title = f"Two sources 30″ apart that are separated [%]; target at {_power(BAR_COUNTS)}: more than {SEPARATED_BAR:g}"
    return Table(title, ["method", *(f"{_power(counts)} counts" for counts in COUNTS)], rows)


def _scene_table(results: Results, scene: Scene) -> Table:
    rows: list[list[object]] = []
    for counts in COUNTS:
        for method in METHODS:
            values = _pick(results.ours, scene, counts, method=method)
            rows.append([_power(counts), method, *_numbers(values)])
    title = f"{scene.capitalize()}: {DESCRIPTION[scene]}"
    return Table(title, ["counts", "method", *_NUMBERS], rows)


_NUMBERS = ["RMS error", "peak ÷ true", "width ÷ true", "position [″]", "its 95 % [″]", "flux ÷ true"]


def _numbers(values: Sequence[Measured]) -> list[str]:
    return [
        _median(values, lambda one: one.rms, ".3f"),
        _median(values, lambda one: one.peak),
        _median(values, lambda one: one.width),
        _median(values, lambda one: one.position),
        f"{np.percentile([one.position for one in values], 95):.2f}",
        _median(values, lambda one: one.flux, ".3f"),
    ]


def _same_flares(results: Results, method: str, **where: Any) -> tuple[list[Measured], list[Measured]]:
    """Images of a method by us and by another package, of the flares that both imaged."""
    theirs = _pick(results.peers, method=method, **where)
    made = {(one.scene, one.counts, one.number) for one in theirs}
    mine = _pick(results.ours, method=method, **where)
    return [one for one in mine if (one.scene, one.counts, one.number) in made], theirs


_PEERS = {"BP": "xrayvisim", "CLEAN": "xrayvisim", "EM": "stixpy", "MEM_GE": "xrayvisim"}


def _peer_table(results: Results) -> Table:
    rows: list[list[object]] = []
    for method, package in _PEERS.items():
        for name, values in zip(("ours", package), _same_flares(results, method), strict=True):
            if values:
                rows.append([method, name, len(values), *_numbers(values)])
    return Table(
        "Our images and those of other packages of the same flares, all scenes and counts",
        ["method", "by", "n", *_NUMBERS],
        rows,
    )


def _peer_rms_table(results: Results) -> Table:
    rows: list[list[object]] = []
    for scene in Scene:
        for counts in COUNTS:
            row: list[object] = [scene, _power(counts)]
            for method in _PEERS:
                pair = _same_flares(results, method, scene=scene, counts=counts)
                row.append(" / ".join(_median(values, lambda one: one.rms, ".3f") for values in pair))
            if results.peers:
                rows.append(row)
    return Table("RMS error of the same images, ours / other package", ["scene", "counts", *_PEERS], rows)


# ---- page and figure ----


def draw_figure(results: Results, output: Path) -> None:
    """Example images, and the RMS error by method against counts."""
    from benchmarks.measures import best_scaled, our_images
    from docs.figures.accuracy import Example, draw

    examples = []
    for scene in Scene:
        given = observe(scene, BAR_COUNTS, 0)
        truth = given.truth()
        with single_threaded():
            images = {name: result.image for name, result in our_images(given).items()}
        images["BP"] = best_scaled(images["BP"], truth)
        examples.append(Example(str(scene), truth, images, given.grid.pixel))

    def curves(values: Sequence[Measured]) -> dict[str, dict[str, list[float]]]:
        return {
            str(scene): {
                method: [
                    float(np.median([one.rms for one in _pick(values, scene, counts, method=method)]))
                    for counts in COUNTS
                ]
                for method in METHODS
                if method not in BEFORE and _pick(values, scene, method=method)
            }
            for scene in Scene
        }

    draw(examples, COUNTS, curves(results.ours), curves(results.peers), output)


def _page(tables: dict[str, list[Table]], n_realizations: int, n_peers: int) -> str:
    cells = len(Scene) * len(COUNTS)
    scenes = "\n".join(f"- **{scene}**: {DESCRIPTION[scene]};" for scene in Scene)
    text = {name: "\n\n".join(table.markdown() for table in group) for name, group in tables.items()}
    return f"""# How accurate the images are

Measured with `make bench-science` on {cells * n_realizations:,} simulated flares of known truth: {n_realizations} noise
realizations of five scenes, with 10⁴, 10⁵ and 10⁶ source counts in the 24 sub-collimators 3a … 10c (6-10 keV, 60 s) and
{BACKGROUND:.0f} background counts. The simulation uses the instrument model of the calibration and adds Poisson noise,
so it tests the methods, not the calibration. The scenes have random orientations and positions within 1000″ of Sun
center:

{scenes}

All are imaged on {SHAPE[1]} × {SHAPE[0]} pixels of {PIXEL:g}″ with the default parameters of the archive. The map
center is up to 8″ away from the center of the scene in x and y.

![Images and errors](figures/accuracy.png)

*Top: one flare per scene with 10⁵ counts, the inner 120″, each image with its own color scale. Bottom: median RMS error
against counts; open symbols: other Python packages.*

## Definitions

- **RMS error**: ‖image − truth‖ ÷ ‖truth‖ over all pixels, with the truth integrated over each pixel. A back projection
  is not deconvolved and has no absolute scale; it is multiplied by the best-fitting factor.
- **CLEAN ⊗**: CLEAN compared with the truth convolved with the CLEAN beam of {BEAM:g}″, which is what its map
  represents.
- **peak**: highest pixel. **width**: diameter of a circle with the area above half maximum around the peak.
  **position**: distance of the centroid of that area from that of the truth (from the nearer one of two sources). Truth
  and image are measured in the same way on the same pixels.
- **before**: the same flares with the default parameters until 2026-11-29: CLEAN with the stop rule of the ground
  software, MEM_GE with the largest amplitude as its flux, the forward-fit model chosen by plain BIC. Methods without
  such a row did not change; multi-scale CLEAN is new.
- **flux**: sum of the image; for both CLEANs the sum of the components, for VIS_FWDFIT of the fitted sources. MEM_GE
  takes its flux from the counts.
- **separated**: there is a local maximum of at least {100 * FAINTEST:.0f} % of the image maximum within {NEAR:g}″ of
  each source, and on the straight line between them the image drops to {100 * DIP:.0f} % of the lower one or less. For
  a forward fit: there is a fitted circle within {NEAR:g}″ of each source.
- VIS_FWDFIT chooses among circle, ellipse, loop and two circles by BIC, unless the shapes are given ("known").

## Comparison with the targets

{text["bars"]}

Back projection and CLEAN miss the position target for two sources 30″ apart: their beam merges the sources at half
maximum, so that the centroid lies between them, although the CLEAN map shows both.

## Fluxes and errors

In the tables of fluxes, MEM_GE with F from the largest amplitude and CLEAN with the stop rule of the ground software
were the defaults until 2026-11-29; the other columns are the current defaults. None of these flares was used to make
choices or fit weights. In the table of errors, unlike above, the flares have a calibration error; "sigma only" is the
scatter of the copies without the bias. [How errors are estimated](science/methods.md#how-reliable-is-an-image). For
small round sources imaged with either CLEAN, the errors of the size (last column) are too small: the source appears a
few percent too wide or too narrow in all copies alike. Use the size from a forward fit instead.
`python -m benchmarks.fluxes` and `python -m benchmarks.coverage` compute parts of these tables.

{text["errors"]}

## By scene

Medians of {n_realizations} realizations.

{text["scenes"]}

## Comparison with other Python packages

`xrayvisim` gets the same visibilities and is called as its users would (CLEAN: 200 iterations, gain 0.1, beam 20″; MEM:
λ of the ground software, its own estimate of the flux). The EM of `stixpy` models only ideal sub-collimators; it gets
the same counts, background subtracted, scaled per detector to match its model. {n_peers} realizations of each scene and
number of counts.

{text["peers"]}
"""
