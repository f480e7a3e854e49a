"""Conditions that filters of several tables share."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

#: SQL condition: rows of the flare with an id, also where the flare list has it among the other ids of a flare.
OF_FLARE = (
    "flare_id = ? OR flare_id IN (SELECT flare_id FROM flares WHERE list_contains(string_split(other_ids, ' '), ?))"
)


class FitLimits(Protocol):
    """A filter with limits on the fit of a spectrum."""

    @property
    def temperature_min(self) -> float | None:
        """Lowest temperature, MK."""

    @property
    def temperature_max(self) -> float | None:
        """Highest temperature, MK."""

    @property
    def delta_min(self) -> float | None:
        """Lowest spectral index δ."""

    @property
    def delta_max(self) -> float | None:
        """Highest spectral index δ."""


class ResultFilter(Protocol):
    """A filter of what was made from a science file: images, runs, spectra, region spectra."""

    @property
    def t_start(self) -> np.datetime64 | None:
        """Start of the time range, UTC at Solar Orbiter."""

    @property
    def t_end(self) -> np.datetime64 | None:
        """End of the time range."""

    @property
    def uid(self) -> str | None:
        """Id of the science request."""

    @property
    def flare_id(self) -> str | None:
        """Id of a flare, or one of its other ids."""

    @property
    def author(self) -> str | None:
        """User who requested it."""

    @property
    def simulated(self) -> bool | None:
        """Whether the data are simulated."""

    @property
    def viewer(self) -> str | None:
        """User who also sees their own hidden rows."""

    @property
    def all_hidden(self) -> bool:
        """Whether all hidden rows are included."""


def of_result(chosen: ResultFilter) -> tuple[tuple[str, Any], ...]:
    """Conditions that images, runs, spectra and region spectra share."""
    return (
        ("t_end > ?", chosen.t_start),
        ("t_start < ?", chosen.t_end),
        ("uid = ?", chosen.uid),
        (OF_FLARE, (chosen.flare_id,) * 2 if chosen.flare_id is not None else None),
        ("author = ?", chosen.author),
        ("simulated = ?", chosen.simulated),
        visible(chosen.viewer, chosen.all_hidden),
    )


def of_fit(chosen: FitLimits) -> tuple[tuple[str, Any], ...]:
    """Conditions on the fit of a spectrum."""
    return (
        ("temperature >= ?", chosen.temperature_min),
        ("temperature <= ?", chosen.temperature_max),
        ("delta >= ?", chosen.delta_min),
        ("delta <= ?", chosen.delta_max),
    )


def any_of(column: str, values: tuple[str, ...]) -> str:
    """SQL condition that a column has one of the values."""
    return f"{column} IN ({', '.join('?' for _ in values)})"


def contains(*columns: str) -> str:
    """SQL condition that at least one column contains a text, which is given once per column."""
    return " OR ".join(f"contains({column}, ?)" for column in columns)


def visible(viewer: str | None, all_hidden: bool) -> tuple[str, str | tuple[()] | None]:
    """Condition for the rows that a viewer may see: hidden ones are for their author and for those who may see all."""
    if all_hidden:
        return "true", None
    return ("NOT hidden OR author = ?", viewer) if viewer is not None else ("NOT hidden", ())
