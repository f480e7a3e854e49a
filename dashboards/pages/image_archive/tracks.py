"""Position, size and flux of many images over time."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import NamedTuple

import numpy as np

from archive import Image
from dashboards.shared import formatting
from dashboards.shared.compare import Scene
from stixcore.imaging.metrics import measure_source, strongest_source

#: Every image's file is read, so more images would take too long.
MOST_TRACKED = 300
UNKNOWN = float("nan")
#: Author of previews.
AUTO = "auto"
#: Columns of the table that tell which points belong together.
_LABELS = ("flare_id", "author", "group_id")


@dataclass(frozen=True)
class Measured:
    """A value and its standard deviation; NaN if unknown."""

    value: float = UNKNOWN
    sigma: float = UNKNOWN


class Series(NamedTuple):
    """Method, band [keV], and whose images: a user's name, "cube", or empty for previews."""

    method: str
    e_low: float
    e_high: float
    whose: str

    @property
    def text(self) -> str:
        """``CLEAN, 4–10 keV``; with the name of a user, or "cube", after it."""
        parts = (formatting.method_name(self.method), f"{self.e_low:g}–{self.e_high:g} keV", self.whose)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class TrackPoint:
    """Measurements of the brightest source in one image.

    Attributes
    ----------
    image : Image
    x, y : Measured, arcsec
        Brightest source: centroid of its area above half of the maximum; of a forward fit, the source with the
        largest flux.
    fwhm : Measured, arcsec
        FWHM of that source (geometric mean for an ellipse), else of the area above half maximum.
    flux : Measured, ct s⁻¹ cm⁻² keV⁻¹
        Total flux of all sources; NaN for a back projection.
    """

    image: Image
    x: Measured = Measured()
    y: Measured = Measured()
    fwhm: Measured = Measured()
    flux: Measured = Measured()

    @property
    def t_mid(self) -> np.datetime64:
        """Middle of the time range, UTC at Solar Orbiter."""
        return self.image.t_start + (self.image.t_end - self.image.t_start) // 2

    @property
    def series(self) -> Series:
        """What the point is an image with: all points of one series look the same."""
        image = self.image
        whose = image.author if image.author != AUTO else "cube" if image.group_id else ""
        return Series(image.method, image.e_low, image.e_high, whose)

    @property
    def subject(self) -> tuple[str, bool, str | None]:
        """What the image shows: flare (data request, if there is none), whether it is simulated, group of image sets.

        A line joins points of one series and one subject.
        """
        image = self.image
        return image.flare_id or f"uid {image.uid}", image.simulated, image.group_id


def track(scenes: Iterable[Scene]) -> tuple[TrackPoint, ...]:
    """Measure images, in time order; only the numbers are kept."""
    return tuple(sorted(map(_measured, scenes), key=lambda point: (point.t_mid, point.image.image_id)))


def lines(points: Sequence[TrackPoint]) -> list[tuple[TrackPoint, ...]]:
    """Points of one series divided into those that a line joins: each shows one flare, in the order of its points."""
    found: dict[tuple[str, bool, str | None], list[TrackPoint]] = {}
    for point in points:
        found.setdefault(point.subject, []).append(point)
    return [tuple(members) for members in found.values()]


def tracks_csv(points: Sequence[TrackPoint]) -> str:
    """The plotted values as CSV; times in UTC at Solar Orbiter, positions helioprojective."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    numbers = ("x", "y", "fwhm", "flux")
    units = {"x": "arcsec", "y": "arcsec", "fwhm": "arcsec", "flux": "ct/s/cm2/keV"}
    heads = [f"{name}{part} [{units[name]}]" for name in numbers for part in ("", "_sigma")]
    writer.writerow(
        ["image_id", "method", "e_low [keV]", "e_high [keV]", "t_start [UTC]", "t_end [UTC]", *heads, *_LABELS]
    )
    for point in points:
        image = point.image
        measured = [getattr(point, name) for name in numbers]
        values = [text for one in measured for text in (_text(one.value), _text(one.sigma))]
        times = (str(image.t_start), str(image.t_end))
        labels = [getattr(image, name) or "" for name in _LABELS]
        edges = (f"{image.e_low:g}", f"{image.e_high:g}")
        writer.writerow([image.image_id, image.method, *edges, *times, *values, *labels])
    return stream.getvalue()


def _text(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""


def _measured(scene: Scene) -> TrackPoint:
    image, file = scene.image, scene.file
    flux = UNKNOWN if image.total_flux is None else image.total_flux
    if file.sources:
        strongest = strongest_source(file.sources)
        x, y, fwhm = (Measured(strongest[name], strongest.get(f"{name}_sigma", UNKNOWN)) for name in ("x", "y", "fwhm"))
        sigma = float(np.sqrt(sum(source.get("flux_sigma", UNKNOWN) ** 2 for source in file.sources)))
        return TrackPoint(image, x, y, fwhm, Measured(flux, sigma))
    source, sigmas = measure_source(file.pixels, file.grid), file.errors
    return TrackPoint(
        image,
        Measured(source.x, sigmas.get("x", UNKNOWN)),
        Measured(source.y, sigmas.get("y", UNKNOWN)),
        Measured(source.fwhm, sigmas.get("fwhm", UNKNOWN)),
        Measured(flux, sigmas.get("flux", UNKNOWN)),
    )
