"""An archive of 40,000 flares: ``python -m benchmarks.load.flares FOLDER [--rows N]``.

Flares of five years with positions, classes, counts and verdicts as in a real list, some of each unknown. Every row is
marked as simulated. With ``images``, the best images of the flares are those of a small simulated campaign.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from archive import Archive, Flare
from benchmarks.load import images

ROWS = 40_000
FIRST, YEARS = np.datetime64("2021-01-01", "us"), 5
NOW = np.datetime64("2026-03-20T00:00:00", "us")
SEED = 20220211
#: Images of the campaign that are repeated; a flare has two of them.
IMAGES = 400
_LETTERS = (("X", 1e-4), ("M", 1e-5), ("C", 1e-6), ("B", 1e-7), ("A", 1e-8))


def build(folder: Path, rows: int = ROWS, seed: int = SEED, *, with_images: bool = True) -> Archive:
    """Make the archive, or reuse an existing one; the same arguments give the same rows."""
    archive = Archive(folder, create=True)
    if archive.count_flares() >= rows:
        return archive
    pictures: list[str] = []
    if with_images:
        images.build(folder, IMAGES).close()
        pictures = [image.image_id for image in archive.images(limit=IMAGES)]
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.choice(YEARS * 365 * 86_400 // 60, rows, replace=False)) * 60
    flares = [_flare(FIRST + np.timedelta64(int(second), "s"), pictures, rng) for second in seconds]
    for begin in range(0, rows, 5000):
        archive.upsert("flares", flares[begin : begin + 5000])
    archive.build_read_model()
    return archive


def _flare(peak: np.datetime64, pictures: list[str], rng: Generator) -> Flare:
    flux = float(f"{min(2e-7 * (1.0 + rng.pareto(1.1)), 5e-4):.2g}")
    counts = flux * 3e9 * rng.lognormal(0.0, 0.3)
    begin, end = (np.timedelta64(int(60 * (1 + rng.gamma(2.0, 3.0))), "s") for _ in range(2))
    name = str(peak)[2:16].translate(str.maketrans("", "", "-T:"))
    values: dict[str, Any] = {
        "flare_id": name,
        "t_start": peak - begin,
        "t_peak": peak,
        "t_end": peak + end,
        "peak_counts": counts,
        "peak_counts_10_15": 0.3 * counts,
        "peak_counts_15_25": 0.05 * counts if rng.random() < 0.5 else None,
        "total_counts": 60.0 * counts,
        "significance": counts**0.5,
        "attenuator_in": bool(flux > 1e-5),
        "goes_estimated_flux": flux,
        "goes_estimated_low": goes_class(flux / 1.8),
        "goes_estimated": goes_class(flux),
        "goes_estimated_high": goes_class(flux * 1.8),
        "goes_estimated_from": "counts",
        "simulated": True,
        "source": "detected",
        "updated_at": NOW,
    }
    if rng.random() < 0.9:
        values |= _place(peak, flux, rng)
    if pictures and rng.random() < 0.8:
        values |= {"best_image_thermal": str(rng.choice(pictures)), "best_image_nonthermal": str(rng.choice(pictures))}
    return Flare(**values)


def _place(peak: np.datetime64, flux: float, rng: Generator) -> dict[str, Any]:
    """A place in one of the two belts of activity, seen from an orbiter that goes round the Sun."""
    days = float((peak - FIRST) / np.timedelta64(1, "D"))
    orbiter, distance = 360.0 * days / 180.0, 0.65 + 0.35 * np.cos(2 * np.pi * days / 180.0)
    from_orbiter, lat = rng.uniform(-92.0, 92.0), float(rng.choice((-1, 1)) * rng.normal(16.0, 6.0))
    lon = (orbiter + from_orbiter + 180.0) % 360.0 - 180.0
    radius = np.degrees(np.arcsin(0.00465047 / distance)) * 3600.0
    west, north = np.cos(np.radians(lat)) * np.sin(np.radians([from_orbiter, lon])), np.sin(np.radians(lat))
    seen = abs(lon) < 90.0
    doubtful = rng.random() < 0.2
    return {
        "hpc_x": float(radius * west[0]),
        "hpc_y": float(radius * north),
        "hpc_sigma": float(rng.uniform(4.0, 20.0)),
        "location_source": "imaging",
        "location_verdict": "doubtful" if doubtful else "trusted",
        "location_doubts": json.dumps(["Another place is 0.95 times as bright."] if doubtful else []),
        "stonyhurst_lon": lon,
        "stonyhurst_lat": lat,
        "carrington_lon": float((lon - 13.2 * days) % 360.0),
        "heliographic_sigma": float(rng.uniform(0.5, 4.0)) if abs(from_orbiter) < 80.0 else None,
        "off_limb": bool(abs(from_orbiter) > 90.0),
        "earth_x": float(959.63 * west[1]),
        "earth_y": float(959.63 * north),
        "earth_visible": bool(seen),
        "earth_view": "limb" if 85.0 < abs(lon) < 95.0 else "on disk" if seen else "behind",
        "earth_angle": abs(lon),
        "earth_delay_s": 499.0 * (1.0 - distance),
        "sun_delay_s": 499.0 * distance,
        "dsun_au": distance,
        "goes_flux": flux if seen and rng.random() < 0.9 else None,
        "goes_class": goes_class(flux, decimals=1) if seen else None,
        "sol_id": f"SOL{str(peak)[:19]}L{(lon - 13.2 * days) % 360.0:03.0f}C{90.0 - lat:03.0f}",
    }


def goes_class(flux: float, decimals: int = 0) -> str:
    """Class of a flux [W m⁻²], such as C3."""
    letter, unit = next(((letter, unit) for letter, unit in _LETTERS if flux >= unit), _LETTERS[-1])
    return f"{letter}{flux / unit:.{decimals}f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.flares", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    given = parser.parse_args()
    print(f"{build(given.folder, given.rows).count_flares():,} flares")


if __name__ == "__main__":
    main()
