"""Exceptions of the pages, named for the reader's mistake. Every message is one sentence."""

from __future__ import annotations

from stixcore.errors import StixError


class NotUnderstood(StixError):
    """Something that was typed into a field or an address, and means nothing."""
