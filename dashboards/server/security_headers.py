"""Security headers of every response: Tornado applies them last, so that no handler can forget them.

The content security policy of a live page is as strict as Panel 1.10 and Bokeh 3.10 allow:

- ``'unsafe-eval'``: BokehJS compiles ``CustomJS`` and tick formatters with ``new Function``.
- ``blob:``: Panel loads a component's inline module (``_esm``) from a blob, and es-module-shims fetches it first.
- ``style-src 'unsafe-inline'``: both write style elements and attributes while they draw.

Scripts in the page itself need the page's nonce, so that injected HTML cannot run scripts.
"""

from __future__ import annotations

from tornado.httputil import HTTPHeaders
from tornado.web import OutputTransform

#: For responses that are not pages: nothing in them runs; a browser may show a picture or a video.
FILE_POLICY = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": FILE_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
}


def page_policy(nonce: str) -> str:
    """Content security policy of a live page whose own scripts have ``nonce``."""
    return (
        "default-src 'none'; "
        f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
        "connect-src 'self' blob:; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )


class SecurityHeaders(OutputTransform):
    """Adds `HEADERS` to every response, unless its handler has set them."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """See Tornado."""
        del finishing
        for name, value in HEADERS.items():
            if name not in headers:
                headers[name] = value
        return status_code, headers, chunk
