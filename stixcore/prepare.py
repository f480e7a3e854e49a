"""Prepared data: the selected bins of open files with background, calibration, pointing and bands.

Recipes, images and instant images all get their counts and visibilities from here, so that the instant image shows
what the recipe will give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from stixcore.background_check import require_apart, require_part
from stixcore.calibration.catalog import SHIPPED, Calibration, CalibrationCatalog
from stixcore.calibration.pointing import assumed_pointing, pointing_at
from stixcore.coordinates import SOLAR_RADIUS, Pointing, hpc_to_stix
from stixcore.errors import CalibrationError, ReconstructionError, SelectionError
from stixcore.fits.products import AspectTable, PixelData, ProductHeader
from stixcore.fits.windows import AskedWindow
from stixcore.imaging.coarse_locator import CoarseLocation, locate_coarsely, locator_counts
from stixcore.imaging.forward_fit import ForwardFitParameters, forward_fit
from stixcore.imaging.fourier import FourierOperator
from stixcore.imaging.grid import ImageGrid
from stixcore.imaging.location import FlareLocation, locate_flare
from stixcore.imaging.methods import ImagingInput
from stixcore.imaging.reconstruction import Method
from stixcore.instrument.geometry import FLARE_LOCATOR, LOCATION_LABELS, PixelSet
from stixcore.options import ImageRequest, ShiftBins
from stixcore.recipe import Location, Recipe
from stixcore.visibility.form import form_visibilities
from stixcore.visibility.pixels import MetaPixels, sum_pixels, summed_pixel_set
from stixcore.visibility.visibilities import Visibilities

#: Energy band of the full-disk search for the flare, keV, independent of the band of the image.
LOCATION_ENERGY = (6.0, 10.0)
ATTENUATED_LOCATION_END = 25.0
#: With the attenuator out, the band of the coarse flare locator begins here, keV: this gives it a third more counts.
LOCATOR_START = 4.0
#: The circle fit is limited to this distance from the full-disk peak, arcsec (the ground software's box).
CIRCLE_REACH = 100.0
ARCSEC_PER_RADIAN = 180.0 * 3600.0 / np.pi
#: Apparent solar radius that a header may have, arcsec: 2 AU and 0.1 AU from the Sun. Solar Orbiter is at 0.28-1.02 AU.
SMALLEST_RADIUS, LARGEST_RADIUS = 479.0, 9_600.0


@dataclass(frozen=True, eq=False)
class PreparedData:
    """Open files, and everything needed to form visibilities from them.

    Attributes
    ----------
    science : PixelData
        With counts in their correct time bins, if the options ask for that.
    background : PixelData or None
        The same, limited to the background range of the options.
    options : ImageRequest or Recipe
        Sub-collimators, pixels, amplitude scheme, edge correction and window rule.
    start, end : datetime64
    energy, location_energy : (float, float), keV
        Bands of the image and of the full-disk search.
    times : slice
        Bins of the window.
    pointing : Pointing
    calibration : Calibration
    shift : bool
        Whether late counts were moved to their correct time bins.
    background_asked : AskedWindow or None
        The background range asked for and its bins.
    """

    science: PixelData
    background: PixelData | None
    options: ImageRequest | Recipe
    start: np.datetime64
    end: np.datetime64
    energy: tuple[float, float]
    location_energy: tuple[float, float]
    times: slice
    pointing: Pointing
    calibration: Calibration
    shift: bool = False
    background_asked: AskedWindow | None = None

    @cached_property
    def pixels(self) -> MetaPixels:
        """Sums A, B, C, D of the image."""
        return self.sum_pixels(self.energy)

    @cached_property
    def location_pixels(self) -> MetaPixels:
        """Sums A, B, C, D of the full-disk search."""
        return self.sum_pixels(self.location_energy)

    def sum_pixels(self, energy: tuple[float, float], pixel_set: PixelSet | None = None) -> MetaPixels:
        """Sums A, B, C, D of an energy range; by default in the pixels of the options.

        Raises
        ------
        SelectionError, CalibrationError
            When the files do not allow the selection.
        """
        return sum_pixels(
            self.science,
            self.start,
            self.end,
            *energy,
            background=self.background,
            pixel_set=pixel_set or self.options.pixel_set,
            edge_correction=self.options.edge_correction,
            calibration=self.calibration,
            window_rule=self.options.window_rule,
        )

    def flare_xy(self, x: float, y: float) -> tuple[float, float]:
        """Position of a source in the instrument's coordinates, from a helioprojective one; arcsec."""
        x_stix, y_stix = hpc_to_stix(x, y, self.pointing)
        return float(x_stix), float(y_stix)

    def visibilities(self, pixels: MetaPixels, x: float, y: float) -> Visibilities:
        """Visibilities of all chosen sub-collimators, helioprojective, of a source at (x, y), their phase center."""
        return form_visibilities(
            pixels,
            self.options.subcollimators,
            flare_xy=self.flare_xy(x, y),
            scheme=self.options.amplitude_scheme,
        ).to_helioprojective(self.pointing, x, y)

    def imaging_input(
        self, vis: Visibilities, pixels: MetaPixels, grid: ImageGrid, operator: FourierOperator | None = None
    ) -> ImagingInput:
        """Input of the imaging methods.

        Parameters
        ----------
        vis : Visibilities
            Helioprojective, with the centre of ``grid`` as phase centre.
        pixels : MetaPixels
            The counts that the visibilities come from.
        grid : ImageGrid
        operator : FourierOperator, optional
            Of the same (u, v) points and grid, if it exists already.
        """
        return ImagingInput(
            vis=vis,
            pixels=pixels,
            grid=grid,
            operator=FourierOperator(vis.u, vis.v, grid) if operator is None else operator,
            pointing=self.pointing,
            flare_xy=self.flare_xy(*vis.phase_center),
            scheme=self.options.amplitude_scheme,
        )

    def search_full_disk(self) -> FlareLocation:
        """Full-disk map of the coarse sub-collimators, and the candidates in it.

        Raises
        ------
        SelectionError, CalibrationError
            When the file has no such band or sub-collimators, or the solar radius is unknown.
        """
        # The position is not known yet, so the on-axis transmission is used.
        vis = form_visibilities(self.location_pixels, LOCATION_LABELS, scheme=self.options.amplitude_scheme)
        return locate_flare(vis, self.pointing, apparent_radius(self.pointing, self.science.header))

    def locate_coarsely(self) -> CoarseLocation:
        """Position from the coarse flare locator, in the band of the full-disk search, from 4 keV where possible.

        Raises
        ------
        SelectionError, CalibrationError
            With the reason, when the files allow none.
        """
        pixels = self.location_pixels
        band = pixels.e_low, pixels.e_high
        if pixels.single is not None and not pixels.rcr and band[0] > LOCATOR_START:
            wider = pixels.single.band(LOCATOR_START, band[1])
            if wider is not None and np.isfinite(wider[0][FLARE_LOCATOR, :8]).all():
                band = LOCATOR_START, band[1]
        counts = locator_counts(pixels, band)
        return locate_coarsely(counts, self.pointing, apparent_radius(self.pointing, self.science.header))

    def find_location(self) -> tuple[Location, FlareLocation]:
        """Brightest point of the full disk, refined by a circle fitted to all chosen sub-collimators around it.

        Returns
        -------
        Location, FlareLocation
            The refined position, and the full-disk search with its other candidates.
        """
        rough = self.search_full_disk()
        unrefined = _rounded(rough.x, rough.y, str(Method.FULL_DISK_BP))
        vis = self.visibilities(self.location_pixels, rough.x, rough.y)
        grid = ImageGrid((1, 1), self.options.pixel, (rough.x, rough.y))  # the fit needs a centre, not an image
        try:
            (circle,) = forward_fit(vis, grid, ForwardFitParameters(("circle",), position_limit=CIRCLE_REACH)).sources
        except ReconstructionError:  # too few visibilities for a fit
            return unrefined, rough
        if max(abs(circle["x"] - rough.x), abs(circle["y"] - rough.y)) > 0.99 * CIRCLE_REACH:
            return unrefined, rough  # no source where the full disk has its peak
        return _rounded(circle["x"], circle["y"], f"{Method.FULL_DISK_BP}+{Method.VIS_FWDFIT}"), rough


