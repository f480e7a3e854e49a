"""Only connections that a browser has closed are kept out of the log."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from dashboards.panel_patches.disconnects import is_no_disconnect


def raised(error: Exception, place: str = "handler.py", function: str = "handle") -> logging.LogRecord:
    """Log record of an error that was raised in a file and function of these names."""
    scope: dict[str, Any] = {"error": error}
    exec(compile(f"def {function}():\n    raise error", place, "exec"), scope)
    with pytest.raises(type(error)) as caught:
        scope[function]()
    return logging.LogRecord("asyncio", logging.ERROR, "", 0, "", (), (caught.type, caught.value, caught.tb))


def test_only_disconnects_are_kept_out_of_the_log() -> None:
    connection = "/lib/bokeh/server/connection.py"
    assert not is_no_disconnect(raised(WebSocketClosedError()))
    assert not is_no_disconnect(raised(StreamClosedError()))
    assert not is_no_disconnect(raised(AssertionError(), connection, "session"))
    assert is_no_disconnect(raised(AssertionError(), connection, "send"))
    assert is_no_disconnect(raised(AssertionError()))
    assert is_no_disconnect(raised(ValueError()))
    assert is_no_disconnect(logging.LogRecord("asyncio", logging.INFO, "", 0, "fine", (), None))
