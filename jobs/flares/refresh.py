"""Bring flares and their images up to date, after new images, flares or GOES files."""

from __future__ import annotations

import numpy as np

from archive import Archive
from jobs.flares.follow import follow_flares
from jobs.flares.locate import update_flares
from jobs.flares.measure import measure_flares


def refresh_flares(
    archive: Archive,
    now: np.datetime64,
    *,
    start: np.datetime64 | None = None,
    end: np.datetime64 | None = None,
    changed_since: np.datetime64 | None = None,
    everything: bool = False,
) -> set[str]:
    """Locate flares whose images have changed, determine classes, and give both to the images.

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
        Ids of flares with a new position or class.
    """
    located = update_flares(archive, now, everything=everything).located
    measured = measure_flares(archive, now, start=start, end=end, changed_since=changed_since).written
    follow_flares(archive)
    return {*located, *measured}
