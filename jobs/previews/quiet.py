"""Background counts of a science file, before a window is chosen: from the background file nearest to it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from archive import Archive
from archive.index.schema import ScienceFile
from jobs.inputs import InputCatalog
from jobs.previews.windows import Band, QuietRate
from stixcore.errors import StixError
from stixcore.fits.read import read_pixel_data
from stixcore.prepare import LOCATION_ENERGY


def background_of_file(inputs: InputCatalog, file: ScienceFile) -> ScienceFile | None:
    """The background file by which the counts of a science file are judged; None when none qualifies."""
    return inputs.background_for(file, file.t_start, file.t_end, LOCATION_ENERGY).chosen


def quiet_rate(archive: Archive, inputs: InputCatalog, file: ScienceFile) -> QuietRate:
    """Background counts per second and pixel in a band, None where no background file covers it.

    The background is taken as it was recorded: without live time, which is above 99 % in a quiet hour.
    """
    chosen = background_of_file(inputs, file)

    def rate(band: Band) -> float | None:
        return None if chosen is None else _rate(archive.path_of(chosen.path), chosen.sha256, band)

    return rate


@lru_cache(maxsize=1024)
def _rate(path: Path, _sha256: str, band: Band) -> float | None:
    """Counts per second and pixel of a file in a band; None where it does not cover the band."""
    try:
        data = read_pixel_data(path)
        counts = float(data.summed(*band).sum())
    except StixError:
        return None
    pixels = data.pixel_mask.sum(axis=1) * data.detector_mask.sum(axis=1)
    return counts / float((pixels * data.duration).sum())
