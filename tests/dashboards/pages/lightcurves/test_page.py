"""The light-curve page in a real browser, on a really running server."""

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.needs_chromium

#: What the page has drawn, as the browser's models say.
MODEL = "name => [...Bokeh.documents[0]._all_models.values()].filter((model) => model.name === name).at(-1)"


@pytest.fixture(scope="module")
def curves_server(serve: Callable[[Path], Any], curves: Any) -> Iterator[Any]:
    with serve(curves.archive.root) as started:
        yield started


@pytest.fixture
def watched(watch: Callable[..., Any], desktop: BrowserContext, curves_server: Any) -> Any:
    return watch(desktop, curves_server.url)


def at(curves: Any, hour: float, hours: float, more: str = "") -> str:
    return f"lightcurves?start={curves.start + hour * 3600:.0f}&span={hours * 3600:.0f}{more}"


def plot_of(page: Page) -> Any:
    """Where the upper figure is, once it is drawn."""
    figure = page.locator(".bk-Figure").first
    expect(figure).to_be_visible()
    page.wait_for_function(f"({MODEL})('rates')?.inner_width > 0")
    return figure.bounding_box()


def expect_window(watched: Any, start: float, span: float, within: float = 0.02) -> None:
    """The address comes to say about that."""
    watched.page.wait_for_function(
        """([start, span, within]) => {
            const query = new URLSearchParams(location.search)
            return Math.abs(query.get("start") - start) <= within && Math.abs(query.get("span") - span) <= within
        }""",
        arg=[start, span, within * span],
    )


def test_a_link_of_the_data_center_shows_its_window(watched: Any, curves: Any) -> None:
    page = watched.visit(f"view/plot/lightcurves?start={curves.start + 3600}&span=7200")
    plot_of(page)
    expect(page.get_by_text("2022-11-10 01:00:00 – 03:00:00 UTC at Solar Orbiter, 2 h")).to_be_visible()
    assert watched.query == {"start": [str(curves.start + 3600)], "span": ["7200"]}


