"""Content of the operations page as HTML: tiles, requests, findings, bars. External text is escaped here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from archive import Run
from archive.checks.findings import KINDS, Level
from dashboards.pages.operations.state import Condition, Throughput, Work
from dashboards.shared import formatting
from dashboards.shared.access import Visitor
from dashboards.shared.listing import grouped
from jobs.queue.journal import Request, RequestState

#: Below this fraction of free space the disk is nearly full.
_SHORT = 0.05
_WIDTH, _HEIGHT, _FOOT = 480.0, 130.0, 16.0


def tiles_html(work: Work | None, condition: Condition | None) -> str:
    """Overview tiles."""
    tiles = [] if work is None else [_worker_tile(work), _queue_tile(work)]
    if condition is not None:
        now = work.now if work is not None else None
        tiles += [_made_tile(condition), _check_tile(condition, now), _disk_tile(condition), _files_tile(condition)]
        tiles.append(_calibration_tile(condition))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(head: str, value: str, text: str, mood: str = "") -> str:
    content = f"<h2>{escape(head)}</h2><b>{escape(value)}</b><span>{escape(text)}</span>"
    return f'<section class="tile {mood}">{content}</section>'


def _worker_tile(work: Work) -> str:
    alive = work.alive
    if alive:
        value = "busy" if work.number(RequestState.RUNNING) else "ready"
        since = min(worker.started_at for worker in alive)
        text = f"{alive[0].engine}, for {_ago(work.now, since)}" if len(alive) == 1 else f"{len(alive)} workers"
        return _tile("Worker", value, text, "good")
    last = max((worker.beat_at for worker in work.workers), default=None)
    heard = f"no heartbeat for {_ago(work.now, last)}" if last is not None else "start “stix-jobs worker”"
    return _tile("Worker", "none", heard, "bad")


def _queue_tile(work: Work) -> str:
    waiting, running = work.number(RequestState.QUEUED), work.number(RequestState.RUNNING)
    ended = work.ended or {}
    parts = [f"{grouped(ended[state])} {state}" for state in RequestState if ended.get(state)]
    text = f"last 24 h: {', '.join(parts)}" if parts else "none finished in the last 24 h"
    return _tile("Requests", f"{grouped(waiting)} waiting", f"{grouped(running)} running; {text}")


def _made_tile(condition: Condition) -> str:
    day, week = sum(one.total for one in condition.hours), sum(one.total for one in condition.days)
    text = f"{_per_hour(day, 24)}; {_per_hour(week, 168)} over seven days"
    return _tile("Image sets, last 24 h", grouped(day), text)


def _per_hour(number: int, hours: int) -> str:
    return f"{formatting.number(number / hours, '.2g')} an hour"


def _check_tile(condition: Condition, now: np.datetime64 | None) -> str:
    if condition.checked is None:
        return _tile("Last check", "never", "run “stix-jobs check”")
    when = f"{formatting.day(condition.checked)} {formatting.clock(condition.checked)} UTC"
    if now is not None:
        when = f"{_ago(now, condition.checked)} ago, {when}"
    if condition.unrepaired:
        return _tile("Last check", f"{grouped(condition.unrepaired)} to fix", when, "bad")
    return _tile("Last check", "no problems", when, "good")


def _disk_tile(condition: Condition) -> str:
    share = condition.disk_free / max(condition.disk_total, 1)
    mood = "bad" if share < _SHORT else ""
    return _tile("Disk", f"{_bytes(condition.disk_free)} free", f"of {_bytes(condition.disk_total)}", mood)


def _files_tile(condition: Condition) -> str:
    text = f"{formatting.plural(condition.quarantined, 'refused file')} in quarantine"
    return _tile("Incoming", f"{formatting.plural(condition.incoming, 'file')} waiting", text)


def _calibration_tile(condition: Condition) -> str:
    files = formatting.plural(condition.cal_files, "daily CAL file")
    if condition.energy_table_doubt:
        return _tile("Energy table", "may be out of date", condition.energy_table_doubt, "bad")
    return _tile("Energy table", "up to date", f"{condition.energy_table}; {files}")


# Requests -------------------------------------------------------------------------------------------------------------


def running_html(request: Request, visitor: Visitor, now: np.datetime64) -> str:
    """A running request with its progress."""
    share = min(request.step_number / request.step_count, 1.0) if request.step_count else 0.0
    step = "cancelling" if request.cancelling else request.step or "planning"
    counted = f"{request.step_number} of {request.step_count}" if request.step_count else ""
    begun = request.started_at if request.started_at is not None else now
    bar = (
        f'<div class="bar" role="progressbar" aria-label="Request {request.request_id}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{100 * share:.0f}"><i style="width:{100 * share:.1f}%"></i></div>'
    )
    return _request(
        request,
        visitor,
        f'<span class="step">{escape(step)}{bar}</span>',
        f"<span>{counted}{'; ' if counted else ''}{_ago(now, begun)} since start</span>",
    )


def waiting_html(before: int, request: Request, visitor: Visitor, now: np.datetime64) -> str:
    """A waiting request with its place in the queue."""
    place = "next in the queue" if before == 0 else f"{grouped(before)} ahead of it"
    reason = f"; retrying after: {request.reason}" if request.reason else ""
    return _request(
        request,
        visitor,
        f'<span class="why">{escape(place + reason)}</span>',
        f"<span>for {_ago(now, request.submitted_at)}</span>",
    )


def failure_html(request: Request, visitor: Visitor, now: np.datetime64) -> str:
    """A failed request with the reason."""
    ended = request.finished_at if request.finished_at is not None else now
    return _request(
        request,
        visitor,
        f'<span class="why">{escape(request.reason)}</span>',
        f"<span>{_ago(now, ended)} ago</span>",
    )


def _request(request: Request, visitor: Visitor, middle: str, end: str) -> str:
    author = request.user if visitor.may_change_request(request) else "another user"
    uid = escape(request.uid)
    return (
        f'<div class="request"><span class="id">{request.request_id}</span>'
        f'<span><a href="image_archive?text={uid}&amp;author=anyone">{uid}</a></span>'
        f"<span>{escape(author)}</span>{middle}"
        f'<span class="what">{escape(request.contents)}<br>{end}</span></div>'
    )


def unlisted_html(work: Work) -> str:
    """Note about requests that are not visible to this visitor."""
    if not work.unlisted:
        return ""
    are = "private request of another user is" if work.unlisted == 1 else "private requests of other users are"
    return f'<p class="empty">{grouped(work.unlisted)} {are} not listed.</p>'


# Failed previews, findings --------------------------------------------------------------------------------------------


def failed_runs_html(runs: Sequence[Run]) -> str:
    """Failed previews, with the reason and how to retry."""
    rows = "".join(
        f'<tr><td class="short">{formatting.day(run.t_start)} {formatting.clock(run.t_start)}</td>'
        f'<td class="short"><a href="science_data?uid={escape(run.uid)}">{escape(run.uid)}</a></td>'
        f'<td class="short">{escape(run.band)}</td>'
        f"<td>{escape(run.reason or formatting.UNKNOWN)}</td></tr>"
        for run in runs
    )
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Time (UTC)", "Observation", "Energy", "Reason"))
    return f'<table class="findings"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def findings_html(condition: Condition) -> str:
    """Findings of the last check: in full for operators, their kinds and numbers for others."""
    if condition.findings:
        heads = '<th scope="col">Where</th><th scope="col">Finding</th>'
        rows = "".join(
            f'<tr><td class="short {one.level}">{one.level}</td><td class="short">{one.code}</td>'
            f"<td>{escape(one.file)}</td><td>{escape(one.message)}{' (repaired)' if one.repaired else ''}</td></tr>"
            for one in sorted(condition.findings, key=lambda one: _order(one.level))[:_FINDINGS]
        )
    else:
        heads = '<th scope="col" class="n">Number</th><th scope="col">Meaning</th>'
        rows = "".join(
            f'<tr><td class="short {KINDS[code].level}">{KINDS[code].level}</td><td class="short">{escape(code)}</td>'
            f'<td class="n">{grouped(number)}</td><td>{escape(KINDS[code].meaning)}</td></tr>'
            for code, number in sorted((condition.found or {}).items(), key=lambda pair: _order(KINDS[pair[0]].level))
        )
    more = len(condition.findings) - _FINDINGS
    rest = f'<p class="empty">{grouped(more)} more; run “stix-jobs check” to list all.</p>' if more > 0 else ""
    return (
        f'<table class="findings"><thead><tr><th scope="col">Level</th><th scope="col">What</th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{rest}"
    )


_FINDINGS = 200


def _order(level: Level) -> int:
    return list(Level).index(level)


# Throughput -----------------------------------------------------------------------------------------------------------


def throughput_html(condition: Condition) -> str:
    """Bars by hour for the last day, and by day for the last week."""
    key = (
        '<p class="key empty">image sets started:<i class="previews"></i>previews<i class="requested"></i>requested</p>'
        '<div class="charts">'
    )
    hours = _bars(condition.hours, "by hour, the last 24 hours (UTC)", lambda one: str(one.start)[11:13], 3)
    days = _bars(condition.days, "by day, the last seven days (UTC)", lambda one: str(one.start)[5:10], 1)
    return f"{key}{hours}{days}</div>"


def _bars(made: Sequence[Throughput], caption: str, label: Callable[[Throughput], str], every: int) -> str:
    most = max((one.total for one in made), default=0)
    step = _WIDTH / max(len(made), 1)
    scale = (_HEIGHT - _FOOT - 14.0) / max(most, 1)
    marks = [f'<line x1="0" x2="{_WIDTH:g}" y1="{_HEIGHT - _FOOT:g}" y2="{_HEIGHT - _FOOT:g}"/>']
    for number, one in enumerate(made):
        x, floor = number * step, _HEIGHT - _FOOT
        for name, value in (("previews", one.previews), ("requested", one.requested)):
            height = value * scale
            floor -= height
            if value:
                marks.append(
                    f'<rect class="{name}" x="{x + 0.1 * step:.1f}" y="{floor:.1f}" width="{0.8 * step:.1f}" '
                    f'height="{height:.1f}"><title>{label(one)}: {value} {name}</title></rect>'
                )
        if one.total and (one.total == most or every == 1):
            marks.append(
                f'<text x="{x + step / 2:.1f}" y="{floor - 3:.1f}" text-anchor="middle">{grouped(one.total)}</text>'
            )
        if number % every == 0:
            marks.append(f'<text x="{x + step / 2:.1f}" y="{_HEIGHT - 3:g}" text-anchor="middle">{label(one)}</text>')
    aria_label = f"{grouped(sum(one.total for one in made))} image sets {caption}, at most {grouped(most)}"
    return (
        f'<figure><figcaption>{caption}</figcaption><svg role="img" aria-label="{aria_label}" '
        f'viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}">{"".join(marks)}</svg></figure>'
    )


def disk_usage_html(condition: Condition) -> str:
    """Disk usage by kind of file."""
    rows = "".join(
        f'<tr><td>{escape(one.what)}</td><td class="n">{grouped(one.files)}</td>'
        f'<td class="n">{_bytes(one.bytes)}</td></tr>'
        for one in condition.usage
    )
    heads = (
        '<th scope="col">files and results</th><th scope="col" class="n">number</th><th scope="col" class="n">size</th>'
    )
    return f'<table class="usage"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _bytes(number: int) -> str:
    """``12.3 GB``."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.0f} kB"


def _ago(now: np.datetime64, time: np.datetime64) -> str:
    """``12 s``, ``5 min``, ``3 h``, ``4 days``; never negative, even if the clock was set back."""
    seconds = max(float((now - time) / np.timedelta64(1, "s")), 0.0)
    for unit, size, above in (("days", 86400.0, 172800.0), ("h", 3600.0, 7200.0), ("min", 60.0, 120.0)):
        if seconds >= above:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
