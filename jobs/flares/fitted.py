"""Temperatures, emission measures and spectral indices of flares: the layer ``fitted`` of the flare list.

Only spectra of previews count, so that the values of all flares are made in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from archive import Archive, Flare, RunKind
from archive.index.schema import SPECTRA
from archive.index.sql import Conditions, select
from jobs.flares.rows import SPECTRUM, Layer, replace_layers

_DAY = np.timedelta64(86_400_000_000, "us")
#: Fitted values of spectra and of flares: those of spectra have two errors, those of flares the larger of them.
VALUES = ("temperature", "emission_measure", "delta")
_COLUMNS = ", ".join(
    ("spectrum_id, flare_id, simulated, verdict, counts", *(f"{name}, {name}_minus, {name}_plus" for name in VALUES))
)


def fit_flares(archive: Archive, month: str, now: np.datetime64) -> tuple[str, ...]:
    """Give the flares with their peak in a month ("2022-11") the values of their spectra; returns ids of changed rows.

    Parameters
    ----------
    archive : Archive
        Build the read model afterwards, if rows were written.
    month : str
    now : datetime64
        For ``updated_at`` of changed rows, UTC.
    """
    begin = np.datetime64(month, "M").astype("datetime64[us]")
    end = (np.datetime64(month, "M") + np.timedelta64(1, "M")).astype("datetime64[us]")
    with archive.write_lock():
        spectra = _spectra(archive, begin - _DAY, end + _DAY)
        layers = {}
        for flare in archive.flares(begin, end):
            layer = _layer(flare, spectra.get((flare.flare_id, flare.simulated), []))
            if (layer.to_json() if layer else None) != flare.fitted:
                layers[flare.flare_id] = layer
        return replace_layers(archive, "fitted", layers, now).written if layers else ()


def _spectra(
    archive: Archive, start: np.datetime64, end: np.datetime64
) -> dict[tuple[str, bool], list[dict[str, Any]]]:
    """Public spectra of previews with a fit, by flare id and whether they are simulated."""
    where = Conditions.of(
        ("t_end > ?", start),
        ("t_start < ?", end),
        ("kind = ?", str(RunKind.AUTO)),
        ("NOT hidden AND flare_id IS NOT NULL AND verdict IS NOT NULL", ()),
    )
    found: dict[tuple[str, bool], list[dict[str, Any]]] = defaultdict(list)
    for row in archive.rows(select(_COLUMNS, SPECTRA.name, where.where), where.values):
        found[row["flare_id"], row["simulated"]].append(row)
    return found


def _layer(flare: Flare, spectra: list[dict[str, Any]]) -> Layer | None:
    """The layer of a flare from its best spectrum, in the order of `_order`; None without a spectrum."""
    best = min(spectra, key=_order, default=None)
    if best is None:
        return None
    values = {"spectrum_id": best["spectrum_id"], "spectrum_verdict": best["verdict"]}
    for name in VALUES:
        values |= {name: best[name], f"{name}_sigma": _larger(best[f"{name}_minus"], best[f"{name}_plus"])}
    known = {name: value for name, value in values.items() if value is not None}
    return Layer(SPECTRUM, {"flare_id": flare.flare_id, "t_peak": flare.t_peak, **known})


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    """Trusted fits first, then those with electrons, then those with the most counts, then by id."""
    return row["verdict"] != "trusted", row["delta"] is None, -(row["counts"] or 0.0), row["spectrum_id"]


def _larger(minus: float | None, plus: float | None) -> float | None:
    """The larger error; None if one side is open."""
    return None if minus is None or plus is None else max(minus, plus)
