"""What the server keeps of dropped files that have not arrived completely."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from dashboards.shared import file_field
from dashboards.shared.file_field import FileField
from dashboards.shared.limits import WebLimits


class Field(FileField):
    """Keeps what the browser would be told."""

    def _send_msg(self, msg: Any) -> None:
        self.__dict__.setdefault("told", []).append(msg)


def piece(size: int, chunk: int = 1, total: int = 3) -> dict[str, Any]:
    told = {"status": "upload_event", "chunk": chunk, "total_chunks": total, "name": "a.fits", "mime_type": ""}
    return {**told, "data": bytes(size)}


def refused(field: Field) -> list[str]:
    return [told["error"] for told in field.__dict__.get("told", []) if told.get("status") == "error"]


@pytest.fixture(autouse=True)
def small_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_field, "_LIMITS", replace(WebLimits(), uploads=1000))
    monkeypatch.setattr(file_field, "_incomplete", WeakKeyDictionary())


def test_all_sessions_together_have_one_bound() -> None:
    one, other = (Field(max_file_size=900) for _ in range(2))
    one._handle_msg(piece(600))
    other._handle_msg(piece(401))
    assert refused(one) == []
    assert refused(other) == ["The server is receiving too many files. Try again in a minute."]
    one._handle_msg(piece(301, chunk=2))
    assert refused(one) == ["The file is larger than 0 MiB."]  # and what it had is dropped
    other._handle_msg(piece(401))
    assert len(refused(other)) == 1


def test_a_field_that_is_gone_takes_no_room() -> None:
    one, other = (Field(max_file_size=900) for _ in range(2))
    one._handle_msg(piece(900))
    one._forget()
    other._handle_msg(piece(900))
    assert refused(other) == []
