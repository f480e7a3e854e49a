"""Files → recipe → images. `prepare_recipe` decides pointing and location; `reconstruct` runs any recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np

from stixcore.background_check import (
    BackgroundCheck,
    QuietLevel,
    check_background,
    quiet_level,
    require_apart,
    require_part,
)
from stixcore.calibration.catalog import SHIPPED, Calibration, CalibrationCatalog
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.calibration.pointing import assumed_pointing, pointing_at
from stixcore.coordinates import SOLAR_RADIUS, Pointing, hpc_to_stix
from stixcore.errors import CalibrationError, InvalidProduct, ReconstructionError, SelectionError
from stixcore.fits.products import PixelData, ProductHeader
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.fits.windows import AskedWindow
from stixcore.imaging.ensemble import Ensemble, perturbed_ensemble
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import FULL_DISK_FIELD, SIDELOBE_DISTANCE, FlareLocation, locate_flare
from stixcore.imaging.methods import ImagingInput, run_method
from stixcore.imaging.position_error import PositionError, position_error
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.threads import single_threaded
from stixcore.imaging.trust import Finding, assess
from stixcore.instrument.geometry import LOCATION_LABELS, PixelSet, detector_indices
from stixcore.options import ImageRequest, ShiftBins, default_methods
from stixcore.recipe import FileReference, Location, Recipe, sha256_of
from stixcore.times import format_time, parse_time
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels, sum_pixels, summed_pixel_set
from stixcore.visibility.visibilities import Visibilities

#: Energy band of the full-disk search for the flare, keV, independent of the band of the image.
LOCATION_ENERGY = (6.0, 10.0)
ATTENUATED_LOCATION_END = 25.0
#: The circle fit is limited to this distance from the full-disk peak, arcsec (the ground software's box).
CIRCLE_REACH = 100.0
ARCSEC_PER_RADIAN = 180.0 * 3600.0 / np.pi


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

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of `stixcore.imaging.trust.assess` about the set; computed once."""
        with single_threaded():  # the same numbers in every process
            return assess(self)


def reference_to(path: Path, uid: str = "") -> FileReference:
    """Name, uid and SHA-256 of a file on disk."""
    return FileReference(path.name, uid, sha256_of(path))


def apparent_radius(pointing: Pointing, header: ProductHeader) -> float:
    """Apparent solar radius [arcsec] from the pointing record, else from the science header.

    Raises
    ------
    CalibrationError
        When neither has a value.
    """
    if np.isfinite(pointing.rsun):
        return pointing.rsun
    if "RSUN_ARC" in header.ephemeris:
        return float(header.ephemeris["RSUN_ARC"])
    if "DSUN_OBS" in header.ephemeris:
        return float(np.arcsin(SOLAR_RADIUS / float(header.ephemeris["DSUN_OBS"])) * ARCSEC_PER_RADIAN)
    message = f"{header.name}: neither an auxiliary file nor the header gives the apparent solar radius"
    raise CalibrationError(message)


def find_pointing(
    science: PixelData, aspect: Sequence[Path], start: np.datetime64, end: np.datetime64
) -> tuple[Pointing, tuple[Path, ...]]:
    """Pointing during a window and the auxiliary files it came from; the assumed pointing where they have none."""
    if aspect:
        try:
            return pointing_at([read_aspect(path) for path in aspect], start, end), tuple(aspect)
        except CalibrationError:  # no record near the window: the assumed pointing is flagged by its source
            pass
    rsun = apparent_radius(assumed_pointing(), science.header)
    return assumed_pointing(rsun), ()


