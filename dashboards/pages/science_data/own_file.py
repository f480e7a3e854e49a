"""A file of the visitor's own: checked in a child process, kept for the session, never added to the archive."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import param

from archive import ScienceFile
from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.imaging_form import ImagingForm
from dashboards.pages.science_data.limited_threads import LimitedThreads
from dashboards.pages.science_data.opened_files import opened, spectra_of
from dashboards.pages.science_data.state import ScienceDetail
from dashboards.shared.limits import WebLimits
from dashboards.shared.source import ArchiveSource
from dashboards.shared.visitors import session_client
from jobs.imaging.own_images import OwnTask, run_in_child
from jobs.imaging.uploads import UploadLimits, UploadSummary, harmless, receive_upload
from jobs.shared.errors import ExecutorFault, LimitReached
from stixcore.errors import StixError, public_sentence
from stixcore.fits.products import PixelData

log = logging.getLogger(__name__)

#: Image sets of dropped files, of all sessions.
THREADS = LimitedThreads(
    "own-images",
    running=WebLimits().own_files,
    waiting=WebLimits().own_waiting,
    refusal="the server is busy with other files; try again in a minute",
)
#: Dropped files that are checked at a time, over all sessions: each occupies a page thread and a process.
_CHECKED = threading.BoundedSemaphore(WebLimits().own_files)


@dataclass(frozen=True)
class OwnImage:
    """An image of a dropped file, in memory: method, description, picture and FITS file as base64."""

    method: str
    about: dict[str, Any]
    picture: str
    fits: str
    name: str


class OwnFiles(param.Parameterized):
    """The last file dropped in one session, and the images of the last run.

    Parameters
    ----------
    source : ArchiveSource
        Provides background and auxiliary files.
    clock : callable
        Returns the current time, UTC.
    limits : UploadLimits, optional
    """

    step = param.String("", doc="What is being done; empty when nothing is")
    share = param.Number(default=0.0, bounds=(0.0, 1.0), doc="How much of it is done")
    images = param.Parameter(default=(), doc="Images of the last run, as OwnImage")
    problem = param.String("", doc="Why there is no file, or no image")

    def __init__(
        self, source: ArchiveSource, clock: Callable[[], np.datetime64], limits: UploadLimits | None = None
    ) -> None:
        super().__init__()
        self._source, self._clock, self._limits = source, clock, limits
        self._folder: TemporaryDirectory[str] | None = None
        self._paths: set[Path] = set()
        self._last: Path | None = None
        self._in_use: Path | None = None
        self._lock = threading.Lock()
        self._client = session_client()

    @property
    def folder(self) -> Path | None:
        """Folder for the files of this session; None before the first one and after `forget`."""
        return None if self._folder is None else Path(self._folder.name)

    def receive(self, name: str, content: bytes) -> ScienceDetail | None:
        """Accept a file from a browser; return None if it is refused, with the reason in `problem`."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="stix-own-")
        try:
            with _place(_CHECKED, f"the server is busy with other files; upload {harmless(name)} again in a moment"):
                summary = receive_upload(Path(self._folder.name), name, content, self._limits)
            path = Path(summary.path)
            with self._lock:
                self._paths.add(path)
            row = _row(summary, path)
        except (StixError, OSError) as error:
            self.problem = public_sentence(error)
            return None
        self._last = path
        self._forget_earlier()
        self.param.update(problem="", images=())
        return ScienceDetail(row, path)

    def make_images(
        self, form: ImagingForm, box: TimeEnergySelection, pass_on: Callable[[dict[str, Any]], None]
    ) -> None:
        """Make the images of a box in a child process; ``pass_on`` receives parameters to set, from another thread."""
        if self.step:
            return  # one set at a time
        before = self.images
        self.param.update(step="starting", share=0.0, problem="", images=())
        self._in_use = form.view.path

        def work() -> None:
            def progress(step: str, number: int, total: int) -> None:
                pass_on({"step": step, "share": number / max(total, 1)})

            try:
                pass_on({"step": "", "share": 1.0, "images": self._make(form, box, progress)})
            except (StixError, ExecutorFault, OSError) as error:
                pass_on({"step": "", "share": 0.0, "problem": public_sentence(error)})
            finally:
                self._in_use = None
                self._forget_earlier()

        try:
            THREADS.run(work, self._client)
        except LimitReached as error:
            self._in_use = None
            self.param.update(step="", problem=public_sentence(error), images=before)

    def _make(
        self, form: ImagingForm, box: TimeEnergySelection, progress: Callable[[str, int, int], None]
    ) -> tuple[OwnImage, ...]:
        folder = self.folder
        if folder is None:
            return ()
        (part, *more) = form.request(box).parts()
        if more:
            message = "for your own file, choose one time interval and one energy range at a time"
            raise StixError(message)
        background, _ = form.background_data(box)
        aspect = form.aspect_paths(box)
        with TemporaryDirectory(dir=folder) as made:
            task = OwnTask(
                part,
                form.view.path,
                None if background is None else background.path,
                tuple(aspect),
                Path(made),
                self._clock(),
                form.calibration,
            )
            about = run_in_child(task, progress)
            return tuple(_own_image(image) for image in about["images"])

    def _forget_earlier(self) -> None:
        """Remove all files except the last one and the one that is being imaged."""
        with self._lock:
            earlier = self._paths - {self._last, self._in_use}
            self._paths -= earlier
        for path in earlier:
            _forget(path)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty (the same bytes under another name), or the session has ended
                path.parent.rmdir()

    def forget(self) -> None:
        """Remove all files, at the end of the session."""
        for path in self._paths:
            _forget(path)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def _forget(path: Path) -> None:
    for cache in (opened, spectra_of):
        cache.forget(path)


@contextmanager
def _place(places: threading.BoundedSemaphore, refusal: str) -> Iterator[None]:
    """Hold one of a limited number of places.

    Raises
    ------
    LimitReached
        With this message, if none is free.
    """
    if not places.acquire(blocking=False):
        raise LimitReached(refusal)
    try:
        yield
    finally:
        places.release()


def _own_image(about: dict[str, Any]) -> OwnImage:
    path = Path(about["file"])

    def text(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    return OwnImage(about["method"], about, text(path.with_suffix(".png")), text(path), path.name)


def _row(summary: UploadSummary, path: Path) -> ScienceFile:
    """Index row of a dropped file, for display only."""
    data = opened(path)
    start, end = summary.times
    pixels = data if isinstance(data, PixelData) else None
    return ScienceFile(
        name=path.name,
        product=summary.product,
        level=data.header.level,
        version=data.header.version,
        sha256=summary.sha256,
        size=summary.size,
        path="",
        t_start=start,
        t_end=end,
        simulated=summary.simulated,
        ingested_at=start,
        uid=summary.uid,
        purpose=summary.purpose,
        is_background=summary.is_background,
        duration_s=float((end - start) / np.timedelta64(1, "s")),
        n_bins=summary.n_bins,
        bin_min_s=float(data.duration.min()),
        bin_max_s=float(data.duration.max()),
        n_channels=data.e_low.size,
        e_low=float(data.e_low[0]),
        e_high=float(data.e_high[-1]),
        n_pixels=None if pixels is None else int(pixels.pixel_mask.sum(axis=1).max()),
        all_detectors=None if pixels is None else bool(pixels.detector_mask.all()),
        rcr_min=int(data.rcr.min()),
        rcr_max=int(data.rcr.max()),
        counts=float(summary.counts or 0.0),
    )
