"""Flares: components, each of which has a shape on the sky, a spectrum and a light curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from stixcore.errors import SelectionError
from stixcore.simulation import sources as shapes
from stixcore.simulation import spectrum as spectra
from stixcore.simulation.sources import Source, shares
from stixcore.simulation.spectrum import Spectrum

Floats = NDArray[np.float64]
Times = NDArray[np.datetime64]


def seconds(time: Times | np.datetime64, origin: np.datetime64) -> Floats:
    """Seconds from ``origin``."""
    return np.asarray((time - origin) / np.timedelta64(1, "us"), dtype=float) / 1e6


class Profile(Protocol):
    """A light curve whose peak is 1."""

    @property
    def peak(self) -> np.datetime64:
        """Time of the peak, UTC at Solar Orbiter."""

    def integral(self, t: Floats) -> Floats:
        """∫ of the light curve up to ``t`` seconds after the peak, s."""

    def interval(self, level: float) -> tuple[float, float]:
        """Seconds before (negative) and after the peak where the light curve crosses ``level``."""


@dataclass(frozen=True)
class FastRise:
    """Gaussian rise and exponential decay, as in the soft bands of most flares.

    Attributes
    ----------
    peak : datetime64
        UTC at Solar Orbiter.
    rise : float, s
        Sigma of the rising Gaussian.
    decay : float, s
        e-folding time.
    """

    peak: np.datetime64
    rise: float
    decay: float

    def integral(self, t: Floats) -> Floats:
        """See `Profile.integral`."""
        before, after = np.minimum(t, 0.0), np.maximum(t, 0.0)
        # σ√(π/2)[1 + erf(t/σ√2)] + τ(1 - e^{-t/τ})
        rising = self.rise * np.sqrt(np.pi / 2.0) * (1.0 + erf(before / (self.rise * np.sqrt(2.0))))
        return np.asarray(rising + self.decay * -np.expm1(-after / self.decay))

    def interval(self, level: float) -> tuple[float, float]:
        """See `Profile.interval`."""
        return -self.rise * float(np.sqrt(-2.0 * np.log(level))), -self.decay * float(np.log(level))


@dataclass(frozen=True)
class Gaussian:
    """Symmetric burst; ``sigma`` in s."""

    peak: np.datetime64
    sigma: float

    def integral(self, t: Floats) -> Floats:
        """See `Profile.integral`."""
        return np.asarray(self.sigma * np.sqrt(np.pi / 2.0) * (1.0 + erf(t / (self.sigma * np.sqrt(2.0)))))

    def interval(self, level: float) -> tuple[float, float]:
        """See `Profile.interval`."""
        width = self.sigma * float(np.sqrt(-2.0 * np.log(level)))
        return -width, width


def mean_level(profile: Profile, t_start: Times, duration: Floats) -> Floats:
    """Mean of a light curve in each time bin, (n,) float, in units of the peak."""
    begin = seconds(t_start, profile.peak)
    return (profile.integral(begin + duration) - profile.integral(begin)) / duration


@dataclass(frozen=True)
class Component:
    """Sources that share one spectrum and one light curve.

    Attributes
    ----------
    sources : tuple of Source
        With helioprojective positions; the flux is divided by their shares.
    spectrum : Spectrum
    profile : Profile
    """

    sources: tuple[Source, ...]
    spectrum: Spectrum
    profile: Profile

    def __post_init__(self) -> None:
        shares(self.sources)  # raises an error for an empty component


@dataclass(frozen=True)
class Flare:
    """A flare of one or more components; its peak, position and id are those of the first one.

    Attributes
    ----------
    components : tuple of Component

    Raises
    ------
    SelectionError
        When there are no components.
    """

    components: tuple[Component, ...]

    def __post_init__(self) -> None:
        if not self.components:
            message = "a flare needs at least one component"
            raise SelectionError(message)

    @property
    def peak(self) -> np.datetime64:
        """Peak of the first component, UTC at Solar Orbiter."""
        return self.components[0].profile.peak

    @property
    def position(self) -> tuple[float, float]:
        """Flux-weighted centroid of the first component, arcsec."""
        sources = self.components[0].sources
        weights = shares(sources)
        return (
            float(weights @ [source.x for source in sources]),
            float(weights @ [source.y for source in sources]),
        )

    @property
    def flare_id(self) -> str:
        """``yymmddhhmm`` of the peak."""
        return str(np.datetime_as_string(self.peak, unit="m"))[2:].translate(str.maketrans("", "", "-T:"))

    def interval(self, level: float = 0.02) -> tuple[np.datetime64, np.datetime64]:
        """First and last time at which any component is above ``level`` of its peak."""
        begin, end = [], []
        for component in self.components:
            before, after = component.profile.interval(level)
            begin.append(component.profile.peak + np.timedelta64(round(before * 1e6), "us"))
            end.append(component.profile.peak + np.timedelta64(round(after * 1e6), "us"))
        return min(begin), max(end)

    def describe(self) -> dict[str, Any]:
        """All parameters of the flare, as JSON values."""
        return {
            "flare_id": self.flare_id,
            "peak_utc": str(np.datetime_as_string(self.peak, unit="ms")),
            "hpc_x": round(self.position[0], 3),
            "hpc_y": round(self.position[1], 3),
            "components": [
                {
                    "sources": [shapes.describe(source) for source in component.sources],
                    "spectrum": spectra.describe(component.spectrum),
                    "profile": _describe_profile(component.profile),
                }
                for component in self.components
            ],
        }


def _describe_profile(profile: Profile) -> dict[str, Any]:
    values: dict[str, Any] = asdict(profile)  # type: ignore[call-overload]  # every profile here is a dataclass
    values["peak"] = str(np.datetime_as_string(profile.peak, unit="ms"))
    return {"model": type(profile).__name__, **values}


def components_of(flares: Sequence[Flare]) -> tuple[Component, ...]:
    """All components of all flares."""
    return tuple(component for flare in flares for component in flare.components)
