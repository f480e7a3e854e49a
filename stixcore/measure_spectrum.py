"""From files to a fitted spectrum: counts, the response at the location of the flare, and the fit.

The command line, previews and pages all get their spectra from here; the steps themselves are in `stixcore.spectra`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stixcore.background_check import require_apart, require_part
from stixcore.calibration.catalog import SHIPPED, Calibration, CalibrationCatalog
from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import CalibrationError, ReconstructionError, SelectionError
from stixcore.fits.products import AspectTable, PixelData, Spectrogram
from stixcore.fits.read import open_product, read_aspect, read_header, read_pixel_data, read_spectrogram
from stixcore.fits.spec import ProductKind
from stixcore.flare_response import distance_to_sun, flare_response, heliocentric_angle
from stixcore.imaging.threads import single_threaded
from stixcore.options import ImageRequest, ShiftBins
from stixcore.prepare import LOCATION_ENERGY, background_part, find_pointing, prepare
from stixcore.recipe import Location
from stixcore.references import FileReference, TableReference, reference_to, verified
from stixcore.spectra.counts import CountSpectrum, count_spectrum
from stixcore.spectra.fit.energy_range import choose_range
from stixcore.spectra.fit.recipe import AUTO, CANDIDATES, THERMAL, fit_spectrum
from stixcore.spectra.fit.result import SpectrumFit
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.fit.verdict import no_background
from stixcore.spectra.models.thermal import ThermalTable, built_in_table
from stixcore.spectra.response import Response
from stixcore.spectrum_recipe import NO_MODEL, SPECTRUM_REVISION, SpectrumRecipe, SpectrumRequest

__all__ = [
    "NO_MODEL",
    "MeasuredSpectrum",
    "SpectrumRequest",
    "measure_recipe",
    "measure_spectrum",
    "read_science",
    "thermal_reference",
]

#: Options of a fit that leave everything to the software, so that a failure is not due to them.
_AUTOMATIC: Mapping[str, Any] = {
    "model": AUTO,
    "energy": None,
    "fixed": {},
    "start_values": {},
    "statistic": str(Statistic.CHI2),
    "angle": None,
}


@dataclass(frozen=True, eq=False)
class MeasuredSpectrum:
    """A count spectrum with its response and its fit.

    Attributes
    ----------
    recipe : SpectrumRecipe
        With the request and the location of the flare.
    spectrum : CountSpectrum
    response : Response
    fit : SpectrumFit or None
    no_fit : str
        Why there is no fit; empty if there is one, or none was asked for.
    pointing : Pointing
    distance : float, AU
        From the spacecraft to the Sun.
    simulated : bool
        Whether the data are simulated.
    """

    recipe: SpectrumRecipe
    spectrum: CountSpectrum
    response: Response
    fit: SpectrumFit | None
    no_fit: str
    pointing: Pointing
    distance: float
    simulated: bool

    @property
    def request(self) -> SpectrumRequest:
        """What was measured, and how."""
        return self.recipe.request

    @property
    def location(self) -> Location | None:
        """Of the flare; None where it is unknown."""
        return self.recipe.location

    @property
    def doubts(self) -> tuple[str, ...]:
        """What may be wrong with counts and response, one sentence each; those of the fit are its own."""
        if self.location is not None:
            return self.spectrum.doubts
        return (*self.spectrum.doubts, f"the response is for a flare at Sun centre: {self.recipe.no_location}")


def measure_spectrum(
    request: SpectrumRequest,
    science: Path,
    background: Path | None = None,
    aspect: Sequence[Path] = (),
    *,
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
) -> MeasuredSpectrum:
    """Measure and fit the spectrum of a time range.

    Parameters
    ----------
    request : SpectrumRequest
    science : Path
        L1 pixel data or spectrogram.
    background : Path, optional
        L1 pixel data of a quiet time.
    aspect : sequence of paths
        Auxiliary files around the time range; may be empty.
    catalog : CalibrationCatalog
        Energy tables and CAL files to choose from.
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.

    Raises
    ------
    InvalidProduct
        When a file is damaged, or not of the kind of its argument.
    SelectionError, CalibrationError
        When the files do not allow the selection, or an option is wrong.
    """
    data = read_science(science)
    quiet = None if background is None else _background_of(read_pixel_data(background), request)
    pointing = find_pointing(data.header, [read_aspect(path) for path in aspect], request.start, request.end)
    location, no_location = _find_location(request, data, quiet, pointing, catalog)
    calibration = catalog.choose(*_span(data, request))
    recipe = SpectrumRecipe(
        science=reference_to(science, data.header.request_id),
        background=None if background is None or quiet is None else reference_to(background, quiet.header.request_id),
        aspect=() if pointing.source is PointingSource.ASSUMED else tuple(reference_to(path) for path in aspect),
        calibration=calibration.reference,
        thermal=thermal_reference(request.model, table),
        request=request,
        location=location,
        no_location=no_location,
    )
    return _measure(recipe, data, quiet, pointing, calibration, table)


def measure_recipe(
    recipe: SpectrumRecipe,
    locate: Callable[[FileReference], Path],
    catalog: CalibrationCatalog = SHIPPED,
    table: ThermalTable | None = None,
) -> MeasuredSpectrum:
    """Measure and fit the spectrum of a recipe: the same numbers in every process.

    Parameters
    ----------
    recipe : SpectrumRecipe
    locate : callable
        Path of a file of the recipe.
    catalog : CalibrationCatalog
        Energy tables and CAL files.
    table : ThermalTable, optional
        Thermal emission instead of the built-in table.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError, CalibrationError
        When the files do not allow the selection, an option is wrong, or this software has another revision or other
        tables than the recipe.
    """
    recipe.require_revision(SPECTRUM_REVISION)
    thermal = thermal_reference(recipe.request.model, table)
    if recipe.thermal != thermal:
        wanted, found = (
            ("none" if one is None else f"{one.name} {one.sha256[:16]}") for one in (recipe.thermal, thermal)
        )
        message = f"the recipe needs the thermal table {wanted}, this installation has {found}"
        raise CalibrationError(message)
    request = recipe.request
    data = _science_of(verified(recipe.science, locate), recipe.science.sha256)
    quiet = None
    if recipe.background is not None:
        quiet = _background_of(_quiet_of(verified(recipe.background, locate), recipe.background.sha256), request)
    aspect = [_aspect_of(verified(reference, locate), reference.sha256) for reference in recipe.aspect]
    pointing = find_pointing(data.header, aspect, request.start, request.end)
    return _measure(recipe, data, quiet, pointing, catalog.referenced(recipe, locate), table)


def thermal_reference(model: str, table: ThermalTable | None) -> TableReference | None:
    """The thermal table for a recipe; the built-in one for None. A request without a model needs none."""
    return None if model == NO_MODEL else (table or built_in_table()).reference


def _measure(
    recipe: SpectrumRecipe,
    data: PixelData | Spectrogram,
    quiet: PixelData | None,
    pointing: Pointing,
    calibration: Calibration,
    table: ThermalTable | None,
) -> MeasuredSpectrum:
    """Counts, response and fit of open files."""
    request, location = recipe.request, recipe.location
    spectrum = count_spectrum(
        data,
        quiet,
        request.start,
        request.end,
        detectors=request.detectors,
        pixels=request.pixels,
        calibration=calibration,
    )
    if quiet is not None:
        require_apart(data.header.name, spectrum.t_start, spectrum.t_end, quiet)
    place = (0.0, 0.0) if location is None else (location.x, location.y)
    response = flare_response(spectrum, place, pointing, scheme=request.scheme, tailing=request.tailing)
    distance = distance_to_sun(pointing, data.header)
    with single_threaded():  # the same numbers in every process
        fit, no_fit = fit_or_reason(
            request, spectrum, response, distance, albedo_angle(request, location, distance), table
        )
    if fit is not None and quiet is None and fit.model != THERMAL:
        fit = replace(fit, doubts=(*fit.doubts, no_background()))
    return MeasuredSpectrum(
        recipe=recipe,
        spectrum=spectrum,
        response=response,
        fit=fit,
        no_fit=no_fit,
        pointing=pointing,
        distance=distance,
        simulated=data.header.simulated,
    )


def read_science(path: Path) -> PixelData | Spectrogram:
    """Read pixel data, with counts in their correct time bins, or a spectrogram.

    Raises
    ------
    InvalidProduct
        When the file is neither.
    """
    with open_product(path) as product:
        if read_header(product).kind is ProductKind.SPECTROGRAM:
            return read_spectrogram(product)
        data = read_pixel_data(product)
    return data.with_shifted_bins() if data.can_shift_bins else data


#: Many spectra have the same files, one after the other, which are then read once; of a background of at most this many
#: bins the counts are kept in memory as well (0.4 MB each).
_KEPT_BINS = 100


@lru_cache(maxsize=1)
def _science_of(path: Path, _sha256: str) -> PixelData | Spectrogram:
    """A science file with verified contents."""
    return read_science(path)


@lru_cache(maxsize=4)
def _aspect_of(path: Path, _sha256: str) -> AspectTable:
    """An auxiliary file with verified contents."""
    return read_aspect(path)


@lru_cache(maxsize=2)
def _quiet_of(path: Path, _sha256: str) -> PixelData:
    """A background file with verified contents."""
    data = read_pixel_data(path)
    return replace(data, loader=lru_cache(maxsize=1)(data.loader)) if data.t_start.size <= _KEPT_BINS else data


def _background_of(whole: PixelData, request: SpectrumRequest) -> PixelData:
    """The background, or the part of it that is wanted."""
    data, asked = background_part(whole, request.background_range, shift=whole.can_shift_bins)
    if asked is not None:
        require_part(asked, whole.header.name)
    return data


def _find_location(
    request: SpectrumRequest,
    data: PixelData | Spectrogram,
    background: PixelData | None,
    pointing: Pointing,
    catalog: CalibrationCatalog,
) -> tuple[Location | None, str]:
    """The flare's location, or why it is unknown."""
    if request.location is not None:
        return Location.given(*request.location), ""
    if isinstance(data, Spectrogram):
        return None, "a spectrogram has no image, and no location was given"
    image = ImageRequest(start=request.start, end=request.end, energy=LOCATION_ENERGY, shift_bins=ShiftBins.OFF)
    try:
        with single_threaded():
            location, _ = prepare(image, data, background, pointing, catalog).find_location()
    except (SelectionError, CalibrationError, ReconstructionError) as error:
        return None, f"it was not found ({error})"
    return location, ""


