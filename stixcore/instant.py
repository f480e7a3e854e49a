"""A quick image while a user selects times and energies on a spectrogram: a back projection, or one of any method.

It prepares the data as a recipe does (`stixcore.prepare`), so it shows what the recipe will give. It skips only reading
files that are already in memory, and their checksums.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from stixcore.calibration.catalog import SHIPPED, CalibrationCatalog
from stixcore.coordinates import Pointing
from stixcore.errors import CalibrationError, SelectionError
from stixcore.fits.products import PixelData
from stixcore.fits.windows import WindowRule
from stixcore.imaging.back_projection import back_project
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import FlareLocation
from stixcore.imaging.methods import default_parameters, run_method
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.threads import single_threaded
from stixcore.instrument.geometry import detector_indices
from stixcore.options import ImageRequest
from stixcore.prepare import PreparedData, prepare
from stixcore.recipe import Location
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities


@dataclass(frozen=True, eq=False)
class InstantImage:
    """An image, the center of its map, and the counts it was made from.

    Attributes
    ----------
    image : Reconstruction
    location : Location
    search : FlareLocation or None
        The full-disk search in the same window; None when the file has no band for it.
    pointing : Pointing
    pixels : MetaPixels
        Counts and background; times and energies in whole bins and channels.
    counts, background : float, ct
        Recorded counts and expected background, in the sub-collimators and pixels of the image.
    recorded : float, ct
        Recorded counts in all detectors and pixels, to which the 10,000-count rule applies.
    elapsed : float, s
    data : PreparedData
        What it was made from.
    """

    image: Reconstruction
    location: Location
    search: FlareLocation | None
    pointing: Pointing
    pixels: MetaPixels
    counts: float
    background: float
    recorded: float
    elapsed: float
    data: PreparedData


def instant_image(
    request: ImageRequest,
    science: PixelData,
    background: PixelData | None,
    pointing: Pointing,
    catalog: CalibrationCatalog = SHIPPED,
    method: Method | None = None,
) -> InstantImage:
    """Image of a request, from files that are open already.

    Parameters
    ----------
    request : ImageRequest
        Its methods give the parameters of ``method``, where they name it.
    science, background : PixelData
    pointing : Pointing
        Pointing of the request, else from the auxiliary files.
    catalog : CalibrationCatalog
    method : Method, optional
        By default a back projection, which takes milliseconds.

    Returns
    -------
    InstantImage

    Raises
    ------
    SelectionError, CalibrationError, ReconstructionError
        When the files or the selection do not allow an image.
    """
    with single_threaded():
        return _instant_image(request, science, background, pointing, catalog, method)


def _instant_image(
    request: ImageRequest,
    science: PixelData,
    background: PixelData | None,
    pointing: Pointing,
    catalog: CalibrationCatalog,
    method: Method | None,
) -> InstantImage:
    begin = perf_counter()
    data = prepare(request, science, background, pointing, catalog)
    search: FlareLocation | None
    if request.location is None:
        center, search = data.find_location()
    else:
        center, search = Location.given(*request.location), _other_places(data)
    vis = data.visibilities(data.pixels, center.x, center.y)
    image = _image(request, data, vis, center, method)
    counts, quiet = data.pixels.totals(detector_indices(vis.labels))
    channels = data.science.energy_channels(*data.energy)
    recorded = float(data.science.read(data.times, channels).counts.sum())
    return InstantImage(
        image, center, search, pointing, data.pixels, counts, quiet, recorded, perf_counter() - begin, data
    )


def _image(
    request: ImageRequest, data: PreparedData, vis: Visibilities, center: Location, method: Method | None
) -> Reconstruction:
    grid = ImageGrid(request.shape, request.pixel, (center.x, center.y))
    if method is None:
        return back_project(vis, grid)
    given = data.imaging_input(vis, data.pixels, grid)
    return run_method(method, (request.methods or {}).get(method) or default_parameters(method), given)


def _other_places(data: PreparedData) -> FlareLocation | None:
    """Full-disk search for a location that was given; None when the file has no band for it."""
    try:
        return data.search_full_disk()
    except (SelectionError, CalibrationError):
        return None


def snapped(
    science: PixelData,
    start: np.datetime64,
    end: np.datetime64,
    low: float,
    high: float,
    rule: WindowRule = WindowRule.CENTRES,
) -> tuple[np.datetime64, np.datetime64, float, float]:
    """Snap a selection to whole bins and channels of a file.

    Channels are extended outward. An open last channel has no width and is excluded.

    Returns
    -------
    start, end : datetime64
        The window that contains exactly these bins.
    low, high : float, keV

    Raises
    ------
    SelectionError
        When the selection is outside the file.
    """
    closed = science.e_high[np.isfinite(science.e_high)]
    low, high = max(low, float(science.e_low[0])), min(high, float(closed[-1]))
    times, channels = science.time_bins(start, end, rule), science.energy_channels(low, high)
    return (
        *science.window(times),
        float(science.e_low[channels][0]),
        float(science.e_high[channels][-1]),
    )
