"""Errors of API calls: status, sentence, and the field and value concerned."""

from __future__ import annotations

from typing import Any

from stixcore.errors import StixError
from stixcore.printable import without_folders


class Refused(StixError):
    """An error response.

    Parameters
    ----------
    status : int
        HTTP status.
    sentence : str
    field, value : str
        Name and value of the parameter or key.
    """

    def __init__(self, status: int, sentence: str, field: str = "", value: str = "") -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.field, self.value = status, sentence, field, value

    @property
    def document(self) -> dict[str, Any]:
        """The error as JSON."""
        about = {"field": self.field, "value": self.value[:200]} if self.field else {}
        return {"status": self.status, "error": without_folders(self.sentence), **about}
