"""The web server as ``python -m dashboards`` starts it, with short time-outs and few file descriptors.

Attacks that wait for a time-out, or that use descriptors up, are then over in seconds and take few sockets.
"""

from __future__ import annotations

import ctypes
import resource
from functools import partial

from dashboards.shared import limits

DESCRIPTORS = 300
#: glibc's name for the size [byte] from which on a block of memory is given back as soon as it is free. Without a fixed
#: one glibc raises it to what was free before, and memory that nobody uses any more counts as the server's.
M_MMAP_THRESHOLD, GIVEN_BACK = -3, 1 << 20

if __name__ == "__main__":
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, GIVEN_BACK)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    limits.WebLimits = partial(
        limits.WebLimits,
        header_time=2.0,
        body_time=2.0,
        message_time=2.0,
        idle_time=4.0,
        send_time=3.0,
        descriptors=200,
        burst=2.0,
        unfinished=8 << 20,
    )
    from dashboards.server.serve import main

    main()
