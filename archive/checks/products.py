"""Checks of files that are neither STIX files nor images: GOES data, cubes, maps of other instruments, renderings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from archive import context_maps, goes
from archive.checks.contents import fault_of
from archive.checks.findings import Code
from archive.checks.inspection import Inspection
from archive.cubes import RECORD, UNREADABLE, read_cube
from archive.errors import IndexDamaged
from archive.regular_files import open_regular
from archive.unpacked import LARGEST_MAP, unpacked_fits

RENDERINGS, RENDERING_RECORD = "renderings", "rendering.json"
_PACKED = (".fits", ".fits.gz", ".fts", ".fit")


def check_products(inspection: Inspection) -> None:
    """Open these files; a deep check reads them to their ends."""
    _check_goes(inspection)
    _check_cubes(inspection)
    _check_maps(inspection)
    _check_renderings(inspection)


def _check_goes(inspection: Inspection) -> None:
    with inspection.writers_out():
        for month in goes.goes_months(inspection.root):
            relative = f"{goes.FOLDER}/{month}.parquet"
            path = inspection.root / relative
            try:
                goes.read_goes_month(path)
            except IndexDamaged as error:
                inspection.found(Code.GOES_UNREADABLE, "", relative, str(error), repaired=inspection.repair)
                if inspection.repair:
                    inspection.set_aside(path, str(error))


def _check_cubes(inspection: Inspection) -> None:
    for record in sorted((inspection.root / "cubes").glob(f"[0-9]*/[0-9]*/[0-9]*/[!.]*/{RECORD}")):
        folder = PurePosixPath(record.parent.relative_to(inspection.root))
        for name, fault in list(_faults_of_cube(inspection, folder)):
            file = f"{folder}/{name}"
            text = f"{file}, of the cube of a flare: {fault}; the next run of the previews makes the cube again"
            if not inspection.repair:
                text += " after a repair"
            inspection.found(Code.CUBE_DAMAGED, "", file, text, repaired=inspection.repair)
            if inspection.repair:
                record.unlink(missing_ok=True)  # a cube without its record is made again


def _faults_of_cube(inspection: Inspection, folder: PurePosixPath) -> Iterator[tuple[str, str]]:
    try:
        cube = read_cube(inspection.root, folder)
    except FileNotFoundError:
        return  # removed meanwhile
    except UNREADABLE as error:
        yield RECORD, f"it cannot be read: {type(error).__name__} {error}"
        return
    for name in cube.files if cube.points else ():
        fault = fault_of(inspection.root / folder / name, inspection.root, deep=inspection.deep)
        if fault:
            yield name, fault


def _check_maps(inspection: Inspection) -> None:
    """Open the maps that pages draw; of maps that operators and users add, only FITS files."""
    folder = inspection.root / context_maps.FOLDER
    for path in sorted(path for path in (*folder.glob("[!.]*"), *folder.glob("[!.]*/[!.]*")) if path.is_file()):
        is_context = path.parent == folder and context_maps.is_context_map(path.name)
        fault = _fault_of_map(path, is_context=is_context, deep=inspection.deep)
        if not fault:
            continue
        file = str(path.relative_to(inspection.root))
        advice = "stix-jobs context brings it again" if is_context else "remove it, or add it again"
        text = f"{file} cannot be read as a map: {fault}; {advice}"
        repaired = inspection.repair and is_context
        inspection.found(Code.MAP_UNREADABLE, "", file, text, repaired=repaired)
        if repaired:
            inspection.set_aside(path, text)


def _fault_of_map(path: Path, *, is_context: bool, deep: bool) -> str:
    try:
        if is_context:
            context_maps.read_context_map(path, pixels=deep)
        elif path.name.lower().endswith(_PACKED):
            with open_regular(path, below=path.parent) as stream:
                unpacked_fits(stream, LARGEST_MAP)
    except FileNotFoundError:
        return ""  # removed meanwhile
    except context_maps.UNREADABLE as error:
        return str(error) or type(error).__name__
    return ""


def _check_renderings(inspection: Inspection) -> None:
    for record in sorted((inspection.root / RENDERINGS).glob(f"[!.]*/{RENDERING_RECORD}")):
        folder = record.parent
        faults = list(_faults_of_rendering(inspection, folder))
        for name, fault in faults:
            file = f"{RENDERINGS}/{folder.name}/{name}"
            text = f"{file}, made for a request: {fault}; request it again after a repair"
            inspection.found(Code.RENDERING_DAMAGED, "", file, text, repaired=inspection.repair)
        if faults and inspection.repair:
            shutil.rmtree(folder)


def _faults_of_rendering(inspection: Inspection, folder: Path) -> Iterator[tuple[str, str]]:
    fault = fault_of(folder / RENDERING_RECORD, inspection.root)
    names: Any = None
    if not fault:
        found = json.loads((folder / RENDERING_RECORD).read_bytes())
        names = found.get("files") if isinstance(found, dict) else None
        if not (isinstance(names, list) and all(isinstance(name, str) and "/" not in name for name in names)):
            fault = "files: expected a list of names"
    if fault:
        yield RENDERING_RECORD, fault
        return
    for name in names:
        fault = fault_of(folder / name, inspection.root, deep=inspection.deep)
        if fault:
            yield name, fault
