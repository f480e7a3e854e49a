"""From a request to image sets: which files each of them needs; and whether the answer is there already."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from archive import Archive
from archive.errors import NotInArchive
from archive.filters import ScienceFilter
from archive.schema import AuxFile, Flare, RunKind, ScienceFile
from jobs.backgrounds import BackgroundChoice, choose_background
from jobs.errors import BadRequest
from jobs.imaging import ImagingTask, RunContext
from jobs.journal import Journal, Request
from jobs.limits import Limits
from jobs.requests import AUTO, NONE, ImagingRequest
from stixcore.calibration.pointing import MAX_GAP
from stixcore.fits.spec import ProductKind
from stixcore.reconstruct import LOCATION_ENERGY, ImageRequest

#: The request behind a science file names its flare: "Flare 2211111136, Solar Flare, …".
FLARE_IN_PURPOSE = re.compile(r"\bFlare (\d{10})\b")


def submit(
    archive: Archive,
    journal: Journal,
    request: ImagingRequest,
    user: str,
    now: np.datetime64,
    limits: Limits | None = None,
) -> tuple[Request, bool]:
    """Put a request into the queue, or answer it at once when the same one was answered before.

    Parameters
    ----------
    archive : Archive
    journal : Journal
    request : ImagingRequest
    user : str
        A registered user; checking that is the caller's duty.
    now : datetime64
    limits : Limits, optional

    Returns
    -------
    Request, bool
        And whether it is new: the same request of the same user, open or done, is the same request.

    Raises
    ------
    BadRequest
        When the science or background file is not in the archive or cannot satisfy it.
    LimitReached, NotAllowed
        Too much; a guest.
    """
    limits = limits or Limits()
    request.check_limits(limits)
    file = _science(archive, request.uid)
    request.check_file(file)
    if request.background not in (AUTO, NONE):
        _background(archive, request.background)
    body = request.to_json()
    earlier = journal.last_done(body, user)
    answer = earlier if earlier is not None and _still_holds(archive, journal, earlier, file) else None
    if answer is not None and answer.user == user:
        return answer, False
    return journal.submit(
        user,
        body,
        now,
        uid=file.uid,
        recipes=request.recipes,
        limits=limits,
        answer=None if answer is None else answer.request_id,
    )


def plan_request(archive: Archive, request: ImagingRequest, user: str, created: np.datetime64) -> list[ImagingTask]:
    """Tasks of a request, one per image set, in the order of their numbers.

    Parameters
    ----------
    archive : Archive
    request : ImagingRequest
    user : str
        Becomes the author.
    created : datetime64
        Written as time of creation, the same whenever the request is planned: so the same files come out.

    Raises
    ------
    BadRequest
        When a file is not in the archive, or cannot satisfy the request.
    """
    file = _science(archive, request.uid)
    request.check_file(file)
    surroundings = _surroundings(archive, request, file)
    return [_task(archive, file, surroundings, part, request, user, created) for part in request.parts()]


@dataclass(frozen=True)
class _Surroundings:
    """What else the archive has for a request: asked for once, however many image sets there are."""

    quiet: list[ScienceFile]
    given: ScienceFile | None
    aspect: list[AuxFile]
    flares: list[Flare]


def _surroundings(archive: Archive, request: ImagingRequest, file: ScienceFile) -> _Surroundings:
    start, end = min(t for t, _ in request.time_ranges), max(t for _, t in request.time_ranges)
    middle = start + (end - start) // 2
    within = float((end - start) / np.timedelta64(2, "s")) + MAX_GAP / np.timedelta64(1, "s")
    return _Surroundings(
        quiet=archive.science_files(
            ScienceFilter(product=ProductKind.PIXEL_DATA, is_background=True, simulated=file.simulated)
        )
        if request.background == AUTO
        else [],
        given=None if request.background in (AUTO, NONE) else _background(archive, request.background),
        aspect=archive.aux_for(middle, within_s=within, simulated=file.simulated),
        flares=[flare for flare in archive.flares(file.t_start, file.t_end) if flare.t_start and flare.t_end],
    )


def _task(
    archive: Archive,
    file: ScienceFile,
    surroundings: _Surroundings,
    part: ImageRequest,
    request: ImagingRequest,
    user: str,
    created: np.datetime64,
) -> ImagingTask:
    middle = part.start + (part.end - part.start) // 2
    choice = _choice(surroundings, part, request, file)
    near = [row for row in surroundings.aspect if row.t_start - MAX_GAP <= middle <= row.t_end + MAX_GAP]
    near.sort(key=lambda row: (max(row.t_start - middle, middle - row.t_end, np.timedelta64(0, "us")), row.t_start))
    flare = _flare(surroundings.flares, part)
    named = FLARE_IN_PURPOSE.search(file.purpose)
    return ImagingTask(
        root=archive.root,
        request=part,
        science=archive.path_of(file.path),
        background=archive.path_of(choice.chosen.path) if choice.chosen else None,
        aspect=tuple(archive.path_of(row.path) for row in near),
        context=RunContext(
            kind=RunKind.USER,
            author=user,
            uid=file.uid,
            science_name=file.name,
            band=f"{part.energy[0]:g}-{part.energy[1]:g} keV",
            flare_id=flare.flare_id if flare else (named[1] if named else None),
            goes_class=flare.goes_class if flare else None,
            goes_flux=flare.goes_flux if flare else None,
            background_uid=choice.chosen.uid if choice.chosen else None,
            background_reason=choice.reason,
            background_candidates=choice.candidates_json,
            simulated=file.simulated,
            hidden=request.hidden,
        ),
        created=created,
    )


def _choice(
    surroundings: _Surroundings, part: ImageRequest, request: ImagingRequest, file: ScienceFile
) -> BackgroundChoice:
    if request.background == NONE:
        return BackgroundChoice(None, "no background subtracted: as asked for", ())
    if surroundings.given is not None:
        return BackgroundChoice(surroundings.given, "as asked for", ())
    middle = part.start + (part.end - part.start) // 2
    # the full-disk map needs its own band too
    energy = (min(part.energy[0], LOCATION_ENERGY[0]), max(part.energy[1], LOCATION_ENERGY[1]))
    return choose_background(surroundings.quiet, middle, energy, file.name)


def _flare(flares: list[Flare], part: ImageRequest) -> Flare | None:
    """The flare that shares most time with an image set."""

    def shared(flare: Flare) -> np.timedelta64:
        assert flare.t_start is not None  # noqa: S101 - those without times were left out
        assert flare.t_end is not None  # noqa: S101
        return min(flare.t_end, part.end) - max(flare.t_start, part.start)

    best = max(flares, key=shared, default=None)
    return best if best is not None and shared(best) > np.timedelta64(0, "us") else None


def _science(archive: Archive, uid: str) -> ScienceFile:
    try:
        return archive.science_file(uid)
    except NotInArchive as error:
        raise BadRequest(*error.args) from error


def _background(archive: Archive, uid: str) -> ScienceFile:
    found = _science(archive, uid)
    if found.product != ProductKind.PIXEL_DATA:
        message = f"{found.name} holds no pixel data and cannot serve as background"
        raise BadRequest(message)
    return found


def _still_holds(archive: Archive, journal: Journal, earlier: Request, file: ScienceFile) -> bool:
    """Whether an earlier answer would come out again: its runs are there, and no newer input file is."""
    runs = {part.run_id for part in journal.parts(earlier.request_id)}
    found = archive.query(
        "SELECT count(*) AS n FROM runs WHERE status = 'done' AND list_contains(?, run_id)",
        [sorted(filter(None, runs))],
    )
    if earlier.started_at is None or None in runs or int(found["n"][0].as_py()) != len(runs):
        return False
    newer = archive.query(
        "SELECT count(*) AS n FROM ("
        "SELECT ingested_at FROM science_files WHERE is_background OR name = ? OR uid = ? "
        "UNION ALL SELECT ingested_at FROM aux_files) WHERE ingested_at >= ?",
        [file.name, file.uid, earlier.started_at],
    )
    return int(newer["n"][0].as_py()) == 0
