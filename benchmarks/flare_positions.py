"""Positions in the flare list of 9-11 November 2022 against the list made with the IDL ground software.

The list is imported and previews are made of every file, which takes 20 minutes; name a folder with
``STIX_NOVEMBER_ARCHIVE`` to keep the archive, or to use one that is there. ``python -m benchmarks.flare_positions
--write`` puts the tables into docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from archive import Archive, Flare
from archive.ingest.ingest import ingest
from benchmarks.accuracy_page import PAGE, replace_section
from benchmarks.november_2022 import FOLDER
from benchmarks.timing import print_table
from jobs.flares.lists import import_flares
from jobs.flares.locate import update_flares
from jobs.flares.rows import IMAGING
from jobs.previews.run import make_previews

NOW = np.datetime64("2026-11-30T00:00:00", "us")
LIST = FOLDER / "idl" / "reference_locations.csv"
#: Positions further apart are named in the table of outliers, arcsec.
OUTLIER = 5.0
#: Heading of the section of docs/accuracy.md, and of the section before which it goes.
HEADING, NEXT = "## Positions of flares", "## GOES classes"

type Idl = dict[str, str]


def november_archive(root: Path) -> Archive:
    """Archive with the files and the list; previews and positions are made where they are missing."""
    archive = Archive(root, create=True)
    ingest(archive, [FOLDER / "l1", FOLDER / "aux"], NOW)
    import_flares(archive, LIST, NOW)
    make_previews(archive, NOW)
    update_flares(archive, NOW)
    return archive


def _number(row: Idl, name: str) -> float:
    return float(row[name] or "nan")


def _apart(row: Flare, idl: Idl) -> float:
    return math.hypot(row.hpc_x - _number(idl, "fwdfit_hpc_x"), row.hpc_y - _number(idl, "fwdfit_hpc_y"))  # type: ignore[operator]


def _earth_apart(row: Flare, idl: Idl) -> float:
    return math.hypot(row.earth_x - _number(idl, "earth_hpc_x"), row.earth_y - _number(idl, "earth_hpc_y"))  # type: ignore[operator]


def _degrees_apart(row: Flare, idl: Idl) -> float:
    lon, lat = _number(idl, "hgs_lon"), _number(idl, "hgs_lat")
    east = (row.stonyhurst_lon - lon) * math.cos(math.radians(lat))  # type: ignore[operator]
    return math.hypot(east, row.stonyhurst_lat - lat)  # type: ignore[operator]


_MEASURES: tuple[tuple[str, Callable[[Flare, Idl], float]], ...] = (
    ("from Solar Orbiter [″]", _apart),
    ("from the Earth [″]", _earth_apart),
    ("on the Sun [°]", _degrees_apart),
)


def _summary(what: str, values: Iterable[float]) -> list[object]:
    known = np.array([value for value in values if np.isfinite(value)])
    at = [f"{value:.2f}" for value in np.percentile(known, (50, 90, 100))] if known.size else ["–"] * 3
    return [what, known.size, *at]


def _tables(flares: list[Flare], idl: dict[str, Idl]) -> tuple[list[list[object]], list[list[object]]]:
    """Distances of the imaged positions, and the flares that are further apart than `OUTLIER`."""
    imaged = [row for row in flares if row.location_source == IMAGING and row.flare_id in idl]
    trusted = [row for row in imaged if row.location_verdict == "trusted"]
    table = [
        _summary(f"{what}: {word}", (measure(row, idl[row.flare_id]) for row in rows))
        for what, measure in _MEASURES
        for word, rows in (("all", imaged), ("trusted", trusted))
    ]
    far = [row for row in imaged if _apart(row, idl[row.flare_id]) > OUTLIER]
    outliers: list[list[object]] = [
        [
            row.flare_id,
            f"{_apart(row, idl[row.flare_id]):.0f}",
            f"{row.hpc_sigma or math.nan:.0f}",
            row.location_verdict,
        ]
        for row in far
    ]
    return table, outliers


def run(*, write: bool = False) -> None:
    """Print the tables; with ``write``, also put them into docs/accuracy.md."""
    with tempfile.TemporaryDirectory() as temporary:
        archive = november_archive(Path(os.environ.get("STIX_NOVEMBER_ARCHIVE", temporary)))
        flares = archive.flares()
        archive.close()
    with LIST.open(newline="") as stream:
        idl = {row["flare_id"]: row for row in csv.DictReader(stream)}
    table, outliers = _tables(flares, idl)
    imaged = [row for row in flares if row.location_source == IMAGING]
    trusted = sum(row.location_verdict == "trusted" for row in imaged)
    print_table(f"{len(flares)} flares, {len(imaged)} with images, {trusted} of them trusted", _COLUMNS, table)
    print_table(_OUTLIERS[0], _OUTLIERS, outliers)
    if write:
        numbers = len(flares), len(imaged), trusted
        replace_section(PAGE, section(numbers, table, outliers), NEXT)


_COLUMNS = ["distance from IDL", "flares", "median", "90 %", "largest"]
_OUTLIERS = [f"more than {OUTLIER:.0f}″ apart", "distance [″]", "error [″]", "verdict"]


def section(numbers: tuple[int, int, int], table: list[list[object]], outliers: list[list[object]]) -> str:
    """Section of docs/accuracy.md; ``numbers`` of flares, of those with images and of trusted positions."""
    total, imaged, trusted = numbers
    tables = "\n\n".join(
        "\n".join(f"| {' | '.join(map(str, line))} |" for line in [columns, ["---"] * len(columns), *rows])
        for columns, rows in ((_COLUMNS, table), (_OUTLIERS, outliers))
    )
    return f"""{HEADING}

The flare list of 9-11 November 2022, imported and imaged with the usual previews, against the positions of the IDL
ground software in that list: its forward fit of 6-10 keV seen from Solar Orbiter, its view from the Earth and its
heliographic position ([how a flare gets its position](decisions/flare_positions.md)). Of {total} flares {imaged} have
images, and {trusted} of these positions are trusted. The flare without a place on the Sun in IDL's list is off the
limb. `python -m benchmarks.flare_positions --write` makes these tables.

{tables}

"""


def main() -> None:
    """Print the tables; with ``--write``, also write them to docs/accuracy.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flare_positions")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/accuracy.md")
    run(write=parser.parse_args().write)


if __name__ == "__main__":
    main()
