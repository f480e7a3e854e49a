"""What a check of the archive can find: each kind has a code, how serious it is, and what a repair does about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from archive.atomic import write_text

#: What the last check found, for pages that show it: a check itself takes too long for them.
KEPT = "findings.json"


class Level(StrEnum):
    """How serious a finding is. An archive is sound when a check finds nothing but information."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """What can be found; the values are stable, for scripts and pages that go by them."""

    MONTH_UNREADABLE = "month-unreadable"
    MONTH_MISSING = "month-missing"
    ROW_MISPLACED = "row-misplaced"
    ROW_DUPLICATE = "row-duplicate"
    ROWS_LOST = "rows-lost"
    MOVE_UNFINISHED = "move-unfinished"
    READ_MODEL_STALE = "read-model-stale"
    FILE_MISSING = "file-missing"
    FILE_CHANGED = "file-changed"
    FILE_UNREADABLE = "file-unreadable"
    FILE_REFUSED = "file-refused"
    FILE_INACCESSIBLE = "file-inaccessible"
    FILE_MISPLACED = "file-misplaced"
    FILE_UNINDEXED = "file-unindexed"
    FILE_DUPLICATE = "file-duplicate"
    ROW_CONTRADICTS = "row-contradicts"
    VERSION_UNMARKED = "version-unmarked"
    IMAGE_MISSING = "image-missing"
    IMAGE_CHANGED = "image-changed"
    IMAGE_UNREADABLE = "image-unreadable"
    IMAGE_UNINDEXED = "image-unindexed"
    PICTURE_MISSING = "picture-missing"
    RUN_MISSING = "run-missing"
    RUN_INCOMPLETE = "run-incomplete"
    RECORD_MISSING = "record-missing"
    RECORD_STALE = "record-stale"
    LIGHT_CURVE_UNREADABLE = "light-curve-unreadable"
    LIGHT_CURVE_STALE = "light-curve-stale"
    CALIBRATION_DAMAGED = "calibration-damaged"
    CALIBRATION_UNRECORDED = "calibration-unrecorded"
    CAL_LIST_STALE = "cal-list-stale"
    LEFTOVER = "leftover"
    QUARANTINE = "quarantine"
    INCOMING = "incoming"


@dataclass(frozen=True)
class Kind:
    """Meaning of a code.

    Attributes
    ----------
    level : Level
    meaning : str
        What is wrong.
    repair : str
        What ``--repair`` does about it.
    """

    level: Level
    meaning: str
    repair: str


_DROPPED = "the images are made again from their recipe; where that fails, rows go and files into quarantine"

KINDS: dict[Code, Kind] = {
    Code.MONTH_UNREADABLE: Kind(
        Level.ERROR,
        "a month of the index cannot be read",
        "it goes into quarantine; its rows come back from the read model, or from the files",
    ),
    Code.MONTH_MISSING: Kind(
        Level.ERROR, "the read model knows a month that the index has no file of", "written again from the read model"
    ),
    Code.ROW_MISPLACED: Kind(Level.ERROR, "a row stands in another month's file", "moved to its month"),
    Code.ROW_DUPLICATE: Kind(Level.ERROR, "a key stands in the index twice", "the row that was written last stays"),
    Code.ROWS_LOST: Kind(
        Level.ERROR,
        "rows of a damaged month that no file of the archive holds",
        "none: find or import them again, as the message says",
    ),
    Code.MOVE_UNFINISHED: Kind(
        Level.WARNING, "a writer was killed while rows moved to another month", "the move is finished"
    ),
    Code.READ_MODEL_STALE: Kind(
        Level.WARNING, "the read model cannot be read, or says something else than the index", "built anew"
    ),
    Code.FILE_MISSING: Kind(Level.ERROR, "a row whose file is gone", "the row goes; fetch or ingest the file again"),
    Code.FILE_CHANGED: Kind(
        Level.ERROR,
        "a file is not the one that was taken in: other size or SHA-256",
        "a file whose CHECKSUM proves it whole gets a new row, any other goes into quarantine",
    ),
    Code.FILE_UNREADABLE: Kind(
        Level.ERROR,
        "a file is damaged, or no STIX product",
        "it goes into quarantine, and its row goes",
    ),
    Code.FILE_REFUSED: Kind(
        Level.INFO,
        "a STIX file, unchanged since it was taken in or proved whole by its CHECKSUM, that today's rules refuse",
        "none",
    ),
    Code.FILE_INACCESSIBLE: Kind(
        Level.ERROR,
        "a file cannot be read now: no permission, a failing disk, no memory",
        "none: it stays; check again when it can be read",
    ),
    Code.FILE_MISPLACED: Kind(
        Level.ERROR,
        "a file under the name of another day, request or product, or in a folder where it does not belong",
        "it moves to the place that its header gives it, with its row; it stays where another file has that place",
    ),
    Code.FILE_UNINDEXED: Kind(
        Level.ERROR, "a file without a row", "it is described again; what cannot be described goes into quarantine"
    ),
    Code.FILE_DUPLICATE: Kind(
        Level.WARNING, "the same content under two names", "the one that counts stays, the other goes into quarantine"
    ),
    Code.ROW_CONTRADICTS: Kind(
        Level.ERROR, "a row says something else than the file it describes", "the row is written anew from the file"
    ),
    Code.VERSION_UNMARKED: Kind(
        Level.WARNING, "a row names the wrong newer version, or none although there is one", "marked"
    ),
    Code.IMAGE_MISSING: Kind(Level.ERROR, "a row whose image is gone", _DROPPED),
    Code.IMAGE_CHANGED: Kind(
        Level.ERROR,
        "an image is not the one of its row: other size or SHA-256",
        "one whose CHECKSUM proves it whole, and which contradicts neither row nor recipe, gets its row from the file; "
        f"of any other {_DROPPED}",
    ),
    Code.IMAGE_UNREADABLE: Kind(Level.ERROR, "an image is damaged", _DROPPED),
    Code.IMAGE_UNINDEXED: Kind(
        Level.ERROR,
        "an image without a row, older than an hour",
        "its rows are written from record and FITS; a set that was never finished goes into quarantine",
    ),
    Code.PICTURE_MISSING: Kind(
        Level.WARNING, "a PNG of an image, or the report of a run, is gone", "the images are made again"
    ),
    Code.RUN_MISSING: Kind(Level.ERROR, "images in the index whose run is not", "written from record and FITS"),
    Code.RUN_INCOMPLETE: Kind(Level.ERROR, "a run that is done and lacks the image of a method", _DROPPED),
    Code.RECORD_MISSING: Kind(
        Level.WARNING, "a folder of images without the record of its run (run.json)", "written from the index"
    ),
    Code.RECORD_STALE: Kind(Level.WARNING, "a record says something else than the index", "written from the index"),
    Code.LIGHT_CURVE_UNREADABLE: Kind(
        Level.ERROR, "light curves of a day, or the minutes of a month, cannot be read", "made anew from the files"
    ),
    Code.LIGHT_CURVE_STALE: Kind(
        Level.WARNING, "light curves that were not made from the quick-look files of the archive", "made anew"
    ),
    Code.CALIBRATION_DAMAGED: Kind(
        Level.ERROR,
        "an energy table of the archive, or their list, is missing, cannot be read, or is not what was added",
        "none: `stix-jobs calibration add` with the published files restores it",
    ),
    Code.CALIBRATION_UNRECORDED: Kind(
        Level.WARNING,
        "energy tables that older software added: no SHA-256 of them is recorded",
        "recorded as they are",
    ),
    Code.CAL_LIST_STALE: Kind(
        Level.ERROR,
        "the list of daily CAL files does not fit the files",
        "written from the files; a file that the energy tables contradict is left out",
    ),
    Code.LEFTOVER: Kind(Level.WARNING, "what a killed writer left behind: a hidden file older than an hour", "removed"),
    Code.QUARANTINE: Kind(Level.INFO, "refused files in quarantine", "none: read the reasons, then delete them"),
    Code.INCOMING: Kind(Level.INFO, "files that wait in incoming for more than a day", "none: run ingest"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes
    ----------
    level : Level
    code : Code
    table : str
        Table of the index; empty where none is concerned.
    file : str
        Path inside the archive; the key of the row where there is no file.
    message : str
        One sentence for people.
    repaired : bool
        Mended in this very check.
    """

    level: Level
    code: Code
    table: str
    file: str
    message: str
    repaired: bool = False


