"""Rows of runs and images that follow the flare list: which flare they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archive import Archive, Run, RunStatus
from archive.index.filters import ImageFilter
from archive.layout import skipped_run_id


def rewrite_runs(archive: Archive, runs: Sequence[Run]) -> None:
    """Write changed runs, and author and flare of their images, to their records and the index.

    No image is made again. The id of a run without images contains its flare, so such a run may get another id.

    Parameters
    ----------
    archive : Archive
        Build the read model afterwards.
    runs : sequence of Run
        Rows with the ids that they have in the index.
    """
    if not runs:
        return
    with archive.write_lock():
        images, written, gone = [], [], []
        for run in runs:
            found = archive.images(ImageFilter(recipe_id=run.run_id, all_hidden=True))
            images += [replace(image, author=run.author, flare_id=run.flare_id) for image in found]
            written.append(_with_own_id(run))
            if written[-1].run_id != run.run_id:
                gone.append(run.run_id)
        archive.write_runs(written, images)
        archive.delete("runs", gone)


def _with_own_id(run: Run) -> Run:
    if run.status == RunStatus.DONE:
        return run
    return replace(run, run_id=skipped_run_id(run.uid, run.band, run.flare_id or ""))
