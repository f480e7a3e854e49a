"""A page that is preloaded: its state is loaded, its widgets are not made yet.

What a visitor sees first needs the state alone, so `dashboards.server.first_content` begins a page before the
session of its live part is made. The session then takes the page that was preloaded.
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
        One sentence for each value of the address that means nothing.
    address : str
        What the state made of the address, before anything was loaded.
    """

    state: State
    complaints: tuple[str, ...]
    address: str


#: The page that the present request has preloaded.
_PRELOADED: ContextVar[PreloadedState[Any] | None] = ContextVar("preloaded", default=None)
#: The loaded state of a page that has no first content.
_LOADED: ContextVar[Any] = ContextVar("loaded", default=None)


def preload[State: AddressState](state: State, search: str) -> PreloadedState[State]:
    """Set a state from a query string and load what it asks for."""
    complaints = tuple(state.take_address(search))
    address = state.address
    state.load()
    return PreloadedState(state, complaints, address)


@contextmanager
def session_from_preloaded(preloaded: PreloadedState[Any]) -> Iterator[None]:
    """Let the session that is made inside go on with a page that was preloaded."""
    token = _PRELOADED.set(preloaded)
    try:
        yield
    finally:
        _PRELOADED.reset(token)


def is_preloaded() -> bool:
    """Whether the session that is being made goes on with a page."""
    return _PRELOADED.get() is not None


def preloaded_or[State: AddressState](make: Callable[[], PreloadedState[State]]) -> PreloadedState[State]:
    """The page that the session goes on with; else it is begun now."""
    return _PRELOADED.get() or make()


@contextmanager
def session_from_loaded(state: Any) -> Iterator[None]:
    """Let the session that is made inside start from a state that was loaded outside of the server's loop."""
    token = _LOADED.set(state)
    try:
        yield
    finally:
        _LOADED.reset(token)


def loaded_or[State](make: Callable[[], State]) -> State:
    """The state that the session starts from; else it is loaded now."""
    state: State | None = _LOADED.get()
    return make() if state is None else state
