"""An archive with an energy table and a CAL file of its own: what people take home gives the same pixels."""

import io
import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from contextlib import nullcontext

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive
from archive.ingest.added_files import AddStatus
from archive.ingest.calibration import add_calibration
from archive.ingest.ingest import ingest
from archive.scripts.images import python_script, stixpy_script
from archive.scripts.sources import read_source
from dashboards.shared.source import ArchiveSource, Unavailable
from jobs.imaging.reproduce import compare
from jobs.previews.run import make_previews
from stixcore.instrument.energy_tables import read_energy_table
from stixcore.simulation.campaign import simulate_campaign

NOW = np.datetime64("2027-04-01T12:00:00", "us")
TABLE = "elut_table_20270105"
CAL_NAME = "solo_CAL_stix-cal-energy_20270302T230511-20270303T230512_V02.fits"


def new_calibration(shared_data, folder):
    """A table that the software does not ship, in force from February 2027, and a CAL file of March with it."""
    folder.mkdir()
    source = shared_data / "tables" / "elut"
    text = (source / "elut_table_20260529.csv").read_text()
    (folder / f"{TABLE}.csv").write_text(text.replace(",931,940,", ",932,941,", 1))
    index = (source / "elut_index.csv").read_text().replace("none", "2027-02-01T00:00:00")
    (folder / "elut_index.csv").write_text(f"{index}\n18, 2027-02-01T00:00:00, none, {TABLE}.csv")
    run = folder / CAL_NAME
    shutil.copyfile(next((shared_data / "products").glob("solo_CAL_stix-cal-energy_20250302*")), run)
    table = read_energy_table(folder / f"{TABLE}.csv")
    with fits.open(run, mode="update") as hdus:
        hdus[0].header["DATE-BEG"], hdus[0].header["DATE-END"] = "2027-03-02T23:05:11", "2027-03-03T23:05:12"
        hdus["CONTROL"].data["ob_elut_name"][0] = TABLE
        row = hdus["DATA"].data[0]
        row["e_edges_actual"][:, :, 1:-1] = (table.adc - row["offset"][:, :, None]) * row["gain"][:, :, None]
    return folder


@pytest.fixture(scope="module")
def calibrated(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    archive = Archive(folder / "archive", create=True)
    added = add_calibration(archive.root, [new_calibration(shared_data, folder / "new")], nullcontext())
    assert {one.status for one in added} == {AddStatus.ADDED}, added
    start = np.datetime64("2027-03-03T06:00:00", "us")
    assert simulate_campaign(folder / "campaign", 7, start, 0.34, 6.0, min_separation=3600.0)
    ingest(archive, [folder / "campaign"], NOW)
    rows = archive.rows("SELECT uid FROM science_files WHERE NOT is_background AND product = 'sci-xray-cpd' LIMIT 1")
    make_previews(archive, NOW, uids=[rows[0]["uid"]])
    yield archive
    archive.close()


@pytest.fixture(scope="module")
def calibrated_server(serve, calibrated):
    calibrated.build_read_model()
    with serve(calibrated.root) as started:
        yield started


def run(script):
    return subprocess.run(
        [sys.executable, script.name, "--no-plot"],
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_bundle_reproduces_the_pixels(calibrated, calibrated_server, tmp_path):
    image = next(image for image in calibrated.images() if image.method == "bp")
    address = f"{calibrated_server.url}/archive/selection/bundle.zip?images={image.image_id}&inputs=yes"
    with urllib.request.urlopen(address, timeout=120) as answer:
        body = answer.read()
    with zipfile.ZipFile(io.BytesIO(body)) as package:
        package.extractall(tmp_path)
    folder = tmp_path / "stix_images"
    assert {f"{TABLE}.csv", CAL_NAME} <= {path.name for path in folder.iterdir()}
    (script,) = [path for path in folder.glob(f"*{image.image_id}.py") if "stixpy" not in path.name]
    done = run(script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "downloading" not in done.stdout
    assert f"recipe {image.recipe_id} as in the archive" in done.stdout
    (made,) = folder.glob("reproduced_*.fits")
    comparison = compare(calibrated.path_of(image.file), made)
    assert comparison.agrees, comparison.sentence
    # other edges would have given other pixels
    with fits.open(made) as hdus:
        assert (hdus[0].header["ELUT"], hdus[0].header["FLNM_CAL"]) == (TABLE, CAL_NAME)


def test_calibration_files_are_downloaded_from_the_archive(calibrated, calibrated_server, tmp_path):
    image = next(image for image in calibrated.images() if image.method == "bp")
    script = tmp_path / "script.py"
    script.write_text(python_script(read_source(calibrated, image, calibrated_server.url)))
    done = run(script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"/archive/calibration/{TABLE}.csv" in done.stdout
    assert f"/archive/calibration/{CAL_NAME}" in done.stdout
    (made,) = tmp_path.glob("reproduced_*.fits")
    assert compare(calibrated.path_of(image.file), made).agrees


def test_the_independent_script_says_what_it_leaves_out(calibrated, calibrated_server, tmp_path):
    # the highest band: near 4 keV the edges that stixpy leaves out change the flux by a sixth
    image = max((image for image in calibrated.images() if image.method == "mem_ge"), key=lambda image: image.e_low)
    script = tmp_path / "script.py"
    source = read_source(calibrated, image, calibrated_server.url)
    text = stixpy_script(source)
    assert source.recipe["methods"]["mem_ge"]["flux_estimate"] == "counts"
    # coarse pixels and few steps: the flux, which is given, is all that is compared
    for there, coarse in (
        ("SHAPE = [129, 129]", "SHAPE = [17, 17]"),
        ("PIXEL = 2.0", "PIXEL = 16.0"),
        ("map=False,", "map=False, maxiter=5,"),
    ):
        assert text.count(there) == 1
        text = text.replace(there, coarse)
    script.write_text(text)
    done = run(script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"energy table: stixpy uses elut_table_\d+\.csv, the archive {TABLE}", done.stdout)
    assert f"measured energy edges of {CAL_NAME} are not applied" in done.stdout
    (made,) = tmp_path.glob("stixpy_*.fits")
    flux = fits.getdata(made).sum() * 256.0
    assert flux == pytest.approx(image.total_flux, rel=0.15)  # of the counts; other transmissions


def test_damaged_calibration_is_a_sentence_for_visitors(tmp_path):
    archive = Archive(tmp_path / "archive", create=True)
    folder = archive.root / "calibration"
    folder.mkdir()
    (folder / "cal_files.json").write_text("{}]")
    with pytest.raises(Unavailable, match=r"calibration/cal_files\.json must list"):
        ArchiveSource(archive.root).ask(lambda one: one.calibration.reference_at(NOW, NOW))
