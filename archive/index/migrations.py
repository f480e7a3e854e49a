"""Migrations of the index: each has a name and is applied once, in order.

``index/schema.json`` lists the names that were applied. Code that finds a name it does not know is older than the index
and refuses it; code that knows more names brings the index up to date when it opens the archive for writing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import atomic_path, remove_file, write_text
from archive.errors import IndexVersion
from archive.index.old_chi2 import converted_value
from archive.index.schema import FLARES, IMAGES, RUNS, SPECTRA, TABLES, AnyTable
from archive.layout import PARTITIONS


@dataclass(frozen=True)
class Migration:
    """One step: a name, and a function that changes the index folder. A killed step is repeated from its start."""

    name: str
    apply: Callable[[Path], None]


def _first_layout(index: Path) -> None:
    """One Parquet file per table and month: what `archive.index.write` writes into an empty folder."""


def _numbers_to_publish(index: Path) -> None:
    """Add the empty columns of verdicts, calibration and windows; convert χ² to χ² per degree of freedom."""
    for table in TABLES.values():
        for path in sorted((index / table.name).glob(PARTITIONS)):
            rows = pq.read_table(path, partitioning=None)
            if (rows.schema.metadata or {}).get(_CHI2) == _PER_DEGREE:
                continue  # done before the step was interrupted
            rows = _with_all_columns(table, rows)
            if table.name == IMAGES.name:
                chi2 = pa.array(_chi2_per_degree(index, path, rows), pa.float64())
                rows = rows.set_column(rows.column_names.index("chi2"), "chi2", chi2)
            rows = rows.replace_schema_metadata({_CHI2: _PER_DEGREE})
            with atomic_path(path) as temporary:
                pq.write_table(rows, temporary, compression="zstd")


def _located_flares(index: Path) -> None:
    """Add the empty columns of positions and classes of flares and of the coarse flare locator."""
    _add_columns(index, FLARES, RUNS, IMAGES)


def _spectra(index: Path) -> None:
    """Add the empty columns of the spectra of flares. The table of spectra begins without rows."""
    _add_columns(index, FLARES)


def _region_spectra(index: Path) -> None:
    """The table of region spectra begins without rows."""


def _second_temperatures(index: Path) -> None:
    """Add the empty columns of the second temperature of spectra. The next previews make new fits."""
    _add_columns(index, SPECTRA)


def _add_columns(index: Path, *tables: AnyTable) -> None:
    """Add the columns that the files of some tables lack, with empty values."""
    for table in tables:
        for path in sorted((index / table.name).glob(PARTITIONS)):
            rows = pq.read_table(path, partitioning=None)
            if set(table.arrow.names) - set(rows.column_names):
                with atomic_path(path) as temporary:
                    pq.write_table(_with_all_columns(table, rows), temporary, compression="zstd")


def _with_all_columns(table: AnyTable, rows: pa.Table) -> pa.Table:
    """Rows with empty values in the columns that they lack."""
    for name in [name for name in table.arrow.names if name not in rows.column_names]:
        rows = rows.append_column(name, pa.nulls(rows.num_rows, table.arrow.field(name).type))
    return rows


_CHI2, _PER_DEGREE = b"chi2", b"per degree of freedom"


def _chi2_per_degree(index: Path, path: Path, images: pa.Table) -> list[float | None]:
    runs = index / RUNS.name / path.name  # a run is in the month of its images
    recipes: dict[str, str | None] = {}
    if runs.is_file():
        of_month = pq.read_table(runs, columns=["run_id", "recipe"], partitioning=None)
        recipes = dict(zip(of_month["run_id"].to_pylist(), of_month["recipe"].to_pylist(), strict=True))
    columns = (images[name].to_pylist() for name in ("chi2", "method", "recipe_id", "file"))
    return [
        converted_value(chi2, method, recipes.get(recipe_id), index.parent / file)
        for chi2, method, recipe_id, file in zip(*columns, strict=True)
    ]


MIGRATIONS = (
    Migration("2026-11 first layout", _first_layout),
    Migration("2026-11 numbers to publish", _numbers_to_publish),
    Migration("2026-11 located flares", _located_flares),
    Migration("2026-11 spectra", _spectra),
    Migration("2026-11 region spectra", _region_spectra),
    Migration("2026-11 second temperatures", _second_temperatures),
)


def pending(index: Path, migrations: Sequence[Migration] = MIGRATIONS) -> list[Migration]:
    """Steps that have not been applied yet.

    Raises
    ------
    IndexVersion
        When the index was written by newer code.
    """
    done = _applied(index)
    unknown = [name for name in done if name not in {step.name for step in migrations}]
    if unknown:
        message = (
            f"{index} was written by newer software (it knows {unknown[0]!r}): update this installation to read it"
        )
        raise IndexVersion(message)
    return [step for step in migrations if step.name not in done]


def migrate(index: Path, migrations: Sequence[Migration] = MIGRATIONS) -> list[str]:
    """Apply pending steps, under the write lock; returns their names.

    Raises
    ------
    IndexVersion
        When the index was written by newer code.
    """
    steps = pending(index, migrations)
    for step in steps:
        remove_file(index / "read" / "current.json")  # the read model shows the old layout
        step.apply(index)
        write_text(_record(index), json.dumps({"applied": [*_applied(index), step.name]}, indent=1) + "\n")
    return [step.name for step in steps]


def _record(index: Path) -> Path:
    return index / "schema.json"


def _applied(index: Path) -> list[str]:
    if not _record(index).is_file():
        return []
    try:
        return [str(name) for name in json.loads(_record(index).read_text())["applied"]]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{_record(index)} must list the applied migrations, and cannot be understood: {error}"
        raise IndexVersion(message) from error
