"""Objects show their main numbers in notebooks, and themselves in figures."""

import base64
import io
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt
from PIL import Image as Picture

from stixcore import ImageRequest, Method, notebook, prepare_recipe, reconstruct
from stixcore.imaging.methods import default_parameters


@pytest.fixture(scope="module")
def images(shared_data):
    folder = shared_data / "nov2022"
    (science,), (background,) = (folder / "l1").glob("*_2211116471-*"), (folder / "l1").glob("*_2211098157-*")
    (aspect,) = (folder / "aux").glob("*_20221111_*")
    time = np.array(["2022-11-11T11:36:40", "2022-11-11T11:38:00"], dtype="datetime64[us]")
    request = ImageRequest(
        *time, (6.0, 10.0), methods={one: default_parameters(one) for one in (Method.BP, Method.CLEAN)}
    )
    recipe = prepare_recipe(request, science, background, [aspect])
    paths = {path.name: path for path in (science, background, aspect)}
    return reconstruct(recipe, lambda file: paths[file.name])


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """Figures that were shown: how many images, lines and bars each has."""
    mpl.use("agg")
    found = []
    monkeypatch.setattr(plt, "show", lambda: found.append(plt.gcf()))
    yield found
    plt.close("all")


def page_of(thing):
    return BeautifulSoup(thing._repr_html_(), "html.parser")


def test_an_image_shows_its_numbers_and_its_pixels(images, shown):
    clean = images.images[Method.CLEAN]
    page = page_of(clean)
    assert page.strong.get_text() == "CLEAN"
    x, y = clean.peak
    assert f"({x:.1f}, {y:.1f}) arcsec" in page.get_text()
    data = base64.b64decode(page.img["src"].partition(",")[2])
    picture = np.asarray(Picture.open(io.BytesIO(data)).convert("L"), dtype=float)
    row, column = np.unravel_index(np.argmax(clean.image), clean.image.shape)
    assert picture[clean.image.shape[0] - 1 - row, column] == picture.max()  # north is up
    clean.peek()
    axes = shown[0].axes[0]
    drawn = axes.images[0]
    left, right, bottom, top = drawn.get_extent()
    assert (right - left, top - bottom) == pytest.approx([n * clean.grid.pixel for n in clean.image.shape[::-1]])
    assert ((left + right) / 2, (bottom + top) / 2) == pytest.approx(clean.grid.center)
    assert "arcsec" in axes.get_xlabel()


def test_visibilities_show_amplitude_and_phase(images, shown):
    page = page_of(images.vis)
    assert len(page.tbody.find_all("tr")) == len(images.vis)
    images.vis.peek()
    amplitude, phase = shown[0].axes
    assert amplitude.lines[0].get_ydata() == pytest.approx(images.vis.amplitude)
    assert phase.lines[0].get_ydata() == pytest.approx(images.vis.phase)
    assert [label.get_text() for label in phase.get_xticklabels()] == list(images.vis.labels)


def test_recipe_and_image_set(images, shown):
    assert images.recipe.recipe_id in page_of(images.recipe).get_text()
    assert images.recipe.science.name in page_of(images.recipe).get_text()
    page = page_of(images)
    assert [caption.get_text() for caption in page.find_all("figcaption")] == ["Back projection", "CLEAN"]
    images.peek()
    assert len([axes for axes in shown[0].axes if axes.images]) >= 2
    failed = replace(images, failures={Method.EM: "<b>no counts</b>"})
    assert page_of(failed).b is None
    assert "<b>no counts</b>" in page_of(failed).get_text()


def test_what_is_shown_is_escaped():
    page = BeautifulSoup(notebook.facts_html("<i>", [("<u>", "<script>")]), "html.parser")
    assert (page.i, page.u, page.script) == (None, None, None)
    page = BeautifulSoup(notebook.columns_html("<i>", ["<u>"], [["<script>"]]), "html.parser")
    assert (page.i, page.u, page.script) == (None, None, None)
    assert notebook.number(float("nan")) == "–"
