"""When the memory of ended sessions is freed."""

import gc
import weakref

import pytest

from dashboards.panel_patches.session_memory import ENOUGH, EndedSessions


@pytest.fixture
def sessions():
    times = []
    made = EndedSessions(lambda: times.append(1))
    made.times = times
    return made


def test_nobody_is_kept_waiting_for_one_session(sessions):
    for name in ("a", "b"):
        sessions.begin(name)
    assert not sessions.look()
    sessions.end("a")
    assert not sessions.look()
    assert not sessions.times


def test_when_nobody_is_left_everything_is_freed_once(sessions):
    sessions.begin("a")
    sessions.end("a")
    assert sessions.look()
    assert not sessions.look()
    assert len(sessions.times) == 1


def test_many_ended_sessions_are_freed_while_others_stay(sessions):
    for number in range(ENOUGH + 1):
        sessions.begin(str(number))
    for number in range(ENOUGH):
        assert not sessions.look()
        sessions.end(str(number))
    assert sessions.look()
    assert not sessions.look()


def test_what_only_points_at_itself_is_freed():
    class Thing:
        pass

    thing, sessions = Thing(), EndedSessions()
    thing.itself, seen = thing, weakref.ref(thing)
    gc.disable()  # not by chance
    try:
        del thing
        sessions.begin("a")
        sessions.end("a")
        assert seen() is not None
        assert sessions.look()
        assert seen() is None
    finally:
        gc.enable()
