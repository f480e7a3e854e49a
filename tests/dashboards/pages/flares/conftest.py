"""An archive of 30 flares with everything that can be known of them, or nothing, and a server over it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, Flare, Image
from tests.dashboards.conftest import FIRST, NOW, make_image

HOUR = np.timedelta64(3600, "s")
REASON = "Another place is 0.95 times as <bright>."


def located(number: int) -> dict[str, Any]:
    """A place that goes from east to west with the number; from 20 on the Earth cannot see it."""
    lon = -80.0 + 5.0 * number
    return {
        "hpc_x": -900.0 + 60.0 * number,
        "hpc_y": 200.0,
        "hpc_sigma": 9.0,
        "location_source": "imaging",
        "location_verdict": "doubtful" if number % 4 == 0 else "trusted",
        "location_doubts": json.dumps([REASON] if number % 4 == 0 else []),
        "stonyhurst_lon": lon,
        "stonyhurst_lat": 12.0,
        "heliographic_sigma": 2.1,
        "carrington_lon": 100.0 + 5.0 * number,
        "earth_x": 950.0 * float(np.sin(np.radians(lon))),
        "earth_y": 190.0,
        "earth_visible": number < 20,
        "earth_view": "on disk" if number < 20 else "behind",
        "off_limb": number == 29,
        "dsun_au": 0.6,
        "earth_delay_s": 200.0,
        "sun_delay_s": 300.0,
        "sol_id": f"SOL2022-11-10T{number:02d}L{100 + 5 * number:03d}C078",
    }


def fitted(number: int) -> dict[str, Any]:
    """A fit that is hotter and steeper with the number; every eighth has no electrons and is doubtful."""
    electrons = {"delta": 3.0 + 0.1 * number, "delta_sigma": None if number % 4 else 0.12}
    return {
        "spectrum_id": f"{number:016x}",
        "temperature": 10.0 + 0.5 * number,
        "temperature_sigma": 0.42,
        "emission_measure": 0.0012 * (1 + number),
        "emission_measure_sigma": 0.0001,
        "spectrum_verdict": "trusted" if number % 8 else "doubtful",
    } | (electrons if number % 8 else {})


def make_flare(number: int, **changes: Any) -> Flare:
    """Flare ``number`` hours after `FIRST`; every third is not located, every fifth is measured by GOES,
    every second has a fit."""
    peak = FIRST + number * HOUR
    row: dict[str, Any] = {
        "flare_id": str(peak)[2:16].translate(str.maketrans("", "", "-T:")),
        "t_start": peak - np.timedelta64(60 + number, "s"),
        "t_peak": peak,
        "t_end": peak + np.timedelta64(540, "s"),
        "peak_counts": 1000.0 + number,
        "goes_estimated_low": "B9",
        "goes_estimated": "C3",
        "goes_estimated_high": "C5",
        "goes_estimated_flux": 3e-6,
        "source": "detected",
        "updated_at": NOW,
    }
    if number % 5 == 0:
        row |= {"goes_class": "M1.2", "goes_flux": 1.2e-5}
    if number % 2 == 0:
        row |= fitted(number)
    if number % 3:
        row |= located(number)
    return Flare(**(row | changes))


@dataclass(frozen=True)
class Flares:
    """The archive, its flares (oldest first), and the pictures of flare 28: thermal, and non-thermal but hidden."""

    archive: Archive
    flares: tuple[Flare, ...]
    thermal: Image
    hidden: Image

    def newest_first(self, keep: Callable[[Flare], Any] = bool) -> list[str]:
        return [flare.flare_id for flare in reversed(self.flares) if keep(flare)]


@pytest.fixture(scope="session")
def flares(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flares]:
    archive = Archive(tmp_path_factory.mktemp("flares") / "archive", create=True)
    thermal = make_image(archive.root, 28, "clean")
    hidden = make_image(archive.root, 29, "clean", hidden=True, author="alice")
    archive.upsert("images", [thermal, hidden])
    pictures = {"best_image_thermal": thermal.image_id, "best_image_nonthermal": hidden.image_id}
    rows = [make_flare(number, **(pictures if number == 28 else {})) for number in range(30)]
    archive.upsert("flares", rows)
    archive.build_read_model()
    yield Flares(archive, tuple(rows), thermal, hidden)
    archive.close()


@pytest.fixture(scope="session")
def flares_server(serve: Callable[[Path], Any], flares: Flares) -> Iterator[Any]:
    with serve(flares.archive.root) as started:
        yield started
