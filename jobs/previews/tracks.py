"""Tracks of a cube: position, size and flux of a flare against time in each band, and the movie beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Picture

from archive.atomic import atomic_path, make_folder, write_bytes
from jobs.imaging.products import finite
from stixcore.fits.products import PixelData
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method
from stixcore.reconstruct import ImageSet
from stixcore.times import format_time

TRACKS, MOVIE, POSTER = "tracks.parquet", "movie.mp4", "poster.png"
#: Seconds per frame, and side of a frame, pixels.
FRAME_TIME, SIZE = 0.25, 640


@dataclass(frozen=True)
class TrackPoint:
    """Source of one step in one band; errors are one standard deviation, None where unknown.

    Attributes
    ----------
    t_start, t_end : datetime64, UTC at Solar Orbiter
    e_low, e_high : float, keV
    x, y, x_sigma, y_sigma : float, arcsec, helioprojective
        Centroid of the source; its error without that of the pointing.
    fwhm, fwhm_sigma : float, arcsec
    flux, flux_sigma : float, ct s⁻¹ cm⁻² keV⁻¹
    net_counts : float, ct
    image_id : str
    """

    t_start: np.datetime64
    t_end: np.datetime64
    e_low: float
    e_high: float
    x: float
    y: float
    x_sigma: float | None
    y_sigma: float | None
    fwhm: float
    fwhm_sigma: float | None
    flux: float | None
    flux_sigma: float | None
    net_counts: float
    image_id: str

    @classmethod
    def of(cls, images: ImageSet, method: Method, image_id: str) -> TrackPoint:
        """Measure the image of a method."""
        image, pixels = images.images[method], images.pixels
        source = measure_source(image.image, image.grid, image.sources)
        sigma = images.ensembles[method].errors() if method in images.ensembles else {}
        return cls(
            t_start=pixels.t_start,
            t_end=pixels.t_end,
            e_low=pixels.e_low,
            e_high=pixels.e_high,
            x=source.x,
            y=source.y,
            x_sigma=sigma.get("x"),
            y_sigma=sigma.get("y"),
            fwhm=source.fwhm,
            fwhm_sigma=sigma.get("fwhm"),
            flux=finite(image.total_flux),
            flux_sigma=sigma.get("flux"),
            net_counts=images.counts[0] - images.counts[1],
            image_id=image_id,
        )

    def as_json(self) -> dict[str, Any]:
        """The values as JSON, times as text."""
        return asdict(self) | {"t_start": format_time(self.t_start), "t_end": format_time(self.t_end)}


_UNITS = {"keV": ("e_low", "e_high"), "arcsec": ("x", "y", "x_sigma", "y_sigma", "fwhm", "fwhm_sigma")}
_UNITS |= {"ct s-1 cm-2 keV-1": ("flux", "flux_sigma"), "ct": ("net_counts",)}


def write_tracks(folder: Path, points: Sequence[TrackPoint]) -> None:
    """Write ``tracks.parquet``, a row per step and band, with units in the metadata of its columns."""
    make_folder(folder)
    units = {name: unit for unit, names in _UNITS.items() for name in names}
    columns, types = {}, {"t_start": pa.timestamp("us"), "t_end": pa.timestamp("us"), "image_id": pa.string()}
    for field in fields(TrackPoint):
        metadata = {"unit": units[field.name]} if field.name in units else None
        kind = pa.field(field.name, types.get(field.name, pa.float64()), metadata=metadata)
        columns[kind] = pa.array([getattr(point, field.name) for point in points], kind.type)
    with atomic_path(folder / TRACKS) as temporary:
        pq.write_table(pa.table(list(columns.values()), schema=pa.schema(list(columns))), temporary)


def write_movie(folder: Path, files: Sequence[Path], science: PixelData) -> dict[str, Any]:
    """Write ``movie.mp4`` of the band with most steps and ``poster.png``, its frame with the highest count rate.

    Parameters
    ----------
    folder : Path
    files : sequence of Path
        Image files.
    science : PixelData
        For the light curve below the images.

    Returns
    -------
    dict
        Band [keV], number of frames and names of the files.
    """
    from archive.scripts.parts import animation as film

    images = [film.read_image(path) for path in files]
    bands = [(image["low"], image["high"]) for image in images]
    band = max(sorted(set(bands)), key=bands.count)
    shown = sorted((image for image in images if (image["low"], image["high"]) == band), key=lambda one: one["start"])
    middle = science.t_start + (science.t_end - science.t_start) // 2
    curve = middle, science.summed(*band) / science.duration
    brightest = int(np.argmax([image["counts"] / image["exposure"] for image in shown]))
    make_folder(folder)
    with (
        atomic_path(folder / MOVIE) as temporary,
        _writer(temporary) as writer,
    ):
        for number, frame in enumerate(film.draw_frames(shown, curve, size=SIZE)):
            writer.append_data(frame)
            if number == brightest:
                stream = BytesIO()
                Picture.fromarray(frame).save(stream, "PNG", compress_level=3)
                poster = stream.getvalue()
    write_bytes(folder / POSTER, poster)
    return {"band_kev": list(band), "frames": len(shown), "file": MOVIE, "poster": POSTER}


def _writer(path: Path) -> Any:
    """A writer of MP4; its frames have sides that are multiples of 16."""
    import imageio.v2 as imageio

    return imageio.get_writer(path, format="FFMPEG", fps=1 / FRAME_TIME, codec="libx264", quality=7)
