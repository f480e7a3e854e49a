"""No secret gets into a log, an address, a command line or an answer; files with secrets are their owner's alone."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archive.accounts import Accounts, web_secrets

NOW = np.datetime64("2026-11-23T12:00:00", "us")
WRONG = "a wrong password nobody has"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any], small: Any) -> Iterator[Any]:
    """A server with a command line of its own, which ``python -m dashboards`` has started."""
    with serve(small.archive.root, fresh=True) as started:
        yield started


def test_secrets_stay_where_they_belong(client: Any, server: Any, users: dict[str, str], small: Any) -> None:
    root = small.archive.root
    token = Accounts(root).make_token("alice", "for this test", NOW)
    keys = web_secrets(root)
    answers = [
        client.sign_in("alice", WRONG),
        client.sign_in("alice", users["alice"], "/image_archive?text=x"),
        client.get("/image_archive"),
        client.get("/api/v1/images", Authorization=f"Bearer {token}"),
        client.get("/api/v1/images", Authorization=f"Bearer {token}x"),
        client.get("/api/v1/nothing?token=x", Authorization=f"Bearer {token}"),
        client.post("/api/v1/requests", {"uid": "'"}, Authorization=f"Bearer {token}"),
        client.get("/no-such-page", Authorization=f"Bearer {token}"),
    ]
    assert answers[1].status == 303
    hashes = [user["password"] for user in _values(json.loads((root / "users.json").read_text())) if "password" in user]
    secrets = [users["alice"], WRONG, token, keys.cookie, keys.session, client.cookies["user"], *hashes]
    assert all(len(secret) > 10 for secret in secrets)

    log = server.log_text()
    line = Path(f"/proc/{server.process.pid}/cmdline").read_bytes().decode()
    said = [(answer.headers.get("Location") or "") + answer.text for answer in answers]
    for secret in secrets:
        assert secret not in log
        assert secret not in line
        assert not any(secret in text for text in said)


def _values(content: Any) -> list[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(content, list):
        return [found for part in content for found in _values(part)]
    if isinstance(content, dict):
        return [content, *(found for part in content.values() for found in _values(part))]
    return []


def test_files_with_secrets_are_their_owners_alone(small: Any, users: dict[str, str], client: Any) -> None:
    client.sign_in("alice", users["alice"])
    web_secrets(small.archive.root)
    files = [small.archive.root / name for name in ("users.json", "web-secrets.json")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_no_address_leads_to_them(client: Any, small: Any, users: dict[str, str]) -> None:
    for name in ("users.json", "web-secrets.json", "requests.sqlite", "config.toml", "index/schema.json"):
        for road in (f"/archive/{name}", f"/archive/fits/{name}", f"/archive/fits/..%2F..%2F{name}", f"/{name}"):
            assert client.get(road).status in {400, 403, 404}, road
