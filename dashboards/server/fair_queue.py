"""Fair scheduling between clients: the client that has used least recently is next.

A client that wants more than its share waits while others are there, and is refused if too many of its requests wait.
A single client may use everything: shares matter only between clients.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

from dashboards.shared.limits import TurnLimits

#: How often the shares of waiting clients are checked, s.
_CHECK_INTERVAL_S = 0.1
#: Clients whose shares are remembered; a forgotten one starts with a full share.
_CLIENTS = 20_000


class Busy(Exception):
    """A client has used what it may use now.

    Parameters
    ----------
    sentence : str
    retry_after : int, s
        When it may try again.
    """

    def __init__(self, sentence: str, retry_after: int) -> None:
        super().__init__(sentence)
        self.sentence, self.retry_after = sentence, retry_after


@dataclass(frozen=True)
class Client:
    """A client of the server.

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
        """Key of its share: a named client has one share at all addresses."""
        return ("", self.name) if self.name else (self.address, "")


@dataclass
class _Share:
    """Remaining share of a client, and its time."""

    left: float
    at: float


class Shares:
    """Shares of all clients: each is used up, and regenerates with time.

    Parameters
    ----------
    whole : float
        Share of a new client.
    rate : float, 1/s
        Rate of regeneration.
    """

    def __init__(self, whole: float, rate: float) -> None:
        self.whole, self.rate = whole, rate
        self._shares: dict[tuple[str, str], _Share] = {}

    def left(self, key: tuple[str, str], now: float) -> float:
        """Remaining share, at most `whole`; negative if more was used than there was."""
        share = self._shares.get(key)
        return self.whole if share is None else min(share.left + (now - share.at) * self.rate, self.whole)

    def use(self, key: tuple[str, str], amount: float, now: float) -> None:
        """Use an amount; a negative amount is returned. A debt is never more than a quarter of a share."""
        left = self.left(key, now) - amount
        self._shares.pop(key, None)  # the dictionary is in order of last use
        if left < self.whole:
            self._shares[key] = _Share(max(left, -self.whole / 4), now)
        while len(self._shares) > _CLIENTS:
            del self._shares[next(iter(self._shares))]

    def wait(self, key: tuple[str, str], now: float) -> float:
        """Time [s] until some share is left."""
        return max(-self.left(key, now), 0.0) / self.rate


@dataclass
class Turn:
    """One turn.

    Attributes
    ----------
    cost : float
        Cost in units of the share; may be set until the turn ends.
    """

    client: Client
    cost: float
    asked_at: float
    is_there: Callable[[], bool] = field(repr=False)
    granted: asyncio.Future[bool] = field(repr=False)

    def answer(self, *, granted: bool) -> None:
        """Grant or refuse it, once."""
        if not self.granted.done():
            self.granted.set_result(granted)


class Turns:
    """Turns at one resource.

    Parameters
    ----------
    what : str
        For the message of a refusal, as in "Too many {what} at once".
    limits : TurnLimits
    others : callable
        Whether any client but this one is there now.
    clock : callable
        Monotonic time [s].
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
        """Turns at a part of the same resource that only one client can use at a time, in the order of these shares.

        There is no waiting for a share: a client with a turn at the whole has already waited.
        """
        part = Turns(self._what, replace(self._limits, places=1, places_address=1), lambda _: False, self._clock)
        part._clients, part._addresses = self._clients, self._addresses
        return part

    @asynccontextmanager
    async def turn(
        self, client: Client, cost: float = 0.0, is_there: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Turn]:
        """Wait for a turn, and hold it inside the block.

        Parameters
        ----------
        client : Client
        cost : float
            Cost in units of the client's share; may be set during the turn if it is not known before.
        is_there : callable
            Whether the client still waits for an answer; a client that has disconnected gets no turn.

        Raises
        ------
        Busy
            If too many requests of the client wait, or it has waited too long.
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
        """Charge a cost to a client; a negative cost is returned."""
        now = self._clock()
        self._clients.use(client.key, cost, now)
        self._addresses.use((client.address, ""), cost, now)

    def left(self, client: Client) -> float:
        """Computing time that a client may still use at once, s."""
        return self._clients.left(client.key, self._clock())

    @property
    def busy_clients(self) -> set[Client]:
        """Clients that have a turn or wait for one."""
        return {turn.client for turn in (*self._taken, *self._waiting)}

    async def _grant(self, turn: Turn) -> None:
        waiting = sum(other.client.key == turn.client.key for other in self._waiting)
        most = self._limits.waiting if turn.client.name else self._limits.waiting_address
        if waiting >= most:
            await asyncio.sleep(self._limits.refusal)  # slow down clients that retry at once
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
        """Withdraw a turn that was not granted, or that was granted just as the client disconnected."""
        for turns in (self._waiting, self._taken):
            if turn in turns:
                turns.remove(turn)
        self._serve()

    def _serve(self) -> None:
        """Grant turns while there are places; check again soon if a client has to wait for its share."""
        for waiting in self._waiting:
            if not waiting.is_there():
                waiting.answer(granted=False)
        while len(self._taken) < self._limits.places and (turn := self._next()) is not None:
            self._waiting.remove(turn)
            self._taken.append(turn)
            turn.answer(granted=True)
        if self._waiting and len(self._taken) < self._limits.places and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_CHECK_INTERVAL_S, self._check_again)

    def _check_again(self) -> None:
        self._timer = None
        self._serve()

    def _next(self) -> Turn | None:
        """The next turn: least use by address, then by client; then first come, first served."""
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
        """Time [s] until a client's share allows another turn; the share of an absent client does not matter."""
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
    """Limits the number of concurrent operations of a client.

    Parameters
    ----------
    what : str
        For the message of a refusal.
    client, address : int
        Limit of one user or browser, and of one network address.
    retry_after : int, s
    """

    def __init__(self, what: str, client: int, address: int, retry_after: int) -> None:
        self._what, self._client, self._address, self._retry_after = what, client, address, retry_after
        self._clients: list[Client] = []

    def begin(self, client: Client) -> Callable[[], None]:
        """Count one more; return the function that ends it.

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
