"""What ``calibration add`` says about each file."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AddStatus(StrEnum):
    """Result for one file passed to ``calibration add``."""

    ADDED = "added"
    RESTORED = "restored"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True)
class AddedFile:
    """Result for one file: name, status, and the reason of a refusal or a note."""

    name: str
    status: AddStatus
    reason: str = ""
