"""Requests that newer software put into the queue: pages and the API show them, and their user can cancel them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from jobs.queue.journal import Journal

NOW = np.datetime64("2026-11-28T12:00:00", "us")
SPECTRUM = {"kind": "spectrum", "uid": "2211116471", "start": "2022-11-11T11:36:00", "end": "2022-11-11T11:37:00"}
BODIES: dict[str, dict[str, Any]] = {
    "another kind": {"kind": "polarisation", "uid": "2211116471"},
    "a kind that is no text": {"kind": ["spectrum"], "uid": 1},
    "a long kind": {"kind": "k" * 100_000},
    "another key": {**SPECTRUM, "polarised": True},
    "another region": {"kind": "regions", "imaging": {}, "regions": [{"name": "a", "shape": "torus", "x": 1}]},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_request_of_newer_software_is_shown_and_cancelled(target: Any, enter: Any, body: dict[str, Any]) -> None:
    text = json.dumps(body, sort_keys=True)
    made, _ = Journal(target.root).submit("alice", text, NOW, uid="2211116471", task_count=1)
    alice = enter("alice")
    shown = alice.get(f"/api/v1/requests/{made.request_id}")
    assert (shown.status, shown.json["request"]) == (200, body)
    assert len(shown.json["kind"]) <= 60
    assert made.request_id in {one["request_id"] for one in alice.get("/api/v1/requests").json["items"]}
    for page in ("operations", "science_data"):
        assert alice.get(f"/{page}").status == 200
    headers = {"X_XSRFToken": alice.cookies["_xsrf"], "Content_Type": "application/json"}
    cancelled = alice.send("POST", f"/api/v1/requests/{made.request_id}/cancel", b"{}", **headers)
    assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
    assert "Traceback" not in target.server.log_text()
