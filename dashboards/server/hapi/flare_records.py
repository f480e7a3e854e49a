"""Records of flares, and of flares per day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive import Archive, FlareFilter
from archive.exports import plain_unit
from archive.flare_rates import GROUPS, daily_rates
from archive.index.schema import FLARES as TABLE
from dashboards.server.hapi.records import Columns
from dashboards.server.hapi.standard import Parameter

FLARES = "One record for each flare; Time is that of its peak in 4-10 keV."
RATES = (
    "Number of flares that peak on each day, by GOES class: measured, or else estimated from STIX data. "
    "Days without light curves have no flares."
)

#: Columns that are served, and the length of texts, byte: the longest possible, in multiples of four.
_COLUMNS: dict[str, int | None] = {
    "flare_id": 12, "t_start": None, "t_end": None, "peak_counts": None, "peak_counts_10_15": None,
    "peak_counts_15_25": None, "total_counts": None, "background_counts": None, "significance": None,
    "attenuator_in": None, "goes_class": 8, "goes_flux": None, "goes_estimated": 8, "goes_estimated_flux": None,
    "goes_estimated_from": 24, "background_detector_flux": None, "hpc_x": None, "hpc_y": None, "hpc_sigma": None,
    "location_verdict": 12, "stonyhurst_lon": None, "stonyhurst_lat": None, "carrington_lon": None, "off_limb": None,
    "earth_x": None, "earth_y": None, "earth_visible": None, "earth_delay_s": None, "dsun_au": None, "sol_id": 32,
    "temperature": None, "temperature_sigma": None, "emission_measure": None, "emission_measure_sigma": None,
    "delta": None, "delta_sigma": None, "spectrum_verdict": 12,
}  # fmt: skip
_TYPES = {str: "string", float: "double", bool: "integer", int: "integer", np.datetime64: "isotime"}


def _parameter(name: str, length: int | None) -> Parameter:
    column = next(one for one in TABLE.columns if one.name == name)
    kind = _TYPES[column.python]
    clock = f", {column.unit}" if kind == "isotime" else ""
    truth = "; 1 yes, 0 no" if column.python is bool else ""
    unit = plain_unit(column.unit) if kind == "double" and column.unit else None
    return Parameter(name, kind, f"{column.meaning}{clock}{truth}", unit, length)


FLARE_PARAMETERS = (
    Parameter("Time", "isotime", "Peak of the 4-10 keV light curve, UTC at Solar Orbiter", "UTC"),
    *(_parameter(name, length) for name, length in _COLUMNS.items()),
)
#: Name of the number of flares of each group.
_GROUP_NAMES = tuple(f"flares_{group.replace('no class', 'unclassified')}" for group in GROUPS)
RATE_PARAMETERS = (
    Parameter("Time", "isotime", "Start of the day, UTC at Solar Orbiter", "UTC"),
    Parameter("flares", "integer", "Flares of the day"),
    *(
        Parameter(name, "integer", f"Flares of class {group}" if group != GROUPS[0] else "Flares without a class")
        for name, group in zip(_GROUP_NAMES, GROUPS, strict=True)
    ),
)


def read_flares(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> Iterator[Columns]:
    """Flares that peak in a time range, oldest first."""
    table = archive.flare_table(FlareFilter(t_start=start, t_end=end, simulated=simulated), ("t_peak", *_COLUMNS))
    yield {"Time": _values(table["t_peak"]), **{name: _values(table[name]) for name in _COLUMNS}}


def _values(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column as numpy has it; None in truth values and texts where they are unknown."""
    if pa.types.is_boolean(column.type) or pa.types.is_string(column.type):
        return np.array([*column.to_pylist(), None], dtype=object)[:-1]
    return np.asarray(column.to_numpy())


def read_rates(archive: Archive, start: np.datetime64, end: np.datetime64, *, simulated: bool) -> Iterator[Columns]:
    """Flares of each day that begins in a time range."""
    days, counts = daily_rates(archive, start, end, simulated=simulated)
    groups = {name: counts[:, place] for place, name in enumerate(_GROUP_NAMES)}
    yield {"Time": days, "flares": counts.sum(axis=1), **groups}
