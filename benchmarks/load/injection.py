"""Words that mean something elsewhere, through every page: ``python -m benchmarks.load.injection --archive DIR``.

A real server with a real archive. Every word stands once in every key of every page's address, and is typed once into
one of the fields of the pages. The addresses of files and the JSON interface are tried by the tests.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.load.sections import circumstances, markdown_table, verdict, write_section
from benchmarks.load.sessions import programs
from benchmarks.load.words import FORMATS, HTML, PATHS, SQL, WORDS, Target, in_the_address, in_the_document, targets

#: Pages that are asked for at a time, and words that are typed into one of them before it is opened anew.
AT_ONCE, TYPED = 2, 50


def run(archive: Path, *, whole: bool = True) -> str:
    """Try all words, or one of twenty; the section about it.

    Parameters
    ----------
    archive : Path
        Is only read.
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
        ["different words", len(set(words)), f"≥ 500: {verdict(met=len(set(words)) >= 500)}"],
        ["pages that fail, tags that come through", len(faults), f"none: {verdict(met=not faults)}"],
        ["tracebacks in the server's log", traces, f"none: {verdict(met=traces == 0)}"],
    ]
    columns = ("page", "keys of its address", "words in each", "words typed", "faults")
    listed = "".join(f"\n- `{fault[:200]}`" for fault in faults[:20])
    return (
        f"{len(SQL)} pieces of SQL, {len(HTML)} of HTML, {len(PATHS)} paths and {len(FORMATS)} format strings, as "
        "values of every key of the address of every page, and typed into its fields.\n\n"
        f"{markdown_table(columns, rows)}\n\n{markdown_table(('what', 'measured', 'bar'), bars)}\n{listed}\n"
        + circumstances("python -m benchmarks.load.injection")
    )


async def _through(url: str, target: Target, words: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Faults of a page: with words in its address, and with words typed into its fields."""
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
    parser.add_argument("--archive", type=Path, required=True, help="with images; is only read")
    parser.add_argument("--some", action="store_true", help="one word of twenty")
    parser.add_argument("--no-page", action="store_true", help="print only, leave docs/reliability.md alone")
    given = parser.parse_args()
    text = run(given.archive, whole=not given.some)
    print(text)
    if not given.no_page:
        write_section("injection", "Injection", text)


if __name__ == "__main__":
    main()
