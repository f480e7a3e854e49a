"""Flux from outside the map: previews look twice as far, and stay as they are; what a user asked for is doubted."""

from dataclasses import replace

import numpy as np
import pytest

from archive import Archive, ImageFilter
from archive.index.schema import RunKind
from archive.ingest.ingest import ingest
from jobs.imaging.task import ImagingTask, RunContext, run_preview
from jobs.previews.run import make_previews
from jobs.previews.stale import discard_stale_previews
from jobs.previews.windows import PreviewRules
from stixcore.options import ImageRequest
from stixcore.recipe import Recipe

pytestmark = pytest.mark.needs_shared_data

NOW = np.datetime64("2026-03-20T00:00:00", "us")
#: Where the flare is by a map of 516″, arcsec.
PLACE = (1261.6, 657.9)
RULES = PreviewRules(bands=((6.0, 10.0),))


@pytest.fixture(scope="module")
def files(shared_data):
    """Flare of 2022-11-14 18:17, of which flux lies outside 258″; background; auxiliary file."""
    (science,) = (shared_data / "found").glob("*_2211146020-*.fits")
    (background,) = (shared_data / "nov2022" / "l1").glob("*_2211098157-*.fits")
    (aspect,) = (shared_data / "found").glob("solo_L2_stix-aux-ephemeris_20221114_*.fits")
    return science, background, aspect


@pytest.fixture(scope="module")
def archive(files, tmp_path_factory):
    archive = Archive(tmp_path_factory.mktemp("widened"), create=True)
    ingest(archive, files, NOW)
    make_previews(archive, NOW, uids=["2211146020"], rules=RULES)
    return archive


def test_a_preview_looks_twice_as_far(archive):
    images = [image for image in archive.images(ImageFilter(uid="2211146020")) if image.method != "full_disk_bp"]
    assert {(image.pixel_arcsec, image.nx, image.ny) for image in images} == {(4.0, 129, 129)}
    for image in images:
        if image.method in ("em", "mem_ge", "clean"):
            assert np.hypot(image.peak_hpc_x - PLACE[0], image.peak_hpc_y - PLACE[1]) < 15.0, image.method
    (run,) = archive.runs()
    assert Recipe.from_json(run.recipe).pixel == 4.0
    assert '"wide_field"' in run.warnings
    assert '"edge_peak"' not in run.warnings


def test_a_widened_preview_is_not_made_again(archive):
    before = archive.runs()
    assert discard_stale_previews(archive, NOW, RULES) == ()
    report = make_previews(archive, NOW + np.timedelta64(1, "D"), uids=["2211146020"], rules=RULES)
    assert (report.runs, report.discarded) == ((), ())
    assert archive.runs() == before


def test_what_a_user_asked_for_keeps_its_field_and_is_doubted(files, tmp_path):
    science, background, aspect = files
    window = np.datetime64("2022-11-14T18:17:00"), np.datetime64("2022-11-14T18:18:00")
    context = RunContext(RunKind.USER, "ann", "2211146020", science.name, "6-10 keV")
    task = ImagingTask(tmp_path, ImageRequest(*window, (6.0, 10.0)), science, background, (aspect,), context, NOW)
    outcome = run_preview(task)
    images = {image.method: image for image in outcome.images}
    assert images["mem_ge"].pixel_arcsec == 2.0
    assert (images["mem_ge"].verdict_flux, images["mem_ge"].verdict_shape) == ("doubtful", "doubtful")
    assert '"flux_outside"' in images["mem_ge"].warnings
    wide = run_preview(replace(task, root=tmp_path / "wide", context=replace(context, kind=RunKind.AUTO)))
    assert {image.pixel_arcsec for image in wide.images if image.method != "full_disk_bp"} == {4.0}
