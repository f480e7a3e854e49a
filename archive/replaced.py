"""Image sets that were removed because their inputs changed: what their landing pages still say.

A paper may cite an image set that is made again later from a newer version of its file. Its identity, the recipe, then
changes. One JSON file for each removed image set keeps the rows that the index had, so that its address still answers:
``replaced/<first two digits of the recipe id>/<recipe id>.json``. With the recipe the same pixels can be made again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive.atomic import make_folder, write_text
from archive.errors import BadRow
from archive.index.records import record_document, record_of
from archive.index.schema import Image, Run
from archive.regular_files import open_regular

FOLDER = "replaced"
_RECIPE_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)
#: Largest file that is read, byte; those of seven methods have 40 kB.
_LARGEST = 4 << 20


@dataclass(frozen=True)
class ReplacedImageSet:
    """An image set that the archive no longer has.

    Attributes
    ----------
    run : Run
    images : tuple of Image
        Rows of images whose files are gone.
    reason : str
        Why it was removed, as part of a sentence.
    replaced_at : datetime64
        When, UTC.
    """

    run: Run
    images: tuple[Image, ...]
    reason: str
    replaced_at: np.datetime64

    def visible_to(self, viewer: str | None, *, all_hidden: bool) -> tuple[Image, ...]:
        """Images that a visitor may know of: hidden ones only if they are the viewer's own, or all."""
        return tuple(
            image
            for image in self.images
            if not image.hidden or all_hidden or (viewer is not None and image.author == viewer)
        )


def file_replaced(root: Path, run: Run, images: Iterable[Image], reason: str, now: np.datetime64) -> None:
    """Record an image set before it is removed.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    run : Run
    images : iterable of Image
    reason : str
    now : datetime64
    """
    path = _place(root, run.run_id)
    make_folder(path.parent)
    moment = str(now.astype("datetime64[s]"))
    document = {"replaced_at": moment, "reason": reason, **record_document(run, images)}
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_replaced(root: Path, recipe_id: str) -> ReplacedImageSet | None:
    """The record of a removed image set; None when there is none, or it is damaged.

    Parameters
    ----------
    root : Path
        Folder of the archive.
    recipe_id : str
    """
    if _RECIPE_ID.fullmatch(recipe_id) is None:
        return None
    try:
        with open_regular(_place(root, recipe_id), below=root) as stream:
            document = json.loads(stream.read(_LARGEST))
        record = record_of(document)
        found = ReplacedImageSet(
            record.run, record.images, str(document["reason"]), np.datetime64(document["replaced_at"], "us")
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, BadRow):
        return None
    return found if found.run.run_id == recipe_id and found.images else None


def _place(root: Path, recipe_id: str) -> Path:
    return root / FOLDER / recipe_id[:2] / f"{recipe_id}.json"