def location_energy(science: PixelData, times: slice, energy: tuple[float, float]) -> tuple[float, float]:
    """Energy band of the full-disk search: 6-10 keV where the file covers it, else the band of the image.

    With the attenuator in, few photons below 10 keV arrive, so the band extends upward, to 25 keV at most.
    """
    low, high = LOCATION_ENERGY
    if science.rcr[times].any():
        high = max(high, float(science.e_high[science.e_high <= ATTENUATED_LOCATION_END].max(initial=high)))
    covered = science.e_low[0] <= low and science.e_high[-1] >= high
    return (low, high) if covered else energy


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
    if background is None and request.background_range is not None:
        message = f"{science.name}: a part of a background file (background_range) is asked for, but no background file"
        raise SelectionError(message)
    data = read_pixel_data(science)
    shift = request.shift_bins is ShiftBins.AUTO and data.can_shift_bins
    quiet = None
    if background is not None:
        quiet, part = read_background(background, request.background_range, shift=shift)
        if part is not None:
            require_part(part, background.name)
    summed = summed_pixel_set(data)
    if summed is not None and request.pixel_set is PixelSet.TOP_BOT:  # the default; the file has only this pixel set
        request = replace(request, pixel_set=summed)
    data = shifted(data, shift=shift)
    # refuse a range outside the file before anything is computed
    times = chosen_bins(data, request)
    if quiet is not None:
        require_apart(data, times, quiet)
    _ = data.energy_channels(*request.energy)
    pointing, sources = (
        (request.pointing, ()) if request.pointing else find_pointing(data, aspect, request.start, request.end)
    )
    band = location_energy(data, times, request.energy)
    calibration = calibration_at(data, times, catalog)
    if request.location is None:
        with single_threaded():
            location, _ = find_location(data, quiet, request, band, pointing, calibration)
    else:
        location = Location(float(request.location[0]), float(request.location[1]), "given")
    return Recipe(
        science=reference_to(science, data.header.request_id),
        background=None if background is None or quiet is None else reference_to(background, quiet.header.request_id),
        aspect=tuple(reference_to(path) for path in sources),
        pointing=pointing,
        time_range=(format_time(request.start), format_time(request.end)),
        energy_range=(float(request.energy[0]), float(request.energy[1])),
        location=location,
        location_energy=band,
        methods=dict(request.methods or default_methods()),
        subcollimators=request.subcollimators,
        pixel_set=request.pixel_set,
        amplitude_scheme=request.amplitude_scheme,
        edge_correction=request.edge_correction,
        shape=request.shape,
        pixel=float(request.pixel),
        calibration=calibration.reference,
        window_rule=request.window_rule,
        shift_bins=shift,
        background_range=None
        if background is None or request.background_range is None
        else (format_time(request.background_range[0]), format_time(request.background_range[1])),
    )


def calibration_at(data: PixelData, times: slice, catalog: CalibrationCatalog) -> Calibration:
    """Calibration for consecutive time bins: the energy table in force at the first bin, and the nearest CAL file."""
    return catalog.choose(data.t_start[times][0], data.t_end[times][-1])


def shifted(data: PixelData, *, shift: bool) -> PixelData:
    """Pixel data with counts moved to their correct time bins if ``shift`` is set and the file allows it."""
    return data.with_shifted_bins() if shift and data.can_shift_bins else data


def read_background(
    path: Path, part: tuple[np.datetime64, np.datetime64] | None, *, shift: bool = False
) -> tuple[PixelData, AskedWindow | None]:
    """Read a background file, or its bins whose centres lie in a time range; also return that range and its bins.

    Late counts are moved to their correct time bins where those of the science file are.

    Raises
    ------
    InvalidProduct, SelectionError
        When the file cannot be read or has no bins in the range.
    """
    data = shifted(read_pixel_data(path), shift=shift)
    return (data, None) if part is None else (data.part(data.time_bins(*part)), data.asked(*part))


def chosen_bins(data: PixelData, request: ImageRequest) -> slice:
    """Time bins of a request.

    Raises
    ------
    SelectionError
        When the file has no such bins, or the exposure differs from that of an exact request.
    """
    times = data.time_bins(request.start, request.end, request.window_rule)
    if request.exact:
        asked = data.asked(request.start, request.end, request.window_rule)
        if asked.differs:
            message = f"{data.header.name}: the time range is not one of whole bins: {asked}"
            raise SelectionError(message)
    return times


