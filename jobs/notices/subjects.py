"""What there is to report of an archive: flares and failures, in words and as data, without anything private."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from archive import Archive, Flare, ImageFilter, Run, RunFilter, RunStatus
from archive.errors import InvalidName
from archive.ingest.quarantine import NOTE
from archive.layout import parse_file_name
from jobs.queue.journal import REGIONS, Journal, Request, RequestState
from stixcore.printable import printable, shortened, without_folders
from stixcore.times import format_time

#: Most characters of a reason.
LONGEST_REASON = 400
#: Largest note of a refused file that is read, byte.
_LARGEST_NOTE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A flare or a failure.

    Attributes
    ----------
    key : str
        Identity, which never changes: ``flare/2211100303``, ``run/<id>``, ``request/17``, ``file/<hash>``.
    title : str
        One line.
    sentences : tuple of str
    page : str
        Page that shows it, relative to the address of the server.
    changed_at : datetime64, UTC
    version : str
        Changes when readers care to know.
    images : tuple of str
        Ids of pictures, best first; none of them is hidden.
    flux : float, W m⁻²
        GOES flux of a flare, measured or else estimated; None if unknown.
    trusted : bool
        Verdict on the position of a flare; None if there is none.
    simulated : bool
    data : dict
        JSON object for programs.
    """

    key: str
    title: str
    sentences: tuple[str, ...]
    page: str
    changed_at: np.datetime64
    version: str = ""
    images: tuple[str, ...] = ()
    flux: float | None = None
    trusted: bool | None = None
    simulated: bool = False
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All sentences."""
        return " ".join(self.sentences)


# Flares --------------------------------------------------------------------------------------------------------------


def flare_subjects(archive: Archive, flares: Sequence[Flare]) -> list[Subject]:
    """Flares in words; pictures are those of images that all visitors may see."""
    wanted = {name for flare in flares for name in _best(flare)}
    shown = {row.image_id for row in archive.images(ImageFilter(ids=tuple(sorted(wanted))), limit=len(wanted))}
    return [flare_subject(flare, shown if wanted else ()) for flare in flares]


def flare_subject(flare: Flare, shown: Collection[str]) -> Subject:
    """A flare in words.

    Parameters
    ----------
    flare : Flare
    shown : collection of str
        Ids of images that all visitors may see.
    """
    images = tuple(name for name in _best(flare) if name in shown)
    trusted = None if flare.location_verdict is None else flare.location_verdict == "trusted"
    name = printable(flare.sol_id or flare.flare_id)
    return Subject(
        key=f"flare/{flare.flare_id}",
        title=f"{'Simulated: ' if flare.simulated else ''}{_class_title(flare)}, {_minute(flare.t_peak)} UTC ({name})",
        sentences=(*_times(flare), _class_sentence(flare), *_place(flare), _verdict(flare)),
        page=f"flare?id={flare.flare_id}",
        changed_at=flare.updated_at,
        version=flare_version(flare),
        images=images,
        flux=flare.goes_flux if flare.goes_flux is not None else flare.goes_estimated_flux,
        trusted=trusted,
        simulated=flare.simulated,
        data={
            "flare_id": flare.flare_id,
            "sol_id": flare.sol_id,
            "t_peak": f"{format_time(flare.t_peak)}Z",
            "goes_class": flare.goes_class,
            "goes_estimated": flare.goes_estimated,
            "hpc_x_arcsec": flare.hpc_x,
            "hpc_y_arcsec": flare.hpc_y,
            "stonyhurst_lon_deg": flare.stonyhurst_lon,
            "stonyhurst_lat_deg": flare.stonyhurst_lat,
            "location_verdict": flare.location_verdict,
            "image_ids": list(images),
            "simulated": flare.simulated,
        },
    )


#: Columns of `flares` whose change readers care about.
VERSION_COLUMNS = ("goes_class", "goes_estimated", "best_image_nonthermal", "best_image_thermal", "location_verdict")


def flare_version(flare: Flare) -> str:
    """Changes with the class, with the best images and with the verdict on the position of a flare."""
    return version_of({name: getattr(flare, name) for name in VERSION_COLUMNS})


def version_of(row: Mapping[str, Any]) -> str:
    """The version of a flare from a row with `VERSION_COLUMNS`; an estimate counts if nothing was measured."""
    measured, estimated, *others = (row[name] for name in VERSION_COLUMNS)
    return json.dumps([measured or estimated, measured is not None, *others])


def _best(flare: Flare) -> list[str]:
    found = (flare.best_image_nonthermal, flare.best_image_thermal)
    return [name for name in found if name is not None]


def _class_title(flare: Flare) -> str:
    if flare.goes_class:
        return f"{printable(flare.goes_class)} flare"
    return f"Flare of about {printable(flare.goes_estimated)}" if flare.goes_estimated else "Flare of unknown class"


def _class_sentence(flare: Flare) -> str:
    if flare.goes_class:
        source = f" ({printable(flare.goes_source)})" if flare.goes_source else ""
        return f"GOES class {printable(flare.goes_class)}, measured{source}."
    if flare.goes_estimated:
        low, high = flare.goes_estimated_low, flare.goes_estimated_high
        span = f" ({printable(low)} to {printable(high)})" if low and high else ""
        return f"GOES class about {printable(flare.goes_estimated)}{span}, estimated from STIX data."
    return "GOES class unknown."


def _times(flare: Flare) -> list[str]:
    return [f"Flare {printable(flare.flare_id)}, peak at {_second(flare.t_peak)} UTC at Solar Orbiter."]


def _place(flare: Flare) -> list[str]:
    if flare.hpc_x is None or flare.hpc_y is None:
        return ["Position unknown."]
    sigma = f" with an error of {flare.hpc_sigma:.0f}″" if flare.hpc_sigma is not None else ""
    sentences = [f"Position seen from Solar Orbiter: ({_number(flare.hpc_x)}″, {_number(flare.hpc_y)}″){sigma}."]
    if flare.stonyhurst_lon is not None and flare.stonyhurst_lat is not None:
        lat, lon = flare.stonyhurst_lat, flare.stonyhurst_lon
        place = f"{'N' if lat >= 0 else 'S'}{abs(lat):.0f} {'W' if lon >= 0 else 'E'}{abs(lon):.0f}"
        seen = {"behind": "behind the limb", "limb": "at the limb"}.get(flare.earth_view or "", flare.earth_view)
        sentences.append(f"{place}{f', {seen} as seen from the Earth' if seen else ''}.")
    return sentences


def _verdict(flare: Flare) -> str:
    if flare.location_verdict is None:
        return "No images yet." if not _best(flare) else "The position has no verdict."
    doubts = _reason("; ".join(_sentences(flare.location_doubts)))
    return f"The position is {printable(flare.location_verdict)}{f': {doubts}' if doubts else ''}."


def _sentences(text: str | None) -> list[str]:
    """Sentences of a JSON list; empty for anything else."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [one.rstrip(".") for one in found if isinstance(one, str)] if isinstance(found, list) else []


