"""A page whose state is in the URL: preloaded from it, first shown as plain HTML, then live."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import panel.ui as pmui

from dashboards.shared.access import Visitor
from dashboards.shared.address import AddressState
from dashboards.shared.frame import follow_address, is_dark, open_with, session_search
from dashboards.shared.links import Links, session_links
from dashboards.shared.navigation import SITE
from dashboards.shared.notices import Notice, Notices
from dashboards.shared.preloaded import PreloadedState, preload, preloaded_or
from dashboards.shared.visitors import session_visitor


class AddressedPage[State: AddressState](ABC):
    """Widgets around a state; steps: preload, opening, follow the address, view.

    `dashboards.server.first_content` calls the class methods of the first two before there is a session.

    Parameters
    ----------
    state : AddressState
    links : Links
        URLs of files.

    Attributes
    ----------
    title, description : str
        Title in the header and the browser's tab; description for search engines.
    """

    title: ClassVar[str]
    description: ClassVar[str]

    def __init__(self, state: State, links: Links) -> None:
        self.state, self._links = state, links
        self._notices = Notices()
        self._address_notices: list[Notice] = []

    @classmethod
    def from_session(cls) -> Self:
        """The page for the session being created: archive of this server, state from the URL."""
        preloaded = preloaded_or(lambda: cls.preload(session_visitor, session_search()))
        page = cls(preloaded.state, session_links())
        page.follow_address(preloaded)
        return page

    @classmethod
    def preload(cls, visitor: Callable[[], Visitor], search: str) -> PreloadedState[State]:
        """Load what the page needs before it has widgets."""
        return preload(cls.new_state(visitor), search)

    @classmethod
    @abstractmethod
    def new_state(cls, visitor: Callable[[], Visitor]) -> State:
        """New state for a visitor, over the archive of this server."""

    @classmethod
    def document_title(cls, state: State) -> str:  # noqa: ARG003 - a page may name what it shows
        """Title of the browser's tab."""
        return f"{cls.title} · {SITE}"

    @classmethod
    def status(cls, state: State) -> int:  # noqa: ARG003 - a page may have found nothing
        """HTTP status of the page."""
        return 200

    @classmethod
    @abstractmethod
    def opening(cls, state: State, links: Links, *, dark: bool) -> str:
        """The page as plain HTML, shown until the page is live."""

    def follow_address(self, preloaded: PreloadedState[State]) -> None:
        """Show what is loaded, and keep the URL up to date."""
        self._address_notices = [Notice("warning", complaint) for complaint in preloaded.complaints]
        follow_address(preloaded)
        self.state.tell()
        self._show_notices()

    def servable(self) -> None:
        """Add the page to the document of this session."""
        self.view().servable(title=self.document_title(self.state))
        open_with(lambda: self.opening(self.state, self._links, dark=is_dark()))

    @abstractmethod
    def view(self) -> pmui.Page:
        """The whole page."""

    @abstractmethod
    def _show_notices(self) -> None:
        """Show notices to the visitor."""
