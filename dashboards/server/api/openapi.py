"""The OpenAPI document, from the same declarations as the handlers."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import Any

from dashboards.server.api.call import Endpoint, Who
from dashboards.server.api.endpoints import ENDPOINTS, VERSION
from dashboards.server.api.rows import CLOCK

_STATUSES = {
    400: "A parameter or key is unknown, missing or invalid; see `field` and `value`",
    401: "Sign-in required, or the token is invalid",
    403: "The request has a cookie but no XSRF token",
    404: "Not found, or not visible to you",
    413: "The body is too large",
    429: "Too many calls at once, or request quota reached; see the header Retry-After",
    503: "The archive is temporarily unavailable",
}


@cache
def openapi_document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "STIX flare-imaging archive",
            "version": f"{VERSION}.{version('stix-flare-archive')}",
            "description": f"{CLOCK} Angles are arcsec, helioprojective as seen from Solar Orbiter. Unknown values are "
            "null. Lists come in pages; `next` is the URL of the next one, relative to the URL of the call.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A personal token, from /account"},
            },
            "schemas": {"Error": _ERROR},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    words = [word for word in endpoint.path.split("/") if word and not word.startswith("{")]
    one = "_one" if endpoint.path.endswith("}") else ""
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.method.lower()}_{'_'.join(words).replace('-', '_')}{one}",
        "summary": endpoint.summary,
        "tags": [words[0]],
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": f"^{pattern}$"}}
                for name, pattern in (endpoint.places or {}).items()
            ),
            *(parameter.document for parameter in endpoint.parameters),
        ],
        "responses": {str(status): _response(endpoint) for status in endpoint.statuses}
        | {str(status): _refusal(status) for status in _refusals(endpoint)},
    }
    if endpoint.who is Who.USERS:
        operation["security"] = [{"token": []}]
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    return operation


def _response(endpoint: Endpoint) -> dict[str, Any]:
    return {"description": endpoint.summary, "content": {"application/json": {"schema": endpoint.schema}}}


def _refusals(endpoint: Endpoint) -> list[int]:
    """Error statuses of an endpoint."""
    possible = {
        400: True,
        401: True,
        403: endpoint.method == "POST",
        404: bool(endpoint.places),
        413: endpoint.body is not None,
        429: True,
        503: True,
    }
    return [status for status, applies in possible.items() if applies]


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": _STATUSES[status], "content": {"application/json": {"schema": schema}}}


_ERROR = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {
        "status": {"type": "integer"},
        "error": {"type": "string", "description": "One sentence"},
        "field": {"type": "string", "description": "Invalid parameter or key"},
        "value": {"type": "string", "description": "Its value"},
    },
}
