"""Checks of the calibration: energy and CHIANTI tables are unchanged, the list of daily CAL files matches the files.

The calibration catalogue reads only the lists.
"""

from __future__ import annotations

from archive.calibration import (
    CAL_LIST,
    FOLDER,
    INDEX,
    SUMS,
    calibration_catalog,
    list_of_cal_files,
    listed_cal_files,
    read_regular,
    record_sums,
    recorded_sums,
    sha256_of_bytes,
    write_cal_list,
)
from archive.checks.findings import Code
from archive.checks.inspection import Inspection
from archive.chianti import CHIANTI_FOLDER, chianti_files, require_unchanged, thermal_table
from stixcore.errors import CalibrationError, InvalidProduct


def check_energy_tables(inspection: Inspection) -> None:
    """Compare the archive's energy tables, and the list of tables, with the SHA-256 recorded when they were added."""
    folder = inspection.root / FOLDER
    with inspection.writers_out():
        catalog = calibration_catalog(inspection.root)
        damaged = [(f"{FOLDER}/{name}.csv", text) for name, text in catalog.faults.tables]
        if catalog.faults.validity:
            damaged.append((f"{FOLDER}/{INDEX}", catalog.faults.validity))
        for file, text in damaged:
            inspection.found(Code.CALIBRATION_DAMAGED, "", file, text)
        if damaged or not (folder / INDEX).is_file():
            return
        recorded = recorded_sums(folder)
        sums = {f"{table.name}.csv": {table.sha256} for table in catalog.added}
        sums[INDEX] = {sha256_of_bytes(read_regular(folder / INDEX))}
        unrecorded = sorted(set(sums) - set(recorded))
        if unrecorded:
            text = f"no SHA-256 of {', '.join(unrecorded)} is recorded in {FOLDER}/{SUMS}"
            file = f"{FOLDER}/{unrecorded[0]}"
            inspection.found(Code.CALIBRATION_UNRECORDED, "", file, text, repaired=inspection.repair)
            if inspection.repair:
                record_sums(folder, sums)


def check_chianti(inspection: Inspection) -> None:
    """Compare the CHIANTI tables with the SHA-256 recorded when they were added; a deep check reads them."""
    with inspection.writers_out():
        try:
            require_unchanged(inspection.root, chianti_files(inspection.root))
            if inspection.deep:
                thermal_table(inspection.root)
        except (CalibrationError, InvalidProduct) as error:
            inspection.found(Code.CALIBRATION_DAMAGED, "", CHIANTI_FOLDER, str(error))


def check_cal_list(inspection: Inspection) -> None:
    """Compare ``calibration/cal_files.json`` with the usable files of ``calibration/cal``.

    Only a deep check reads the files; otherwise the list is compared with the file names.
    """
    file = f"{FOLDER}/{CAL_LIST}"
    with inspection.writers_out():
        listed = listed_cal_files(inspection.root)
        if listed is not None and not inspection.deep and all(one.path.is_file() for one in listed):
            return
        try:
            right = list_of_cal_files(inspection.root)
        except CalibrationError as error:
            inspection.found(Code.CAL_LIST_STALE, "", file, f"the CAL files cannot be listed: {error}")
            return
        if listed is not None and sorted(listed, key=lambda one: one.name) == list(right):
            return
        text = f"{file} does not match the {len(right)} usable files of its folder"
        inspection.found(Code.CAL_LIST_STALE, "", file, text, repaired=inspection.repair)
        if inspection.repair:
            write_cal_list(inspection.root, right)
