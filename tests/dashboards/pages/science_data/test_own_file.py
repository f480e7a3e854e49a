"""A file of the visitor's own: imaged for them, in the archive for nobody, gone afterwards."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from archive import Archive
from dashboards.pages.science_data import own_file
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.imaging_form import ImagingForm
from dashboards.pages.science_data.limited_threads import LimitedThreads
from dashboards.pages.science_data.own_file import OwnFiles
from dashboards.pages.science_data.own_images import own_images_html, running_html
from dashboards.shared.limits import WebLimits
from dashboards.shared.source import ArchiveSource
from jobs.imaging import uploads
from jobs.imaging.own_images import OwnTask, run_in_child
from jobs.imaging.uploads import UploadLimits, UploadRefused, UploadSummary, check_upload
from jobs.shared.errors import LimitReached

FLARE = "2211116471"
NOW = np.datetime64("2026-11-25T12:00:00", "us")
#: A busy machine is no fault of the file.
PATIENT = UploadLimits(seconds=240.0)
#: What a child process has said of files that it accepted, by their bytes.
CHECKED = dict[bytes, UploadSummary]()


@pytest.fixture(autouse=True)
def checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the same bytes checked once, by a child process: they are the same in every test."""

    def check(path: Path, limits: UploadLimits | None = None) -> UploadSummary:
        content = path.read_bytes()
        if content not in CHECKED:
            CHECKED[content] = check_upload(path, limits)
        return replace(CHECKED[content], path=str(path))

    monkeypatch.setattr(uploads, "check_upload", check)


def everything_in(root: Path) -> set[Path]:
    return set(root.rglob("*"))


def test_it_is_imaged_and_leaves_no_trace(november: Archive) -> None:
    before = everything_in(november.root)
    own = OwnFiles(ArchiveSource(november.root), lambda: NOW, PATIENT)
    detail = own.receive("../../my flare.fits", november.locate(FLARE).read_bytes())
    assert own.problem == ""
    row, indexed = detail.file, november.science_file(FLARE)
    for name in ("uid", "n_bins", "e_low", "e_high", "n_pixels", "counts", "rcr_max", "t_start", "sha256", "purpose"):
        assert getattr(row, name) == getattr(indexed, name)
    folder = own.folder
    assert detail.path.is_relative_to(folder)
    view = FileView(detail.path)
    form = ImagingForm(view, ArchiveSource(november.root), None, methods=["bp", "clean"], side=65, pixel=4.0)
    done, seen = threading.Event(), list[dict[str, Any]]()

    def pass_on(values: dict[str, Any]) -> None:
        seen.append(values)
        own.param.update(**values)
        if values["step"] == "":
            done.set()

    box = view.peak_minute()
    own.make_images(form, box, pass_on)
    assert done.wait(120)
    assert own.problem == ""
    assert [image.method for image in own.images] == ["bp", "clean"]
    assert {values["step"] for values in seen} >= {"Back projection", "CLEAN", ""}
    peak = form.feedback(box).instant.image.peak
    assert (own.images[0].about["peak_hpc_x"], own.images[0].about["peak_hpc_y"]) == peak
    html = own_images_html(own.images)
    assert html.count("data:image/png;base64,iVBOR") == html.count("data:application/fits;base64,U0lNUExF") == 2
    assert "value='0.500'" in running_html("CLEAN", 0.5)
    own.forget()
    assert not folder.exists()
    assert own.folder is None
    assert everything_in(november.root) == before


def test_only_the_last_file_is_kept(november: Archive) -> None:
    """A session keeps the last file that it accepted, and none before it."""
    own = OwnFiles(ArchiveSource(november.root), lambda: NOW, PATIENT)
    content = november.locate(FLARE).read_bytes()
    kept = [own.receive(f"{name}.fits", content) for name in "ab"]
    assert [path.name for path in own.folder.rglob("*.fits")] == ["b.fits"]
    other = own.receive("c.fits", november.locate("2211098157").read_bytes())
    assert list(own.folder.rglob("*.fits")) == [other.path]
    assert own.receive("d.fits", b"SIMPLE  = nonsense") is None
    assert list(own.folder.rglob("*.fits")) == [other.path], "what is refused takes nothing away"
    assert None not in kept
    own.forget()


