"""Filter of spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archive.index.sql import Conditions
from archive.index.terms import contains, of_fit, of_result


@dataclass(frozen=True, kw_only=True)
class SpectrumFilter:
    """Filter of spectra; None and empty values match any.

    Attributes
    ----------
    t_start, t_end : datetime64
        Spectra whose time range overlaps this one, UTC at Solar Orbiter.
    uid, science_name, author, model : str
        Exact values; the model is that of the fit, such as "vth+thick2".
    flare_id : str
        Id of a flare, or one of its other ids.
    kind : str
        "auto" or "user".
    verdict : str
        "trusted" or "doubtful"; spectra without a fit match neither.
    temperature_min, temperature_max : float
        Temperature of the fit, MK; both limits are included.
    delta_min, delta_max : float
        Spectral index δ of the fit; both limits are included.
    simulated : bool
    text : str
        Part of spectrum id, uid or flare id.
    viewer : str
        Include the hidden spectra of this user.
    all_hidden : bool
        Include all hidden spectra, for operators.
    """

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    uid: str | None = None
    science_name: str | None = None
    flare_id: str | None = None
    kind: str | None = None
    model: str | None = None
    verdict: str | None = None
    temperature_min: float | None = None
    temperature_max: float | None = None
    delta_min: float | None = None
    delta_max: float | None = None
    author: str | None = None
    simulated: bool | None = None
    text: str = ""
    viewer: str | None = None
    all_hidden: bool = False

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        return Conditions.of(
            *of_result(self),
            ("science_name = ?", self.science_name),
            ("kind = ?", self.kind),
            ("model = ?", self.model),
            ("verdict = ?", self.verdict),
            *of_fit(self),
            (contains("spectrum_id", "uid", "flare_id"), (self.text,) * 3 if self.text else None),
        )
