"""How much one visitor or one network address may take from the web server: every bound in one place.

What one *request for images* may take is in `jobs.limits`. The table in ``docs/security.md`` shows both; a test
compares it with these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass


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
    unfinished : int, byte
        What all connections together may have sent of messages that are not complete.
    upload_chunk : int, byte
        Size of the pieces in which a page sends a dropped file; one piece is one message.
    uploads : int, byte
        What all sessions together may have sent of dropped files that are not complete.
    connections : int
        Open connections, web sockets included; fewer where the process may open fewer files.
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
    unfinished: int = 64 << 20
    upload_chunk: int = 1 << 20
    uploads: int = 256 << 20
    connections: int = 2000
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
