"""Scripts and style sheets that are kept are those that Panel looks up for the components of a page."""

from __future__ import annotations

import importlib
from typing import Any

import panel as pn
import panel.ui as pmui
import pytest
from bokeh.document import Document
from bokeh.models import DataTable
from panel.io.resources import Resources
from panel.io.state import set_curdoc

from dashboards.panel_patches import resource_bundle


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """How often Panel looks."""
    every: list[Any] = []
    look = resource_bundle._look
    monkeypatch.setattr(resource_bundle, "_known", {})
    monkeypatch.setattr(resource_bundle, "_look", lambda *given: every.append(given) or look(*given))
    return every


def resources_of(*components: Any) -> tuple[str, ...]:
    document = Document()
    with set_curdoc(document):
        for component in components:
            component.server_doc(document)
        return tuple(resource_bundle._bundle_resources(document.roots, Resources(mode="server")))


def test_the_same_kind_of_page_is_looked_up_once(looks: list[Any]) -> None:
    first, second = (resources_of(pmui.Button(), pn.pane.HTML(text)) for text in ("one", "another"))
    assert len(looks) == 1
    assert first == second
    assert "panel.min.js" in first[0]


def test_absent_components_bring_no_scripts(looks: list[Any]) -> None:
    importlib.import_module("panel.models.tabulator")  # as ``panel serve`` does
    sent = " ".join(resources_of(pmui.Button()))
    assert not any(name in sent for name in ("tabulator", "bokeh-gl"))


def test_another_component_brings_its_scripts(looks: list[Any]) -> None:
    few = resources_of(pmui.Button())
    more = resources_of(pmui.Button(), pn.pane.Bokeh(DataTable()))
    assert len(looks) == 2
    assert ("bokeh-tables" in few[0], "bokeh-tables" in more[0]) == (False, True)
