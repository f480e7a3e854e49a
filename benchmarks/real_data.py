"""Real flares for the benchmarks, from ``../shared/data``, which is not part of this repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import astropy.units as u
import numpy as np

from stixcore.coordinates import Pointing
from stixcore.imaging.grid import ImageGrid
from stixcore.instrument.geometry import IMAGING_LABELS, detector_indices, uv_points
from stixcore.options import ImageRequest
from stixcore.recipe import FileReference, Recipe
from stixcore.reconstruct import ImageSet, prepare_recipe, reconstruct
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

SHARED_DATA = Path(os.environ.get("STIX_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

#: Folder, science uid, background uid, auxiliary file and window of the two flares.
FLARES = {
    "2020": (
        "demo20200607",
        "1178428688",
        "1178082832",
        "20200607",
        "2020-06-07T21:38:49.384",  # the bins used in the demo of the ground software, 21:39:00-21:42:49
        "2020-06-07T21:43:09.084",
    ),
    "2022": ("nov2022", "2211116471", "2211098157", "20221111", "2022-11-11T11:35:40.271", "2022-11-11T11:37:40.271"),
}


@dataclass(frozen=True, eq=False)
class RealFlare:
    """Recipe of a flare and all intermediate results."""

    recipe: Recipe
    paths: dict[str, Path]
    images: ImageSet

    def locate(self, reference: FileReference) -> Path:
        """Path of a file of the recipe."""
        return self.paths[reference.name]

    @property
    def science(self) -> Path:
        return self.paths[self.recipe.science.name]

    @property
    def grid(self) -> ImageGrid:
        return self.recipe.grid

    @property
    def pixels(self) -> MetaPixels:
        return self.images.pixels

    @property
    def vis(self) -> Visibilities:
        return self.images.vis

    @property
    def pointing(self) -> Pointing:
        return self.recipe.pointing

    @property
    def flare_xy(self) -> tuple[float, float]:
        return self.images.map_center_stix

    def stixpy_em(self, n: int, pixel: float) -> Callable[[int], Callable[[], Any]]:
        """stixpy's EM on the same A, B, C, D rates, as a function of the number of iterations."""
        from astropy.time import Time
        from stixpy.coordinates.frames import STIXImaging
        from stixpy.imaging.em import em
        from xrayvision.visibility import VisMeta

        isc = detector_indices(reversed(IMAGING_LABELS)) + 1
        u_points, v_points = uv_points()[isc - 1].T
        # all that its ``em`` uses
        container = SimpleNamespace(
            u=u_points / u.arcsec,
            v=v_points / u.arcsec,
            meta=VisMeta({"isc": isc, "time_range": Time(["2020-06-07T21:39:00", "2020-06-07T21:42:49"])}),
        )
        # its rates are divided by 4T and its matrix has no sin²; only the time matters here
        rates = np.clip(self.pixels.rate, 0.0, None) * u.ct / (u.s * u.keV * u.cm**2)
        location = STIXImaging(*np.array(self.flare_xy) * u.arcsec)

        def of(iterations: int) -> Callable[[], Any]:
            return lambda: em(
                rates,
                container,
                shape=(n, n) * u.pix,
                pixel_size=[pixel, pixel] * u.arcsec / u.pix,
                flare_location=location,
                maxiter=iterations,
                tolerance=1e-12,
                idx=[0],  # its own list overrides the argument, and None fails
            )

        return of


def real_flare(which: str, n: int = 129, pixel: float = 2.0) -> RealFlare:
    """The flare of "2020" (demo of the ground software) or "2022" (M1.2), 6-10 keV."""
    folder, uid, quiet, day, start, end = FLARES[which]
    root = SHARED_DATA / folder
    (science,), (background,), (aspect,) = (
        list(root.rglob(pattern)) for pattern in (f"*{uid}-*", f"*{quiet}-*", f"*ephemeris_{day}_*")
    )
    request = ImageRequest(np.datetime64(start), np.datetime64(end), (6.0, 10.0), shape=(n, n), pixel=pixel)
    recipe = prepare_recipe(request, science, background, [aspect])
    paths = {path.name: path for path in (science, background, aspect)}
    return RealFlare(recipe, paths, reconstruct(recipe, lambda file: paths[file.name]))
