"""The common part of the forms for images and spectra: one open file, its background and its calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import param

from archive import Archive, ScienceFile, ScienceFilter
from dashboards.pages.science_data.file_state import FileView, TimeEnergySelection
from dashboards.pages.science_data.opened_files import opened
from dashboards.shared.source import ArchiveSource
from jobs.inputs import BackgroundChoice, choose_aspect, choose_background
from jobs.queue.requests import AUTO, NONE
from jobs.shared.errors import BadRequest
from stixcore.calibration.catalog import CalibrationCatalog
from stixcore.calibration.pointing import MAX_GAP
from stixcore.fits.products import PixelData
from stixcore.fits.spec import ProductKind


class FileForm(param.Parameterized):
    """A form about one science file.

    Parameters
    ----------
    view : FileView
    source : ArchiveSource
    file : ScienceFile or None
        Its row in the index; None for a file of the visitor's own.
    """

    background = param.String(AUTO, doc="“auto”, “none”, or the name of a file")
    hidden = param.Boolean(default=False, doc="Only the author and operators see what is made")

    def __init__(self, view: FileView, source: ArchiveSource, file: ScienceFile | None, **params: Any) -> None:
        super().__init__(**params)
        self.view, self.file, self._source = view, file, source

    def background_energy(self, box: TimeEnergySelection) -> tuple[float, float]:
        """Energies that the background must cover, keV."""
        return box.low, box.high

    def candidates(self, box: TimeEnergySelection) -> BackgroundChoice:
        """Backgrounds for a box, best first, with reasons, as the worker will choose them."""
        return choose_background(
            self._background_files(), box.start, box.end, self.background_energy(box), self.name_of, self.calibration
        )

    @property
    def calibration(self) -> CalibrationCatalog:
        """Energy tables and CAL files of the archive, as used by the worker."""
        return self._source.ask(lambda archive: archive.calibration)

    def background_path(
        self, box: TimeEnergySelection, choice: BackgroundChoice | None = None
    ) -> tuple[Path | None, str]:
        """File of the background to subtract, and the reason; ``choice`` is the result of `candidates`, if known.

        Raises
        ------
        BadRequest
            If the selected file has no pixel data.
        """
        if self.background == NONE:
            return None, "No background subtraction."
        if self.background == AUTO:
            choice = choice or self.candidates(box)
            if choice.chosen is None:
                return None, f"{choice.reason[0].upper()}{choice.reason[1:]}."
            path = self._source.archive().path_of(choice.chosen.path)
            explanation = f"Background {choice.chosen.uid}: {choice.reason}."
        else:
            row = self._source.ask(lambda archive: archive.science_file(self.background))
            path, explanation = self._source.archive().path_of(row.path), f"Background {row.uid}, as chosen."
        if not isinstance(opened(path), PixelData):
            message = f"{path.name} has no pixel data and cannot be used as background"
            raise BadRequest(message)
        return path, explanation

    @property
    def name_of(self) -> str:
        """Name of the science file."""
        return self.view.path.name

    @property
    def simulated(self) -> bool:
        """Whether the file has simulated data."""
        return self.view.data.header.simulated

    def aspect_paths(self, box: TimeEnergySelection) -> list[Path]:
        """Auxiliary files around a box, nearest first, as used by the worker."""

        def near(archive: Archive) -> list[Path]:
            middle = box.start + (box.end - box.start) // 2
            within = float(MAX_GAP / np.timedelta64(1, "s"))
            rows = archive.aux_for(middle, within_s=within, simulated=self.simulated)
            return [archive.path_of(row.path) for row in choose_aspect(rows, box.start, box.end)]

        return self._source.ask(near)

    def _background_files(self) -> list[ScienceFile]:
        which = ScienceFilter(product=str(ProductKind.PIXEL_DATA), is_background=True, simulated=self.simulated)
        return self._source.ask(lambda archive: archive.science_files(which))
