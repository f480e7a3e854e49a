"""Endpoints for requests for images and spectra, for registered users; the same queue as the forms'."""

from __future__ import annotations

import json
from typing import Any

from archive import Archive, ImageFilter
from dashboards.server.api import parameters as p
from dashboards.server.api.browsing import page_schema
from dashboards.server.api.call import Call, Endpoint, Reply, Who
from dashboards.server.api.errors import Refused
from dashboards.server.api.rows import iso
from dashboards.shared.source import journal_of
from jobs.queue.journal import Journal, Request, RequestState
from jobs.queue.measurement_requests import QueuedRequest, measurement_schema, parse_queued
from jobs.queue.requests import ImagingRequest, request_schema
from jobs.queue.spectrum_requests import MeasurementKind
from jobs.queue.submit import science_file_of, submit, whole_bins
from jobs.shared.errors import BadRequest, LimitReached, NoSuchRequest, NotAllowed
from stixcore.times import format_time

CLOCK = "Times of a request are UTC; the time ranges in it are UTC at Solar Orbiter."
_UNITS = {"elapsed_s": "s"}
#: Numbers that fit into the journal's column.
REQUEST_ID = r"[0-9]{1,15}"


#: Schemas of what can be requested, by kind; requests for images have no key ``kind``.
REQUEST_SCHEMAS = {"": request_schema(), **{str(kind): measurement_schema(kind) for kind in MeasurementKind}}
REQUEST_SCHEMA = {"oneOf": list(REQUEST_SCHEMAS.values())}
_KEYS = {key for schema in REQUEST_SCHEMAS.values() for key in schema["properties"]}
#: Path of a result of a request for spectra, by its kind.
_RESULTS = {str(MeasurementKind.SPECTRUM): "spectra", str(MeasurementKind.REGIONS): "region-spectra"}


def requests(archive: Archive, call: Call) -> Reply:
    """One page of the caller's requests; operators see those of all users, or of one.

    Raises
    ------
    Refused
        403 if a user asks for the requests of another user.
    """
    v, journal = call.values, journal_of(archive)
    if not call.visitor.operator and v["user"] not in {None, call.visitor.name}:
        message = "only operators can list requests of other users"
        raise Refused(403, message, "user", v["user"])
    user = v["user"] if call.visitor.operator else call.visitor.name
    found = journal.requests(user, v["state"], uid=v["uid"], limit=v["limit"], offset=v["offset"])
    items = [request_document(journal, row) for row in found]
    return Reply(call.page(items, journal.count(user, v["state"], uid=v["uid"]), _UNITS, CLOCK))


def request(archive: Archive, call: Call) -> Reply:
    """One request, with its results so far."""
    journal = journal_of(archive)
    return Reply(_detailed(archive, journal, _own(journal, call), call))


def post(archive: Archive, call: Call) -> Reply:
    """Submit a request.

    Raises
    ------
    Refused
        400 if the request is invalid, 429 if a limit is reached.
    """
    journal = journal_of(archive)
    user, wanted = _name(call), _read(call)
    try:
        made, is_new = submit(archive, journal, wanted, user, call.now, call.limits)
    except BadRequest as error:
        raise _refused(error) from error
    except LimitReached as error:
        raise Refused(429, str(error), "limit") from error
    document = _detailed(archive, journal, made, call) | {"whole_bins": _whole_bins(archive, wanted)}
    return Reply(document, 201 if is_new else 200, f"requests/{made.request_id}")


def _whole_bins(archive: Archive, wanted: QueuedRequest) -> list[dict[str, Any]] | None:
    """The whole bins of each time range of images; None if the file does not contain them, and for spectra."""
    if not isinstance(wanted, ImagingRequest):
        return None
    try:
        windows = whole_bins(archive, wanted, science_file_of(archive, wanted.uid))
    except BadRequest:
        return None
    return [
        {
            "requested": [format_time(window.start), format_time(window.end)],
            "time_range": [format_time(window.t_start), format_time(window.t_end)],
            "seconds": window.seconds,
        }
        for window in windows
    ]


def cancel(archive: Archive, call: Call) -> Reply:
    """Cancel a request."""
    journal = journal_of(archive)
    row = _own(journal, call)
    changed = journal.cancel(row.request_id, call.now, user=None if call.visitor.operator else _name(call))
    return Reply(_detailed(archive, journal, changed, call))


def retry(archive: Archive, call: Call) -> Reply:
    """Put a failed or cancelled request back into the queue.

    Raises
    ------
    Refused
        429 if a limit is reached.
    """
    journal = journal_of(archive)
    row, user = _own(journal, call), None if call.visitor.operator else _name(call)
    try:
        changed = journal.retry(row.request_id, call.now, user=user, limits=call.limits)
    except LimitReached as error:
        raise Refused(429, str(error), "limit") from error
    return Reply(_detailed(archive, journal, changed, call))


def request_document(journal: Journal, row: Request) -> dict[str, Any]:
    """A request as JSON."""
    return {
        "request_id": row.request_id,
        "user": row.user,
        "state": str(row.state),
        "position": journal.position(row.request_id),
        "uid": row.uid,
        "kind": row.kind or "images",
        "recipes": row.set_count,
        "step": row.step,
        "step_number": row.step_number,
        "step_count": row.step_count,
        "reason": row.reason,
        "cancelling": row.cancelling,
        "submitted_at": iso(row.submitted_at),
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "elapsed_s": row.elapsed_s,
        "answered_by": row.answered_by,
        "request": json.loads(row.body),
    }


