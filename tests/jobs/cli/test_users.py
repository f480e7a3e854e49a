"""``stix-jobs user``, as a person and as a script types it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from archive.accounts import Accounts, Role
from jobs.cli.parser import main

PASSWORD = "correct horse battery"


def user(archive: Path, *words: str) -> int:
    return main(["user", *words, "--archive", str(archive)])


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + "\n"))


def test_add_list_token_remove(tmp_path: Path, piped: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert user(tmp_path, "list") == 0
    assert "no users yet" in capsys.readouterr().out
    assert user(tmp_path, "add", "olga", "--operator") == 0
    assert capsys.readouterr().out == "olga can sign in as operator\n"
    assert Accounts(tmp_path).verify("olga", PASSWORD) is not None

    assert user(tmp_path, "token", "olga", "--label", "notebook") == 0
    out, err = capsys.readouterr()
    token = out.strip()
    person = Accounts(tmp_path).of_token(token)
    assert person is not None
    assert person.operator
    assert "not shown again" in err

    assert user(tmp_path, "list", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["name"] == "olga"
    assert entry["role"] == Role.OPERATOR
    assert set(entry) == {"name", "role", "added_at", "tokens"}
    assert set(entry["tokens"][0]) == {"id", "label", "created_at"}

    assert user(tmp_path, "token", "olga", "--revoke", entry["tokens"][0]["id"]) == 0
    assert Accounts(tmp_path).of_token(token) is None
    assert user(tmp_path, "remove", "olga") == 0
    assert Accounts(tmp_path).users() == []


def test_on_a_terminal_the_password_is_asked_for_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def answers(*given: str) -> Any:
        monkeypatch.setattr("jobs.cli.users.getpass", lambda _, left=list(given): left.pop(0))

    monkeypatch.setattr("sys.stdin", Terminal("never read\n"))
    answers(PASSWORD, PASSWORD + "?")
    assert user(tmp_path, "add", "alice") == 1
    assert "the two passwords differ" in capsys.readouterr().err
    assert Accounts(tmp_path).users() == []
    answers(PASSWORD, PASSWORD)
    assert user(tmp_path, "add", "alice") == 0
    answers("another horse battery", "another horse battery")
    assert user(tmp_path, "passwd", "alice") == 0
    assert Accounts(tmp_path).verify("alice", "another horse battery") is not None


def test_what_cannot_be_done_is_said(tmp_path: Path, piped: None, capsys: pytest.CaptureFixture[str]) -> None:
    for words, status, sentence in (
        (("add",), 2, "name the user"),
        (("add", "Alice"), 1, "cannot be the name of a user"),
        (("remove", "nobody"), 1, "there is no user 'nobody'"),
        (("passwd", "nobody"), 1, "there is no user 'nobody'"),
        (("token", "nobody"), 1, "there is no user 'nobody'"),
    ):
        assert user(tmp_path, *words) == status
        assert sentence in capsys.readouterr().err


def test_no_password_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        user(tmp_path, "add", "alice", "--password", PASSWORD)
    assert stop.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err
