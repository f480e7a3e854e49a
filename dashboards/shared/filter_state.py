"""State of a list's filter: typed fields, what is wrong with them, and whether any is set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import param

from dashboards.shared.address import AddressState
from dashboards.shared.errors import NotUnderstood


class FilterState(AddressState):
    """Base of filters. Invalid values are ignored and reported in `complaints`."""

    complaints = param.Dict({}, doc="Parameter → why its value is not used")

    #: Parameters that are part of the filter.
    filter_names: ClassVar[tuple[str, ...]] = ()

    @property
    def filtered(self) -> bool:
        """Whether any filter is set."""
        return any(getattr(self, name) != self.param[name].default for name in self.filter_names)

    def clear_filter(self) -> None:
        """Reset all filters."""
        self.param.update(**{name: self.param[name].default for name in self.filter_names})

    def _parse_fields(self, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """Parsed values of typed fields, None for invalid ones; sets `complaints`."""
        parsed: dict[str, Any] = {}
        complaints: dict[str, str] = {}
        for name, read in readers.items():
            try:
                parsed[name] = read(getattr(self, name))
            except NotUnderstood as error:
                parsed[name] = None
                complaints[name] = str(error)
        self.complaints = complaints
        return parsed
