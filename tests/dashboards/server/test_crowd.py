"""Several visitors at once, as the load benchmark sends them: every page comes, every click is answered.

How fast fifty are answered is for ``make soak`` to say.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.load.browser import Visit, get
from benchmarks.load.sessions import ANSWER, CONTROLS, PAGE, crowd


def test_visitors_at_once_are_all_answered(server: Any) -> None:
    observed = asyncio.run(crowd(server.url, 5, 3.0, look=(0.2, 1.0)))
    assert observed.errors == []
    assert len(observed.interactions) >= len(observed.ready) >= 5


def test_what_a_visitor_clicks_is_what_the_page_has(server: Any) -> None:
    """The benchmark would measure nothing on a page without these controls."""

    async def look() -> tuple[set[str], float]:
        visit = await Visit.open(f"{server.url}/{PAGE}")
        try:
            there = {label for label in CONTROLS if visit.models(label=label)}
            return there, await visit.change("Trust", "trusted", ANSWER)
        finally:
            visit.close()

    there, answered = asyncio.run(look())
    assert there == set(CONTROLS)
    assert answered > 0


def computing_s(process: int) -> float:
    """Computing time of a process, s."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_page_on_which_somebody_has_clicked_costs_nothing(serve: Callable[[Path], Any], small: Any) -> None:
    """Panel's own work after the first click of a process once asked the loop without end to begin something."""

    async def look(url: str, process: int) -> float:
        visit = await Visit.open(f"{url}/{PAGE}")
        try:
            await visit.change("Trust", "trusted", ANSWER)
            await visit.drain(2.0)  # what the click leads to is done
            begin = computing_s(process)
            await visit.drain(4.0)
            return computing_s(process) - begin
        finally:
            visit.close()

    with serve(small.archive.root) as server:
        assert asyncio.run(look(server.url, server.process.pid)) < 0.4


def test_one_who_leaves_at_once_disturbs_nobody(server: Any) -> None:
    async def come_and_go() -> int:
        visits = await asyncio.gather(*(Visit.open(f"{server.url}/{PAGE}") for _ in range(3)))
        for visit in visits:
            visit.close()
        return (await get(f"{server.url}/liveness")).code

    assert asyncio.run(come_and_go()) == 200
