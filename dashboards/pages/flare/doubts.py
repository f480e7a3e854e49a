"""What is doubtful about a flare, and why, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from archive import Image
from dashboards.pages.flare.content import FlareContent, ImageSet, json_sentences
from dashboards.pages.flare.separation import doubt_text
from dashboards.shared import formatting
from dashboards.shared.detail import read_cautions


@dataclass(frozen=True)
class Doubt:
    """One reason for doubt, and the images that it concerns; empty for the flare itself."""

    text: str
    where: tuple[str, ...] = ()


def doubts_of(content: FlareContent) -> list[Doubt]:
    """All reasons for doubt: of the position, of two images together, of images, of their backgrounds; each once."""
    flare = content.flare
    found: dict[str, list[str]] = {text: [] for text in json_sentences(flare.location_doubts)}
    if flare.location_verdict == "doubtful" and not found:
        found["The position is doubtful."] = []
    apart = doubt_text(content)
    if apart:
        found[apart] = []
    for text, where in _of_images(content.sets):
        known = found.setdefault(text, [])
        if where not in known:
            known.append(where)
    return [Doubt(formatting.sentence(text), tuple(where)) for text, where in found.items()]


def doubts_html(content: FlareContent) -> str:
    """A list of doubts, or a sentence that there are none."""
    found = doubts_of(content)
    if not found:
        return "" if not content.sets else '<p class="good">No quality warnings.</p>'
    items = "".join(f"<li>{escape(one.text)}{_where(one)}</li>" for one in found)
    return f'<div class="doubt"><b>Doubtful</b><ul>{items}</ul></div>'


def _of_images(sets: Sequence[ImageSet]) -> Iterator[tuple[str, str]]:
    for one in sets:
        doubted: dict[str, list[Image]] = {}
        for image in one.images:
            for caution in read_cautions(image.warnings):
                if caution.severity == "doubt":
                    lead = f"{', '.join(caution.aspects).capitalize()}: " if caution.aspects else ""
                    doubted.setdefault(f"{lead}{caution.text}", []).append(image)
        for text, images in doubted.items():
            yield text, _named(one, images)


def _named(one: ImageSet, images: Sequence[Image]) -> str:
    """``4–10 keV at 11:36:40, all methods``."""
    which = (
        "all methods"
        if len(images) == len(one.images) > 1
        else ", ".join(formatting.method_name(image.method) for image in images)
    )
    return f"{formatting.band(one.first)} at {formatting.clock(one.first.t_start)}, {which}"


def _where(doubt: Doubt) -> str:
    return f" <i>({escape('; '.join(doubt.where))})</i>" if doubt.where else ""
