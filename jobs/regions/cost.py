"""How long spectra of regions may take, estimated before they are measured."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.shared.errors import LimitReached
from stixcore.imaging.reconstruction import Method, method_name

#: Time of one image, s: a part that every image takes, and a part for every pixel. At worst, on one core of the machine
#: of `docs/reliability.md`: EM takes most steps where pixels are small.
IMAGE_SECONDS: Mapping[Method, tuple[float, float]] = {
    Method.CLEAN: (0.005, 1.5e-6),
    Method.MEM_GE: (0.01, 1.5e-6),
    Method.EM: (0.1, 3.5e-5),
    Method.VIS_FWDFIT: (0.01, 2e-7),
}
#: Channels that are imaged: those between 4 and 28 keV. Above, few have enough counts.
CHANNELS = 17


def image_seconds(method: Method, shape: tuple[int, int]) -> float:
    """Longest time of one image, s; ``shape`` is its rows and columns."""
    every, pixel = IMAGE_SECONDS[method]
    return every + pixel * shape[0] * shape[1]


def regions_seconds(method: Method, shape: tuple[int, int], copies: int) -> float:
    """Longest time of the spectra of regions, s: of an image of each channel and of each of its copies."""
    # sources of a forward fit have errors without copies
    images = 1 if method is Method.VIS_FWDFIT else 1 + copies
    return CHANNELS * images * image_seconds(method, shape)


def check_time(method: Method, shape: tuple[int, int], copies: int, longest: float) -> None:
    """Refuse spectra of regions that may take too long.

    Parameters
    ----------
    method : Method
        Of `stixcore.imaging_spectroscopy.region_recipe.REGION_METHODS`.
    shape : (int, int)
        Rows and columns of the images.
    copies : int
        Simulated copies of the data.
    longest : float, s

    Raises
    ------
    LimitReached
        Naming what is too much, and the time.
    """
    seconds = regions_seconds(method, shape, copies)
    if seconds > longest:
        message = (
            f"{method_name(method)} images of {shape[0]} × {shape[1]} pixels with {copies} copies may take "
            f"{seconds / 60:,.0f} minutes for {CHANNELS} channels, and {longest / 60:,.0f} minutes are possible: "
            "choose fewer copies or a smaller map"
        )
        raise LimitReached(message)
