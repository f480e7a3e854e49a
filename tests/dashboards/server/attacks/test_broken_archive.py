"""What the server says while its archive is broken, and what it does not say: where the archive is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archive.accounts.store import USERS_FILE

IMAGE = "0123456789abcdef-bp"
ADDRESSES = (
    f"/archive/fits/{IMAGE}",
    "/archive/science/solo_L1_x.fits",
    f"/archive/script/{IMAGE}.py",
    "/archive/lightcurve.csv?start=1668000000&span=60",
    f"/archive/selection/table.csv?images={IMAGE}",
    f"/archive/selection/bundle.zip?images={IMAGE}",
    "/archive/rendering/1/x.png",
    "/api/v1/images",
    "/api/v1/requests",
    "/flares",
    "/image_archive",
    "/operations",
    "/login",
    "/account",
)


@pytest.mark.slow_attack
def test_a_broken_archive_does_not_say_where_it_is(
    tmp_path: Path, small: Any, users: dict[str, str], serve: Callable[..., Any], new_client: type[Any]
) -> None:
    """Whatever is broken in the archive, no answer of the server names its folder."""
    root = tmp_path / "hidden-place" / "archive"
    shutil.copytree(small.archive.root, root)
    record = root / "index" / "schema.json"
    before = record.read_text()
    record.write_text(json.dumps({"applied": [*json.loads(before)["applied"], "9999_from_the_future"]}))
    with serve(root) as server:
        statuses = _look(new_client(server.url), "another version")
        assert 503 in statuses.values()
        record.write_text(before)
        (root / "index").rename(root / "elsewhere")
        assert 503 in _look(new_client(server.url), "no index").values()
        (root / "elsewhere").rename(root / "index")
        visitor = new_client(server.url)
        assert visitor.sign_in("olga", users["olga"]).status == 303
        (root / USERS_FILE).write_text("{")
        _look(visitor, "damaged users")
        answer = visitor.sign_in("olga", users["olga"])
        assert answer.status in {401, 503}
        assert b"hidden-place" not in answer.body


def _look(client: Any, what: str) -> dict[str, int]:
    """Ask for everything; gives the statuses."""
    statuses = {}
    for address in ADDRESSES:
        answer = client.get(address)
        assert b"hidden-place" not in answer.body, (what, address, answer.text)
        assert "hidden-place" not in str(answer.headers), (what, address)
        statuses[address] = answer.status
    return statuses
