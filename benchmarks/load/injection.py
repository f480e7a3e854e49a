"""Injection into every page: ``python -m benchmarks.load.injection --archive DIR``.

Runs a server on an archive. Every string is used once as the value of every URL parameter of every page, and typed once
into one of the fields of the pages. The URLs of files and the JSON API are covered by the tests.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section
from benchmarks.load.sessions import programs
from benchmarks.load.words import FORMATS, HTML, PATHS, SQL, WORDS, Target, in_the_address, in_the_document, targets

#: Concurrent requests for pages, and strings typed into a page before it is opened again.
AT_ONCE, TYPED = 2, 50


def run(archive: Path, *, whole: bool = True) -> str:
    """Try all strings, or one in twenty; returns the section.

    Parameters
    ----------
    archive : Path
        Archive with images; only read.
    whole : bool
    """
    words = WORDS if whole else WORDS[::20]
    rows, faults = [], []
    with programs(archive, worker=False) as (url, _, log):
        with_fields = [target.page for target in targets() if target.fields]
        for target in targets():
            typed = words[with_fields.index(target.page) :: len(with_fields)] if target.fields else []
            wrong = asyncio.run(_through(url, target, words, typed))
            rows.append([target.page, len(target.keys), len(words), len(typed), len(wrong)])
            faults += wrong
        traces = log.read_text().count("Traceback")
    bars = [
        ["different strings", len(set(words)), f"≥ 500: {verdict(met=len(set(words)) >= 500)}"],
        ["pages that fail, unescaped tags", len(faults), f"none: {verdict(met=not faults)}"],
        ["tracebacks in the server's log", traces, f"none: {verdict(met=traces == 0)}"],
    ]
    columns = ("page", "URL parameters", "strings in each", "strings typed", "failures")
    listed = "".join(f"\n- `{fault[:200]}`" for fault in faults[:20])
    return (
        f"{len(SQL)} SQL fragments, {len(HTML)} HTML fragments, {len(PATHS)} paths and {len(FORMATS)} format strings, "
        "as the value of every URL parameter of every page, and typed into its fields.\n\n"
        f"{markdown_table(columns, rows)}\n\n{markdown_table(('quantity', 'measured', 'target'), bars)}\n{listed}\n"
        + circumstances("python -m benchmarks.load.injection")
    )


async def _through(url: str, target: Target, words: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Failures of a page, with strings in its URL and typed into its fields."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def address(word: str) -> list[str]:
        async with turn:
            return await in_the_address(url, target, word)

    async def document(some: Sequence[str]) -> list[str]:
        async with turn:
            return await in_the_document(url, target, some)

    visits = [typed[begin : begin + TYPED] for begin in range(0, len(typed), TYPED)]
    found = await asyncio.gather(*map(address, words), *map(document, visits), return_exceptions=True)
    faults: list[str] = []
    for one in found:
        faults += [f"{target.page}: {type(one).__name__}: {one}"] if isinstance(one, BaseException) else one
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.injection", description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="archive with images; only read")
    parser.add_argument("--some", action="store_true", help="use one string in twenty")
    parser.add_argument("--no-page", action="store_true", help="print only, do not write docs/reliability.md")
    given = parser.parse_args()
    text = run(given.archive, whole=not given.some)
    print(text)
    if not given.no_page:
        write_section("injection", "Injection", text)


if __name__ == "__main__":
    main()
