"""Kinds of problems that a check of the archive reports: code, level, meaning, and what a repair does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from archive.atomic import write_text

#: File with the results of the last check, for the pages: running a check takes too long for them.
FINDINGS_FILE = "findings.json"


class Level(StrEnum):
    """Severity of a finding. An archive is sound when a check finds nothing above ``INFO``."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Code(StrEnum):
    """Codes of findings. The values are stable, so that scripts can rely on them."""

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
    SPECTRUM_INCOMPLETE = "spectrum-incomplete"
    SPECTRUM_DAMAGED = "spectrum-damaged"
    SPECTRUM_UNINDEXED = "spectrum-unindexed"
    LIGHT_CURVE_UNREADABLE = "light-curve-unreadable"
    LIGHT_CURVE_STALE = "light-curve-stale"
    CALIBRATION_DAMAGED = "calibration-damaged"
    CALIBRATION_UNRECORDED = "calibration-unrecorded"
    CAL_LIST_STALE = "cal-list-stale"
    GOES_UNREADABLE = "goes-unreadable"
    CUBE_DAMAGED = "cube-damaged"
    MAP_UNREADABLE = "map-unreadable"
    RENDERING_DAMAGED = "rendering-damaged"
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


_DROPPED = "the images are remade from their recipe; if that fails, rows are deleted and files go into quarantine"
_REMEASURED = (
    "the spectrum is made again from its recipe; if that fails, its row is deleted and its files go into quarantine"
)

KINDS: dict[Code, Kind] = {
    Code.MONTH_UNREADABLE: Kind(
        Level.ERROR,
        "a month of the index cannot be read",
        "it goes into quarantine; its rows are restored from the read model or from the files",
    ),
    Code.MONTH_MISSING: Kind(
        Level.ERROR, "a month of the index is gone, but the read model still has it", "restored from the read model"
    ),
    Code.ROW_MISPLACED: Kind(Level.ERROR, "a row is in the file of the wrong month", "moved to its month"),
    Code.ROW_DUPLICATE: Kind(Level.ERROR, "a key is in the index twice", "the row written last is kept"),
    Code.ROWS_LOST: Kind(
        Level.ERROR,
        "rows of a damaged month that cannot be restored from files",
        "none: detect or import them again, as the message says",
    ),
    Code.MOVE_UNFINISHED: Kind(
        Level.WARNING, "a writer was killed while moving rows to another month", "the move is completed"
    ),
    Code.READ_MODEL_STALE: Kind(Level.WARNING, "the read model cannot be read or differs from the index", "rebuilt"),
    Code.FILE_MISSING: Kind(Level.ERROR, "a row without its file", "the row is deleted; ingest the file again"),
    Code.FILE_CHANGED: Kind(
        Level.ERROR,
        "a file has changed since it was ingested: other size or SHA-256",
        "a file with a valid CHECKSUM gets a new row, any other goes into quarantine",
    ),
    Code.FILE_UNREADABLE: Kind(
        Level.ERROR,
        "a file is damaged or is not a STIX product",
        "it goes into quarantine, and its row is deleted",
    ),
    Code.FILE_REFUSED: Kind(
        Level.INFO,
        "a STIX file, unchanged since ingest or with a valid CHECKSUM, that the current rules refuse",
        "none",
    ),
    Code.FILE_INACCESSIBLE: Kind(
        Level.ERROR,
        "a file cannot be read at present: no permission, a failing disk, no memory",
        "none: check again when it can be read",
    ),
    Code.FILE_MISPLACED: Kind(
        Level.ERROR,
        "a file with the name of another day, request or product, or in the wrong folder",
        "it is moved to the path its header implies, with its row, unless another file is there",
    ),
    Code.FILE_UNINDEXED: Kind(
        Level.ERROR,
        "a file without a row",
        "it is indexed; if that is impossible, it goes into quarantine",
    ),
    Code.FILE_DUPLICATE: Kind(
        Level.WARNING, "the same content under two names", "the valid one is kept, the other goes into quarantine"
    ),
    Code.ROW_CONTRADICTS: Kind(
        Level.ERROR, "a row differs from the file it describes", "the row is rewritten from the file"
    ),
    Code.VERSION_UNMARKED: Kind(
        Level.WARNING, "a row names the wrong newer version, or none although there is one", "corrected"
    ),
    Code.IMAGE_MISSING: Kind(Level.ERROR, "a row without its image", _DROPPED),
    Code.IMAGE_CHANGED: Kind(
        Level.ERROR,
        "an image differs from its row: other size or SHA-256",
        "an image with a valid CHECKSUM that agrees with its row and recipe gets a row from the file; "
        f"otherwise {_DROPPED}",
    ),
    Code.IMAGE_UNREADABLE: Kind(Level.ERROR, "an image is damaged", _DROPPED),
    Code.IMAGE_UNINDEXED: Kind(
        Level.ERROR,
        "an image without a row, older than an hour",
        "its rows are written from record and FITS; an unfinished set goes into quarantine",
    ),
    Code.PICTURE_MISSING: Kind(
        Level.WARNING, "a PNG of an image, or the report of a run, is missing or damaged", "the images are remade"
    ),
    Code.RUN_MISSING: Kind(Level.ERROR, "images in the index without their run", "written from record and FITS"),
    Code.RUN_INCOMPLETE: Kind(Level.ERROR, "a finished run without the image of one of its methods", _DROPPED),
    Code.RECORD_MISSING: Kind(
        Level.WARNING, "a folder of images without the record of its run (run.json)", "written from the index"
    ),
    Code.RECORD_STALE: Kind(Level.WARNING, "a record differs from the index", "rewritten from the index"),
    Code.SPECTRUM_INCOMPLETE: Kind(
        Level.ERROR,
        "a spectrum or region spectra without the record (spectrum.json, regions.json) or one of the FITS files",
        _REMEASURED,
    ),
    Code.SPECTRUM_DAMAGED: Kind(
        Level.ERROR,
        "the record of spectra cannot be read, or a file has another SHA-256 than the record says",
        _REMEASURED,
    ),
    Code.SPECTRUM_UNINDEXED: Kind(
        Level.ERROR,
        "a spectrum or region spectra without a row, older than an hour",
        "its row is written from its record",
    ),
    Code.LIGHT_CURVE_UNREADABLE: Kind(
        Level.ERROR, "light curves of a day, or the minutes of a month, cannot be read", "remade from the files"
    ),
    Code.LIGHT_CURVE_STALE: Kind(
        Level.WARNING, "light curves that do not match the quick-look files of the archive", "remade"
    ),
    Code.CALIBRATION_DAMAGED: Kind(
        Level.ERROR,
        "an energy or CHIANTI table of the archive, or the list of tables, is missing, unreadable or changed",
        "none: `stix-jobs calibration add` with the published files restores it",
    ),
    Code.CALIBRATION_UNRECORDED: Kind(
        Level.WARNING,
        "energy tables added by older software, without a recorded SHA-256",
        "their present SHA-256 is recorded",
    ),
    Code.CAL_LIST_STALE: Kind(
        Level.ERROR,
        "the list of daily CAL files does not match the files",
        "rewritten from the files, without those that contradict the energy tables",
    ),
    Code.GOES_UNREADABLE: Kind(
        Level.ERROR,
        "the GOES data of a month cannot be read",
        "they go into quarantine: import the GOES files of this month again",
    ),
    Code.CUBE_DAMAGED: Kind(
        Level.ERROR,
        "the record, tracks, fits or movie of a cube are missing or damaged",
        "the record is removed; the next run of the previews makes the cube again",
    ),
    Code.MAP_UNREADABLE: Kind(
        Level.WARNING,
        "a map in `overlays/` cannot be read",
        "a context map goes into quarantine, and `stix-jobs context` brings it again; others stay",
    ),
    Code.RENDERING_DAMAGED: Kind(
        Level.WARNING,
        "a file of an animation, overlay or cube that a user requested is missing or damaged",
        "it is removed with its folder; a new request makes it again",
    ),
    Code.LEFTOVER: Kind(Level.WARNING, "a hidden file older than an hour, left by a killed process", "removed"),
    Code.QUARANTINE: Kind(Level.INFO, "rejected files in quarantine", "none: read the reasons, then delete the files"),
    Code.INCOMING: Kind(Level.INFO, "files in incoming for more than a day", "none: run ingest"),
}