def prepare(
    request: ImageRequest,
    science: PixelData,
    background: PixelData | None,
    pointing: Pointing,
    catalog: CalibrationCatalog = SHIPPED,
) -> PreparedData:
    """Prepare open files for a request.

    Parameters
    ----------
    request : ImageRequest
    science, background : PixelData
        Whole files.
    pointing : Pointing
    catalog : CalibrationCatalog
        Energy tables and CAL files to choose from.

    Raises
    ------
    SelectionError, CalibrationError
        When the files do not allow the selection.
    """
    if background is None and request.background_range is not None:
        message = (
            f"{science.header.name}: a part of a background file (background_range) is asked for, but no background "
            "file"
        )
        raise SelectionError(message)
    shift = request.shift_bins is ShiftBins.AUTO and science.can_shift_bins
    asked = None
    if background is not None:
        background, asked = background_part(background, request.background_range, shift=shift)
        if asked is not None:
            require_part(asked, background.header.name)
    summed = summed_pixel_set(science)
    if summed is not None and request.pixel_set is PixelSet.TOP_BOT:  # the default; the file has only this pixel set
        request = replace(request, pixel_set=summed)
    science = science.with_shifted_bins() if shift else science
    # refuse a range outside the file before anything is computed
    times = science.time_bins(request.start, request.end, request.window_rule)
    window = science.asked(request.start, request.end, request.window_rule)
    if request.exact and window.differs:
        message = f"{science.header.name}: the time range is not one of whole bins: {window}"
        raise SelectionError(message)
    if background is not None:
        require_apart(science.header.name, science.t_start[times][0], science.t_end[times][-1], background)
    _ = science.energy_channels(*request.energy)
    return PreparedData(
        science,
        background,
        request,
        request.start,
        request.end,
        request.energy,
        location_energy(science, times, request.energy, background),
        times,
        pointing,
        catalog.choose(science.t_start[times][0], science.t_end[times][-1]),
        shift,
        asked,
    )


