"""State in the address: parameters to query string and back, one bad value at a time.

Panel's own ``location.sync`` drops a whole address when one value in it is bad. Here each value is taken or refused by
itself, refused ones are named, what belongs to others (``?theme=dark``) is kept, and defaults stay out of the address.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import param


class AddressState(param.Parameterized):
    """A state whose parameters stand in the page's address.

    Subclasses list them in `address_keys`, parameter name → name in the address. Parameters may be text, numbers,
    yes/no, a choice among texts, or a list of texts (joined by commas).
    """

    address_keys: ClassVar[Mapping[str, str]] = {}
    #: What `load` finds out; other parameters are what a visitor chooses.
    outcomes: ClassVar[Sequence[str]] = ()

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._foreign: tuple[tuple[str, str], ...] = ()

    def load(self) -> None:
        """Find out everything that the address asks for."""

    def tell(self) -> None:
        """Tell watchers what was loaded before they came."""
        self.param.trigger(*self.outcomes)

    @property
    def address(self) -> str:
        """Query string with its question mark; empty when everything is at its default."""
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
        """Set the parameters from a query string, without telling watchers; the rest go to their defaults.

        Returns
        -------
        list of str
            One sentence for each value that means nothing; that parameter has its default.
        """
        names = {key: name for name, key in self.address_keys.items()}
        pairs = parse_qsl(search.removeprefix("?"), keep_blank_values=True)  # "bands=" says: none of them
        self._foreign = tuple((key, text) for key, text in pairs if key not in names)
        given = {names[key]: text for key, text in pairs if key in names}
        complaints = []
        with param.parameterized.discard_events(self):
            for name, key in self.address_keys.items():
                default = self.param[name].default
                setattr(self, name, list(default) if isinstance(default, list) else default)
                if name not in given:
                    continue
                if not self._take(name, given[name]):
                    setattr(self, name, list(default) if isinstance(default, list) else default)
                    complaints.append(f"Ignored invalid {key}={given[name][:60]} in the URL.")
        return complaints

    def _take(self, name: str, text: str) -> bool:
        """Set a parameter from text; whether it means something, and is not only near to what does."""
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
    """A parameter's value from text; ValueError when it is none (param raises that for what is out of bounds)."""
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
