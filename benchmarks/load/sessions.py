"""Fifty simultaneous visitors: ``python -m benchmarks.load.sessions --archive DIR [--minutes 10] [--abuse]``.

Runs a server and a worker on this machine, on a copy of an archive with images. Every simulated visitor has a network
address, opens a page, waits, uses a control, waits again, leaves after some minutes and comes back. Meanwhile requests
are submitted and must finish. Targets: no errors, p95 of an interaction ≤ 1 s, at most 25 MB of memory per session, and
memory is released.
With ``--abuse``, one more client sends requests for pages and bundles, and endless requests, at full speed
(`benchmarks.load.abuse`); the additional target is p95 of a page ≤ 1.5 s.
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
#: Images in the bundles that the abusive client requests.
BUNDLE_IMAGES = 100
#: Time a visitor waits before the next click, s.
LOOK = (8.0, 22.0)
#: Time within which the first visitors arrive, s; measurement with all of them begins afterwards.
RAMP_S = 60.0
#: Clicks before a visitor leaves and opens the page again.
CLICKS = 8
#: Controls used on the image archive page: label, values, and what changes with the response.
CONTROLS = {
    "Energy": ("4–10 keV", "16–28 keV", "any energy"),
    "Trust": ("trusted", "doubtful", "trusted or not"),
    "Rows": ("50", "25"),
}
#: Description of the abusive client.
ABUSE = (
    f"Meanwhile one client at {ADDRESS} sends requests at full speed: {PAGES} connections for pages, {BUNDLES} for "
    f"bundles of {BUNDLE_IMAGES} images, and {HALF_OPEN} with a request that never ends."
)
PAGE, ANSWER, USER = "image_archive", "body", "load"


@dataclass
class Observed:
    """What the visitors saw: times [s], number of pages that loaded automatically after a refusal, and errors."""

    ready: list[float] = field(default_factory=list)
    refused: int = 0
    interactions: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def visitor(url: str, seed: int, until: float, observed: Observed, look: tuple[float, float] = LOOK) -> None:
    """One visitor with their own network address, until a time of `monotonic`."""
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
                if click and monotonic() >= until:  # every visitor clicks at least once
                    break
                label = choice.choice(list(CONTROLS))
                chosen[label] = choice.choice([value for value in CONTROLS[label] if value != chosen[label]])
                observed.interactions.append(await visit.change(label, chosen[label], ANSWER))
        except Exception as error:  # noqa: BLE001 - every error of a visitor is a result
            observed.errors.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(1.0)
        finally:
            if visit is not None:
                visit.close()


async def crowd(
    url: str, number: int, seconds: float, *, ramp_s: float = 0.0, look: tuple[float, float] = LOOK
) -> Observed:
    """Simultaneous visitors; the first ones arrive within ``ramp_s``."""
    observed, until = Observed(), monotonic() + ramp_s + seconds

    async def arrive(seed: int) -> None:
        await asyncio.sleep(ramp_s * seed / number)
        await visitor(url, seed, until, observed, look)

    await asyncio.gather(*(arrive(seed) for seed in range(number)))
    return observed


@contextmanager
def programs(archive: Path, *, worker: bool = True) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    """Server (and worker) of an archive, ended by their process ids; their logs are written next to the archive."""
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
    """Wait until the server responds; imports take a minute on a busy machine."""
    until = monotonic() + 300
    while monotonic() < until and server.poll() is None:
        try:
            with urlopen(f"{url}/liveness", timeout=10):
                return
        except OSError:
            sleep(0.1)
    message = f"the server did not start:\n{log.read_text()}"
    raise RuntimeError(message)


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    (found,) = re.findall(r"^VmRSS:\s*(\d+) kB$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return int(found) / 1024


def submit_requests(archive: Archive, number: int) -> Journal:
    """Submit back projections and CLEAN images of the available files as a user."""
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
    """Run two crowds with a pause; returns the section."""
    answers: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "archive"
        shutil.copytree(source, root)
        archive = Archive(root)
        with programs(root) as (url, server, log):
            asyncio.run(crowd(url, 2, 3.0, look=(0.2, 0.5)))  # wait until everything is imported
            memory = {"before": resident_mib(server)}
            journal = submit_requests(archive, requests)
            observed = Observed()
            for turn in ("first", "second"):
                seconds = minutes * 60 / 2
                with abused(url, _bundle(archive), seconds) if abuse else nullcontext(Counter()) as answers_now:
                    observed_now, peak = _watched(url, server, number, seconds)
                answers += answers_now
                memory[f"{turn} crowd"] = peak
                sleep(45)  # a session ends 15 s after its tab was closed; the check runs every 17 s
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
    """Run a crowd; returns the largest memory of the server, MiB."""
    peaks: list[float] = []

    async def both() -> Observed:
        task = asyncio.create_task(crowd(url, number, seconds, ramp_s=min(RAMP_S, seconds / 4)))
        while not task.done():
            peaks.append(resident_mib(server))
            await asyncio.sleep(1.0)
        return task.result()

    return asyncio.run(both()), max(peaks)


def _states(journal: Journal) -> dict[str, int]:
    """Requests by state, after up to five more minutes for them to finish."""
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
        ["errors seen by visitors", len(seen.errors), f"none: {verdict(met=not seen.errors)}"],
        ["pages that loaded automatically after a refusal (429)", seen.refused, ""],
        ["tracebacks in the server's log", traces, f"none: {verdict(met=traces == 0)}"],
        ["page complete, median and p95, s", _two(seen.ready), page_bar],
        ["interaction, median and p95, s", _two(seen.interactions), f"p95 ≤ 1 s: {verdict(met=p95 <= INTERACTION_S)}"],
        ["memory per session, MB", f"{each:.1f}", f"≤ 25 MB: {verdict(met=each <= SESSION_MB)}"],
        [
            "memory growth from after the first crowd to after the second, MB",
            f"{kept:.1f}",
            f"≤ 25 MB: {verdict(met=kept <= SESSION_MB)}",
        ],
        ["reconstruction requests", _in_words(states), f"all done: {verdict(met=states.keys() == {'done'})}"],
    ]
    if answers is not None:
        rows.append(["answers to the abusive client", _in_words(answers), ""])
    steps = ", ".join(f"{name} {found:.0f}" for name, found in memory.items())
    errors = "".join(f"\n- `{error[:200]}`\n" for error in sorted(set(seen.errors))[:10])
    return (
        f"{number} simultaneous sessions for {minutes:g} minutes, in two crowds; the visitors of a crowd arrive "
        f"within the first {RAMP_S:g} s. Simulated visitors, server and worker share the same cores. "
        f"A visitor waits {LOOK[0]:g} to {LOOK[1]:g} s before each click."
        + (f" {ABUSE}" if answers is not None else "")
        + "\n\n"
        + markdown_table(("quantity", "measured", "target"), rows)
        + f"\n\nResident memory of the server, MiB: {steps}.\n{errors}\n"
        + circumstances("python -m benchmarks.load.sessions" + (" --abuse" if answers is not None else ""))
    )


def _two(times: list[float]) -> str:
    return f"{np.median(times):.2f}, {np.percentile(times, 95):.2f}"


def _in_words(states: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.sessions", description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="archive with images; a copy is used")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--requests", type=int, default=20)
    parser.add_argument("--abuse", action="store_true", help="add an abusive client")
    parser.add_argument("--no-page", action="store_true", help="print only, do not write docs/reliability.md")
    given = parser.parse_args()
    text = run(given.archive, given.minutes, given.sessions, given.requests, abuse=given.abuse)
    print(text)
    if not given.no_page:
        title = f"{given.sessions} " + ("visitors and one abusive client" if given.abuse else "simultaneous visitors")
        write_section("abuse" if given.abuse else "sessions", title, text)


if __name__ == "__main__":
    main()