def background_part(
    data: PixelData, part: tuple[np.datetime64, np.datetime64] | None, *, shift: bool
) -> tuple[PixelData, AskedWindow | None]:
    """Background data, or its bins whose centres lie in a time range; also return that range and its bins.

    Late counts are moved to their correct time bins where those of the science file are.

    Raises
    ------
    SelectionError
        When there are no bins in the range.
    """
    data = data.with_shifted_bins() if shift and data.can_shift_bins else data
    return (data, None) if part is None else (data.part(data.time_bins(*part)), data.asked(*part))


def apparent_radius(pointing: Pointing, header: ProductHeader) -> float:
    """Apparent solar radius [arcsec] from the pointing record, else from the science header.

    Raises
    ------
    CalibrationError
        When neither has a value, or that of the header is impossible.
    """
    if np.isfinite(pointing.rsun):
        return pointing.rsun
    if "RSUN_ARC" in header.ephemeris:
        radius = float(header.ephemeris["RSUN_ARC"])
        if not SMALLEST_RADIUS <= radius <= LARGEST_RADIUS:
            bounds = f"{SMALLEST_RADIUS:g} to {LARGEST_RADIUS:g} arcsec"
            message = f"{header.name}: RSUN_ARC must be {bounds}, found {radius:g}"
            raise CalibrationError(message)
        return radius
    if "DSUN_OBS" in header.ephemeris:
        distance = float(header.ephemeris["DSUN_OBS"])
        nearest, farthest = (SOLAR_RADIUS / np.sin(r / ARCSEC_PER_RADIAN) for r in (LARGEST_RADIUS, SMALLEST_RADIUS))
        if not nearest <= distance <= farthest:
            message = f"{header.name}: DSUN_OBS must be {nearest:.3g} to {farthest:.3g} m, found {distance:g}"
            raise CalibrationError(message)
        return float(np.arcsin(SOLAR_RADIUS / distance) * ARCSEC_PER_RADIAN)
    message = f"{header.name}: neither an auxiliary file nor the header gives the apparent solar radius"
    raise CalibrationError(message)


def find_pointing(
    header: ProductHeader, aspects: Sequence[AspectTable], start: np.datetime64, end: np.datetime64
) -> Pointing:
    """Pointing during a window; the assumed pointing, flagged by its source, where no record is near.

    ``header`` is that of the science file, for the solar radius.

    Raises
    ------
    CalibrationError
        When nothing gives the apparent solar radius.
    """
    if aspects:
        try:
            return pointing_at(aspects, start, end)
        except CalibrationError:  # no record near the window
            pass
    return assumed_pointing(apparent_radius(assumed_pointing(), header))


def location_energy(
    science: PixelData, times: slice, energy: tuple[float, float], background: PixelData | None = None
) -> tuple[float, float]:
    """Energy band of the full-disk search: 6-10 keV where the file covers it, else the band of the image.

    With the attenuator in, few photons below 10 keV arrive, so the band extends upward: to 25 keV, or to the end of the
    background's channels.
    """
    low, high = LOCATION_ENERGY
    if science.rcr[times].any():
        end = ATTENUATED_LOCATION_END if background is None else min(ATTENUATED_LOCATION_END, background.e_high[-1])
        high = max(high, float(science.e_high[science.e_high <= end].max(initial=high)))
    covered = science.e_low[0] <= low and science.e_high[-1] >= high
    return (low, high) if covered else energy


def _rounded(x: float, y: float, found_by: str) -> Location:
    """Location rounded to 0.001″, so that it does not depend on the machine's linear algebra library."""
    return Location(round(float(x), 3), round(float(y), 3), found_by)
