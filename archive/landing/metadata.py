"""Metadata of an image set as texts, by the end of their address."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from archive.landing.bibtex import bibtex
from archive.landing.datacite import datacite
from archive.landing.facts import ImageSetFacts
from archive.landing.schema_org import schema_org


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


#: Extension → media type, and writer.
WRITERS: dict[str, tuple[str, Callable[[ImageSetFacts], str]]] = {
    "jsonld": ("application/ld+json", lambda facts: _json(schema_org(facts))),
    "datacite.json": ("application/vnd.datacite.datacite+json", lambda facts: _json(datacite(facts))),
    "bib": ("application/x-bibtex; charset=utf-8", bibtex),
    "recipe.json": ("application/json", lambda facts: _json(dict(facts.recipe))),
}
