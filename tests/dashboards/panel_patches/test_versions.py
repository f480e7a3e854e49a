"""Other versions of Panel and what is below it are named at the start."""

from __future__ import annotations

import logging
import re
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import pytest
from packaging.requirements import Requirement

from dashboards.panel_patches import versions
from dashboards.server import server


def test_the_pinned_versions_are_the_tested_ones() -> None:
    assert versions.untested_versions() == []


@pytest.mark.parametrize("name", versions.REPLACED_IN)
def test_what_is_replaced_in_part_has_an_upper_bound(name: str) -> None:
    (wanted,) = (one for text in requires(versions.PROJECT) or () if (one := Requirement(text)).name == name)
    assert not wanted.specifier.contains("99")


def test_another_version_is_one_line_of_the_log(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(versions, "version", lambda name: "99.0" if name in {"panel", "bokeh"} else "1.0")
    monkeypatch.setattr(versions, "requires", lambda _: ["panel<1.11,>=1.10", "bokeh>=3.10,<3.11", "numpy<1"])
    monkeypatch.setattr(server.ArchiveServe, "invoke", lambda *_: None)
    for part in (server.live_pages, server.session_memory):
        monkeypatch.setattr(part, "install", lambda *_: None)
    with caplog.at_level(logging.WARNING):
        server.serve([])
    (line,) = caplog.messages
    assert re.search(r"bokeh 99\.0 \(made for .*<3\.11.*\), panel 99\.0|panel 99\.0 \(.*\), bokeh 99\.0", line)


def test_a_project_that_is_not_installed_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> list[str]:
        raise PackageNotFoundError

    monkeypatch.setattr(versions, "requires", none)
    assert versions.untested_versions() == []
