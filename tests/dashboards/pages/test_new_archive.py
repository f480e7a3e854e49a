"""A server that is started before there is an archive: what its pages say, from then to the first work that fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from archive import Archive
from archive.checks.findings import Code, Finding, Level, keep_findings
from dashboards.shared.clock import now
from jobs.queue.journal import Journal, RequestState
from jobs.queue.leases import Leases

pytestmark = pytest.mark.needs_chromium


def submit(root: Path, user: str, uid: str, *, hidden: bool) -> int:
    body = json.dumps({"uid": uid, "hidden": hidden})
    return Journal(root).submit(user, body, now(), uid=uid, task_count=1)[0].request_id


def test_from_no_archive_to_one_at_work(
    watch: Callable[..., Any], desktop: BrowserContext, serve: Callable[..., Any], tmp_path: Path
) -> None:
    root = tmp_path / "archive"
    with serve(root) as server:
        watched = watch(desktop, server.url)
        page = watched.visit("image_archive")
        expect(page.get_by_role("alert")).to_contain_text("There is no archive here yet")
        Archive(root, create=True).close()
        page.reload()
        expect(page.get_by_text("The archive has no images yet")).to_be_visible()
        watched.visit("lightcurves")
        expect(page.get_by_text("The archive has no quick-look light curves yet.")).to_be_visible()

        hour = np.timedelta64(1, "h")
        finding = Finding(Level.ERROR, Code.IMAGE_MISSING, "images", "images/secret.fits", "images/secret.fits is gone")
        keep_findings(root, [finding], now() - hour)
        submit(root, "carla", "2211110003", hidden=True)
        watched.visit("operations")
        expect(page.get_by_text("1 to fix")).to_be_visible()
        expect(page.get_by_text("start “stix-jobs worker”")).to_be_visible()
        expect(page.get_by_role("cell", name="image-missing")).to_be_visible()
        expect(page.get_by_text("secret")).to_have_count(0)
        expect(page.get_by_text("1 private request of another user is not listed")).to_be_visible()

        # from here on it refreshes by itself
        number = submit(root, "anna", "2211116471", hidden=False)
        expect(page.get_by_text("1 ahead of it")).to_be_visible()
        leases = Leases(root)
        leases.sign_in("w", "2 processes", now())
        for request in (leases.claim("w", now(), 300.0), leases.claim("w", now(), 300.0)):
            leases.progress(request.request_id, "w", "MEM_GE", 6, 8)
        bar = page.get_by_role("progressbar", name=f"Request {number}")
        expect(bar).to_have_attribute("aria-valuenow", "75")
        expect(page.get_by_text("MEM_GE")).to_have_count(1)
        expect(page.get_by_text("busy", exact=True)).to_be_visible()
        leases.finish(number, "w", now(), RequestState.FAILED, "no detector is <on>")
        expect(page.get_by_text("no detector is <on>")).to_be_visible()
        expect(page.get_by_role("button", name="Retry")).to_have_count(0)  # a guest
        expect(page.get_by_text("anna")).to_have_count(0)
        page.goto("about:blank")
