"""Bundles of selected images: FITS files, scripts, a manifest with checksums, and references to cite."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archive.calibration import calibration_place
from archive.errors import NotInArchive
from archive.index.schema import Image, select_files
from archive.layout import stamp
from archive.papers import papers_to_cite
from archive.scripts.images import FLAVOURS, script_name
from archive.scripts.sources import ImageSource, InputFile
from archive.store import Archive

FOLDER = "stix_images"


@dataclass(frozen=True)
class Member:
    """A file of a bundle: its name, its content, which is read on demand, and what it is."""

    name: str
    read: Callable[[], bytes]
    what: str


@dataclass(frozen=True)
class ExtraFile:
    """A file of a bundle beside those of its images: name, what it is, and its content."""

    name: str
    what: str
    read: Callable[[], bytes]


def bundle_members(
    sources: Sequence[ImageSource],
    locate: Callable[[InputFile], Path],
    created: np.datetime64,
    *,
    inputs: bool = False,
    extra: Sequence[ExtraFile] = (),
    folder: str = FOLDER,
) -> Iterator[Member]:
    """Yield the files of a bundle; the manifest is last, when all checksums are known.

    All files are in one folder, where scripts look for their input files.

    Parameters
    ----------
    sources : sequence of ImageSource
    locate : callable
        Path of an image or input file. Missing files are listed in the manifest and left out.
    created : datetime64
        Written into the manifest.
    inputs : bool
        Include the level-1, auxiliary and calibration files.
    extra : sequence of ExtraFile
        Further files, such as reports.
    folder : str
        Name of the folder in the bundle.
    """
    manifest: list[dict[str, object]] = []

    def member(name: str, what: str, read: Callable[[], bytes], expected: str = "") -> Member:
        def noted() -> bytes:
            content = read()
            found = hashlib.sha256(content).hexdigest()
            entry: dict[str, object] = {"name": name, "what": what, "size": len(content), "sha256": found}
            if expected and found != expected:
                entry["problem"] = f"the archive expected {expected}"
            manifest.append(entry)
            return content

        return Member(f"{folder}/{name}", noted, what)

    missing: list[str] = []
    files = {source.fits.name: (source.fits, f"image {source.image.image_id}") for source in sources}
    if inputs:
        files |= {file.name: (file, "input") for source in sources for file in source.inputs}
    for file, what in files.values():
        path = locate(file)
        if path.is_file():
            yield member(file.name, what, path.read_bytes, file.sha256)
        else:
            missing.append(file.name)
    for source in sources:
        for suffix, write in FLAVOURS.items():
            text = write(source)
            what = f"script for {source.image.image_id}"
            yield member(script_name(source, suffix), what, text.encode)
    for other in extra:
        yield member(other.name, other.what, other.read)
    yield member("CITATION.txt", "how to cite", citation(sources).encode)
    document = {
        "created": f"{stamp(created)} UTC",
        "images": [_described(source.image) for source in sources],
        "files": manifest,
        "missing": missing,
    }
    # evaluated last, when the list is complete
    yield Member(
        f"{folder}/manifest.json",
        lambda: json.dumps(document, indent=1, ensure_ascii=False).encode(),
        "names, sizes and SHA-256 of the files",
    )


def bundle_paths(archive: Archive, sources: Sequence[ImageSource], *, inputs: bool) -> dict[str, Path]:
    """Paths of the files in a bundle."""
    paths = {source.fits.name: archive.path_of(source.image.file) for source in sources}
    if inputs:
        names = sorted({file.name for source in sources for file in source.inputs})
        rows = archive.rows(select_files("name, path", " WHERE name IN (SELECT unnest($1))"), [names])
        paths |= dict.fromkeys(names, archive.root / "missing")
        paths |= {row["name"]: archive.path_of(row["path"]) for row in rows}
        calibration = {file.name for source in sources for file in source.calibration}
        paths |= {name: _calibration_path(archive, name) for name in sorted(calibration)}
    return paths


def _calibration_path(archive: Archive, name: str) -> Path:
    try:
        return archive.path_of(calibration_place(archive.root, name))
    except NotInArchive:
        return archive.root / "missing"


def citation(sources: Sequence[ImageSource]) -> str:
    """References and acknowledgments for publications with these images."""
    methods = sorted({source.image.method for source in sources})
    papers = papers_to_cite(methods)
    uids = ", ".join(sorted({source.image.uid for source in sources}))
    lines = [
        "Solar Orbiter is a mission of ESA and NASA. STIX is an instrument of Solar Orbiter.",
        "Images made with stix-flare-archive from STIX level-1 data, science requests (uid) " + uids + ".",
        "Preview images are quick looks: read their warnings before publishing.",
        *(["Some of these images are made from SIMULATED data, not from observations."] if _simulated(sources) else []),
        "",
        "Please cite:",
        *(f"  {paper}" for paper in papers),
        "",
        "Images:",
        *(f"  {source.image.image_id}  {source.fits.name}" for source in sources),
        "",
    ]
    return "\n".join(lines)


def _simulated(sources: Sequence[ImageSource]) -> bool:
    return any(source.image.simulated for source in sources)


def _described(image: Image) -> dict[str, object]:
    return {
        "image_id": image.image_id,
        "uid": image.uid,
        "method": image.method,
        "t_start": str(image.t_start),
        "t_end": str(image.t_end),
        "energy_kev": [image.e_low, image.e_high],
        "author": image.author,
        "simulated": image.simulated,
        "trusted": image.trusted,
        "warnings": json.loads(image.warnings),
    }
