"""A package of an image set that is ready to upload to a repository: files, scripts, references and metadata."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from archive.atomic import atomic_path, make_folder
from archive.errors import ArchiveError, NotInArchive
from archive.landing.bibtex import bibtex
from archive.landing.datacite import datacite
from archive.landing.facts import ImageSetFacts
from archive.landing.ro_crate import METADATA, PREVIEW, CrateFile, ro_crate
from archive.scripts.bundle import ExtraFile, Member, bundle_members, bundle_paths
from archive.store import Archive


class BadDeposit(ArchiveError):
    """An image set that cannot be packed, or a place where the package cannot be written."""


def write_deposit(
    archive: Archive, facts: ImageSetFacts, out: Path, now: np.datetime64, *, inputs: bool = True
) -> list[CrateFile]:
    """Write the package of an image set, whole or not at all.

    Parameters
    ----------
    archive : Archive
    facts : ImageSetFacts
        Of a public image set, with a license.
    out : Path
        A new folder, or a new file with the suffix ``.zip``.
    now : datetime64
        Date of publication.
    inputs : bool
        Include the level-1, auxiliary and calibration files.

    Returns
    -------
    list of CrateFile
        Every file but the metadata and the preview.

    Raises
    ------
    BadDeposit
        When ``out`` exists, the image set was replaced, or an image has another SHA-256 than the index says.
    NotInArchive
        When the file of an image is missing.
    """
    if facts.replaced is not None:
        message = f"the files of image set {facts.run.run_id} were removed: {facts.replaced.reason}"
        raise BadDeposit(message)
    if out.exists():
        message = f"{out} exists already; give a new folder or .zip file"
        raise BadDeposit(message)
    make_folder(out.parent)
    work = Path(mkdtemp(prefix=".part-", dir=out.parent))
    try:
        folder = work / f"stix-{facts.run.run_id}"
        files = _fill(folder, archive, facts, now, inputs=inputs)
        if out.suffix == ".zip":
            with atomic_path(out) as path:
                _pack(folder, path)
        else:
            folder.rename(out)
    finally:
        shutil.rmtree(work)
    return files


def _fill(folder: Path, archive: Archive, facts: ImageSetFacts, now: np.datetime64, *, inputs: bool) -> list[CrateFile]:
    folder.mkdir()
    paths = bundle_paths(archive, facts.sources, inputs=inputs)
    expected = {source.fits.name: source.fits.sha256 for source in facts.sources}
    expected |= {file.name: file.sha256 for file in facts.inputs}
    members = bundle_members(
        facts.sources,
        lambda file: paths[file.name],
        now,
        inputs=inputs,
        extra=[*_pictures(archive, facts), *_metadata(facts)],
        folder=".",
    )
    files = [_write(folder, member, expected) for member in members]
    absent = [source.fits.name for source in facts.sources if not (folder / source.fits.name).is_file()]
    if absent:
        message = f"the archive has lost {', '.join(absent)}; stix-jobs check says more"
        raise NotInArchive(message)
    (folder / PREVIEW).write_text(_preview(facts, files), encoding="utf-8")
    (folder / METADATA).write_text(_json(ro_crate(facts, files, now)), encoding="utf-8")
    return files


def _write(folder: Path, member: Member, expected: Mapping[str, str]) -> CrateFile:
    name, content = member.name.removeprefix("./"), member.read()
    found = sha256(content).hexdigest()
    if expected.get(name, found) != found:
        message = f"{name} has SHA-256 {found}, and its recipe or the index says {expected[name]}"
        raise BadDeposit(message)
    (folder / name).write_bytes(content)
    return CrateFile(name, member.what, len(content), found)


def _pictures(archive: Archive, facts: ImageSetFacts) -> list[ExtraFile]:
    places = [(image.image_id, archive.path_of(image.png)) for image in facts.images if image.png is not None]
    return [ExtraFile(path.name, f"picture of {name}", path.read_bytes) for name, path in places if path.is_file()]


def _metadata(facts: ImageSetFacts) -> list[ExtraFile]:
    return [
        ExtraFile("references.bib", "references", bibtex(facts).encode),
        ExtraFile("datacite.json", "metadata of DataCite", _json(datacite(facts)).encode),
        ExtraFile("recipe.json", "the recipe", _json(dict(facts.recipe)).encode),
    ]


def _preview(facts: ImageSetFacts, files: list[CrateFile]) -> str:
    rows = "\n".join(
        f'<tr><td><a href="{escape(file.name)}">{escape(file.name)}</a></td><td>{escape(file.what)}</td>'
        f"<td>{file.size:,} B</td></tr>"
        for file in files
    )
    title = escape(facts.title)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n</head>\n<body>\n'
        f"<h1>{title}</h1>\n<p>{escape(facts.description)}</p>\n"
        f'<p>Landing page: <a href="{escape(facts.address)}">{escape(facts.address)}</a></p>\n'
        f"<table>\n<thead><tr><th>File</th><th>Content</th><th>Size</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>\n</body>\n</html>\n"
    )


def _pack(folder: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as package:
        for file in sorted(folder.iterdir()):
            stored = file.suffix in {".fits", ".png"}
            package.write(file, f"{folder.name}/{file.name}", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


def _json(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
