"""State of the page for the spectra of the open science file."""

from __future__ import annotations

from typing import Any

import param

from archive import NotInArchive, SpectrumFilter
from dashboards.shared.access import Visitor
from dashboards.shared.address import AddressState
from dashboards.shared.source import ArchiveSource, Unavailable
from dashboards.shared.stored_spectra import StoredSpectra, load_spectra


class FileSpectraState(AddressState):
    """Base of the state of a page with an open science file: its spectra, and the one that is drawn."""

    spectrum = param.String("", doc="Id of the spectrum of the file that is drawn; empty for none")
    spectra = param.ClassSelector(class_=StoredSpectra, default=StoredSpectra(), doc="Spectra of the opened file")

    source: ArchiveSource
    visitor: Visitor

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._file_name = ""
        self.param.watch(lambda _: self.load_spectra(self._file_name), "spectrum")

    def load_spectra(self, file_name: str) -> None:
        """Load the spectra of a file, and read the chosen one; none if the name is empty, or they cannot be read."""
        self._file_name, wanted, visitor = file_name, self.spectrum, self.visitor
        if not file_name:
            self.spectra = StoredSpectra()
            return
        which = SpectrumFilter(science_name=file_name)
        try:
            self.spectra = self.source.ask(lambda archive: load_spectra(archive, which, visitor, wanted))
        except (NotInArchive, Unavailable):  # the rest of the page says so
            self.spectra = StoredSpectra()
