import json
from typing import Any

import numpy as np

from archive import Archive
from archive.cubes import cubes_by_day
from archive.extents import Extent, cube_extents, flare_extent, product_extent
from archive.flare_rates import GROUPS, daily_rates, group_of
from archive.layout import cube_folder
from stixcore.fits.spec import ProductKind
from tests.dashboards.conftest import DAY, FIRST, make_flare, make_image, make_quicklook_file

SECOND = np.timedelta64(1, "s")


def test_an_empty_archive_has_no_times(tmp_path: Any) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    assert product_extent(archive, ProductKind.LIGHT_CURVE) is None
    assert product_extent(archive, ProductKind.BACKGROUND_MONITOR) is None
    assert flare_extent(archive) is None
    assert cube_extents(archive) == {}
    assert list(cubes_by_day(archive, FIRST, FIRST + DAY)) == []
    archive.close()


def test_times_are_those_of_real_or_simulated_data(tmp_path: Any) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    archive.upsert("quicklook_files", [make_quicklook_file(FIRST + n * DAY) for n in range(3)])
    archive.upsert("quicklook_files", [make_quicklook_file(FIRST + 9 * DAY, simulated=True)])
    assert product_extent(archive, ProductKind.LIGHT_CURVE) == Extent(FIRST, FIRST + 3 * DAY + SECOND)
    assert product_extent(archive, ProductKind.LIGHT_CURVE, simulated=True) == Extent(
        FIRST + 9 * DAY, FIRST + 10 * DAY + SECOND
    )
    flares = [make_flare(FIRST, 3), make_flare(FIRST + DAY, 5), make_flare(FIRST, 7, simulated=True)]
    archive.upsert("flares", flares)
    assert flare_extent(archive) == Extent(flares[0].t_peak, flares[1].t_peak + SECOND)
    cube = {"group_id": "cube-2211100301-2211100001", "author": "auto"}
    bands = [{"e_low": 4.0, "e_high": 10.0}, {"e_low": 16.0, "e_high": 28.0}]
    shown = [make_image(archive.root, n, "clean", **cube, **band) for n, band in enumerate(bands)]
    hidden = make_image(archive.root, 5, "clean", **cube, hidden=True, e_low=30.0, e_high=40.0)
    archive.upsert("images", [*shown, hidden])
    assert list(cube_extents(archive)) == [(4.0, 10.0), (16.0, 28.0)]
    archive.close()


def test_rates_count_each_flare_on_its_day(tmp_path: Any) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    fluxes = [None, 5e-8, 2e-7, 3e-6, 4e-5, 5e-4]
    flares = [make_flare(FIRST, hour + 1, goes_flux=flux) for hour, flux in enumerate(fluxes)]
    # the measured class counts, although the estimate is another one
    flares.append(make_flare(FIRST + 2 * DAY, 5, goes_flux=2e-6, goes_estimated_flux=2e-4))
    archive.upsert("flares", [*flares, make_flare(FIRST, 9, simulated=True)])
    days, counts = daily_rates(archive, FIRST, FIRST + 3 * DAY)
    assert days.tolist() == [(FIRST + n * DAY).astype("datetime64[D]").item() for n in range(3)]
    assert counts.tolist() == [[1] * len(GROUPS), [0] * len(GROUPS), [0, 0, 0, 1, 0, 0]]
    later, rest = daily_rates(archive, FIRST + SECOND, FIRST + 3 * DAY)
    assert (later.tolist(), rest.tolist()) == (days.tolist()[1:], counts.tolist()[1:])
    assert daily_rates(archive, FIRST + SECOND, FIRST + 2 * SECOND)[1].shape == (0, len(GROUPS))
    archive.close()


def test_groups_begin_at_their_lowest_flux() -> None:
    flux = np.array([np.nan, 9e-8, 1e-7, 1e-6, 1e-5, 1e-4])
    assert [GROUPS[place] for place in group_of(flux)] == list(GROUPS)


def test_cubes_are_found_on_each_of_their_days(tmp_path: Any) -> None:
    archive = Archive(tmp_path / "archive", create=True)
    midnight = FIRST + DAY
    for number, hidden in enumerate((False, True)):
        group = f"cube-2211102359-221110000{number}"
        steps = [(midnight + n * 60 * SECOND, midnight + (n + 1) * 60 * SECOND) for n in (-2, -1, 0, 1)]
        images = [
            make_image(
                archive.root, 10 * number + place, "clean", t_start=start, t_end=end, group_id=group, hidden=hidden
            )
            for place, (start, end) in enumerate(steps)
        ]
        archive.upsert("images", images)
        folder = archive.root / cube_folder(FIRST, group)
        folder.mkdir(parents=True)
        tracks = [{"t_start": str(start), "t_end": str(end), "e_low": 4, "e_high": 10} for start, end in steps]
        (folder / "cube.json").write_text(json.dumps({"tracks": tracks}))

    def found(start: np.datetime64, end: np.datetime64) -> list[tuple[str, list[str]]]:
        return [(str(day), [one.group_id for one in cubes]) for day, cubes in cubes_by_day(archive, start, end)]

    shown = ["cube-2211102359-2211100000"]
    both = [("2022-11-10", shown), ("2022-11-11", shown)]
    assert found(FIRST, FIRST + 2 * DAY) == both
    assert found(FIRST, midnight - 60 * SECOND) == both[:1]
    assert found(midnight + SECOND, FIRST + 5 * DAY) == both[1:]
    assert found(FIRST, FIRST + SECOND) == found(FIRST + 2 * DAY, FIRST + 3 * DAY) == []
    archive.close()
