"""The facts about an image set that its landing page and all metadata state."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.about import About
from archive.errors import NotInArchive
from archive.index.filters import ImageFilter, RunFilter
from archive.index.schema import Flare, Image, Run, RunStatus
from archive.papers import PAPERS, Paper, paper_of
from archive.replaced import ReplacedImageSet, read_replaced
from archive.scripts.sources import ImageSource, InputFile, read_sources, source_of
from archive.store import Archive
from stixcore.imaging.registry import display_name, find_method, place_in_order
from stixcore.times import format_time

#: More methods than any installation has.
_MOST_METHODS = 200
_MOST_SUCCESSORS = 20
KEYWORDS = ("Solar Orbiter", "STIX", "solar flare", "X-ray", "Fourier imaging")


@dataclass(frozen=True)
class ImageSetFacts:
    """An image set with everything that is said about it.

    Attributes
    ----------
    about : About
        Who runs the archive.
    server : str
        Address of the pages, without a trailing slash.
    run : Run
    recipe : mapping
        The recipe as plain values.
    images : tuple of Image
        In the order of the methods.
    sources : tuple of ImageSource
        The same with the addresses of their files.
    flare : Flare or None
    replaced : ReplacedImageSet or None
        Set when its files are gone, because it was made again from other inputs.
    successors : tuple of str
        Recipe ids of the image sets that took its place.
    static : bool
        Whether the pages are files, whose names end with ".html".
    """

    about: About
    server: str
    run: Run
    recipe: Mapping[str, Any]
    images: tuple[Image, ...]
    sources: tuple[ImageSource, ...]
    flare: Flare | None
    replaced: ReplacedImageSet | None = None
    successors: tuple[str, ...] = ()
    static: bool = False

    @property
    def address(self) -> str:
        """Address of the landing page."""
        return self.address_of(self.run.run_id)

    def address_of(self, recipe_id: str) -> str:
        """Address of the landing page of an image set of this archive."""
        return f"{self.server}/image/{recipe_id}{'.html' if self.static else ''}"

    def flare_address(self, flare_id: str) -> str:
        """Address of the page of a flare."""
        return f"{self.server}/flare/{flare_id}.html" if self.static else f"{self.server}/flare?id={flare_id}"

    @property
    def start(self) -> str:
        """Start, ISO 8601, UTC at Solar Orbiter."""
        return f"{format_time(self.run.t_start)}Z"

    @property
    def end(self) -> str:
        """End, as `start`."""
        return f"{format_time(self.run.t_end)}Z"

    @property
    def band(self) -> str:
        """Energy range, "6-10 keV"."""
        return f"{self.run.e_low:g}-{self.run.e_high:g} keV"

    @property
    def title(self) -> str:
        """One line: instrument, band, time and flare."""
        flare = "" if self.flare is None else f", flare {self.flare.flare_id}"
        simulated = "Simulated " if self.run.simulated else ""
        return f"{simulated}STIX images {self.band}, {_clock(self.start)} to {self.end[11:19]} UTC{flare}"

    @property
    def description(self) -> str:
        """A paragraph: what was imaged, how, and how far to trust it."""
        methods = ", ".join(display_name(image.method) for image in self.images)
        data = "simulated data" if self.run.simulated else "level-1 data"
        doubtful = [display_name(image.method) for image in self.images if not image.trusted]
        if not doubtful:
            verdict = "Every image is trusted."
        elif len(doubtful) == len(self.images):
            verdict = "Every image is doubtful; its warnings say why."
        else:
            verdict = f"Doubtful, with warnings that say why: {', '.join(doubtful)}."
        return (
            f"Images of X-rays of the Sun between {self.run.e_low:g} and {self.run.e_high:g} keV from "
            f"{_clock(self.start)} to {_clock(self.end)} (UTC at Solar Orbiter), reconstructed from {data} of the "
            f"Spectrometer/Telescope for Imaging X-rays (STIX) on Solar Orbiter, science request {self.run.uid}, by "
            f"{methods}. {verdict}{self._fate}"
        )

    @property
    def _fate(self) -> str:
        if self.replaced is None:
            return ""
        day = str(self.replaced.replaced_at)[:10]
        return f" The files were removed on {day}: {self.replaced.reason}. The recipe and the scripts still make them."

    @property
    def inputs(self) -> tuple[InputFile, ...]:
        """Input files, each once."""
        return tuple({file.name: file for source in self.sources for file in source.inputs}.values())

    @property
    def papers(self) -> tuple[Paper, ...]:
        """Publications to cite."""
        declared = [find_method(image.method) for image in self.images]
        methods = [paper_of(method.paper) for method in declared if method is not None]
        return (*PAPERS, *(paper for paper in methods if paper is not None))

    @property
    def calibration(self) -> tuple[tuple[str, str], ...]:
        """Name and version of everything that the calibration used."""
        run = self.run
        return tuple(
            (name, value)
            for name, value in (
                ("Energy table", run.energy_table),
                ("Daily energy calibration", run.cal_file),
                ("Phase corrections", run.phase_table),
                ("Amplitudes", str(self.recipe.get("amplitude_scheme", ""))),
                ("Edges of channels", str(self.recipe.get("edge_correction", ""))),
            )
            if value
        )

    @property
    def created(self) -> np.datetime64:
        """When the newest image was made."""
        return max(image.created_at for image in self.images)

    @property
    def publisher(self) -> str:
        """Who publishes it."""
        return self.about.publisher or self.about.name


def read_facts(archive: Archive, which: ImageFilter, server: str) -> ImageSetFacts:
    """Facts about one image set.

    Parameters
    ----------
    archive : Archive
    which : ImageFilter
        With the ``recipe_id``, and what the visitor may see.
    server : str
        Address of the pages, without a trailing slash; the configured one takes precedence.

    Raises
    ------
    NotInArchive
        If the filter matches no image and none that was replaced, or the index has no recipe of it.
    BadSettings
        If the configuration of the archive is invalid.
    """
    images = archive.images(which, sort=("image_id",), limit=_MOST_METHODS)
    about = About.of(archive.root)
    address = about.url or server
    if not images:
        return _facts_of_replaced(archive, which, about, address)
    run = archive.run(images[0].recipe_id)
    sources = read_sources(archive, _in_order(images), address)
    return ImageSetFacts(
        about=about,
        server=address,
        run=run,
        recipe=json.loads(run.recipe or "{}"),
        images=tuple(source.image for source in sources),
        sources=sources,
        flare=_flare(archive, run.flare_id),
    )


def _facts_of_replaced(archive: Archive, which: ImageFilter, about: About, address: str) -> ImageSetFacts:
    found = read_replaced(archive.root, which.recipe_id or "")
    images = () if found is None else found.visible_to(which.viewer, all_hidden=which.all_hidden)
    if found is None or not images or not found.run.recipe:
        message = f"there is no image set {which.recipe_id!r}"
        raise NotInArchive(message)
    recipe = json.loads(found.run.recipe)
    sources = tuple(source_of(image, recipe, address) for image in _in_order(images))
    return ImageSetFacts(
        about=about,
        server=address,
        run=found.run,
        recipe=recipe,
        images=tuple(source.image for source in sources),
        sources=sources,
        flare=_flare(archive, found.run.flare_id),
        replaced=found,
        successors=_successors(archive, found.run),
    )


def _successors(archive: Archive, run: Run) -> tuple[str, ...]:
    """Public image sets of the same request, band and kind that overlap in time, the newest first."""
    which = RunFilter(uid=run.uid, t_start=run.t_start, t_end=run.t_end, kind=run.kind, statuses=(RunStatus.DONE,))
    same = [
        one
        for one in archive.runs(which, sort=("-started_at",))
        if (one.e_low, one.e_high) == (run.e_low, run.e_high) and bool(one.group_id) == bool(run.group_id)
    ]
    return tuple(one.run_id for one in same if one.run_id != run.run_id)[:_MOST_SUCCESSORS]


def _clock(time: str) -> str:
    """``2022-11-11 11:36:00``."""
    return time[:19].replace("T", " ")


def _in_order(images: Sequence[Image]) -> list[Image]:
    return sorted(images, key=lambda image: place_in_order(image.method))


def _flare(archive: Archive, flare_id: str | None) -> Flare | None:
    if flare_id is None:
        return None
    try:
        return archive.flare(flare_id)
    except NotInArchive:
        return None
