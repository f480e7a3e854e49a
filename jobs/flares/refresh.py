"""Bring flares and their images up to date, after new images, flares or GOES files."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from archive import Archive
from jobs.flares.follow import follow_flares
from jobs.flares.locate import update_flares
from jobs.flares.measure import measure_flares
from jobs.shared.lock import AlreadyRunning, single_instance

#: How long a worker waits for another one that refreshes flares, s.
WAIT_S = 30.0


def refresh_flares(
    archive: Archive,
    now: np.datetime64,
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    changed_since: np.datetime64 | None = None,
    everything: bool = False,
) -> set[str]:
    """Locate and fit flares whose images or spectra have changed, determine classes, and give them to the images.

    The class needs the position: it is shifted by the light time, and a flare behind the limb has none.

    Parameters
    ----------
    archive, now, start, end, changed_since
        As `measure_flares`; positions are determined wherever images have changed.
    everything : bool
        Determine all positions again.

    Returns
    -------
    set of str
        Ids of flares with a new position, temperature or class.
    """
    updated = update_flares(archive, now, everything=everything)
    measured = measure_flares(archive, now, start=start, end=end, changed_since=changed_since).written
    follow_flares(archive)
    return {*updated.located, *updated.fitted, *measured}


def refresh_after_images(archive: Archive, now: np.datetime64) -> set[str]:
    """Refresh the flares of new images, for a worker that has finished image sets.

    Only months of the index that have changed are read, and only flares whose position has changed are measured.
    Workers do it one after another; the second finds nothing to do. One that times out leaves it to the other or to
    the next images: the months it did not read stay different from those of the last refresh.

    Returns
    -------
    set of str
        Ids of flares with a new position or class.
    """
    with suppress(AlreadyRunning), single_instance(archive.root, "refresh", wait_s=WAIT_S):
        return refresh_flares(archive, now, changed_since=now)
    return set()
