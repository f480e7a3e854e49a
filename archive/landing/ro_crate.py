"""Metadata of a package of an image set: an RO-Crate 1.1, which Zenodo, Dataverse and WorkflowHub read.

``ro-crate-metadata.json`` describes the package as schema.org entities: the images, the files they were made from, the
software, and the action that made them (profile "Process Run Crate").
Source: Soiland-Reyes et al. 2022, Data Science 5, 97; https://w3id.org/ro/crate/1.1
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from archive.landing.facts import KEYWORDS, ImageSetFacts
from stixcore.software import CREATOR
from stixcore.times import format_time

METADATA, PREVIEW = "ro-crate-metadata.json", "ro-crate-preview.html"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_MEDIA_TYPES = {
    ".fits": "application/fits",
    ".png": "image/png",
    ".py": "text/x-python",
    ".pro": "text/plain",
    ".ipynb": "application/x-ipynb+json",
    ".json": "application/json",
    ".bib": "application/x-bibtex",
    ".txt": "text/plain",
    ".html": "text/html",
    ".csv": "text/csv",
}


@dataclass(frozen=True)
class CrateFile:
    """A file of the package.

    Attributes
    ----------
    name : str
        Relative to the folder of the package.
    what : str
        What it is, for people.
    size : int
        byte
    sha256 : str
    """

    name: str
    what: str
    size: int
    sha256: str


def ro_crate(facts: ImageSetFacts, files: Iterable[CrateFile], now: np.datetime64) -> dict[str, Any]:
    """The metadata of a package.

    Parameters
    ----------
    facts : ImageSetFacts
        With a license.
    files : iterable of CrateFile
        All files but this one and the preview.
    now : datetime64
        Date of publication.
    """
    license_ = facts.about.license
    present = {file.name: file for file in files}
    images = [source.fits.name for source in facts.sources]
    inputs = [file.name if file.name in present else file.addresses[0] for file in facts.inputs]
    software, publisher = f"{facts.server}/#{CREATOR}", f"{facts.server}/#publisher"
    papers = [(f"https://doi.org/{paper.doi}", paper.text) for paper in facts.papers if paper.doi]
    graph: list[dict[str, Any]] = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        {"@id": PREVIEW, "@type": "CreativeWork", "about": {"@id": "./"}},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": facts.title,
            "description": facts.description,
            "datePublished": str(now.astype("datetime64[D]")),
            "license": {"@id": license_},
            "identifier": facts.address,
            "url": facts.address,
            "keywords": ", ".join(KEYWORDS),
            "temporalCoverage": f"{facts.start}/{facts.end}",
            "version": facts.run.version,
            "author": {"@id": publisher},
            "publisher": {"@id": publisher},
            "conformsTo": {"@id": _PROFILE},
            "hasPart": _references([*present, *(name for name in inputs if name not in present)]),
            "mentions": {"@id": "#reconstruction"},
            "citation": _references(address for address, _ in papers),
        },
        *(_file(file) for file in present.values()),
        *(
            {
                "@id": file.addresses[0],
                "@type": "File",
                "name": file.name,
                "description": "Input file of the images, not in the package",
                "encodingFormat": _media_type(file.name),
                "sha256": file.sha256,
            }
            for file in facts.inputs
            if file.name not in present
        ),
        {
            "@id": "#reconstruction",
            "@type": "CreateAction",
            "name": "Reconstruction of the images",
            "endTime": f"{format_time(facts.created)[:19]}+00:00",
            "instrument": {"@id": software},
            "agent": {"@id": publisher},
            "object": _references(inputs),
            "result": _references(images),
            "description": " ".join(f"{name}: {value}." for name, value in facts.calibration),
        },
        {
            "@id": software,
            "@type": "SoftwareApplication",
            "name": CREATOR,
            "softwareVersion": facts.run.version,
            "url": facts.server,
        },
        {"@id": publisher, "@type": "Organization", "name": facts.publisher, "url": facts.server},
        {"@id": license_, "@type": "CreativeWork", "name": "License", "url": license_, "description": license_},
        {"@id": _PROFILE, "@type": ["CreativeWork", "Profile"], "name": "Process Run Crate", "version": "0.5"},
        *({"@id": address, "@type": "ScholarlyArticle", "name": text} for address, text in papers),
    ]
    return {"@context": _CONTEXT, "@graph": graph}


def _references(ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": one} for one in ids]


def _file(file: CrateFile) -> dict[str, Any]:
    return {
        "@id": file.name,
        "@type": "File",
        "name": file.name,
        "description": file.what,
        "encodingFormat": _media_type(file.name),
        "contentSize": str(file.size),
        "sha256": file.sha256,
    }


def _media_type(name: str) -> str:
    return _MEDIA_TYPES.get(PurePath(name).suffix, "application/octet-stream")
