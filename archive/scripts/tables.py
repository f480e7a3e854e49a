"""Rows of images as CSV and Parquet, for download."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO

from archive.exports import described, parquet_pieces
from archive.index.schema import IMAGES, Image
from archive.index.ucds import UCDS


def images_csv(images: Sequence[Image]) -> str:
    """Rows of the index as CSV with a header line; times are UTC at Solar Orbiter, unknown values empty."""
    stream = StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    names = [column.name for column in IMAGES.columns]
    writer.writerow(names)
    writer.writerows([[_cell(getattr(image, name)) for name in names] for image in images])
    return stream.getvalue()


def images_parquet(images: Sequence[Image]) -> bytes:
    """Rows of the index as Parquet, with its types, units and descriptions; unknown texts are empty."""
    schema = described(IMAGES.arrow, IMAGES.columns, wide=False, ucds=UCDS[IMAGES.name])
    return b"".join(parquet_pieces(schema, [IMAGES.to_arrow(images)]))


def _cell(value: object) -> object:
    """A value that spreadsheets do not interpret as a formula."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return "" if value is None else value