def find_location(
    data: PixelData,
    quiet: PixelData | None,
    request: ImageRequest,
    band: tuple[float, float],
    pointing: Pointing,
    calibration: Calibration,
) -> tuple[Location, FlareLocation]:
    """Brightest point of the full disk, refined by a circle fitted to all chosen sub-collimators around it.

    Returns
    -------
    Location, FlareLocation
        The refined position, and the full-disk search with its other candidates.
    """
    pixels = select_pixels(data, quiet, request, request.start, request.end, band, calibration)
    rough = search_full_disk(pixels, request.amplitude_scheme, pointing, apparent_radius(pointing, data.header))
    x, y = hpc_to_stix(rough.x, rough.y, pointing)
    vis = form_visibilities(
        pixels, request.subcollimators, flare_xy=(float(x), float(y)), scheme=request.amplitude_scheme
    ).to_helioprojective(pointing, rough.x, rough.y)
    grid = ImageGrid((1, 1), request.pixel, (rough.x, rough.y))  # the fit needs a centre, not an image
    try:
        (circle,) = forward_fit(vis, grid, ForwardFitParameters(("circle",), position_limit=CIRCLE_REACH)).sources
    except ReconstructionError:  # too few visibilities for a fit
        return _rounded(rough.x, rough.y, str(Method.FULL_DISK_BP)), rough
    if max(abs(circle["x"] - rough.x), abs(circle["y"] - rough.y)) > 0.99 * CIRCLE_REACH:
        # no source where the full disk has its peak
        return _rounded(rough.x, rough.y, str(Method.FULL_DISK_BP)), rough
    return _rounded(circle["x"], circle["y"], f"{Method.FULL_DISK_BP}+{Method.VIS_FWDFIT}"), rough


def _rounded(x: float, y: float, found_by: str) -> Location:
    """Location rounded to 0.001″, so that it does not depend on the machine's linear algebra library."""
    return Location(round(float(x), 3), round(float(y), 3), found_by)


def select_pixels(
    data: PixelData,
    quiet: PixelData | None,
    choice: ImageRequest | Recipe,
    start: np.datetime64,
    end: np.datetime64,
    band: tuple[float, float],
    calibration: Calibration,
) -> MetaPixels:
    """A, B, C, D sums of a time and energy range, with the options of a request or recipe."""
    return sum_pixels(
        data,
        start,
        end,
        *band,
        background=quiet,
        pixel_set=choice.pixel_set,
        edge_correction=choice.edge_correction,
        calibration=calibration,
        window_rule=choice.window_rule,
    )


def search_full_disk(pixels: MetaPixels, scheme: AmplitudeScheme, pointing: Pointing, rsun: float) -> FlareLocation:
    """Full-disk map of the coarse sub-collimators, and the candidates in it."""
    # The position is not known yet, so the on-axis transmission is used.
    return locate_flare(form_visibilities(pixels, LOCATION_LABELS, scheme=scheme), pointing, rsun)


def reconstruct(
    recipe: Recipe,
    locate: Callable[[FileReference], Path],
    *,
    progress: Callable[[Method, int, int], None] | None = None,
    ensemble: int = 0,
    seed: int = 0,
    catalog: CalibrationCatalog = SHIPPED,
) -> ImageSet:
    """Make the images of a recipe.

    Parameters
    ----------
    recipe : Recipe
    locate : callable
        Returns the path of a file that the recipe names.
    progress : callable, optional
        Called before each method with its name, its number (from 0) and the number of methods.
    ensemble : int
        Simulated copies of the data per method, for uncertainty maps; 0 for none. It does not change the images.
    seed : int
        Seed of the simulated noise.
    catalog : CalibrationCatalog
        Contains the energy table that the recipe names; CAL files may also come from ``locate``.

    Raises
    ------
    InvalidProduct
        When the contents of a file differ from those the recipe was made for.
    SelectionError, CalibrationError, ReconstructionError
        When none of the images can be made from the data.
    """
    with single_threaded():
        return _reconstruct(recipe, locate, progress, ensemble, seed, catalog)


