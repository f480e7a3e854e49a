"""Sign-in with one of Panel's providers (OAuth, OpenID Connect): cookies of this site only, and short error messages.

Panel shows errors on a page of its own, which loads style sheets from other hosts and has no link back; if a provider
does not respond, it logs a traceback.
"""

from __future__ import annotations

import logging
from typing import Any

import panel as pn
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError

from archive.errors import ArchiveError
from dashboards.server.plain_page import PlainPage
from dashboards.server.sign_in import NOBODY_CAN, SIGN_IN_COOKIES
from dashboards.shared.visitors import accounts

_REFUSED = "The sign-in was cancelled, or refused by the sign-in service."
_STALE = "This sign-in has expired, or was started in another browser."
_NOT_CONFIRMED = "The sign-in service did not confirm this sign-in. If this happens again, contact the operator."
_NO_NAME = "The sign-in service did not send a user name. Please contact the operator."
_NO_RESPONSE = "The sign-in service does not respond. Try again in a few minutes."
_UNCLEAR = "The sign-in service sent an invalid response. Please contact the operator."

log = logging.getLogger(__name__)


def guarded(known: Any) -> type[PlainPage]:
    """Subclass of a Panel provider with these cookies and messages."""

    class Guarded(known, PlainPage):
        _problem = ""

        async def get(self) -> None:
            """Redirect to the provider, or process its response."""
            reported = self.get_argument("error", "")
            if reported:  # anybody may have written it into the URL: for the log, and not for the page
                self._problem = _REFUSED if reported == "access_denied" else _UNCLEAR
                raise HTTPError(401, "the sign-in provider says %r", reported)
            try:
                answering: Any = super().get()
                await answering
            except HTTPError:
                raise
            except (OSError, HTTPClientError) as error:
                raise self._no_response_error(error) from error
            except Exception as error:  # whatever a response causes that Panel cannot read
                raise HTTPError(502, "the answer of the sign-in provider cannot be read: %r", error) from error

        async def get_authenticated_user(self, *arguments: Any, **options: Any) -> str | None:
            """See Panel. A name without an account is refused with a message."""
            name: str | None = await super().get_authenticated_user(*arguments, **options)
            if name is None:  # redirected to the provider
                return None
            try:
                if accounts().from_provider(name) is not None:
                    return name
                self._problem = f"You signed in as {name}, which has no account here. Please contact the operator."
                refusal = HTTPError(403, "%r has no account here", name)
            except ArchiveError as error:
                self._problem = NOBODY_CAN
                refusal = HTTPError(503, "sign-in is not available: %s", error)
            for cookie in SIGN_IN_COOKIES:
                self.clear_cookie(cookie, path=pn.config.cookie_path)
            raise refusal

        def set_cookie(self, *arguments: Any, **options: Any) -> None:
            """See Tornado. Limits the cookie to this site and, over HTTPS, to HTTPS."""
            strict: dict[str, Any] = {"samesite": "Lax", "secure": self.is_secure}
            super().set_cookie(*arguments, **(strict | options))

        def write_error(self, status_code: int, **kwargs: Any) -> None:
            """Show a message with links to continue. An existing session stays valid."""
            problem = self._problem or _sentence(status_code, kwargs.get("exc_info", (None, None, None))[1])
            self.render_page("not_signed_in", problem=problem)

        def _raise_error(self, response: Any, body: Any = None, status: int = 400) -> None:
            """Called by Panel with an unexpected response, or None if there was none in time."""
            if response is None or response.code >= 500:
                raise self._no_response_error(response and response.code)
            super()._raise_error(response, body, status)

        def _no_response_error(self, why: Any) -> HTTPError:
            self._problem = _NO_RESPONSE
            return HTTPError(503, "the sign-in provider does not answer: %s", why)

    return Guarded


def _sentence(status: int, error: BaseException | None) -> str:
    """Message about an error that Panel reports."""
    if isinstance(error, HTTPError) and error.reason == "state mismatch":
        return _STALE
    if isinstance(error, HTTPError) and "missing user information" in (error.log_message or ""):
        return _NO_NAME
    return _NOT_CONFIRMED if status < 500 else _UNCLEAR
