"""Fitted values as columns of tables: of spectra, and of fits against time."""

from __future__ import annotations

from stixcore.spectra.fit.result import SpectrumFit
from stixcore.spectra.models.thermal import KEV_PER_MK

#: Parameter of the fit → its column, and the unit of the column in units of the parameter.
PARAMETER_COLUMNS = {
    "T_keV": ("temperature", KEV_PER_MK),
    "EM_1e49_cm3": ("emission_measure", 1.0),
    "T_keV_2": ("temperature_2", KEV_PER_MK),
    "EM_1e49_cm3_2": ("emission_measure_2", 1.0),
    "norm_1e35_per_s": ("electron_rate", 1.0),
    "delta": ("delta", 1.0),
    "e_cut_keV": ("e_cut", 1.0),
}


def parameter_columns(fit: SpectrumFit) -> dict[str, float | None]:
    """Values of a fit, with both errors, in the units of the columns; None for an open side."""
    columns: dict[str, float | None] = {}
    for parameter, (name, unit) in PARAMETER_COLUMNS.items():
        if parameter in fit.parameters:
            value = fit.parameters[parameter]
            for end, number in (("", value.value), ("_minus", value.sigma_minus), ("_plus", value.sigma_plus)):
                columns[name + end] = None if number is None else number / unit
    return columns
