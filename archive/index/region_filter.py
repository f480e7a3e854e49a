"""Filter of region spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archive.index.sql import Conditions
from archive.index.terms import contains, of_result


@dataclass(frozen=True, kw_only=True)
class RegionFilter:
    """Filter of region spectra; None and empty values match any.

    Attributes
    ----------
    t_start, t_end : datetime64
        Region spectra whose time range overlaps this one, UTC at Solar Orbiter.
    uid, science_name, author, method : str
        Exact values; the method is that of the images, such as "clean".
    flare_id : str
        Id of a flare, or one of its other ids.
    kind : str
        "auto" or "user".
    verdict : str
        "trusted" or "doubtful"; region spectra without a fit match neither.
    simulated : bool
    text : str
        Part of region id, uid, flare id, or of the names of the regions.
    viewer : str
        Include the hidden region spectra of this user.
    all_hidden : bool
        Include all hidden region spectra, for operators.
    """

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    uid: str | None = None
    science_name: str | None = None
    flare_id: str | None = None
    kind: str | None = None
    method: str | None = None
    verdict: str | None = None
    author: str | None = None
    simulated: bool | None = None
    text: str = ""
    viewer: str | None = None
    all_hidden: bool = False

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        return Conditions.of(
            *of_result(self),
            ("science_name = ?", self.science_name),
            ("kind = ?", self.kind),
            ("method = ?", self.method),
            ("verdict = ?", self.verdict),
            (contains("region_id", "uid", "flare_id", "names"), (self.text,) * 4 if self.text else None),
        )
