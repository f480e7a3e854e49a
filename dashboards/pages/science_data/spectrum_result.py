"""The result of a fit: its description, the command that repeats it, and its files as one ZIP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from dashboards.pages.science_data.file_state import TimeEnergySelection
from dashboards.pages.science_data.limited_threads import LimitedThreads
from dashboards.pages.science_data.spectrum_form import SpectrumForm
from dashboards.shared.limits import WebLimits
from jobs.spectra.command import spectrum_command
from jobs.spectra.products import describe_spectrum, save_spectrum
from stixcore.measure_spectrum import MeasuredSpectrum, SpectrumRequest, measure_spectrum
from stixcore.spectra.models.thermal import built_in_table

#: Fits of all sessions, which delay neither pages nor previews.
THREADS = LimitedThreads(
    "fit",
    running=WebLimits().fits,
    waiting=WebLimits().fits_waiting,
    refusal="the server is busy with other fits; try again in a moment",
)
JSON_NAME, COMMAND_NAME = "spectrum.json", "command.txt"


@dataclass(frozen=True, eq=False)
class SpectrumResult:
    """A measured spectrum, in memory.

    Attributes
    ----------
    request : SpectrumRequest
        As the form asked; that of the recipe is resolved.
    measured : MeasuredSpectrum
    document : dict
        From `jobs.spectra.products.describe_spectrum`, without files.
    background : str
        Name of the background file; empty for none.
    command : str
        For a shell in the folder of the files.
    needs : tuple of str
        Calibration files that the command finds only in an archive that has them.
    """

    request: SpectrumRequest
    measured: MeasuredSpectrum
    document: dict[str, Any]
    background: str
    command: str
    needs: tuple[str, ...]

    def answers(self, request: SpectrumRequest | None, background: Path | None) -> bool:
        """Whether it is the result of this request with this background."""
        return self.request == request and self.background == ("" if background is None else background.name)

    @property
    def file_name(self) -> str:
        """Name of the ZIP."""
        start = str(self.measured.spectrum.t_start.astype("datetime64[s]")).replace("-", "").replace(":", "")
        return f"stx_spectrum_{self.measured.spectrum.request_id or 'own'}_{start}.zip"

    def archive(self, created: np.datetime64) -> BytesIO:
        """ZIP of the files for OSPEX and XSPEC, the description as JSON, and the command; nothing stays on disk.

        Parameters
        ----------
        created : datetime64
            Creation time in the headers.
        """
        content = BytesIO()
        with TemporaryDirectory(prefix="stix-spectrum-") as folder, ZipFile(content, "w", ZIP_DEFLATED) as archive:
            files = save_spectrum(self.measured, Path(folder), created)
            for path in dict.fromkeys(files.values()):
                archive.write(path, path.name)
            document = self.document | {"files": {key: path.name for key, path in files.items()}}
            archive.writestr(JSON_NAME, json.dumps(document, allow_nan=False, indent=1))
            archive.writestr(COMMAND_NAME, f"{self.command}\n")
        content.seek(0)
        return content


def fit_box(form: SpectrumForm, box: TimeEnergySelection) -> SpectrumResult:
    """Measure and fit the spectrum of a box.

    Raises
    ------
    StixError, OSError
        If a field is invalid, or the spectrum cannot be measured or fitted.
    """
    request = form.request(box)
    background, _ = form.background_path(box)
    aspect, catalog, table = form.aspect_paths(box), form.calibration, form.table
    measured = measure_spectrum(request, form.view.path, background, aspect, catalog=catalog, table=table)
    name = "" if background is None else background.name
    return SpectrumResult(
        request=request,
        measured=measured,
        document=describe_spectrum(measured, {}),
        background=name,
        command=spectrum_command(request, form.name_of, name or None, [path.name for path in aspect]),
        needs=_needs(measured),
    )


def _needs(measured: MeasuredSpectrum) -> tuple[str, ...]:
    """Names of the calibration files of the archive that the numbers depend on."""
    needs = [measured.spectrum.cal_file] if measured.spectrum.cal_file else []
    table = "" if measured.fit is None else measured.fit.thermal_table
    if table and table != built_in_table().label:
        needs.append(table)
    return tuple(needs)
