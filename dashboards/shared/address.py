"""Page state in the URL: converts parameters to a query string and back, one value at a time.

Panel's own ``location.sync`` drops the whole query string when one value in it is invalid. Here each value is checked
by itself, invalid ones are reported, parameters of others (``?theme=dark``) are kept, and defaults are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import param


class AddressState(param.Parameterized):
    """A state whose parameters are kept in the URL of the page.

    Subclasses list them in `address_keys`, parameter name → name in the URL. Parameters may be strings, numbers,
    Booleans, a choice among strings, or a list of strings (joined by commas).
    """

    address_keys: ClassVar[Mapping[str, str]] = {}
    #: Parameters that `load` sets; the visitor sets the others.
    outcomes: ClassVar[Sequence[str]] = ()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._foreign: tuple[tuple[str, str], ...] = ()

    def load(self) -> None:
        """Load everything that the URL asks for."""

    def tell(self) -> None:
        """Notify watchers of what was loaded before they were registered."""
        self.param.trigger(*self.outcomes)

    @property
    def address(self) -> str:
        """Query string, including the question mark; empty when all parameters have their defaults."""
        return "?" + urlencode(self.address_pairs, safe=",:") if self.address_pairs else ""

    @property
    def address_pairs(self) -> list[tuple[str, str]]:
        """Names and values of the query string."""
        mine = [
            (key, _text(getattr(self, name)))
            for name, key in self.address_keys.items()
            if getattr(self, name) != self.param[name].default
        ]
        return [*mine, *self._foreign]

    def take_address(self, search: str) -> list[str]:
        """Set the parameters from a query string without notifying watchers; the others are reset to their defaults.

        Returns
        -------
        list of str
            One sentence for each invalid value; its parameter has its default.
        """
        names = {key: name for name, key in self.address_keys.items()}
        pairs = parse_qsl(search.removeprefix("?"), keep_blank_values=True)  # "bands=" selects none
        self._foreign = tuple((key, text) for key, text in pairs if key not in names)
        given = {names[key]: text for key, text in pairs if key in names}
        complaints = []
        with param.parameterized.discard_events(self):
            for name, key in self.address_keys.items():
                default = self.param[name].default
                setattr(self, name, list(default) if isinstance(default, list) else default)
                if name not in given:
                    continue
                if not self._set_from_text(name, given[name]):
                    setattr(self, name, list(default) if isinstance(default, list) else default)
                    complaints.append(f"Ignored invalid {key}={given[name][:60]} in the URL.")
        return complaints

    def _set_from_text(self, name: str, text: str) -> bool:
        """Set a parameter from text; return whether the text is valid. A value that would be rounded is not."""
        try:
            value = _value(self.param[name], text)
            setattr(self, name, value)
        except ValueError:
            return False
        return bool(getattr(self, name) == value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value)


def _value(parameter: Any, text: str) -> Any:
    """Value of a parameter from text; raises ValueError when it is invalid (param does so for values out of bounds)."""
    if isinstance(parameter, param.Boolean):
        return {"yes": True, "no": False}.get(text, text)
    if isinstance(parameter, param.Integer):
        return int(text)
    if isinstance(parameter, param.Number):
        return _finite(text)
    if isinstance(parameter, param.Selector) and not isinstance(parameter, param.ListSelector):
        return next((choice for choice in parameter.objects if _text(choice) == text), text)
    if isinstance(parameter, (param.List, param.ListSelector)):
        return [part for part in text.split(",") if part]
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):  # bounds let "nan" through
        message = f"{text} is not a number"
        raise ValueError(message)
    return number
