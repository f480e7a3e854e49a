"""A preloaded page: its state is loaded, its widgets are not created yet.

The first content needs only the state, so `dashboards.server.first_content` loads it before the session of the live
page is created. The session then continues with this state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from dashboards.shared.address import AddressState


@dataclass(frozen=True)
class PreloadedState[State: AddressState]:
    """A loaded state.

    Attributes
    ----------
    state : AddressState
    complaints : tuple of str
        One sentence for each invalid value in the URL.
    address : str
        Query string of the state before anything was loaded.
    """

    state: State
    complaints: tuple[str, ...]
    address: str


#: The page that the current request has preloaded.
_PRELOADED: ContextVar[PreloadedState[Any] | None] = ContextVar("preloaded", default=None)
#: The loaded state of a page that has no first content.
_LOADED: ContextVar[Any] = ContextVar("loaded", default=None)


def preload[State: AddressState](state: State, search: str) -> PreloadedState[State]:
    """Set a state from a query string and load its data."""
    complaints = tuple(state.take_address(search))
    address = state.address
    state.load()
    return PreloadedState(state, complaints, address)


@contextmanager
def session_from_preloaded(preloaded: PreloadedState[Any]) -> Iterator[None]:
    """Let the session that is created inside continue with a preloaded page."""
    token = _PRELOADED.set(preloaded)
    try:
        yield
    finally:
        _PRELOADED.reset(token)


def is_preloaded() -> bool:
    """Whether the session being created continues with a preloaded page."""
    return _PRELOADED.get() is not None


def preloaded_or[State: AddressState](make: Callable[[], PreloadedState[State]]) -> PreloadedState[State]:
    """The preloaded page of the session being created; without one, the result of ``make``."""
    return _PRELOADED.get() or make()


@contextmanager
def session_from_loaded(state: Any) -> Iterator[None]:
    """Let the session that is created inside start from a state that was loaded outside the event loop."""
    token = _LOADED.set(state)
    try:
        yield
    finally:
        _LOADED.reset(token)


def loaded_or[State](make: Callable[[], State]) -> State:
    """The loaded state of the session being created; without one, the result of ``make``."""
    state: State | None = _LOADED.get()
    return make() if state is None else state
