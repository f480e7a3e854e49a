"""How often somebody may guess."""

from __future__ import annotations

import pytest

from dashboards.web.attempts import Attempts, neighbourhood


def test_guesses_at_one_name_from_anywhere_are_few() -> None:
    attempts = Attempts(window=300, per_name=8)
    for number in range(8):
        assert attempts.begin("alice", f"10.0.0.{number}", 1000.0 + number) == 0
    assert attempts.begin("alice", "10.9.9.9", 1010.0) == pytest.approx(290.0)
    assert attempts.begin("bob", "10.9.9.9", 1010.0) == 0
    assert attempts.begin("alice", "10.9.9.9", 1300.0) == 0  # the first one is forgotten
    assert attempts.begin("alice", "10.9.9.9", 1300.5) > 0


def test_guesses_from_one_address_at_any_name_are_few() -> None:
    attempts = Attempts(per_address=40)
    assert [attempts.begin(f"name{number}", "10.0.0.1", 0.0) for number in range(40)] == [0.0] * 40
    assert attempts.begin("another", "10.0.0.1", 1.0) > 0
    assert attempts.begin("another", "10.0.0.2", 1.0) == 0


def test_a_refused_attempt_does_not_count_and_a_right_password_neither() -> None:
    attempts = Attempts(window=300, per_name=2)
    for _ in range(10):
        assert attempts.begin("alice", "10.0.0.1", 0.0) == 0
        attempts.succeeded("alice", "10.0.0.1")
    for _ in range(2):
        attempts.begin("alice", "10.0.0.1", 0.0)
    for second in range(1, 100):
        assert attempts.begin("alice", "10.0.0.1", float(second)) == pytest.approx(300.0 - second)


def test_many_names_do_not_fill_the_memory() -> None:
    attempts = Attempts(per_address=10**9)
    for number in range(30_000):
        attempts.begin(f"name{number}", "10.0.0.1", 0.0)
    assert len(attempts._times) <= 20_000


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2:3::4", "2001:db8:1:2:ffff::", True),
        ("2001:db8:1:2::", "2001:db8:1:3::", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("not an address", "not an address", True),
    ],
)
def test_neighbours(one: str, other: str, same: bool) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is same
