"""Images follow their flares: the classes in the rows of images are those of the flare, also when it changes later."""

from __future__ import annotations

from dataclasses import replace

from archive import Archive, Image
from archive.index.records import read_record, write_record
from archive.index.schema import FLARES, IMAGES
from archive.index.sql import select
from jobs.inputs import CLASSES, classes_of


def follow_flares(archive: Archive) -> int:
    """Give images the classes of their flares: in the index and in the records beside their files.

    Images are not made again. An image whose flare is not in the list keeps its classes.

    Parameters
    ----------
    archive : Archive

    Returns
    -------
    int
        Number of images that changed.

    Raises
    ------
    IndexDamaged, ArchiveBusy
        When a file of the index cannot be read; when another process holds the write lock for too long.
    """
    differs = " OR ".join(f"images.{name} IS DISTINCT FROM flares.{name}" for name in CLASSES)
    joined = f"images JOIN flares ON flares.flare_id = images.flare_id AND ({differs})"
    with archive.write_lock():
        stale = IMAGES.to_rows(archive.query(select("images.*", joined, " ORDER BY images.image_id")))
        if not stale:
            return 0
        ids = sorted({str(image.flare_id) for image in stale})
        where = " WHERE flare_id IN (SELECT unnest(?))"
        flares = {row.flare_id: row for row in FLARES.to_rows(archive.query(select("*", "flares", where), [ids]))}
        changed = [replace(image, **classes_of(flares[str(image.flare_id)])) for image in stale]
        _keep_in_records(archive, changed)
        archive.upsert(IMAGES.name, changed)
    archive.build_read_model()
    return len(changed)


def _keep_in_records(archive: Archive, images: list[Image]) -> None:
    """Replace the rows of images in the records beside them."""
    newer = {image.image_id: image for image in images}
    folders = {(archive.root / image.file).parent for image in images}
    for folder in sorted(folders):
        record = read_record(folder)
        if record is not None:
            write_record(folder, record.run, [newer.get(image.image_id, image) for image in record.images])
