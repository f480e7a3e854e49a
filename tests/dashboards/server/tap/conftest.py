"""An archive with something of everything, hidden and simulated results among it, and a server of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive import Archive, Flare, Image, Spectrum
from tests.dashboards.conftest import FIRST, PLACED, make_curves, make_flare, make_image, make_spectrum

#: Words that only hidden and internal columns have.
SECRETS = ("alice", "mallory", "images/2022", "spectra/2022", "a secret recipe")


@dataclass(frozen=True)
class Sky:
    """An archive, and what everybody may see of it."""

    archive: Archive
    flares: tuple[Flare, ...]
    images: tuple[Image, ...]
    spectra: tuple[Spectrum, ...]


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sky]:
    archive = make_curves(tmp_path_factory.mktemp("sky") / "archive").archive
    rng = np.random.default_rng(17)
    flares = []
    for hour in range(4, 14):
        longitude, latitude = rng.uniform(-90, 90), rng.uniform(-30, 30)
        placed = {"stonyhurst_lon": longitude, "stonyhurst_lat": latitude, "carrington_lon": longitude % 360}
        flares.append(make_flare(FIRST, hour, **(PLACED | placed | {"goes_flux": 1e-6 * hour})))
    flares.append(make_flare(FIRST, 20, simulated=True))
    images = [make_image(archive.root, 50 + n, "clean", flare_id=flares[n % 10].flare_id) for n in range(20)]
    images.append(make_image(archive.root, 80, "bp", simulated=True, author="mallory"))
    hidden = [make_image(archive.root, 90 + n, "mem_ge", hidden=True, author="alice") for n in range(3)]
    spectra = [make_spectrum(archive.root, 200 + n, recipe='"a secret recipe"', author="mallory") for n in range(4)]
    hidden_spectrum = make_spectrum(archive.root, 210, hidden=True, author="alice", model="hidden")
    archive.upsert("flares", flares)
    archive.upsert("images", [*images, *hidden])
    archive.write_spectra([*spectra, hidden_spectrum])
    archive.build_read_model()
    seen = archive.images(limit=1000, sort=("image_id",))
    assert not any(image.hidden for image in seen)
    yield Sky(archive, tuple(archive.flares()), tuple(seen), tuple(archive.spectra()))
    archive.close()


@pytest.fixture(scope="session")
def sky_server(serve: Callable[[Path], Any], sky: Sky) -> Iterator[Any]:
    with serve(sky.archive.root) as started:
        yield started


@pytest.fixture
def ask(sky: Sky) -> Callable[[str], list[dict[str, Any]]]:
    """Answers of queries, without a server."""
    from dashboards.server.tap.adql import translate

    def rows(query: str, most: int = 1000) -> list[dict[str, Any]]:
        statement = translate(query, "https://stix.example/prefix")
        found = sky.archive.query(statement.limited(most), statement.parameters, time_limit_s=30)
        answer: list[dict[str, Any]] = found.cast(statement.schema).to_pylist()
        return answer

    return rows
