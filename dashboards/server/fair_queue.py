"""Turns at something that many clients want at once: who had least lately is next.

A client that wants more than its share waits while others are there, and is refused when it lets too many requests
wait. One that is alone has everything: a share matters only between clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

from dashboards.shared.limits import TurnLimits

#: How often clients that wait for their share are looked at again, s.
_LOOK_AGAIN = 0.1
#: Clients whose shares are remembered; one that is forgotten begins with a full share.
_CLIENTS = 20_000


class Busy(Exception):
    """A client has as much as it may have now.

    Parameters
    ----------
    sentence : str
    retry_after : int, s
        When it may ask again.
    """

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.sentence, self.retry_after = sentence, retry_after


@dataclass(frozen=True)
class Client:
    """Who asks.

    Attributes
    ----------
    address : str
        Network address; of IPv6 the first 64 bits.
    name : str
        A user, or a browser that was here before; empty for all others of that address together.
    """

    address: str
    name: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Under which its share is counted: a name has one share, wherever it comes from."""
        return ("", self.name) if self.name else (self.address, "")


@dataclass
class _Share:
    """What a client has left of its share, and when that was."""

    left: float
    at: float


class Shares:
    """Shares of all clients: each is used up, and comes back with time.

    Parameters
    ----------
    whole : float
        Of a client that was not here lately.
    rate : float, 1/s
        At which it comes back.
    """

    def __init__(self, whole: float, rate: float) -> None:
        self.whole, self.rate = whole, rate
        self._shares: dict[tuple[str, str], _Share] = {}

    def left(self, key: tuple[str, str], now: float) -> float:
        """What is left, at most `whole`; less than 0 when more was used than there was."""
        share = self._shares.get(key)
        return self.whole if share is None else min(share.left + (now - share.at) * self.rate, self.whole)

    def use(self, key: tuple[str, str], amount: float, now: float) -> None:
        """Use an amount; a negative one is given back. A debt is never more than a quarter of a share."""
        left = self.left(key, now) - amount
        self._shares.pop(key, None)  # the dictionary is in the order of last use
        if left < self.whole:
            self._shares[key] = _Share(max(left, -self.whole / 4), now)
        while len(self._shares) > _CLIENTS:
            del self._shares[next(iter(self._shares))]

    def wait(self, key: tuple[str, str], now: float) -> float:
        """Time [s] until something is left."""
        return max(-self.left(key, now), 0.0) / self.rate


@dataclass
class Turn:
    """One turn.

    Attributes
    ----------
    cost : float
        Of the share; may be set until the turn ends.
    """

    client: Client
    cost: float
    asked_at: float
    is_there: Callable[[], bool] = field(repr=False)
    granted: asyncio.Future[bool] = field(repr=False)

    def answer(self, *, granted: bool) -> None:
        """Grant it or not, once."""
        if not self.granted.done():
            self.granted.set_result(granted)


