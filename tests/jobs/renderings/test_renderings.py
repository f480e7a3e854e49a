import csv
import gzip
import hashlib
import io
import json
import os
from dataclasses import replace

import imageio.v2 as imageio
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image as Picture

from archive import ImageFilter
from archive.scripts.selections import AnimationLooks, OverlayLooks
from jobs.executors.serial import SerialExecutor
from jobs.queue.journal import Journal, RequestState
from jobs.queue.requests import ImagingRequest
from jobs.queue.worker import Worker
from jobs.renderings.overlay_maps import keep_map, maps_of
from jobs.renderings.planner import RequestPlanner
from jobs.renderings.requests import AnimationRequest, CubeRequest, OverlayRequest, parse_any
from jobs.renderings.run import KEPT, find_rendering, purge_renderings, submit_rendering
from jobs.renderings.work import _sheet_columns
from jobs.shared.errors import BadRequest, LimitReached, NotAllowed
from jobs.shared.limits import Limits
from stixcore.imaging.methods import PARAMETERS
from stixcore.imaging.reconstruction import Method

# imageio leaves the pipes to ffmpeg to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = np.datetime64("2026-03-20T00:00:00", "us")
LOOKS = AnimationLooks(size=256)


@pytest.fixture
def archive(own_archive):
    return own_archive


@pytest.fixture
def journal(archive):
    return Journal(archive.root)


def work(archive):
    worker = Worker(archive.root, RequestPlanner(), SerialExecutor(), lambda: NOW)
    worker.run(until_idle=True)


def made(archive, journal, request, user="anna"):
    asked, new = submit_rendering(archive, journal, request, user, NOW)
    assert new
    work(archive)
    done = journal.get(asked.request_id)
    assert (done.state, done.reason) == (RequestState.DONE, "")
    return done, find_rendering(archive, journal, done)


def of_method(archive, method="clean"):
    return [image.image_id for image in archive.images(ImageFilter(methods=(method,)))]


def test_an_animation_has_a_frame_per_image(archive, journal):
    ids = of_method(archive)
    left, fresh = (archive.root / "renderings" / f".part-{name}" for name in ("left", "fresh"))
    for folder, time in ((left, NOW - np.timedelta64(2, "D")), (fresh, NOW)):
        folder.mkdir(parents=True)
        os.utime(folder, (time.astype(int) / 1e6,) * 2)
    request, rendering = made(archive, journal, AnimationRequest(tuple(ids), LOOKS))
    assert (left.exists(), fresh.exists()) == (False, True)
    assert set(rendering.files) == {"animation.mp4", "animation.gif", "frames.zip", "animation.csv"}
    frames = imageio.mimread(rendering.folder / "animation.mp4", memtest=False)
    assert len(frames) == len(ids)
    assert {frame.shape for frame in frames} == {(256, 256, 3)}
    assert len({hashlib.sha256(frame.tobytes()).digest() for frame in frames}) == len(ids)
    with Picture.open(rendering.folder / "animation.gif") as gif:
        assert gif.n_frames == len(ids)
    with (rendering.folder / "animation.csv").open() as stream:
        starts = [row["start"] for row in csv.DictReader(stream)]
    assert starts == sorted(starts)
    # asked for again, it is answered at once
    again, new = submit_rendering(archive, journal, AnimationRequest(tuple(ids), LOOKS), "anna", NOW)
    assert (again.request_id, new) == (request.request_id, False)