# Failures ------------------------------------------------------------------------------------------------------------


def failure_subjects(archive: Archive, since: np.datetime64, limit: int) -> list[Subject]:
    """Files refused, image sets and requests failed since a time, the latest first; none that is hidden.

    Raises
    ------
    StixError
        When the index or the journal of requests cannot be read.
    """
    failed = RunFilter(statuses=(RunStatus.FAILED,))
    runs = archive.runs(failed, sort=("-started_at", "run_id"), limit=limit)
    requests = Journal(archive.root).failures(since, limit)
    found = [
        *refused_files(archive.root, since),
        *(_failed_run(run) for run in runs if run.started_at >= since),
        *(_failed_request(one) for one in requests if _is_public(one)),
    ]
    return sorted(found, key=lambda one: (one.changed_at, one.key), reverse=True)[:limit]


def refused_files(root: Path, since: np.datetime64) -> list[Subject]:
    """Files that ingest refused since a time; a name that is not that of a STIX product may be private and is left out.

    A note that cannot be read is left out: ``stix-jobs check`` reports it.
    """
    first = str(since.astype("datetime64[D]"))
    notes = (note for note in root.glob(f"quarantine/????-??-??/*{NOTE}") if note.parent.name >= first)
    found = (_refused(note) for note in notes)
    return [one for one in found if one is not None and one.changed_at >= since]


