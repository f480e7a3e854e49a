"""The located layer: positions, best images and ids of purposes, and the links from runs to flares."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archive import Archive, Flare, Image, Run, ScienceFile
from archive.index.records import read_record
from archive.layout import skipped_run_id
from jobs.flares.lists import import_flares
from jobs.flares.locate import update_flares
from jobs.flares.relink import relink_runs
from stixcore.heliographic import Observer, on_sun

NOW = np.datetime64("2026-11-22T12:00:00", "us")
LATER = np.datetime64("2026-12-24T12:00:00", "us")
PEAK = np.datetime64("2022-11-11T11:38:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")
FLARE = "2211111138"
POINTING = {"dsun_m": 0.6 * 149_597_870_700.0, "stonyhurst_lon_deg": -22.0, "b0_deg": 9.0}


def flare(flare_id: str = FLARE, peak: np.datetime64 = PEAK, **changes: Any) -> dict[str, Any]:
    """A detected flare of ten minutes."""
    values = {"flare_id": flare_id, "t_start": peak - 3 * MINUTE, "t_peak": peak, "t_end": peak + 7 * MINUTE}
    layer = {"source": "detected"} | {name: str(value) for name, value in values.items()}
    own = {"source": "detected", "detected": json.dumps(layer), "updated_at": NOW}
    return values | own | changes


def run(run_id: str, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "run_id": run_id * 16, "kind": "auto", "status": "done", "uid": "1", "science_name": "science.fits",
        "flare_id": FLARE, "band": "4-10 keV", "t_start": PEAK, "t_end": PEAK + MINUTE, "e_low": 4.0, "e_high": 10.0,
        "counts_total": 21_000.0, "counts_background": 1_000.0, "hpc_x": 300.0, "hpc_y": -200.0, "hpc_sigma_x": 3.0,
        "hpc_sigma_y": 3.0, "location_method": "full_disk_bp+vis_fwdfit", "recipe": json.dumps({"pointing": POINTING}),
        "started_at": NOW, "version": "1",
    }  # fmt: skip
    return Run(**(values | changes))


def image(run_id: str, method: str = "clean", **changes: Any) -> Image:
    recipe_id = run_id * 16
    values: dict[str, Any] = {
        "image_id": f"{recipe_id}-{method}", "recipe_id": recipe_id, "method": method, "uid": "1", "flare_id": FLARE,
        "t_start": PEAK, "t_end": PEAK + MINUTE, "e_low": 4.0, "e_high": 10.0, "nx": 1, "ny": 1, "pixel_arcsec": 1.0,
        "center_hpc_x": 0.0, "center_hpc_y": 0.0, "centroid_hpc_x": 301.0, "centroid_hpc_y": -200.0, "trusted": True,
        "file": "x", "sha256": "0", "size": 1, "created_at": NOW,
    }  # fmt: skip
    return Image(**(values | changes))


def science(purpose: str, start: np.datetime64 = PEAK, **changes: Any) -> ScienceFile:
    values: dict[str, Any] = {
        "name": "science.fits", "product": "sci-xray-cpd", "level": "L1", "version": "01", "sha256": "0", "size": 1,
        "path": "fits/x", "t_start": start, "t_end": start + MINUTE, "ingested_at": NOW, "uid": "1",
        "purpose": purpose, "is_background": False, "duration_s": 60.0, "n_bins": 1, "bin_min_s": 60.0,
        "bin_max_s": 60.0, "n_channels": 1, "e_low": 4.0, "e_high": 10.0, "rcr_min": 0, "rcr_max": 0, "counts": 1.0,
    }  # fmt: skip
    return ScienceFile(**(values | changes))


def warning(text: str, **changes: Any) -> dict[str, Any]:
    return {"code": "x", "severity": "doubt", "text": text, "doubts": ["position"]} | changes


@pytest.fixture
def archive(tmp_path) -> Archive:
    """An archive with one detected flare."""
    archive = Archive(tmp_path / "archive", create=True)
    archive.upsert("flares", [flare()])
    return archive


def located(archive: Archive, *rows: Run | Image, flare_id: str = FLARE) -> Flare:
    """The flare after some runs and images were added."""
    archive.upsert("runs", [row for row in rows if isinstance(row, Run)])
    archive.upsert("images", [row for row in rows if isinstance(row, Image)])
    update_flares(archive, NOW)
    return archive.flare(flare_id)


def tree(archive: Archive) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(archive.index.rglob("*.parquet"))
    }


def test_position_of_a_flare(archive):
    row = located(archive, run("a"), image("a"))
    assert (row.hpc_x, row.hpc_y, row.hpc_sigma) == (300.0, -200.0, 3.0)
    assert (row.location_source, row.location_method) == ("imaging", "full_disk_bp+vis_fwdfit")
    assert (row.location_verdict, row.location_doubts) == ("trusted", None)
    assert (row.dsun_au, row.hgln, row.hglt) == (0.6, -22.0, 9.0)
    place = on_sun(300.0, -200.0, Observer(-22.0, 9.0, POINTING["dsun_m"]), 3.0)
    assert (row.stonyhurst_lon, row.stonyhurst_lat) == pytest.approx((place.lon, place.lat), abs=1e-4)
    assert row.heliographic_sigma == pytest.approx(place.sigma, abs=1e-4)
    assert (row.off_limb, row.limb_height, row.earth_view, row.earth_visible) == (False, None, "on disk", True)
    # 0.99 au less 0.6 au, and 0.6 au, in light seconds, from the surface
    assert row.earth_delay_s == pytest.approx(0.39 * 499.0, abs=5.0)
    assert row.sun_delay_s == pytest.approx(0.6 * 499.0, abs=3.0)
    assert row.sol_id.startswith("SOL2022-11-11T11:41:1")
    assert row.sol_id.endswith(f"L{round(row.carrington_lon):03d}C{round(90.0 - row.stonyhurst_lat):03d}")


def test_flare_without_images_has_no_position(archive):
    row = located(archive)
    for name in ("hpc_x", "hpc_sigma", "location_source", "location_verdict", "stonyhurst_lon", "earth_visible"):
        assert getattr(row, name) is None, name
    assert row.located is None


def test_source_off_the_limb(archive):
    row = located(archive, run("a", hpc_x=1700.0, hpc_y=0.0))
    assert (row.off_limb, row.heliographic_sigma) == (True, None)
    assert row.limb_height == pytest.approx((1700.0 / 1600.0 - 1.0) * 695.7, rel=0.05)
    assert "L" not in row.sol_id.removeprefix("SOL")


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden": True, "author": "ada", "kind": "user"},
        {"simulated": True},
        {"location_method": "given"},
        {"flare_id": None},
    ],
)
def test_sets_without_a_vote(archive, changes):
    """Hidden sets stay unknown, simulated ones tell nothing of the Sun, and a given position proves nothing."""
    row = located(archive, run("a", **changes))
    assert (row.hpc_x, row.location_source) == (None, None)


def test_public_set_of_a_user_votes(archive):
    assert located(archive, run("a", kind="user", author="ada")).hpc_x == 300.0


def test_reasons_of_the_set_are_those_of_the_flare(archive):
    warnings = [
        warning("a side lobe is nearly as bright"),
        warning("the shape is too narrow", doubts=["shape"]),
        warning("CLEAN did not converge", method="clean"),
        warning("a remark", severity="note"),
    ]
    row = located(archive, run("a", warnings=json.dumps(warnings)))
    assert row.location_verdict == "doubtful"
    assert json.loads(row.location_doubts) == ["a side lobe is nearly as bright"]


def test_list_that_disagrees_is_a_doubt(archive, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(f"flare_id,peak_utc,hpc_x_solo,hpc_y_solo\n{FLARE},2022-11-11T11:38:00,-900,-200\n")
    import_flares(archive, path, NOW)
    row = archive.flare(FLARE)
    assert (row.hpc_x, row.location_source, row.location_method) == (-900.0, "imported list", "as listed")
    row = located(archive, run("a"))
    assert (row.hpc_x, row.location_source) == (300.0, "imaging")
    (doubt,) = json.loads(row.location_doubts)
    assert doubt == "the imported list list.csv puts the flare 1200″ away, at (-900″, -200″)"


def test_list_gets_the_same_columns(archive, tmp_path):
    path = tmp_path / "list.csv"
    header = "flare_id,peak_utc,hpc_x_solo,hpc_y_solo,solo_distance_au,solo_hgs_lon,solo_hgs_lat"
    path.write_text(f"{header}\n{FLARE},2022-11-11T11:38:00,300,-200,0.6,-22,9\n")
    import_flares(archive, path, NOW)
    listed, imaged = archive.flare(FLARE), located(archive, run("a", hpc_sigma_x=None, hpc_sigma_y=None))
    for name in ("stonyhurst_lon", "carrington_lon", "earth_x", "earth_visible", "earth_delay_s", "sol_id"):
        assert getattr(listed, name) == getattr(imaged, name) is not None, name


def test_best_images(archive):
    """A deconvolved method before a back projection, trusted before doubtful, then the one with most counts."""
    few = run("b", counts_total=5_000.0)
    rows = [
        image("a", "bp"), image("a", "clean"), image("a", "mem_ge", trusted=False), image("a", "full_disk_bp"),
        image("b", "clean"), image("c", "mem_ge", hidden=True), image("a", "vis_fwdfit", e_low=16.0, e_high=28.0),
        image("d", "mem_ge", simulated=True),
    ]  # fmt: skip
    row = located(archive, run("a"), few, run("c", hidden=True), *rows)
    assert (row.best_image_thermal, row.best_image_nonthermal) == (f"{'a' * 16}-clean", f"{'a' * 16}-vis_fwdfit")
    row = located(archive, image("a", "mem_ge"))
    assert row.best_image_thermal == f"{'a' * 16}-mem_ge"


def test_substitute_of_the_non_thermal_band_is_the_non_thermal_image(archive):
    """10-15 keV is never thermal, and gives way to harder images, even doubtful ones."""
    row = located(archive, run("a", e_low=10.0, e_high=15.0), image("a", e_low=10.0, e_high=15.0))
    assert (row.best_image_thermal, row.best_image_nonthermal) == (None, f"{'a' * 16}-clean")
    row = located(archive, run("b"), image("b"))
    assert (row.best_image_thermal, row.best_image_nonthermal) == (f"{'b' * 16}-clean", f"{'a' * 16}-clean")
    row = located(archive, run("c"), image("c", e_low=12.0, e_high=20.0, trusted=False))
    assert row.best_image_nonthermal == f"{'c' * 16}-clean"


def test_coarse_locator_is_used_where_no_set_has_a_position(archive):
    locator = {"locator_x": 410.0, "locator_y": -80.0, "locator_counts": 900.0}
    row = located(archive, run("a", location_method="given", **locator))
    assert (row.hpc_x, row.hpc_y, row.location_source) == (410.0, -80.0, "coarse locator")
    assert (row.locator_x, row.location_verdict) == (410.0, None)
    row = located(archive, run("b"))
    assert (row.hpc_x, row.location_source, row.locator_x) == (300.0, "imaging", 410.0)


def test_id_in_a_purpose_is_another_id_of_the_flare(archive):
    """It means the nearest flare within five minutes, of the same kind."""
    archive.upsert(
        "science_files",
        [
            science("Flare 2211111142, Solar Flare, CL1"),
            science("Flare 2211111145, Solar Flare", name="b"),
            science("Flare 2211111137, Solar Flare", name="c", simulated=True),
            science("Flare 9999999999, Solar Flare", name="d"),
            science(f"Flare {FLARE}, Solar Flare", name="e"),
        ],
    )
    assert located(archive).other_ids == "2211111142"
    assert archive.flare("2211111142").flare_id == FLARE


def test_a_second_time_changes_no_byte(archive):
    located(archive, run("a"), image("a"))
    before = tree(archive)
    assert update_flares(archive, LATER).located == ()
    (archive.index / "read/flares.json").unlink()
    assert update_flares(archive, LATER).located == ()
    assert update_flares(archive, LATER, everything=True).located == ()
    assert tree(archive) == before


def test_only_changed_months_are_read(archive, monkeypatch):
    other = np.datetime64("2021-05-07T10:00", "us")
    archive.upsert("flares", [flare("2105071000", other)])
    located(archive, run("a"))
    update_flares(archive, NOW)  # reads what the first call wrote
    months = []
    monkeypatch.setattr("jobs.flares.locate.locate_flares", lambda _archive, month, _now: months.append(month) or ())
    archive.upsert("runs", [run("b", flare_id="2105071000", t_start=other, t_end=other + MINUTE)])
    update_flares(archive, NOW)
    update_flares(archive, NOW)
    assert months == ["2021-05"]


def test_position_goes_with_its_images(archive):
    located(archive, run("a"))
    archive.delete("runs", ["a" * 16])
    assert update_flares(archive, LATER).located == (FLARE,)
    row = archive.flare(FLARE)
    assert (row.hpc_x, row.located, row.stonyhurst_lon, row.t_peak) == (None, None, None, PEAK)


# Links ----------------------------------------------------------------------------------------------------------------


def test_runs_follow_a_new_id(archive):
    """The flare becomes that of a list: run, images and record follow; a skip gets the id that it would have now."""
    folder = archive.root / "images/a"
    folder.mkdir(parents=True)
    archive.write_runs([run("a", folder="images/a")], [image("a")])
    skip = skipped_run_id("1", "16-28 keV", FLARE)
    archive.upsert("runs", [replace(run("b"), run_id=skip, status="skipped", band="16-28 keV", recipe=None)])
    archive.delete("flares", [FLARE])
    archive.upsert("flares", [flare("2211111139", other_ids=FLARE)])
    assert set(relink_runs(archive)) == {"a" * 16, skip}
    assert archive.run("a" * 16).flare_id == archive.image(f"{'a' * 16}-clean").flare_id == "2211111139"
    record = read_record(folder)
    assert (record.run.flare_id, record.images[0].flare_id) == ("2211111139", "2211111139")
    (moved,) = [row for row in archive.runs() if row.status == "skipped"]
    assert (moved.run_id, moved.flare_id) == (skipped_run_id("1", "16-28 keV", "2211111139"), "2211111139")
    assert relink_runs(archive) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flare_id": None}, FLARE),
        ({"flare_id": "2211110000"}, FLARE),
        ({"flare_id": None, "t_start": PEAK + 60 * MINUTE, "t_end": PEAK + 61 * MINUTE}, None),
        ({"flare_id": "2211110000", "t_start": PEAK + 60 * MINUTE, "t_end": PEAK + 61 * MINUTE}, None),
        ({"flare_id": None, "simulated": True}, None),
        ({"flare_id": FLARE, "t_start": PEAK + 60 * MINUTE, "t_end": PEAK + 61 * MINUTE}, FLARE),
    ],
)
def test_runs_of_users_get_the_flare_that_they_overlap(archive, changes, expected):
    """A flare appears or disappears; a run that has a flare of the list keeps it."""
    archive.upsert("runs", [run("a", kind="user", author="ada", **changes)])
    relink_runs(archive)
    assert archive.run("a" * 16).flare_id == expected


def test_flare_of_a_purpose_is_kept(archive):
    archive.upsert("science_files", [science("Flare 2211111500, Solar Flare")])
    away = {"t_start": PEAK + 200 * MINUTE, "t_end": PEAK + 201 * MINUTE}
    archive.upsert("runs", [run("a", kind="user", author="ada", flare_id="2211111500", **away)])
    assert relink_runs(archive) == ()
