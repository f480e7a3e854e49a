"""Limits of the web server, per visitor, per network address and in total.

Limits of image requests are in `jobs.shared.limits`. The tables in ``docs/security.md`` show both; a test compares them
with these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TurnLimits:
    """Limits of one kind of work that clients compete for (`dashboards.server.fair_queue`).

    A client is a user, a browser with a cookie of this server, or all other visitors of one network address together.

    Attributes
    ----------
    places, places_address : int
        Number done at the same time: in total, and for one address while others are active.
    share : float, s of computing
        Computing time that one client may use in a burst while others are active.
    rate : float, s/s
        Rate at which the used share is given back.
    shares_address : float
        Number of shares that all clients of one address may use together.
    waiting, waiting_address : int
        Waiting requests: of one user or browser, and of all other visitors of an address.
    patience : float, s
        Longest wait before a request is refused.
    again : float, s
        ``Retry-After`` of a request that waited too long.
    refusal : float, s
        Delay before a request is refused because too many are waiting.
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
    """Limits of the web server; the defaults suit a server with a few cores.

    Attributes
    ----------
    body : int, byte
        Largest body of an HTTP request. Larger data (uploaded files) are sent over the web socket of the page.
    body_time : float, s
        Time within which a body must arrive.
    header : int, byte
        Largest header of an HTTP request.
    header_time : float, s
        Time within which the header of a request must arrive.
    idle_time : float, s
        Time after which an idle keep-alive connection is closed.
    send_time : float, s
        Time after which a connection is closed if the client does not read the response.
    linger : float, s
        Time for which the rest of a refused body is read and discarded: a client that sends everything before it reads
        would otherwise not see the response.
    message : int, byte
        Largest web-socket message, including all its fragments.
    message_time : float, s
        Time within which a web-socket message must arrive.
    pulls : int
        Bokeh PULL-DOC requests (the whole page) per web socket; a browser sends one.
    unfinished : int, byte
        Total size of incomplete messages on all connections.
    upload_chunk : int, byte
        Size of the chunks in which a page sends an uploaded file; each chunk is one message.
    uploads : int, byte
        Total size of incomplete uploads of all sessions.
    connections : int
        Open connections, including web sockets; fewer if the process may open fewer files.
    connections_address : int
        Open connections of one network address. Not counted behind a proxy, which has its own limit.
    sockets_page : int
        Web sockets of one page: the current one, and those of dropped connections that have not timed out.
    descriptors : int
        File descriptors reserved for everything but connections: index, queue, images, libraries.
    burst : float, s
        Interval over which events of one kind are summarized in one log line.
    attempt_window : float, s
        Time for which a failed sign-in is counted.
    attempts_per_pair : int
        Failed sign-ins for one name from one address within that time.
    attempts_per_address : int
        Failed sign-ins from one address within that time; an address may be that of a whole institute.
    attempts_per_name : int
        Failed sign-ins for one name from all addresses within that time before responses are delayed.
    attempt_delay : float, s
        Longest delay of a response for a name that is tried from many addresses.
    session_window : float, s
        Interval over which sign-ins, sign-outs and account changes are counted.
    sign_ins, sign_outs : int
        Times one user may sign in, and sign out, within that time.
    account_changes : int
        Changes of tokens and passwords, and sign-outs on all devices, of one user within that time.
    lock_time : float, s
        Longest wait for a lock of the archive or its journal.
    waiting : int
        Waiting operations of one kind (password checks, account changes, journal queries).
    pages : TurnLimits
        Computing time for pages.
    page_returned : float
        Fraction of that time that is given back to the client when the page opens its web socket.
    page_flush : float, s
        Longest wait for a slow client to read the first content of a page.
    pages_address, pages_client : int
        Open pages: of one address, and of one user or browser.
    pages_unused : int
        Pages of one address without a web socket; beyond that number, the oldest are closed early.
    unused_time : float, s
        Time after which a page without a web socket is closed.
    unused_grace : float, s
        Age below which such a page is never closed early.
    unused_look : float, s
        Interval between checks for such pages.
    seen : float, s
        Time after its last request for which a client counts as active.
    files, calls, pieces : TurnLimits
        Computing time for image files, API calls, and chunks of bundles and light curves.
    downloads_address, downloads_client : int
        Concurrent downloads of bundles and light curves: by one address, and by one user or browser.
    bundle : int, byte
        Largest bundle.
    own_files : int
        Uploaded files that are read, and image sets that are made from them, at the same time.
    own_waiting : int
        Image sets from uploaded files that may wait. One user, or all guests of an address, may have half of all.
    fits : int
        Spectra that are fitted at the same time. A page fits one at a time.
    fits_waiting : int
        Fits that may wait; half of all for one user or address.
    regions : int
        Measurements of region spectra at the same time, each in a process of its own.
    regions_waiting : int
        Measurements that may wait; half of all for one user or address.
    region_image : float, s
        Longest estimated time of the image on which regions are drawn.
    tap_time : float, s
        Longest time of a query of `/tap/sync`.
    tap_rows, tap_rows_most : int
        Rows of its answer without `MAXREC`, and largest `MAXREC`.
    tap_memory : int, byte
        Memory of all such queries together.
    tap_answer : int, byte
        Largest answer of such a query in memory.
    tap_queries : int
        Such queries at the same time; each uses one core.
    file_rows : int
        Images or spectra in one file of the API.
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
    fits: int = 1
    fits_waiting: int = 16
    regions: int = 1
    regions_waiting: int = 8
    region_image: float = 3.0
    tap_time: float = 10.0
    tap_rows: int = 20_000
    tap_rows_most: int = 100_000
    tap_memory: int = 512 << 20
    tap_answer: int = 256 << 20
    tap_queries: int = 2
    file_rows: int = 100_000