@dataclass(frozen=True)
class Finding:
    """One problem.

    Attributes
    ----------
    level : Level
    code : Code
    table : str
        Table of the index; empty when the problem concerns no table.
    file : str
        Path inside the archive; the key of the row where there is no file.
    message : str
        One sentence for people.
    repaired : bool
        Repaired by this check.
    """

    level: Level
    code: Code
    table: str
    file: str
    message: str
    repaired: bool = False


def is_sound(findings: tuple[Finding, ...]) -> bool:
    """Whether every finding is information or was repaired."""
    return all(finding.level is Level.INFO or finding.repaired for finding in findings)


def codes_markdown() -> str:
    """Table of all codes, for the documentation."""
    lines = ["| code | level | what it means | what `--repair` does |", "|---|---|---|---|"]
    lines += [f"| `{code}` | {kind.level} | {kind.meaning} | {kind.repair} |" for code, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def keep_findings(root: Path, findings: Sequence[Finding], now: np.datetime64) -> None:
    """Save the findings of a check in the archive.

    Parameters
    ----------
    root : Path
    findings : sequence of Finding
    now : datetime64
        Time of the check, UTC.
    """
    content = {"checked_at": str(now.astype("datetime64[s]")), "findings": [asdict(finding) for finding in findings]}
    write_text(root / FINDINGS_FILE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def last_findings(root: Path) -> tuple[np.datetime64, tuple[Finding, ...]] | None:
    """Time (UTC) and findings of the last check; None when there is none, or its file cannot be read."""
    try:
        content = json.loads((root / FINDINGS_FILE).read_text(encoding="utf-8"))
        found = [
            Finding(
                Level(one["level"]), Code(one["code"]), one["table"], one["file"], one["message"], bool(one["repaired"])
            )
            for one in content["findings"]
        ]
        return np.datetime64(content["checked_at"], "us"), tuple(found)
    except (OSError, ValueError, KeyError, TypeError):
        return None