def _read(call: Call) -> QueuedRequest:
    """The request in the body.

    Raises
    ------
    Refused
        With the name of the invalid key.
    """
    try:
        return parse_queued(call.body, call.limits)
    except BadRequest as error:
        raise _refused(error) from error
    except LimitReached as error:
        raise Refused(413 if len(call.body) > call.limits.body else 400, str(error), "body") from error


def _refused(error: BadRequest) -> Refused:
    """Answer to an invalid request, with the key that its message names."""
    key = str(error).partition(":")[0]
    return Refused(400, str(error), key if key in _KEYS else "body")


def _detailed(archive: Archive, journal: Journal, row: Request, call: Call) -> dict[str, Any]:
    """A request with its tasks and their results."""
    parts = [
        {
            "part": part.part,
            "run_id": part.run_id,
            "reason": part.reason,
            "images": [] if row.kind in _RESULTS else _images(archive, part.run_id, call),
            "result": f"{_RESULTS[row.kind]}/{part.run_id}" if row.kind in _RESULTS and part.run_id else None,
        }
        for part in journal.parts(row.request_id)
    ]
    return request_document(journal, row) | {"parts": parts, "clock": CLOCK, "units": _UNITS}


def _images(archive: Archive, run_id: str | None, call: Call) -> list[str]:
    if run_id is None:
        return []
    which = ImageFilter(recipe_id=run_id, viewer=call.visitor.name, all_hidden=call.visitor.operator)
    return [image.image_id for image in archive.images(which, sort=("method",))]


def _own(journal: Journal, call: Call) -> Request:
    """The request in the URL, if it belongs to the caller; requests of other users are reported as missing."""
    request_id = int(call.path["request_id"])
    row = journal.get(request_id)
    if row.user != call.visitor.name and not call.visitor.operator:
        message = f"there is no request {request_id}"
        raise NoSuchRequest(message)
    return row


def _name(call: Call) -> str:
    """The caller's name. Guests are refused earlier; this is the last check."""
    if call.visitor.name is None:
        message = "sign in to submit requests"
        raise NotAllowed(message)
    return call.visitor.name


_TIME = {"type": ["string", "null"], "format": "date-time"}
_REQUEST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "request_id": {"type": "integer"},
        "user": {"type": "string"},
        "state": {"type": "string", "enum": [str(state) for state in RequestState]},
        "position": {
            "type": ["integer", "null"],
            "description": "Number of requests ahead of this one; null if it is not waiting",
        },
        "uid": {"type": "string"},
        "kind": {"type": "string", "description": "images, spectrum, regions, or what a page requested"},
        "recipes": {"type": "integer", "description": "Number of image sets"},
        "step": {"type": "string", "description": "Current step"},
        "step_number": {"type": "integer"},
        "step_count": {"type": "integer"},
        "reason": {"type": "string", "description": "Why it or a part of it failed, or what it is waiting for"},
        "cancelling": {"type": "boolean"},
        "submitted_at": _TIME,
        "started_at": _TIME,
        "finished_at": _TIME,
        "elapsed_s": {"type": "number", "description": "Computing time so far, s"},
        "answered_by": {"type": ["integer", "null"], "description": "Earlier request with the same result"},
        "request": REQUEST_SCHEMA,
    },
}
_PARTS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "part": {"type": "integer"},
            "run_id": {
                "type": ["string", "null"],
                "description": "Id of its result: recipe_id of images, spectrum_id or region_id",
            },
            "reason": {"type": "string", "description": "Why there is no result"},
            "images": {"type": "array", "items": {"type": "string"}, "description": "Ids of its images"},
            "result": {"type": ["string", "null"], "description": "Its spectrum or region spectra, below /api/v1"},
        },
    },
}
_DETAILED = {**_REQUEST, "properties": {**_REQUEST["properties"], "parts": _PARTS}}
_RANGE = {"type": "array", "items": _TIME}
_SUBMITTED = {
    **_DETAILED,
    "properties": {
        **_DETAILED["properties"],
        "whole_bins": {
            "type": ["array", "null"],
            "description": "The whole time bins used for each time range",
            "items": {
                "type": "object",
                "properties": {
                    "requested": _RANGE,
                    "time_range": _RANGE,
                    "seconds": {"type": "number", "description": "Sum of the bins, s"},
                },
            },
        },
    },
}
_PLACE = {"request_id": REQUEST_ID}

REQUESTING = (
    Endpoint(
        "GET",
        "/requests",
        "Your requests, newest first",
        requests,
        page_schema(_REQUEST),
        (
            p.choices("state", "In any of these states", [str(state) for state in RequestState]),
            p.text("uid", "For this science file"),
            p.text("user", "Requests of this user (operators only)"),
            *p.PAGE,
        ),
        who=Who.USERS,
    ),
    Endpoint(
        "POST",
        "/requests",
        "Request images, a spectrum, or spectra of regions; an identical request returns the existing one",
        post,
        _SUBMITTED,
        who=Who.USERS,
        body=REQUEST_SCHEMA,
        statuses=(200, 201),
    ),
    Endpoint(
        "GET",
        "/requests/{request_id}",
        "One request, with its results so far",
        request,
        _DETAILED,
        places=_PLACE,
        who=Who.USERS,
    ),
    Endpoint(
        "POST", "/requests/{request_id}/cancel", "Cancel a request", cancel, _DETAILED, places=_PLACE, who=Who.USERS
    ),
    Endpoint(
        "POST",
        "/requests/{request_id}/retry",
        "Retry a request that failed or was cancelled",
        retry,
        _DETAILED,
        places=_PLACE,
        who=Who.USERS,
    ),
)
