"""Tracks of a cube: position, size and flux of a flare against time in each band, and the movie beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image as Picture

from archive.atomic import atomic_path, make_folder, write_bytes
from archive.exports import parquet_pieces
from jobs.imaging.products import finite
from stixcore.fits.products import PixelData
from stixcore.imaging.metrics import measure_source
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import verdict
from stixcore.reconstruct import ImageSet
from stixcore.times import format_time

TRACKS, MOVIE, POSTER = "tracks.parquet", "movie.mp4", "poster.png"
#: Seconds per frame; side of a frame of one band, and of each of several bands side by side, pixels.
FRAME_TIME, SIZE, PANEL = 0.25, 640, 480


@dataclass(frozen=True)
class TrackPoint:
    """Source of one step in one band; errors are one standard deviation, None where unknown.

    Attributes
    ----------
    t_start, t_end : datetime64, UTC at Solar Orbiter
    e_low, e_high : float, keV
    x, y, x_sigma, y_sigma : float, arcsec, helioprojective
        Brightest source, as in `SourceMeasure`; its error without that of the pointing.
    fwhm, fwhm_sigma : float, arcsec
    flux, flux_sigma : float, ct s⁻¹ cm⁻² keV⁻¹
    net_counts : float, ct
    image_id : str
    doubts : str
        What is doubtful in the image, separated by commas: position, flux, shape; empty if nothing is.
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
    doubts: str = ""

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
            doubts=",".join(aspect for aspect, reasons in verdict(images.findings, method).reasons.items() if reasons),
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
    types["doubts"] = pa.string()
    for field in fields(TrackPoint):
        metadata = {"unit": units[field.name]} if field.name in units else None
        kind = pa.field(field.name, types.get(field.name, pa.float64()), metadata=metadata)
        columns[kind] = pa.array([getattr(point, field.name) for point in points], kind.type)
    table = pa.table(list(columns.values()), schema=pa.schema(list(columns)))
    write_bytes(folder / TRACKS, b"".join(parquet_pieces(table.schema, [table])))


def write_movie(folder: Path, files: Sequence[Path], science: PixelData) -> dict[str, Any]:
    """Write ``movie.mp4``, the bands side by side, and ``poster.png``, its frame with the highest count rate.

    A frame is a step of the band with most steps; every other band shows its step at that time, with its own limits.

    Parameters
    ----------
    folder : Path
    files : sequence of Path
        Image files.
    science : PixelData
        For the light curves below the images.

    Returns
    -------
    dict
        Bands [keV], from low to high energies, that with most steps, number of frames and names of the files.
    """
    from archive.scripts.parts import animation as film

    bands: dict[tuple[float, float], list[dict[str, Any]]] = {}
    for image in sorted(map(film.read_image, files), key=lambda one: (one["low"], one["high"], one["start"])):
        bands.setdefault((image["low"], image["high"]), []).append(image)
    leading = max(bands, key=lambda band: len(bands[band]))  # the lowest of equals
    steps = bands[leading]
    brightest = int(np.argmax([image["counts"] / image["exposure"] for image in steps]))
    side = SIZE if len(bands) == 1 else PANEL
    middle = science.t_start + (science.t_end - science.t_start) // 2
    panels = {
        band: list(film.draw_frames(images, (middle, science.summed(*band) / science.duration), size=side))
        for band, images in bands.items()
    }
    make_folder(folder)
    with atomic_path(folder / MOVIE) as temporary, _writer(temporary) as writer:
        for number, step in enumerate(steps):
            frame = np.hstack([panels[band][_step_at(images, step)] for band, images in bands.items()])
            writer.append_data(frame)
            if number == brightest:
                stream = BytesIO()
                Picture.fromarray(frame).save(stream, "PNG", compress_level=3)
                poster = stream.getvalue()
    write_bytes(folder / POSTER, poster)
    shown = {"bands_kev": [list(band) for band in bands], "band_kev": list(leading)}
    return shown | {"frames": len(steps), "file": MOVIE, "poster": POSTER}


def _step_at(images: Sequence[Mapping[str, Any]], step: Mapping[str, Any]) -> int:
    """Number of the image that has the middle of a step in its time range, or is nearest to it."""
    middle = step["start"] + (step["end"] - step["start"]) // 2
    away = [max(image["start"] - middle, middle - image["end"], np.timedelta64(0, "us")) for image in images]
    return int(np.argmin(away))


def _writer(path: Path) -> Any:
    """A writer of MP4; its frames have sides that are multiples of 16."""
    import imageio.v2 as imageio

    return imageio.get_writer(path, format="FFMPEG", fps=1 / FRAME_TIME, codec="libx264", quality=7)
