"""A call of the API, its reply, and the declaration of an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from archive import Archive
from dashboards.server.api.parameters import Parameter, next_page
from dashboards.shared.access import Visitor
from jobs.shared.limits import Limits


@dataclass(frozen=True)
class Call:
    """A call with its parsed parameters.

    Attributes
    ----------
    visitor : Visitor
    values : mapping of str to Any
        Parameter values, by name.
    given : mapping of str to sequence of bytes
        The parameters as received.
    path : mapping of str to str
        Values in the path.
    body : bytes
    now : datetime64, UTC
    limits : Limits
    """

    visitor: Visitor
    values: Mapping[str, Any]
    given: Mapping[str, Sequence[bytes]]
    path: Mapping[str, str]
    body: bytes
    now: np.datetime64
    limits: Limits

    def page(self, items: Sequence[Any], total: int, units: Mapping[str, str], clock: str) -> dict[str, Any]:
        """One page of a list."""
        return {
            "total": total,
            "limit": self.values["limit"],
            "offset": self.values["offset"],
            "next": next_page(self.values, self.given, total),
            "clock": clock,
            "units": dict(units),
            "items": list(items),
        }


@dataclass(frozen=True)
class FileReply:
    """A file that is made while it is sent: media type, name, and pieces, which may raise errors of the archive."""

    media_type: str
    name: str
    pieces: Iterator[bytes]


@dataclass(frozen=True)
class Reply:
    """A reply: a document, and the location of what was created; or a file instead of the document."""

    document: Mapping[str, Any]
    status: int = 200
    location: str | None = None
    file: FileReply | None = None


class Who(Enum):
    """Who may call."""

    EVERYBODY = "everybody"
    USERS = "registered users"


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the API.

    Attributes
    ----------
    method, path : str
        ``GET``, ``/images/{image_id}``.
    summary : str
    answer : function
        Called with the archive and the call, in a thread.
    schema : mapping
        JSON schema of the reply.
    parameters : tuple of Parameter
    places : mapping of str to str
        Patterns of the values in the path, by name.
    who : Who
    body : mapping, optional
        JSON schema of the body.
    statuses : tuple of int
        Success statuses.
    """

    method: str
    path: str
    summary: str
    answer: Callable[[Archive, Call], Reply]
    schema: Mapping[str, Any]
    parameters: tuple[Parameter, ...] = ()
    places: Mapping[str, str] | None = None
    who: Who = Who.EVERYBODY
    body: Mapping[str, Any] | None = None
    statuses: tuple[int, ...] = (200,)
