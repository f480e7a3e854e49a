from dataclasses import replace

import numpy as np
import pytest

from archive import Flare
from dashboards.shared import formatting
from dashboards.shared.formatting import estimated_class, goes_class

T = np.datetime64("2022-11-11T23:59:30", "us")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4, "4 s"), (0.5, "0.5 s"), (124.9, "124.9 s"), (599, "599 s"), (720, "12 min"), (9000, "2.5 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert formatting.duration(T, T + np.timedelta64(round(seconds * 1e6), "us")) == text


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, ".3g", "–"),
        (float("nan"), ".3g", "–"),
        (-512.345, ".1f", "−512.3"),
        (3.5e-5, ".2g", "3.5 × 10⁻⁵"),
        (-3180.0, ".3g", "−3\N{NARROW NO-BREAK SPACE}180"),
        (2.5e7, ".2g", "2.5 × 10⁷"),
        (0.0, ".3g", "0"),
    ],
)
def test_numbers(value: float | None, form: str, text: str) -> None:
    assert formatting.number(value, form) == text


def test_counts_are_grouped() -> None:
    assert formatting.counts(1234567.4) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"
    assert formatting.counts(None) == "–"


@pytest.mark.parametrize(("size", "text"), [(100, "0 kB"), (89_280, "89 kB"), (1_071_360, "1.1 MB")])
def test_sizes(size: int, text: str) -> None:
    assert formatting.size(size) == text


def test_units_of_fits() -> None:
    assert formatting.unit("ct s-1 cm-2 keV-1 arcsec-2") == "ct s⁻¹ cm⁻² keV⁻¹ arcsec⁻²"
    assert formatting.unit("") == ""


def test_locations_say_how_they_were_found() -> None:
    assert formatting.location_name("full_disk_bp+vis_fwdfit") == "full-disk back projection, refined by a circle fit"
    assert formatting.location_name("given") == "given in the request"
    assert formatting.location_name("another") == "another"


def test_estimated_classes_have_a_sign() -> None:
    peak = np.datetime64("2022-11-11T11:37", "us")
    flare = Flare(flare_id="2211111137", t_peak=peak, source="detected", updated_at=peak)
    estimated = replace(flare, goes_estimated_low="C2", goes_estimated="C4", goes_estimated_high="C9")
    assert goes_class(flare) == ""
    assert goes_class(replace(estimated, goes_class="C3.4")) == "C3.4"
    assert goes_class(estimated) == "≈C4 (C2–C9)"
    assert goes_class(replace(flare, goes_estimated_low="M1")) == "≥M1"
    assert goes_class(replace(flare, goes_estimated="C4")) == "≈C4"
    assert goes_class(replace(estimated, goes_estimated=None)) == "≈C2–C9"
    assert goes_class(replace(flare, goes_estimated="A", goes_estimated_low="A", goes_estimated_high="A")) == "≈A"
    assert goes_class(replace(flare, goes_estimated_high="C2")) == "≤C2"
    assert estimated_class(replace(estimated, goes_class="C3.4")) == "≈C4 (C2–C9)"
