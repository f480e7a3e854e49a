"""Speed compared with ``xrayvisim`` and ``stixpy`` on the same real data, alternately in one process."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import astropy.units as u
import numpy as np

from benchmarks import june_2020
from benchmarks.real_data import SHARED_DATA, real_flare
from benchmarks.timing import Table, Timed, markdown_table, print_table, side_by_side
from stixcore.imaging.back_projection import back_project
from stixcore.imaging.clean import clean
from stixcore.imaging.em import EmParameters, em
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.mem import mem_ge
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.threads import single_threaded

SIZES = ((129, 2.0), (256, 1.0))
PAGE = Path(__file__).resolve().parents[1] / "docs" / "speed.md"
PREFACE = """# Speed

Best times on two cores of a virtual machine, with linear algebra on one thread. Our code and other Python packages
(`xrayvisim`, `stixpy`) run alternately in one process on the same real data. Times depend on the load of the machine;
ratios compare times of the same run. `make bench ARGS=speed` writes this page.
"""
#: Heading of the first section that other benchmarks measure.
OTHERS = "\n## Spectra of previews\n"
#: Targets at 129² and 256².
BARS = {"BP": (50, 60), "CLEAN": (500, 1500), "MEM_GE": (150, 250), "EM": (2, 12)}


def run() -> None:
    """Print the tables and write them to docs/speed.md."""
    warnings.simplefilter("ignore")  # from the other packages
    logging.disable(logging.INFO)
    found = list(tables())
    for table in found:
        print_table(*table)
    if SHARED_DATA.is_dir():
        kept = "".join(PAGE.read_text(encoding="utf-8").partition(OTHERS)[1:])  # measured by other benchmarks
        PAGE.write_text(PREFACE + "".join(markdown_table(*table) for table in found) + kept, encoding="utf-8")
    else:
        print("\n  Skipped EM and the whole recipe: ../shared/data does not exist; docs/speed.md was not written")


def tables() -> Iterator[Table]:
    """Title, columns and rows of each table."""
    rows: list[list[object]] = []
    for number, (n, pixel) in enumerate(SIZES):
        rows += [
            _row("BP", number, n, *_back_projection(n, pixel)),
            _row("CLEAN", number, n, *_clean(n, pixel)),
            _row("MEM_GE", number, n, *_mem(n, pixel)),
        ]
        if SHARED_DATA.is_dir():
            rows.append(_row("EM per iteration", number, n, *_em(n, pixel)))
    columns = ["method", "pixels", "ours [ms]", "other [ms]", "ratio", "target", "remarks"]
    title = "Comparison with other Python packages (visibilities of 2020-06-07; EM: counts of the same flare)"
    yield title, columns, rows
    if SHARED_DATA.is_dir():
        yield _all_products()


def _row(name: str, number: int, n: int, timed: Timed[Any, Any], remark: str) -> list[object]:
    bar = BARS[name.split(maxsplit=1)[0]][number]
    return [name, f"{n}²", timed.ours * 1e3, timed.theirs * 1e3, f"{timed.ratio:.0f}×", f"{bar}×", remark]


def _as_we_run(function: Callable[[], Any]) -> Callable[[], Any]:
    """As in production: linear algebra on one thread."""

    def run_single_threaded() -> Any:
        with single_threaded():
            return function()

    return run_single_threaded


def _sizes(n: int, pixel: float) -> dict[str, Any]:
    return {"shape": (n, n) * u.pix, "pixel_size": [pixel, pixel] * u.arcsec / u.pix}


def _back_projection(n: int, pixel: float) -> tuple[Timed[Any, Any], str]:
    from xrayvision.imaging import vis_to_image

    vis, grid, theirs = june_2020.ours(), ImageGrid((n, n), pixel), june_2020.theirs()
    timed = side_by_side(
        _as_we_run(lambda: back_project(vis, grid)),
        lambda: vis_to_image(theirs, **_sizes(n, pixel)),
        repeat=60,
        peer_repeat=5,
    )
    image = timed.our_result.image
    difference = np.abs(timed.their_result.value - image).max() / image.max()
    return timed, f"maps agree to {difference:.0e} of the peak"


def _clean(n: int, pixel: float) -> tuple[Timed[Any, Any], str]:
    from xrayvision.clean import vis_clean

    vis, grid, theirs = june_2020.ours(), ImageGrid((n, n), pixel), june_2020.theirs()
    timed = side_by_side(
        _as_we_run(lambda: clean(vis, grid)),
        lambda: vis_clean(theirs, **_sizes(n, pixel), niter=200, gain=0.1, clean_beam_width=20 * u.arcsec),
        repeat=20,
        peer_repeat=1,
    )
    ours, their_map = timed.our_result, np.asarray(timed.their_result[0].data)
    difference = np.abs(their_map - ours.image).max() / ours.image.max()
    same_peak = np.argmax(their_map) == np.argmax(ours.image)
    # The other beam has 3n pixels: with even n its center is between pixels, and it is shifted by half a pixel.
    peer_off = "; on even sizes the other beam is shifted by half a pixel" if n % 2 == 0 else ""
    return timed, (
        f"{ours.n_iter} iterations, maps agree to {difference:.0e}, "
        f"{'same' if same_peak else 'different'} peak pixel, χ² {ours.chi2:.3f}{peer_off}"
    )


def _mem(n: int, pixel: float) -> tuple[Timed[Any, Any], str]:
    from xrayvision.mem import mem

    vis, grid, theirs = june_2020.ours(), ImageGrid((n, n), pixel), june_2020.theirs()
    timed = side_by_side(
        _as_we_run(lambda: mem_ge(vis, grid)),
        # the ground software's regularization for this signal-to-noise ratio
        lambda: mem(theirs, **_sizes(n, pixel), percent_lambda=0.01064183 * u.dimensionless_unscaled, map=False),
        repeat=20,
        peer_repeat=1,
    )
    ours = timed.our_result
    return timed, (
        f"ours converges to the optimum: J {ours.certificate['objective']:.3f}, "
        f"gap {ours.certificate['duality_gap']:.0e}, χ² {ours.chi2:.3f}; the other stops earlier"
    )


def _em(n: int, pixel: float) -> tuple[Timed[Any, Any], str]:
    """Per iteration, without the cost of setup: from the difference between a long and a short run."""
    given = real_flare("2020")
    grid = ImageGrid((n, n), pixel, given.grid.center)
    short, long = 25, 125

    def ours(iterations: int) -> Callable[[], Any]:
        parameters = EmParameters(max_iterations=iterations, tolerance=1e-12)
        return _as_we_run(
            lambda: em(given.pixels, grid, given.pointing, parameters, labels=given.vis.labels, flare_xy=given.flare_xy)
        )

    theirs_of = given.stixpy_em(n, pixel)
    few = side_by_side(ours(short), theirs_of(short), repeat=9, peer_repeat=3)
    many = side_by_side(ours(long), theirs_of(long), repeat=9, peer_repeat=3)
    steps = long - short
    timed = Timed(
        (many.ours - few.ours) / steps, (many.theirs - few.theirs) / steps, many.our_result, many.their_result
    )
    whole = many.theirs / many.ours
    return timed, f"whole calls of {long} iterations including setup: {whole:.0f}×; χ² {many.our_result.chi2:.2f}"


def _all_products() -> Table:
    from jobs.imaging.products import save_images, save_report
    from stixcore.reconstruct import reconstruct

    rows: list[list[object]] = []
    for n, pixel in SIZES:
        given = real_flare("2022", n, pixel)
        # the targets are for the six products without multi-scale CLEAN
        six = {method: chosen for method, chosen in given.recipe.methods.items() if method is not Method.MS_CLEAN}
        of_six = replace(given.recipe, methods=six)
        best = min(_timed(lambda given=given, recipe=of_six: reconstruct(recipe, given.locate))[0] for _ in range(7))
        seven = min(_timed(lambda given=given: reconstruct(given.recipe, given.locate))[0] for _ in range(7))
        images = reconstruct(given.recipe, given.locate)
        with tempfile.TemporaryDirectory() as folder:

            def written(folder: str = folder, given: Any = given) -> None:
                images = reconstruct(given.recipe, given.locate)
                save_images(images, Path(folder), np.datetime64("2026-01-01", "us"))
                save_report(Path(folder) / "report.png", images, given.science)

            files = min(_timed(written)[0] for _ in range(5))
        slowest = max(images.images.values(), key=lambda image: image.elapsed)
        bar = {129: "0.15", 256: "0.4"}[n]
        rows.append([f"{n}²", best, bar, seven, files, "1", f"{slowest.method} {slowest.elapsed * 1e3:.0f} ms"])
    columns = [
        "pixels",
        "six products [s]",
        "target",
        "and multi-scale CLEAN [s]",
        "with FITS and PNG [s]",
        "target",
        "slowest",
    ]
    title = "All seven products of one recipe, warm (uid 2211116471, 6-10 keV; files read and verified each time)"
    return title, columns, rows


def _timed(function: Callable[[], Any]) -> tuple[float, Any]:
    begin = perf_counter()
    result = function()
    return perf_counter() - begin, result
