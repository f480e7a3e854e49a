"""Counts and background of a window as its images have them, before they are made."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from archive import Archive
from archive.index.schema import ScienceFile
from jobs.inputs import InputCatalog
from jobs.previews.windows import Band, SetCounts
from stixcore.calibration.pointing import assumed_pointing
from stixcore.errors import StixError
from stixcore.fits.products import PixelData
from stixcore.fits.read import read_pixel_data
from stixcore.instrument.geometry import detector_indices
from stixcore.options import ImageRequest
from stixcore.prepare import LOCATION_ENERGY, prepare


def background_of_file(inputs: InputCatalog, file: ScienceFile) -> ScienceFile | None:
    """The background file by which the counts of a science file are judged; None when none qualifies."""
    return inputs.background_for(file, file.t_start, file.t_end, LOCATION_ENERGY).chosen


def set_counts(archive: Archive, inputs: InputCatalog, file: ScienceFile, data: PixelData) -> SetCounts:
    """Recorded counts and background of the image set of a window, in the sub-collimators and pixels that it uses.

    The background is the file that the image set gets, scaled by live time pixel by pixel, as for the images: pixels
    and detectors have different backgrounds, so the mean rate of a file does not give that of another selection.

    Parameters
    ----------
    archive : Archive
    inputs : InputCatalog
    file : ScienceFile
    data : PixelData
        The science file.
    """

    @cache
    def counts(start: np.datetime64, end: np.datetime64, band: Band) -> tuple[float, float] | None:
        chosen = inputs.background_for(file, start, end, band).chosen
        if chosen is None:
            return None
        request = ImageRequest(start, end, band)
        try:
            background = _background(archive.path_of(chosen.path), chosen.sha256)
            pixels = prepare(request, data, background, assumed_pointing(), inputs.calibration).pixels
            return pixels.totals(detector_indices(pixels.switched_on(request.subcollimators)))
        except StixError:
            return None

    return counts


@lru_cache(maxsize=16)
def _background(path: Path, _sha256: str) -> PixelData:
    return read_pixel_data(path)