def test_a_cube_of_times_bands_and_methods(archive, journal):
    file = next(file for file in archive.science_files() if not file.is_background)
    t0 = archive.images(ImageFilter(uid=file.uid))[0].t_start
    step = np.timedelta64(20, "s")
    request = CubeRequest(
        ImagingRequest(
            uid=file.uid,
            time_ranges=tuple((t0 + n * step, t0 + (n + 1) * step) for n in range(3)),
            energy_ranges=((4.0, 10.0), (6.0, 10.0)),
            methods={method: PARAMETERS[method]() for method in (Method.CLEAN, Method.VIS_FWDFIT)},
            shape=(65, 65),
            pixel=4.0,
        ),
        LOOKS,
        ensemble=4,
    )
    done, rendering = made(archive, journal, request)
    assert len(journal.parts(done.request_id)) == request.task_count == 7
    with (rendering.folder / "measures.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 3 * 2 * 2
    for row in rows:
        assert float(row["x_err"]) > 0
        assert float(row["flux_err"]) > 0
        assert float(row["fwhm_arcsec"]) > 0
    with fits.open(rendering.folder / "cube.fits") as hdus:
        assert hdus["CLEAN"].data.shape[:2] == (2, 3)
        assert len(hdus["TIMES"].data) == 3
        assert hdus["ENERGIES"].data["low"].tolist() == [4.0, 6.0]
        header = hdus["CLEAN"].header
        band, time = 0, 1
        row, column = np.unravel_index(np.nanargmax(hdus["CLEAN"].data[band, time]), hdus["CLEAN"].data.shape[2:])
        x = (column + 1 - header["CRPIX1"]) * header["CDELT1"]
        start = np.datetime64(hdus["TIMES"].data["start"][time], "us")
        mine = archive.images(ImageFilter(author="anna", methods=("clean",)))
        (image,) = [image for image in mine if image.t_start == start and image.e_low == 4]
        assert x == pytest.approx(image.peak_hpc_x, abs=4.0)
    with Picture.open(rendering.folder / "contact_sheet.png") as sheet:
        assert sheet.width > 3 * 100
    assert len(imageio.mimread(rendering.folder / "animation.mp4", memtest=False)) == 3
    assert any("the animation shows CLEAN" in note for note in rendering.notes)


@pytest.mark.parametrize(("times", "kinds"), [(1, 1), (59, 1), (60, 4), (7, 2), (300, 1)])
def test_a_contact_sheet_is_about_as_wide_as_high(times, kinds):
    columns = _sheet_columns(times, kinds)
    width, height = columns, -(-times // columns) * kinds
    assert columns <= times
    assert width / height < 2.5
    if times >= kinds:
        assert width / height > 0.5


def test_a_cube_without_error_bars_says_so(archive, journal):
    file = next(file for file in archive.science_files() if not file.is_background)
    t0 = archive.images(ImageFilter(uid=file.uid))[0].t_start
    inside, outside = (t0, t0 + np.timedelta64(20, "s")), (file.t_end, file.t_end + np.timedelta64(20, "s"))
    imaging = ImagingRequest(file.uid, (inside,), ((4.0, 10.0),), methods={Method.CLEAN: PARAMETERS[Method.CLEAN]()})
    with pytest.raises(BadRequest, match="not inside"):
        submit_rendering(archive, journal, CubeRequest(replace(imaging, time_ranges=(inside, outside))), "anna", NOW)
    with pytest.raises(BadRequest, match=r"imaging\.seed: has no effect on a cube"):
        submit_rendering(archive, journal, CubeRequest(replace(imaging, seed=7)), "anna", NOW)
    _, rendering = made(archive, journal, CubeRequest(imaging, LOOKS, ensemble=0))
    assert any(note.startswith("no error bars") for note in rendering.notes)


def test_an_overlay_on_a_map_of_the_archive(archive, journal, shared_data):
    (archive.root / "overlays").mkdir()
    name = "AIA20220402_131341_0304.fits"
    (archive.root / "overlays" / name).write_bytes((shared_data / "formats" / "aia" / name).read_bytes())
    (archive.root / "overlays" / "text.fits").write_text("no map")
    assert maps_of(archive) == [name, "text.fits"]
    image = of_method(archive)[0]
    _, rendering = made(archive, journal, OverlayRequest((image,), OverlayLooks(name)))
    assert rendering.files == ("overlay.png",)
    assert rendering.notes[0].startswith("assumption: all sources are on the solar surface")
    asked, _ = submit_rendering(archive, journal, OverlayRequest((image,), OverlayLooks("text.fits")), "anna", NOW)
    work(archive)
    failed = journal.get(asked.request_id)
    assert failed.state == RequestState.FAILED
    assert "text.fits cannot be read as a map" in failed.reason


def test_a_map_that_somebody_uploads(archive):
    content = fits_bytes()
    name = keep_map(archive, "../../it's my <map>.fits", content, "anna")
    assert name.startswith("anna/it_s_my__map_")
    assert (archive.root / "overlays" / name).read_bytes() == content
    assert keep_map(archive, "../../it's my <map>.fits", content, "anna") == name
    (archive.root / "overlays" / "for_all.fits").write_bytes(content)
    assert maps_of(archive) == maps_of(archive, "bob") == ["for_all.fits"]
    assert maps_of(archive, "anna") == maps_of(archive, "olga", operator=True) == ["for_all.fits", name]
    OverlayRequest(("0123456789abcdef-clean",), OverlayLooks(name))  # a name that may be asked for
    with pytest.raises(NotAllowed):
        keep_map(archive, "map.fits", content, None)
    with pytest.raises(BadRequest, match="not a FITS file"):
        keep_map(archive, "map.fits", b"<html>", "anna")
    with pytest.raises(LimitReached, match="16 at most"):
        keep_map(archive, "map.fits", content + bytes(16 << 20), "anna")


def test_a_map_that_unpacks_to_more_than_the_limit_is_refused(archive):
    limits = replace(Limits(), map_unpacked=1 << 20)
    packed = gzip.compress(b"SIMPLE  =" + bytes(2 << 20))
    with pytest.raises(BadRequest, match="more than 1 MiB when unpacked"):
        keep_map(archive, "map.fits.gz", packed, "anna", limits)
    assert maps_of(archive, "anna") == []
    assert keep_map(archive, "map.fits.gz", gzip.compress(fits_bytes()), "anna", limits).endswith(".fits.gz")


def test_one_users_maps_leave_room_for_another(archive):
    """Maps of one user, however many and small, do not keep another user from uploading one."""

    def upload_many():
        for number in range(1000):
            keep_map(archive, "map.fits", b"SIMPLE  =%d" % number, "anna")

    with pytest.raises(LimitReached, match=r"uploaded maps.*ask the operator to remove some"):
        upload_many()
    assert keep_map(archive, "map.fits", b"SIMPLE  =0", "anna")  # which is there already
    assert keep_map(archive, "map.fits", fits_bytes(), "bob") in maps_of(archive, "bob")


def test_maps_are_counted_in_bytes(archive):
    """All maps of one user together may have so many bytes; another user's do not count."""
    limits = replace(Limits(), maps_size=3000)
    keep_map(archive, "a.fits", b"SIMPLE  =" + bytes(1991), "anna", limits)
    with pytest.raises(LimitReached, match="your uploaded maps would be"):
        keep_map(archive, "b.fits", b"SIMPLE  =" + bytes(992), "anna", limits)
    keep_map(archive, "b.fits", b"SIMPLE  =" + bytes(991), "anna", limits)
    keep_map(archive, "b.fits", b"SIMPLE  =" + bytes(2991), "bob", limits)


def fits_bytes():
    stream = io.BytesIO()
    fits.PrimaryHDU(np.zeros((4, 4), np.float32)).writeto(stream)
    return stream.getvalue()


def test_who_may_ask_for_what(archive, journal):
    image = archive.images(ImageFilter(methods=("clean",)))[0]
    archive.upsert("images", [replace(image, hidden=True, author="bob")])
    request = AnimationRequest((image.image_id,))
    with pytest.raises(BadRequest, match="there is no image"):
        submit_rendering(archive, journal, request, "anna", NOW)
    with pytest.raises(NotAllowed):
        submit_rendering(archive, journal, AnimationRequest((of_method(archive, "bp")[0],)), "guest", NOW)
    assert submit_rendering(archive, journal, request, "bob", NOW)[1]
    for name in ("../users.json", "none.fits", "a/b.fits", "a/../b.fits", ""):
        with pytest.raises(BadRequest):
            submit_rendering(archive, journal, OverlayRequest((image.image_id,), OverlayLooks(name)), "bob", NOW)
    on_annas = OverlayRequest(
        (of_method(archive, "bp")[0],), OverlayLooks(keep_map(archive, "map.fits", fits_bytes(), "anna"))
    )
    with pytest.raises(BadRequest, match="there is no map 'anna/map_"):
        submit_rendering(archive, journal, on_annas, "bob", NOW)
    assert submit_rendering(archive, journal, on_annas, "anna", NOW)[1]
    assert submit_rendering(archive, journal, on_annas, "olga", NOW, operator=True)[1]


def test_renderings_are_kept_for_a_month(archive, journal):
    request = AnimationRequest((of_method(archive, "em")[0],), LOOKS)
    asked, rendering = made(archive, journal, request)
    written = (rendering.folder / "rendering.json").stat().st_mtime
    day = np.datetime64(int(written), "s")
    assert purge_renderings(archive, day + KEPT) == 0
    assert rendering.folder.is_dir()
    assert purge_renderings(archive, day + KEPT + np.timedelta64(2, "s")) == 1
    assert find_rendering(archive, journal, asked) is None
    assert not list(rendering.folder.parent.iterdir())
    again, new = submit_rendering(archive, journal, request, "anna", NOW)
    assert (again.request_id != asked.request_id, new) == (True, True)


def test_json_there_and_back(archive):
    ids = tuple(of_method(archive))
    imaging = ImagingRequest("2211111234", ((NOW, NOW + np.timedelta64(1, "m")),), ((4.0, 10.0),))
    for request in (
        AnimationRequest(ids, AnimationLooks(0.5, "log", False, 200.0, 512)),
        OverlayRequest(ids, OverlayLooks("map.fits", view="stix", assumption="planar", levels=(0.5,))),
        CubeRequest(imaging, ensemble=3),
        imaging,
    ):
        assert parse_any(request.to_json()) == request
    with pytest.raises(BadRequest, match="the copies of a cube are its key ensemble, beside imaging"):
        CubeRequest(replace(imaging, ensemble=30))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"kind": "film"}, "film"),
        ({"images": []}, "at least one image"),
        ({"images": ["../x"]}, "not the id of an image"),
        ({"images": "x"}, "a list"),
        ({"looks": {"scale": "cubic"}}, "scale"),
        ({"looks": {"size": 5000}}, "size"),
        ({"looks": {"size": "big"}}, "whole number"),
        ({"looks": {"frame_time": 0}}, "frame_time"),
        ({"looks": {"sice": 5}}, "unknown key"),
        ({"colour": 1}, "unknown key"),
    ],
)
def test_what_is_refused(changes, complaint):
    document = {"kind": "animation", "images": ["0123456789abcdef-clean"]} | changes
    with pytest.raises(BadRequest, match=complaint):
        parse_any(json.dumps(document))


def test_too_many_images_are_refused():
    ids = tuple(f"{n:016x}-clean" for n in range(501))
    with pytest.raises(LimitReached, match="500 at most"):
        AnimationRequest(ids)
