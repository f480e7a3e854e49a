"""Links to all flares of the filter as files, served by the API."""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import numpy as np

from archive import FlareFilter
from archive.exports import FORMATS

#: Format → its name on pages.
NAMES = {"csv": "CSV", "ecsv": "ECSV", "votable": "VOTable", "fits": "FITS", "parquet": "Parquet", "json": "JSON"}
#: Fields of a filter that have another name as parameters of the API.
_PARAMETERS = {"t_start": "start", "t_end": "end"}


def export_address(which: FlareFilter, form: str) -> str:
    """URL of all flares of a filter as a file; ``form`` is one of `archive.exports.FORMATS`."""
    given = {name: value for name, value in vars(which).items() if value not in (None, "")}
    words = {_PARAMETERS.get(name, name): _text(value) for name, value in given.items()}
    return "api/v1/flares?" + urlencode({**words, "format": form}, safe=",:")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(f"{part:g}" for part in value)
    if isinstance(value, np.datetime64):
        return f"{value.astype('datetime64[ms]')}Z"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def export_html(which: FlareFilter, total: int) -> str:
    """Links for all formats; empty without flares."""
    if not total:
        return ""
    links = " ".join(
        f'<a class="file" href="{escape(export_address(which, form))}" download '
        f'aria-label="Download all flares of the filter as {NAMES[form]}">{NAMES[form]}</a>'
        for form in sorted(FORMATS, key=list(NAMES).index)
    )
    return f'<span class="export">Download: {links}</span>'
