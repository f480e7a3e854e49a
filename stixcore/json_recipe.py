"""Recipes as canonical JSON text, with an id that is the hash of the text, and read back strictly."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from stixcore.errors import SelectionError


class JsonRecipe(ABC):
    """A frozen recipe that is a JSON text.

    Attributes
    ----------
    contents : str
        What it is a recipe of, for messages.
    format_version : int
        Version of the JSON format.
    revision : int
        Of the software that gives the numbers.
    """

    contents: ClassVar[str]
    format_version: ClassVar[int]
    revision: int

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values, with its ``version``."""

    @classmethod
    @abstractmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        """A recipe of the values; any error of a wrong value is caught by `from_json`."""

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks, ASCII."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def text_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def require_revision(self, current: int) -> None:
        """Refuse a recipe for which this software, of revision ``current``, gives other numbers.

        Raises
        ------
        SelectionError
        """
        if self.revision != current:
            message = f"the recipe of {self.contents} has revision {self.revision}, this software {current}"
            raise SelectionError(message)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Inverse of `to_json`.

        Raises
        ------
        SelectionError
            When the text is not such a recipe: unknown version, unknown or missing keys, impossible values.
        """
        try:
            return cls._read(json.loads(text))
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            message = f"this is not a recipe of {cls.contents} of version {cls.format_version}: {error}"
            raise SelectionError(message) from error

    @classmethod
    def _read(cls, data: Mapping[str, Any]) -> Self:
        if data["version"] != cls.format_version:
            message = f"version: expected {cls.format_version}, found {data['version']!r:.60}"
            raise ValueError(message)
        recipe = cls._from_dict(data)
        recipe.to_json()  # refuses NaN and infinite numbers, which Python reads and JSON has not
        known = recipe.to_dict()
        if known != data:  # an unknown or misspelt key would be ignored silently
            unknown = sorted(set(data) - set(known))
            message = f"unknown keys {unknown}" if unknown else "keys or values that this version does not know"
            raise ValueError(message)
        return recipe
