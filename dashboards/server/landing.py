"""``/image/<recipe_id>``: the page of an image set that papers can link to, and its metadata.

``….jsonld`` is for search engines (schema.org), ``….datacite.json`` for a DOI, ``….bib`` for BibTeX, and
``….recipe.json`` is the recipe. The page of an image set that was replaced stays, with status 410 and without files.
"""

from __future__ import annotations

from typing import ClassVar

from archive import Archive, ImageFilter, NotInArchive
from archive.errors import BadSettings
from archive.landing.facts import ImageSetFacts, read_facts
from archive.landing.links import ServerLinks
from archive.landing.metadata import WRITERS
from archive.landing.page import json_ld, landing_content
from dashboards.server.bounded_threads import ServerBusy
from dashboards.server.computed_file import ComputedFileHandler
from dashboards.server.plain_page import PlainPage
from dashboards.server.responses import in_thread
from dashboards.shared.access import Visitor
from dashboards.shared.source import Unavailable, archive_source
from dashboards.shared.visitors import visitor_asking
from stixcore.errors import public_sentence


def facts_for(archive: Archive, recipe_id: str, server: str, visitor: Visitor) -> ImageSetFacts:
    """Facts about an image set, with the images that a visitor may see.

    Raises
    ------
    NotInArchive
        If the visitor may see none.
    Unavailable
        If the configuration of the archive is invalid.
    """
    which = ImageFilter(recipe_id=recipe_id, viewer=visitor.name, all_hidden=visitor.operator)
    try:
        return read_facts(archive, which, server)
    except BadSettings as error:
        message = "The configuration of the archive cannot be read. Please tell the operator."
        raise Unavailable(message) from error


class LandingPage(PlainPage):
    """The page."""

    up = "../"

    async def get(self, recipe_id: str) -> None:
        """Show it, or say that there is no such image set."""
        server, visitor = self.request.full_url().partition("/image/")[0], await visitor_asking(self)
        try:
            facts = await in_thread(
                lambda: archive_source().ask(lambda archive: facts_for(archive, recipe_id, server, visitor))
            )
        except NotInArchive:
            self.set_status(404)
            problem = f"There is no image set {recipe_id}, or it is not public."
            self.render_page("image_set", visitor=visitor, facts=None, problem=problem, content="", metadata="")
            return
        except (Unavailable, ServerBusy) as error:
            self.try_again_later(error)
            sentence = public_sentence(error)
            self.render_page("image_set", visitor=visitor, facts=None, problem=sentence, content="", metadata="")
            return
        if facts.replaced is not None:
            self.set_status(410)
        self.render_page(
            "image_set",
            visitor=visitor,
            facts=facts,
            problem="",
            content=landing_content(facts, ServerLinks(self.up)),
            metadata=json_ld(facts),
        )

    async def head(self, recipe_id: str) -> None:
        """As `get`, without a body."""
        await self.get(recipe_id)


class MetadataHandler(ComputedFileHandler):
    """Metadata of an image set."""

    stem = "stix_image_set"
    media_types: ClassVar = {kind: media_type for kind, (media_type, _) in WRITERS.items()}

    def content(self, archive: Archive, recipe_id: str, kind: str, visitor: Visitor) -> bytes:
        """See `WRITERS`."""
        server = self.request.full_url().partition("/image/")[0]
        return WRITERS[kind][1](facts_for(archive, recipe_id, server, visitor)).encode()


LANDING_ROUTES = [
    (r"/image/([0-9a-f]{16})", LandingPage),
    (r"/image/([0-9a-f]{16})\.(jsonld|datacite\.json|bib|recipe\.json)", MetadataHandler),
]
