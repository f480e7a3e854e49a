"""A submitted request: waiting in the queue, running, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import param

from archive import Archive
from dashboards.shared.access import Visitor
from dashboards.shared.source import ArchiveSource, Unavailable, in_plain_words, journal_of
from jobs.queue.journal import Journal, Request, TaskResult
from jobs.queue.measurement_requests import QueuedRequest
from jobs.queue.submit import submit
from jobs.shared.errors import NoSuchRequest, NotAllowed
from stixcore.errors import StixError

#: Number of requests of a user that are listed below the form.
SHOWN = 8


@dataclass(frozen=True)
class RequestStatus:
    """State of a request.

    Attributes
    ----------
    request : Request
    position : int or None
        Number of requests before it; None if it is not waiting.
    parts : tuple of TaskResult
        Finished image sets.
    workers : int
        Number of workers for this archive.
    """

    request: Request
    position: int | None
    parts: tuple[TaskResult, ...]
    workers: int


class Tracking(param.Parameterized):
    """The request that a page follows, and other requests of the visitor for the same file.

    Parameters
    ----------
    source : ArchiveSource
    visitor : callable
        Returns the current visitor; called for every action.
    clock : callable
        Returns the current time, UTC.
    uid : str
        Uid of the science file.
    """

    request_id = param.Integer(default=0, bounds=(0, None), doc="The request that is followed; 0 for none")
    status = param.ClassSelector(class_=RequestStatus, default=None, allow_None=True, doc="Where it stands")
    mine = param.Parameter(default=(), doc="Requests of the visitor about this file, newest first")
    problem = param.String("", doc="Why what was wanted last was refused")
    answered = param.Boolean(default=False, doc="The last request was answered at once: its images were there")

    def __init__(
        self, source: ArchiveSource, visitor: Callable[[], Visitor], clock: Callable[[], np.datetime64], uid: str
    ) -> None:
        super().__init__()
        self._source, self._visitor, self._clock, self._uid = source, visitor, clock, uid

    @property
    def is_open(self) -> bool:
        """Whether the request may still change."""
        return self.status is not None and self.status.request.state.is_open

    def submit(self, build: Callable[[], QueuedRequest]) -> None:
        """Submit the result of ``build``, if the visitor may; `problem` contains the reason if not."""

        def act(archive: Archive, journal: Journal) -> None:
            name = self._visitor().name
            if name is None:
                message = "sign in to submit requests"
                raise NotAllowed(message)
            request, new = submit(archive, journal, build(), name, self._clock())
            self.param.update(request_id=request.request_id, answered=not new or not request.state.is_open)

        self._do(act)

    def cancel(self) -> None:
        """Cancel the followed request."""
        self._do(lambda _, journal: journal.cancel(self.request_id, self._clock(), user=self._actor()))

    def retry(self) -> None:
        """Put the followed request back into the queue."""

        def act(_: Archive, journal: Journal) -> None:
            again = journal.retry(self.request_id, self._clock(), user=self._actor())
            self.request_id = again.request_id

        self._do(act)

    def follow(self, request_id: int) -> None:
        """Follow another request."""
        self.param.update(request_id=request_id, answered=False)
        self.refresh()

    def refresh(self) -> None:
        """Query the journal."""
        self._do(lambda *_: None)

    def _actor(self) -> str | None:
        """User in whose name requests are changed; None for an operator, who may change all of them.

        Raises
        ------
        NotAllowed
            For a guest.
        """
        visitor = self._visitor()
        if visitor.name is None:
            message = "sign in to change requests"
            raise NotAllowed(message)
        return None if visitor.operator else visitor.name

    def _do(self, act: Callable[[Archive, Journal], object]) -> None:
        problem = ""
        try:
            archive = self._source.archive()
            journal = journal_of(archive)
            try:
                with in_plain_words():
                    act(archive, journal)
            except StixError as error:
                problem = str(error)
            with in_plain_words():
                self._update_status(journal)
        except Unavailable as error:
            problem = str(error)
        self.problem = problem

    def _update_status(self, journal: Journal) -> None:
        visitor = self._visitor()
        mine = journal.requests(visitor.name, uid=self._uid, limit=SHOWN) if visitor.name else []
        status = None
        if self.request_id:
            try:
                request = journal.get(self.request_id)
            except NoSuchRequest:
                request = None
            if request is not None and request.uid == self._uid and visitor.may_see_request(request):
                number = request.request_id
                status = RequestStatus(request, journal.position(number), journal.parts(number), len(journal.workers()))
        self.param.update(status=status, mine=tuple(mine))
