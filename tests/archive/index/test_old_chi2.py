"""χ² of images made when it was divided by n_vis - 1: one meaning in rows, records and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from archive import Archive
from archive.index.migrations import MIGRATIONS, migrate
from archive.index.old_chi2 import chi2_in_header, converted_value, per_degree_of_freedom
from archive.index.records import RECORD, read_record, write_record

RECIPE: dict[str, Any] = {
    "subcollimators": [str(n) for n in range(24)],
    "methods": {"vis_fwdfit": {"configuration": ["circle"], "fixed": []}},
}


@pytest.mark.parametrize(
    ("method", "shapes", "ndof"),
    [("clean", (), 48), ("vis_fwdfit", ("circle",), 44), ("vis_fwdfit", ("circle", "circle"), 40),
     ("vis_fwdfit", ("ellipse",), 42), ("vis_fwdfit", ("loop",), 41)],
)  # fmt: skip
def test_value_of_the_ground_software_is_converted(method: str, shapes: tuple[str, ...], ndof: int) -> None:
    assert per_degree_of_freedom(2.0, method, RECIPE, shapes) == pytest.approx(2.0 * 23 / ndof)


def test_as_many_parameters_as_values_leave_one_degree_of_freedom() -> None:
    recipe = RECIPE | {"subcollimators": ["10a", "10b"]}
    assert per_degree_of_freedom(2.0, "vis_fwdfit", recipe, ["circle"]) == 2.0


def test_fixed_values_are_no_parameters() -> None:
    recipe = json.loads(json.dumps(RECIPE))
    recipe["methods"]["vis_fwdfit"]["fixed"] = [{"fwhm": 20.0}]
    assert per_degree_of_freedom(2.0, "vis_fwdfit", recipe, ["circle"]) == pytest.approx(2.0 * 23 / 45)


def test_an_automatic_fit_without_its_file_is_unknown(tmp_path: Path) -> None:
    recipe = json.loads(json.dumps(RECIPE))
    recipe["methods"]["vis_fwdfit"]["configuration"] = ["auto"]
    assert converted_value(2.0, "vis_fwdfit", json.dumps(recipe), tmp_path / "lost.fits") is None
    assert converted_value(2.0, "clean", "{", tmp_path / "lost.fits") is None
    shapes = fits.BinTableHDU.from_columns([fits.Column("shape", "8A", array=["circle", "circle"])], name="SOURCES")
    for name in ("flux", "x", "y", "fwhm", "fwhm_max", "fwhm_min", "position_angle", "loop_angle"):
        for key in (name, f"{name}_sigma"):
            shapes.columns.add_col(fits.Column(key, "D", array=[1.0, 1.0]))
    fits.HDUList([fits.PrimaryHDU(), shapes]).writeto(tmp_path / "fit.fits")
    found = converted_value(2.0, "vis_fwdfit", json.dumps(recipe), tmp_path / "fit.fits")
    assert found == pytest.approx(2.0 * 23 / 40)


def test_a_file_that_tells_its_degrees_of_freedom_has_the_present_value() -> None:
    header = fits.Header({"CHI2": 2.0, "ALG_USED": "clean"})
    assert chi2_in_header(header, RECIPE, ()) == pytest.approx(2.0 * 23 / 48)
    header["CHI2DOF"] = 48
    assert chi2_in_header(header, RECIPE, ()) == 2.0


def test_an_old_index_is_converted_once(archive: Archive, make) -> None:
    images = [make.image(1, chi2=2.0), make.image(2, chi2=None), make.image(3, chi2=4.0)]
    archive.upsert("runs", [make.run(image.recipe_id, recipe=json.dumps(RECIPE)) for image in images[:2]])
    archive.upsert("images", images)
    (path,) = archive.index.glob("images/*.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["sidelobe_ratio"]), path)  # stands for a column that came later
    for _ in range(2):  # a step that was killed after this month is run again from its start
        (archive.index / "schema.json").write_text(json.dumps({"applied": [MIGRATIONS[0].name]}))
        assert migrate(archive.index) == [step.name for step in MIGRATIONS[1:]]
    found = archive.query("SELECT chi2, sidelobe_ratio FROM images ORDER BY image_id").to_pylist()
    assert found[0] == {"chi2": pytest.approx(2.0 * 23 / 48), "sidelobe_ratio": None}
    assert [row["chi2"] for row in found[1:]] == [None, None]  # the run of the third is lost: n_vis is unknown
    archive.upsert("images", [make.image(4)])  # the columns are those of today


def test_a_record_of_the_first_format_is_converted(tmp_path: Path, make) -> None:
    image = make.image(1, chi2=2.0)
    run = make.run(image.recipe_id, recipe=json.dumps(RECIPE))
    write_record(tmp_path, run, [image])
    new = read_record(tmp_path)
    assert new is not None
    assert new.images[0].chi2 == 2.0
    content = json.loads((tmp_path / RECORD).read_text()) | {"format": 1}
    (tmp_path / RECORD).write_text(json.dumps(content))
    old = read_record(tmp_path)
    assert old is not None
    assert old.images[0].chi2 == pytest.approx(2.0 * 23 / 48)
