"""BibTeX of an image set, and of the papers to cite with it."""

from __future__ import annotations

from archive.landing.facts import ImageSetFacts
from archive.papers import Paper
from stixcore.software import CREATOR
from stixcore.times import format_time

#: Characters with a meaning in TeX.
_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "ö": r"{\"o}",
    }
)


def bibtex(facts: ImageSetFacts) -> str:
    """An ``@misc`` entry of the image set, and an ``@article`` entry of each paper."""
    return "\n".join([own_entry(facts), *(_article(paper) for paper in facts.papers)])


def own_entry(facts: ImageSetFacts) -> str:
    """The entry of the image set."""
    created = format_time(facts.created)
    return _entry(
        "misc",
        f"stix-{facts.run.run_id}",
        {
            "author": f"{{{_tex(facts.publisher)}}}",
            "title": f"{{{_tex(facts.title)}}}",
            "year": created[:4],
            "howpublished": rf"\url{{{facts.address}}}",
            "note": f"Image set {facts.run.run_id}, made by {CREATOR} {_tex(facts.run.version)}",
        },
    )


def _article(paper: Paper) -> str:
    fields = {
        "author": _tex(paper.authors.replace(" et al.", " and others")),
        "journal": _tex(paper.journal),
        "year": paper.year,
        "volume": paper.volume,
        "pages": paper.page,
        "doi": paper.doi,
        "note": _tex(paper.what),
    }
    return _entry("article", paper.key, {key: value for key, value in fields.items() if value})


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}\n"


def _tex(text: str) -> str:
    return text.translate(_TEX)