def _reconstruct(
    recipe: Recipe,
    locate: Callable[[FileReference], Path],
    progress: Callable[[Method, int, int], None] | None,
    ensemble: int,
    seed: int,
    catalog: CalibrationCatalog,
) -> ImageSet:
    begin = perf_counter()
    science = read_pixel_data(_verified(recipe.science, locate))
    if recipe.shift_bins:
        science = science.with_shifted_bins()
    quiet, background_asked = None, None
    if recipe.background is not None:
        part = recipe.background_range
        used = None if part is None else (parse_time(part[0]), parse_time(part[1]))
        quiet, background_asked = read_background(_verified(recipe.background, locate), used, shift=recipe.shift_bins)
    calibration = catalog.referenced(recipe, locate)
    pixels = select_pixels(science, quiet, recipe, recipe.t_start, recipe.t_end, recipe.energy_range, calibration)
    asked = science.asked(recipe.t_start, recipe.t_end, recipe.window_rule)
    times = science.time_bins(recipe.t_start, recipe.t_end, recipe.window_rule)
    chosen = recipe.energy_range, recipe.subcollimators, recipe.pixel_set, calibration
    quiet_check = None if quiet is None else check_background(science, quiet, times, *chosen)
    level = quiet_level(science, times, *chosen) if quiet is None else None
    center = recipe.location
    x, y = hpc_to_stix(center.x, center.y, recipe.pointing)
    flare_xy = (float(x), float(y))
    vis_stix = form_visibilities(pixels, recipe.subcollimators, flare_xy=flare_xy, scheme=recipe.amplitude_scheme)
    vis = vis_stix.to_helioprojective(recipe.pointing, center.x, center.y)
    given = ImagingInput(
        vis=vis,
        pixels=pixels,
        grid=recipe.grid,
        operator=FourierOperator(vis.u, vis.v, recipe.grid),
        pointing=recipe.pointing,
        flare_xy=flare_xy,
        scheme=recipe.amplitude_scheme,
    )
    location = _full_disk(recipe, science, quiet, calibration)
    rows = _rows(recipe, science, quiet, calibration, flare_xy)
    position = position_error(
        vis,
        rows,
        (recipe.pointing.sigma, recipe.pointing.sigma),
        scatter=_scatter(recipe.pointing),
        rivals=() if location is None else _other_peaks(location, recipe),
    )
    images: dict[Method, Reconstruction] = {}
    failures: dict[Method, str] = {}
    ensembles: dict[Method, Ensemble] = {}
    methods = [method for method in Method if method in recipe.methods]
    for number, method in enumerate(methods):
        if progress is not None:
            progress(method, number, len(methods))
        try:
            if method is not Method.FULL_DISK_BP:
                images[method] = run_method(method, recipe.methods[method], given)
                if ensemble:
                    ensembles[method] = perturbed_ensemble(
                        method, recipe.methods[method], given, ensemble, seed, image=images[method]
                    )
            elif location is not None:
                images[method] = location.full_disk
        except ReconstructionError as error:  # continue with the other methods
            failures[method] = str(error)
    if failures and not images:
        message = "; ".join(f"{method}: {reason}" for method, reason in failures.items())
        raise ReconstructionError(message)
    elapsed = perf_counter() - begin
    return ImageSet(
        recipe,
        pixels,
        vis,
        images,
        failures,
        location,
        flare_xy,
        asked,
        elapsed,
        ensembles,
        calibration,
        quiet_check,
        position,
        background_asked,
        level,
    )


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


def _rows(
    recipe: Recipe,
    science: PixelData,
    quiet: PixelData | None,
    calibration: Calibration,
    flare_xy: tuple[float, float],
) -> tuple[Visibilities, Visibilities] | None:
    """Visibilities from the top row and from the bottom row of pixels; None unless both rows are selected."""
    if recipe.pixel_set is not PixelSet.TOP_BOT:
        return None
    try:
        top, bottom = (
            form_visibilities(
                select_pixels(
                    science,
                    quiet,
                    replace(recipe, pixel_set=row),
                    recipe.t_start,
                    recipe.t_end,
                    recipe.energy_range,
                    calibration,
                ),
                recipe.subcollimators,
                flare_xy=flare_xy,
                scheme=recipe.amplitude_scheme,
            ).to_helioprojective(recipe.pointing, recipe.location.x, recipe.location.y)
            for row in (PixelSet.TOP, PixelSet.BOT)
        )
    except (SelectionError, CalibrationError):  # a row without usable pixels
        return None
    return top, bottom


def _full_disk(
    recipe: Recipe, science: PixelData, quiet: PixelData | None, calibration: Calibration
) -> FlareLocation | None:
    """Full-disk search in this recipe's window; None when the coarse sub-collimators or their band are missing."""
    try:
        pixels = select_pixels(
            science, quiet, recipe, recipe.t_start, recipe.t_end, recipe.location_energy, calibration
        )
        rsun = apparent_radius(recipe.pointing, science.header)
        return search_full_disk(pixels, recipe.amplitude_scheme, recipe.pointing, rsun)
    except (SelectionError, CalibrationError):
        if Method.FULL_DISK_BP in recipe.methods:
            raise
        return None


def _verified(reference: FileReference, locate: Callable[[FileReference], Path]) -> Path:
    path = locate(reference)
    found = sha256_of(path)
    if found != reference.sha256:
        raise InvalidProduct(path, f"SHA-256 {reference.sha256} (as in the recipe)", found)
    return path
