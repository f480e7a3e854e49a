"""Fifty people at once: ``python -m benchmarks.load.sessions --archive DIR [--minutes 10] [--sessions 50] [--abuse]``.

A real server and a real worker on this machine, on a copy of an archive with images. Every visitor has a network
address of their own, opens a page, looks at it for a while, works a control, looks again, leaves after some minutes and
comes back. Meanwhile requests are submitted and must finish. Bars: no error, p95 of an interaction ≤ 1 s, memory per
session ≤ 25 MB and given back.
With ``--abuse`` one more client asks for pages, bundles and endless requests at full speed (`benchmarks.load.abuse`);
then the bar is p95 of a page ≤ 1.5 s.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from urllib.request import urlopen

import numpy as np

from archive import Archive, ScienceFilter
from archive.accounts import Accounts
from benchmarks.load.abuse import ADDRESS, BUNDLES, HALF_OPEN, PAGES, abused
from benchmarks.load.browser import Visit
from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section
from jobs.queue.journal import Journal
from jobs.queue.requests import ImagingRequest
from jobs.queue.submit import submit
from stixcore.fits.spec import ProductKind

ROOT = Path(__file__).resolve().parents[2]
INTERACTION_S, PAGE_S, SESSION_MB = 1.0, 1.5, 25.0
#: Images in the bundle that the abuser wants.
BUNDLE_IMAGES = 100
#: How long a person looks before the next click, s.
LOOK = (8.0, 22.0)
#: In which the first visitors come, s; the time with all of them there begins afterwards.
RAMP_S = 60.0
#: Clicks before a person leaves, and the page is opened anew.
CLICKS = 8
#: What is clicked on the image archive page: a control, its values, and what changes when the answer is there.
CONTROLS = {
    "Energy": ("4–10 keV", "16–28 keV", "any energy"),
    "Trust": ("trusted", "doubtful", "trusted or not"),
    "Rows": ("50", "25"),
}
#: What one client does besides, in a sentence.
ABUSE = (
    f"Meanwhile one client at {ADDRESS} asks at full speed, over {PAGES} connections for pages, over {BUNDLES} for "
    f"bundles of {BUNDLE_IMAGES} images, and over {HALF_OPEN} with a request that never ends."
)
PAGE, ANSWER, USER = "image_archive", "data", "load"


@dataclass
class Observed:
    """What the visitors saw: times in s, how often a page came by itself after a refusal, and what went wrong."""

    ready: list[float] = field(default_factory=list)
    refused: int = 0
    interactions: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def visitor(url: str, seed: int, until: float, observed: Observed, look: tuple[float, float] = LOOK) -> None:
    """One person at a network address of their own, until a moment of `monotonic`."""
    choice, source = random.Random(seed), f"127.1.{seed // 200}.{seed % 200 + 1}"
    while monotonic() < until:
        visit = None
        try:
            visit = await Visit.open(f"{url}/{PAGE}", source)
            observed.ready.append(visit.ready_s)
            observed.refused += visit.refused > 0
            chosen = {"Energy": "any energy", "Trust": "trusted or not", "Rows": "25"}
            for click in range(CLICKS):
                await visit.drain(min(choice.uniform(*look), max(until - monotonic(), 0.0)))
                if click and monotonic() >= until:  # nobody comes for nothing
                    break
                label = choice.choice(list(CONTROLS))
                chosen[label] = choice.choice([value for value in CONTROLS[label] if value != chosen[label]])
                observed.interactions.append(await visit.change(label, chosen[label], ANSWER))
        except Exception as error:  # noqa: BLE001 - whatever a visitor meets is what is looked for
            observed.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(1.0)
        finally:
            if visit is not None:
                visit.close()


async def crowd(
    url: str, number: int, seconds: float, *, ramp_s: float = 0.0, look: tuple[float, float] = LOOK
) -> Observed:
    """Many at once; the first ones come over ``ramp_s``."""
    observed, until = Observed(), monotonic() + ramp_s + seconds

    async def arrive(seed: int) -> None:
        await asyncio.sleep(ramp_s * seed / number)
        await visitor(url, seed, until, observed, look)

    await asyncio.gather(*(arrive(seed) for seed in range(number)))
    return observed


@contextmanager
def programs(archive: Path, *, worker: bool = True) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """Server (and worker) of an archive, ended by their own process ids; their logs stand beside the archive."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = os.environ | {"STIX_ARCHIVE": str(archive), "PYTHONPATH": str(ROOT)}
    log = archive.parent / "server.log"
    started = []
    try:
        commands = [["dashboards", "--port", str(port)], ["jobs.cli", "worker", "--archive", str(archive)]]
        for words in commands if worker else commands[:1]:
            with (log if words[0] == "dashboards" else archive.parent / "worker.log").open("wb") as stream:
                command = [sys.executable, "-m", *words]
                started.append(
                    subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT)
                )
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, started[0], log)
        yield url, started[0], log
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(60)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers; imports take a minute on a busy machine."""
    until = monotonic() + 300
    while monotonic() < until and server.poll() is None:
        try:
            with urlopen(f"{url}/liveness", timeout=10):
                return
        except OSError:
            sleep(0.1)
    message = f"the server did not come up:\n{log.read_text()}"
    raise RuntimeError(message)


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    (found,) = re.findall(r"^VmRSS:\s*(\d+) kB$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return int(found) / 1024


def submit_requests(archive: Archive, number: int) -> Journal:
    """Back projections and CLEANs of the files at hand, in a user's name."""
    Accounts(archive.root).add(USER, "not needed by anybody but this run", np.datetime64("now", "us"))
    journal = Journal(archive.root)
    files = archive.science_files(ScienceFilter(product=str(ProductKind.PIXEL_DATA), is_background=False))
    for turn in range(number):
        file = files[turn % len(files)]
        energy = (6.0, 10.0 + turn // len(files))
        request = ImagingRequest(file.uid, ((file.t_start, file.t_end),), (energy,), shape=(65 + turn, 65 + turn))
        submit(archive, journal, request, USER, np.datetime64("now", "us"))
    return journal


def run(source: Path, minutes: float, number: int, requests: int, *, abuse: bool = False) -> str:
    """Two crowds with a pause, and the section about them."""
    answers: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "archive"
        shutil.copytree(source, root)
        archive = Archive(root)
        with programs(root) as (url, server, log):
            asyncio.run(crowd(url, 2, 3.0, look=(0.2, 0.5)))  # the first visitors wait for imports, not for others
            memory = {"before": resident_mib(server)}
            journal = submit_requests(archive, requests)
            observed = Observed()
            for turn in ("first", "second"):
                seconds = minutes * 60 / 2
                with abused(url, _bundle(archive), seconds) if abuse else nullcontext(Counter()) as answers_now:
                    observed_now, peak = _watched(url, server, number, seconds)
                answers += answers_now
                memory[f"{turn} crowd"] = peak
                sleep(45)  # a session is given up 15 s after its tab was closed; who looks for them does so every 17 s
                memory[f"after the {turn}"] = resident_mib(server)
                observed.ready += observed_now.ready
                observed.refused += observed_now.refused
                observed.interactions += observed_now.interactions
                observed.errors += observed_now.errors
            states = _states(journal)
            traces = log.read_text().count("Traceback")
        archive.close()
    return _report(observed, memory, number, minutes, states, traces, answers if abuse else None)


def _bundle(archive: Archive) -> str:
    """Path of a bundle."""
    ids = ",".join(image.image_id for image in archive.images(limit=BUNDLE_IMAGES))
    return f"/archive/selection/bundle.zip?images={ids}"


def _watched(url: str, server: subprocess.Popen[bytes], number: int, seconds: float) -> tuple[Observed, float]:
    """A crowd, and the most memory the server had meanwhile, MiB."""
    peaks: list[float] = []

    async def both() -> Observed:
        task = asyncio.create_task(crowd(url, number, seconds, ramp_s=min(RAMP_S, seconds / 4)))
        while not task.done():
            peaks.append(resident_mib(server))
            await asyncio.sleep(1.0)
        return task.result()

    return asyncio.run(both()), max(peaks)


def _states(journal: Journal) -> dict[str, int]:
    """Requests by state, after they had five minutes more to end."""
    end = monotonic() + 300
    while True:
        found: dict[str, int] = {}
        for request in journal.requests(user=USER):
            found[str(request.state)] = found.get(str(request.state), 0) + 1
        if not found.keys() & {"queued", "running"} or monotonic() > end:
            return found
        sleep(1.0)


def _report(
    seen: Observed,
    memory: dict[str, float],
    number: int,
    minutes: float,
    states: dict[str, int],
    traces: int,
    answers: Counter[str] | None = None,
) -> str:
    page_p95 = float(np.percentile(seen.ready, 95))
    page_bar = f"p95 ≤ {PAGE_S:g} s: {verdict(met=page_p95 <= PAGE_S)}" if answers is not None else ""
    p95 = float(np.percentile(seen.interactions, 95))
    each = (memory["second crowd"] - memory["before"]) / number
    kept = memory["after the second"] - memory["after the first"]
    rows = [
        ["visits", len(seen.ready), ""],
        ["interactions", len(seen.interactions), ""],
        ["errors met by visitors", len(seen.errors), f"none: {verdict(met=not seen.errors)}"],
        ["pages that came by themselves after a refusal (429)", seen.refused, ""],
        ["tracebacks in the server's log", traces, f"none: {verdict(met=traces == 0)}"],
        ["page complete, median and p95, s", _two(seen.ready), page_bar],
        ["interaction, median and p95, s", _two(seen.interactions), f"p95 ≤ 1 s: {verdict(met=p95 <= INTERACTION_S)}"],
        ["memory per session, MB", f"{each:.1f}", f"≤ 25 MB: {verdict(met=each <= SESSION_MB)}"],
        [
            "kept from the first crowd to after the second, MB",
            f"{kept:.1f}",
            f"≤ 25 MB: {verdict(met=kept <= SESSION_MB)}",
        ],
        ["reconstruction requests meanwhile", _in_words(states), f"all done: {verdict(met=states.keys() == {'done'})}"],
    ]
    if answers is not None:
        rows.append(["answers to the abusive client", _in_words(answers), ""])
    steps = ", ".join(f"{name} {found:.0f}" for name, found in memory.items())
    errors = "".join(f"\n- `{error[:200]}`\n" for error in sorted(set(seen.errors))[:10])
    return (
        f"{number} simultaneous sessions over {minutes:g} minutes, in two crowds, each of which comes "
        f"within {RAMP_S:g} s more; visitors share the cores with server "
        f"and worker. A visitor looks {LOOK[0]:g} to {LOOK[1]:g} s before each click."
        + (f" {ABUSE}" if answers is not None else "")
        + "\n\n"
        + markdown_table(("what", "measured", "bar"), rows)
        + f"\n\nResident memory of the server, MiB: {steps}.\n{errors}\n"
        + circumstances("python -m benchmarks.load.sessions" + (" --abuse" if answers is not None else ""))
    )


def _two(times: list[float]) -> str:
    return f"{np.median(times):.2f}, {np.percentile(times, 95):.2f}"


def _in_words(states: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.sessions", description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="with images; copied, not changed")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--abuse", action="store_true", help="with one abusive client beside them")
    parser.add_argument("--no-page", action="store_true", help="print only, leave docs/reliability.md alone")
    given = parser.parse_args()
    text = run(given.archive, given.minutes, given.sessions, given.requests, abuse=given.abuse)
    print(text)
    if not given.no_page:
        beside = " and one abusive client" if given.abuse else " at once"
        write_section("abuse" if given.abuse else "sessions", f"{given.sessions} people{beside}", text)


if __name__ == "__main__":
    main()
