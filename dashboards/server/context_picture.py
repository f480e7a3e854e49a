"""Pixels of a context map around a flare, ``/archive/context/<flare_id>/<name>/solo.png`` or ``earth.png``.

The picture has the field of the figure on the flare page (`dashboards.pages.flare.context`), without axes.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from PIL import Image as Picture
from scipy.ndimage import map_coordinates
from tornado.web import RequestHandler

from archive import Archive, Flare, NotInArchive
from archive.context_maps import AIA, FOLDER, UNREADABLE, ContextMap, context_maps, read_context_map
from dashboards.pages.flare.context import Field, screen_of, solar_orbiter
from dashboards.pages.flare.geometry import angle_between
from dashboards.server.conditional import send_content
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import look_up_file, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.shared.source import archive_source
from jobs.imaging.figures import png
from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import AU, Observer, earth_at
from stixcore.sky_views import places_of, sky_of

Floats = NDArray[np.float64]

#: Side of a picture, pixels, and how long a browser keeps it, s.
SIDE, AGE_S = 400, 300
#: Shown range of the values in the field, percent; above a tenth of it the scale is nearly logarithmic.
LOWEST, HIGHEST = 1.0, 99.8
GREYS, NOTHING = 255, 255
#: Observers within this angle see nearly the same, deg.
NEARLY_SAME = 5.0


def context_picture(archive: Archive, flare_id: str, name: str, view: str) -> bytes:
    """A context map around a flare, as PNG, in greys; transparent where the view shows nothing of the map.

    Parameters
    ----------
    archive : Archive
    flare_id, name : str
        A flare and one of its context maps.
    view : str
        "solo" or "earth".

    Raises
    ------
    NotInArchive
        If there is no such flare, map or view, or the map cannot be read.
    """
    flare = archive.flare(flare_id)
    found = next((one for one in context_maps(archive, flare) if one.name == name), None)
    field = Field.of(flare, view)
    if found is None or field is None:
        message = f"the flare {flare.flare_id} has no context map {name!r} in this view"
        raise NotInArchive(message)
    status = found.path.stat()
    version = status.st_ino, status.st_mtime_ns, status.st_size
    return _picture(found, field, _map_observer(found, flare), screen_of(flare), version)


def grey_levels(values: Floats) -> NDArray[np.uint8]:
    """Greys of a map, row 0 at the top: asinh between two percentiles; `NOTHING` where it is NaN."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(values.shape, NOTHING, np.uint8)
    low, high = np.percentile(values[finite], [LOWEST, HIGHEST])
    width = max((high - low) / 10.0, 1e-12)
    # asinh((v - low) / w) / asinh((high - low) / w),  w = (high - low) / 10
    scaled = np.arcsinh(np.clip(values - low, 0.0, high - low) / width) / np.arcsinh(max((high - low) / width, 1e-12))
    greys = np.where(finite, np.nan_to_num(scaled) * (GREYS - 1), NOTHING)
    return np.asarray(greys[::-1].astype(np.uint8))


class ContextPictureHandler(RequestHandler):
    """Sends the picture."""

    async def get(self, flare_id: str, name: str, view: str) -> None:
        """Make the picture in a thread, and send it."""
        try:
            content = await look_up_file(
                self, lambda: archive_source().ask(lambda archive: context_picture(archive, flare_id, name, view))
            )
        except Busy as busy:
            refuse_json(self, busy)
            return
        self.set_header("Content-Type", "image/png")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", f"private, max-age={AGE_S}")
        send_content(self, content)

    async def head(self, flare_id: str, name: str, view: str) -> None:
        """Send the headers."""
        await self.get(flare_id, name, view)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


@lru_cache(maxsize=32)
def _picture(
    one: ContextMap, field: Field, default: Observer, screen: Observer | None, version: tuple[int, ...]
) -> bytes:
    del version  # a file that changed is read again
    values = _values(one.path, field, default, screen)
    picture = Picture.fromarray(grey_levels(values))
    ramp = np.linspace(0.0, 255.0, GREYS).round().astype(np.uint8)
    picture.putpalette(np.append(np.repeat(ramp, 3), [0, 0, 0]).astype(np.uint8).tobytes())
    picture.info["transparency"] = NOTHING
    return png(picture)


def _values(path: Path, field: Field, default: Observer, screen: Observer | None) -> Floats:
    """Pixels of a map in a field, (SIDE, SIDE); NaN where it shows nothing."""
    x0, x1, y0, y1 = field.extent
    middle = (np.arange(SIDE) + 0.5) / SIDE
    x, y = np.meshgrid(x0 + middle * (x1 - x0), y0 + middle * (y1 - y0))
    try:
        header, pixels = read_context_map(path)
        with warnings.catch_warnings(action="ignore"):  # astropy warns when it completes dates
            wcs = WCS(header)
        observer = _observer(header) or default
        if observer != field.observer:
            # the corona of a map from nearly the same direction is kept on a screen of its own
            if screen is None and angle_between(observer, field.observer) < NEARLY_SAME:
                screen = observer
            x, y = sky_of(observer, places_of(field.observer, x, y, screen))
        finite = np.isfinite(x)
        degrees = np.stack([np.where(finite, x, 0.0), np.where(finite, y, 0.0)], axis=-1).reshape(-1, 2) / 3600.0
        columns, rows = wcs.celestial.wcs_world2pix(degrees, 0).T
    except UNREADABLE as error:
        message = f"the map {FOLDER}/{path.name} cannot be read: {type(error).__name__} {error}"
        raise NotInArchive(message) from error
    places = [rows.reshape(x.shape), columns.reshape(x.shape)]
    values = map_coordinates(pixels, places, order=1, mode="constant", cval=np.nan)
    return np.where(finite, values, np.nan)


def _map_observer(one: ContextMap, flare: Flare) -> Observer:
    """Place of the instrument of a map whose header does not say it: AIA is near the Earth, EUI on Solar Orbiter."""
    solo = solar_orbiter(flare)
    return earth_at(one.time) if one.instrument == AIA or solo is None else solo


def _observer(header: fits.Header) -> Observer | None:
    """Observer in the header of a map; None if it names none."""
    values = [header.get(key) for key in ("HGLN_OBS", "HGLT_OBS", "DSUN_OBS")]
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in values):
        return None
    lon, lat, distance = (float(value) for value in values)
    return Observer(lon, lat, distance) if SOLAR_RADIUS < distance < 10.0 * AU else None
