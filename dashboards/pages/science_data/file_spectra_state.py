"""State of the page for the spectra, and spectra of regions, of the open science file."""

from __future__ import annotations

from typing import Any

import param

from archive import Archive, NotInArchive, RegionFilter, SpectrumFilter
from dashboards.shared.access import Visitor
from dashboards.shared.address import AddressState
from dashboards.shared.source import ArchiveSource, Unavailable
from dashboards.shared.stored_regions import StoredRegions, load_regions
from dashboards.shared.stored_spectra import StoredSpectra, load_spectra


class FileSpectraState(AddressState):
    """Base of the state of a page with an open science file: its spectra, and the one that is drawn."""

    spectrum = param.String("", doc="Id of the spectrum of the file that is drawn; empty for none")
    spectra = param.ClassSelector(class_=StoredSpectra, default=StoredSpectra(), doc="Spectra of the opened file")
    filed_regions = param.ClassSelector(class_=StoredRegions, default=StoredRegions(), doc="Its spectra of regions")

    source: ArchiveSource
    visitor: Visitor

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._file_name = ""
        self.param.watch(lambda _: self.load_spectra(self._file_name), "spectrum")

    def reload_spectra(self) -> None:
        """Load the spectra of the open file again."""
        self.load_spectra(self._file_name)

    def load_spectra(self, file_name: str) -> None:
        """Load the spectra of a file, and read the chosen one; none if the name is empty, or they cannot be read."""
        self._file_name, wanted, visitor = file_name, self.spectrum, self.visitor
        if not file_name:
            self.param.update(spectra=StoredSpectra(), filed_regions=StoredRegions())
            return

        def ask(archive: Archive) -> tuple[StoredSpectra, StoredRegions]:
            spectra = load_spectra(archive, SpectrumFilter(science_name=file_name), visitor, wanted)
            return spectra, load_regions(archive, RegionFilter(science_name=file_name), visitor)

        try:
            spectra, regions = self.source.ask(ask)
        except (NotInArchive, Unavailable):  # the rest of the page says so
            spectra, regions = StoredSpectra(), StoredRegions()
        self.param.update(spectra=spectra, filed_regions=regions)
