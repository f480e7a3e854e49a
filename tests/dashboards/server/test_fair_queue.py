"""Who is next, who waits, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from dashboards.server.fair_queue import AtWork, Busy, Client, Shares, Turns
from dashboards.shared.limits import TurnLimits

LIMITS = TurnLimits(places=1, places_address=1, share=2.0, rate=1.0, waiting=3, waiting_address=5, refusal=0.01)
ABUSER, VISITOR, COLLEAGUE = Client("10.0.0.1"), Client("10.0.0.2"), Client("10.0.0.1", "browser 1")


class Clock:
    """Time that goes by when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def turns(limits: TurnLimits = LIMITS, *, others: bool = True) -> tuple[Turns, Clock]:
    clock = Clock()
    return Turns("pages", limits, lambda _: others, clock), clock


async def take(these: Turns, client: Client, order: list[Client] | None = None) -> None:
    async with these.turn(client, 1.0):
        if order is not None:
            order.append(client)
        await asyncio.sleep(0)


def test_who_had_least_is_next() -> None:
    async def test() -> None:
        these, _ = turns()
        order: list[Client] = []
        await take(these, ABUSER)
        crowd = [ABUSER, ABUSER, COLLEAGUE, VISITOR]
        async with these.turn(VISITOR):  # the place is taken while they come
            waiting = [asyncio.create_task(take(these, client, order)) for client in crowd]
            await asyncio.sleep(0.01)
        await asyncio.gather(*waiting[1:])
        # the visitor first; of the abuser's address the one who was not here before
        assert order[:2] == [VISITOR, COLLEAGUE]

    run(test())


def test_a_share_is_used_up_and_comes_back_with_time() -> None:
    shares = Shares(2.0, 0.5)
    key = ABUSER.key
    shares.use(key, 2.25, 0.0)
    assert (shares.left(key, 0.0), shares.wait(key, 0.0)) == (-0.25, 0.5)
    assert shares.wait(key, 0.5) == 0.0
    shares.use(key, -1.0, 0.5)
    assert shares.left(key, 0.5) == 1.0
    assert shares.left(key, 1000.0) == 2.0
    for _ in range(100):
        shares.use(key, 1.0, 1000.0)
    assert shares.left(key, 1000.0) == -0.5  # others at the same address do not wait long for it


def test_one_without_a_share_waits_while_others_are_there() -> None:
    async def test(*, others: bool) -> None:
        these, clock = turns(others=others)
        for _ in range(3):
            await take(these, COLLEAGUE)
        again = asyncio.create_task(take(these, COLLEAGUE))
        await asyncio.sleep(0.3)
        assert again.done() is not others
        clock.now += 2.0
        await again

    run(test(others=True))
    run(test(others=False))


def test_too_many_that_wait_are_refused_and_disturb_nobody() -> None:
    async def test() -> None:
        these, _ = turns(replace(LIMITS, patience=60.0))
        async with these.turn(VISITOR):
            mine = [asyncio.create_task(take(these, COLLEAGUE)) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(Busy, match=r"Too many pages at once from you. Try again in \d+ s.") as refused:
                await take(these, COLLEAGUE)
            assert refused.value.retry_after >= 1
            order: list[Client] = []
            others = asyncio.create_task(take(these, VISITOR, order))
        await asyncio.gather(others, *mine)
        assert these.busy_clients == set()

    run(test())


def test_a_part_is_done_by_one_at_a_time_in_the_order_of_the_shares() -> None:
    async def test() -> None:
        these, _ = turns(replace(LIMITS, places=3, places_address=3))
        part = these.one_at_a_time()
        for _ in range(3):
            await take(these, ABUSER)
        order: list[Client] = []
        async with part.turn(VISITOR):
            waiting = [asyncio.create_task(take(part, client, order)) for client in (ABUSER, ABUSER, VISITOR)]
            await asyncio.sleep(0.01)
            assert order == []
        await asyncio.gather(*waiting)
        assert order == [VISITOR, ABUSER, ABUSER]
        assert these.left(ABUSER) < 0  # what the part costs is used up of the share of the whole

    run(test())


def test_one_address_has_all_places_only_while_it_is_alone() -> None:
    async def at_once(*, others: bool) -> int:
        these, _ = turns(replace(LIMITS, places=3, places_address=1), others=others)
        present = most = 0

        async def work() -> None:
            nonlocal present, most
            async with these.turn(ABUSER):
                present += 1
                most = max(most, present)
                await asyncio.sleep(0.01)
                present -= 1

        await asyncio.gather(*(work() for _ in range(5)))
        return most

    assert asyncio.run(at_once(others=True)) == 1
    assert asyncio.run(at_once(others=False)) == 3


def test_patience_has_an_end() -> None:
    async def test() -> None:
        these, _ = turns(replace(LIMITS, patience=0.05))
        async with these.turn(VISITOR):
            with pytest.raises(Busy, match=r"busy with other pages\. Try again in 10 s"):  # it has its share
                await take(these, ABUSER)
        await take(these, ABUSER)

    run(test())


def test_who_has_gone_gets_no_turn() -> None:
    async def test() -> None:
        these, _ = turns()
        there = True

        async def leave() -> None:
            async with these.turn(ABUSER, 1.0, lambda: there):
                pytest.fail("a page was made for nobody")

        async with these.turn(VISITOR):
            waiting = asyncio.create_task(leave())
            await asyncio.sleep(0)
            there = False
        with pytest.raises(Busy):
            await waiting
        cancelled = asyncio.create_task(take(these, ABUSER))
        async with these.turn(VISITOR):
            await asyncio.sleep(0)
            cancelled.cancel()
        assert these.busy_clients <= {ABUSER}
        await take(these, ABUSER)
        assert these.busy_clients == set()

    run(test())


def test_things_at_work_are_counted_per_client_and_address() -> None:
    work = AtWork("downloads", 1, 3, 10)
    end = work.begin(COLLEAGUE)
    with pytest.raises(Busy, match=r"limit of 1 downloads at once for you is reached"):
        work.begin(Client("10.9.9.9", COLLEAGUE.name))  # wherever it comes from
    work.begin(ABUSER)
    work.begin(ABUSER)
    with pytest.raises(Busy, match=r"limit of 3 downloads at once for your network address") as refused:
        work.begin(Client("10.0.0.1", "browser 2"))
    assert refused.value.retry_after == 10
    work.begin(VISITOR)
    end()
    work.begin(COLLEAGUE)
