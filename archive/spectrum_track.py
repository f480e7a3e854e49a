"""Track of fits of a flare: temperature, emission measure and electrons against time, beside the tracks of its cube.

A row is a step with enough counts for a fit: a step of the images, or several that were joined. The columns have the
names of those of the table ``spectra``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from archive.track_entries import read_number, read_ranges, require_drawable
from stixcore.times import format_time

SPECTRA_TRACK = "spectra_track.parquet"

#: Fitted values; each has the columns ``…_minus`` and ``…_plus`` with its 1 σ errors.
FITTED = (
    "temperature", "emission_measure", "temperature_2", "emission_measure_2", "electron_rate", "delta", "e_cut",
)  # fmt: skip
_ENDS = ("", "_minus", "_plus")
#: Units of the columns, as astropy reads them.
_FITTED_UNITS = {
    "temperature": "MK",
    "emission_measure": "1e49 cm-3",
    "temperature_2": "MK",
    "emission_measure_2": "1e49 cm-3",
    "electron_rate": "1e35 s-1",
    "e_cut": "keV",
}
UNITS = {"livetime_s": "s", "counts": "ct", "fit_low": "keV", "fit_high": "keV"} | {
    name + error: unit for name, unit in _FITTED_UNITS.items() for error in _ENDS
}
VERDICTS = ("trusted", "doubtful")
_NUMBERS = ("livetime_s", "counts", "fit_low", "fit_high", "chi2", "ndof")


@dataclass(frozen=True)
class SpectrumPoint:
    """The automatic fit of one step.

    Attributes
    ----------
    t_start, t_end : datetime64, UTC at Solar Orbiter
    livetime_s : float, s
    attenuator_in : bool
    counts : float, ct
        Above background in the fitted energies, 24 coarse detectors.
    model : str
        Components joined by "+".
    fit_low, fit_high : float, keV
    chi2 : float
        Not divided by ``ndof``.
    ndof : int
    verdict : str
        "trusted" or "doubtful".
    doubts : tuple of str
        Sentences: serious doubts about the fit, others, those about counts and response.
    temperature, emission_measure, temperature_2, emission_measure_2, electron_rate, delta, e_cut : float or None
        MK, 10⁴⁹ cm⁻³, the same of the hotter one of two thermal components, electrons above the cutoff in 10³⁵ s⁻¹,
        index of the electrons, keV. None where the model has no such parameter.
    temperature_minus, temperature_plus and so on : float or None
        1 σ errors, positive; None where the data do not limit the value on that side.
    """

    t_start: np.datetime64
    t_end: np.datetime64
    livetime_s: float
    attenuator_in: bool
    counts: float
    model: str
    fit_low: float
    fit_high: float
    chi2: float
    ndof: int
    verdict: str
    doubts: tuple[str, ...] = ()
    temperature: float | None = None
    temperature_minus: float | None = None
    temperature_plus: float | None = None
    emission_measure: float | None = None
    emission_measure_minus: float | None = None
    emission_measure_plus: float | None = None
    temperature_2: float | None = None
    temperature_2_minus: float | None = None
    temperature_2_plus: float | None = None
    emission_measure_2: float | None = None
    emission_measure_2_minus: float | None = None
    emission_measure_2_plus: float | None = None
    electron_rate: float | None = None
    electron_rate_minus: float | None = None
    electron_rate_plus: float | None = None
    delta: float | None = None
    delta_minus: float | None = None
    delta_plus: float | None = None
    e_cut: float | None = None
    e_cut_minus: float | None = None
    e_cut_plus: float | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether a doubt about the fit is serious."""
        return self.verdict != VERDICTS[0]

    def as_json(self) -> dict[str, Any]:
        """The values as JSON, times as text."""
        times = {"t_start": format_time(self.t_start), "t_end": format_time(self.t_end)}
        return asdict(self) | times | {"doubts": list(self.doubts)}

    def as_row(self) -> dict[str, Any]:
        """The values as they are in the Parquet file; the doubts are a JSON text."""
        return asdict(self) | {"doubts": json.dumps(self.doubts, ensure_ascii=False)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> SpectrumPoint:
        """The point of an entry of a record.

        Raises
        ------
        ValueError, KeyError, TypeError
            When the entry is damaged.
        """
        start, end, _, _ = read_ranges(entry, ("fit_low", "fit_high"), "spectra")
        values: dict[str, Any] = {name: float(entry[name]) for name in _NUMBERS}
        values |= {name + error: read_number(entry.get(name + error)) for name in FITTED for error in _ENDS}
        require_drawable(values.values(), "spectra")
        verdict = entry["verdict"]
        if verdict not in VERDICTS:
            message = f"spectra: expected a verdict of {', '.join(VERDICTS)}, found {verdict!r}"
            raise ValueError(message)
        return cls(
            t_start=start,
            t_end=end,
            attenuator_in=bool(entry["attenuator_in"]),
            model=str(entry["model"]),
            verdict=str(verdict),
            doubts=tuple(str(text) for text in entry["doubts"]),
            **values | {"ndof": int(values["ndof"])},
        )
