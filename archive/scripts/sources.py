"""Data for the scripts of an image: its row, its recipe, and URLs of its input files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from archive.errors import InvalidName, NotInArchive
from archive.index.schema import Image
from archive.layout import archive_path, parse_file_name
from archive.store import Archive
from stixcore.instrument.calibration_file import shipped_calibration
from stixcore.times import format_time

#: Servers of the official files, with the layout of `archive.layout.archive_path`.
PUBLIC_ARCHIVES = ("https://pub099.cs.technik.fhnw.ch/data/fits", "http://dataarchive.stix.i4ds.net/fits")


@dataclass(frozen=True)
class InputFile:
    """An input file of an image.

    Attributes
    ----------
    name, uid, sha256 : str
        As in the recipe.
    addresses : tuple of str
        URLs for download, in order of preference.

    Raises
    ------
    InvalidName
        If the name contains a path.
    """

    name: str
    uid: str
    sha256: str
    addresses: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.name in ("", ".", "..") or "/" in self.name or "\0" in self.name:
            message = f"{self.name!r} is not a file name"
            raise InvalidName(message)

    def as_document(self) -> dict[str, Any]:
        """Plain values for a script."""
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
    energy_table : InputFile or None
        Energy table of the archive; None for a table of the software.
    cal_file : InputFile or None
        Daily CAL file.
    in_force : tuple of (str, str or None)
        Start and end of each period of validity of the energy table; None if the end is not known.
    fits : InputFile
        The image itself.
    """

    image: Image
    recipe: Mapping[str, Any]
    science: InputFile
    background: InputFile | None
    aspect: tuple[InputFile, ...]
    fits: InputFile
    energy_table: InputFile | None = None
    cal_file: InputFile | None = None
    in_force: tuple[tuple[str, str | None], ...] = ()

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """Science, background, auxiliary and calibration files."""
        return (self.science, *((self.background,) if self.background else ()), *self.aspect, *self.calibration)

    @property
    def calibration(self) -> tuple[InputFile, ...]:
        """Calibration files that are not part of the software."""
        return tuple(file for file in (self.energy_table, self.cal_file) if file is not None)


def read_source(archive: Archive, image: Image, server: str) -> ImageSource:
    """Collect the data for the scripts of an image.

    Parameters
    ----------
    archive : Archive
    image : Image
        Row of the image; the caller has checked permissions.
    server : str
        URL of the server of this archive, without a trailing slash: ``http://localhost:5006``.

    Raises
    ------
    NotInArchive
        If the index has no recipe of the image.
    """
    return _source(archive, image, archive.run(image.recipe_id).recipe, server)


def read_sources(archive: Archive, images: Iterable[Image], server: str) -> tuple[ImageSource, ...]:
    """`read_source` for several images, in their order, with a single query."""
    chosen = tuple(images)
    ids = sorted({image.recipe_id for image in chosen})
    rows = archive.rows("SELECT run_id, recipe FROM runs WHERE run_id IN (SELECT unnest(?))", [ids]) if ids else []
    recipes = {row["run_id"]: row["recipe"] for row in rows}
    return tuple(_source(archive, image, recipes.get(image.recipe_id), server) for image in chosen)


def with_recipe(archive: Archive, images: Iterable[Image]) -> tuple[Image, ...]:
    """Images whose recipe is in the index, in their order."""
    chosen = tuple(images)
    ids = sorted({image.recipe_id for image in chosen})
    sql = "SELECT run_id FROM runs WHERE recipe IS NOT NULL AND run_id IN (SELECT unnest(?))"
    known = {row["run_id"] for row in archive.rows(sql, [ids])} if ids else set()
    return tuple(image for image in chosen if image.recipe_id in known)


def source_of(image: Image, recipe: Mapping[str, Any], server: str) -> ImageSource:
    """Source of an image from its row and its recipe."""

    def file(reference: Mapping[str, str], kind: str) -> InputFile:
        return input_file(reference, kind, server, simulated=image.simulated)

    used = recipe.get("calibration")
    table = None if used is None or is_shipped(used["energy_table"]) else used["energy_table"]
    cal_file = None if used is None else used["cal_file"]
    return ImageSource(
        image=image,
        recipe=recipe,
        science=file(recipe["science"], "science"),
        background=file(recipe["background"], "science") if recipe["background"] else None,
        aspect=tuple(file(reference, "aux") for reference in recipe["aspect"]),
        fits=InputFile(
            image.file.rpartition("/")[2], image.uid, image.sha256, (f"{server}/archive/fits/{image.image_id}",)
        ),
        energy_table=None
        if table is None
        else file({"name": f"{table['name']}.csv", "uid": "", "sha256": table["sha256"]}, "calibration"),
        cal_file=None if cal_file is None else file(cal_file, "calibration"),
    )


def input_file(reference: Mapping[str, str], kind: str, server: str, *, simulated: bool) -> InputFile:
    """Input file of a recipe, with its URLs.

    Parameters
    ----------
    reference : mapping
        Its name, uid and sha256, as in the recipe.
    kind : str
        "science", "aux" or "calibration", as in the URLs of the server.
    server : str
    simulated : bool
        Simulated files are not in the public archives.
    """
    own = f"{server}/archive/{kind}/{quote(reference['name'], safe='')}"
    public = () if simulated else public_addresses(reference["name"])
    return InputFile(reference["name"], reference["uid"], reference["sha256"], (own, *public))


def is_shipped(table: Mapping[str, str]) -> bool:
    """Whether an energy table, by name and sha256, is part of the software."""
    known = shipped_calibration().tables.get(table["name"])
    return known is not None and known.sha256 == table["sha256"]


def public_addresses(name: str) -> tuple[str, ...]:
    """URLs of a file in the public archives; empty for names that these do not use."""
    try:
        parsed = parse_file_name(name)
    except InvalidName:
        return ()
    if parsed.kind is None:
        return ()
    place = str(archive_path(parsed, parsed.kind)).removeprefix("fits/")
    return tuple(f"{host}/{place}" for host in PUBLIC_ARCHIVES)


def _source(archive: Archive, image: Image, recipe: str | None, server: str) -> ImageSource:
    if not recipe:
        message = f"the index has no recipe for image {image.image_id!r}"
        raise NotInArchive(message)
    source = source_of(image, json.loads(recipe), server)
    if source.energy_table is None:
        return source
    return replace(source, in_force=periods_in_force(archive, source.recipe["calibration"]["energy_table"]["name"]))


def periods_in_force(archive: Archive, table: str) -> tuple[tuple[str, str | None], ...]:
    """Start and end of each period of validity of an energy table of the archive; None if the end is not known."""
    rows = [row for row in archive.calibration.validity if row.name == table]
    return tuple((format_time(row.start), None if row.end is None else format_time(row.end)) for row in rows)
