"""Rate limits for sign-in attempts, and for sessions and account changes of one user."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from dashboards.shared.limits import WebLimits

#: Maximum number of entries in a table; the least recently used ones are removed first.
_ENTRIES = 20_000
#: Delay of the first attempt that is slowed down, s; it doubles with every further one.
_FIRST_DELAY_S = 0.25


@dataclass
class Tally:
    """Events per key within the last ``window`` seconds. Times are monotonic seconds."""

    window: float
    entries: int = _ENTRIES
    _times: OrderedDict[tuple[str, ...], deque[float]] = field(default_factory=OrderedDict, repr=False)

    def __len__(self) -> int:
        return len(self._times)

    def count(self, key: tuple[str, ...], now: float) -> int:
        """Number of events of a key."""
        return len(self._current(key, now))

    def wait(self, key: tuple[str, ...], most: int, now: float) -> float:
        """Time [s] until another event is within ``most``; 0 if it is now."""
        times = self._current(key, now)
        return times[-most] + self.window - now if len(times) >= most else 0.0

    def add(self, key: tuple[str, ...], now: float) -> None:
        """Count an event; the least recently used entries are removed if there are too many."""
        self._times.setdefault(key, deque()).append(now)
        self._times.move_to_end(key)
        while len(self._times) > self.entries:
            self._times.popitem(last=False)

    def take_back(self, key: tuple[str, ...], time: float) -> None:
        """Remove the event of that time."""
        times = self._times.get(key)
        if times is not None and time in times:
            times.remove(time)

    def forget(self, key: tuple[str, ...]) -> None:
        """Remove all events of a key."""
        self._times.pop(key, None)

    def _current(self, key: tuple[str, ...], now: float) -> deque[float]:
        times = self._times.get(key)
        if times is None:
            return deque()
        while times and times[0] <= now - self.window:
            times.popleft()
        if not times:
            del self._times[key]
            return times
        self._times.move_to_end(key)
        return times


class Attempts:
    """Failed attempts to sign in with one web process.

    They are counted by name and address, and by address. A name that is tried from many addresses is slowed down but
    never locked: its owner, at another address, waits some seconds and gets in. An attempt counts from its start, so
    concurrent attempts all count.

    Parameters
    ----------
    limits : WebLimits
    entries : int
        Maximum number of keys; the least recently used ones are removed first.
    """

    def __init__(self, limits: WebLimits | None = None, entries: int = _ENTRIES) -> None:
        self._limits = limits or WebLimits()
        self._tally = Tally(self._limits.attempt_window, entries)

    def begin(self, name: str, address: str, now: float) -> float:
        """Count an attempt, if it is allowed now.

        Parameters
        ----------
        name, address : str
        now : float, s
            Monotonic time.

        Returns
        -------
        float, s
            0, or how long to wait; then the attempt is not counted.
        """
        place = neighbourhood(address)
        wait = max(
            self._tally.wait(("pair", name, place), self._limits.attempts_per_pair, now),
            self._tally.wait(("address", place), self._limits.attempts_per_address, now),
        )
        if wait <= 0:
            for key in _keys(name, place):
                self._tally.add(key, now)
        return wait

    def delay(self, name: str, now: float) -> float:
        """Delay of the answer to an attempt that has begun, s; it grows with every attempt at that name."""
        above = self._tally.count(("name", name), now) - self._limits.attempts_per_name
        if above <= 0:
            return 0.0
        return min(_FIRST_DELAY_S * 2.0 ** min(above - 1, 30), self._limits.attempt_delay)

    def succeeded(self, name: str, address: str, begun: float) -> None:
        """Do not count a successful attempt, and no earlier ones at that name from that address."""
        pair, *others = _keys(name, neighbourhood(address))
        self._tally.forget(pair)
        for key in others:
            self._tally.take_back(key, begun)


class SessionCounts:
    """Sessions that one user begins or ends, and account changes, with one web process.

    Parameters
    ----------
    limits : WebLimits
    """

    def __init__(self, limits: WebLimits | None = None) -> None:
        limits = limits or WebLimits()
        self._most = {"begin": limits.sign_ins, "end": limits.sign_outs, "change": limits.account_changes}
        self._tally = Tally(limits.session_window)

    def begin(self, what: str, name: str, now: float) -> float:
        """Count one of "begin", "end" and "change" if it is allowed now; return 0, or how long to wait [s]."""
        wait = self._tally.wait((what, name), self._most[what], now)
        if wait <= 0:
            self._tally.add((what, name), now)
        return wait


def neighbourhood(address: str) -> str:
    """Network address for rate limits: the first 64 bits of IPv6, since one customer has all of the rest."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(found)


def _keys(name: str, place: str) -> tuple[tuple[str, ...], ...]:
    return ("pair", name, place), ("address", place), ("name", name)
