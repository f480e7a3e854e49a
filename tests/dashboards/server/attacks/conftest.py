"""A server of its own for attacks, with users who have accounts: what an attack damages, no other test sees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

#: ``make attack`` sets this to "long": more connections and longer floods than in ``make test``.
LONG = os.environ.get("STIX_ATTACK", "") == "long"


@dataclass(frozen=True)
class Target:
    """The server under attack, its archive, and names with passwords (olga is an operator)."""

    server: Any
    root: Path
    passwords: dict[str, str]

    @property
    def url(self) -> str:
        return str(self.server.url)


@pytest.fixture(scope="session")
def target(
    tmp_path_factory: pytest.TempPathFactory, small: Any, users: dict[str, str], serve: Callable[..., Any]
) -> Iterator[Target]:
    """A running server on a copy of the small archive."""
    root = tmp_path_factory.mktemp("attacked") / "archive"
    shutil.copytree(small.archive.root, root)
    with serve(root) as server:
        yield Target(server, root, users)


@pytest.fixture
def attacker(target: Target, new_client: type[Any]) -> Any:
    """A guest who has just opened a browser."""
    return new_client(target.url)


@pytest.fixture
def enter(target: Target, new_client: type[Any]) -> Callable[[str], Any]:
    """A new browser in which a user has signed in to the server under attack."""

    def sign_in(name: str) -> Any:
        made = new_client(target.url)
        answer = made.sign_in(name, target.passwords[name])
        assert answer.status == 303, answer.text
        return made

    return sign_in
