"""Refusals of queries, in one sentence that names the part that is not allowed."""

from __future__ import annotations

from stixcore.errors import StixError


class Refused(StixError):
    """A query or a parameter that this service does not take.

    Parameters
    ----------
    sentence : str
    status : int
        HTTP status.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence, self.status = sentence, status


def shortened(text: str) -> str:
    """Text of a query as it is quoted in a refusal."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}…"
