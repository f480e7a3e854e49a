"""Make ``data/calibration.json.xz`` from a folder of tables published in i4Ds/STIX-CONF.

    python -m stixcore.instrument.makers.calibration FOLDER [OUT]

The folder contains ``elut_index.csv`` and its tables, ``science_echan_index.csv`` and its sets of channels,
``GridCorrection.csv`` and ``PhaseCorrFactors.csv``. The same folder gives the same file, bit for bit. Update `SOURCE`
with the tables.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import sys
from pathlib import Path
from typing import Any

from stixcore.errors import CalibrationError
from stixcore.instrument.calibration_file import FILE_NAME, PHASE_FILES, PHASE_TABLE, SCHEMA
from stixcore.instrument.energy_tables import (
    CHANNELS_NAME,
    Validity,
    parse_energy_table,
    parse_phases,
    parse_science_channels,
    parse_validity,
)

SOURCE = "i4Ds/STIX-CONF, commit fd35ff9 (energy tables, science channels); phase corrections: STIX ground software"


def packed_calibration(folder: Path) -> bytes:
    """Make the contents of the data file.

    Raises
    ------
    CalibrationError
        When a table is damaged.
    FileNotFoundError
        When a table that an index names is missing.
    """
    text = json.dumps(calibration_document(folder), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return lzma.compress(text.encode("ascii"), preset=9)


def calibration_document(folder: Path) -> dict[str, Any]:
    """Contents of the data file as plain JSON values."""
    validity = parse_validity(_text(folder, "elut_index.csv"), "elut_index.csv")
    channel_validity = parse_validity(
        _text(folder, "science_echan_index.csv"), "science_echan_index.csv", CHANNELS_NAME
    )
    grid, ad_hoc = (parse_phases(_text(folder, name), name) for name in PHASE_FILES)
    return {
        "schema": SCHEMA,
        "source": SOURCE,
        "energy_tables": {name: _table(folder, name) for name in sorted({row.name for row in validity})},
        "energy_table_index": [_row(row) for row in validity],
        "science_channels": {
            name: list(parse_science_channels(_text(folder, f"{name}.csv"), f"{name}.csv").edges)
            for name in sorted({row.name for row in channel_validity})
        },
        "science_channel_index": [_row(row) for row in channel_validity],
        "phases": {
            "name": PHASE_TABLE,
            "sha256": hashlib.sha256(b"".join((folder / name).read_bytes() for name in PHASE_FILES)).hexdigest(),
            "grid_deg": grid.tolist(),
            "ad_hoc_deg": ad_hoc.tolist(),
        },
    }


def _table(folder: Path, name: str) -> dict[str, Any]:
    content = (folder / f"{name}.csv").read_bytes()
    table = parse_energy_table(content.decode("utf-8-sig"), f"{name}.csv", hashlib.sha256(content).hexdigest())
    if table.offset is None or table.gain is None or table.adc is None:
        message = f"{name}.csv: holds no offset, gain and ADC edges"
        raise CalibrationError(message)
    return {
        "sha256": table.sha256,
        "nominal_kev": table.nominal.tolist(),
        "offset_adc": table.offset.ravel().tolist(),
        "gain_kev_per_adc": table.gain.ravel().tolist(),
        "edges_adc": table.adc.reshape(-1, table.adc.shape[-1]).tolist(),
    }


def _row(row: Validity) -> list[str | None]:
    return [row.name, str(row.start), None if row.end is None else str(row.end)]


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_text(encoding="utf-8-sig")


def main(folder: Path, out: Path) -> None:
    """Write the data file."""
    out.write_bytes(packed_calibration(folder))


if __name__ == "__main__":
    _default = Path(__file__).parent.parent / "data" / FILE_NAME
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else _default)
