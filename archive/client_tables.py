"""Rows of `archive.client` as astropy tables, data frames and HTML for notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from astropy.units import Unit

if TYPE_CHECKING:
    import pandas as pd

    from archive.client import Rows

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", re.ASCII)
_POWER_OF_TEN = re.compile(r"10([⁰¹²³⁴⁵⁶⁷⁸⁹]+) ")
_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
#: Columns that notebooks show, by kind; the first ones for other kinds.
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "flares": ("flare_id", "t_peak", "goes_class", "goes_estimated", "disk_x", "disk_y", "n_images"),
    "images": (
        "image_id",
        "t_start",
        "t_end",
        "e_low",
        "e_high",
        "method",
        "trusted",
        "peak_hpc_x",
        "peak_hpc_y",
        "chi2",
    ),
    "spectra": ("spectrum_id", "t_start", "t_end", "model", "temperature", "emission_measure", "delta", "verdict"),
    "science-files": ("name", "t_start", "t_end", "product", "purpose"),
}
_MOST_SHOWN, _MOST_COLUMNS = 20, 8


def to_table(rows: Rows) -> Table:
    """See `archive.client.Rows.to_table`."""
    table = Table(meta={"clock": rows.clock} if rows.clock else {})
    for name in _columns(rows):
        table[name] = _column([row.get(name) for row in rows], rows.units.get(name, ""))
    return table


def to_pandas(rows: Rows) -> pd.DataFrame:
    """See `archive.client.Rows.to_pandas`."""
    import pandas as pd

    frame = pd.DataFrame({name: [_plain(row.get(name)) for row in rows] for name in _columns(rows)})
    for name in frame.columns:
        if _are_times([row.get(name) for row in rows]):
            frame[name] = pd.to_datetime(frame[name], utc=True, format="ISO8601")
    frame.attrs["units"] = dict(rows.units)
    return frame


def rows_html(rows: Rows) -> str:
    """The first rows and the main columns as an HTML table, images with their thumbnails."""
    names = [name for name in _SHOWN.get(rows.kind, ()) if any(name in row for row in rows)]
    names = names or _columns(rows)[:_MOST_COLUMNS]
    pictures = rows.kind == "images" and bool(rows.server)
    units = [f"<br><small>{escape(rows.units[name])}</small>" if name in rows.units else "" for name in names]
    head = "".join(f"<th>{escape(name)}{unit}</th>" for name, unit in zip(names, units, strict=True))
    body = "".join(
        "<tr>"
        + (f"<td>{_thumbnail(rows.server, row)}</td>" if pictures else "")
        + "".join(f"<td>{escape(_text(row.get(name)))}</td>" for name in names)
        + "</tr>"
        for row in rows[:_MOST_SHOWN]
    )
    more = f" (the first {_MOST_SHOWN})" if len(rows) > _MOST_SHOWN else ""
    caption = f"{len(rows)} {escape(rows.kind.replace('-', ' ') or 'rows')}{more}"
    first = "<th></th>" if pictures else ""
    return f"<table><caption>{caption}</caption><thead><tr>{first}{head}</tr></thead><tbody>{body}</tbody></table>"


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _column(values: list[Any], unit: str) -> Any:
    if _are_times(values):
        masked = [value is None for value in values]
        times = Time([value.removesuffix("Z") if value else "2000-01-01" for value in values], scale="utc")
        times[np.array(masked)] = np.ma.masked
        return times
    mask = [value is None for value in values]
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, bool) for value in present):
        content = np.array([bool(value) for value in values])
    elif present and all(isinstance(value, int) for value in present):
        content = np.array([value or 0 for value in values], dtype=np.int64)
    elif present and all(isinstance(value, (int, float)) for value in present):
        content = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    else:
        content = np.array(["" if value is None else str(_plain(value)) for value in values], dtype=np.str_)
    column = MaskedColumn(content, mask=mask)
    if unit and content.dtype.kind in "if":
        column.unit = _unit(unit)
    return column


def _unit(text: str) -> Any:
    """A unit of the API, also "10⁴⁹ cm⁻³", whose power of ten astropy reads in no notation with superscripts."""
    power = _POWER_OF_TEN.match(text)
    if power is None:
        return Unit(text, parse_strict="silent")
    return Unit(10.0 ** int(power[1].translate(_DIGITS)) * Unit(text[power.end() :]))


def _are_times(values: list[Any]) -> bool:
    present = [value for value in values if value is not None]
    return bool(present) and all(isinstance(value, str) and _TIME.fullmatch(value) for value in present)


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(_plain(value))


def _thumbnail(server: str, row: Mapping[str, Any]) -> str:
    address = escape(f"{server}/archive/thumbnail/{row.get('image_id', '')}")
    return f'<img src="{address}" alt="" width="64">'
