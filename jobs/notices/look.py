"""Find what is new in an archive since the last pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np

from archive import Archive
from archive.index.filters import FlareFilter
from jobs.notices.journal import Event, Looked, NoticeJournal
from jobs.notices.settings import NoticeSettings, Receiver
from jobs.notices.subjects import VERSION_COLUMNS, Subject, failure_subjects, flare_subjects, version_of
from stixcore.times import format_time

#: Failures are looked for this long before the last pass: some become known later than they happened.
OVERLAP = np.timedelta64(30, "D")
#: Failures of one pass, at most; the rest is found by the next.
_MOST = 10_000
_TYPES = {"flare": "flare.new", "update": "flare.updated", "failure": "failure"}


def look(
    archive: Archive, journal: NoticeJournal, settings: NoticeSettings, now: np.datetime64, since: np.datetime64 | None
) -> Looked:
    """Compare an archive with the journal.

    Parameters
    ----------
    archive : Archive
    journal : NoticeJournal
        On its first pass nothing in the archive is new.
    settings : NoticeSettings
    now : datetime64, UTC
    since : datetime64, optional
        On the first pass, what was added or changed since then is new.
    """
    last, seen = journal.last_pass, journal.seen()
    versions: dict[str, str] = {}
    events: list[tuple[Event, Sequence[Receiver]]] = []
    begin = (now if last is None else min(last, now)) - OVERLAP
    for kind, subject in (*_flares(archive, seen), *_failures(archive, seen, begin)):
        versions[subject.key] = subject.version
        if last is None and (since is None or subject.changed_at < since):
            continue
        receivers = [one for one in settings.receivers if one.wants(kind, subject)]
        if receivers:
            events.append((event_of(kind, subject, settings.url, now), receivers))
    return Looked(versions, events)


def _flares(archive: Archive, seen: dict[str, str]) -> Iterator[tuple[str, Subject]]:
    """New and changed flares, oldest first; ``flare`` for new ones, else ``update``."""
    table = archive.flare_table(FlareFilter(), ("flare_id", "other_ids", *VERSION_COLUMNS)).to_pylist()
    present = {row["flare_id"] for row in table}
    kinds: dict[str, str] = {}
    for row in table:
        # a flare whose peak moved to another minute has another id, and the former among its other ids
        former = [one for one in (row["other_ids"] or "").split() if one not in present]
        known = [seen[f"flare/{one}"] for one in (row["flare_id"], *former) if f"flare/{one}" in seen]
        if version_of(row) != seen.get(f"flare/{row['flare_id']}"):
            kinds[row["flare_id"]] = "update" if known else "flare"
    if not kinds:
        return
    # one query for all is faster from some hundred flares on
    found = [archive.flare(one) for one in kinds] if len(kinds) < 200 else archive.flares()
    for subject in flare_subjects(archive, [one for one in found if one.flare_id in kinds]):
        yield kinds[subject.key.removeprefix("flare/")], subject


def _failures(archive: Archive, seen: dict[str, str], begin: np.datetime64) -> Iterator[tuple[str, Subject]]:
    """Failures that are new, or failed again, oldest first."""
    for subject in reversed(failure_subjects(archive, begin, _MOST)):
        if seen.get(subject.key) != subject.version:
            yield "failure", subject


def event_of(kind: str, subject: Subject, url: str, now: np.datetime64) -> Event:
    """An event as it is sent.

    Parameters
    ----------
    kind : str
        "flare", "update" or "failure".
    subject : Subject
    url : str
        Address of the pages, without a trailing slash; empty if it is not known.
    now : datetime64, UTC
    """
    page = f"{url}/{subject.page}" if url else None
    pictures = [f"{url}/archive/png/{name}" for name in subject.images] if url else []
    data = {
        "key": subject.key,
        "title": subject.title,
        "text": subject.text,
        "url": page,
        "pictures": pictures,
        **subject.data,
    }
    document = {"type": _TYPES[kind], "timestamp": f"{format_time(now)}Z", "data": data}
    lines = [*subject.sentences, *([f"\n{page}"] if page else []), *pictures]
    title = f"Changed: {subject.title}" if kind == "update" else subject.title
    return Event(_TYPES[kind], title, "\n".join(lines), json.dumps(document, ensure_ascii=False, allow_nan=False))
