"""Visitors who close the page leave no traceback in the log.

Panel, Bokeh and Tornado log a traceback when a browser disconnects while a message is being sent to it, or while one of
its messages is handled. The smallest program that shows it::

    pn.extension()
    pn.state.add_periodic_callback(lambda: pane.param.trigger("object"), 1)  # then close the browser's tab

Panel 1.10, Bokeh 3.10, Tornado 6.5. This module must not import Panel or Bokeh, which read their keys when imported.
"""

from __future__ import annotations

import logging
import traceback

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

LOGGERS = ("asyncio", "bokeh.server.protocol_handler", "tornado.application")


def hide_disconnects() -> None:
    """Do not log connections that were closed by the browser, in this process."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(is_no_disconnect)


def is_no_disconnect(record: logging.LogRecord) -> bool:
    """Whether a record is not about a message to or from a browser that has disconnected."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, AssertionError):
        raised_in = traceback.extract_tb(error.__traceback__)[-1]
        return not (raised_in.name == "session" and raised_in.filename.endswith("bokeh/server/connection.py"))
    return not isinstance(error, (WebSocketClosedError, StreamClosedError))
