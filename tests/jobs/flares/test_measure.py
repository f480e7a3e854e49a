import json
import shutil

import numpy as np
import pytest

from archive import Archive, Flare
from archive.index.records import read_record, write_record
from archive.ingest.ingest import ingest
from jobs.flares.follow import follow_flares
from jobs.flares.goes_files import import_goes
from jobs.flares.measure import HIDDEN, measure_flares
from jobs.flares.rows import Layer, LayerSet, combined
from stixcore.flares.measured import NO_RISE
from tests.archive.conftest import make_image, make_run

NOW = np.datetime64("2026-11-30T12:00:00", "us")
LATER = np.datetime64("2026-11-30T13:00:00", "us")
DAY = np.datetime64("2022-11-11T00:00:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")
QUIET = 6e-7
NAME = "sci_xrsf-l2-avg1m_g16_d20221111_v2-2-1.nc"
#: Light time of the Earth less that of Solar Orbiter at 0.619 au, s; the Earth is at 0.990 au.
DELAY = 185.0


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", create=True)


def goes_day(*peaks):
    """Flux of a day with peaks at (minute, flux above the background)."""
    minutes = np.arange(1440)
    flux = np.full(1440, QUIET)
    for minute, height in peaks:
        rising = np.exp(-(((minutes - minute) / 2.0) ** 2))
        falling = np.exp(-np.clip(minutes - minute, 0, None) / 10.0)
        flux = flux + height * np.where(minutes < minute, rising, falling)
    return DAY + minutes * MINUTE, flux


def listed(archive, minute, *, source="list.csv", imported=(), earth_visible=None):
    """Add a flare from a list: minute of the peak [UTC at Solar Orbiter], and whether the Earth sees it, if known."""
    located = {}
    if earth_visible is not None:  # below Solar Orbiter, which is above the disk of the Earth or behind the Sun
        located = {"hpc_x": 0.0, "hpc_y": 0.0, "hgln": 0.0 if earth_visible else 150.0, "hglt": 0.0}
    peak = DAY + np.timedelta64(round(minute * 60e6), "us")
    flare_id = str(peak)[2:16].translate(str.maketrans("", "", "-T:"))
    own = {"flare_id": flare_id, "t_peak": peak, "t_start": peak - 4 * MINUTE, "t_end": peak + 15 * MINUTE}
    layers = LayerSet(
        imported=(Layer(source, own | {"dsun_au": 0.619} | dict(imported)),),
        located=(Layer("imaging", {"flare_id": flare_id, "t_peak": peak} | located),) if located else (),
    )
    (row,) = combined(layers, NOW, simulated=False)
    archive.upsert("flares", [row])
    return flare_id


def take(archive, goes_file, *peaks, name=NAME, **options):
    report = import_goes(archive, [goes_file(name, *goes_day(*peaks), **options)])
    assert report.bad == ()


