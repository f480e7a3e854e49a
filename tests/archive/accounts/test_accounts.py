"""Users, tokens, names a provider vouches for, ended sessions: the files behind them."""

from __future__ import annotations

import json
import stat
import string
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from archive.accounts import Accounts, Person, ProviderUsers, Role, Sessions, check_name, web_secrets
from archive.errors import AccountsDamaged, InvalidAccount, NoSuchUser, UserExists

NOW = np.datetime64("2026-11-25T12:00:00", "us")
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    """One file of users for the tests that only ask: hashing takes a tenth of a second."""
    accounts = Accounts(tmp_path_factory.mktemp("archive"))
    accounts.add("alice", PASSWORD, NOW)
    accounts.add("olga", PASSWORD + "!", NOW, Role.OPERATOR)
    return accounts


def test_password_is_valid_for_its_account_only(whole: Accounts) -> None:
    assert whole.verify("alice", PASSWORD) == whole.user("alice")
    for name, password in (
        ("alice", PASSWORD + " "),
        ("alice", ""),
        ("olga", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("Alice", PASSWORD),
    ):
        assert whole.verify(name, password) is None


def test_users_file_has_no_plain_password_and_is_private(whole: Accounts) -> None:
    text = (whole.root / "users.json").read_text()
    assert PASSWORD not in text
    assert text.count("$argon2id$") == 2
    assert stat.S_IMODE((whole.root / "users.json").stat().st_mode) == 0o600


def test_roles(whole: Accounts) -> None:
    for name, operator in (("alice", False), ("olga", True)):
        assert whole.of_session(name, whole.user(name).generation) == Person(name, operator)
    assert whole.of_session("alice", whole.user("olga").generation) is None
    assert whole.of_session("alice", "") is None


@pytest.mark.parametrize("name", ["a", "alice", "a.b-c_d", "alice@example.org", "x" * 64, "4s", "a+b@c.de"])
def test_valid_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "guest",
        "auto",
        "Alice",
        ".hidden",
        "-rf",
        "a b",
        "a/b",
        "../a",
        "a:b",
        "a'b",
        'a"b',
        "<b>",
        "ä",
        "a\n",
        "a\0",
    ]
    + ["x" * 65, "%s", "{0}", "a;b"]
    + [f"a{sign}" for sign in string.punctuation if sign not in "._@+-"],
)
def test_invalid_names(name: str) -> None:
    with pytest.raises(InvalidAccount, match="cannot be the name of a user"):
        check_name(name)


def test_password_length_is_limited(tmp_path: Path) -> None:
    for password in ("", "too short", "x" * 201):
        with pytest.raises(InvalidAccount, match="10 to 200 characters"):
            Accounts(tmp_path).add("alice", password, NOW)
    assert Accounts(tmp_path).users() == []


