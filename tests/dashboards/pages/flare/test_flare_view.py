"""What the flare page says and draws."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from archive import Archive, Flare
from archive.layout import image_id
from dashboards.pages.flare.content import FlareContent, MeasuredImage, UsedFile, load_flare
from dashboards.pages.flare.curves_drawing import curves_html, rate_labels, time_labels
from dashboards.pages.flare.doubts import doubts_html, doubts_of
from dashboards.pages.flare.files import citation_text, files_html
from dashboards.pages.flare.geometry import (
    SOLO,
    Geometry,
    circle_about,
    disk_svg,
    geometry_html,
    north_svg,
    observer_of,
    seen_by,
)
from dashboards.pages.flare.head import estimated_class, head_html, heliographic, measured_class
from dashboards.pages.flare.images import methods_html, picture_html
from dashboards.pages.flare.separation import doubt_text, fact_html
from dashboards.pages.flare.state import FlareState
from dashboards.pages.flare.view import FlarePage, sheet_html
from dashboards.shared.access import GUEST
from dashboards.shared.light_times import Clock
from dashboards.shared.links import RouteLinks
from dashboards.shared.source import ArchiveSource
from dashboards.shared.time_window import Window
from jobs.imaging.figures import DEFAULT_COLORS
from stixcore.heliographic import AU, Observer
from stixcore.image_files.read import ImageFile
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.metrics import measure_source

LINKS = RouteLinks()
TAG = re.compile(r"<[^>]*>")


@pytest.fixture
def content(flared: Any) -> FlareContent:
    return load_flare(flared.archive, flared.flare.flare_id)


def unknown(flare: Flare) -> Flare:
    """The flare when nothing but its peak is known."""
    return Flare(flare_id=flare.flare_id, t_peak=flare.t_peak, source="detected", updated_at=flare.updated_at)


def measured(image: Any, x: float, y: float, sigma: float | None = None) -> MeasuredImage:
    """An image with a round source at a place."""
    grid = ImageGrid((64, 64), 2.0, (800.0, 150.0))
    columns, rows = np.meshgrid(grid.x + 800.0, grid.y + 150.0)
    pixels = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 200.0)
    header = {"RSUN_OBS": 1500.0, "HGLT_OBS": 7.9, "HGLN_OBS": -21.5, "DSUN_OBS": 0.622 * AU}
    errors = {} if sigma is None else {"x": sigma, "y": sigma, "flux": 0.2, "fwhm": sigma}
    file = ImageFile(pixels, grid, "ct s-1 cm-2 keV-1 arcsec-2", header, errors=errors)
    return MeasuredImage(image, file, measure_source(pixels, grid))


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", TAG.sub(" ", html))


def test_the_head_says_what_is_known(content: FlareContent) -> None:
    said = text_of(head_html(content))
    assert "Flare 2211100301" in said
    assert "SOL2022-11-10T03:04:03L322C078" in said
    assert "2211100300, 2211100303" in said
    assert "M1.2 GOES-16" in said
    assert "≈M1.0 (C8.1–M1.4) from the background detector: the flare alone, while a measured class includes" in said
    assert "(823.3″, 147.9″) ± 4.1″ doubtful imaging" in said
    assert "W11.4° N12.1° ± 0.2° Carrington longitude 322.0°" in said
    assert "(188.7″, 150.4″) on disk" in said
    assert "Peak 03:01:00 03:04:03 02:55:51" in said


def test_unknown_values_are_dashes(content: FlareContent) -> None:
    bare = FlareContent(unknown(content.flare), content.window)
    said = text_of(head_html(bare))
    assert "Class, measured – Class, estimated – Position – Peak counts –" in said
    assert "Start – – – Peak 03:01:00 – – End – – –" in said
    assert "None" not in sheet_text(bare)
    assert "0.0" not in said


def sheet_text(content: FlareContent) -> str:
    parts = (curves_html(content, Clock.EARTH), picture_html(content), methods_html(content, LINKS))
    return text_of("".join((*parts, geometry_html(content), files_html(content, LINKS), doubts_html(content))))


def test_every_section_says_when_it_has_nothing(content: FlareContent) -> None:
    said = sheet_text(FlareContent(unknown(content.flare), content.window))
    for sentence in (
        "no light curves of this time",
        "no best image of this flare that you can see",
        "no images of this flare that you can see",
        "position of Solar Orbiter at this time is unknown",
        "no files of images of this flare that you can see",
    ):
        assert sentence in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"goes_class": None, "earth_visible": None}, "–"),
        ({"goes_class": None, "earth_visible": False}, "– the Earth could not see the flare"),
        ({"goes_low": "M1.1", "goes_high": "M1.3"}, "M1.2 (M1.1–M1.3) GOES-16"),
    ],
)
def test_measured_class(flared: Any, changes: dict[str, Any], said: str) -> None:
    assert text_of(measured_class(replace(flared.flare, **changes))).strip() == said


def test_estimated_class(flared: Any) -> None:
    flare = replace(flared.flare, goes_estimated_low="C1", goes_estimated_high="C1", goes_estimated_from="counts")
    assert text_of(estimated_class(replace(flare, goes_estimated="C1"))).strip() == "≈C1 from the counts"
    assert estimated_class(unknown(flare)) == "–"


def test_a_source_off_the_limb_has_a_height(flared: Any) -> None:
    flare = replace(flared.flare, off_limb=True, limb_height=12.3, stonyhurst_lon=-70.0, stonyhurst_lat=-5.0)
    said = text_of(heliographic(flare))
    assert said.startswith("E70.0° S5.0°")
    assert "12.3 Mm above the limb seen from Solar Orbiter" in said


def test_doubts_come_once_with_the_images_they_concern(content: FlareContent) -> None:
    found = doubts_of(content)
    assert [doubt.text for doubt in found] == [
        "2 image sets <b>(16-28 keV) put the flare 186″ away.",
        "Another place is 0.95 times as bright.",
    ]
    assert found[0].where == ()
    assert found[1].where == ("4–10 keV at 03:01:00, all methods",)
    html = doubts_html(content)
    assert "<b>(16-28" not in html
    assert "&lt;b&gt;(16-28" in html
    silent = replace(content, flare=replace(content.flare, location_doubts=None), sets=())
    assert [doubt.text for doubt in doubts_of(silent)] == ["The position is doubtful."]


@pytest.mark.parametrize(
    ("west", "sigma", "fact", "doubt"),
    [
        (16.0, None, "20″ (16″ west, 12″ south)", ""),
        (-16.0, 3.0, "20″ ± 4″ (16″ east, 12″ south)", ""),
        (160.0, None, "", "the non-thermal image is 160″ (160″ west, 12″ south) from the thermal one"),
        (160.0, 50.0, "160″ ± 71″ (160″ west, 12″ south)", ""),
    ],
)
def test_distance_of_thermal_and_non_thermal_source(
    content: FlareContent, west: float, sigma: float | None, fact: str, doubt: str
) -> None:
    """A fact as long as both can be sources of one flare."""
    image = replace(content.sets[0].images[0], centroid_hpc_x=800.0, centroid_hpc_y=150.0, centroid_sigma=sigma)
    other = replace(image, centroid_hpc_x=800.0 + west, centroid_hpc_y=138.0)
    both = replace(content, thermal=measured(image, 800.0, 150.0), nonthermal=measured(other, 800.0 + west, 138.0))
    assert fact in text_of(fact_html(both))
    assert bool(fact_html(both)) == bool(fact)
    assert doubt_text(both).startswith(doubt)
    assert bool(doubt_text(both)) == bool(doubt)
    assert (doubt_text(both)[1:] in doubts_html(both)) or not doubt
    alone = replace(both, nonthermal=None)
    assert fact_html(alone) == doubt_text(alone) == ""


def test_without_doubts_the_page_says_so(content: FlareContent) -> None:
    fine = replace(content.flare, location_doubts=None, location_verdict="trusted")
    assert "No quality warnings." in doubts_html(replace(content, flare=fine, sets=content.sets[1:]))


def test_light_curves_are_drawn_with_the_windows_of_images(content: FlareContent) -> None:
    html = curves_html(content, Clock.SOLAR_ORBITER)
    (drawing,) = re.findall(r"<svg.*?</svg>", html)
    root = ET.fromstring(drawing)
    kinds = [part.get("class") for part in root]
    assert kinds.count("image") == 2
    assert (kinds.count("flare"), kinds.count("peak"), kinds.count("attenuator")) == (1, 1, 1)
    assert kinds.count(None) == 5
    assert html.count('class="lane"') == 2
    assert f'data-image="{content.sets[0].images[1].image_id}"' in html
    assert "Time [UTC at Solar Orbiter], 2022-11-10" in html


def test_the_clock_moves_labels_and_nothing_else(content: FlareContent) -> None:
    solo, earth = (curves_html(content, clock) for clock in (Clock.SOLAR_ORBITER, Clock.EARTH))
    assert "Time [UTC at Earth = Solar Orbiter +183.1 s], 2022-11-10" in earth
    assert re.findall(r"<svg.*?</svg>", solo) == re.findall(r"<svg.*?</svg>", earth)


def test_labels_of_the_time_axis() -> None:
    assert time_labels(Window(0.0, 600.0), 0.0) == [(n / 5, f"00:{2 * n:02d}") for n in range(6)]
    place, text = time_labels(Window(0.0, 600.0), 30.0)[0]
    assert (round(place, 6), text) == (0.15, "00:02")
    assert [text for _, text in time_labels(Window(10.0, 20.0), 0.0)] == ["00:00:10", "00:00:20", "00:00:30"]


def test_labels_of_the_rate_axis() -> None:
    assert [(round(place, 6), text) for place, text in rate_labels(1.0, 100.0)] == [(0, "1"), (0.5, "10"), (1, "100")]
    assert len(rate_labels(20.0, 60.0)) == 3


def test_the_picture_has_contours_of_the_non_thermal_image(content: FlareContent, flared: Any) -> None:
    thermal, other = measured(flared.images[1], 800.0, 150.0, 1.5), measured(flared.images[3], 810.0, 155.0)
    html = picture_html(replace(content, thermal=thermal, nonthermal=other))
    assert html.count('class="contour"') == 4
    said = text_of(html)
    assert "CLEAN, 4–10 keV, 2022-11-10 03:01:00 – 03:02:00 with contours of CLEAN, 16–28 keV" in said
    assert "The cross is the position of the flare with its error." in said
    assert "Flux 1.25 ± 0.2 ct s⁻¹ cm⁻² keV⁻¹" in said
    assert re.search(r"FWHM 2\d\.\d ± 1\.5″", said)


def test_one_picture_without_the_other_is_shown_alone(content: FlareContent, flared: Any) -> None:
    html = picture_html(replace(content, nonthermal=measured(flared.images[3], 810.0, 155.0)))
    assert "contours of" not in html
    assert "No thermal image that you can see." in html


def test_every_method_opens_its_image(content: FlareContent) -> None:
    html = methods_html(content, LINKS)
    assert re.findall(r'data-image="([^"]*)"', html) == [image.image_id for image in content.images]
    said = text_of(html).replace("\u2009", " ")
    assert "20 200 counts: 15 200 ± 142 above a background of 5 000" in said
    more = text_of(methods_html(replace(content, n_sets=30), LINKS))
    assert "The first 2 of 30 image sets" in more


def test_numbers_of_a_method_come_with_their_errors(content: FlareContent) -> None:
    one = content.sets[0]
    centroid = {"centroid_hpc_x": 823.31, "centroid_hpc_y": 147.9, "centroid_sigma": 1.24}
    size = {"fwhm": 21.5, "fwhm_sigma": 0.5}
    known = replace(one.images[1], **centroid, **size, flux_sigma=0.21, sigma_source="ensemble")
    said = text_of(methods_html(replace(content, sets=(replace(one, images=(one.images[0], known)),)), LINKS))
    assert "CLEAN 1500.0, 200.5 823.3, 147.9 ± 1.2 21.5 ± 0.5 1.25 ± 0.21 21.00" in said
    assert "Full disk 1500.0, 200.5 – – 1.25" in said
    assert "Errors of one standard deviation, without that of the pointing. CLEAN: from simulated copies" in said
    assert "Errors of one" not in text_of(methods_html(content, LINKS))


def test_the_spread_of_methods_is_beside_their_errors(content: FlareContent) -> None:
    """Fluxes of 0.87, 1 and 1.08: each with an error of 2 %, 11 % apart."""
    one = content.sets[0]
    full_disk, clean = one.images
    numbers = (("clean", 0.87, 821.0, 20.0), ("em", 1.0, 823.0, 24.0), ("vis_fwdfit", 1.08, 825.0, 22.0))
    made = tuple(
        replace(clean, image_id=image_id(clean.recipe_id, method), method=method, total_flux=flux, fwhm=fwhm)
        for method, flux, _, fwhm in numbers
    )
    made = tuple(
        replace(image, centroid_hpc_x=x, centroid_hpc_y=150.0) for image, (*_, x, _) in zip(made, numbers, strict=True)
    )
    known = replace(content, sets=(replace(one, images=(full_disk, *made)),))
    said = text_of(methods_html(known, LINKS))
    assert "Spread of methods ± 2.0, 0.0 ± 2.0 ± 0.11 (11 %)" in said
    assert "standard deviation of CLEAN, EM, VIS_FWDFIT. The errors of a method do not contain it." in said
    shown = replace(known, thermal=measured(made[1], 823.0, 150.0))
    assert "Spread of methods position ± 2.0, 0.0″, flux ± 11 %, FWHM ± 2.0″" in text_of(picture_html(shown))
    few = replace(content, sets=(replace(one, images=made[:2]),))
    assert "Spread of methods" not in text_of(methods_html(few, LINKS))


def test_the_position_of_an_image_is_that_of_its_brightest_source(content: FlareContent) -> None:
    assert "Brightest source [″]" in text_of(methods_html(content, LINKS))
    one = measured(content.sets[0].images[1], 823.3, 147.9)
    said = text_of(picture_html(replace(content, thermal=one)))
    assert "Brightest source" in said
    circle = {"shape": "circle", "x": 823.3, "y": 147.9, "flux": 1.0, "fwhm": 10.0}
    double = replace(one, file=replace(one.file, sources=(circle, circle | {"flux": 0.8, "x": 860.0})))
    assert "Brightest of 2 sources" in text_of(picture_html(replace(content, thermal=double)))


def test_the_picture_has_the_colours_of_the_visitor(content: FlareContent, flared: Any) -> None:
    shown = replace(content, thermal=measured(flared.images[1], 800.0, 150.0))
    default, chosen = (picture_html(shown, colors) for colors in (DEFAULT_COLORS, "viridis"))
    assert default == picture_html(shown)
    assert default != chosen


def test_observers_and_flare_are_where_they_are() -> None:
    solo, earth = Observer(90.0, 0.0, 0.5 * AU), Observer(0.0, 0.0, AU)
    known = Geometry(solo, earth, (45.0, 0.0))
    assert known.separation == pytest.approx(90.0)
    drawing = ET.fromstring(north_svg(known))
    bodies = {part.get("class"): part for part in drawing if (part.get("class") or "").startswith("body")}
    assert float(bodies["body earth"].get("cy", 0)) > 100  # the Earth is at the bottom
    assert float(bodies["body solo"].get("cx", 0)) > 50  # west is at the right
    (place,) = (part for part in drawing if part.get("class") == "place")
    assert float(place.get("cx", 0)) == pytest.approx(float(place.get("cy", 1)), abs=0.1)


def test_a_flare_behind_the_limb_is_hollow() -> None:
    known = Geometry(Observer(120.0, 0.0, 0.5 * AU), Observer(0.0, 0.0, AU), (150.0, 10.0))
    assert 'class="place"' in disk_svg(known, SOLO)
    assert 'class="place hidden"' in disk_svg(known, "earth")


def test_the_limb_of_an_observer_is_as_far_as_it_sees() -> None:
    observer = Observer(-21.5, 7.9, 0.3 * AU)
    lon, lat = circle_about(observer)
    x, y, toward = seen_by(observer, lon, lat)
    assert np.hypot(x, y) == pytest.approx(100 * np.sin(np.radians(observer.horizon)), abs=1e-6)
    assert toward == pytest.approx(100 * np.cos(np.radians(observer.horizon)), abs=1e-6)


def test_the_view_of_solar_orbiter_agrees_with_the_position_in_the_sky(flared: Any) -> None:
    flare = flared.flare
    observer = observer_of(flare.hgln, flare.hglt, flare.dsun_au)
    assert observer is not None
    x, y, toward = seen_by(observer, np.array([flare.stonyhurst_lon]), np.array([flare.stonyhurst_lat]))
    radius = np.degrees(np.arcsin(696e6 / observer.distance)) * 3600  # arcsec
    assert toward[0] > 0
    assert x[0] / 100 * radius == pytest.approx(flare.hpc_x, abs=12)  # the drawing is for a distant observer
    assert y[0] / 100 * radius == pytest.approx(flare.hpc_y, abs=12)


def test_geometry_as_text(content: FlareContent) -> None:
    said = text_of(geometry_html(content))
    assert "Angle Earth – Sun – Solar Orbiter 21.8°" in said
    assert "Light from the flare to Solar Orbiter 308.7 s" in said
    assert "Light reaches the Earth later by 183.1 s" in said
    hidden = replace(content.flare, earth_view="behind", earth_lowest_height=25.04)
    assert "behind the limb, hidden up to a height of 25.0 Mm" in text_of(geometry_html(replace(content, flare=hidden)))


def test_the_observer_of_the_images_stands_in(content: FlareContent, flared: Any) -> None:
    bare = replace(content, flare=unknown(content.flare), thermal=measured(flared.images[1], 800.0, 150.0))
    assert "0.622 au, longitude −21.5°, latitude 7.9°" in text_of(geometry_html(bare))


def test_files_have_sizes_and_checksums(content: FlareContent) -> None:
    files = (UsedFile("science", "a<b>.fits", "ab" * 32, 1_600_000), UsedFile("aux", "lost.fits", "cd" * 32, None))
    html = files_html(replace(content, files=files), LINKS)
    said = text_of(html)
    assert "a&lt;b&gt;.fits science 1.6 MB " + "ab" * 32 in said
    assert "lost.fits position and aspect not in the archive " + "cd" * 32 in said
    assert f"4 image files, {sum(image.size for image in content.images) / 1e3:.0f} kB" in said
    assert content.images[0].sha256 in said


def test_every_file_that_is_computed_has_a_link(content: FlareContent, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("dashboards.pages.flare.files", "dashboards.shared.links"):
        monkeypatch.setattr(f"{module}.routes_are_served", lambda: True)
    first = next(one for one in content.sets if one.run is not None)
    recipe_id = first.first.recipe_id
    located = replace(first, run=replace(first.run, locator_x=10.0, folder="images"))
    html = files_html(replace(content, sets=(located,)), LINKS)
    found = re.findall(r'href="(archive/[^"]+)" download', html)
    assert {f"archive/locator/{recipe_id}.fits", f"archive/locator/{recipe_id}.json"} < {*found}
    assert f"archive/pointing/{recipe_id}.json" in found
    unlocated = replace(first, run=replace(first.run, locator_x=None, folder="images"))
    assert "archive/locator" not in files_html(replace(content, sets=(unlocated,)), LINKS)


def test_without_quicklook_files_the_curves_are_those_of_science_files(
    content: FlareContent, november: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    peak = np.datetime64("2022-11-11T11:36:56", "us")
    minutes = np.timedelta64(10, "m")
    flare = replace(content.flare, t_peak=peak, t_start=peak - minutes, t_end=peak + minutes)
    monkeypatch.setattr(november, "flare", lambda _: flare)
    loaded = load_flare(november, flare.flare_id)
    assert loaded.curves is not None
    rates = loaded.curves.mean[:, 0]
    highest = loaded.curves.time[np.nanargmax(rates)]
    assert abs(highest - peak) < np.timedelta64(1, "m")
    html = curves_html(loaded, Clock.SOLAR_ORBITER)
    assert "These are from science files, corrected for live time." in html
    assert "only 8 of 12 pixels were read out" in html
    path = re.findall(r'<path d="(M[^"]+)" style="stroke: var\(--band-0\)"', html)
    assert path
    legend = text_of(html.partition('class="legend"')[2])
    assert "10–15 keV" in legend
    assert "50–84 keV" not in legend  # the file ends at 28 keV
    assert "NaN" not in html
    assert "nan" not in html


def test_the_citation_names_flare_and_papers(content: FlareContent) -> None:
    text = citation_text(content)
    assert text.startswith("Flare 2211100301 (SOL2022-11-10T03:04:03L322C078), observed by Solar Orbiter/STIX.\n")
    assert "10.1051/0004-6361/202346031" in text
    assert "10.1051/0004-6361/201937362" in text
    assert "CLEAN: Högbom 1974" in text
    assert "SIMULATED" not in text
    assert "SIMULATED" in citation_text(replace(content, flare=replace(content.flare, simulated=True)))


def test_the_first_content_is_the_whole_page(flared: Any) -> None:
    state = FlareState(ArchiveSource(flared.archive.root))
    state.take_address(f"?id={flared.flare.flare_id}")
    state.load()
    html = FlarePage.opening(state, LINKS, dark=True)
    assert sheet_html(state, LINKS) in html
    assert '<div class="sheet dark">' in html
    assert FlarePage.document_title(state) == "Flare 2211100301 · STIX flare images"
    assert flared.hidden.image_id not in html


def test_an_unknown_flare_is_said_with_links(flared: Any) -> None:
    state = FlareState(ArchiveSource(flared.archive.root), lambda: GUEST)
    state.take_address("?id=<i>")
    state.load()
    html = sheet_html(state, LINKS)
    assert "<h1>No such flare</h1>" in html
    assert "The archive has no flare “&lt;i&gt;”." in html
    assert 'href="flares"' in html


def test_an_archive_that_cannot_be_read_is_no_unknown_flare(tmp_path: Path) -> None:
    state = FlareState(ArchiveSource(tmp_path))
    state.take_address("?id=2211100301")
    state.load()
    assert "<h1>Flare</h1>" in sheet_html(state, LINKS)
    assert "There is no archive here yet." in sheet_html(state, LINKS)
    assert FlarePage.status(state) == 200


def test_only_images_of_the_flare_are_opened(flared: Any) -> None:
    state = FlareState(ArchiveSource(flared.archive.root))
    state.take_address(f"?id={flared.flare.flare_id}")
    state.load()
    page = FlarePage(state, LINKS)
    page.view()
    page._sheet._handle_msg(flared.hidden.image_id)
    assert state.opened == ""
    page._sheet._handle_msg(flared.images[1].image_id)
    assert state.opened == flared.images[1].image_id
