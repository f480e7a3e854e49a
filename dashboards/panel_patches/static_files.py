"""Static files follow all conditions of RFC 9110, and a name with a NUL byte is a 404.

Tornado's static file handler supports neither ``If-Match`` nor ``If-Range``: a download that is resumed after the file
has changed gets the rest of another file. A name with a NUL byte causes status 500 and a traceback. The smallest
program that shows it::

    urlopen(Request("http://localhost:5006/static/js/bokeh.min.js", headers={"If-Match": '"another"'}))  # 200, not 412
    urlopen("http://localhost:5006/static/%00")  # 500, not 404

Tornado 6.5. Bokeh creates the handler of ``/static``, so a subclass of ours would not be used.
"""

from __future__ import annotations

from collections.abc import Callable

from tornado.web import HTTPError, StaticFileHandler


def set_conditions(is_unchanged: Callable[[StaticFileHandler], bool]) -> None:
    """Apply these conditions to all static files of this process, including scripts and style sheets of the pages.

    Parameters
    ----------
    is_unchanged : callable
        Whether a handler answers 304; it may raise HTTPError with 412, and sets the range to send in the request.
    """
    StaticFileHandler.should_return_304 = is_unchanged  # type: ignore[method-assign, assignment]
    parse = StaticFileHandler.parse_url_path

    def parse_url_path(handler: StaticFileHandler, url_path: str) -> str:
        if "\0" in url_path:
            raise HTTPError(404)
        return parse(handler, url_path)

    StaticFileHandler.parse_url_path = parse_url_path  # type: ignore[method-assign, assignment]