def is_sound(findings: tuple[Finding, ...]) -> bool:
    """Whether nothing but information, and what was mended, was found."""
    return all(finding.level is Level.INFO or finding.repaired for finding in findings)


def codes_markdown() -> str:
    """Table of all codes, for the documentation."""
    lines = ["| code | level | what it means | what `--repair` does |", "|---|---|---|---|"]
    lines += [f"| `{code}` | {kind.level} | {kind.meaning} | {kind.repair} |" for code, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def keep_findings(root: Path, findings: Sequence[Finding], now: np.datetime64) -> None:
    """Write what a check found into the folder of the archive.

    Parameters
    ----------
    root : Path
    findings : sequence of Finding
    now : datetime64
        When it was found, UTC.
    """
    content = {"checked_at": str(now.astype("datetime64[s]")), "findings": [asdict(finding) for finding in findings]}
    write_text(root / KEPT, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def last_findings(root: Path) -> tuple[np.datetime64, tuple[Finding, ...]] | None:
    """When the last check was, UTC, and what it found; None when there was none, or none that can be understood."""
    try:
        content = json.loads((root / KEPT).read_text(encoding="utf-8"))
        found = [
            Finding(
                Level(one["level"]), Code(one["code"]), one["table"], one["file"], one["message"], bool(one["repaired"])
            )
            for one in content["findings"]
        ]
        return np.datetime64(content["checked_at"], "us"), tuple(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None
