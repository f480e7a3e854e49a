"""Sums of pixels of a single energy channel, if it has enough counts for an image."""

from __future__ import annotations

from dataclasses import dataclass

from stixcore.errors import CalibrationError, ReconstructionError, SelectionError
from stixcore.instrument.geometry import detector_indices
from stixcore.prepare import PreparedData
from stixcore.spectra.fit.energy_range import SAME_ENERGY
from stixcore.visibility.pixels import MetaPixels


@dataclass(frozen=True, eq=False)
class ChannelPixels:
    """Sums of a channel, or why it is not imaged.

    Attributes
    ----------
    pixels : MetaPixels or None
        None when the channel is not imaged.
    reason : str
        Why not; empty if it is.
    counts, background : float, ct
        Above background, and background, in the sub-collimators and pixels of the images; NaN where they are unknown.
    """

    pixels: MetaPixels | None
    reason: str = ""
    counts: float = float("nan")
    background: float = float("nan")


def channel_pixels(data: PreparedData, low: float, high: float, least_counts: float) -> ChannelPixels:
    """Sum the pixels of a channel.

    Parameters
    ----------
    data : PreparedData
        Of the images; a channel outside its energy range is not imaged.
    low, high : float, keV
        Edges of the channel; ``high`` may be infinite.
    least_counts : float, ct
        Counts above background that a channel needs.
    """
    reason = outside_range(data.energy, low, high)
    if reason:
        return ChannelPixels(None, reason)
    try:
        # within the channel, so that the range does not grow to the next ones
        pixels = data.sum_pixels((low, high))
        used = detector_indices(pixels.switched_on(data.options.subcollimators))
    except (SelectionError, CalibrationError, ReconstructionError) as error:
        return ChannelPixels(None, str(error))
    recorded, background = pixels.totals(used)
    counts = recorded - background
    if not counts >= least_counts:
        reason = f"{max(counts, 0.0):.0f} counts above background, fewer than {least_counts:g}"
        return ChannelPixels(None, reason, counts, background)
    return ChannelPixels(pixels, "", counts, background)


def outside_range(energy: tuple[float, float], low: float, high: float) -> str:
    """Say that a channel is not within an energy range, keV; empty if it is."""
    first, last = energy
    if first - SAME_ENERGY <= low and high <= last + SAME_ENERGY:
        return ""
    return f"outside {first:g}-{last:g} keV"