def _refused(note: Path) -> Subject | None:
    try:
        if not note.is_file() or note.stat().st_size > _LARGEST_NOTE:
            return None
        document = json.loads(note.read_text(encoding="utf-8"))
        time = np.datetime64(str(document["quarantined_at"]).removesuffix("Z"), "us")
        name, reason, sha256 = (document.get(key) for key in ("file", "reason", "sha256"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if np.isnat(time):
        return None
    try:
        product = parse_file_name(str(name)).name
    except InvalidName:
        product = ""
    identity = hashlib.sha256(f"{name}/{sha256}/{'' if sha256 else reason}".encode(errors="replace")).hexdigest()[:16]
    sentence = f"Reason: {_reason(str(reason))}." if product else "Its name is not that of a STIX product."
    return Subject(
        key=f"file/{identity}",
        title=f"File refused: {product or 'another name'}",
        sentences=(f"Ingest refused a file at {_second(time)} UTC.", sentence),
        page="operations",
        changed_at=time,
        data={"what": "file", "name": product or None, "reason": sentence},
    )


def _failed_run(run: Run) -> Subject:
    what = f"{printable(run.band)}, {_second(run.t_start)} to {_second(run.t_end)} UTC"
    reason = _reason(run.reason)
    return Subject(
        key=f"run/{run.run_id}",
        title=f"Image set failed: {what}",
        sentences=(f"An image set of science request {printable(run.uid)} failed.", f"Reason: {reason}."),
        page=f"science_data?uid={run.uid}",
        changed_at=run.started_at,
        # it may fail again, in another way or after another try
        version=hashlib.sha256(f"{run.reason}/{run.started_at}".encode(errors="replace")).hexdigest()[:16],
        simulated=run.simulated,
        data={"what": "image set", "run_id": run.run_id, "uid": run.uid, "flare_id": run.flare_id, "reason": reason},
    )


def _failed_request(request: Request) -> Subject:
    reason = _reason(request.reason)
    time = request.finished_at if request.finished_at is not None else request.submitted_at
    whole = request.state is RequestState.FAILED
    return Subject(
        key=f"request/{request.request_id}",
        title=f"Request {request.request_id} failed{'' if whole else ' in part'}",
        sentences=(
            f"A request for {printable(request.contents)} failed{'' if whole else ' in part'}.",
            f"Reason: {reason}.",
        ),
        page="operations",
        changed_at=time,
        version=str(time),  # it may be tried again, and fail again
        data={"what": "request", "request_id": request.request_id, "reason": reason},
    )


def _is_public(request: Request) -> bool:
    """Whether it is not for hidden results: the rule of `dashboards.shared.access` for guests."""
    try:
        document = json.loads(request.body)
        chosen = document["imaging"] if request.kind == REGIONS else document
        return chosen.get("hidden") is False
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        return False


def _reason(text: str) -> str:
    """A reason for all to read: one line, short, without folders of this machine."""
    return shortened(without_folders(printable(text)), LONGEST_REASON).rstrip(".") or "unknown"


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")


def _second(time: np.datetime64) -> str:
    return str(time.astype("datetime64[s]")).replace("T", " ")


def _number(value: float) -> str:
    return f"{value:.0f}".replace("-", "−")
