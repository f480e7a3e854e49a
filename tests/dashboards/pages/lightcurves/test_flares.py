"""Flares as labelled spans of the light curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboards.pages.lightcurves.flares import FlareSpan, flares_in, labelled
from dashboards.shared.time_window import Window

HOUR, DAY = 3600.0, 86_400.0


def test_flares_have_the_class_that_is_known(curves: Any) -> None:
    whole = Window(curves.start, DAY)
    flares, total = flares_in(curves.archive, whole, simulated=False)
    assert total == 2
    assert [flare.label for flare in flares] == ["2211101501\n≈C4 (C2–C9)", "2211100301\nM1.2"]
    assert flares_in(curves.archive, whole, simulated=True) == ([], 0)
    assert flares_in(curves.archive, Window(curves.start + 4 * HOUR, HOUR), simulated=False) == ([], 0)


def test_names_of_flares_never_overlap() -> None:
    def at(second: int) -> FlareSpan:
        peak = np.datetime64(second * 1_000_000, "us")
        return FlareSpan(str(second), peak, peak, peak, "", None)

    window = Window(0.0, 1000.0)
    flares = [at(second) for second in (500, 560, 20, 700, 999, 5000)]
    assert [flare.flare_id for flare in labelled(flares, window, 10)] == ["500", "700"]