def albedo_angle(request: SpectrumRequest, location: Location | None, distance: float) -> float | None:
    """Heliocentric angle of the flare, degree; None where it is unknown or reflection is not wanted."""
    if not request.albedo:
        return None
    if request.angle is not None or location is None:
        return request.angle
    return heliocentric_angle((location.x, location.y), distance)


def fit_or_reason(
    request: SpectrumRequest,
    spectrum: CountSpectrum,
    response: Response,
    distance: float,
    angle: float | None,
    table: ThermalTable | None,
    usable: NDArray[np.bool_] | None = None,
    candidates: Sequence[str] = CANDIDATES,
) -> tuple[SpectrumFit | None, str]:
    """The fit of a request, or why there is none; for ``usable`` and ``candidates`` see `fit_spectrum`."""
    if request.model == NO_MODEL:
        return None, ""
    if request.energy is None or usable is not None:
        try:
            choose_range(spectrum, response, request.energy, usable)
        except SelectionError as error:
            return None, str(error)
    try:
        fit = fit_spectrum(
            spectrum,
            response,
            distance=distance,
            model=request.model,
            candidates=candidates,
            energy=request.energy,
            angle=angle,
            statistic=request.statistic,
            fixed=request.fixed,
            start=request.start_values,
            table=table,
            usable=usable,
        )
    except SelectionError as error:
        if request != replace(request, **_AUTOMATIC):
            raise  # an option is wrong
        return None, str(error)
    return fit, ""


def _span(data: PixelData | Spectrogram, request: SpectrumRequest) -> tuple[np.datetime64, np.datetime64]:
    """The part of the request that the file covers, for the choice of calibration."""
    return max(request.start, data.header.date_beg), min(request.end, data.header.date_end)
