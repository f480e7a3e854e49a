"""What previews and pages ask: pages of images, backgrounds, pointing files, places."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import (
    Archive,
    AuxFile,
    Flare,
    FlareFilter,
    ImageFilter,
    NotInArchive,
    QueryRefused,
    QuicklookFile,
    RunFilter,
    ScienceFile,
    ScienceFilter,
    SpectrumFilter,
)
from archive.index.rows import Place
from archive.index.schema import FLARES

T0 = np.datetime64("2022-11-11T12:00", "us")
TWO = {f"{3:016x}-bp", f"{5:016x}-clean"}


def hours(count: float) -> np.timedelta64:
    return np.timedelta64(round(count * 3600), "s")


def science(name: str, start_h: float = 0.0, length_h: float = 1.0, **changes: Any) -> ScienceFile:
    start = T0 + hours(start_h)
    values: dict[str, Any] = {
        "name": name,
        "product": "sci-xray-cpd",
        "uid": name,
        "level": "L1",
        "version": "01",
        "sha256": "0" * 64,
        "size": 1,
        "path": f"fits/{name}",
        "t_start": start,
        "t_end": start + hours(length_h),
        "duration_s": length_h * 3600,
        "n_bins": 1,
        "bin_min_s": length_h * 3600,
        "bin_max_s": length_h * 3600,
        "n_pixels": 12,
        "n_channels": 31,
        "e_low": 4.0,
        "e_high": np.inf,
        "all_detectors": True,
        "rcr_min": 0,
        "rcr_max": 0,
        "counts": 1e6,
        "purpose": "",
        "is_background": False,
        "ingested_at": T0,
    }
    return ScienceFile(**(values | changes))


def file_of(kind: type, name: str, start_h: float, length_h: float, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "name": name,
        "product": "",
        "level": "L2",
        "version": "01",
        "sha256": "0" * 64,
        "size": 1,
        "path": f"fits/{name}",
        "t_start": T0 + hours(start_h),
        "t_end": T0 + hours(start_h + length_h),
        "ingested_at": T0,
    }
    if kind is AuxFile:
        values |= {"n_records": 1, "has_sas_ok": False, "n_sas_ok": 1}
    else:
        values |= {"n_bins": 1, "cadence_s": 4.0, "n_bands": 5, "e_low": 4.0, "e_high": 150.0}
    return kind(**(values | changes))


@pytest.fixture(scope="module")
def built_gallery(built_once: Callable[..., Any], make) -> Path:
    """Sixty images of ten recipes over two months, some of them without a class, some hidden."""
    return built_once("gallery", lambda root: _build_gallery(Archive(root, create=True), make))[0]


@pytest.fixture
def gallery(built_gallery: Path, tmp_path: Path) -> Archive:
    """A copy of it that a test may change."""
    return Archive(shutil.copytree(built_gallery, tmp_path / "gallery"))


def _build_gallery(archive: Archive, make) -> None:
    methods = ("full_disk_bp", "bp", "clean", "em", "mem_ge", "vis_fwdfit")
    rows = [
        make.image(
            n // 6,
            f"2022-{10 + n // 36}-{1 + n // 6:02d}T12:00",
            method=methods[n % 6],
            uid=f"22111100{n // 12:02d}",
            flare_id=f"221111{n // 6:04d}",
            group_id=f"cube-{n % 3}" if n % 4 == 0 else None,
            goes_class=None if n % 5 == 0 else "C3.4",
            goes_flux=None if n % 5 == 0 else 3.4e-6 * (1 + n % 7),
            goes_estimated_flux=None if n % 4 == 0 else 1e-6 * (1 + n % 6),
            total_flux=float(n % 13),
            hidden=n % 10 == 9,
            author="ann" if n % 20 in {3, 19} else ("bob" if n % 10 == 9 else "auto"),
            peak_hpc_x=None if n % 11 == 0 else 20.0 * n - 600.0,
            peak_hpc_y=None if n % 11 == 0 else float(n),
            trusted=n % 4 != 0,
            verdict_position=(None, "trusted", "doubtful")[n % 3],
            verdict_flux=(None, "doubtful", "trusted")[n % 3],
            verdict_shape="trusted" if n % 4 else "doubtful",
            e_low=4.0 if n % 2 else 16.0,
            e_high=10.0 if n % 2 else 28.0,
        )
        for n in range(60)
    ]
    archive.upsert("images", rows[:40])
    # above background: 0, 1000, … 9000 ct, and for odd ones not known
    archive.upsert("runs", [_counted(make, number) for number in range(10)])
    archive.build_read_model()
    archive.upsert("images", rows[40:])
    archive.close()


def _counted(make, number: int) -> Any:
    known = {} if number % 2 else {"counts_total": 1000.0 * number + 500.0, "counts_background": 500.0}
    return make.run(f"{number:016x}", **known)


def test_newest_first(gallery: Archive) -> None:
    times = [row.t_start for row in gallery.images()]
    assert times == sorted(times, reverse=True)
    assert len(times) == gallery.count_images() == 54


def test_hidden_images_are_their_authors(gallery: Archive) -> None:
    assert not any(row.hidden for row in gallery.images())
    mine = gallery.images(ImageFilter(viewer="ann"))
    assert {row.author for row in mine if row.hidden} == {"ann"}
    assert len(mine) == gallery.count_images(ImageFilter(viewer="ann")) == 57
    assert gallery.count_images(ImageFilter(all_hidden=True)) == 60
    assert gallery.count_images(ImageFilter(viewer="")) == 54


@pytest.mark.parametrize(
    ("which", "holds"),
    [
        (ImageFilter(methods=("clean", "bp")), lambda row: row.method in {"clean", "bp"}),
        (ImageFilter(uid="2211110003"), lambda row: row.uid == "2211110003"),
        (ImageFilter(flare_id="2211110004"), lambda row: row.flare_id == "2211110004"),
        (ImageFilter(recipe_id=f"{4:016x}"), lambda row: row.recipe_id == f"{4:016x}"),
        (ImageFilter(estimated_min=2e-6), lambda row: (row.goes_estimated_flux or 0) >= 2e-6),
        (ImageFilter(estimated_max=2e-6), lambda row: (row.goes_estimated_flux or 1) < 2e-6),
        (ImageFilter(goes_min=1e-5), lambda row: (row.goes_flux or 0) >= 1e-5),
        (ImageFilter(goes_min=3e-6, goes_max=1e-5), lambda row: 3e-6 <= (row.goes_flux or 0) < 1e-5),
        (ImageFilter(trusted=False), lambda row: not row.trusted),
        (ImageFilter(verdict_position="doubtful"), lambda row: row.verdict_position == "doubtful"),
        (ImageFilter(verdict_position="trusted"), lambda row: row.verdict_position == "trusted"),
        (ImageFilter(verdict_flux="trusted"), lambda row: row.verdict_flux == "trusted"),
        (ImageFilter(verdict_shape="doubtful"), lambda row: row.verdict_shape == "doubtful"),
        (ImageFilter(simulated=True), lambda row: row.simulated),
        (ImageFilter(e_low=6, e_high=7), lambda row: row.e_low == 4.0),
        (ImageFilter(e_low=10, e_high=16), lambda row: False),
        (ImageFilter(x_min=-200, x_max=100), lambda row: row.peak_hpc_x is not None and -200 <= row.peak_hpc_x <= 100),
        (ImageFilter(y_min=30), lambda row: (row.peak_hpc_y or 0) >= 30),
        (ImageFilter(y_max=30), lambda row: row.peak_hpc_y is not None and row.peak_hpc_y <= 30),
        (ImageFilter(counts_min=4000), lambda row: int(row.recipe_id, 16) in {4, 6, 8}),
        (ImageFilter(grouped=True), lambda row: row.group_id is not None),
        (ImageFilter(grouped=False), lambda row: row.group_id is None),
        (ImageFilter(group_id="cube-1"), lambda row: row.group_id == "cube-1"),
        (ImageFilter(automatic=True), lambda row: row.author == "auto"),
        (ImageFilter(automatic=False), lambda row: row.author != "auto"),
        (ImageFilter(ids=(f"{3:016x}-bp", f"{5:016x}-clean", "nothing")), lambda row: row.image_id in TWO),
        (ImageFilter(author="auto"), lambda row: row.author == "auto"),
        (ImageFilter(text="2211110003"), lambda row: "2211110003" in row.uid + " " + row.flare_id),
        (
            ImageFilter(t_start=np.datetime64("2022-10-05"), t_end=np.datetime64("2022-11-08")),
            lambda row: np.datetime64("2022-10-05") <= row.t_start < np.datetime64("2022-11-08"),
        ),
    ],
)
def test_filters(gallery: Archive, which: ImageFilter, holds) -> None:
    expected = {row.image_id for row in gallery.images() if holds(row)}
    assert {row.image_id for row in gallery.images(which)} == expected
    assert gallery.count_images(which) == len(expected)


def test_a_time_window_touches_what_overlaps_it(archive: Archive, make) -> None:
    archive.upsert("images", [make.image(1, "2022-11-11T12:00")])  # to 12:01
    for first, last, expected in [
        ("11:59", "12:00", 0),
        ("12:00", "12:01", 1),
        ("12:01", "12:02", 0),
        ("11:00", "13:00", 1),
    ]:
        window = ImageFilter(t_start=np.datetime64(f"2022-11-11T{first}"), t_end=np.datetime64(f"2022-11-11T{last}"))
        assert archive.count_images(window) == expected


SORTS = st.lists(
    st.sampled_from(["t_start", "-t_start", "goes_flux", "-goes_flux", "total_flux", "-total_flux", "method", "-uid"]),
    max_size=3,
).map(tuple)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sort=SORTS, size=st.integers(1, 70))
def test_pages_neither_overlap_nor_leave_out(gallery: Archive, sort: tuple[str, ...], size: int) -> None:
    whole = gallery.images(sort=sort, limit=1000)
    paged = [row for offset in range(0, 60, size) for row in gallery.images(sort=sort, limit=size, offset=offset)]
    assert paged == whole
    assert len({row.image_id for row in whole}) == 54


WHICH = st.builds(
    ImageFilter,
    text=st.sampled_from(["", "22111", "0004", "clean", "e", "-", "4-c", "0005-vis_fwdfit", "9-", "nothing"]),
    methods=st.sampled_from([(), ("clean", "bp")]),
    trusted=st.sampled_from([None, True]),
    counts_min=st.sampled_from([None, 3000.0]),
    viewer=st.sampled_from([None, "ann"]),
)


def plainly(archive: Archive, which: ImageFilter, sort: tuple[str, ...]) -> list[str]:
    """Ids of all images in order, from one query without any art."""
    text = replace(which, text="").conditions
    order = [f"{name.removeprefix('-')} {'DESC' if name[0] == '-' else 'ASC'} NULLS LAST" for name in sort]
    found = archive.query(
        f"SELECT image_id, uid, flare_id FROM images{text.where} "
        f"ORDER BY {', '.join([*order, 't_start DESC', 'image_id'])}",
        text.values,
    ).to_pylist()
    return [row["image_id"] for row in found if any(which.text in (value or "") for value in row.values())]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=WHICH, sort=SORTS, size=st.integers(1, 30), page=st.integers(1, 7))
def test_pages_are_those_of_the_plain_query(
    gallery: Archive, which: ImageFilter, sort: tuple[str, ...], size: int, page: int
) -> None:
    ids = plainly(gallery, which, sort)
    pages = max(1, -(-len(ids) // size))
    begin = (min(page, pages) - 1) * size
    for _ in range(2):  # the second time the number is known
        rows, total = gallery.image_page(which, sort=sort, size=size, page=page)
        assert ([row.image_id for row in rows], total) == (ids[begin : begin + size], len(ids))
    rows = gallery.images(which, sort=sort, limit=size, offset=7)
    assert [row.image_id for row in rows] == ids[7 : 7 + size]


def test_pages_far_down_are_those_of_the_plain_query(gallery: Archive, monkeypatch) -> None:
    monkeypatch.setattr("archive.index.rows._NEAR", 20)
    ids = plainly(gallery, ImageFilter(), ("method",))
    for page in range(1, 8):
        rows, total = gallery.image_page(ImageFilter(), sort=("method",), size=9, page=page)
        assert ([row.image_id for row in rows], total) == (ids[9 * (min(page, 6) - 1) :][:9], 54)


@pytest.mark.parametrize("tried", [1, 2, 8])
@pytest.mark.parametrize(
    "which",
    [
        ImageFilter(methods=("clean",), trusted=True),
        ImageFilter(methods=("bp", "em"), x_min=0.0),
        ImageFilter(x_min=400.0, author="auto"),
        ImageFilter(x_min=1e6),
        ImageFilter(text="0004", trusted=True),
        ImageFilter(text="3"),
    ],
)
def test_pages_of_image_sets_are_those_of_the_plain_query(
    gallery: Archive, make, monkeypatch, which: ImageFilter, tried: int
) -> None:
    monkeypatch.setattr("archive.index.rows._TRIED", tried)
    runs = [make.run(f"{n:016x}", t_start=T0 + hours(n % 4), flare_id=f"22111100{n:02d}") for n in range(10)]
    gallery.upsert("runs", runs)
    images = gallery.images(replace(which, text="", all_hidden=True), limit=100)
    chosen = {image.recipe_id for image in images if not image.hidden}
    expected = [
        run.run_id
        for run in sorted(runs, key=lambda run: (-(run.t_start.astype(int)), run.run_id))
        if run.run_id in chosen and (which.text in run.run_id or which.text in run.flare_id or which.text in run.uid)
    ]
    for size, page in ((1, 1), (2, 2), (3, 3), (25, 1)):
        begin = (min(page, max(1, -(-len(expected) // size))) - 1) * size
        for _ in range(2):  # the second time the number is known
            found, total = gallery.set_page(which, size=size, page=page)
            assert ([run.run_id for run in found], total) == (expected[begin : begin + size], len(expected))


@pytest.mark.parametrize("which", [ImageFilter(), ImageFilter(viewer="ann", e_low=4.0, e_high=10.0)])
@pytest.mark.parametrize(
    "sort", [("-t_start",), ("goes_flux",), ("-peak_hpc_x", "method"), ("author", "-total_flux"), ("-net_counts",)]
)
def test_every_image_knows_its_place(gallery: Archive, which: ImageFilter, sort: tuple[str, ...]) -> None:
    listed = [row.image_id for row in gallery.images(which, sort=sort)]
    asked = [*range(0, len(listed), 5), len(listed) - 1]
    places = [gallery.image_place(listed[number], which, sort=sort) for number in asked]
    assert places == [Place(number, len(listed)) for number in asked]
    hidden = gallery.images(ImageFilter(all_hidden=True, author="bob"))[0]
    assert gallery.image_place(hidden.image_id, which, sort=sort) is None
    assert gallery.image_place("nothing", which, sort=sort) is None


def test_images_that_compare_equal_come_newest_first(gallery: Archive) -> None:
    clean = gallery.images(ImageFilter(methods=("clean",)), sort=("method",))
    assert len(clean) > 5
    assert [row.t_start for row in clean] == sorted((row.t_start for row in clean), reverse=True)


def test_a_page_is_full_although_rows_were_removed_meanwhile(gallery: Archive, monkeypatch) -> None:
    """Where the page ends is known, then the newest image goes, then the page is asked for."""
    real, newest = type(gallery._rows)._up_to, gallery.images(limit=1)[0].image_id

    def removing(*words):
        gallery.delete("images", [newest])
        return real(*words)

    monkeypatch.setattr("archive.index.rows.Rows._up_to", removing)
    rows, _ = gallery.image_page(ImageFilter(), size=10)
    assert [row.image_id for row in rows] == plainly(gallery, ImageFilter(), ("-t_start",))[:10]


@pytest.mark.parametrize("downwards", [False, True])
def test_images_are_sorted_by_the_counts_of_their_run(gallery: Archive, downwards: bool) -> None:
    sort = ("-net_counts" if downwards else "net_counts",)
    rows = gallery.images(sort=sort, limit=100)
    recipes = [int(row.recipe_id, 16) for row in rows]
    known = [number for number in recipes if number % 2 == 0]
    assert recipes[: len(known)] == sorted(known, reverse=downwards)
    assert all(number % 2 for number in recipes[len(known) :])
    paged = [gallery.image_page(ImageFilter(), sort=sort, size=20, page=page) for page in (1, 2, 3)]
    assert [row for part, _ in paged for row in part] == rows
    assert {total for _, total in paged} == {len(rows)}


@pytest.mark.parametrize("sort", ["goes_flux", "-goes_flux"])
def test_unknown_values_come_last_either_way(gallery: Archive, sort: str) -> None:
    known = [row.goes_flux is not None for row in gallery.images(sort=(sort,))]
    assert known == sorted(known, reverse=True)
    fluxes = [row.goes_flux for row in gallery.images(sort=(sort,)) if row.goes_flux is not None]
    assert fluxes == sorted(fluxes, reverse=sort.startswith("-"))


@pytest.mark.parametrize("sort", ["goes_flux", "-goes_estimated_flux"])
def test_image_sets_sort_by_the_classes_of_their_flares(gallery: Archive, make, sort: str) -> None:
    name = sort.removeprefix("-")
    fluxes = {f"22111100{n:02d}": None if n == 3 else 1e-6 * (1 + 3 * n % 10) for n in range(10)}
    gallery.upsert("runs", [make.run(f"{n:016x}", flare_id=flare_id) for n, flare_id in enumerate(fluxes)])
    rows = [
        Flare(flare_id=flare_id, t_peak=T0, source="detected", updated_at=T0, **{name: flux})
        for flare_id, flux in fluxes.items()
    ]
    gallery.upsert("flares", rows)
    found = [fluxes[run.flare_id] for run in gallery.set_page(ImageFilter(), sort=(sort,), size=20)[0]]
    known = [flux for flux in found if flux is not None]
    assert len(known) >= 8
    assert found == [*sorted(known, reverse=sort.startswith("-")), None]


def test_what_does_not_exist_is_named(archive: Archive) -> None:
    for question, message in [
        (lambda: archive.image("x-clean"), "table images has no image_id 'x-clean'"),
        (lambda: archive.run("x"), "table runs has no run_id 'x'"),
        (lambda: archive.flare("x"), "table flares has no flare_id 'x'"),
        (lambda: archive.science_file("x"), "no science file has the name or uid 'x'"),
        (lambda: archive.locate("x"), "no science file has the name or uid 'x'"),
    ]:
        with pytest.raises(NotInArchive, match=message):
            question()


def test_runs(archive: Archive, make) -> None:
    rows = [
        make.run("a", t_start=T0, t_end=T0 + hours(1)),
        make.run("b", t_start=T0 + hours(2), t_end=T0 + hours(3), status="skipped", reason="too few counts"),
        make.run(
            "c", t_start=T0 + hours(4), t_end=T0 + hours(5), status="failed", kind="user", author="ann", hidden=True
        ),
    ]
    archive.upsert("runs", rows)
    assert archive.run("b") == rows[1]
    assert [row.run_id for row in archive.runs()] == ["b", "a"]
    assert [row.run_id for row in archive.runs(RunFilter(viewer="ann"))] == ["c", "b", "a"]
    assert [row.run_id for row in archive.runs(RunFilter(statuses=("skipped", "failed")))] == ["b"]
    assert archive.count_runs(RunFilter(all_hidden=True, kind="user")) == 1


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory, make) -> Archive:
    """Runs, science files and flares that differ in what filters ask for; tests must not change it."""
    archive = Archive(tmp_path_factory.mktemp("listed"), create=True)
    runs = [
        make.run("a", uid="1", t_start=T0, t_end=T0 + hours(1)),
        make.run("b", uid="3", flare_id="2211111200", band="15-25 keV", t_start=T0 + hours(2), t_end=T0 + hours(3)),
        make.run("c", uid="3", kind="user", author="ann", simulated=True, t_start=T0 + hours(4), t_end=T0 + hours(5)),
    ]
    archive.upsert("runs", runs)
    files = [
        science("a", 0, 1),
        science("b", 2, 2, is_background=True, e_high=28.0, purpose="BKG quiet"),
        science("c", 5, 3, product="sci-xray-spec", simulated=True, e_low=5.0, e_high=10.0),
        science("replaced", 3, 2, superseded_by="b"),
    ]
    archive.upsert("science_files", files)
    flares = [
        Flare(
            flare_id=f"2211111{2 + n}0{n}",
            t_peak=T0 + hours(n),
            goes_flux=1e-6 * (1 + n),
            simulated=n == 2,
            source="detected",
            updated_at=T0,
        )
        for n in range(3)
    ]
    archive.upsert("flares", flares)
    return archive


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (RunFilter(t_start=T0 + hours(1)), {"b", "c"}),
        (RunFilter(t_end=T0 + hours(2)), {"a"}),
        (RunFilter(t_start=T0 + hours(0.9), t_end=T0 + hours(2.1)), {"a", "b"}),
        (RunFilter(uid="1"), {"a"}),
        (RunFilter(flare_id="2211111200"), {"b"}),
        (RunFilter(author="ann"), {"c"}),
        (RunFilter(band="15-25 keV"), {"b"}),
        (RunFilter(kind="user"), {"c"}),
        (RunFilter(simulated=True), {"c"}),
        (RunFilter(simulated=False), {"a", "b"}),
        (RunFilter(text="c"), {"c"}),
        (RunFilter(text="1111120"), {"b"}),
        (RunFilter(text="2"), {"b"}),
    ],
)
def test_filters_of_runs(listed: Archive, which: RunFilter, expected: set[str]) -> None:
    """A time range that only touches a run does not overlap it."""
    assert {row.run_id for row in listed.runs(which)} == expected


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (ScienceFilter(t_start=T0 + hours(1)), {"b", "c"}),
        (ScienceFilter(t_end=T0 + hours(2)), {"a"}),
        (ScienceFilter(product="sci-xray-spec"), {"c"}),
        (ScienceFilter(uid="b"), {"b"}),
        (ScienceFilter(is_background=True), {"b"}),
        (ScienceFilter(simulated=True), {"c"}),
        (ScienceFilter(min_duration_s=7200.0), {"b", "c"}),
        (ScienceFilter(e_low=4.0), {"a", "b"}),
        (ScienceFilter(e_high=28.0), {"a", "b"}),
        (ScienceFilter(e_high=28.1), {"a"}),
        (ScienceFilter(text="QUIET"), {"b"}),
        (ScienceFilter(text="C"), {"c"}),
    ],
)
def test_filters_of_science_files(listed: Archive, which: ScienceFilter, expected: set[str]) -> None:
    """The band of a filter is covered by a file of just that band."""
    assert {row.name for row in listed.science_files(which)} == expected
    assert listed.count_science_files(which) == len(expected)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (FlareFilter(t_start=T0 + hours(1)), {"2211111301", "2211111402"}),
        (FlareFilter(t_end=T0 + hours(1)), {"2211111200"}),
        (FlareFilter(goes_min=2e-6), {"2211111301", "2211111402"}),
        (FlareFilter(goes_max=2e-6), {"2211111200"}),
        (FlareFilter(simulated=True), {"2211111402"}),
        (FlareFilter(text="1301"), {"2211111301"}),
    ],
)
def test_filters_of_flares(listed: Archive, which: FlareFilter, expected: set[str]) -> None:
    """By their peak; the first time and the smallest flux are included, the last time and the largest flux are not."""
    assert {row.flare_id for row in listed.flare_page(which)} == expected
    assert listed.count_flares(which) == len(expected)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, make) -> Archive:
    """Spectra that differ in what filters ask for, and their flares; tests must not change it."""
    archive = Archive(tmp_path_factory.mktemp("measured") / "archive", create=True)
    fits = {
        "2211111200": {"temperature": 12.0, "delta": 4.0},
        "2211111300": {"temperature": 20.0, "delta": None},
        "2211111400": {"temperature": None, "delta": 7.5},
        "2211111500": {"temperature": None, "delta": None},
    }
    rows = [
        make.spectrum(
            10 + n,
            str(T0 + hours(n)),
            t_end=T0 + hours(n + 1),
            uid=str(n),
            flare_id=flare_id,
            verdict=("trusted", "doubtful", "trusted", None)[n],
            model=("vth+thick2", "vth", "thick2", None)[n],
            simulated=n == 2,
            **fit,
        )
        for n, (flare_id, fit) in enumerate(fits.items())
    ]
    mine = make.spectrum(14, str(T0 + hours(9)), kind="user", author="ann", hidden=True, science_name="other.fits")
    archive.write_spectra([*rows, mine])
    archive.upsert(
        "flares",
        [
            Flare(flare_id=flare_id, t_peak=T0 + hours(n), source="detected", updated_at=T0, **fit)
            for n, (flare_id, fit) in enumerate(fits.items())
        ],
    )
    return archive


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (SpectrumFilter(), {"a", "b", "c", "d"}),
        (SpectrumFilter(t_start=T0 + hours(1)), {"b", "c", "d"}),
        (SpectrumFilter(t_end=T0 + hours(1)), {"a"}),
        (SpectrumFilter(uid="1"), {"b"}),
        (SpectrumFilter(flare_id="2211111400"), {"c"}),
        (SpectrumFilter(kind="user"), set()),
        (SpectrumFilter(kind="user", viewer="bob"), set()),
        (SpectrumFilter(kind="user", viewer="ann"), {"e"}),
        (SpectrumFilter(author="ann", all_hidden=True), {"e"}),
        (SpectrumFilter(science_name="other.fits", all_hidden=True), {"e"}),
        (SpectrumFilter(model="vth"), {"b"}),
        (SpectrumFilter(verdict="trusted"), {"a", "c"}),
        (SpectrumFilter(temperature_min=12.0), {"a", "b"}),
        (SpectrumFilter(temperature_max=12.0), {"a"}),
        (SpectrumFilter(delta_min=4.0, delta_max=7.5), {"a", "c"}),
        (SpectrumFilter(delta_min=4.1), {"c"}),
        (SpectrumFilter(simulated=True), {"c"}),
        (SpectrumFilter(text="00c"), {"c"}),
        (SpectrumFilter(text="1111150"), {"d"}),
    ],
)
def test_filters_of_spectra(measured: Archive, which: SpectrumFilter, expected: set[str]) -> None:
    """A time range that only touches a spectrum does not overlap it; limits of the fit are included."""
    ids = {int(row.spectrum_id, 16) for row in measured.spectra(which)}
    assert {"abcde"[number - 10] for number in ids} == expected
    assert measured.count_spectra(which) == len(expected)


def test_pages_of_spectra(measured: Archive) -> None:
    newest = measured.spectra()
    assert [row.uid for row in newest] == ["3", "2", "1", "0"]
    assert measured.spectra(limit=2, offset=1) == newest[1:3]
    assert [row.uid for row in measured.spectra(sort=("temperature",), limit=3)] == ["0", "1", "3"]
    assert [row.uid for row in measured.spectra(sort=("-delta",))] == ["2", "0", "3", "1"]
    assert measured.spectrum(newest[0].spectrum_id) == newest[0]
    with pytest.raises(NotInArchive, match="spectra has no spectrum_id 'nothing'"):
        measured.spectrum("nothing")
    with pytest.raises(QueryRefused, match="no column 'heat'"):
        measured.spectra(sort=("heat",))


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (FlareFilter(temperature_min=12.0), ["00", "01"]),
        (FlareFilter(temperature_min=12.5), ["01"]),
        (FlareFilter(temperature_max=12.0), ["00"]),
        (FlareFilter(delta_max=7.5), ["00", "02"]),
        (FlareFilter(delta_min=4.0, delta_max=5.0), ["00"]),
        (FlareFilter(temperature_max=30.0, delta_min=0.0), ["00"]),
    ],
)
def test_flares_by_the_fit_of_their_spectra(measured: Archive, which: FlareFilter, expected: list[str]) -> None:
    """A flare without a fit matches no limit on it; both limits are included."""
    found = [f"{int(row.flare_id[6:8]) - 12:02d}" for row in measured.flare_page(which, sort=("t_peak",))]
    assert found == expected
    assert measured.count_flares(which) == len(expected)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("temperature", "0132"), ("-temperature", "1032"), ("delta", "0231"), ("-delta", "2031")],
)
def test_flares_sorted_by_the_fit_of_their_spectra(measured: Archive, sort: str, expected: str) -> None:
    """Flares without the value are last either way, newest first among themselves."""
    rows = measured.flare_page(sort=(sort,))
    assert "".join(str(int(row.flare_id[6:8]) - 12) for row in rows) == expected
    assert measured.flare_page(sort=(sort,), limit=2, offset=1) == rows[1:3]


def flares_of_images(archive: Archive, make) -> None:
    flares = [
        Flare(flare_id="2211111200", t_peak=T0, other_ids="2211111203 2211111204", source="detected", updated_at=T0),
        Flare(flare_id="2211111301", t_peak=T0 + hours(1), source="detected", updated_at=T0),
        Flare(flare_id="2211111402", t_peak=T0 + hours(2), source="detected", updated_at=T0),
    ]
    archive.upsert("flares", flares)
    images = [
        make.image(1, flare_id="2211111200"),
        make.image(2, flare_id="2211111301", hidden=True, author="ada"),
        make.image(3),
    ]
    archive.upsert("images", images)


def test_images_by_any_id_of_their_flare(archive: Archive, make) -> None:
    flares_of_images(archive, make)
    (image,) = archive.images(ImageFilter(flare_id="2211111200"))
    assert archive.images(ImageFilter(flare_id="2211111203")) == [image]
    assert archive.images(ImageFilter(text="2211111203")) == [image]
    assert archive.images(ImageFilter(flare_id="221111120")) == []


def test_listed_ids_of_other_ids(archive: Archive, make) -> None:
    flares_of_images(archive, make)
    earlier = Flare(flare_id="2211111100", t_peak=T0 - hours(1), other_ids="2211111204", source="x", updated_at=T0)
    archive.upsert("flares", [earlier])
    asked = {"2211111203", "2211111204", "2211111200", "2211119999"}
    assert archive.listed_ids(asked) == {"2211111203": "2211111200", "2211111204": "2211111100"}
    assert archive.listed_ids(set()) == {}


def test_science_files_by_the_listed_id_of_their_flare(archive: Archive, make: Any) -> None:
    """The purpose has the id of the request."""
    flares_of_images(archive, make)
    file = science("1", purpose="Flare 2211111204, Solar Flare")
    archive.upsert("science_files", [file, science("2", purpose="quiet")])
    for text in ("2211111200", "2211111204", "flare 2211111204"):
        assert archive.science_files(ScienceFilter(text=text)) == [file]
    assert archive.science_files(ScienceFilter(text="2211111301")) == []


def test_flare_by_any_of_its_ids(archive: Archive, make) -> None:
    """A part of an id is none; the id of a row counts before the other id of another row."""
    flares_of_images(archive, make)
    assert archive.flare("2211111203").flare_id == "2211111200"
    for nothing in ("221111120", "2211111205", "2211111203 2211111204", ""):
        with pytest.raises(NotInArchive, match="has no flare_id"):
            archive.flare(nothing)
    archive.upsert("flares", [Flare(flare_id="2211111203", t_peak=T0, source="detected", updated_at=T0)])
    assert archive.flare("2211111203").flare_id == "2211111203"


@pytest.fixture
def located(archive: Archive) -> Archive:
    """A flare seen by all, one behind the limb of the Earth, and one of which only the peak is known."""
    common: dict[str, Any] = {"source": "detected", "updated_at": T0}
    seen = Flare(
        flare_id="2211111200", t_start=T0 - hours(1), t_peak=T0, t_end=T0 + hours(1), goes_flux=1e-6,
        goes_estimated_flux=2e-6, hpc_x=1000.0, hpc_y=-500.0, dsun_au=0.5, location_verdict="trusted",
        earth_visible=True, earth_x=400.0, earth_y=-200.0, carrington_lon=350.0, stonyhurst_lat=-15.0,
        best_image_thermal="a-clean", sol_id="SOL2022-11-11T12:00:00L350C105", **common,
    )  # fmt: skip
    behind = Flare(
        flare_id="2211111301", t_start=T0, t_peak=T0 + hours(1), t_end=T0 + hours(1), goes_estimated_flux=1e-5,
        hpc_x=-100.0, hpc_y=0.0, dsun_au=1.0, location_verdict="doubtful", earth_visible=False, earth_x=900.0,
        earth_y=10.0, carrington_lon=20.0, stonyhurst_lat=5.0, other_ids="2211111302 12345", **common,
    )  # fmt: skip
    archive.upsert("flares", [seen, behind, Flare(flare_id="2211111402", t_peak=T0 + hours(2), **common)])
    return archive


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (FlareFilter(estimated_min=2e-6), {"2211111200", "2211111301"}),
        (FlareFilter(estimated_max=1e-5), {"2211111200"}),
        (FlareFilter(verdict="trusted"), {"2211111200"}),
        (FlareFilter(verdict="doubtful"), {"2211111301"}),
        (FlareFilter(verdict="unknown"), {"2211111402"}),
        (FlareFilter(earth_visible=True), {"2211111200"}),
        (FlareFilter(earth_visible=False), {"2211111301"}),
        (FlareFilter(has_images=True), {"2211111200"}),
        (FlareFilter(has_images=False), {"2211111301", "2211111402"}),
        (FlareFilter(x_min=0.0), {"2211111200"}),
        (FlareFilter(x_max=0.0, y_min=-100.0, y_max=100.0), {"2211111301"}),
        # 1000″ at 0.5 au, where the Sun has 1919″, is half a radius
        (FlareFilter(disk_box=(0.5, 0.53, -0.3, -0.2)), {"2211111200"}),
        (FlareFilter(disk_box=(-0.2, 0.0, -0.1, 0.1)), {"2211111301"}),
        (FlareFilter(earth_box=(300.0, 500.0, -300.0, 0.0)), {"2211111200"}),
        (FlareFilter(carrington_box=(0.0, 90.0, -10.0, 10.0)), {"2211111301"}),
        (FlareFilter(text="12345"), {"2211111301"}),
        (FlareFilter(text="sol2022-11-11t12"), {"2211111200"}),
    ],
)
def test_filters_of_located_flares(located: Archive, which: FlareFilter, expected: set[str]) -> None:
    """What is unknown matches no limit, and is never taken for zero."""
    assert {row.flare_id for row in located.flare_page(which)} == expected
    assert located.count_flares(which) == len(expected)
    assert set(located.flare_table(which, ["flare_id"])["flare_id"].to_pylist()) == expected


def test_flares_by_duration(located: Archive) -> None:
    rows = located.flare_page(sort=("-duration_s",))
    assert [row.flare_id for row in rows] == ["2211111200", "2211111301", "2211111402"]  # the unknown one last


def test_the_table_of_all_flares(located: Archive) -> None:
    table = located.flare_table()
    assert table.column_names == [column.name for column in FLARES.columns]
    assert table["flare_id"].to_pylist() == ["2211111200", "2211111301", "2211111402"]
    with pytest.raises(QueryRefused, match="no column 'nothing'"):
        located.flare_table(columns=["nothing"])


def test_flares(archive: Archive) -> None:
    rows = [
        Flare(flare_id=f"22111112{n:02d}", t_peak=T0 + np.timedelta64(n, "m"), source="detected", updated_at=T0)
        for n in range(5)
    ]
    archive.upsert("flares", rows)
    assert archive.flares() == rows
    assert archive.flares(T0 + np.timedelta64(1, "m"), T0 + np.timedelta64(3, "m")) == rows[1:3]
    assert archive.flare("2211111204") == rows[4]


def test_the_file_of_a_request(archive: Archive) -> None:
    rows = [
        science("old", uid="2211110001", level="L1A", superseded_by="new"),
        science("new", uid="2211110001"),
        science("spectrogram", uid="2211110001", product="sci-xray-spec", version="02"),
        science("other", uid="2211110002"),
    ]
    archive.upsert("science_files", rows)
    archive.upsert("aux_files", [file_of(AuxFile, "pointing", 0, 24)])
    assert archive.science_file("2211110001").name == "new"
    assert archive.science_file("old").name == "old"
    assert archive.locate("2211110001") == archive.root / "fits" / "new"
    assert archive.locate("spectrogram") == archive.root / "fits" / "spectrogram"
    assert archive.locate("pointing") == archive.root / "fits" / "pointing"
    assert {row.name for row in archive.science_files()} == {"new", "spectrogram", "other"}
    assert archive.count_science_files(ScienceFilter(superseded=True)) == 4


def test_backgrounds_are_the_nearest_that_qualify(archive: Archive) -> None:
    flare = science("flare", 0, 1)
    quiet = science("near", -24 * 5, 1, is_background=True)
    rows = [
        flare,
        quiet,
        replace(quiet, name="after", t_start=T0 + hours(24 * 3), t_end=T0 + hours(24 * 3 + 1)),
        replace(quiet, name="far", t_start=T0 - hours(24 * 61), t_end=T0 - hours(24 * 61 - 1)),
        replace(quiet, name="narrow", e_high=28.0),
        replace(quiet, name="one detector off", all_detectors=False),
        replace(quiet, name="attenuator in", rcr_max=1),
        replace(quiet, name="spectrogram", product="sci-xray-spec", all_detectors=None),
        replace(quiet, name="simulated", simulated=True),
        replace(quiet, name="superseded", superseded_by="near"),
    ]
    archive.upsert("science_files", rows)
    assert [row.name for row in archive.backgrounds(T0)] == ["after", "narrow", "near"]
    assert [row.name for row in archive.backgrounds(T0, e_low=4, e_high=50)] == ["after", "near"]
    assert [row.name for row in archive.backgrounds(T0, within_days=4)] == ["after"]
    assert [row.name for row in archive.backgrounds(T0, within_days=100)] == ["after", "narrow", "near", "far"]
    assert [row.name for row in archive.backgrounds(T0, simulated=True)] == ["simulated"]


def test_a_background_counts_by_its_middle(archive: Archive) -> None:
    archive.upsert("science_files", [science("b", 24, 48, is_background=True)])  # middle 48 h later
    assert archive.backgrounds(T0, within_days=1.9) == []
    assert len(archive.backgrounds(T0, within_days=2.0)) == 1


def test_pointing_around_midnight(archive: Archive) -> None:
    midnight = T0 + hours(12)
    rows = [
        file_of(AuxFile, "day 1", -12, 24 - 0.02),
        file_of(AuxFile, "day 2", 12.01, 24),
        file_of(AuxFile, "day 2 old", 12.01, 24, superseded_by="day 2"),
        file_of(AuxFile, "day 2 simulated", 12.01, 24, simulated=True),
    ]
    archive.upsert("aux_files", rows)
    assert [row.name for row in archive.aux_for(T0)] == ["day 1"]
    assert [row.name for row in archive.aux_for(midnight)] == ["day 2", "day 1"]
    assert [row.name for row in archive.aux_for(midnight, within_s=40)] == ["day 2"]
    assert [row.name for row in archive.aux_for(midnight, simulated=True)] == ["day 2 simulated"]
    assert archive.aux_for(T0 + hours(24 * 30)) == []


def test_quicklook_files_in_the_order_they_overwrite(archive: Archive) -> None:
    rows = [
        file_of(QuicklookFile, "v2", 0, 24, level="L1", version="02"),
        file_of(QuicklookFile, "v1", 6, 6, level="L1", version="01"),
        file_of(QuicklookFile, "early", 0, 12, level="L1A", version="09"),
        file_of(QuicklookFile, "tomorrow", 24, 24, level="L1", version="02"),
    ]
    archive.upsert("quicklook_files", rows)
    assert [row.name for row in archive.quicklook_files(T0, T0 + hours(24))] == ["early", "v1", "v2"]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "fits/../../secret", "images/link/secret"])
def test_no_path_leads_out_of_the_archive(archive: Archive, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("x")
    (archive.root / "images" / "link").symlink_to(tmp_path)
    with pytest.raises(NotInArchive, match="outside the archive"):
        archive.path_of(path)
    assert archive.path_of("fits/x.fits") == archive.root / "fits" / "x.fits"


def test_a_count_is_kept_until_the_index_changes(archive: Archive, make, monkeypatch) -> None:
    archive.upsert("images", [make.image(number) for number in range(3)])
    archive.build_read_model()
    assert archive.count_images() == 3
    asked = []
    real = type(archive._reader).records
    monkeypatch.setattr(type(archive._reader), "records", lambda *words: asked.append(words) or real(*words))
    assert archive.count_images() == 3
    assert asked == []
    archive.upsert("images", [make.image(7)])
    assert archive.count_images() == 4
    assert archive.count_images(ImageFilter(text="0007")) == 1
    archive.delete("images", [make.image(7).image_id])
    assert archive.count_images() == 3
    archive.build_read_model()
    assert archive.count_images() == 3
    assert len(asked) >= 4
