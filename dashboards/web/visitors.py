"""Who is looking at a page."""

from __future__ import annotations

from tornado.web import RequestHandler

from dashboards.state.access import GUEST, Visitor


def session_visitor() -> Visitor:
    """Who looks at the page of this session, now.

    Ask again in every callback that submits, cancels or shows what is hidden: who has signed out elsewhere is a guest
    from then on. Until there are accounts, everybody is.
    """
    return GUEST


def request_visitor(handler: RequestHandler) -> Visitor:  # noqa: ARG001 - what accounts will look at
    """Who sent a request. Until there are accounts, everybody is a guest."""
    return GUEST
