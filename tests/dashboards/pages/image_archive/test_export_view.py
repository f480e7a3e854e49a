import csv
from dataclasses import replace
from io import StringIO
from typing import Any

from archive.index.schema import IMAGES
from dashboards.pages.image_archive.export_view import ExportActions, images_csv
from dashboards.shared.access import GUEST
from dashboards.shared.links import RouteLinks


def test_the_table_is_that_of_the_index(small: Any) -> None:
    rows = list(csv.DictReader(StringIO(images_csv(small.images[:3]))))
    assert list(rows[0]) == [column.name for column in IMAGES.columns]
    assert [row["image_id"] for row in rows] == [image.image_id for image in small.images[:3]]
    assert rows[0]["t_start"] == "2022-11-10T00:00:00.000000"
    assert float(rows[1]["peak_hpc_x"]) == small.images[1].peak_hpc_x
    assert rows[2]["goes_class"] == ""


def test_nothing_becomes_a_formula(small: Any) -> None:
    (row,) = csv.DictReader(StringIO(images_csv([replace(small.images[0], author="=cmd|' /C calc'!A0")])))
    assert row["author"].startswith("'=")


def test_the_selection_is_asked_for_with_every_click(small: Any) -> None:
    selected = list(small.images[:1])
    actions = ExportActions(lambda: tuple(selected), RouteLinks(), lambda: GUEST)
    assert len(actions._table().read().splitlines()) == 2
    selected.append(small.images[1])
    assert len(actions._table().read().splitlines()) == 3
