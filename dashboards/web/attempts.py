"""How often somebody may try to sign in: attempts that failed, per name and per address, within a window of time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

#: Entries kept at most; the ones not used for longest go first.
_ENTRIES = 20_000


@dataclass
class Attempts:
    """Attempts of one web process. An attempt counts from its beginning, so many at once are many.

    Attributes
    ----------
    window : float, s
    per_name, per_address : int
        Attempts within the window. One address may be a whole institute, so it has more.
    """

    window: float = 300.0
    per_name: int = 8
    per_address: int = 40
    _times: dict[tuple[str, str], deque[float]] = field(default_factory=dict, repr=False)

    def begin(self, name: str, address: str, now: float) -> float:
        """Count an attempt, if one is allowed now.

        Parameters
        ----------
        name, address : str
        now : float, s
            Of any clock that does not go back.

        Returns
        -------
        float, s
            0, or how long to wait; then nothing was counted.
        """
        keys = self._keys(name, address)
        wait = max(self._wait(key, most, now) for key, most in keys)
        if wait <= 0:
            for key, _ in keys:
                self._times.setdefault(key, deque()).append(now)
            self._forget()
        return max(wait, 0.0)

    def succeeded(self, name: str, address: str) -> None:
        """The last attempt was none to guess: take it back."""
        for key, _ in self._keys(name, address):
            times = self._times.get(key)
            if times:
                times.pop()

    def _keys(self, name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        return (("name", name), self.per_name), (("address", neighbourhood(address)), self.per_address)

    def _wait(self, key: tuple[str, str], most: int, now: float) -> float:
        times = self._times.get(key)
        if times is None:
            return 0.0
        while times and times[0] <= now - self.window:
            times.popleft()
        if not times:
            del self._times[key]
            return 0.0
        return times[0] + self.window - now if len(times) >= most else 0.0

    def _forget(self) -> None:
        while len(self._times) > _ENTRIES:
            del self._times[next(iter(self._times))]


def neighbourhood(address: str) -> str:
    """An address as attempts are counted: of IPv6 the first 64 bits, since one customer has all of the rest."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(found)
