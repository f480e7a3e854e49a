"""A published archive with a million images, read over HTTP: ``python -m benchmarks.published FOLDER SITE``.

``FOLDER`` is the archive of `benchmarks.load.images`; ``SITE`` is where it is published, without pages. A static
server on loopback serves it. Each query has a reader without cached blocks, and then the same reader again.
The report counts requests and bytes at the reader.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from archive import Archive, ImageFilter
from archive.published.archive import PublishedArchive
from archive.publishing.files import Contents
from archive.publishing.publish import Choice, publish
from benchmarks.load import images
from benchmarks.range_server import serving

REPEATS = 3
_MONTH = "SELECT method, count(*) FROM images WHERE t_start >= '2023-05-01' AND t_start < '2023-06-01' GROUP BY method"
_WHOLE = "SELECT method, avg(chi2), max(total_flux) FROM images GROUP BY method"

type Query = Callable[[PublishedArchive], Any]


def queries(archive: Archive) -> dict[str, Query]:
    """What is measured, by name; flare and image are three years old."""
    (image,) = archive.images(limit=1, offset=600_000)
    return {
        "newest 50 images": lambda site: site.images(limit=50),
        "images of one flare": lambda site: site.images(ImageFilter(flare_id=image.flare_id)),
        "one image by its id": lambda site: site.image(image.image_id),
        "images of a month, by method": lambda site: site.query(_MONTH),
        "number of trusted images (all rows)": lambda site: site.count_images(ImageFilter(trusted=True)),
        "means and maxima by method (all rows)": lambda site: site.query(_WHOLE),
    }


def measure(address: str, query: Query) -> tuple[int, float, float, float]:
    """Requests, megabytes, and seconds of a first and of a second query, without opening the archive."""
    first, second, requests, received = [], [], 0, 0
    for _ in range(REPEATS):
        site = PublishedArchive(address)
        before = site.transport.requests, site.transport.received
        first.append(_seconds(query, site))
        requests = site.transport.requests - before[0]
        received = site.transport.received - before[1]
        second.append(_seconds(query, site))
        site.close()
    return requests, received / 1e6, median(first), median(second)


def _seconds(query: Query, site: PublishedArchive) -> float:
    begin = perf_counter()
    query(site)
    return perf_counter() - begin


def report(archive: Archive, folder: Path) -> str:
    """Publish, measure, and write the table."""
    size = sum(path.stat().st_size for path in (folder / "index").rglob("*.parquet")) / 1e6
    lines = [
        f"{archive.count_images():,} public images; tables of {size:.0f} MB.",
        "",
        "| query | requests | received [MB] | first [s] | again [s] |",
        "| --- | --- | --- | --- | --- |",
    ]
    with serving(folder) as served:
        for name, query in queries(archive).items():
            requests, megabytes, first, second = measure(served.address, query)
            lines.append(f"| {name} | {requests} | {megabytes:.1f} | {first:.2f} | {second:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Build, publish, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("site", type=Path)
    arguments = parser.parse_args()
    archive = images.build(arguments.folder)
    publish(archive, arguments.site, images.NOW, Choice(contents=Contents(), pages=False))
    print(report(archive, arguments.site.resolve()))


if __name__ == "__main__":
    main()
