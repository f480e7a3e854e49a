"""The four layers of a row of the flare list, and the ids of a flare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from archive import Archive
from archive.index.schema import FLARES
from jobs.flares.lists import import_flares
from jobs.flares.rows import (
    Layer,
    LayerSet,
    combined,
    over_earlier,
    replace_layers,
    with_given_ids,
    without_duplicates,
)

NOW = np.datetime64("2026-11-22T12:00:00", "us")
LATER = np.datetime64("2026-12-24T12:00:00", "us")


def layer(source, clock, flare_id=None, **values):
    """A layer of a flare with its peak at a time of 10 March 2023."""
    peak = np.datetime64(f"2023-03-10T{clock}", "us")
    own = flare_id or "230310" + clock.replace(":", "")[:4]
    return Layer(source, {"flare_id": own, "t_peak": peak, **values})


def lasting(source, clock, start, end, flare_id=None, **values):
    """The same, with start and end."""
    times = {name: np.datetime64(f"2023-03-10T{one}", "us") for name, one in (("t_start", start), ("t_end", end))}
    return layer(source, clock, flare_id, **times, **values)


def rows_of(**layers):
    return combined(LayerSet(**{kind: tuple(some) for kind, some in layers.items()}), NOW, simulated=False)


def test_each_layer_adds_its_values():
    (row,) = rows_of(
        detected=[layer("detected", "03:00", peak_counts=100.0, attenuator_in=True)],
        imported=[layer("a.csv", "03:01", goes_class="B1.0", attenuator_in=False)],
        measured=[layer("GOES-16", "03:00", goes_class="C3.4")],
        located=[layer("imaging", "03:01", hpc_x=10.0, hpc_y=20.0, location_source="imaging")],
    )
    assert (row.flare_id, row.other_ids, row.source) == ("2303100301", "2303100300", "a.csv")
    assert (row.peak_counts, row.attenuator_in, row.goes_class, row.hpc_x) == (100.0, True, "C3.4", 10.0)
    assert row.t_peak == np.datetime64("2023-03-10T03:01")
    assert Layer.from_json(row.measured).values["goes_class"] == "C3.4"
    assert LayerSet.of([row]).located[0].values["hpc_x"] == 10.0


def test_layers_without_a_flare_are_left_out():
    rows = rows_of(
        detected=[layer("detected", "03:00")],
        located=[layer("imaging", "04:00", hpc_x=1.0, hpc_y=2.0)],
        measured=[layer("GOES-16", "03:07", "2303100300", goes_class="C1.0"), layer("GOES-16", "02:00")],
    )
    assert [(row.flare_id, row.hpc_x, row.goes_class) for row in rows] == [("2303100300", None, "C1.0")]


@pytest.mark.parametrize(
    ("located", "expected"),
    [
        ({"hpc_x": 1.0, "hpc_y": 2.0, "location_source": "imaging"}, (1.0, "imaging", None, None)),
        ({"hpc_x": 1.0, "hpc_y": 2.0, "location_source": "coarse locator"}, (9.0, "imported list", "as listed", 7.0)),
        ({}, (9.0, "imported list", "as listed", 7.0)),
    ],
)
def test_position_comes_from_one_source(located, expected):
    """Images before lists before the coarse locator; method and error are never those of another position."""
    listed = layer("a.csv", "03:00", hpc_x=9.0, hpc_y=8.0, hpc_sigma=7.0, location_method="as listed")
    (row,) = rows_of(imported=[listed], located=[layer("imaging", "03:00", **located)])
    assert (row.hpc_x, row.location_source, row.location_method, row.hpc_sigma) == expected


def test_coarse_locator_is_the_last_resort():
    located = layer("imaging", "03:00", hpc_x=1.0, hpc_y=2.0, location_source="coarse locator")
    (row,) = rows_of(detected=[layer("detected", "03:00")], located=[located])
    assert (row.hpc_x, row.hpc_y, row.location_source) == (1.0, 2.0, "coarse locator")


def test_detected_flare_keeps_its_id():
    earlier = [lasting("detected", "03:04", "03:00", "03:20")]
    (moved,) = with_given_ids([lasting("detected", "03:08:59", "03:00", "03:20", peak_counts=5.0)], earlier)
    assert (moved.flare_id, moved.t_peak, moved.values["peak_counts"]) == (
        "2303100304", np.datetime64("2023-03-10T03:08:59"), 5.0
    )  # fmt: skip
    (new,) = with_given_ids([lasting("detected", "03:09", "03:05", "03:20")], earlier)
    assert (new.flare_id, new.ids) == ("2303100309", {"2303100309"})


def test_ids_of_a_detection_that_another_contains_become_other_ids():
    earlier = [lasting("detected", "03:00", "02:58", "03:03", other_ids="2303100259")]
    (row,) = with_given_ids([lasting("detected", "03:10", "02:58", "03:20")], earlier)
    assert row.ids == {"2303100310", "2303100300", "2303100259"}


def test_taken_id_is_moved_by_a_minute():
    """The first flare keeps the id of the minute in which the second, new one has its peak."""
    earlier = [lasting("detected", "03:05:40", "03:00", "03:20")]
    found = [lasting("detected", "03:01", "03:00", "03:02"), lasting("detected", "03:09:50", "03:05", "03:20")]
    assert [one.flare_id for one in with_given_ids(found, earlier)] == ["2303100301", "2303100305"]
    kept = replace(earlier[0], values={**earlier[0].values, "flare_id": "2303100309"})
    found = [lasting("detected", "03:05", "03:00", "03:06"), lasting("detected", "03:09:50", "03:09", "03:20")]
    assert [one.flare_id for one in with_given_ids(found, [kept])] == ["2303100309", "2303100310"]


def test_two_entries_of_a_list_with_one_flare():
    """The higher peak counts when the times overlap; separate times are two flares."""
    twice = [
        lasting("a", "18:16:00", "18:05", "18:28", peak_counts=3000.0, goes_class="C1.0"),
        lasting("a", "18:18:40", "18:10", "18:30", peak_counts=3199.0),
    ]
    (row,) = without_duplicates(twice)
    assert (row.flare_id, row.ids) == ("2303101818", {"2303101816", "2303101818"})
    assert (row.values["peak_counts"], row.values["goes_class"]) == (3199.0, "C1.0")
    apart = [lasting("a", "18:16:00", "18:05", "18:17"), lasting("a", "18:18:40", "18:17", "18:30")]
    assert without_duplicates(apart) == apart
    late = [lasting("a", "18:16:00", "18:05", "18:28"), lasting("a", "18:21:00", "18:10", "18:30")]
    assert without_duplicates(late) == late
    unknown = [layer("a", "18:16:00"), layer("a", "18:18:40")]
    assert without_duplicates(unknown) == unknown


def test_later_list_keeps_the_first_id():
    first = [layer("a.csv", "03:00", goes_class="C1.0"), layer("a.csv", "03:04")]
    second = [layer("b.csv", "03:03", hpc_x=1.0, hpc_y=2.0), layer("b.csv", "05:00")]
    both = over_earlier(second, first)
    assert [(one.flare_id, sorted(one.ids)) for one in both] == [
        ("2303100300", ["2303100300"]),
        ("2303100304", ["2303100303", "2303100304"]),
        ("2303100500", ["2303100500"]),
    ]
    assert over_earlier(second, both) == both
    again = {one.flare_id: one.values for one in over_earlier(first, both)}
    assert again["2303100304"]["hpc_x"] == 1.0


def test_id_of_another_row_is_no_other_id():
    detected = [layer("detected", "03:04", other_ids="2303100300 2303100303"), layer("detected", "03:00")]
    rows = rows_of(detected=detected)
    assert {row.flare_id: row.other_ids for row in rows} == {"2303100304": "2303100303", "2303100300": None}


@pytest.fixture
def archive(tmp_path):
    """An archive with one imported flare."""
    archive = Archive(tmp_path / "archive", create=True)
    path = tmp_path / "list.csv"
    path.write_text("flare_id,peak_utc,goes_class\n2303100301,2023-03-10T03:01:20,C3.4\n")
    import_flares(archive, path, NOW)
    return archive


def test_one_kind_of_layer_is_replaced(archive):
    located = layer("imaging", "03:01:20", hpc_x=1.0, hpc_y=2.0, location_source="imaging")
    before = archive.flare("2303100301")
    changes = replace_layers(archive, "located", {"2303100301": located, "2303100999": located}, LATER)
    assert changes.written == ("2303100301",)
    row = archive.flare("2303100301")
    assert (row.hpc_x, row.goes_class, row.updated_at) == (1.0, "C3.4", LATER)
    assert row.limits_changed_at == before.limits_changed_at == NOW
    assert replace_layers(archive, "located", {"2303100301": located}, LATER).written == ()
    replace_layers(archive, "located", {"2303100301": None}, NOW)
    assert archive.flare("2303100301") == before


def test_time_of_new_limits(archive):
    row = archive.flare("2303100301")
    archive.upsert(FLARES.name, [replace(row, limits_changed_at=None)])  # as in an older index
    replace_layers(archive, "located", {"2303100301": layer("imaging", "03:01:20", locator_x=1.0)}, LATER)
    assert archive.flare("2303100301").limits_changed_at == NOW
    path = archive.root.parent / "other.csv"
    path.write_text("flare_id,peak_utc\n2303100301,2023-03-10T03:01:24\n")
    import_flares(archive, path, LATER)
    assert archive.flare("2303100301").limits_changed_at == LATER
