"""Endpoints for spectra: a list with fits, and one spectrum with counts, response and residuals. Open to everybody."""

from __future__ import annotations

from typing import Any

from archive import Archive, Spectrum, SpectrumFilter, read_spectrum_record
from archive.index.schema import SPECTRA, RunKind
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD
from dashboards.server.api import parameters as p
from dashboards.server.api.browsing import FIT_LIMITS, page_schema
from dashboards.server.api.call import Call, Endpoint, Reply
from dashboards.server.api.files import file_reply, format_parameter
from dashboards.server.api.rows import CLOCK, public_columns, public_names, row_document, row_schema, units
from dashboards.shared.access import visible_spectrum

SPECTRUM_ID = r"[0-9a-f]{16}"


def spectra(archive: Archive, call: Call) -> Reply:
    """One page of spectra; hidden spectra are visible to their author and to operators."""
    v = call.values
    which = SpectrumFilter(
        t_start=v["start"],
        t_end=v["end"],
        **{name: v[name] for name in ("uid", "flare_id", "kind", "model", "verdict", "author", "simulated")},
        **{limit.name: v[limit.name] for limit in FIT_LIMITS},
        text=v["text"] or "",
        viewer=call.visitor.name,
        all_hidden=call.visitor.operator,
    )
    if v["format"] is not None:
        total = archive.count_spectra(which)
        return file_reply(call, SPECTRA, total, lambda columns: archive.spectrum_table(which, columns))
    found = archive.spectra(which, sort=v["sort"], limit=v["limit"], offset=v["offset"])
    items = [spectrum_document(row, "") for row in found]
    return Reply(call.page(items, archive.count_spectra(which), units(public_columns(SPECTRA)), CLOCK))


def spectrum(archive: Archive, call: Call) -> Reply:
    """One spectrum with the content of its record; null if the record is damaged, which the next check reports."""
    found = visible_spectrum(archive, call.path["spectrum_id"], call.visitor)
    record = read_spectrum_record(archive.path_of(found.folder))
    document = spectrum_document(found, "../") | {
        "spectrum": None if record is None else record.document,
        "sha256": {} if record is None else record.sha256,
        "clock": CLOCK,
        "units": units(public_columns(SPECTRA)),
    }
    return Reply(document)


def spectrum_document(row: Spectrum, up: str) -> dict[str, Any]:
    """A spectrum as JSON, with file URLs relative to the URL of the call."""
    files = f"{up}../../archive/spectrum/{row.spectrum_id}"
    links = {
        "self": f"spectra/{row.spectrum_id}" if not up else row.spectrum_id,
        "spectrum": f"{files}/{SPECTRUM_FILE}",
        "response": f"{files}/{RESPONSE_FILE}",
        "record": f"{files}/{SPECTRUM_RECORD}",
    }
    return row_document(SPECTRA, row) | {"links": links}


_SPECTRUM = row_schema(SPECTRA, {"links": {"type": "object", "description": "URLs of its files, relative to this URL"}})
_WHOLE = {
    "spectrum": {
        "type": ["object", "null"],
        "description": "Counts, errors, response, components and residuals, as stix-jobs spectrum --json prints them; "
        "null if the record of the spectrum is damaged",
    },
    "sha256": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "description": "SHA-256 by name of file, hexadecimal",
    },
}

#: Parameters of lists of spectra and of region spectra.
RESULT_PARAMETERS = (
    p.time("start", "Ends after this time"),
    p.time("end", "Starts before this time"),
    p.text("uid", "Unique id of the science request"),
    p.text("flare_id", "Flare"),
    p.choice("kind", "Automatic, or requested by a user", tuple(RunKind)),
    p.text("author", "User who requested it; auto for previews"),
    p.truth("simulated", "Only simulated data (true) or only real data (false)"),
)

SPECTRUM_ENDPOINTS = (
    Endpoint(
        "GET",
        "/spectra",
        "Spectra with their fits, newest first",
        spectra,
        page_schema(_SPECTRUM),
        (
            *RESULT_PARAMETERS,
            p.text("model", "Components of the fitted model, e.g. vth+thick2"),
            p.choice("verdict", "Verdict on the fit; spectra without a fit are excluded", ("trusted", "doubtful")),
            *FIT_LIMITS,
            format_parameter("spectra"),
            p.text("text", "Part of the spectrum id, uid or flare id"),
            p.sort(public_names(SPECTRA), "-t_start"),
            *p.PAGE,
        ),
    ),
    Endpoint(
        "GET",
        "/spectra/{spectrum_id}",
        "One spectrum, with counts, response, components and residuals",
        spectrum,
        {**_SPECTRUM, "properties": {**_SPECTRUM["properties"], **_WHOLE}},
        places={"spectrum_id": SPECTRUM_ID},
    ),
)
