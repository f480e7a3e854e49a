import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from archive.index.order import NET_COUNTS
from archive.index.schema import IMAGES
from dashboards.pages.image_archive.files_without_images import runs_without_image_html
from dashboards.pages.image_archive.state import Counts, ImageRow
from dashboards.pages.image_archive.table import ImageTable
from dashboards.shared.detail import ImageDetail, load_detail, read_cautions
from dashboards.shared.html_table import narrow_css
from dashboards.shared.image_columns import IMAGE_COLUMNS, chosen_columns
from dashboards.shared.image_detail import comparison_html, numbers_html, picture_html
from dashboards.shared.links import InlineLinks, RouteLinks
from dashboards.shared.opening import opening_html, table_html

LINKS = RouteLinks()
EVIL = "<img src=x onerror=alert(1)>\"'&"


class Tags(HTMLParser):
    """Names of all elements, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.handlers: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def cells(row: ImageRow) -> dict[str, str]:
    return {column.field: Tags(column.cell(row, LINKS)).text for column in IMAGE_COLUMNS}


def test_the_archive_can_sort_by_every_column_that_says_so() -> None:
    assert {column.sort for column in IMAGE_COLUMNS if column.sort} <= {*IMAGES.names, NET_COUNTS}


def test_a_row_says_what_it_must(small: Any) -> None:
    image = small.images[12]  # number 6
    shown = cells(ImageRow(image, Counts(20006.0, 5000.0)))
    assert "2022-11-10 06:00:00 60 s" in shown["time"]
    assert shown["uid"] == "22111000062200000006"
    assert (shown["band"], shown["method"], shown["goes"]) == ("4–10 keV", "Back projection", "C3.4")
    assert (shown["x"], shown["y"]) == ("−440.0", "200.5")
    assert shown["counts"] == "15\N{NARROW NO-BREAK SPACE}006"
    assert (shown["chi2"], shown["trust"], shown["file"]) == (
        "–",
        "trusted",
        "FITS Python IDL Notebook",
    )


def test_doubts_are_shown_with_their_reason(small: Any) -> None:
    image = small.images[8]
    trust = next(column for column in IMAGE_COLUMNS if column.field == "trust").cell(ImageRow(image), LINKS)
    assert "doubtful" in trust
    assert "doubt: another place is 0.95 times as bright" in trust


def test_simulated_is_said_in_every_place(small: Any) -> None:
    row = ImageRow(small.simulated)
    assert cells(row)["trust"].endswith(" sim")
    assert cells(row)["time"].endswith(" sim")  # all that is left on a telephone
    assert "SIMULATED" in picture_html(ImageDetail(small.simulated, None, (small.simulated,)), LINKS)
    simulated = replace(load_run(small), simulated=True)
    assert ">sim<" in runs_without_image_html([simulated, load_run(small)])
    assert ">sim<" not in runs_without_image_html([simulated])  # a banner says it of all rows


def test_a_simulated_image_has_its_verdict(small: Any) -> None:
    assert cells(ImageRow(replace(small.simulated, trusted=True)))["trust"] == "trusted sim"
    assert cells(ImageRow(replace(small.simulated, trusted=False)))["trust"] == "doubtful sim"


def load_run(small: Any) -> Any:
    return small.archive.run(small.images[0].recipe_id)


def test_nothing_from_the_index_becomes_markup(small: Any) -> None:
    changed = dict.fromkeys(("uid", "flare_id", "goes_class", "stopped_by", "author", "unit"), EVIL)
    warnings = json.dumps(
        [{"severity": EVIL, "text": EVIL}, {"severity": "doubt", "text": "<script>alert(1)</script>"}]
    )
    image = replace(small.images[3], **changed, warnings=warnings)
    run = replace(load_run(small), background_reason=EVIL, location_method=EVIL, reason=EVIL, uid=EVIL, band=EVIL)
    detail = ImageDetail(image, run, (image,))
    for html in (
        *(column.cell(ImageRow(image), LINKS) for column in IMAGE_COLUMNS),
        picture_html(detail, LINKS),
        numbers_html(detail),
        comparison_html(detail, LINKS),
        runs_without_image_html([run]),
        opening_html(EVIL, EVIL, EVIL, table_html([ImageRow(image)], LINKS, chosen_columns(())), dark=False),
    ):
        found = Tags(html)
        assert found.handlers == []
        assert "script" not in found.tags
        assert not re.search(r"<img src=x", html)


def test_cautions_survive_any_column() -> None:
    assert [c.text for c in read_cautions('[{"severity": "note", "text": "a"}, {"no": 1}, 5]')] == ["a"]
    assert read_cautions("") == read_cautions("{}") == read_cautions("not json") == ()


def test_the_table_holds_one_page_and_tells_of_clicks(small: Any) -> None:
    opened: list[str] = []
    sorted_by: list[list[str]] = []
    picked: list[tuple[list[str], list[str]]] = []
    table = ImageTable(opened.append, sorted_by.append, lambda on, off: picked.append((on, off)))
    rows = [ImageRow(image) for image in small.images[:5]]
    table.show(rows, ["-t_start"], LINKS)
    ids = [image.image_id for image in small.images[:5]]
    assert [f"archive/thumbnail/{i}" in row for i, row in zip(ids, table.widget.body.split("</tr>"), strict=False)] == [
        True
    ] * 5
    assert re.findall(r'data-field="(\w+)"[^>]*aria-sort="[ad]\w+"', table.widget.head) == ["time"]

    for message in (
        {"row": 3, "field": "method"},
        {"row": 1, "field": "file"},  # a download is not a wish to look
        {"row": 5, "field": "method"}, {"row": -1, "field": "method"}, {"row": "3", "field": "method"},
        {"row": 3, "field": None}, {"sort": 3}, {"sort": "picture"}, {"sort": "no such"}, "row", None,
    ):  # fmt: skip
        table.widget._handle_msg(message)
    assert opened == [ids[3]]
    assert sorted_by == []
    table.widget._handle_msg({"sort": "chi2"})
    table.widget._handle_msg({"sort": "time"})
    assert sorted_by == [["chi2"], ["t_start"]]  # the newest are first already

    table.widget.ticked = [1, 3]
    table.widget.ticked = [3]
    assert picked == [([ids[1], ids[3]], []), ([], [ids[1]])]
    table.show(rows, ["-t_start"], LINKS, frozenset({ids[0], "on another page"}))
    table.tick(frozenset({ids[0], ids[2]}))
    assert table.widget.ticked == [0, 2]
    assert len(picked) == 2  # our own ticks are no wish
    table.widget.ticked = [0, 2, -1, 99]
    assert picked[2:] == [([], [])]


def test_an_empty_page_keeps_the_columns() -> None:
    table = ImageTable(print, print, print)
    table.show([], ["-t_start"], LINKS)
    usual = [column.field for column in IMAGE_COLUMNS if column.usual]
    assert re.findall(r'data-field="(\w+)"', table.widget.head) == usual
    assert table.widget.body == ""


def test_columns_are_hidden_by_priority_where_there_is_no_space() -> None:
    table = ImageTable(print, print, print)
    table.show([], [], LINKS)
    columns = chosen_columns(())
    limits = dict(re.findall(r"\(max-width: (\d+)px\) { .p(\d+) ", table.widget.narrow))
    assert {int(priority) for priority in limits.values()} == {column.priority for column in columns} - {0}
    for limit, priority in limits.items():
        assert int(limit) == 40 + sum(column.width for column in columns if column.priority <= int(priority))


def test_columns_are_chosen_by_name(small: Any) -> None:
    usual = [column.field for column in IMAGE_COLUMNS if column.usual]
    assert [column.field for column in chosen_columns([])] == usual
    assert [column.field for column in chosen_columns(["nonsense"])] == usual
    assert [column.field for column in chosen_columns(["chi2", "recipe", "time"])] == [
        "picture",
        "time",
        "chi2",
        "recipe",
    ]
    table = ImageTable(print, print, print)
    table.choose(chosen_columns(["author", "recipe"]))
    table.show([ImageRow(small.images[0])], [], LINKS)
    assert re.findall(r'data-field="(\w+)"', table.widget.head) == ["picture", "author", "recipe"]
    assert "automatic" in table.widget.body
    assert small.images[0].recipe_id in table.widget.body


def test_what_is_unknown_is_a_dash(small: Any) -> None:
    unknown = dict.fromkeys(
        ("flare_id", "goes_class", "peak_hpc_x", "peak_hpc_y", "chi2", "total_flux", "max", "n_iter")
    )
    image = replace(small.images[3], **unknown, stopped_by=None, thumbnail=None, png=None, elapsed_s=None)
    shown = cells(ImageRow(image))
    assert [shown[name] for name in ("x", "y", "goes", "counts", "chi2")] == ["–"] * 5
    assert shown["picture"] == "no picture"
    detail = ImageDetail(image, None, (image,))
    assert "No picture" in picture_html(detail, LINKS)
    assert "None" not in numbers_html(detail) + comparison_html(detail, LINKS)
    assert "nan" not in numbers_html(detail) + comparison_html(detail, LINKS)


def test_a_far_background_and_an_estimated_class_are_said_and_uids_are_links(small: Any) -> None:
    detail = load_detail(small.archive, small.images[11].image_id)
    for hours, warned in ((109.2, True), (-12.0, False)):
        near = {"uid": "77", "distance_h": hours, "qualifies": True}
        other = {"uid": "88", "distance_h": 1.0, "qualifies": False, "reason": "bands"}
        run = replace(detail.run, background_uid="77", background_candidates=json.dumps([other, near]))
        html = numbers_html(replace(detail, run=run))
        assert ("109 h from the flare: check the flux" in html) == warned
        for uid in ("77", "88"):
            assert f'<a href="science_data?uid={uid}">uid {uid}</a>' in html
    image = replace(detail.image, goes_class=None, goes_estimated="C3")
    assert "<dd>≈C3</dd>" in numbers_html(replace(detail, image=image))
    assert (cells(ImageRow(image))["goes"], cells(ImageRow(image))["estimated"]) == ("–", "≈C3")
    both = cells(ImageRow(replace(image, goes_class="C2.1")))
    assert (both["goes"], both["estimated"]) == ("C2.1", "≈C3")


def test_methods_are_rows_of_a_comparison(small: Any) -> None:
    detail = load_detail(small.archive, small.images[11].image_id)
    html = comparison_html(detail, LINKS)
    assert html.count("<th scope='row'") == 2
    assert html.index("Back projection") < html.index("CLEAN")
    assert html.count("class='current'") == 1
    for image in detail.siblings:
        assert f"archive/fits/{image.image_id}" in html


def test_numbers_carry_units(small: Any) -> None:
    detail = load_detail(small.archive, small.images[11].image_id)
    text = Tags(comparison_html(detail, LINKS)).text
    for unit in ("[arcsec]", "[ct s⁻¹ cm⁻² keV⁻¹]", "[s]", "keV", "″ each"):
        assert unit in text
    assert "UTC at Solar Orbiter" in numbers_html(detail)


def test_narrow_screens_lose_the_least_important_first() -> None:
    widths = [int(width) for width in re.findall(r"max-width: (\d+)px", narrow_css(chosen_columns(()), 48))]
    assert widths == sorted(widths)
    assert "file" in [column.field for column in IMAGE_COLUMNS if column.priority == 0]


def test_inline_links_carry_the_file_and_never_another(small: Any) -> None:
    links = InlineLinks(small.archive)
    assert links.thumbnail(small.images[0]).startswith("data:image/png;base64,iVBOR")
    assert links.picture(replace(small.images[0], png="../../secret.png")) is None
    assert links.fits(replace(small.images[0], file="images/gone.fits")) is None
    assert links.thumbnail(replace(small.images[0], thumbnail=None)) is None


@pytest.mark.parametrize("dark", [True, False])
def test_the_opening_knows_light_from_dark(dark: bool) -> None:
    assert f'class="{"dark" if dark else "light"}"' in opening_html("a", "b", "c", "", dark=dark)