def test_class_of_a_flare_in_the_clock_of_the_earth(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    flare_id = listed(archive, 700 - 1.0 - DELAY / 60)
    changes = measure_flares(archive, NOW)
    assert changes.written == (flare_id,)
    row = archive.flare(flare_id)
    assert (row.goes_class, row.goes_source) == ("C5.6", "GOES-16")
    assert row.goes_flux == pytest.approx(5.6e-6, rel=1e-3)
    assert row.goes_t_peak == DAY + 700 * MINUTE
    assert row.goes_background == pytest.approx(QUIET, rel=0.01)
    assert (row.goes_low, row.goes_high, row.goes_note) == (None, None, None)
    assert row.earth_delay_s == pytest.approx(DELAY, abs=1.0)
    assert measure_flares(archive, LATER).written == ()


def test_hidden_flare_has_no_class_even_if_a_list_gives_one(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    hidden = listed(archive, 696.0, imported={"goes_class": "C5.6", "goes_flux": 5.6e-6}, earth_visible=False)
    assert archive.flare(hidden).goes_class is None
    measure_flares(archive, NOW)
    row = archive.flare(hidden)
    assert (row.goes_class, row.goes_flux, row.goes_source, row.goes_note) == (None, None, None, HIDDEN)


def test_list_gives_the_class_until_goes_measures_it(archive, goes_file):
    flare_id = listed(archive, 696.0, imported={"goes_class": "C5.1", "goes_flux": 5.1e-6}, earth_visible=True)
    measure_flares(archive, NOW)
    assert (archive.flare(flare_id).goes_class, archive.flare(flare_id).goes_source) == ("C5.1", "list.csv")
    take(archive, goes_file, (700, 5e-6))
    measure_flares(archive, LATER)
    assert (archive.flare(flare_id).goes_class, archive.flare(flare_id).goes_source) == ("C5.6", "GOES-16")


def test_of_two_flares_in_one_peak_the_stronger_has_the_class(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    strong = listed(archive, 695.0, imported={"peak_counts": 20_000.0}, earth_visible=True)
    weak = listed(archive, 692.0, imported={"peak_counts": 900.0}, earth_visible=True)
    measure_flares(archive, NOW)
    assert archive.flare(strong).goes_class == "C5.6"
    assert archive.flare(weak).goes_class is None
    assert archive.flare(weak).goes_note == f"flare {strong}, which is stronger, has the same GOES peak"


def test_hidden_flare_takes_no_class_from_another(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    hidden = listed(archive, 695.0, imported={"peak_counts": 20_000.0}, earth_visible=False)
    seen = listed(archive, 692.0, imported={"peak_counts": 900.0}, earth_visible=True)
    measure_flares(archive, NOW)
    assert (archive.flare(hidden).goes_class, archive.flare(seen).goes_class) == (None, "C5.6")


@pytest.mark.parametrize(("estimate", "known"), [(5e-6, True), (2e-7, False), (2e-4, False)])
def test_goes_and_stix_must_agree_where_the_place_is_unknown(archive, goes_file, estimate, known):
    take(archive, goes_file, (700, 5e-6))
    values = {"goes_estimated_flux": estimate, "goes_estimated": "C5", "goes_estimated_from": "counts"}
    flare_id = listed(archive, 696.0, imported=values)
    measure_flares(archive, NOW)
    row = archive.flare(flare_id)
    assert (row.goes_class is not None) == known
    assert (row.goes_note is None) == known
    assert row.goes_source == ("GOES-16" if known else "counts")


def test_quiet_goes_and_other_months(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    quiet = listed(archive, 300.0)
    other = listed(archive, 60 * 24 * 40.0)
    measure_flares(archive, NOW)
    assert (archive.flare(quiet).goes_class, archive.flare(quiet).goes_note) == (None, NO_RISE)
    assert (archive.flare(other).goes_note, archive.flare(other).measured) == (None, None)


def test_best_class_is_estimated_without_a_measured_one(archive):
    values = {
        "goes_estimated_low": "C2",
        "goes_estimated": "C4",
        "goes_estimated_high": "C9",
        "goes_estimated_flux": 4e-6,
        "goes_estimated_from": "counts",
    }
    row = archive.flare(listed(archive, 696.0, imported=values))
    assert (row.goes_class, row.goes_source, row.goes_low, row.goes_high) == (None, "counts", "C2", "C9")


def test_only_changed_flares_on_request(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    flare_id = listed(archive, 696.0)
    assert measure_flares(archive, LATER, changed_since=LATER).written == ()
    assert measure_flares(archive, LATER, changed_since=NOW).written == (flare_id,)


def test_estimate_from_pixel_data_of_a_real_flare(archive, shared_data, tmp_path):
    """M1.2 of 2022-11-11: twice as bright as the law for its background-detector flux says."""
    folder = shared_data / "nov2022/l1"
    science, quiet = (next(folder.glob(f"*_{uid}-*")) for uid in ("2211116471", "2211098157"))
    for path in (science, quiet):
        ingest(archive, [shutil.copy(path, tmp_path / path.name)], NOW)
    flare_id = listed(archive, 11 * 60 + 36.93, imported={"dsun_au": 0.6198, "goes_estimated": "C9"})
    measure_flares(archive, NOW)
    row = archive.flare(flare_id)
    assert row.goes_estimated_from == row.goes_source == "background detector"
    assert row.background_detector_flux == pytest.approx(81.6, rel=0.02)
    assert row.goes_estimated_flux == pytest.approx(1.64e-5, rel=0.05)
    assert (row.goes_estimated_low, row.goes_estimated, row.goes_estimated_high) == ("M1.1", "M1.6", "M2")
    layer = json.loads(row.measured)
    assert layer["source"].startswith(science.name)
    # the file is not read again
    (archive.root / archive.science_file(science.name).path).unlink()
    assert measure_flares(archive, LATER).written == ()


def images_of(archive, flare_id):
    """An image set of a flare, with its record."""
    run = make_run("a" * 16, flare_id=flare_id, folder="images/set")
    image = make_image(1, recipe_id="a" * 16, image_id="a" * 16 + "-clean", method="clean", flare_id=flare_id,
                       file="images/set/one.fits", goes_class=None, goes_flux=None)  # fmt: skip
    (archive.root / "images/set").mkdir(parents=True)
    write_record(archive.root / "images/set", run, [image])
    archive.write_runs([run], [image])
    return image.image_id


def test_images_follow_their_flare(archive, goes_file):
    take(archive, goes_file, (700, 5e-6))
    flare_id = listed(archive, 696.0, imported={"goes_estimated": "C4", "goes_estimated_flux": 4e-6})
    image_id = images_of(archive, flare_id)
    assert follow_flares(archive) == 1
    measure_flares(archive, NOW)
    assert follow_flares(archive) == 1
    row = archive.image(image_id)
    assert (row.goes_class, row.goes_estimated, row.goes_estimated_flux) == ("C5.6", "C4", 4e-6)
    (recorded,) = read_record(archive.root / "images/set").images
    assert recorded == row
    assert follow_flares(archive) == 0


def test_images_without_a_flare_keep_their_class(archive):
    image_id = images_of(archive, "2211111136")
    assert follow_flares(archive) == 0
    assert archive.image(image_id).goes_class is None


def test_the_row_of_a_flare_has_a_place_for_every_value():
    assert {"goes_t_peak", "goes_background", "goes_note"} <= set(Flare.__dataclass_fields__)
