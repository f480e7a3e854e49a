"""Exceptions of the pages for invalid input. Every message is one sentence."""

from __future__ import annotations

from stixcore.errors import StixError


class NotUnderstood(StixError):
    """A typed value or a URL parameter is invalid."""
