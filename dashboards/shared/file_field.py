"""A file input that limits how much the server keeps of a dropped file."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

import panel as pn
import panel_material_ui as pmui

from dashboards.shared.limits import WebLimits

_LIMITS = WebLimits()
#: Bytes of incomplete files, by field.
_incomplete: WeakKeyDictionary[FileField, int] = WeakKeyDictionary()
#: Messages of different sessions are handled in different threads.
_guard = threading.Lock()


class FileField(pmui.FileInput):
    """Panel's file input checks ``max_file_size`` only in the browser; this one also checks it on the server.

    Parameters
    ----------
    **params
        Arguments of `panel_material_ui.FileInput`; ``max_file_size`` [byte] is required.
    """

    def __init__(self, **params: Any) -> None:
        super().__init__(chunk_size=_LIMITS.upload_chunk, **params)
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self._forget())

    def _handle_msg(self, msg: Any) -> None:
        status = msg.get("status") if isinstance(msg, dict) else None
        if status == "upload_event":
            problem = self._problem(msg)
            if problem:
                self._forget()
                self._send_msg({"status": "error", "error": problem})
                return
        if status in {"upload_event", "initializing", "finished"}:
            super()._handle_msg(msg)
        if status == "finished":
            self._forget()

    def _problem(self, msg: dict[str, Any]) -> str:
        """Why a chunk is refused; empty if it was counted."""
        data, names = msg.get("data"), ("name", "chunk", "total_chunks", "mime_type")
        # a number instead of data would become that many zero bytes
        if not isinstance(data, (bytes, memoryview)) or not all(isinstance(msg.get(n), (str, int)) for n in names):
            return "The upload was corrupted. Please try again."
        most = self.max_file_size or 0
        with _guard:
            size = _incomplete.get(self, 0) + len(data)
            if size > most:
                return f"The file is larger than {most >> 20} MiB."
            if len(data) + sum(_incomplete.values()) > _LIMITS.uploads:
                return "The server is receiving too many files. Try again in a minute."
            _incomplete[self] = size
        return ""

    def _forget(self) -> None:
        """Drop incomplete files."""
        with _guard:
            _incomplete.pop(self, None)
        self._file_buffer.clear()
        self._buffer.clear()
