"""Files → recipe → images. `prepare_recipe` decides pointing and location; `reconstruct` runs any recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np

from stixcore import notebook
from stixcore.background_check import (
    BackgroundCheck,
    QuietLevel,
    check_background,
    quiet_level,
)
from stixcore.calibration.catalog import SHIPPED, Calibration, CalibrationCatalog
from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import CalibrationError, ReconstructionError, SelectionError
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.fits.windows import AskedWindow
from stixcore.imaging.coarse_locator import CoarseLocation
from stixcore.imaging.declaration import StoredParameters
from stixcore.imaging.ensemble import Ensemble, perturbed_ensemble
from stixcore.imaging.location import FULL_DISK_FIELD, SIDELOBE_DISTANCE, FlareLocation
from stixcore.imaging.methods import ImagingInput, default_methods, missing_package, run_method
from stixcore.imaging.position_error import PositionError, position_error
from stixcore.imaging.reconstruction import Method, Reconstruction, method_name
from stixcore.imaging.registry import display_name, place_in_order
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import Finding, assess
from stixcore.instrument.geometry import PixelSet, detector_indices
from stixcore.options import ImageRequest
from stixcore.prepare import PreparedData, background_part, find_pointing, prepare
from stixcore.recipe import FileReference, Location, Recipe
from stixcore.references import reference_to, verified
from stixcore.times import format_time, parse_time
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The images of one recipe and the data they were made from.

    Attributes
    ----------
    recipe : Recipe
    pixels : MetaPixels
    vis : Visibilities
        Helioprojective axes, phase centre = map centre.
    images : mapping of Method to Reconstruction
    failures : mapping of Method to str
        Methods that failed, with the reason.
    location : FlareLocation or None
        Result of the full-disk search in this recipe's window; None when the file lacks the energy band for it.
    map_center_stix : (x, y), arcsec
        Map centre in the STIX frame.
    asked : AskedWindow
        The time range of the recipe and the whole bins that it contains.
    elapsed : float, s
    ensembles : mapping of Method to Ensemble
        Uncertainty maps, where they were requested.
    calibration : Calibration or None
        Calibration used; None for image sets that were not made by `reconstruct`.
    background_check : BackgroundCheck or None
        Comparison of the background with the quietest part of the science file.
    position : PositionError or None
        Error of the flare position in this band; None where no circle can be fitted.
    background_asked : AskedWindow or None
        The requested part of the background file and its whole bins; None where the whole file is used.
    quiet_level : QuietLevel or None
        Background in the window at the level of the file's quietest part; None where a background was subtracted or
        no part of the file is quiet.
    notes : tuple of Finding
        Findings about the choice of the time range and band, in addition to those of the data.
    locator : CoarseLocation or None
        Position from the coarse flare locator, independent of the images.
    no_locator : str
        Why there is none.
    pointings : tuple of Pointing
        Every pointing that the auxiliary files give for the window (`stixcore.pointings.solutions_in_window`), for the
        image files. `reconstruct` does not read these files and leaves it empty.
    """

    recipe: Recipe
    pixels: MetaPixels
    vis: Visibilities
    images: Mapping[Method, Reconstruction]
    failures: Mapping[Method, str]
    location: FlareLocation | None
    map_center_stix: tuple[float, float]
    asked: AskedWindow
    elapsed: float
    ensembles: Mapping[Method, Ensemble] = field(default_factory=dict)
    calibration: Calibration | None = None
    background_check: BackgroundCheck | None = None
    position: PositionError | None = None
    background_asked: AskedWindow | None = None
    quiet_level: QuietLevel | None = None
    notes: tuple[Finding, ...] = ()
    locator: CoarseLocation | None = None
    no_locator: str = ""
    pointings: tuple[Pointing, ...] = ()

    def peek(self) -> None:
        """Show all images in a figure."""
        axes = np.atleast_1d(notebook.new_axes(columns=len(self.images)))
        for one, image in zip(axes, self.images.values(), strict=True):
            image.plot(one)
        notebook.show()

    def _repr_html_(self) -> str:
        pictures = [notebook.picture_html(image.image, display_name(method)) for method, image in self.images.items()]
        failed = [(display_name(method), f"failed: {reason}") for method, reason in self.failures.items()]
        recorded, background = self.counts
        counts = f"{recorded:.0f} recorded, {background:.0f} background"
        return notebook.facts_html("Image set", [("counts", counts), *failed], pictures) + self.recipe._repr_html_()

    @property
    def counts(self) -> tuple[float, float]:
        """Recorded counts and expected background in the sub-collimators used, ct."""
        return self.pixels.totals(detector_indices(self.vis.labels))

    @property
    def location_sigma(self) -> tuple[float | None, float | None]:
        """Standard deviation of the recipe's location, helioprojective x and y, arcsec; None where it is unknown.

        It is known for the position of a fitted circle only: not for a given position, nor for the peak of the
        full-disk map, nor with an assumed pointing.
        """
        if self.position is None or not self.recipe.location.found_by.endswith(str(Method.VIS_FWDFIT)):
            return None, None
        x, y = (value if np.isfinite(value) else None for value in (self.position.sigma_x, self.position.sigma_y))
        return x, y

    @property
    def locator_level(self) -> float | None:
        """Confidence level of the locator's contour through the recipe's location; None without a locator."""
        if self.locator is None:
            return None
        return float(self.locator.level(self.recipe.location.x, self.recipe.location.y))

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of `stixcore.imaging.trust.assess` about the set; computed once."""
        with single_threaded():  # the same numbers in every process
            return (*assess(self), *self.notes)


def prepare_recipe(
    request: ImageRequest,
    science: Path,
    background: Path | None = None,
    aspect: Sequence[Path] = (),
    *,
    catalog: CalibrationCatalog = SHIPPED,
) -> Recipe:
    """Make a recipe from a request: find the pointing in the auxiliary files and the location on the full disk.

    Parameters
    ----------
    request : ImageRequest
    science, background : path
        L1 pixel data.
    aspect : sequence of paths
        Auxiliary files around the window; may be empty.
    catalog : CalibrationCatalog
        Energy tables and CAL files to choose from.

    Raises
    ------
    InvalidProduct, SelectionError, CalibrationError, ReconstructionError
        When no image can be made from the files or the selection.
    """
    data = read_pixel_data(science)
    quiet = None if background is None else read_pixel_data(background)
    pointing: Pointing | None = request.pointing
    sources: tuple[Path, ...] = ()
    if pointing is None:
        pointing = find_pointing(data.header, [read_aspect(path) for path in aspect], request.start, request.end)
        sources = () if pointing.source is PointingSource.ASSUMED else tuple(aspect)
    prepared = prepare(request, data, quiet, pointing, catalog)
    if request.location is None:
        with single_threaded():
            location, _ = prepared.find_location()
    else:
        location = Location.given(*request.location)
    options = prepared.options  # with the pixel set of a file whose pixels were summed on board
    return Recipe(
        science=reference_to(science, data.header.request_id),
        background=None if background is None or quiet is None else reference_to(background, quiet.header.request_id),
        aspect=tuple(reference_to(path) for path in sources),
        pointing=pointing,
        time_range=(format_time(request.start), format_time(request.end)),
        energy_range=(float(request.energy[0]), float(request.energy[1])),
        location=location,
        location_energy=prepared.location_energy,
        methods=dict(request.methods or default_methods()),
        subcollimators=request.subcollimators,
        pixel_set=options.pixel_set,
        amplitude_scheme=request.amplitude_scheme,
        edge_correction=request.edge_correction,
        shape=request.shape,
        pixel=float(request.pixel),
        calibration=prepared.calibration.reference,
        window_rule=request.window_rule,
        shift_bins=prepared.shift,
        background_range=None
        if background is None or request.background_range is None
        else (format_time(request.background_range[0]), format_time(request.background_range[1])),
        ensemble=request.ensemble,
        seed=request.seed if request.ensemble else 0,
    )


def prepare_data(
    recipe: Recipe, locate: Callable[[FileReference], Path], catalog: CalibrationCatalog = SHIPPED
) -> PreparedData:
    """Open and prepare the files of a recipe.

    Parameters
    ----------
    recipe, locate, catalog
        See `reconstruct`.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError, CalibrationError
        When the files do not allow the selection.
    """
    science = read_pixel_data(verified(recipe.science, locate))
    if recipe.shift_bins:
        science = science.with_shifted_bins()
    background, asked = None, None
    if recipe.background is not None:
        part = recipe.background_range
        used = None if part is None else (parse_time(part[0]), parse_time(part[1]))
        whole = read_pixel_data(verified(recipe.background, locate))
        background, asked = background_part(whole, used, shift=recipe.shift_bins)
    return PreparedData(
        science=science,
        background=background,
        options=recipe,
        start=recipe.t_start,
        end=recipe.t_end,
        energy=recipe.energy_range,
        location_energy=recipe.location_energy,
        times=science.time_bins(recipe.t_start, recipe.t_end, recipe.window_rule),
        pointing=recipe.pointing,
        calibration=catalog.referenced(recipe, locate),
        shift=recipe.shift_bins,
        background_asked=asked,
    )


def reconstruct(
    recipe: Recipe,
    locate: Callable[[FileReference], Path],
    *,
    progress: Callable[[Method, int, int], None] | None = None,
    ensemble: int | None = None,
    seed: int = 0,
    catalog: CalibrationCatalog = SHIPPED,
    data: PreparedData | None = None,
) -> ImageSet:
    """Make the images of a recipe.

    Parameters
    ----------
    recipe : Recipe
    locate : callable
        Returns the path of a file that the recipe names.
    progress : callable, optional
        Called before each method with its name, its number (from 0) and the number of methods.
    ensemble : int, optional
        Simulated copies of the data per method, for uncertainty maps; 0 for none. It does not change the images. By
        default number and seed of the recipe are used.
    seed : int
        Seed of the simulated noise, if ``ensemble`` is given.
    catalog : CalibrationCatalog
        Contains the energy table that the recipe names; CAL files may also come from ``locate``.
    data : PreparedData, optional
        The recipe's data, if its files are open already, for instance for many recipes of the same files.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError, CalibrationError, ReconstructionError
        When none of the images can be made from the data.
    """
    with single_threaded():
        begin = perf_counter()
        if ensemble is None:
            ensemble, seed = recipe.ensemble, recipe.seed
        images = _reconstruct(
            recipe, prepare_data(recipe, locate, catalog) if data is None else data, progress, ensemble, seed
        )
        return replace(images, elapsed=perf_counter() - begin)


def _reconstruct(
    recipe: Recipe,
    data: PreparedData,
    progress: Callable[[Method, int, int], None] | None,
    ensemble: int,
    seed: int,
) -> ImageSet:
    asked = data.science.asked(recipe.t_start, recipe.t_end, recipe.window_rule)
    selection = data.energy, recipe.subcollimators, recipe.pixel_set, data.calibration
    quiet_check, level = None, None
    if data.background is not None:
        quiet_check = check_background(data.science, data.background, data.times, *selection)
    else:
        level = quiet_level(data.science, data.times, *selection)
    center = recipe.location
    vis = data.visibilities(data.pixels, center.x, center.y)
    flare_xy = data.flare_xy(center.x, center.y)
    given = data.imaging_input(vis, data.pixels, recipe.grid)
    location = _full_disk(data, required=Method.FULL_DISK_BP in recipe.methods)
    locator, no_locator = _locator(data)
    position = position_error(
        vis,
        _rows(data, center),
        (recipe.pointing.sigma, recipe.pointing.sigma),
        scatter=_scatter(recipe.pointing),
        rivals=() if location is None else _other_peaks(location, recipe),
    )
    full_disk = None if location is None else location.full_disk
    images, failures, ensembles = run_methods(recipe, given, progress, ensemble, seed, full_disk=full_disk)
    return ImageSet(
        recipe,
        data.pixels,
        vis,
        images,
        failures,
        location,
        flare_xy,
        asked,
        0.0,
        ensembles,
        data.calibration,
        quiet_check,
        position,
        data.background_asked,
        level,
        locator=locator,
        no_locator=no_locator,
    )


def run_methods(
    recipe: Recipe,
    given: ImagingInput,
    progress: Callable[[Method, int, int], None] | None = None,
    ensemble: int = 0,
    seed: int = 0,
    *,
    full_disk: Reconstruction | None = None,
) -> tuple[dict[Method, Reconstruction], dict[Method, str], dict[Method, Ensemble]]:
    """Run all methods of a recipe on the same input; a method that fails does not stop the others.

    Parameters
    ----------
    recipe : Recipe
    given : ImagingInput
    progress, ensemble, seed
        See `reconstruct`.
    full_disk : Reconstruction, optional
        The full-disk map, which is made of other pixels.

    Returns
    -------
    images, failures, ensembles
        As in `ImageSet`.

    Raises
    ------
    ReconstructionError
        When every method failed.
    """
    images: dict[Method, Reconstruction] = {}
    failures: dict[Method, str] = {}
    ensembles: dict[Method, Ensemble] = {}
    methods = sorted(recipe.methods, key=place_in_order)
    for number, method in enumerate(methods):
        if progress is not None:
            progress(method, number, len(methods))
        try:
            if isinstance(recipe.methods[method], StoredParameters):
                raise ReconstructionError(missing_package(method, recipe.packages[method]))  # noqa: TRY301 - a failure
            if method is not Method.FULL_DISK_BP:
                images[method] = run_method(method, recipe.methods[method], given)
                if ensemble:
                    ensembles[method] = perturbed_ensemble(
                        method, recipe.methods[method], given, ensemble, seed, image=images[method]
                    )
            elif full_disk is not None:
                images[method] = full_disk
        except ReconstructionError as error:  # continue with the other methods
            failures[method] = str(error)
    if failures and not images:
        message = "; ".join(f"{method_name(method)}: {reason}" for method, reason in failures.items())
        raise ReconstructionError(message)
    return images, failures, ensembles


def _scatter(pointing: Pointing) -> float:
    """Scatter of the pointing in the window on each axis, whatever the roll, arcsec; 0 where it is unknown."""
    return float(np.hypot(pointing.rms_x or 0.0, pointing.rms_y or 0.0) / np.sqrt(2.0))


def _other_peaks(location: FlareLocation, recipe: Recipe) -> list[tuple[float, float]]:
    """Other peaks of the full-disk map on or near the disk, relative to the map's center, arcsec."""
    reach = recipe.pointing.rsun * FULL_DISK_FIELD / 2.0  # NaN, so that all peaks count, where the radius is unknown
    center = np.array([recipe.location.x, recipe.location.y])
    return [
        (one.x - center[0], one.y - center[1])
        for one in location.candidates
        if not np.hypot(one.x, one.y) >= reach and np.hypot(*(np.array([one.x, one.y]) - center)) > SIDELOBE_DISTANCE
    ]


def _rows(data: PreparedData, center: Location) -> tuple[Visibilities, Visibilities] | None:
    """Visibilities from the top row and from the bottom row of pixels; None unless both rows are selected."""
    if data.options.pixel_set is not PixelSet.TOP_BOT:
        return None
    try:
        top, bottom = (
            data.visibilities(data.sum_pixels(data.energy, row), center.x, center.y)
            for row in (PixelSet.TOP, PixelSet.BOT)
        )
    except (SelectionError, CalibrationError):  # a row without usable pixels
        return None
    return top, bottom


def _full_disk(data: PreparedData, *, required: bool) -> FlareLocation | None:
    """Full-disk search; None when the coarse sub-collimators or their band are missing and it is not required."""
    try:
        return data.search_full_disk()
    except (SelectionError, CalibrationError):
        if required:
            raise
        return None


def _locator(data: PreparedData) -> tuple[CoarseLocation | None, str]:
    """Position from the coarse flare locator, or the reason why there is none."""
    try:
        return data.locate_coarsely(), ""
    except (SelectionError, CalibrationError, ReconstructionError) as error:
        return None, str(error)
