"""The demonstration: accounts, map, requests, and its two programs."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from archive import Archive, ImageFilter
from archive.accounts import Accounts, Role
from archive.scripts.parts import overlay
from jobs.cli import demo_service
from jobs.cli.demo_extras import USERS, set_accounts, submit_examples
from jobs.cli.demo_service import PortTaken, answers, require_free_port, serve
from jobs.executors.serial import SerialExecutor
from jobs.queue.journal import Journal, RequestState
from jobs.queue.worker import Worker
from jobs.renderings.planner import RequestPlanner
from jobs.renderings.run import find_rendering

# imageio leaves the pipes to ffmpeg to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
NOW = np.datetime64("2026-03-20T00:00:00", "us")
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_accounts_get_new_passwords_and_others_keep_theirs(tmp_path):
    archive = Archive(tmp_path / "archive", create=True)
    accounts = Accounts(archive.root)
    before = accounts.add("ada", "a password of ada", NOW)
    numbers = itertools.count()
    first, second = (set_accounts(archive, NOW, lambda: f"demonstration-{next(numbers)}") for _ in range(2))
    assert [(one.name, one.role) for one in second] == [("demo-user", Role.USER), ("demo-operator", Role.OPERATOR)]
    for old, new in zip(first, second, strict=True):
        assert accounts.verify(new.name, new.password) == accounts.user(new.name)
        assert accounts.verify(old.name, old.password) is None
    assert accounts.user("ada") == before


@pytest.mark.system
def test_the_examples_are_a_map_an_overlay_and_a_cube_that_others_do_not_see(own_archive):
    journal, public = Journal(own_archive.root), own_archive.count_images(ImageFilter())
    requests = submit_examples(own_archive, NOW)
    assert [request.user for request in requests] == [next(iter(USERS))] * 2
    Worker(own_archive.root, RequestPlanner(), SerialExecutor(), lambda: NOW).run(until_idle=True)
    drawn, cube = (journal.get(request.request_id) for request in requests)
    assert {drawn.state, cube.state} == {RequestState.DONE}
    rendering = find_rendering(own_archive, journal, drawn)
    # the map is of the minute in which the Earth sees what the image shows, and the flare is on it
    assert any(note.endswith("the map is 0 s too early") for note in rendering.notes), rendering.notes
    assert {"cube.fits", "animation.mp4", "measures.csv"} <= set(find_rendering(own_archive, journal, cube).files)
    assert own_archive.count_images(ImageFilter()) == public
    assert own_archive.count_images(ImageFilter(all_hidden=True)) > public
    again = submit_examples(own_archive, NOW)
    assert [one.request_id for one in again] == [one.request_id for one in requests]


def test_the_map_is_seen_from_the_earth_and_brightest_at_the_flare(own_archive):
    drawn, _ = submit_examples(own_archive, NOW)
    (path,) = (own_archive.root / "overlays").glob("*.fits")
    found = overlay.read_map(str(path))
    assert abs(np.linalg.norm(found["observer"]["place"]) / 1.496e11 - 1.0) < 0.02
    shown = own_archive.image(json.loads(drawn.body)["images"][0])
    image = overlay.read_stix(own_archive.path_of(shown.file))
    point = overlay.places(image["observer"], shown.peak_hpc_x, shown.peak_hpc_y, "surface")
    x, y, visible = overlay.seen_from(found["observer"], point)
    assert visible
    column, row = found["wcs"].world_to_pixel_values(x / 3600.0, y / 3600.0)
    brightest = np.unravel_index(np.argmax(found["data"]), found["data"].shape)
    assert np.hypot(brightest[0] - row, brightest[1] - column) * 4.8 < 60.0
    assert path.name.startswith("context_aia_171_")  # the flare page shows maps with such names


def test_an_archive_without_images_gets_no_examples(tmp_path):
    archive = Archive(tmp_path / "archive", create=True)
    assert submit_examples(archive, NOW) == []
    assert not (archive.root / "overlays").exists()


def test_a_port_in_use_is_named_before_any_work(tmp_path, stix_jobs):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} cannot be used"):
            require_free_port(port)
        status, _, error = stix_jobs("demo", "--archive", tmp_path / "archive", "--port", port)
    assert (status, (tmp_path / "archive").exists()) == (1, False)
    assert f"make demo PORT={port + 1}" in error


def test_a_program_that_ends_is_named_and_ends_the_other(tmp_path):
    told, left = [], tmp_path / "pid"
    waits = [sys.executable, "-c", f"import os, time; open({str(left)!r}, 'w').write(str(os.getpid())); time.sleep(60)"]
    ends = [
        sys.executable,
        "-c",
        f"import os, sys, time\nwhile not os.path.exists({str(left)!r}): time.sleep(0.05)\nsys.exit(3)",
    ]
    assert not serve({"worker": waits, "pages": ends}, told.append, lambda: False, pytest.fail)
    assert told == ["the pages ended with exit status 3"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(left.read_text()), 0)


@pytest.mark.parametrize("number", demo_service.ENDING)
def test_a_signal_ends_both_also_a_deaf_one(monkeypatch, number):
    monkeypatch.setattr(demo_service, "PATIENCE", 0.5)
    deaf = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"]
    before = signal.getsignal(number)
    threading.Timer(1.0, os.kill, (os.getpid(), number)).start()
    assert serve({"worker": deaf, "pages": SLEEP}, pytest.fail, lambda: False, pytest.fail)
    assert signal.getsignal(number) is before


def test_the_pages_are_announced_once_when_they_answer(tmp_path):
    looks = iter([False, False, True])
    announced = []

    def announce():
        announced.append(list(looks))  # what has not been asked
        (tmp_path / "announced").touch()

    waits = f"import os, sys, time\nwhile not os.path.exists({str(tmp_path / 'announced')!r}): time.sleep(0.05)"
    command = [sys.executable, "-c", f"{waits}\ntime.sleep(0.5)\nsys.exit(3)"]
    assert not serve({"pages": command}, lambda _: None, lambda: next(looks), announce)
    assert announced == [[]]


def test_a_port_answers_when_a_server_does():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/liveness" else 404)
            self.end_headers()

        def log_message(self, *_):
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert answers(server.server_port)
        server.shutdown()
        thread.join()
    assert not answers(server.server_port)


@pytest.mark.system
def test_the_demonstration_serves_pages_and_a_worker_and_ends_cleanly(own_archive, campaign):
    port = free_port()
    words = ["demo", "--data", str(campaign[0]), "--archive", str(own_archive.root), "--port", str(port)]
    command = [sys.executable, "-m", "jobs.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        output = ""
        while "pages at" not in output:
            line = demo.stdout.readline()
            assert line, output
            output += line
        urllib.request.urlopen(f"http://127.0.0.1:{port}/liveness", timeout=20).close()  # as soon as it is announced
        demo.send_signal(signal.SIGINT)
        output += demo.stdout.read()  # `communicate` would lose what `readline` has read ahead
        demo.wait(timeout=120)
    assert demo.returncode == 0, output
    for name in USERS:
        assert re.search(rf"^  sign in as {name} +password \S+$", output, re.MULTILINE), output
    assert "nanobind" not in output
    require_free_port(port)
    assert not (own_archive.root / "overlays").exists()  # nothing simulated is added to real files
