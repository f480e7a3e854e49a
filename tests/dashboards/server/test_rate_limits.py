"""How often somebody may guess."""

from __future__ import annotations

import pytest

from dashboards.server.rate_limits import Attempts, SessionCounts, neighbourhood
from dashboards.shared.limits import WebLimits


def test_guesses_at_one_name_from_one_address_are_few() -> None:
    attempts = Attempts(WebLimits(attempt_window=300, attempts_per_pair=8))
    for number in range(8):
        assert attempts.begin("alice", "10.0.0.1", 1000.0 + number) == 0
    assert attempts.begin("alice", "10.0.0.1", 1010.0) == pytest.approx(290.0)
    assert attempts.begin("bob", "10.0.0.1", 1010.0) == 0
    assert attempts.begin("alice", "10.9.9.9", 1010.0) == 0
    assert attempts.begin("alice", "10.0.0.1", 1300.0) == 0  # the first one is forgotten
    assert attempts.begin("alice", "10.0.0.1", 1300.5) > 0


def test_guesses_at_one_name_from_many_addresses_are_slowed_down_and_never_refused() -> None:
    attempts, delays = Attempts(WebLimits(attempts_per_name=16, attempt_delay=8.0)), []
    for number in range(60):
        assert attempts.begin("alice", f"10.0.0.{number}", 0.0) == 0
        delays.append(attempts.delay("alice", 0.0))
    assert delays[:16] == [0.0] * 16
    assert delays[16:20] == [0.25, 0.5, 1.0, 2.0]
    assert delays == sorted(delays)
    assert delays[-1] == 8.0
    assert attempts.begin("alice", "10.9.9.9", 0.0) == 0  # the owner
    assert attempts.delay("bob", 0.0) == 0.0
    assert attempts.delay("alice", 301.0) == 0.0


def test_guesses_from_one_address_at_any_name_are_few() -> None:
    attempts = Attempts(WebLimits(attempts_per_address=40))
    assert [attempts.begin(f"name{number}", "10.0.0.1", 0.0) for number in range(40)] == [0.0] * 40
    assert attempts.begin("another", "10.0.0.1", 1.0) > 0
    assert attempts.begin("another", "10.0.0.2", 1.0) == 0


def test_a_refused_attempt_does_not_count_and_a_right_password_neither() -> None:
    attempts = Attempts(WebLimits(attempt_window=300, attempts_per_pair=2, attempts_per_address=2, attempts_per_name=2))
    for number in range(10):
        assert attempts.begin("alice", "10.0.0.1", float(number)) == 0
        attempts.succeeded("alice", "10.0.0.1", float(number))
    assert attempts.delay("alice", 10.0) == 0.0
    for _ in range(2):
        attempts.begin("alice", "10.0.0.1", 10.0)
    for second in range(11, 100):
        assert attempts.begin("alice", "10.0.0.1", float(second)) == pytest.approx(310.0 - second)


def test_a_right_password_takes_back_its_own_attempt_and_no_other() -> None:
    attempts = Attempts(WebLimits(attempts_per_address=3))
    attempts.begin("mallory", "10.0.0.1", 1.0)
    attempts.begin("alice", "10.0.0.1", 2.0)
    attempts.begin("mallory", "10.0.0.1", 3.0)
    attempts.succeeded("alice", "10.0.0.1", 2.0)
    assert attempts.begin("mallory", "10.0.0.1", 4.0) == 0
    assert attempts.begin("mallory", "10.0.0.1", 5.0) == pytest.approx(296.0)  # until the first one is forgotten


def test_many_names_do_not_fill_the_memory_and_who_is_guessing_is_remembered() -> None:
    attempts = Attempts(WebLimits(attempts_per_pair=2, attempts_per_address=10**9), entries=1000)
    attempts.begin("alice", "10.0.0.1", 0.0)
    attempts.begin("alice", "10.0.0.1", 0.0)
    for number in range(2000):
        attempts.begin(f"name{number}", f"10.1.{number // 250}.{number % 250}", 1.0)
        assert attempts.begin("alice", "10.0.0.1", 2.0) > 0  # an entry in use is not the one that goes
    assert len(attempts._tally) <= 1000


def test_sessions_of_one_user_are_counted_by_what_is_done() -> None:
    counts = SessionCounts(WebLimits(session_window=3600, sign_ins=3, sign_outs=2, account_changes=1))
    assert [counts.begin("begin", "alice", float(n)) for n in range(3)] == [0.0] * 3
    assert counts.begin("begin", "alice", 10.0) == pytest.approx(3590.0)
    assert [counts.begin("end", "alice", 10.0) for _ in range(3)] == [0.0, 0.0, 3600.0]
    assert counts.begin("begin", "bob", 10.0) == 0
    assert counts.begin("begin", "alice", 3600.0) == 0


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
