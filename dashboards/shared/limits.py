"""Limits of the web server, per visitor, per network address and in total.

Limits of image requests are in `jobs.shared.limits`. The tables in ``docs/security.md`` show both; a test compares them
with these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TurnLimits:
    """Bounds of something that many clients want at once (`dashboards.server.fair_queue`).

    A client is a user, a browser that was here before, or all others of one network address together.

    Attributes
    ----------
    places, places_address : int
        Done at once: over all, and for one address while others are there.
    share : float, s of computing
        What one client may use at once while others are there.
    rate : float, s/s
        What it gets back of that.
    shares_address : float
        Shares that all clients of one address may use together.
    waiting, waiting_address : int
        Requests that wait: of one user or browser, and of all others of an address.
    patience : float, s
        Longest wait, after which a request is refused.
    again : float, s
        After which a request that has waited too long may be sent again.
    refusal : float, s
        After which a request is refused that finds too many waiting.
    """

    places: int
    places_address: int
    share: float
    rate: float
    shares_address: float = 4.0
    waiting: int = 20
    waiting_address: int = 120
    patience: float = 30.0
    again: float = 10.0
    refusal: float = 2.0


@dataclass(frozen=True)
class WebLimits:
    """Bounds of the web server; the defaults suit an institute's server with a few cores.

    Attributes
    ----------
    body : int, byte
        Largest body of an HTTP request. Larger data (a dropped file) comes through the page's web socket.
    body_time : float, s
        Time in which a body must arrive.
    header : int, byte
        Largest header of an HTTP request.
    header_time : float, s
        Time in which the header of a request must arrive.
    idle_time : float, s
        Time after which a kept connection that sends no further request is closed.
    send_time : float, s
        Time after which a connection whose other end takes nothing of an answer is closed.
    linger : float, s
        Time for which what still comes of a refused body is read and thrown away: a client that sends before it reads
        would not see the answer otherwise.
    message : int, byte
        Largest message of a web socket, with all its parts.
    message_time : float, s
        Time in which a message of a web socket must arrive.
    pulls : int
        Requests of one web socket for the whole page; a browser sends one.
    unfinished : int, byte
        What all connections together may have sent of messages that are not complete.
    upload_chunk : int, byte
        Size of the pieces in which a page sends a dropped file; one piece is one message.
    uploads : int, byte
        What all sessions together may have sent of dropped files that are not complete.
    connections : int
        Open connections, web sockets included; fewer where the process may open fewer files.
    connections_address : int
        Open connections of one network address. Not counted behind a proxy, which limits them itself.
    sockets_page : int
        Web sockets of one page: its own, and those that a lost connection leaves behind for a while.
    descriptors : int
        Files that the process may open besides connections: index, queue, images, programs.
    burst : float, s
        Time in which events of one kind are counted and reported in one line of the log.
    attempt_window : float, s
        Time for which an attempt to sign in that failed is counted.
    attempts_per_pair : int
        Attempts at one name from one address within that time.
    attempts_per_address : int
        Attempts from one address within that time; one address may be a whole institute.
    attempts_per_name : int
        Attempts at one name from all addresses within that time before its answers are delayed.
    attempt_delay : float, s
        Longest delay of the answer to an attempt at a name that is tried from many addresses.
    session_window : float, s
        Time over which the next three are counted.
    sign_ins, sign_outs : int
        Sessions that one user may begin, and end, within that time.
    account_changes : int
        Tokens, passwords and sign-outs everywhere of one user within that time.
    lock_time : float, s
        Longest wait for a lock of the archive or its journal.
    waiting : int
        Pieces of work of one kind (passwords, changes of accounts, questions to the journal) that may wait.
    pages : TurnLimits
        Pages that are made: computing time.
    page_returned : float
        Part of that which a client gets back when the web socket of the page has been opened.
    page_flush : float, s
        How long the making of a page waits for a slow client to take its first content.
    pages_address, pages_client : int
        Pages that are open: of one address, and of one user or browser.
    pages_unused : int
        Pages without a web socket of one address; above that the oldest are closed early.
    unused_time : float, s
        Time after which a page without a web socket is closed.
    unused_grace : float, s
        Time for which such a page is never closed early.
    unused_look : float, s
        Time between checks for such pages.
    seen : float, s
        How long a client that asked for something counts as being there.
    files, calls, pieces : TurnLimits
        Files of images, calls of the API, and pieces of bundles and light curves: computing time.
    downloads_address, downloads_client : int
        Bundles and light curves that are being sent to one address, and to one user or browser.
    bundle : int, byte
        Largest bundle.
    own_files : int
        Dropped files that are looked at, and sets of images that are made of them, at once.
    own_waiting : int
        Sets of images of dropped files that may wait.
    """

    body: int = 1 << 20
    body_time: float = 30.0
    header: int = 64 << 10
    header_time: float = 10.0
    idle_time: float = 75.0
    send_time: float = 60.0
    linger: float = 5.0
    message: int = 2 << 20
    message_time: float = 60.0
    pulls: int = 30
    unfinished: int = 64 << 20
    upload_chunk: int = 1 << 20
    uploads: int = 256 << 20
    connections: int = 2000
    connections_address: int = 1000
    sockets_page: int = 3
    descriptors: int = 256
    burst: float = 10.0
    attempt_window: float = 300.0
    attempts_per_pair: int = 8
    attempts_per_address: int = 40
    attempts_per_name: int = 16
    attempt_delay: float = 8.0
    session_window: float = 3600.0
    sign_ins: int = 100
    sign_outs: int = 100
    account_changes: int = 100
    lock_time: float = 2.0
    waiting: int = 32
    pages: TurnLimits = TurnLimits(places=2, places_address=1, share=2.0, rate=0.1, patience=45.0)
    page_returned: float = 0.85
    page_flush: float = 1.0
    pages_address: int = 250
    pages_client: int = 60
    pages_unused: int = 30
    unused_time: float = 15.0
    unused_grace: float = 3.0
    unused_look: float = 3.0
    seen: float = 3.0
    files: TurnLimits = TurnLimits(places=4, places_address=3, share=4.0, rate=0.25)
    calls: TurnLimits = TurnLimits(places=4, places_address=3, share=4.0, rate=0.25)
    pieces: TurnLimits = TurnLimits(places=2, places_address=1, share=2.0, rate=0.1)
    downloads_address: int = 12
    downloads_client: int = 4
    bundle: int = 1 << 30
    own_files: int = 2
    own_waiting: int = 8
