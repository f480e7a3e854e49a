"""The form for spectra of regions: window, method, regions with their models, and what it asks to measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import param

from archive import ScienceFile
from archive.chianti import thermal_table
from dashboards.pages.science_data.file_state import FileView, TimeEnergySelection
from dashboards.pages.science_data.imaging_form import ImagingForm
from dashboards.pages.science_data.spectrum_form import MODELS
from dashboards.shared.region_entries import RegionEntry
from dashboards.shared.source import ArchiveSource
from dashboards.shared.typed_numbers import TypedInteger, TypedNumber
from jobs.queue.region_requests import RegionsRequest
from jobs.queue.requests import AUTO
from jobs.queue.spectrum_requests import SpectrumOptions
from jobs.regions.task import RegionChoice
from stixcore.errors import SelectionError
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.imaging.methods import MethodParameters
from stixcore.imaging.reconstruction import Method
from stixcore.imaging_spectroscopy.recipe_pair import ENERGY, LEAST_COUNTS
from stixcore.imaging_spectroscopy.region_recipe import COPIES, MOST_REGIONS, REGION_METHODS
from stixcore.measure_spectrum import NO_MODEL, SpectrumRequest
from stixcore.options import ImageRequest
from stixcore.spectra.models.thermal import ThermalTable
from stixcore.spectra.regions import Region

#: Models of regions; one without a model has counts only.
REGION_MODELS = tuple(model for model in MODELS if model != NO_MODEL)


class RegionForm(ImagingForm):
    """Options selected by a visitor; time range and energies are those of the box selected in the `FileView`.

    Parameters
    ----------
    view : FileView
        View of pixel data.
    source : ArchiveSource
    file : ScienceFile or None
        Its row in the index; None for a file of the visitor's own.
    """

    entries = param.Parameter(default=(), doc="Regions, as RegionEntry")
    method: param.Selector[Any] = param.Selector(default=Method.CLEAN, objects=list(REGION_METHODS))
    model: param.Selector[Any] = param.Selector(default=AUTO, objects=list(REGION_MODELS), doc="Model of all regions")
    ensemble = TypedInteger(default=COPIES, bounds=(2, MAX_MEMBERS), step=10, doc="Simulated copies, for the errors")
    least = TypedNumber(default=LEAST_COUNTS, bounds=(10.0, 1e7), step=500.0, doc="Counts that a channel needs")
    level = TypedNumber(default=50.0, bounds=(5.0, 95.0), step=5.0, doc="Level of new contours, % of the maximum")

    #: Parameters that change the image.
    image_options: tuple[str, ...] = (*ImagingForm.seen_at_once, "method", "least")
    #: Parameters that change what is measured, but not the image.
    measured: tuple[str, ...] = ("entries", "model", "ensemble")

    def __init__(self, view: FileView, source: ArchiveSource, file: ScienceFile | None, **params: Any) -> None:
        super().__init__(view, source, file, **{"error_bars": True, **params})

    @property
    def table(self) -> ThermalTable | None:
        """Thermal emission from the files of the archive; None for the built-in table."""
        return thermal_table(self._source.archive().root)

    def first_box(self) -> TimeEnergySelection:
        """Default selection: a minute at the peak, at the usual energies."""
        box = self.view.peak_minute()
        return self.view.snap(box.start, box.end, *ENERGY)

    # Regions ---------------------------------------------------------------------------------------------------------

    def add(self, *entries: RegionEntry) -> None:
        """Add regions.

        Raises
        ------
        SelectionError
            When there would be too many.
        """
        if len(self.entries) + len(entries) > MOST_REGIONS:
            message = f"at most {MOST_REGIONS} regions; delete one first"
            raise SelectionError(message)
        self.entries = (*self.entries, *entries)

    def change(self, number: int, **changes: str) -> None:
        """Change name, numbers or model of the region with this place in the list."""
        self.entries = tuple(
            replace(entry, **changes) if place == number else entry for place, entry in enumerate(self.entries)
        )

    def remove(self, number: int) -> None:
        """Remove the region with this place in the list."""
        self.entries = tuple(entry for place, entry in enumerate(self.entries) if place != number)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions.

        Raises
        ------
        SelectionError
            When one is invalid.
        """
        return tuple(entry.region() for entry in self.entries)

    @property
    def models(self) -> Mapping[str, str]:
        """Models by name of region, where they differ from that of all."""
        return {entry.name: entry.model for entry in self.entries if entry.model and entry.model != self.model}

    # Requests --------------------------------------------------------------------------------------------------------

    def image_request(self, box: TimeEnergySelection) -> ImageRequest:
        """The images of the channels."""
        return replace(self._instant_request(box), methods=self.method_parameters())

    def spectrum_request(self, box: TimeEnergySelection) -> SpectrumRequest:
        """The spectrum of the whole flare."""
        return SpectrumRequest(start=box.start, end=box.end, model=self.model, location=self._given_place())

    def choice(self, box: TimeEnergySelection) -> RegionChoice:
        """What is measured.

        Raises
        ------
        StixError
            If an option or a region is invalid.
        """
        return RegionChoice(
            image=self.image_request(box),
            regions=self.regions,
            spectrum=self.spectrum_request(box),
            models=dict(self.models),
            least_counts=float(self.least),
        )

    def filed_request(self, box: TimeEnergySelection) -> RegionsRequest:
        """The same measurement as a request that files it.

        Raises
        ------
        StixError
            If an option or a region is invalid.
        """
        return RegionsRequest(
            imaging=self.request(box),
            regions=self.regions,
            spectrum=SpectrumOptions(model=self.model),
            models=dict(self.models),
            least_counts=float(self.least),
        )

    def method_parameters(self) -> dict[Method, MethodParameters]:
        """The method with its parameters."""
        return {self.method: super().method_parameters()[self.method]}