def test_the_day_with_its_flares_is_shared_and_left(watched: Any, curves: Any, desktop: BrowserContext) -> None:
    """The page without an address: what it shows, its link and its files, and the buttons and names that lead away."""
    desktop.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.visit("lightcurves")
    plot_of(page)
    expect(page.get_by_text("2022-11-10 00:00:00 – 2022-11-11 00:00:00 UTC at Solar Orbiter, 24 h")).to_be_visible()
    expect(page.get_by_text("2 flares in and near this window")).to_be_visible()
    assert watched.query == {}
    drawn = page.wait_for_function(
        f"""() => {{
            const main = ({MODEL})("rates")
            const data = (field) => main.renderers.find((r) => r.data_source?.data[field]).data_source.data
            return data("flare_id").flare_id.length && {{
                names: [...data("text").text], flares: [...data("flare_id").flare_id],
                points: data("mean_4_10").time.length, legend: main.above[0].items.map((item) => item.label.value),
            }}
        }}"""
    ).json_value()
    assert drawn["flares"] == ["2211101501", "2211100301"]
    assert drawn["names"] == ["2211101501\n≈C4 (C2–C9)", "2211100301\nM1.2"]
    assert drawn["points"] > 1300
    assert drawn["legend"] == ["4–10 keV", "10–15 keV", "15–25 keV", "25–50 keV", "50–84 keV"]

    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{watched.url}/lightcurves?start={curves.start}&span=86400"
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV").click()
    text = Path(started.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 23 * 900
    assert rows[0]["time_utc_solar_orbiter"] == "2022-11-10T00:00:00.000000"
    with page.expect_download() as started:
        page.get_by_role("link", name="Parquet").click()
    assert started.value.suggested_filename == "stix_ql-lightcurve_bins_20221110T000000_20221111T000000.parquet"
    assert pq.read_table(started.value.path()).num_rows == len(rows)

    page.get_by_label("Length").click()
    page.get_by_role("menuitem", name="1 h", exact=True).click()
    expect_window(watched, curves.start + 11.5 * 3600, 3600)
    page.get_by_role("button", name="Next").click()
    expect_window(watched, curves.start + 12.5 * 3600, 3600)
    page.get_by_role("button", name="Previous").click()
    expect_window(watched, curves.start + 11.5 * 3600, 3600)
    page.get_by_role("button", name="Last day of data").click()
    expect_window(watched, curves.start, 86_400)
    page.get_by_role("button", name="Last week of data").click()
    expect_window(watched, curves.start - 6 * 86_400, 7 * 86_400)
    watched.type_into("Flare id or time (UTC)", "2211101501")
    expect(page.get_by_text("2022-11-10 14:")).to_be_visible()
    watched.type_into("Flare id or time (UTC)", "<i>never")
    expect(page.get_by_role("alert")).to_contain_text("“<i>never” is not a time")
    watched.type_into("Flare id or time (UTC)", "2022-11-10")
    expect_window(watched, curves.start, 86_400)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_curves_are_drawn_as_chosen_and_back_restores_it(watched: Any, curves: Any) -> None:
    page = watched.visit(at(curves, 2, 2))
    plot_of(page)
    # a figure may be measured before it is ready
    unready = f"Object.create(Bokeh.index.find_one(({MODEL})('rates')), {{layout: {{value: undefined}}}})"
    for ask in ("_measure_layout", "_after_layout"):
        page.evaluate(f"() => {unready}.{ask}()")

    # a click that comes while Panel still waits with a change is handled outside of the document's lock
    bands = page.get_by_role("button", name="25–50 keV").element_handle()
    page.get_by_role("button", name="Next").evaluate(
        "(next, bands) => { bands.click(); requestAnimationFrame(() => next.click()) }", bands
    )
    expect_window(watched, curves.start + 4 * 3600, 7200)
    page.wait_for_function(f"({MODEL})('rates').x_range.start === {curves.start + 4 * 3600} * 1000")
    page.wait_for_url("**bands=4_10,10_15,15_25,50_84**")
    seen = f"(() => ({MODEL})('rates').above[0].items.map((item) => item.renderers[0].visible))()"
    page.wait_for_function(f"JSON.stringify({seen}) === '[true,true,true,false,true]'")
    as_chosen = (
        f"({MODEL})('rates').y_scale.type === 'LinearScale' && JSON.stringify({seen}) === '[true,true,true,false,true]'"
    )
    page.get_by_label("Scale").click()
    page.get_by_role("menuitem", name="linear").click()
    page.wait_for_function(as_chosen)
    page.get_by_label("Bins").click()
    page.get_by_role("menuitem", name="5 min").click()
    expect(page.get_by_text("bins of 5 min")).to_be_visible()
    page.wait_for_url("**bin=**")
    assert {"bands", "scale", "bin"} <= watched.query.keys()

    # moving and zooming write the address
    box = plot_of(page)
    width = page.evaluate(f"({MODEL})('rates').inner_width")
    x, y = box["x"] + 600, box["y"] + 200
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - width / 4, y, steps=6)
    page.mouse.up()
    expect_window(watched, curves.start + 4.5 * 3600, 7200)
    expect(page.get_by_text("2022-11-10 04:30:0")).to_be_visible()
    panned = page.url
    page.mouse.wheel(0, -240)
    page.wait_for_function("Number(new URLSearchParams(location.search).get('span')) < 7000")
    zoomed = page.url
    page.go_back()
    page.wait_for_url(panned)
    plot_of(page)
    expect(page.get_by_text("2022-11-10 04:30:0")).to_be_visible()
    page.wait_for_function(as_chosen)
    page.go_forward()
    page.wait_for_url(zoomed)
    plot_of(page)
    shown = page.evaluate(f"(() => {{ const r = ({MODEL})('rates').x_range; return (r.end - r.start) / 1000 }})()")
    assert shown == pytest.approx(float(watched.query["span"][0]))