class Turns:
    """Turns at one thing.

    Parameters
    ----------
    what : str
        For the sentence of a refusal, as in "Too many {what} at once".
    limits : TurnLimits
    others : callable
        Whether anybody but a client is there now.
    clock : callable
        Time [s] that does not go back.
    """

    def __init__(
        self,
        what: str,
        limits: TurnLimits,
        others: Callable[[Client], bool],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._what, self._limits, self._others, self._clock = what, limits, others, clock
        self._clients = Shares(limits.share, limits.rate)
        self._addresses = Shares(limits.share * limits.shares_address, limits.rate * limits.shares_address)
        self._waiting: list[Turn] = []
        self._taken: list[Turn] = []
        self._timer: asyncio.TimerHandle | None = None

    def one_at_a_time(self) -> Turns:
        """Turns at a part of the same thing that only one client can do at once, in the order of these shares.

        Nobody waits there for a share: who has a turn at the whole has waited for it.
        """
        part = Turns(self._what, replace(self._limits, places=1, places_address=1), lambda _: False, self._clock)
        part._clients, part._addresses = self._clients, self._addresses
        return part

    @asynccontextmanager
    async def turn(
        self, client: Client, cost: float = 0.0, is_there: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Turn]:
        """Wait for a turn, and have it.

        Parameters
        ----------
        client : Client
        cost : float
            Of the client's share; it may be set while the turn lasts, when it is not known before.
        is_there : callable
            Whether the client still waits for an answer; one that has gone gets no turn.

        Raises
        ------
        Busy
            When the client lets too many requests wait, or has waited too long.
        """
        turn = Turn(client, cost, self._clock(), is_there, asyncio.get_running_loop().create_future())
        await self._grant(turn)
        try:
            yield turn
        finally:
            self._taken.remove(turn)
            self.charge(client, turn.cost)
            self._serve()

    def charge(self, client: Client, cost: float) -> None:
        """Count something as used by a client; a negative cost is given back."""
        now = self._clock()
        self._clients.use(client.key, cost, now)
        self._addresses.use((client.address, ""), cost, now)

    def left(self, client: Client) -> float:
        """What a client has left of its share."""
        return self._clients.left(client.key, self._clock())

    @property
    def busy_clients(self) -> set[Client]:
        """Who has a turn or waits for one."""
        return {turn.client for turn in (*self._taken, *self._waiting)}

    async def _grant(self, turn: Turn) -> None:
        waiting = sum(other.client.key == turn.client.key for other in self._waiting)
        most = self._limits.waiting if turn.client.name else self._limits.waiting_address
        if waiting >= most:
            await asyncio.sleep(self._limits.refusal)  # who asks again at once is not answered at once
            raise self._too_many(turn.client)
        self._waiting.append(turn)
        patience = asyncio.get_running_loop().call_later(self._limits.patience, lambda: turn.answer(granted=False))
        granted = False
        try:
            self._serve()
            granted = await turn.granted
        finally:
            patience.cancel()
            if not granted:
                self._withdraw(turn)
        if not granted:
            if self._wait(turn.client, self._clock()) > 0:
                raise self._too_many(turn.client)
            wait = round(self._limits.again)
            sentence = f"The server is busy with other {self._what}. Try again in {wait} s."
            raise Busy(sentence, wait)

    def _withdraw(self, turn: Turn) -> None:
        """Take back a turn that was not granted, or granted as the client was given up."""
        for turns in (self._waiting, self._taken):
            if turn in turns:
                turns.remove(turn)
        self._serve()

    def _serve(self) -> None:
        """Give turns as long as there are places; look again soon when somebody has to wait for their share."""
        for waiting in self._waiting:
            if not waiting.is_there():
                waiting.answer(granted=False)
        while len(self._taken) < self._limits.places and (turn := self._next()) is not None:
            self._waiting.remove(turn)
            self._taken.append(turn)
            turn.answer(granted=True)
        if self._waiting and len(self._taken) < self._limits.places and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._serve()

    def _next(self) -> Turn | None:
        """Of those who may have a turn now, the one whose address, then whose client had least; then the first."""
        now = self._clock()
        served = [turn.client.address for turn in self._taken]
        heads: dict[Client, Turn] = {}
        for turn in self._waiting:
            if not turn.granted.done():
                heads.setdefault(turn.client, turn)
        may = [
            turn
            for client, turn in heads.items()
            if self._wait(client, now) <= 0
            and (served.count(client.address) < self._limits.places_address or not self._others(client))
        ]
        return min(may, key=lambda turn: self._order(turn, now), default=None)

    def _order(self, turn: Turn, now: float) -> tuple[float, float, float]:
        address = self._addresses.left((turn.client.address, ""), now)
        return -address, -self._clients.left(turn.client.key, now), turn.asked_at

    def _wait(self, client: Client, now: float) -> float:
        """Time [s] until a client's share allows another turn; nobody waits for the share of an absent one."""
        key, address = client.key, (client.address, "")
        wait = max(self._clients.wait(key, now), self._addresses.wait(address, now))
        return wait if wait > 0 and self._others(client) else 0.0

    def _too_many(self, client: Client) -> Busy:
        key, address = client.key, (client.address, "")
        now = self._clock()
        wait = max(self._clients.wait(key, now), self._addresses.wait(address, now), 1.0)
        whose = "you" if client.name else "your network address"
        sentence = f"Too many {self._what} at once from {whose}. Try again in {wait:.0f} s."
        return Busy(sentence, round(wait))


class AtWork:
    """How many things of a client are being done; one more than allowed is refused.

    Parameters
    ----------
    what : str
        For the sentence of a refusal.
    client, address : int
        Of one user or browser, and of one network address together.
    retry_after : int, s
    """

    def __init__(self, what: str, client: int, address: int, retry_after: int) -> None:
        self._what, self._client, self._address, self._retry_after = what, client, address, retry_after
        self._clients: list[Client] = []

    def begin(self, client: Client) -> Callable[[], None]:
        """Count one more; gives what ends it.

        Raises
        ------
        Busy
        """
        of_address = sum(other.address == client.address for other in self._clients)
        of_client = sum(other.key == client.key for other in self._clients)
        if of_address >= self._address or (client.name and of_client >= self._client):
            whose = "you" if client.name and of_client >= self._client else "your network address"
            number = self._client if whose == "you" else self._address
            sentence = f"The limit of {number} {self._what} at once for {whose} is reached. "
            sentence += f"Try again in {self._retry_after} s."
            raise Busy(sentence, self._retry_after)
        self._clients.append(client)
        return lambda: self._clients.remove(client)
