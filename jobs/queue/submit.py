"""Submit a request: it is refused with a reason, queued, or answered at once. Pages import this; keep it light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archive import Archive
from archive.errors import NotInArchive
from archive.index.schema import ScienceFile
from jobs.queue.journal import Journal, Request
from jobs.queue.kept import holds
from jobs.queue.requests import AUTO, NONE, ImagingRequest
from jobs.shared.errors import BadRequest
from jobs.shared.limits import Limits
from stixcore.errors import StixError, public_sentence
from stixcore.fits.spec import ProductKind
from stixcore.fits.windows import AskedWindow
from stixcore.options import ShiftBins

if TYPE_CHECKING:
    from jobs.queue.measurement_requests import QueuedRequest


def submit(
    archive: Archive,
    journal: Journal,
    request: QueuedRequest,
    user: str,
    now: np.datetime64,
    limits: Limits | None = None,
) -> tuple[Request, bool]:
    """Put a request into the queue, or answer it at once with the results of an earlier one.

    Parameters
    ----------
    archive : Archive
    journal : Journal
    request : ImagingRequest, SpectrumTaskRequest or RegionsRequest
    user : str
        A registered user; checking that is the caller's duty.
    now : datetime64
    limits : Limits, optional

    Returns
    -------
    Request, bool
        The request, and whether it is new. If the user has submitted it before, the earlier one is returned.

    Raises
    ------
    BadRequest
        When the science or background file is not in the archive or lacks the data, or an option has no effect.
    LimitReached, NotAllowed
        When a limit is exceeded; when the user is a guest.
    """
    limits = limits or Limits()
    request.check_new()
    request.check_limits(limits)
    file = science_file_of(archive, request.uid)
    request.check_file(file)
    if isinstance(request, ImagingRequest) and request.exact:
        require_exact(archive, request, file)
    if request.background not in (AUTO, NONE):
        request.check_background(background_file_of(archive, request.background))
    body = request.to_json()
    earlier = journal.last_done(body, user)
    answer = earlier if earlier is not None and _still_holds(archive, journal, earlier, request.table, file) else None
    if answer is not None and answer.user == user:
        return answer, False
    return journal.submit(
        user,
        body,
        now,
        uid=file.uid,
        task_count=request.task_count,
        limits=limits,
        answer=None if answer is None else answer.request_id,
    )


def require_exact(archive: Archive, request: ImagingRequest, file: ScienceFile) -> None:
    """Check that the time ranges of an ``exact`` request consist of whole bins.

    Raises
    ------
    BadRequest
        Naming the whole bins nearest to the first range that does not; or when the file has none, or cannot be read.
    """
    for window in whole_bins(archive, request, file):
        if window.differs:
            message = f"{file.name}: the time range is not one of whole bins: {window}"
            raise BadRequest(message)


def whole_bins(archive: Archive, request: ImagingRequest, file: ScienceFile) -> tuple[AskedWindow, ...]:
    """The time ranges of a request, each with the whole bins that are used for it.

    Raises
    ------
    BadRequest
        When the file has no bins for one of them, or cannot be read.
    """
    from stixcore.fits.read import read_pixel_data  # imported only where a file is read, to keep pages light

    try:
        data = read_pixel_data(archive.path_of(file.path))
        if request.shift_bins == ShiftBins.AUTO and data.can_shift_bins:
            data = data.with_shifted_bins()
        return tuple(data.asked(start, end, request.window_rule) for start, end in request.time_ranges)
    except (StixError, OSError) as error:
        raise BadRequest(public_sentence(error)) from error


def science_file_of(archive: Archive, uid: str) -> ScienceFile:
    """The science file of a request, by uid or name.

    Raises
    ------
    BadRequest
        When it is not in the archive.
    """
    try:
        return archive.science_file(uid)
    except NotInArchive as error:
        raise BadRequest(*error.args) from error


def background_file_of(archive: Archive, uid: str) -> ScienceFile:
    """The background file of a request, by uid or name.

    Raises
    ------
    BadRequest
        When it is not in the archive or has no pixel data.
    """
    found = science_file_of(archive, uid)
    if found.product != ProductKind.PIXEL_DATA:
        message = f"{found.name} holds no pixel data and cannot serve as background"
        raise BadRequest(message)
    return found


def _still_holds(archive: Archive, journal: Journal, earlier: Request, table: str, file: ScienceFile) -> bool:
    """Whether the results of an earlier request are still valid: they exist, and no input file is newer."""
    runs = {part.run_id for part in journal.parts(earlier.request_id)}
    if earlier.started_at is None or None in runs or not _are_valid(archive, table, sorted(filter(None, runs))):
        return False
    newer = archive.query(
        "SELECT count(*) AS n FROM ("
        "SELECT ingested_at FROM science_files WHERE is_background OR name = ? OR uid = ? "
        "UNION ALL SELECT ingested_at FROM aux_files "
        "UNION ALL SELECT ingested_at FROM other_files WHERE product = ?) WHERE ingested_at >= ?",
        [file.name, file.uid, str(ProductKind.ENERGY_CALIBRATION), earlier.started_at],
    )
    return int(newer["n"][0].as_py()) == 0


def _are_valid(archive: Archive, table: str, keys: list[str]) -> bool:
    """Whether results are in the archive and valid."""
    if table != "runs":
        return all(holds(archive, table, key) for key in keys)
    found = archive.query("SELECT count(*) AS n FROM runs WHERE status = 'done' AND list_contains(?, run_id)", [keys])
    return int(found["n"][0].as_py()) == len(keys)