def test_a_gap_and_the_images_of_the_window_and_of_no_other(watched: Any, curves: Any) -> None:
    page = watched.visit(at(curves, 8.02, 0.96, "&bin=seven&clock=earth"))
    plot_of(page)
    expect(page.get_by_text("Ignored invalid bin=seven in the URL.")).to_be_visible()
    expect(page.get_by_text("No data in this window.")).to_be_visible()
    expect(page.get_by_text("The axis shows UTC at Solar Orbiter.")).to_be_visible()
    expect(page.get_by_role("link", name="CSV")).to_have_count(0)

    watched.type_into("Flare id or time (UTC)", "2022-11-10 03:01:12")
    expect(page.get_by_role("link", name="CSV")).to_be_visible()
    page.get_by_role("button", name="IMG").click()
    cards = page.locator("[data-image]")
    expect(cards).to_have_count(2)
    expect(page.get_by_text("flare 2200000003")).to_be_visible()
    page.wait_for_url("**img=yes**")
    image = next(i for i in curves.images if i.flare_id == "2200000003" and i.method == "clean")
    thumbnail = page.locator("[data-image] img").last
    page.wait_for_function("image => image.complete && image.naturalWidth === 32", arg=thumbnail.element_handle())
    # the cards may be there before the figure has its thumbnails
    place = page.wait_for_function(
        f"""() => {{
            const main = ({MODEL})("rates"), view = Bokeh.index.find_one(main)
            const data = main.renderers.find((r) => r.data_source?.data.image_id?.length)?.data_source.data
            if (!view || !data) return null
            const box = view.el.getBoundingClientRect(), frame = view.frame
            return {{
                ids: [...data.image_id],
                x: box.x + frame.x_scale.compute(data.x[0]),
                y: box.y + frame.y_scales.get("part").compute(data.y[0]),
            }}
        }}"""
    ).json_value()
    assert place["ids"] == [image.image_id]
    page.mouse.click(place["x"], place["y"])
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("img.large")).to_have_attribute("src", f"archive/png/{image.image_id}")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    cards.first.click()
    expect(dialog.locator("img.large")).to_have_attribute("src", f"archive/png/{image.image_id[:-6]}-bp")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    page.get_by_role("button", name="Next").click()  # the hidden image of 4 h is nobody's business
    expect(page.get_by_text("No images in this window.")).to_be_visible()
    expect(page.get_by_text("is 29 min earlier")).to_be_visible()
    expect(cards).to_have_count(0)
    page.get_by_role("link", name="go to it").click()
    expect(cards).to_have_count(2)
    expect(page.get_by_text("flare 2200000003")).to_be_visible()


def test_the_time_axis_is_in_a_window_of_1280_by_800(
    watch: Callable[..., Any], browser: Browser, curves_server: Any, curves: Any
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = watch(context, curves_server.url).visit(at(curves, 2, 2))
    plot_of(page)
    strip = page.locator(".bk-Figure").nth(1).bounding_box()
    assert strip["y"] + strip["height"] <= 800
    context.close()


PAPER_LIGHT, PAPER_DARK = "#ffffff", "#131b24"


def test_dark_on_a_telephone(
    watch: Callable[..., Any], browser: Browser, curves_server: Any, axe: Callable[..., None], curves: Any
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark")
    phone = watch(context, curves_server.url)
    page = phone.visit(at(curves, 2, 2, "&img=yes"))
    plot_of(page)
    paper = f"({MODEL})('rates').background_fill_color.value ?? ({MODEL})('rates').background_fill_color"
    page.wait_for_function(f"({paper}) === '{PAPER_DARK}'")
    expect(page.locator("[data-image]")).to_have_count(2)
    curve, options = page.locator(".bk-Figure").first.bounding_box(), page.get_by_text("Bands").bounding_box()
    assert curve["y"] < 844 / 2  # the curve is what the page is about
    assert options["y"] > curve["y"] + curve["height"]
    phone.expect_no_sideways_scrolling()
    axe(page)
    page.get_by_role("button", name="Toggle theme").click()
    page.wait_for_function(f"({paper}) === '{PAPER_LIGHT}'")
    context.close()
