"""What a script is made of: an image, its recipe, and where its input files can be had."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from archive.errors import InvalidName, NotInArchive
from archive.layout import archive_path, parse_file_name
from archive.schema import Image
from archive.store import Archive

#: Servers that hold the official files, in the layout of `archive.layout.archive_path`.
PUBLIC_ARCHIVES = ("https://pub099.cs.technik.fhnw.ch/data/fits", "http://dataarchive.stix.i4ds.net/fits")


@dataclass(frozen=True)
class InputFile:
    """A file that an image was made from.

    Attributes
    ----------
    name, uid, sha256 : str
        As in the recipe.
    addresses : tuple of str
        Where it can be downloaded, best first.

    Raises
    ------
    InvalidName
        For a name that would lead to another folder.
    """

    name: str
    uid: str
    sha256: str
    addresses: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or "/" in self.name or "\0" in self.name:
            message = f"{self.name!r} is no file name"
            raise InvalidName(message)

    def as_document(self) -> dict[str, Any]:
        """As plain values."""
        return {"name": self.name, "uid": self.uid, "sha256": self.sha256, "addresses": list(self.addresses)}


@dataclass(frozen=True)
class ImageSource:
    """An image with everything its scripts need.

    Attributes
    ----------
    image : Image
        Its row in the index.
    recipe : mapping
        The recipe as plain values (`stixcore.recipe.Recipe.to_dict`).
    science : InputFile
    background : InputFile or None
    aspect : tuple of InputFile
    fits : InputFile
        The image itself.
    """

    image: Image
    recipe: Mapping[str, Any]
    science: InputFile
    background: InputFile | None
    aspect: tuple[InputFile, ...]
    fits: InputFile

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """Science, background and auxiliary files."""
        return (self.science, *((self.background,) if self.background else ()), *self.aspect)


def read_source(archive: Archive, image: Image, server: str) -> ImageSource:
    """Look up what the scripts of an image need.

    Parameters
    ----------
    archive : Archive
    image : Image
        Who may see it was asked before.
    server : str
        Address of the server of this archive, without a final slash: ``http://localhost:5006``.

    Raises
    ------
    NotInArchive
        When the index has no recipe for it.
    """
    return _source(image, archive.run(image.recipe_id).recipe, server)


def read_sources(archive: Archive, images: Iterable[Image], server: str) -> tuple[ImageSource, ...]:
    """The same for several images, in their order, with one question to the index."""
    chosen = tuple(images)
    ids = sorted({image.recipe_id for image in chosen})
    rows = archive.rows("SELECT run_id, recipe FROM runs WHERE run_id IN (SELECT unnest(?))", [ids]) if ids else []
    recipes = {row["run_id"]: row["recipe"] for row in rows}
    return tuple(_source(image, recipes.get(image.recipe_id), server) for image in chosen)


def source_of(image: Image, recipe: Mapping[str, Any], server: str) -> ImageSource:
    """From an image and its recipe in hand."""
    simulated = image.simulated

    def file(reference: Mapping[str, str], kind: str) -> InputFile:
        own = f"{server}/archive/{kind}/{quote(reference['name'], safe='')}"
        public = () if simulated else public_addresses(reference["name"])
        return InputFile(reference["name"], reference["uid"], reference["sha256"], (own, *public))

    return ImageSource(
        image=image,
        recipe=recipe,
        science=file(recipe["science"], "science"),
        background=file(recipe["background"], "science") if recipe["background"] else None,
        aspect=tuple(file(reference, "aux") for reference in recipe["aspect"]),
        fits=InputFile(
            image.file.rpartition("/")[2], image.uid, image.sha256, (f"{server}/archive/fits/{image.image_id}",)
        ),
    )


def public_addresses(name: str) -> tuple[str, ...]:
    """Where the public archives keep a file of this name; nothing for a name they would not use."""
    try:
        parsed = parse_file_name(name)
    except InvalidName:
        return ()
    if parsed.kind is None:
        return ()
    place = str(archive_path(parsed, parsed.kind)).removeprefix("fits/")
    return tuple(f"{host}/{place}" for host in PUBLIC_ARCHIVES)


def _source(image: Image, recipe: str | None, server: str) -> ImageSource:
    if not recipe:
        message = f"the index holds no recipe for image {image.image_id!r}"
        raise NotInArchive(message)
    return source_of(image, json.loads(recipe), server)
