"""Which detectors can be summed: those behind the same kind of aperture."""

from __future__ import annotations

from collections.abc import Sequence

from stixcore.errors import SelectionError
from stixcore.instrument.geometry import BACKGROUND_MONITOR, FLARE_LOCATOR


def require_same_apertures(detectors: Sequence[int], source: str = "") -> None:
    """Refuse detectors whose counts have no common response.

    Parameters
    ----------
    detectors : sequence of int
        Indices, 0-31.
    source : str
        File for the message.

    Raises
    ------
    SelectionError
        For the flare locator, and for the background monitor beside other detectors.
    """
    prefix = f"{source}: " if source else ""
    if FLARE_LOCATOR in detectors:
        message = f"{prefix}detectors: {FLARE_LOCATOR} is the flare locator, which has no response"
        raise SelectionError(message)
    if BACKGROUND_MONITOR in detectors and len(detectors) > 1:
        message = (
            f"{prefix}detectors: {BACKGROUND_MONITOR} is the background monitor, whose apertures differ; "
            "use it alone, or leave it out"
        )
        raise SelectionError(message)
