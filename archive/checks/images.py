"""Checks of runs and images: rows without files, files without rows, incomplete sets, damaged images.

Runs, images and folders are compared month by month, to limit the memory needed for a million images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from archive.checks.contents import fault_of
from archive.checks.findings import Code
from archive.checks.inspection import Inspection, files_of, month_of_path
from archive.checks.rebuild import (
    IMAGE_FACTS,
    RUN_FACTS,
    ImageFacts,
    contradictions,
    corrected,
    expected_methods,
    read_image,
    run_without_record,
    warnings_about,
)
from archive.errors import InvalidName
from archive.index.columns import Table
from archive.index.records import RECORD, Record, read_record, write_record
from archive.index.schema import IMAGES, RUNS, Image, Run, RunStatus
from archive.layout import parse_image_name
from stixcore.errors import InvalidProduct
from stixcore.imaging.reconstruction import method_name

REPORT = "report.png"
#: Findings that a writer still in progress explains: a new or remade set has its files before its rows.
_UNFINISHED = frozenset({Code.IMAGE_UNINDEXED, Code.IMAGE_CHANGED, Code.ROW_CONTRADICTS, Code.RECORD_STALE})
#: Findings that only remaking the images can repair.
_INCOMPLETE = frozenset({Code.IMAGE_MISSING, Code.IMAGE_UNREADABLE, Code.RUN_INCOMPLETE})


@dataclass(frozen=True)
class _Fault:
    """A finding that is not reported yet."""

    code: Code
    table: str
    file: str
    message: str


@dataclass
class _Set:
    """One recipe: its rows in the index and the files in its folder.

    Attributes
    ----------
    recipe_id : str
    run : Run or None
        The finished run, if any.
    images : dict
        Rows by method.
    folder : str
        Path inside the archive; empty where there is none.
    files : dict
        Names in the folder, with size [byte] and time of the last writing [Unix time, s].
    """

    recipe_id: str
    run: Run | None = None
    images: dict[str, Image] = field(default_factory=dict)
    folder: str = ""
    files: dict[str, tuple[int, float]] = field(default_factory=dict)
    faults: list[_Fault] = field(default_factory=list)

    @property
    def state(self) -> tuple[object, ...]:
        """Everything that changes when another process writes to it."""
        return self.run, self.images, self.folder, self.files

    def fits(self) -> dict[str, str]:
        """Paths of the images in the folder, by method."""
        found = {}
        for name in sorted(self.files):
            try:
                image = parse_image_name(name)
            except InvalidName:
                continue
            if image.recipe_id == self.recipe_id:
                found[image.method] = f"{self.folder}/{name}"
        return found

    def fault(self, code: Code, table: str, file: str, message: str) -> None:
        """Add a problem."""
        self.faults.append(_Fault(code, table, file, message))


@dataclass
class _Rows:
    """Rows to write and sets to remove."""

    images: list[Image] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    drop: list[_Set] = field(default_factory=list)


def check_images(inspection: Inspection) -> None:
    """Compare ``images/`` with runs and images of the index, month by month."""
    with inspection.writers_out():
        months = inspection.all_months("images", RUNS, IMAGES)
    for number, month in enumerate(months):
        inspection.step("images", number, len(months))
        _check_month(inspection, month)
    inspection.step("images", len(months), len(months))


def _check_month(inspection: Inspection, month: str) -> None:
    with inspection.writers_out():
        sets = _sets(inspection, month)
    for one in sets.values():
        _look_at(inspection, one)
        if inspection.deep:
            _look_into(inspection, one)
        _ignore_unfinished(inspection, one)
    faulty = [one for one in sets.values() if one.faults]
    if not inspection.repair:
        for one in faulty:
            _report(inspection, one, repaired=False)
    elif faulty:
        _repair(inspection, month, faulty)


def _sets(inspection: Inspection, month: str) -> dict[str, _Set]:
    sets: dict[str, _Set] = {}
    for run in inspection.rows(RUNS, month):
        if run.status == RunStatus.DONE:
            sets[run.run_id] = _Set(run.run_id, run)
    for image in inspection.rows(IMAGES, month):
        sets.setdefault(image.recipe_id, _Set(image.recipe_id)).images[image.method] = image
    for folder in inspection.folders_of_month("images", month):
        one = sets.setdefault(folder.name, _Set(folder.name))
        one.folder = folder.relative_to(inspection.root).as_posix()
        one.files = files_of(folder)
    return sets


# Finding problems ----------------------------------------------------------------------------------------------------


def _look_at(inspection: Inspection, one: _Set) -> None:
    """Compare names and sizes."""
    paths = {f"{one.folder}/{name}": entry for name, entry in one.files.items()}
    for image in one.images.values():
        _look_at_image(inspection, one, image, paths)
    month = _month_of(one)
    unreadable = {table for table, its_month in inspection.unreadable if its_month == month}
    known = {image.file for image in one.images.values()}
    fits = one.fits()
    if IMAGES.name not in unreadable:
        for path in sorted(set(fits.values()) - known):
            one.fault(Code.IMAGE_UNINDEXED, IMAGES.name, path, f"{path} is on disk but not in the index")
        if one.run is not None:
            _look_for_missing_images(one, one.run, fits)
    if RUNS.name not in unreadable and one.run is None and one.images:
        text = f"run {one.recipe_id} is not in the index, but {len(one.images)} of its images are"
        one.fault(Code.RUN_MISSING, RUNS.name, one.recipe_id, text)
    if one.files and not fits and not one.images and one.run is None:
        text = f"{one.folder} has no image and no run"
        one.fault(Code.LEFTOVER, "", one.folder, text)
    elif fits and one.run is not None:
        if REPORT not in one.files and one.run.group_id is None:
            path = f"{one.folder}/{REPORT}"
            one.fault(Code.PICTURE_MISSING, RUNS.name, path, f"{path} is missing")
        if RECORD not in one.files:
            path = f"{one.folder}/{RECORD}"
            one.fault(Code.RECORD_MISSING, RUNS.name, path, f"{path}, the record of the run, is missing")


def _month_of(one: _Set) -> str:
    if one.folder:
        return month_of_path(one.folder)
    row = one.run or next(iter(one.images.values()))
    return str(row.t_start.astype("datetime64[M]"))


def _look_at_image(inspection: Inspection, one: _Set, image: Image, paths: dict[str, tuple[int, float]]) -> None:
    found = paths.get(image.file)
    if found is None:
        place = inspection.path_of(image.file)
        if place is None or not place.is_file():
            text = f"{image.file} is in the index but not on disk"
            one.fault(Code.IMAGE_MISSING, IMAGES.name, image.file, text)
        return
    if found[0] != image.size:
        text = f"{image.file} has {found[0]} bytes, but {image.size} in the index"
        one.fault(Code.IMAGE_CHANGED, IMAGES.name, image.file, text)
    for picture in (image.png, image.thumbnail):
        if picture and picture not in paths:
            one.fault(Code.PICTURE_MISSING, IMAGES.name, picture, f"{picture} is in the index but not on disk")


def _look_for_missing_images(one: _Set, run: Run, fits: dict[str, str]) -> None:
    for method in expected_methods(run):
        if method not in one.images and method not in fits:
            text = f"run {run.run_id} is finished but has no {method_name(method)} image"
            one.fault(Code.RUN_INCOMPLETE, RUNS.name, run.run_id, text)
    if not one.images and not fits:
        text = f"run {run.run_id} is finished but has no image"
        one.fault(Code.RUN_INCOMPLETE, RUNS.name, run.run_id, text)


def _look_into(inspection: Inspection, one: _Set) -> None:
    """Read the files: compare checksums, header with row, record with index; look for damaged pictures."""
    _look_at_pictures(inspection, one)
    for image in one.images.values():
        if not any(fault.file == image.file for fault in one.faults):
            _look_into_image(inspection, one, image)
    unreadable = {month for _, month in inspection.unreadable}
    if one.run is not None and RECORD in one.files and not one.faults and _month_of(one) not in unreadable:
        record = read_record(inspection.root / one.folder)
        if record is None or not _agrees(record, _record_of(one.run, one.images.values())):
            path = f"{one.folder}/{RECORD}"
            one.fault(Code.RECORD_STALE, RUNS.name, path, f"{path} differs from the index")


def _look_at_pictures(inspection: Inspection, one: _Set) -> None:
    pictures = [(IMAGES.name, path) for image in one.images.values() for path in (image.png, image.thumbnail) if path]
    if REPORT in one.files and one.run is not None:
        pictures.append((RUNS.name, f"{one.folder}/{REPORT}"))
    known = {fault.file for fault in one.faults}
    for table, path in pictures:
        place = inspection.path_of(path)
        if place is None or path in known or not place.exists():  # a missing one is found without reading
            continue
        fault = fault_of(place, inspection.root)
        if fault:
            one.fault(Code.PICTURE_MISSING, table, path, f"{path} is damaged: {fault}")


def _look_into_image(inspection: Inspection, one: _Set, image: Image) -> None:
    try:
        truth = read_image(inspection.root, image.file)
    except FileNotFoundError:
        return  # removed meanwhile
    except InvalidProduct as error:
        one.fault(Code.IMAGE_UNREADABLE, IMAGES.name, image.file, str(error))
        return
    if truth.image.sha256 != image.sha256:
        text = f"{image.file} differs from its row: its SHA-256 is {truth.image.sha256}"
        one.fault(Code.IMAGE_CHANGED, IMAGES.name, image.file, text)
        return
    wrong: list[tuple[Table[Image] | Table[Run], str, str, object, object]] = [
        (IMAGES, image.file, name, getattr(image, name), getattr(truth.image, name))
        for name in contradictions(image, truth.image, IMAGE_FACTS)
    ]
    if one.run is not None:
        wrong += [
            (RUNS, one.run.run_id, name, getattr(one.run, name), getattr(truth.run, name))
            for name in _run_contradictions(one.run, truth)
        ]
    for table, file, name, value, fact in wrong[:1]:
        text = f"{table.name} {file}: {name} is {value} in the index but {fact} in the file"
        one.fault(Code.ROW_CONTRADICTS, table.name, file, text)


def _run_contradictions(run: Run, truth: ImageFacts) -> list[str]:
    """Columns of a run that contradict an image of it. The full-disk map has its own energy range, which is ignored."""
    own_band = truth.image.method != "full_disk_bp"
    return [name for name in contradictions(run, truth.run, RUN_FACTS) if own_band or not name.startswith("e_")]


def _record_of(run: Run, images: Iterable[Image]) -> Record:
    return Record(run, tuple(sorted(images, key=lambda image: image.image_id)))


def _agrees(record: Record, other: Record) -> bool:
    """Whether two records are equal apart from the duration of the run."""
    timeless = replace(record, run=replace(record.run, elapsed_s=other.run.elapsed_s))
    return timeless == other


def _ignore_unfinished(inspection: Inspection, one: _Set) -> None:
    """Drop findings that a writer in progress explains. A set with a record is finished: a repair may index it."""
    if not (one.files and inspection.in_progress(max(modified for _, modified in one.files.values()))):
        return
    finished = inspection.repair and RECORD in one.files
    spared = _UNFINISHED - {Code.IMAGE_UNINDEXED} if finished else _UNFINISHED | {Code.LEFTOVER}
    one.faults = [fault for fault in one.faults if fault.code not in spared]


def _report(inspection: Inspection, one: _Set, *, repaired: bool) -> None:
    for fault in one.faults:
        inspection.found(fault.code, fault.table, fault.file, fault.message, repaired=repaired)


# Repair --------------------------------------------------------------------------------------------------------------


def _repair(inspection: Inspection, month: str, faulty: list[_Set]) -> None:
    """Repair the sets of a month: from record and files where these are complete, otherwise by remaking the images."""
    rows, again = _Rows(), []
    settled: list[tuple[_Set, Record | None]] = []
    for one in faulty:
        if any(fault.code is Code.LEFTOVER for fault in one.faults):
            settled.append((one, None))
            continue
        record = _restored(inspection, one)
        if record is None:
            again.append(one)
        else:
            settled.append((one, record))
    with inspection.writers_out():
        present = _sets(inspection, month)
        for one, record in settled:
            unchanged = present.get(one.recipe_id, _Set(one.recipe_id)).state == one.state
            _report(inspection, one, repaired=unchanged)
            if not unchanged:
                continue
            if record is None:
                rows.drop.append(one)
                continue
            write_record(inspection.root / one.folder, record.run, record.images)
            rows.images += record.images
            rows.runs.append(record.run)
        _write(inspection, rows)
    for one in again:
        _remake(inspection, one)


def _remake(inspection: Inspection, one: _Set) -> None:
    """Remake the images; if that fails, remove what is left of them."""
    record = read_record(inspection.root / one.folder) if one.folder else None
    # Without run and record a writer was killed before the set was complete: nobody has seen these images.
    run = one.run or (record.run if record else None)
    if run is not None and inspection.remake is not None and inspection.remake(run, tuple(one.images.values())):
        _report(inspection, one, repaired=True)
        return
    whole = all(fault.code is Code.PICTURE_MISSING for fault in one.faults)
    _report(inspection, one, repaired=not whole)
    if not whole:  # keep images of which only pictures are missing
        with inspection.writers_out():
            _write(inspection, _Rows(drop=[one]))


def _restored(inspection: Inspection, one: _Set) -> Record | None:
    """Rows from record, index and files together; None when an image or a picture is missing."""
    if any(fault.code in _INCOMPLETE or fault.code is Code.PICTURE_MISSING for fault in one.faults) or not one.folder:
        return None
    fits = one.fits()
    record = read_record(inspection.root / one.folder) if RECORD in one.files else None
    if record is not None and record.run.run_id != one.recipe_id:
        record = None
    if record is None and one.run is None and REPORT not in one.files:
        return None  # the report is written after the images, so the set is incomplete
    recorded = {image.method: image for image in record.images} if record else {}
    images, facts = [], []
    for method, path in fits.items():
        known, said = one.images.get(method), recorded.get(method)
        if said is not None and known is None and not inspection.deep and said.size == one.files[Path(path).name][0]:
            images.append(said)
            continue
        try:
            truth = read_image(inspection.root, path)
            images.append(_image_row(truth, known, said, one.run or (record.run if record else None)))
        except (InvalidProduct, FileNotFoundError):
            return None
        facts.append(truth)
    run = one.run or (record.run if record else None) or (run_without_record(facts) if facts else None)
    if run is None or not images:
        return None
    for truth in facts:
        run = corrected(run, truth.run, _run_contradictions(run, truth))
    present = {image.method for image in images}
    if not present >= set(expected_methods(run)) or not present >= set(recorded):
        return None
    return _record_of(run, images)


def _image_row(truth: ImageFacts, known: Image | None, said: Image | None, run: Run | None) -> Image:
    """Row of an image: that of the index or the record if it matches the file, otherwise one made from the file.

    Raises
    ------
    InvalidProduct
        When the file matches neither row nor record and contradicts them.
    """
    for row in (known, said):
        if row is not None and row.sha256 == truth.image.sha256:
            return corrected(row, truth.image, contradictions(row, truth.image, IMAGE_FACTS))
    for row in filter(None, (known, said)):
        for name in contradictions(row, truth.image, IMAGE_FACTS):
            expected, found = getattr(row, name), getattr(truth.image, name)
            raise InvalidProduct(Path(truth.image.file), f"{name} {expected}, as its row has it", str(found))
    if known is not None:  # for example, tables were added to the file
        facts = ("sha256", "size", "peak_hpc_x", "peak_hpc_y", "centroid_hpc_x", "centroid_hpc_y", "png", "thumbnail")
        return corrected(known, truth.image, facts)
    if run is None:
        return truth.image
    warnings = warnings_about(run, truth.image.method)
    return replace(
        truth.image,
        flare_id=run.flare_id,
        author=run.author,
        hidden=run.hidden,
        warnings=warnings,
        trusted='"doubt"' not in warnings,
    )


def _write(inspection: Inspection, rows: _Rows) -> None:
    """Write and remove rows and their files. Rows are removed before files, and written after them."""
    archive = inspection.archive
    dropped = [image.image_id for one in rows.drop for image in one.images.values()]
    archive.delete(RUNS.name, [one.run.run_id for one in rows.drop if one.run is not None])
    archive.delete(IMAGES.name, dropped)
    for one in rows.drop:
        _clear(inspection, one)
    archive.upsert(IMAGES.name, rows.images)
    archive.upsert(RUNS.name, rows.runs)


def _clear(inspection: Inspection, one: _Set) -> None:
    """Empty the folder of a removed set. Images go into quarantine; pictures can be drawn again."""
    if not one.folder:
        return
    folder = inspection.root / one.folder
    for path in one.fits().values():
        inspection.set_aside(inspection.root / path, f"{path}: the images of this recipe were incomplete or damaged")
    for name in one.files:
        (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
