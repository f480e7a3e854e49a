"""Feedback on regions before they are measured: image, channels with enough counts, flux or refusal of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.region_form import RegionForm
from dashboards.shared.limits import WebLimits
from dashboards.shared.region_entries import RegionEntry
from jobs.inputs import BackgroundChoice
from jobs.regions.cost import image_seconds
from jobs.regions.figure import outline
from jobs.shared.errors import LimitReached
from stixcore.errors import SelectionError, StixError, public_sentence
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name
from stixcore.instant import InstantImage, instant_image
from stixcore.instrument.geometry import detector_indices
from stixcore.prepare import PreparedData
from stixcore.spectra.fit.energy_range import SAME_ENERGY
from stixcore.spectra.regions import Circle, Contour, Ellipse, Region, region_masks, region_sums

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]
#: Most lines around a contour that are drawn: a noisy one in a large map has a million.
MOST_LINES = 10_000


@dataclass(frozen=True)
class Channel:
    """A channel of the selection: edges (keV), counts above background, and whether they are enough for an image."""

    low: float
    high: float
    counts: float
    enough: bool


@dataclass(frozen=True, eq=False)
class BandFeedback:
    """What a box gives, whatever the regions.

    Attributes
    ----------
    box : TimeEnergySelection
    instant : InstantImage or None
        Image of the whole band with the method of the form.
    channels : tuple of Channel
    background : str
        Which background is used, and why.
    choice : BackgroundChoice or None
    problem : str
        Why there is no image.
    asked : str
        The typed time range, if it differs from the whole bins; else empty.
    """

    box: TimeEnergySelection
    instant: InstantImage | None = None
    channels: tuple[Channel, ...] = ()
    background: str = ""
    choice: BackgroundChoice | None = None
    problem: str = ""
    asked: str = ""

    @property
    def imaged(self) -> int:
        """Number of channels with enough counts."""
        return sum(channel.enough for channel in self.channels)


@dataclass(frozen=True, eq=False)
class RegionNote:
    """A region on the shown image: area (arcsec²) and fraction of its flux, or why it is refused.

    Attributes
    ----------
    name : str
    outlines : tuple of ((n,) float, (n,) float)
        Lines around it, x and y, arcsec.
    area : float or None, arcsec²
    fraction : float or None
    refusal : str
    """

    name: str
    outlines: tuple[tuple[Floats, Floats], ...] = ()
    area: float | None = None
    fraction: float | None = None
    refusal: str = ""


def band_feedback(form: RegionForm, box: TimeEnergySelection) -> BandFeedback:
    """Image and counts of a box. Errors are reported in the result."""
    found = BandFeedback(box, asked=form.view.asked)
    try:
        _require_quick(form)
        choice = form.candidates(box)
        found = replace(found, choice=choice)
        background, explanation = form.background_data(box, choice)
        found = replace(found, background=explanation)
        image = instant_image(
            form.image_request(box), form.data, background, form.pointing_in(box), form.calibration, form.method
        )
        return replace(found, instant=image, channels=_channels(form, box, image.data))
    except (StixError, OSError) as error:
        return replace(found, problem=public_sentence(error))


def _require_quick(form: RegionForm) -> None:
    """Refuse an image that would keep other visitors waiting: a few threads make those of all."""
    seconds, longest = image_seconds(form.method, (form.side, form.side)), WebLimits().region_image
    if seconds > longest:
        message = (
            f"an image of {form.side} × {form.side} pixels with {method_name(form.method)} may take {seconds:.0f} s, "
            f"and {longest:g} s are possible here: choose a smaller map or another method"
        )
        raise LimitReached(message)


def _channels(form: RegionForm, box: TimeEnergySelection, data: PreparedData) -> tuple[Channel, ...]:
    """Counts of the channels of a box in the pixels of the images, as the measurement counts them."""
    found = []
    for low, high in zip(data.science.e_low.tolist(), data.science.e_high.tolist(), strict=True):
        if low < box.low - SAME_ENERGY or not high <= box.high + SAME_ENERGY:
            continue
        pixels = data.sum_pixels((low, high))
        counts, background = pixels.totals(detector_indices(pixels.switched_on(data.options.subcollimators)))
        found.append(Channel(low, high, counts - background, bool(counts - background >= form.least)))
    return tuple(found)


def region_notes(entries: Sequence[RegionEntry], image: Reconstruction | None) -> tuple[RegionNote, ...]:
    """Flux or refusal of each region; without an image only the refusals that need none."""
    regions: list[Region | None] = []
    notes, masks = [], {}
    twice = {entry.name for entry in entries if sum(other.name == entry.name for other in entries) > 1}
    for number, entry in enumerate(entries):
        note, region = RegionNote(entry.name), None
        try:
            region = entry.region()
            if entry.name in twice:
                note = replace(note, refusal=f"another region has the name {entry.name!r}")
            if image is not None:
                note = replace(note, outlines=outlines(region, image))
                _require_source(region, image.method)
                masks[number] = region_masks([region], image.grid, image.image)[0]
        except SelectionError as error:
            note = replace(note, refusal=note.refusal or public_sentence(error))
        regions.append(region)
        notes.append(note)
    if image is None:
        return tuple(notes)
    for number, mask in masks.items():
        area, fraction = _flux(mask, image)
        notes[number] = replace(notes[number], area=area, fraction=fraction)
    if image.method is Method.VIS_FWDFIT:  # its sources may overlap
        return tuple(notes)
    for one, other in combinations(masks, 2):
        shared = int((masks[one] & masks[other]).sum())
        if shared:
            for number, rival in ((one, other), (other, one)):
                text = f"it shares {shared} pixels with {entries[rival].name!r}; a pixel can belong to one region only"
                notes[number] = replace(notes[number], refusal=notes[number].refusal or text)
    return tuple(notes)


def flux_plane(image: Reconstruction) -> Floats:
    """The image whose sum over a region is its flux; for CLEAN, its components."""
    return image.planes.get("components", image.image)


def outlines(region: Region, image: Reconstruction) -> tuple[tuple[Floats, Floats], ...]:
    """Lines around a region: closed curves, for a contour the edges of its pixels.

    Raises
    ------
    SelectionError
        When a contour is not inside the image.
    """
    if not isinstance(region, Contour):
        return (outline(region),)
    return _pixel_edges(region_masks([region], image.grid, image.image)[0], image.grid)


def _pixel_edges(mask: Masks, grid: ImageGrid) -> tuple[tuple[Floats, Floats], ...]:
    """The lines between pixels inside and outside of a mask; none if there are too many to draw."""
    half = 0.5 * grid.pixel
    x, y = grid.center[0] + grid.x, grid.center[1] + grid.y
    padded = np.pad(mask, 1)
    # left edges of columns, lower edges of rows
    vertical, horizontal = padded[1:-1, 1:] != padded[1:-1, :-1], padded[1:, 1:-1] != padded[:-1, 1:-1]
    if np.count_nonzero(vertical) + np.count_nonzero(horizontal) > MOST_LINES:
        return ()
    lines = []
    for row, column in zip(*np.nonzero(vertical), strict=True):
        left = x[0] - half + column * grid.pixel
        lines.append((np.array([left, left]), np.array([y[row] - half, y[row] + half])))
    for row, column in zip(*np.nonzero(horizontal), strict=True):
        bottom = y[0] - half + row * grid.pixel
        lines.append((np.array([x[column] - half, x[column] + half]), np.array([bottom, bottom])))
    return tuple(lines)


def _flux(mask: Masks, image: Reconstruction) -> tuple[float, float | None]:
    plane = flux_plane(image)
    total = float(plane.sum()) * image.grid.pixel_area
    flux = float(region_sums(plane, mask[None], image.grid)[0])
    return float(mask.sum()) * image.grid.pixel_area, flux / total if total > 0 else None


def _require_source(region: Region, method: Method) -> None:
    if method is Method.VIS_FWDFIT and not isinstance(region, Circle | Ellipse):
        message = f"region {region.name!r}: a source of {method_name(method)} is a circle or an ellipse"
        raise SelectionError(message)
