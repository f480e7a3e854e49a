import re

import numpy as np
import pytest

from archive import ImageFilter
from dashboards.pages.image_archive.export import ExportState, parse_bands
from dashboards.shared.access import GUEST, Visitor
from dashboards.shared.source import ArchiveSource, journal_of
from jobs.executors.serial import SerialExecutor
from jobs.queue.worker import Worker
from jobs.renderings.planner import RequestPlanner
from jobs.renderings.requests import AnimationRequest
from jobs.shared.errors import BadRequest

NOW = np.datetime64("2026-11-25T12:00:00", "us")
ANNA = Visitor("anna")


@pytest.fixture
def state(imaged):
    return ExportState(ArchiveSource(imaged.root), size=256)


@pytest.fixture
def images(imaged):
    return imaged.images(ImageFilter(simulated=True, methods=("clean",)), limit=2)


def test_addresses_follow_the_choices(state, images):
    state.param.update(scale="log", frame_time=0.5, field=200.0, other="Solar Orbiter/EUI 174 Å", view="stix")
    ids = ",".join(image.image_id for image in images)
    animation = (
        f"archive/selection/animation.py?images={ids}&frame_time=0.5&scale=log&common_scale=1&field=200&size=256"
    )
    assert state.animation_script(images) == animation
    assert state.overlay_script(images).endswith("&instrument=eui&wavelength=174&view=stix&assumption=surface")
    assert state.bundle(images) == f"archive/selection/bundle.zip?images={ids}"
    state.inputs = True
    assert state.bundle(images).endswith("&inputs=yes")
    assert state.table(images, "csv").startswith("archive/selection/table.csv?")


def test_a_field_that_nothing_can_draw_becomes_the_least_one(state, images):
    for typed, field in ((0.1, "10"), (10, "10"), (0, ""), (250.5, "250.5")):
        state.field = typed
        assert f"&field={field}&" in state.animation_script(images)
        AnimationRequest(tuple(image.image_id for image in images), state.animation_looks)  # raises nothing


def test_a_guest_is_told_to_sign_in(state, images):
    assert not state.animate(images, GUEST, NOW)
    assert "Sign in" in state.problem
    assert state.request_id == 0


def test_from_asking_to_the_film(imaged, state, images):
    assert state.animate(images, ANNA, NOW)
    assert state.is_working
    # other tests may have left requests in the queue of this archive
    assert re.fullmatch(r"waiting for (a worker|another request|\d+ other requests)", state.progress.sentence)
    Worker(imaged.root, RequestPlanner(), SerialExecutor(), lambda: NOW).run(until_idle=True)
    state.poll(ANNA)
    assert not state.is_working
    assert "animation.mp4" in state.rendering.files
    assert state.rendered("animation.mp4") == f"archive/rendering/{state.request_id}/animation.mp4"


def test_only_ones_own_requests_are_looked_at(imaged, state, images):
    assert state.animate(images[:1], ANNA, NOW)
    for stranger in (GUEST, Visitor("bob")):
        state.poll(stranger)
        assert (state.progress, state.rendering) == (None, None)
        assert state.problem == f"you have no request {state.request_id}"
    state.problem = ""
    state.poll(Visitor("olga", operator=True))
    assert state.progress is not None
    assert state.problem == ""


def test_a_cube_is_a_grid_of_times_bands_and_methods(imaged, state, images):
    file = imaged.science_file(images[0].uid)
    start, end = file.t_start, file.t_start + np.timedelta64(60, "s")
    state.param.update(cube_start=str(start), cube_end=str(end), cube_amount=30.0, cube_bands="4-10, 6-12")
    asked = state.cube_request(imaged, images)
    assert (len(asked.imaging.time_ranges), len(asked.imaging.energy_ranges), len(asked.imaging.methods)) == (2, 2, 2)
    assert asked.imaging.location == (images[0].center_hpc_x, images[0].center_hpc_y)
    state.cube_rule = "native"
    assert len(state.cube_request(imaged, images).imaging.time_ranges) == 3  # bins of 20 s
    assert "3 time steps of 20 s: from" in state.cube_plan(images)
    state.param.update(cube_rule="fixed", cube_amount=7.0)
    assert "of 20 s instead of 7 s, because steps are whole bins of the file" in state.cube_plan(images)
    assert "2 energy ranges: 6 image sets." in state.cube_plan(images)
    state.cube_rule = "native"
    state.param.update(cube_start="", cube_end="")
    assert ": the whole file, from" in state.cube_plan(images)
    state.cube_bands = "soft"
    assert not state.cube(images, ANNA, NOW)
    assert state.problem == "'soft' is not an energy range (example: 4-10, 16-28)"


def test_sets_of_a_cube_are_counted_without_the_cube(imaged, state, images):
    file = imaged.science_file(images[0].uid)
    start, end = file.t_start, file.t_start + np.timedelta64(60, "s")
    state.param.update(cube_start=str(start), cube_end=str(end), cube_rule="native", cube_methods=["bp"])
    assert "3 image sets." in state.cube_plan(images)
    assert state.cube(images, ANNA, NOW)
    request = journal_of(imaged).get(state.request_id)
    assert (request.set_count, request.contents) == (3, "3 image sets and their cube")
    journal_of(imaged).cancel(request.request_id, NOW)


def test_bands_are_read():
    assert parse_bands("4-10, 16 – 28.5") == ((4.0, 10.0), (16.0, 28.5))
    for wrong in ("", "4", "4-10;5-6", "-4-10"):
        with pytest.raises(BadRequest):
            parse_bands(wrong)
