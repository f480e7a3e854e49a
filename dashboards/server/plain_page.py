"""Pages without scripts: sign-in, sign-out, account. HTML from a template, forms with an XSRF token."""

from __future__ import annotations

import math
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from tornado.web import HTTPError, RequestHandler

from archive.errors import ArchiveBusy
from dashboards.server.bounded_threads import ServerBusy
from dashboards.server.responses import refuse_other_origins
from dashboards.shared.frame import THEME_COOKIE
from dashboards.shared.limits import WebLimits
from dashboards.shared.navigation import SITE, account_links, navigation_html
from dashboards.shared.style import style

#: Default page; relative, so that a proxy may add a path prefix.
HOME = "flares"

#: Typeface of the live pages.
_FONTS = "static/extensions/panel-material-ui/panel-material-ui.bundle.css"

#: No scripts, forms only to this server, not in a frame.
_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_SENTENCES = {
    403: "This form has expired or was not sent from this page. Reload the page and try again.",
    404: "Page not found.",
    405: "This method is not allowed here.",
}


class PlainPage(RequestHandler):
    """Base class of these pages.

    Attributes
    ----------
    up : str
        Relative path to the first page, "../" for each folder of this page's URL.
    """

    up = ""

    def initialize(self) -> None:
        """Set the XSRF cookie as HTTP-only: the forms contain its value, so no script needs it."""
        self.settings["xsrf_cookie_kwargs"] = {"httponly": True, "samesite": "Lax", "secure": self.is_secure}

    def check_xsrf_cookie(self) -> None:
        """See Tornado. Also checks the origin, because another host of this site can set both cookie and form."""
        refuse_other_origins(self)
        super().check_xsrf_cookie()

    @property
    def is_secure(self) -> bool:
        """Whether the browser uses HTTPS, to this server or to a proxy in front of it."""
        return self.request.protocol == "https"

    def set_default_headers(self) -> None:
        """Disable caching, framing, content sniffing and referrers."""
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("X-Content-Type-Options", "nosniff")

    def render_page(self, template: str, **values: Any) -> None:
        """Write a page from ``templates/<template>.html``."""
        theme = self.get_cookie(THEME_COOKIE)
        visitor = values.get("visitor")
        account = account_links(visitor.name if visitor else None, self.request.path.rpartition("/")[2], self.up)
        self.finish(
            _templates()
            .get_template(f"{template}.html")
            .render(
                site=SITE,
                css=f"{style('server/account')}\nheader {{ {style('shared/navigation')} }}",
                fonts=self.up + _FONTS,
                theme=theme if theme in {"light", "dark"} else "",
                xsrf=self.xsrf_form_html(),
                up=self.up,
                home=self.up + HOME,
                navigation=navigation_html("", account, self.up),
                **values,
            )
        )

    def go(self, address: str) -> None:
        """Redirect the browser; unlike Tornado's redirect, a relative URL stays relative."""
        self.set_status(303)
        self.set_header("Location", address)
        self.finish()

    def try_again_later(self, error: Exception) -> None:
        """Answer 503; after a conflict with another change, also set the time to retry."""
        self.set_status(503)
        if isinstance(error, (ArchiveBusy, ServerBusy)):
            self.set_header("Retry-After", str(math.ceil(WebLimits().lock_time)))

    def next_address(self) -> str:
        """The page to return to.

        Raises
        ------
        HTTPError
            400 if it is on another site.
        """
        given = self.get_argument("next", "")
        try:
            return local_address(given) if given else HOME
        except ValueError as error:
            raise HTTPError(400, log_message=str(error)) from error

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        cause = error.__cause__ if isinstance(error, HTTPError) else None
        sentence = str(cause) if status_code == 400 and cause else _SENTENCES.get(status_code, "Something went wrong.")
        self.finish(f"<!doctype html><title>{status_code}</title><p>{escape(sentence)}</p>")


def local_address(text: str) -> str:
    """A URL on this site.

    Raises
    ------
    ValueError
        If it leads, or may lead in some browser, to another site.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = None
    clean = text.isprintable() and text == text.strip() and "\\" not in text and len(text) <= 4000
    if parts is None or parts.scheme or parts.netloc or text.startswith("//") or not clean:
        message = "The return address is not on this site."
        raise ValueError(message)
    return text


@cache
def _templates() -> jinja2.Environment:
    folder = Path(__file__).parent / "templates"
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
