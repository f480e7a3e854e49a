"""Data for the scripts of a spectrum: its record, and URLs of its files and of its input files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archive.errors import NotInArchive
from archive.index.schema import Spectrum
from archive.index.spectrum_records import SpectrumRecord, read_spectrum_record
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE
from archive.scripts.sources import InputFile, input_file, is_shipped, periods_in_force
from archive.store import Archive


@dataclass(frozen=True)
class SpectrumSource:
    """A spectrum with everything its scripts need.

    Attributes
    ----------
    row : Spectrum
        Its row in the index.
    document : mapping
        Counts, response and fit as JSON values, from its record.
    spectrum, response : InputFile
        The pair of files for OSPEX, under names of their own.
    recipe : mapping
        The recipe as plain values (`stixcore.spectrum_recipe.SpectrumRecipe.to_dict`).
    inputs : tuple of InputFile
        Level-1, auxiliary and calibration files of the recipe.
    energy_table : str
        Name of the file of an energy table of the archive; empty for a table of the software.
    in_force : tuple of (str, str or None)
        Start and end of each period of validity of that table; None if the end is not known.
    """

    row: Spectrum
    document: Mapping[str, Any]
    spectrum: InputFile
    response: InputFile
    recipe: Mapping[str, Any]
    inputs: tuple[InputFile, ...]
    energy_table: str = ""
    in_force: tuple[tuple[str, str | None], ...] = ()

    @property
    def fit(self) -> Mapping[str, Any]:
        """The fit of the record.

        Raises
        ------
        NotInArchive
            If the spectrum has no fit.
        """
        fit = self.document.get("fit")
        if not fit:
            reason = self.row.no_fit or "counts and response only"
            message = f"spectrum {self.row.spectrum_id!r} has no fit: {reason}"
            raise NotInArchive(message)
        return dict(fit)


def read_spectrum_source(archive: Archive, row: Spectrum, server: str) -> SpectrumSource:
    """Collect the data for the scripts of a spectrum.

    Parameters
    ----------
    archive : Archive
    row : Spectrum
        Row of the spectrum; the caller has checked permissions.
    server : str
        URL of the server of this archive, without a trailing slash.

    Raises
    ------
    NotInArchive
        If the folder of the spectrum has no valid record.
    """
    record = read_spectrum_record(archive.path_of(row.folder))
    if record is None:
        message = f"spectrum {row.spectrum_id!r} has no valid record in {row.folder}"
        raise NotInArchive(message)
    source = spectrum_source(replace(record, row=row), server)
    if not source.energy_table:
        return source
    table = source.recipe["calibration"]["energy_table"]["name"]
    return replace(source, in_force=periods_in_force(archive, table))


def spectrum_source(record: SpectrumRecord, server: str) -> SpectrumSource:
    """Source of a spectrum from its record."""
    row, recipe = record.row, json.loads(record.row.recipe)

    def own(name: str) -> InputFile:
        stem, _, ending = name.rpartition(".")
        address = f"{server}/archive/spectrum/{row.spectrum_id}/{name}"
        return InputFile(f"{stem}_{row.spectrum_id}.{ending}", row.uid, record.sha256.get(name, ""), (address,))

    def file(reference: Mapping[str, str], kind: str) -> InputFile:
        return input_file(reference, kind, server, simulated=row.simulated)

    used = recipe["calibration"]
    table = "" if is_shipped(used["energy_table"]) else f"{used['energy_table']['name']}.csv"
    inputs = [file(recipe["science"], "science")]
    if recipe["background"]:
        inputs.append(file(recipe["background"], "science"))
    inputs += [file(reference, "aux") for reference in recipe["aspect"]]
    if table:
        inputs.append(file({"name": table, "uid": "", "sha256": used["energy_table"]["sha256"]}, "calibration"))
    if used["cal_file"]:
        inputs.append(file(used["cal_file"], "calibration"))
    return SpectrumSource(
        row, record.document, own(SPECTRUM_FILE), own(RESPONSE_FILE), recipe, tuple(inputs), energy_table=table
    )
