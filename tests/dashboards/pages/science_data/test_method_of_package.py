"""A method of an installed package: on the form, in the API, made by a worker, listed; and its images without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from playwright.sync_api import BrowserContext, expect

from archive import Archive
from archive.accounts import Accounts
from archive.client import ApiError, ArchiveClient
from tests.stixcore.imaging.installed_packages import install_example

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[4]
FLARE, NAME = "2211116471", "uniform"
NOW = np.datetime64("2026-11-25T12:00:00", "us")
START, END = "2022-11-11T11:36:00", "2022-11-11T11:37:00"


def stix_jobs(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a new process, which finds packages where PYTHONPATH says."""
    modules = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", *map(str, words)],
        env=os.environ | {"PYTHONPATH": modules},
        capture_output=True,
        text=True,
        check=False,
    )


def get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


def submit(client: ArchiveClient, power: float) -> int:
    methods = {NAME: {"power": power}, "bp": {}}
    window = {"uid": FLARE, "time_ranges": [[START, END]], "energy_ranges_kev": [[6, 10]]}
    return int(client.submit(window | {"methods": methods, "shape": 65})["request_id"])


def test_a_method_of_a_package_from_the_form_to_its_images_without_it(
    november: Archive,
    serve: Callable[..., Any],
    watch: Callable[..., Any],
    desktop: BrowserContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "archive"
    shutil.copytree(november.root, root)
    accounts = Accounts(root)
    accounts.add("alice", "a long pass phrase", NOW)
    token = accounts.make_token("alice", "test", NOW)
    monkeypatch.setenv("PYTHONPATH", str(install_example(tmp_path / "site")))

    with serve(root, fresh=True) as server:
        # the form has its parameter while it is selected
        page = watch(desktop, server.url).visit(f"science_data?uid={FLARE}&tab=analysis")
        page.get_by_role("button", name="Advanced").click()
        power = page.get_by_label("Uniform weights: power", exact=True)
        expect(page.get_by_role("button", name="Take away Back projection")).to_be_visible()
        expect(page.get_by_role("button", name="Take away Uniform weights")).to_have_count(0)  # not by default
        expect(power).to_be_hidden()
        methods = page.get_by_role("combobox", name="Methods")
        methods.focus()
        page.keyboard.press("ArrowDown")
        page.get_by_role("menuitem", name="Uniform weights").click()
        page.keyboard.press("Escape")
        expect(power).to_have_value("1")

        # the API makes it, and says what is wrong with a parameter
        client = ArchiveClient(server.url, token, cache=tmp_path / "cache")
        with pytest.raises(ApiError, match="less than or equal to 3"):
            submit(client, 4.0)
        number = submit(client, 0.5)
        worked = stix_jobs("worker", "--once", "--archive", root)
        assert worked.returncode == 0, worked.stderr
        done = client.request(number)
        assert (done["state"], done["reason"]) == ("done", "")
        (image,) = client.images(method=NAME)
        assert image["image_id"].endswith(f"-{NAME}")
        content = get(f"{server.url}/archive/fits/{image['image_id']}")
        with closing(Archive(root)) as archive:
            file = archive.path_of(archive.image(image["image_id"]).file)
        assert file.name.endswith(f"_{NAME}.fits")
        assert file.read_bytes() == content
        header = fits.getheader(file)
        assert (header["ALG_USED"], header["ALG_PKG"]) == (NAME, "stix-uniform 1.0")
        script = get(f"{server.url}/archive/script/{image['image_id']}.py").decode()
        assert "pip install stix-uniform==1.0   # for the method uniform" in script
        assert (
            "stix-uniform 1.0, which has no equivalent"
            in get(f"{server.url}/archive/script/{image['image_id']}.pro").decode()
        )

        # the archive lists it by its display name
        page = watch(desktop, server.url).visit("image_archive?tab=images&author=anyone")
        expect(page.locator("td", has_text="Uniform weights").first).to_be_visible()
        waiting = submit(client, 0.7)
    reproduced = stix_jobs("reproduce", file, "--archive", root)
    assert reproduced.returncode == 0, reproduced.stderr
    assert "Uniform weights (uniform) comes from stix-uniform 1.0" in stix_jobs("doctor", "--archive", root).stdout
    table = subprocess.run(
        [sys.executable, "-c", "from docs.makers.options import methods_table; print(methods_table())"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path / "site")])},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "| `uniform` | Uniform weights (package stix-uniform)." in table
    assert "`power` = `1.0` (0 to 3) (0: natural weighting, 1: uniform)" in table

    monkeypatch.delenv("PYTHONPATH")
    with serve(root, fresh=True) as server:
        client = ArchiveClient(server.url, token, cache=tmp_path / "cache")
        assert client.image(image["image_id"])["method"] == NAME
        assert image["image_id"] in [one["image_id"] for one in client.images()]
        assert get(f"{server.url}/archive/fits/{image['image_id']}") == content
        for suffix in (".py", ".pro", ".ipynb", "-stixpy.py"):
            assert get(f"{server.url}/archive/script/{image['image_id']}{suffix}")
        page = watch(desktop, server.url).visit("image_archive?tab=images&author=anyone")
        expect(page.locator("td", has_text=NAME).first).to_be_visible()
        # a request that was waiting fails with the reason, and its page and row stay readable
        assert stix_jobs("worker", "--once", "--archive", root).returncode == 0
        failed = client.request(waiting)
        assert failed["state"] == "failed"
        assert "found 'uniform'" in failed["reason"]
        assert {one["request_id"] for one in client.requests()} == {number, waiting}
        with pytest.raises(ApiError, match=r"expected full_disk_bp, .*, found 'uniform'"):
            submit(client, 0.5)
    refused = stix_jobs("reproduce", file, "--archive", root)
    assert refused.returncode == 1
    expected = "the recipe was made with stix-uniform 1.0, but no package with this method is installed"
    assert expected in refused.stderr + refused.stdout
    checked = stix_jobs("check", "--archive", root)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with closing(Archive(root)) as archive:
        assert archive.image(image["image_id"]).verdict_position in ("trusted", "doubtful")
