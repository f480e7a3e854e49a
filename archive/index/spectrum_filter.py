"""Filters of spectra and of region spectra."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.index.sql import Conditions
from archive.index.terms import contains, of_fit, of_result


@dataclass(frozen=True, kw_only=True)
class MeasurementFilter:
    """What filters of spectra and of region spectra have in common; None and empty values match any.

    Attributes
    ----------
    t_start, t_end : datetime64
        Results whose time range overlaps this one, UTC at Solar Orbiter.
    uid, science_name, author : str
        Exact values.
    flare_id : str
        Id of a flare, or one of its other ids.
    kind : str
        "auto" or "user".
    verdict : str
        "trusted" or "doubtful"; results without a fit match neither.
    simulated : bool
    text : str
        Part of the id of the result, of uid or flare id.
    viewer : str
        Include the hidden results of this user.
    all_hidden : bool
        Include all hidden results, for operators.
    """

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    uid: str | None = None
    science_name: str | None = None
    flare_id: str | None = None
    kind: str | None = None
    verdict: str | None = None
    author: str | None = None
    simulated: bool | None = None
    text: str = ""
    viewer: str | None = None
    all_hidden: bool = False

    def _shared(self, *columns: str) -> tuple[tuple[str, Any], ...]:
        """Conditions on what both tables have; ``columns`` are searched for the text."""
        return (
            *of_result(self),
            ("science_name = ?", self.science_name),
            ("kind = ?", self.kind),
            ("verdict = ?", self.verdict),
            (contains(*columns), (self.text,) * len(columns) if self.text else None),
        )


@dataclass(frozen=True, kw_only=True)
class SpectrumFilter(MeasurementFilter):
    """Filter of spectra. It also has the attributes of `MeasurementFilter`.

    Attributes
    ----------
    model : str
        Exact model of the fit, such as "vth+thick2".
    temperature_min, temperature_max : float
        Temperature of the fit, MK; both limits are included.
    delta_min, delta_max : float
        Spectral index δ of the fit; both limits are included.
    """

    model: str | None = None
    temperature_min: float | None = None
    temperature_max: float | None = None
    delta_min: float | None = None
    delta_max: float | None = None

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        return Conditions.of(*self._shared("spectrum_id", "uid", "flare_id"), ("model = ?", self.model), *of_fit(self))


@dataclass(frozen=True, kw_only=True)
class RegionFilter(MeasurementFilter):
    """Filter of region spectra; ``text`` may be in the name of a region. It has the attributes of `MeasurementFilter`.

    Attributes
    ----------
    method : str
        Exact method of the images, such as "clean".
    """

    method: str | None = None

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        return Conditions.of(*self._shared("region_id", "uid", "flare_id", "names"), ("method = ?", self.method))
