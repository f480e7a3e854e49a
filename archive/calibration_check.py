"""The list of daily CAL files against the files: the catalogue chooses from the list alone."""

from __future__ import annotations

from archive.calibration import CAL_LIST, FOLDER, list_of_cal_files, listed_cal_files, write_cal_list
from archive.findings import Code
from archive.inspection import Inspection
from stixcore.errors import CalibrationError


def check_cal_list(inspection: Inspection) -> None:
    """Compare ``calibration/cal_files.json`` with the files of ``calibration/cal`` that can be used.

    Files are read in a deep check alone; otherwise the list is compared with the names of the files.
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
        text = f"{file} does not list the {len(right)} usable files of its folder as they are"
        inspection.found(Code.CAL_LIST_STALE, "", file, text, repaired=inspection.repair)
        if inspection.repair:
            write_cal_list(inspection.root, right)
