"""An archive of a million images: ``python -m benchmarks.load.images FOLDER [--rows N]``.

First a small simulated campaign is imaged by the service. Its rows are then repeated over five years with different
times, positions and numbers, and written to monthly files by the archive. Every row is marked as simulated and refers
to existing files: those of the campaign, which the rows share.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from numpy.random import Generator

from archive import Archive, Image, ImageFilter, Run, RunKind
from archive.ingest.ingest import ingest
from archive.layout import image_id
from jobs.previews.run import make_previews
from stixcore.simulation.campaign import simulate_campaign

ROWS = 1_000_000
FIRST, YEARS = np.datetime64("2021-01-01", "M"), 5
NOW = np.datetime64("2026-03-20T00:00:00", "us")
SEED = 20220211
#: Users to whom images are assigned, and how many images of a thousand are not automatic.
AUTHORS, MADE = ("alice", "bob", "carol"), 30

EVERYTHING = ImageFilter(all_hidden=True)

Values = dict[str, Any]


def build(folder: Path, rows: int = ROWS, seed: int = SEED) -> Archive:
    """Make the archive, or reuse an existing one; the same arguments give the same rows.

    Parameters
    ----------
    folder : Path
        Folder of the archive.
    rows : int
        Approximate number of images.
    seed : int
    """
    archive = Archive(folder, create=True)
    if archive.count_images(EVERYTHING) >= rows - 12 * YEARS:
        return archive
    templates = _templates(archive, seed)
    rng = np.random.default_rng(seed)
    months = FIRST + np.arange(12 * YEARS)
    methods = np.mean([len(images) for _, images in templates])
    for number, month in enumerate(months):
        wanted = round(rows / methods * (number + 1) / months.size) - round(rows / methods * number / months.size)
        runs, images = [], []
        for run, its_images in _month(templates, month, wanted, rng):
            runs.append(run)
            images += its_images
        archive.upsert("runs", runs)
        archive.upsert("images", images)
    archive.build_read_model()
    return archive


def _templates(archive: Archive, seed: int) -> list[tuple[Values, list[Values]]]:
    """Runs and images of a third of a simulated day, as column values."""
    with TemporaryDirectory() as folder:
        simulate_campaign(Path(folder), seed, np.datetime64("2026-03-14T06:00:00", "us"), 0.34, 6.0)
        ingest(archive, [Path(folder)], NOW)
        make_previews(archive, NOW)
    images: dict[str, list[Values]] = {}
    for image in archive.images(limit=1000):
        images.setdefault(image.recipe_id, []).append(_values(image))
    return [(_values(archive.run(recipe_id)), rows) for recipe_id, rows in images.items()]


def _values(row: Run | Image) -> Values:
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _month(
    templates: list[tuple[Values, list[Values]]], month: np.datetime64, recipes: int, rng: Generator
) -> Iterator[tuple[Run, list[Image]]]:
    """Runs and images of a month."""
    begin, end = month.astype("datetime64[us]"), (month + np.timedelta64(1, "M")).astype("datetime64[us]")
    starts = np.sort(begin + rng.integers(0, (end - begin).astype(int) - 60_000_000, recipes).astype("m8[us]"))
    for start in starts:
        run, images = templates[rng.integers(len(templates))]
        recipe_id = hashlib.sha256(f"load/{start}/{rng.integers(2**62)}".encode()).hexdigest()[:16]
        x, y = rng.uniform(-900.0, 900.0), rng.uniform(-450.0, 450.0)
        goes = float(f"{1e-7 * rng.pareto(1.0) + 1e-7:.2g}")
        made = bool(rng.integers(1000) < MADE)
        common = {
            "uid": f"{str(start)[2:10].replace('-', '')}{rng.integers(10_000):04d}",
            "flare_id": f"{str(start)[2:16]}".translate(str.maketrans("", "", "-T:")),
            "t_start": start,
            "t_end": start + np.timedelta64(60, "s"),
            "author": str(rng.choice(AUTHORS)) if made else "auto",
            "hidden": bool(rng.random() < 0.005),
            "simulated": True,
        }
        total = 4000.0 * (1.0 + rng.pareto(1.2))
        yield (
            Run(
                **run
                | common
                | {
                    "run_id": recipe_id,
                    "kind": RunKind.USER if made else RunKind.AUTO,
                    "counts_total": total,
                    "counts_background": 0.15 * total,
                    "hpc_x": x,
                    "hpc_y": y,
                }
            ),
            [Image(**image | common | _numbers(image, recipe_id, x, y, goes, rng)) for image in images],
        )


def _numbers(image: Values, recipe_id: str, x: float, y: float, goes: float, rng: Generator) -> Values:
    """Values that differ between images."""
    off_x, off_y = rng.normal(0.0, 3.0, 2)
    return {
        "recipe_id": recipe_id,
        "image_id": image_id(recipe_id, image["method"]),
        "goes_class": _goes_class(goes),
        "goes_flux": goes,
        "peak_hpc_x": x + off_x,
        "peak_hpc_y": y + off_y,
        "centroid_hpc_x": x + off_x / 2,
        "centroid_hpc_y": y + off_y / 2,
        "chi2": None if image["chi2"] is None else float(1.0 + rng.gamma(2.0)),
        "trusted": bool(rng.random() < 0.8),
    }


def _goes_class(flux: float) -> str:
    letter, unit = next(
        (name, unit) for name, unit in zip("XMCB", (1e-4, 1e-5, 1e-6, 1e-7), strict=True) if flux >= unit
    )
    return f"{letter}{flux / unit:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.images", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    begin = perf_counter()
    archive = build(arguments.folder, arguments.rows)
    size = sum(path.stat().st_size for path in archive.index.rglob("*") if path.is_file())
    print(
        f"{archive.count_images(EVERYTHING):,} images, index of {size / 1e6:.0f} MB, in {perf_counter() - begin:.0f} s"
    )


if __name__ == "__main__":
    main()
