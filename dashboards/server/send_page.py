"""``/send?image=<id>`` or ``?flare=<id>``: sends images to programs on the visitor's computer over SAMP.

This page alone may reach the hub of SAMP, a server on port 21012 of the visitor's computer (IVOA SAMP 1.3, section 5);
the policy of all other pages stays closed. The programs download the files as anybody does, so only public images are
sent. JHelioviewer takes ``image.load.fits``, and several images with ``jhv.load.image`` (its note "JHV SAMP Commands").
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from archive import Archive, ImageFilter, NotInArchive
from archive.index.schema import Image
from dashboards.server.bounded_threads import ServerBusy
from dashboards.server.plain_page import PlainPage
from dashboards.server.responses import in_thread
from dashboards.shared import formatting
from dashboards.shared.access import visible_image
from dashboards.shared.links import flare_address
from dashboards.shared.source import Unavailable, archive_source
from dashboards.shared.visitors import visitor_asking
from stixcore.errors import public_sentence
from stixcore.imaging.registry import place_in_order

HUB = "http://localhost:21012"
#: Most images in one message.
MOST_IMAGES = 200


@dataclass(frozen=True)
class Offer:
    """A message that the page can send.

    Attributes
    ----------
    label : str
        What is sent, for people.
    mtype : str
        Type of the message, such as "image.load.fits".
    params : dict
        Its parameters; the page makes the address ``url`` absolute.
    """

    label: str
    mtype: str
    params: dict[str, Any]


def image_offers(archive: Archive, image_id: str) -> list[Offer]:
    """The FITS file of a public image.

    Raises
    ------
    NotInArchive
        If there is none with this id.
    """
    image = visible_image(archive, image_id)
    label = f"{formatting.method_name(image.method)} image, {formatting.band(image)}, {_start(image)}"
    params = {"url": _fits(image), "image-id": image.image_id, "name": f"STIX {label}"}
    return [Offer(f"{label}, FITS file", "image.load.fits", params)]


def flare_offers(archive: Archive, flare_id: str) -> list[Offer]:
    """The images of a flare by one method in each band, and the table of all of them.

    Raises
    ------
    NotInArchive
        If there is no such flare, or no public image of it.
    """
    flare = archive.flare(flare_id)
    which = ImageFilter(flare_id=flare.flare_id)
    images = archive.images(which, sort=("t_start", "image_id"), limit=10 * MOST_IMAGES)
    if not images:
        message = f"flare {flare.flare_id} has no public images"
        raise NotInArchive(message)
    offers = []
    for low, high in sorted({(image.e_low, image.e_high) for image in images}):
        band = [image for image in images if (image.e_low, image.e_high) == (low, high)]
        method = _preferred(band)
        chosen = [image for image in band if image.method == method][:MOST_IMAGES]
        label = f"{formatting.method_name(method)} images, {formatting.band(chosen[0])} ({len(chosen)})"
        offers.append(Offer(label, "jhv.load.image", {"url": [_fits(image) for image in chosen]}))
    query = urlencode({"flare_id": flare.flare_id, "format": "votable"})
    params = {
        "url": f"api/v1/images?{query}",
        "table-id": f"stix-{flare.flare_id}",
        "name": f"STIX images of flare {flare.flare_id}",
    }
    return [*offers, Offer("table of all images of the flare (VOTable)", "table.load.votable", params)]


def _preferred(images: list[Image]) -> str:
    """CLEAN, which every STIX user knows; without it the first method in the order of pages."""
    methods = {image.method for image in images}
    return "clean" if "clean" in methods else min(methods, key=place_in_order)


def _fits(image: Image) -> str:
    return f"archive/fits/{image.image_id}"


def _start(image: Image) -> str:
    return f"{formatting.day(image.t_start)} {formatting.clock(image.t_start)} UTC"


class SendPage(PlainPage):
    """The page."""

    async def get(self) -> None:
        """Show what can be sent, and a button that looks for programs."""
        image_id, flare_id = self.get_argument("image", ""), self.get_argument("flare", "")
        visitor, nonce = await visitor_asking(self), secrets.token_urlsafe(16)

        def offers(archive: Archive) -> list[Offer]:
            return image_offers(archive, image_id) if image_id else flare_offers(archive, flare_id)

        values: dict[str, Any] = {"visitor": visitor, "title": "Send to a program", "nonce": nonce}
        try:
            found = await in_thread(lambda: archive_source().ask(offers))
        except NotInArchive:
            self.set_status(404)
            problem = "There is no such image or flare, or it is not public. Programs can only load public images."
            self.render_page("send", problem=problem, **values)
            return
        except (Unavailable, ServerBusy) as error:
            self.try_again_later(error)
            self.render_page("send", problem=public_sentence(error), **values)
            return
        self.set_header("Content-Security-Policy", _policy(nonce))
        self.render_page(
            "send",
            problem="",
            offers=found,
            document=json.dumps([asdict(offer) for offer in found]).replace("<", "\\u003c"),
            script=_script(),
            back=f"image_archive?image={image_id}" if image_id else flare_address(flare_id),
            **values,
        )


def _policy(nonce: str) -> str:
    """As of other pages without live content, with one script and one other server."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; connect-src {HUB}; style-src 'self' 'unsafe-inline'; "
        "font-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


@cache
def _script() -> str:
    return (Path(__file__).parent / "samp.js").read_text(encoding="utf-8")


SEND_ROUTES = [(r"/send", SendPage)]
