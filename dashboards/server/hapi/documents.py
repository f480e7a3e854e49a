"""What the service says about itself and its datasets, and a page for people."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from archive.about import About
from archive.extents import Extent
from dashboards.server.hapi.datasets import Dataset
from dashboards.server.hapi.records import FORMATS
from dashboards.server.hapi.standard import Parameter, status, write_time

#: Length of the sample range of a dataset, by its cadence.
_SAMPLES = {"P1D": np.timedelta64(30, "D"), "": np.timedelta64(7, "D")}
_SHORT = np.timedelta64(3600, "s")


def about(base: str, who: About) -> dict[str, Any]:
    """Answer of ``/hapi/about``; ``base`` is the address of ``/hapi``, ``who`` runs the archive."""
    return status(1200) | {
        "id": "stix-flare-archive",
        "title": f"{who.name}: light curves, flares and tracks of Solar Orbiter/STIX",
        "contact": who.contact or f"the operator of {base.removesuffix('/hapi')}",
        "description": "Times are UTC at Solar Orbiter. Simulated data are in datasets of their own.",
    }


def capabilities() -> dict[str, Any]:
    """Answer of ``/hapi/capabilities``."""
    return status(1200) | {"outputFormats": list(FORMATS), "catalogDepthOptions": ["dataset"]}


def catalog(datasets: Sequence[tuple[Dataset, Extent]]) -> dict[str, Any]:
    """Answer of ``/hapi/catalog``."""
    return status(1200) | {"catalog": [{"id": dataset.id, "title": dataset.title} for dataset, _ in datasets]}


def info(dataset: Dataset, extent: Extent, parameters: Sequence[Parameter], code: int = 1200) -> dict[str, Any]:
    """Answer of ``/hapi/info`` for some parameters of a dataset."""
    found = status(code) | {
        "startDate": write_time(extent.start),
        "stopDate": write_time(extent.end),
        "timeStampLocation": dataset.location,
        "unitsSchema": "astropy3",
        "description": dataset.description,
    }
    if dataset.cadence:
        found["cadence"] = dataset.cadence
    found["sampleStartDate"], found["sampleStopDate"] = _sample(dataset, extent)
    if dataset.longest_days is not None:
        found["maxRequestDuration"] = f"P{dataset.longest_days}D"
    first = dataset.parameters[0]
    return found | {"parameters": [one.document(first=one is first) for one in parameters]}


def _sample(dataset: Dataset, extent: Extent) -> tuple[str, str]:
    """Start and stop of the sample range."""
    stop = min(extent.start + _SAMPLES.get(dataset.cadence, _SHORT), extent.end)
    return write_time(extent.start), write_time(stop)


def first_page(base: str, datasets: Sequence[tuple[Dataset, Extent]]) -> str:
    """Page of ``/hapi`` for people."""
    rows = "".join(_row(base, dataset, extent) for dataset, extent in datasets)
    table = f"<table><thead><tr><th>Dataset</th><th>Content</th><th>From</th><th>To</th></tr></thead><tbody>{rows}"
    text = f"{table}</tbody></table>" if datasets else "<p>There are no light curves and no flares here yet.</p>"
    example = _python(base, *datasets[0]) if datasets else ""
    links = " ".join(f'<a href="{escape(base)}/{one}">{one}</a>' for one in ("about", "capabilities", "catalog"))
    title = "Light curves, flares and tracks for HAPI clients"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
        f"<h1>{title}</h1><p>Programs such as hapiclient, Autoplot and SPEDAS read this archive at "
        f"<code>{escape(base)}</code> (HAPI). Times are UTC at Solar Orbiter.</p>{text}{example}<p>{links}</p>"
        "</body></html>\n"
    )


def _row(base: str, dataset: Dataset, extent: Extent) -> str:
    start, stop = _sample(dataset, extent)
    data = escape(f"{base}/data?dataset={dataset.id}&start={start}&stop={stop}&include=header")
    information = escape(f"{base}/info?dataset={dataset.id}")
    times = "".join(f"<td>{str(time)[:16]}</td>" for time in (extent.start, extent.end))
    links = f'<a href="{information}">{escape(dataset.id)}</a> (<a href="{data}">first records</a>)'
    return f"<tr><td>{links}</td><td>{escape(dataset.title)}</td>{times}</tr>"


def _python(base: str, dataset: Dataset, extent: Extent) -> str:
    start, stop = _sample(dataset, extent)
    lines = f'from hapiclient import hapi\ndata, meta = hapi("{base}", "{dataset.id}", "", "{start}", "{stop}")'
    return f"<p>In Python:</p><pre>{escape(lines)}</pre>"
