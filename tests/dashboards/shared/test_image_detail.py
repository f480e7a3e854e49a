"""An opened image says what its file says."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image as Picture

from archive import Archive, Image
from dashboards.shared import formatting
from dashboards.shared.detail import ImageDetail, load_detail, read_backgrounds
from dashboards.shared.image_detail import curve_window, numbers_html, picture_html, switch_html
from dashboards.shared.links import RouteLinks
from dashboards.shared.visibility_plot import visibility_figure


def text_of(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


@pytest.fixture(scope="module")
def details(imaged: Archive) -> list[tuple[ImageDetail, fits.Header, np.ndarray]]:
    """Every image opened, with header and pixels of its file read independently."""
    opened = []
    for image in imaged.images():
        with fits.open(imaged.path_of(image.file)) as hdus:
            opened.append((load_detail(imaged, image.image_id), hdus[0].header.copy(), hdus[0].data.copy()))
    return opened


def test_numbers_on_the_page_are_those_of_the_header(details: Any) -> None:
    assert {detail.image.method for detail, _, _ in details} >= {"clean", "bp", "mem_ge", "em", "vis_fwdfit"}
    for detail, header, pixels in details:
        row, column = np.unravel_index(pixels.argmax(), pixels.shape)
        peak = [
            header[f"CRVAL{axis}"] + (place + 1 - header[f"CRPIX{axis}"]) * header[f"CDELT{axis}"]
            for axis, place in ((1, column), (2, row))
        ]
        shown = text_of(numbers_html(detail))
        for value in (
            *(
                [formatting.position(*peak)] if header["ALG_USED"] != "vis_fwdfit" else []
            ),  # that of its strongest source
            f"{header['ENERGY_L']:g}–{header['ENERGY_H']:g} keV",
            formatting.number(float(pixels.max())),
            formatting.unit(header["BUNIT"]),
            formatting.counts(header["CNTS_TOT"]),
            formatting.counts(header["CNTS_BKG"]),
            f"roll {formatting.number(header['STX_ROLL'], '.2f')}°",
            formatting.position(header["MAPC_HPX"], header["MAPC_HPY"]),
            formatting.number(header["SIDELOBE"], ".2f"),
            f"uid {header['UID']}",
            header["DATE-BEG"][:19].replace("T", " "),
            header["DATE_EAR"][11:19],
            header["DATE_SUN"][11:19],
            *([formatting.number(header["CHI2"], ".2f")] if "CHI2" in header else []),
            *([formatting.number(header["TOTFLUX"])] if "TOTFLUX" in header else []),
        ):
            assert value in shown, (detail.image.image_id, value)
        assert ("degree of freedom; 1 is a perfect fit" in shown) == ("CHI2" in header)
        image = detail.image
        assert (image.n_iter, image.stopped_by) == (header["NITER"], header["STOPPED"])
        for column_value, keyword in ((image.chi2, "CHI2"), (image.total_flux, "TOTFLUX")):
            assert column_value == (pytest.approx(header[keyword]) if keyword in header else None)


def test_sources_carry_their_errors(details: Any) -> None:
    detail = next(detail for detail, _, _ in details if detail.image.method == "vis_fwdfit")
    shown = text_of(numbers_html(detail))
    for source in detail.file.sources:
        for name, form, sigma_form in (("x", ".1f", ".1f"), ("fwhm", ".1f", ".1f"), ("flux", ".3g", ".2g")):
            assert (
                f"{formatting.number(source[name], form)} ± {formatting.number(source[f'{name}_sigma'], sigma_form)}"
                in shown
            )
    for candidate in detail.file.candidates:
        assert formatting.position(candidate.x, candidate.y) in shown


def test_the_visibilities_are_those_of_the_files(imaged: Archive, details: Any) -> None:
    detail = next(detail for detail, _, _ in details if detail.image.method == "clean")
    assert set(detail.visibilities) == {image.method for image in detail.siblings} - {"full_disk_bp"}
    plot = visibility_figure(detail.visibilities)
    data = [renderer.data_source.data for renderer in plot.children[0][0].renderers]
    measured, predicted = data[0], {entry["what"][0]: entry["value"] for entry in data[1:]}
    with fits.open(imaged.path_of(detail.image.file)) as hdus:
        table = hdus["VISIBILITIES"].data
        amplitude = np.abs(table["real"] + 1j * table["imag"])
        np.testing.assert_allclose(measured["value"], amplitude)
        np.testing.assert_allclose(measured["upper"] - measured["lower"], 2 * table["sigma"])
        np.testing.assert_allclose(predicted["CLEAN"], np.abs(table["model_real"] + 1j * table["model_imag"]))
    # a back projection is no model
    assert set(predicted) == {"CLEAN", "Multi-scale CLEAN", "EM", "MEM_GE", "VIS_FWDFIT"}
    assert visibility_figure({}) is None


def test_a_missing_file_is_said_and_the_rest_is_there(imaged: Archive, small: Any) -> None:
    detail = load_detail(small.archive, small.images[1].image_id)  # its FITS file has no world coordinates
    assert detail.file is None
    assert "unreadable" in numbers_html(detail)
    assert small.images[1].uid in numbers_html(detail)
    assert detail.visibilities == {}
    assert detail.n_of_flare == 2


def test_methods_are_switched_by_small_pictures(small: Any) -> None:
    detail = load_detail(small.archive, small.images[1].image_id)
    html = switch_html(detail, RouteLinks())
    assert re.findall(r'data-image="([^"]+)" aria-pressed="(\w+)"', html) == [
        (small.images[0].image_id, "false"),
        (small.images[1].image_id, "true"),
    ]
    assert "img class" in picture_html(detail, RouteLinks())
    assert "img class" not in picture_html(detail, RouteLinks(), large=False)


def test_the_picture_has_axes_and_a_bar_in_the_chosen_colours(details: Any) -> None:
    detail, header, pixels = next(entry for entry in details if entry[0].image.method == "clean")
    html = picture_html(detail, RouteLinks(), colors="viridis")
    x0, x1, _, _ = detail.file.extent
    bar, across = (re.search(f"<div class=['\"]{name}['\"]>(.*?)</div>", html)[1] for name in ("bar", "x"))
    labels = re.findall(r'left:([\d.]+)%">([−\d]+)<', across)
    assert len(labels) >= 3
    for place, label in labels:
        value = float(label.replace("−", "-"))
        assert float(place) / 100 == pytest.approx((value - x0) / (x1 - x0), abs=1e-4)
    levels = re.findall(r'bottom:([\d.]+)%">([\d.]+)<', bar)
    assert len(levels) >= 3
    for place, label in levels:
        assert float(place) / 100 == pytest.approx(float(label) / pixels.max(), abs=2e-3)
    assert formatting.unit(header["BUNIT"]) in text_of(html)
    for name, top in (("viridis", "#fde724"), ("inferno", "#fcfea4")):
        html = picture_html(detail, RouteLinks(), colors=name)
        assert top in html
        picture = Picture.open(BytesIO(b64decode(re.search(r'base64,([^"]+)"', html)[1])))
        row, column = np.unravel_index(pixels[::-1].argmax(), pixels.shape)
        assert "#{:02x}{:02x}{:02x}".format(*picture.convert("RGB").getpixel((int(column), int(row)))) == top


def test_the_window_of_light_curves_holds_the_image(small: Any) -> None:
    image: Image = replace(
        small.images[0],
        t_start=np.datetime64("2022-11-11T11:35:40.271", "us"),
        t_end=np.datetime64("2022-11-11T11:36:40.271", "us"),
    )
    start, span = curve_window(image)
    assert np.datetime64(start, "s") == np.datetime64("2022-11-11T11:25:40")
    assert span == 60 + 2 * 600


def test_backgrounds_that_were_not_taken_have_their_reason(small: Any) -> None:
    text = '[{"uid": "1", "distance_h": -46.9, "qualifies": true, "reason": ""}, {"uid": "2<", "distance_h": 3, '
    text += '"qualifies": false, "reason": "too hot"}]'
    run = replace(small.archive.run(small.images[0].recipe_id), background_uid="1", background_candidates=text)
    shown = numbers_html(ImageDetail(small.images[0], run, (small.images[0],)))
    said = re.sub(r"<[^>]*>", "", shown)  # uids are links
    assert "not used: uid 2&lt;, +3.0 h, too hot" in said
    assert "not used: uid 1" not in said
    assert read_backgrounds(None) == read_backgrounds("no") == read_backgrounds('[{"uid": 1}]') == ()


def test_doubts_say_what_they_are_about_and_notes_are_apart(small: Any) -> None:
    warnings = [
        {"severity": "note", "text": "no CAL file"},
        {"severity": "doubt", "text": "another place is as bright", "doubts": ["position", "shape"]},
        {"severity": "doubt", "text": "from before there were verdicts"},
    ]
    image = replace(small.images[0], trusted=False, warnings=json.dumps(warnings))
    doubts, notes = numbers_html(ImageDetail(image, None, (image,))).split("<b>Notes</b>")
    assert "<b>Doubts</b>" in doubts
    assert "<li>Position, shape: another place is as bright</li>" in doubts
    assert "<li>from before there were verdicts</li>" in doubts
    assert "CAL" not in doubts
    assert "<li>no CAL file</li>" in notes
    image = replace(image, trusted=True, warnings=json.dumps(warnings[:1]))
    assert "Doubts" not in numbers_html(ImageDetail(image, None, (image,)))


def test_the_location_has_its_error(small: Any) -> None:
    run = replace(small.archive.run(small.images[0].recipe_id), hpc_x=10.0, hpc_y=-20.0)
    for sigma, shown in ((2.4, True), (None, False)):
        known = replace(run, hpc_sigma_x=sigma, hpc_sigma_y=sigma)
        said = text_of(numbers_html(ImageDetail(small.images[0], known, (small.images[0],))))
        assert ("± 2.4″, 2.4″" in said) is shown


def test_the_counts_of_a_set_are_not_those_of_its_full_disk_map(details: Any) -> None:
    for detail, header, _ in details:
        shown = text_of(numbers_html(detail))
        of_others = f"other images, {detail.run.band}: {formatting.counts(header['CNTS_TOT'])}"
        assert (of_others in shown) == (detail.image.method == "full_disk_bp")
