"""The energy range of a fit: from the attenuator and the response, up to where the signal ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.response import Response

#: Lowest energies, keV. Behind the attenuator fewer than 2 of 1000 photons of 8 keV arrive, and counts below 11 keV are
#: mostly those of harder photons. A response with the loss of charge gives 45 % more counts in 4-5 keV than flares have
#: (``docs/decisions/loss_of_charge.md``), so a fit with it starts at 6 keV, unless too few channels remain.
LOW_ATTENUATED, LOW_TAILED, LOW = 11.0, 6.0, 4.0
#: A channel has a signal if its counts exceed this many sigma and this fraction of the background.
SIGNAL_SIGMAS, SIGNAL_FRACTION = 3.0, 0.1
LEAST_CHANNELS = 4
SAME_ENERGY = 0.01  # keV


@dataclass(frozen=True, eq=False)
class EnergyRange:
    """Channels that are fitted.

    Attributes
    ----------
    low, high : float, keV
    used : (n_channel,) bool
        Adjacent channels, except for spectra of regions.
    reason : str
        Why these, one or two sentences.
    """

    low: float
    high: float
    used: NDArray[np.bool_]
    reason: str


def choose_range(
    spectrum: CountSpectrum,
    response: Response,
    energy: tuple[float, float] | None = None,
    usable: NDArray[np.bool_] | None = None,
) -> EnergyRange:
    """Choose the channels to fit.

    Parameters
    ----------
    spectrum : CountSpectrum
    response : Response
    energy : (float, float), keV, optional
        Range that the user chose: all channels within it. Default: from 11 keV with the attenuator in, else from
        4 keV, or 6 keV with a response that includes the loss of charge and enough channels above; up to the last
        channel before two in a row without a signal.
    usable : (n_channel,) bool, optional
        The channels that have a value, all of which are fitted from the lowest energy on, with or without a signal: a
        region with few counts of a bright flare is known to be faint. Others are left out. By default all channels.

    Raises
    ------
    SelectionError
        When fewer than 4 channels remain.
    """
    closed = np.isfinite(spectrum.e_high) & np.isfinite(spectrum.counts) & np.isfinite(spectrum.sigma)
    if energy is not None:
        low, high = energy
        if not low < high:
            message = f"energy must be a lower and a higher energy in keV, found {low:g} and {high:g}"
            raise SelectionError(message)
        used = closed & (spectrum.e_low >= low - SAME_ENERGY) & (spectrum.e_high <= high + SAME_ENERGY)
        return _range(spectrum, used, "The range was given.", usable)
    low = LOW_ATTENUATED if response.attenuator else LOW_TAILED if response.tailing else LOW
    used, end = _up(spectrum, closed, low, usable)
    if response.attenuator:
        why = (
            f"The fit starts at {low:g} keV because the attenuator is in: counts at lower energies are mostly those of "
            "harder photons."
        )
    elif low == LOW:
        why = f"The fit starts at {low:g} keV, the lowest energy of the response."
    elif used.sum() >= LEAST_CHANNELS:
        why = (
            f"The fit starts at {low:g} keV: counts at lower energies depend on the loss of charge in the detector "
            "more than on the flare."
        )
    else:
        used, end = _up(spectrum, closed, LOW, usable)
        why = f"The fit starts at {LOW:g} keV because too few channels above {low:g} keV have a signal."
    return _range(spectrum, used, f"{why} {end}", usable)


def _up(
    spectrum: CountSpectrum, closed: NDArray[np.bool_], low: float, usable: NDArray[np.bool_] | None
) -> tuple[NDArray[np.bool_], str]:
    """Channels from an energy up to where the signal ends, or all usable ones."""
    candidates = closed & (spectrum.e_low >= low - SAME_ENERGY)
    if usable is None:
        return _with_signal(spectrum, candidates)
    return candidates & usable, "It includes all channels with an image."


def _with_signal(spectrum: CountSpectrum, candidates: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], str]:
    """Candidates up to the last channel before two in a row without a signal."""
    signal = (spectrum.counts > SIGNAL_SIGMAS * spectrum.sigma) & (
        spectrum.counts > SIGNAL_FRACTION * spectrum.background
    )
    places = [int(k) for k in np.flatnonzero(candidates)]
    last = -1
    for number, k in enumerate(places):
        if signal[k]:
            last = k
        elif number and not signal[places[number - 1]]:
            break
    used = candidates & (np.arange(candidates.size) <= last)
    if places and last == places[-1]:
        return used, "It ends with the last channel."
    high = f"{spectrum.e_high[last]:g} keV" if last >= 0 else "the start"
    rule = f"{SIGNAL_SIGMAS:g} sigma and {SIGNAL_FRACTION:.0%} of the background"
    return used, f"It ends at {high}: above, the counts do not exceed {rule}."


def _range(
    spectrum: CountSpectrum, used: NDArray[np.bool_], reason: str, usable: NDArray[np.bool_] | None
) -> EnergyRange:
    used = used if usable is None else used & usable
    chosen = np.flatnonzero(used)
    if chosen.size < LEAST_CHANNELS:
        message = f"a fit needs at least {LEAST_CHANNELS} channels, the range has {chosen.size}. {reason}"
        raise SelectionError(message)
    if usable is None and chosen[-1] - chosen[0] + 1 != chosen.size:
        message = f"a channel between {spectrum.e_low[chosen[0]]:g} and {spectrum.e_high[chosen[-1]]:g} keV has no data"
        raise SelectionError(message)
    return EnergyRange(float(spectrum.e_low[chosen[0]]), float(spectrum.e_high[chosen[-1]]), used, reason)
