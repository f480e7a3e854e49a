"""Doubts of real flares whose place IDL knows, and the tables that measure doubts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy_page import keep_sections, replace_section
from benchmarks.doubted_flares import Case, on_the_disk
from benchmarks.flags import HEADING, NEXT, counted, flux_worth, section
from benchmarks.november_2022 import aspect_files, background, idl_flares
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.trust import Severity
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct


@pytest.mark.needs_shared_data
@pytest.mark.parametrize(
    ("uid", "doubts"),
    [
        # 420,000 and 246,000 counts, within 0.1″ of IDL
        ("2211118567", set()),
        ("2211117374", set()),
        # 166,000 counts, within 0.9″: rows apart by a factor of 1.3, forward fit with χ² 6.7, of CLEAN 2.4
        # components hold 70 % of the counted flux
        ("2211092397", {"missing_flux"}),
        # 3,700 counts, 6.3″ off IDL's circle, rows 28″ apart
        ("2211106153", {"position_error", "low_snr", "background_mismatch", "missing_flux"}),
    ],
)
def test_doubts_of_real_flares(uid: str, doubts: set[str]) -> None:
    (flare,) = (one for one in idl_flares() if one.uid == uid)
    paths = {path.name: path for path in (flare.file, background(), *aspect_files())}
    request = ImageRequest(flare.start, flare.end, (6.0, 10.0))
    recipe = prepare_recipe(request, flare.file, background(), aspect_files())
    images = reconstruct(recipe, lambda file: paths[file.name])
    found = {finding.code for finding in images.findings if finding.severity is Severity.DOUBT}
    assert found - {"disagreement"} == doubts


@pytest.mark.needs_shared_data
def test_two_footpoints_are_no_doubt() -> None:
    """20,000 counts in 16-28 keV: the wide one has more flux, the compact one is brighter; IDL is between."""
    (flare,) = (one for one in idl_flares() if one.uid == "2211119603")
    paths = {path.name: path for path in (flare.file, background(), *aspect_files())}
    window = np.datetime64("2022-11-11T03:12:51", "us"), np.datetime64("2022-11-11T03:13:51", "us")
    recipe = prepare_recipe(ImageRequest(*window, (16.0, 28.0)), flare.file, background(), aspect_files())
    images = reconstruct(recipe, lambda file: paths[file.name])
    assert {finding.code for finding in images.findings if finding.severity is Severity.DOUBT} == set()
    (note,) = (finding for finding in images.findings if finding.code == "disagreement")
    assert (note.severity, note.method) == (Severity.NOTE, Method.VIS_FWDFIT)
    assert note.text.endswith("from that of the other methods, which show both")


def test_recall_and_precision_are_counted_with_their_errors() -> None:
    pairs = [(True, True), (True, False), (False, True), (False, False), (False, False), (True, True)]
    assert counted(pairs) == [6, 3, 3, 2, "0.67 ± 0.28", "0.67 ± 0.28"]
    assert counted([(False, False)]) == [1, 0, 0, 0, "", ""]


def test_a_section_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    page = tmp_path / "accuracy.md"
    page.write_text(f"# Accuracy\n\n## Positions\n\nby another command\n\n{NEXT}\n\nrest\n", encoding="utf-8")
    for cell in ("first", "second"):
        replace_section(page, section([("Doubts", ["column"], [[cell]])]), NEXT)
    text = page.read_text(encoding="utf-8")
    assert text.count(HEADING) == text.count(NEXT) == 1
    assert "| second |" in text
    assert "first" not in text
    assert text.startswith("# Accuracy\n")
    assert "by another command" in text
    kept = keep_sections(f"# Accuracy\n\n{NEXT}\n\nnew\n", text, NEXT)
    assert kept.index("by another command") < kept.index("| second |") < kept.index(f"{NEXT}\n\nnew")
    assert text.endswith(f"{NEXT}\n\nrest\n")


def test_reliability_of_trusted_fluxes_counts_all_methods() -> None:
    rows = [["CLEAN", "position", 9, 9, 9, 9], ["CLEAN", "flux", 10, 4, 3, 2], ["EM", "flux", 10, 1, 1, 0]]
    text = flux_worth([("Warnings about images, real flares; wrong", [], rows)])
    assert "of 20 fluxes of real flares with all methods, 5 are wrong by more than 10 %" in text
    assert "Warnings find 2 of them (recall 0.40); 2 of the 4 flagged fluxes are wrong" in text
    assert "as are 3 of the 16 trusted ones" in text
    assert flux_worth([("Warnings about images, simulated flares; wrong", [], rows)]) == ""


def test_a_case_knows_whether_its_truth_is_on_the_disk() -> None:
    path, time = Path("science.fits"), np.datetime64("2022-11-11")
    case = Case("1", path, path, (), time, time, (1000.0, 0.0))
    assert on_the_disk(case, 950.0).truth == (1000.0, 0.0)
    assert on_the_disk(case, 900.0).truth is None
