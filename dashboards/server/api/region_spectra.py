"""Endpoints for spectra of regions: a list, and one with counts and fits of every region. Open to everybody."""

from __future__ import annotations

from typing import Any

from archive import Archive, RegionFilter, RegionSpectra
from archive.index.recorded import REGION_RECORDS
from archive.index.schema import REGION_SPECTRA
from archive.layout import REGIONS_RECORD
from dashboards.server.api import parameters as p
from dashboards.server.api.browsing import page_schema
from dashboards.server.api.call import Call, Endpoint, Reply
from dashboards.server.api.rows import CLOCK, public_columns, public_names, row_document, row_schema, units
from dashboards.server.api.spectra import RESULT_PARAMETERS, SPECTRUM_ID
from dashboards.shared.access import visible_regions
from stixcore.imaging_spectroscopy.region_recipe import REGION_METHODS


def region_spectra(archive: Archive, call: Call) -> Reply:
    """One page of region spectra; hidden ones are visible to their author and to operators."""
    v = call.values
    which = RegionFilter(
        t_start=v["start"],
        t_end=v["end"],
        **{name: v[name] for name in ("uid", "flare_id", "kind", "method", "verdict", "author", "simulated")},
        text=v["text"] or "",
        viewer=call.visitor.name,
        all_hidden=call.visitor.operator,
    )
    found = archive.region_spectra(which, sort=v["sort"], limit=v["limit"], offset=v["offset"])
    items = [_document(row, "") for row in found]
    return Reply(call.page(items, archive.count_region_spectra(which), units(public_columns(REGION_SPECTRA)), CLOCK))


def region_spectrum(archive: Archive, call: Call) -> Reply:
    """Spectra of regions with the content of their record; null if it is damaged, which the next check reports."""
    found = visible_regions(archive, call.path["region_id"], call.visitor)
    record = REGION_RECORDS.read_own(archive.path_of(found.folder))
    sums = {} if record is None else record.sha256
    files = _files(found, "../")
    document = _document(found, "../") | {
        "regions": None if record is None else record.document,
        "sha256": sums,
        "files": {name: f"{files}/{name}" for name in (*sums, REGIONS_RECORD)},
        "clock": CLOCK,
        "units": units(public_columns(REGION_SPECTRA)),
    }
    return Reply(document)


def _files(row: RegionSpectra, up: str) -> str:
    return f"{up}../../archive/regions/{row.region_id}"


def _document(row: RegionSpectra, up: str) -> dict[str, Any]:
    """Region spectra as JSON, with file URLs relative to the URL of the call."""
    links = {
        "self": f"region-spectra/{row.region_id}" if not up else row.region_id,
        "record": f"{_files(row, up)}/{REGIONS_RECORD}",
    }
    return row_document(REGION_SPECTRA, row) | {"links": links}


_REGIONS = row_schema(
    REGION_SPECTRA, {"links": {"type": "object", "description": "URLs of its files, relative to this URL"}}
)
_WHOLE = {
    "regions": {
        "type": ["object", "null"],
        "description": "Counts, errors and fit of every region, as stix-jobs regions --json prints them; null if the "
        "record is damaged",
    },
    "sha256": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "SHA-256 by name of file, hexadecimal",
    },
    "files": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "URL by name of file, relative to this URL",
    },
}

REGION_ENDPOINTS = (
    Endpoint(
        "GET",
        "/region-spectra",
        "Spectra of regions of images, newest first",
        region_spectra,
        page_schema(_REGIONS),
        (
            *RESULT_PARAMETERS,
            p.choice("method", "Method of the images", tuple(REGION_METHODS)),
            p.choice("verdict", "trusted if every fit is; those without a fit are excluded", ("trusted", "doubtful")),
            p.text("text", "Part of the region id, uid, flare id, or of the names of the regions"),
            p.sort(public_names(REGION_SPECTRA), "-t_start"),
            *p.PAGE,
        ),
    ),
    Endpoint(
        "GET",
        "/region-spectra/{region_id}",
        "Spectra of the regions of one image, with counts and fits",
        region_spectrum,
        {**_REGIONS, "properties": {**_REGIONS["properties"], **_WHOLE}},
        places={"region_id": SPECTRUM_ID},
    ),
)
