from dataclasses import replace
from typing import Any

from dashboards.shared.image_strip import ImageStrip, strip_html
from dashboards.shared.links import RouteLinks, flare_link

LINKS = RouteLinks()


def test_images_of_a_recipe_stand_together(small: Any) -> None:
    wanted = {small.images[0].recipe_id, small.images[6].recipe_id}
    images = [image for image in small.images if image.recipe_id in wanted]
    html = strip_html(sorted(images, key=lambda image: image.method, reverse=True), LINKS)
    assert html.count("<section") == 2
    assert html.count("<button") == 4
    first = html[: html.index("</section>")]
    assert first.index("Back projection") < first.index("CLEAN")  # the order of methods everywhere
    time, flare, place = (
        "2022-11-10 00:00:00 – 00:01:00",
        f"flare {flare_link('2200000000')}, C3.4",
        "(−500.0″, 200.5″)",
    )
    for text in (time, "4–10 keV", flare, place, "doubtful"):
        assert text in first
    assert "trusted" in html[html.index("</section>") :]
    assert f'src="archive/thumbnail/{small.images[0].image_id}"' in first


def test_the_band_is_that_of_the_flare_maps(small: Any) -> None:
    whole, map_ = small.images[0], small.images[1]
    html = strip_html(
        [replace(whole, method="full_disk_bp", image_id=f"{whole.recipe_id}-full_disk_bp", e_low=6), map_], LINKS
    )
    assert "<b>4–10 keV</b>" in html
    assert "6–10" not in html


def test_what_must_be_said_is_said(small: Any) -> None:
    evil = replace(small.images[0], flare_id="<img src=x>", goes_class='"><script>', warnings="[]", thumbnail=None)
    html = strip_html([evil], LINKS)
    assert "<img" not in html
    assert "<script" not in html
    assert "no picture" in html


def test_a_click_opens_what_is_shown_and_nothing_else(small: Any) -> None:
    opened: list[str] = []
    strip = ImageStrip(LINKS, opened.append)
    assert not strip.widget.visible
    strip.show(small.images[:2])
    assert strip.widget.visible
    for sent in (small.images[1].image_id, small.hidden.image_id, None, {"image": 3}):
        strip.widget._handle_msg(sent)
    assert opened == [small.images[1].image_id]
    strip.show([])
    assert not strip.widget.visible