def test_new_password_ends_sessions_and_keeps_tokens(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    before = accounts.add("alice", PASSWORD, NOW).generation
    token = accounts.make_token("alice", "notebook", NOW)
    accounts.change_password("alice", "another horse battery")
    assert accounts.of_session("alice", before) is None
    assert accounts.verify("alice", PASSWORD) is None
    assert accounts.verify("alice", "another horse battery") is not None
    assert accounts.of_token(token) == Person("alice", operator=False)
    present = accounts.user("alice").generation
    accounts.end_sessions("alice")
    assert accounts.of_session("alice", present) is None


def test_a_user_added_again_is_a_different_user(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    before = accounts.add("alice", PASSWORD, NOW).generation
    token = accounts.make_token("alice", "", NOW)
    accounts.remove("alice")
    assert accounts.of_session("alice", before) is None
    assert accounts.of_token(token) is None
    accounts.add("alice", PASSWORD, NOW)
    assert accounts.of_session("alice", before) is None
    assert accounts.of_token(token) is None
    with pytest.raises(UserExists, match="user 'alice' exists already"):
        accounts.add("alice", PASSWORD, NOW)


def test_tokens_are_hashed_revocable_and_limited_in_number(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.add("alice", PASSWORD, NOW)
    token = accounts.make_token("alice", " my notebook ", NOW)
    (kept,) = accounts.user("alice").tokens
    assert (kept.label, kept.created_at) == ("my notebook", NOW)
    assert token not in (tmp_path / "users.json").read_text()
    assert accounts.of_token(token) == Person("alice", operator=False)
    for wrong in (
        token[:-1],
        token + "x",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        f"stix_{kept.token_id}_",
        "",
    ):
        assert accounts.of_token(wrong) is None
    with pytest.raises(NoSuchUser, match="no token 'ffffffff'"):
        accounts.revoke_token("alice", "ffffffff")
    accounts.revoke_token("alice", kept.token_id)
    assert accounts.of_token(token) is None
    for _ in range(20):
        accounts.make_token("alice", "", NOW)
    with pytest.raises(InvalidAccount, match="revoke one first"):
        accounts.make_token("alice", "", NOW)
    with pytest.raises(InvalidAccount, match="label"):
        accounts.make_token("alice", "two\nlines", NOW)


def test_a_reader_notices_changes_of_another_process(tmp_path: Path) -> None:
    reader, writer = Accounts(tmp_path), Accounts(tmp_path)
    assert reader.users() == []
    writer.add("alice", PASSWORD, NOW)
    assert [user.name for user in reader.users()] == ["alice"]
    writer.remove("alice")
    assert reader.users() == []


def _add_tokens(root: Path, number: int) -> None:
    accounts = Accounts(root)
    for _ in range(5):
        accounts.make_token("alice", str(number), NOW)


def test_concurrent_writers_lose_nothing(tmp_path: Path) -> None:
    Accounts(tmp_path).add("alice", PASSWORD, NOW)
    spawn = get_context("fork")
    writers = [spawn.Process(target=_add_tokens, args=(tmp_path, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert len(Accounts(tmp_path).user("alice").tokens) == 15


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"users": []}', '{"version": 99, "users": []}', '{"version": 1, "users": [{"name": "a"}]}']
)
def test_a_damaged_file_admits_no_user_and_is_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "users.json").write_text(text)
    accounts = Accounts(tmp_path)
    for attempt in (accounts.users, lambda: accounts.add("alice", PASSWORD, NOW), lambda: accounts.verify("a", "b")):
        with pytest.raises(AccountsDamaged, match=r"users\.json"):
            attempt()
    assert (tmp_path / "users.json").read_text() == text


def test_users_of_a_sign_in_provider(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    assert accounts.from_provider("alice@example.org") is None  # nobody without configuration
    (tmp_path / "config.toml").write_text(
        '[worker]\nanything = 1\n[accounts]\nallowed = ["*@example.org"]\noperators = ["Operator@example.com"]\n'
    )
    assert accounts.from_provider("Alice@Example.org") == Person("alice@example.org", operator=False)
    assert accounts.from_provider("operator@example.com") == Person("operator@example.com", operator=True)
    for stranger in ("mallory@example.com", "alice@example.org.evil", "a b@example.org", "guest", "auto", ""):
        assert accounts.from_provider(stranger) is None

    token = accounts.make_token("alice@example.org", "", NOW)
    assert accounts.of_token(token) == Person("alice@example.org", operator=False)
    assert accounts.verify("alice@example.org", "") is None
    with pytest.raises(NoSuchUser):
        accounts.make_token("mallory@example.com", "", NOW)
    (tmp_path / "config.toml").write_text("[accounts]\nallowed = []\n")  # and out again
    assert accounts.of_token(token) is None


def test_provider_users_cannot_take_a_name_with_a_password(tmp_path: Path) -> None:
    accounts = Accounts(tmp_path)
    accounts.add("olga", PASSWORD, NOW, Role.OPERATOR)
    (tmp_path / "config.toml").write_text('[accounts]\nallowed = ["*"]\n')
    assert accounts.from_provider("olga") is None
    assert accounts.from_provider("peter") == Person("peter", operator=False)


@pytest.mark.parametrize(
    "text", ["accounts = 1", "[accounts]\nallow = []", '[accounts]\nallowed = "*"', "[accounts]\noperators = [1]", "["]
)
def test_an_invalid_configuration_admits_no_user(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(AccountsDamaged, match=r"config\.toml"):
        ProviderUsers.of(tmp_path)


def test_ended_sessions_are_remembered_until_they_would_have_expired(tmp_path: Path) -> None:
    here, there = Sessions(tmp_path), Sessions(tmp_path)
    day = np.timedelta64(1, "D")
    here.end("cookie of alice", NOW, NOW + day)
    assert there.has_ended("cookie of alice")
    assert not there.has_ended("cookie of bob")
    assert "alice" not in (tmp_path / "signed-out.json").read_text()
    there.end("cookie of bob", NOW + 2 * day, NOW + 3 * day)
    assert here.has_ended("cookie of bob")
    assert len(json.loads((tmp_path / "signed-out.json").read_text())) == 1


def test_secrets_are_created_once_with_private_permissions(tmp_path: Path) -> None:
    first = web_secrets(tmp_path)
    assert first == web_secrets(tmp_path)
    assert min(len(first.cookie), len(first.session)) >= 64
    assert first.cookie != first.session
    assert stat.S_IMODE((tmp_path / "web-secrets.json").stat().st_mode) == 0o600