def test_a_file_of_which_images_are_made_stays_until_they_are(november: Archive) -> None:
    own = OwnFiles(ArchiveSource(november.root), lambda: NOW, PATIENT)
    first = own.receive("first.fits", november.locate(FLARE).read_bytes())
    view = FileView(first.path)
    form = ImagingForm(view, ArchiveSource(november.root), None, methods=["bp"], side=33, pixel=8.0)
    dropped, done = threading.Event(), threading.Event()

    def waits(*_: Any) -> Any:
        assert dropped.wait(60)
        assert first.path.exists()
        return ()

    def pass_on(values: dict[str, Any]) -> None:
        own.param.update(**values)
        if values["step"] == "":
            done.set()

    own._make = waits
    own.make_images(form, view.peak_minute(), pass_on)
    last = own.receive("last.fits", november.locate("2211098157").read_bytes())
    dropped.set()
    assert done.wait(120)
    assert own.problem == ""
    deadline = time.monotonic() + 20
    while first.path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(own.folder.rglob("*.fits")) == [last.path]
    own.forget()


def test_what_is_no_file_of_ours_is_refused(november: Archive) -> None:
    own = OwnFiles(ArchiveSource(november.root), lambda: NOW, UploadLimits(size=2 << 20, seconds=240.0))
    assert own.receive("x.fits", b"SIMPLE  = nonsense") is None
    assert "x.fits" in own.problem
    assert own.receive("large.fits", b" " * (3 << 20)) is None
    assert "2 MiB" in own.problem
    own.forget()


def test_one_box_at_a_time(november: Archive) -> None:
    own = OwnFiles(ArchiveSource(november.root), lambda: NOW, PATIENT)
    detail = own.receive("own.fits", november.locate(FLARE).read_bytes())
    view = FileView(detail.path)
    form = ImagingForm(view, ArchiveSource(november.root), None, energies="10-15")
    done = threading.Event()

    def pass_on(values: dict[str, Any]) -> None:
        own.param.update(**values)
        done.set()

    own.make_images(form, view.peak_minute(), pass_on)
    assert done.wait(60)
    assert "one energy range at a time" in own.problem
    own.forget()


def test_images_that_take_too_long_are_given_up(november: Archive, tmp_path: Path) -> None:
    from stixcore.options import ImageRequest

    request = ImageRequest(
        np.datetime64("2022-11-11T11:36", "us"), np.datetime64("2022-11-11T11:37", "us"), energy=(6.0, 10.0)
    )
    task = OwnTask(request, november.locate(FLARE), None, (), tmp_path, NOW)
    with pytest.raises(LimitReached, match="longer than 0 s"):
        run_in_child(task, seconds=0)


def test_files_of_others_that_are_being_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While as many dropped files are looked at as may be, the next one is refused with a sentence, and not after."""
    looked_at, go_on = threading.Semaphore(0), threading.Event()

    def look(*_: Any) -> Any:
        looked_at.release()
        go_on.wait(60)
        message = "it was no file of ours"
        raise UploadRefused(message)

    monkeypatch.setattr(own_file, "receive_upload", look)
    others = [OwnFiles(ArchiveSource(tmp_path), lambda: NOW) for _ in range(WebLimits().own_files)]
    threads = [threading.Thread(target=other.receive, args=("x.fits", b"")) for other in others]
    for thread in threads:
        thread.start()
        looked_at.acquire(timeout=60)
    mine = OwnFiles(ArchiveSource(tmp_path), lambda: NOW)
    assert mine.receive("mine.fits", b"") is None
    assert mine.problem == "the server is busy with other files; upload mine.fits again in a moment"
    go_on.set()
    for thread in threads:
        thread.join()
    mine.receive("mine.fits", b"")
    assert mine.problem == "it was no file of ours"
    for own in (mine, *others):
        own.forget()


def test_while_others_are_imaged_the_last_images_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = "the server is busy with other files; try again in a minute"
    threads = LimitedThreads("own-images", running=1, waiting=0, refusal=refusal)
    monkeypatch.setattr(own_file, "THREADS", threads)
    go_on = threading.Event()
    threads.run(lambda: go_on.wait(60), "other")
    own = OwnFiles(ArchiveSource(tmp_path), lambda: NOW)
    image = own_file.OwnImage("clean", {}, "", "", "a.fits")
    own.images = (image,)
    form = SimpleNamespace(view=SimpleNamespace(path=tmp_path / "a.fits"))
    own.make_images(form, None, lambda _: None)
    assert (own.step, own.problem, own.images) == ("", refusal, (image,))
    go_on.set()
    own.forget()
