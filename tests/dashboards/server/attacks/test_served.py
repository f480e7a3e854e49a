"""What the server serves, and the headers on it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboards.server.allowed_routes import REMOVED, SERVED
from dashboards.server.security_headers import HEADERS

ROOT = Path(__file__).resolve().parents[4]
PAGES = ("", "flares", "image_archive", "lightcurves", "science_data", "operations", "flare")


@pytest.mark.slow_attack
def test_the_server_serves_what_is_listed(
    tmp_path: Path, small: Any, free_port: Callable[[], int], start: Callable[..., Any]
) -> None:
    """The running server's routes are those of the list, each with a reason."""
    told, said = tmp_path / "routes.json", tmp_path / "log.txt"
    environment = os.environ | {"STIX_ARCHIVE": str(small.archive.root), "PYTHONPATH": str(ROOT)}
    name = "tests.dashboards.server.attacks.server_that_tells_its_routes"
    with said.open("wb") as log:
        start([name, str(told), str(free_port())], environment, log, log).wait(240)
    assert told.exists(), said.read_text()
    assert set(json.loads(told.read_text())) == set(SERVED)
    assert all(SERVED.values())
    assert "is not served" not in said.read_text()


@pytest.mark.parametrize("page", PAGES)
def test_no_page_hands_its_token_to_another_site(target: Any, attacker: Any, page: str) -> None:
    """autoload.js and metadata, which answer any other site, are gone."""
    at = f"/{page}" if page else ""
    for address in (f"{at}/autoload.js?bokeh-autoload-element=x", f"{at}/metadata"):
        for method in ("GET", "OPTIONS", "HEAD"):
            answer = attacker.send(method, address, None, Origin="https://evil.example")
            assert answer.status == 404
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "token" not in answer.text


def test_no_module_is_imported_by_its_name(target: Any, attacker: Any) -> None:
    """An address cannot make the server import a module."""
    log = target.server.log_text()
    for module in ("this", "antigravity", "sunpy.map", "dashboards.__main__", "test.autotest"):
        assert attacker.get(f"/components/{module}/x/y/z").status == 404
    assert "Zen of Python" not in target.server.log_text()[len(log) :]


def test_liveness_makes_no_page(target: Any, attacker: Any) -> None:
    """Asking whether the server answers costs no more with an address of a page in it."""
    begin = time.monotonic()
    for _ in range(50):
        answer = attacker.get("/liveness?endpoint=/operations")
        assert (answer.status, answer.json) == (200, {"/liveness": True})
    assert time.monotonic() - begin < 30  # fifty pages take longer on any machine that runs this
    assert attacker.get("/liveness?endpoint=/nowhere").status == 200  # no list of what there is


ADDRESSES = (
    "/", "/flares", "/image_archive", "/lightcurves", "/science_data", "/operations", "/login", "/logout", "/account",
    "/liveness",
    "/favicon.ico", "/static/js/bokeh.min.js", "/static/extensions/panel/panel.min.js", "/nothing", "/static/nothing",
    "/archive/nothing", "/archive/fits/0000000000000000-bp", "/api/v1/images", "/api/v1/nothing",
    "/api/v1/openapi.json", "/operations?bokeh-session-id=x",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_answer_has_safe_headers(target: Any, attacker: Any, address: str) -> None:
    """Every answer forbids frames, guessing of types and sending of addresses to other sites."""
    answer = attacker.get(address)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert set(HEADERS) <= set(answer.headers)
    assert all(len(answer.headers.get_all(name)) == 1 for name in HEADERS)


def directives(policy: str) -> dict[str, list[str]]:
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


@pytest.mark.parametrize("page", PAGES)
def test_scripts_that_slip_into_a_page_do_not_run(target: Any, attacker: Any, page: str) -> None:
    """A page allows only scripts of its own server and those with its nonce, which all of its scripts have."""
    answer = attacker.get(f"/{page}")
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'none'"]
    assert "'unsafe-inline'" not in policy["script-src"]
    (nonce,) = (value[7:-1] for value in policy["script-src"] if value.startswith("'nonce-"))
    scripts = answer.text.count("<script")
    assert scripts > 5
    assert answer.text.count(f'<script nonce="{nonce}"') == scripts


def test_a_nonce_comes_once(target: Any, attacker: Any) -> None:
    """Every answer with a page has a nonce of its own."""
    policies = [directives(attacker.get("/operations").headers["Content-Security-Policy"]) for _ in range(2)]
    assert policies[0]["script-src"] != policies[1]["script-src"]


def test_the_lists_do_not_overlap() -> None:
    """What is removed is not served."""
    assert not set(SERVED) & set(REMOVED)
