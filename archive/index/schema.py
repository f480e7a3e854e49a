"""The tables of the index: one frozen dataclass per table, one documented field per column.

Arrow schema, DuckDB tables and the documentation page (`schema_markdown`) are derived from this file. Every new or
changed column needs a step in `archive.index.migrations`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import numpy as np

from archive.errors import BadRow, NotInArchive
from archive.index.columns import Column, Table, TableRow
from archive.index.series import SERIES
from archive.index.sql import select
from archive.layout import METHODS, image_id, version_rank
from stixcore.imaging.declaration import NAME

_UTC = "UTC at Solar Orbiter"
_CLOCK = "UTC"
_SOURCE = "Brightest source: centroid of its area above half the maximum; of a fit, the source with the largest flux"


class RunKind(StrEnum):
    """Origin of a run."""

    AUTO = "auto"
    USER = "user"


class RunStatus(StrEnum):
    """Result of a run."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True)
class ProductFile(TableRow):
    """Columns common to all STIX files."""

    name: Annotated[str, Column("File name")]
    product: Annotated[str, Column("Product: sci-xray-cpd, ql-lightcurve, …; cal-spectra is cal-energy of L1")]
    level: Annotated[str, Column("L1, L1A, L2, ANC, CAL or L3")]
    version: Annotated[str, Column("01, 02, 02U (U: may still change)")]
    superseded_by: Annotated[
        str | None, Column("Name of a newer version of the same observation; empty for the current version")
    ] = None
    sha256: Annotated[str, Column("SHA-256 of the file, hexadecimal")]
    size: Annotated[int, Column("Size of the file", "byte")]
    path: Annotated[str, Column("Path inside the archive")]
    t_start: Annotated[np.datetime64, Column("Start of the first time bin; center of the first aspect record", _UTC)]
    t_end: Annotated[np.datetime64, Column("End of the last time bin; center of the last aspect record", _UTC)]
    simulated: Annotated[bool, Column("Simulated data")] = False
    created: Annotated[np.datetime64 | None, Column("When the file was written, according to its header", _CLOCK)] = (
        None
    )
    ingested_at: Annotated[np.datetime64, Column("When the file was ingested", _CLOCK)]

    @property
    def version_order(self) -> tuple[tuple[int, bool, int], bool, np.datetime64, str]:
        """Sort key for versions of one observation, from old to new: level, version, date of writing."""
        written = self.created if self.created is not None else np.datetime64(0, "us")
        return version_rank(self.level, self.version), self.created is not None, written, self.name


@dataclass(frozen=True, kw_only=True)
class ScienceFile(ProductFile):
    """One file of pixel data or one spectrogram."""

    uid: Annotated[str, Column("Unique id of the science request, ten digits; empty if the file has none")]
    purpose: Annotated[str, Column("Reason for the science request: subject, purpose and comment")]
    is_background: Annotated[
        bool,
        Column("Used as background: by its purpose or, if none is recorded, because it is long, quiet and complete"),
    ]
    duration_s: Annotated[float, Column("Duration from start to end", "s")]
    n_bins: Annotated[int, Column("Number of time bins")]
    bin_min_s: Annotated[float, Column("Shortest time bin", "s")]
    bin_max_s: Annotated[float, Column("Longest time bin", "s")]
    n_channels: Annotated[int, Column("Number of energy channels")]
    e_low: Annotated[float, Column("Lower edge of the lowest channel", "keV")]
    e_high: Annotated[float, Column("Upper edge of the highest channel; infinite if it is open", "keV")]
    n_pixels: Annotated[int | None, Column("Pixels read out per detector, 1 to 12; pixel data only")] = None
    all_detectors: Annotated[bool | None, Column("All 32 detectors in every time bin; pixel data only")] = None
    rcr_min: Annotated[int, Column("Lowest rate-control state; 0: attenuator out")]
    rcr_max: Annotated[int, Column("Highest rate-control state; 1 and more: attenuator in")]
    counts: Annotated[float, Column("Total counts of the file, all detectors, uncorrected", "ct")]
    rate_4_10: Annotated[
        float | None, Column("Mean count rate 4-10 keV, all detectors; empty if these channels are missing", "ct/s")
    ] = None
    dsun_au: Annotated[float | None, Column("Distance of Solar Orbiter from Sun center", "au")] = None
    hgln: Annotated[float | None, Column("Stonyhurst longitude of Solar Orbiter", "deg")] = None
    hglt: Annotated[float | None, Column("Stonyhurst latitude of Solar Orbiter", "deg")] = None


@dataclass(frozen=True, kw_only=True)
class QuicklookFile(ProductFile):
    """One file of quick-look light curves."""

    n_bins: Annotated[int, Column("Number of time bins")]
    cadence_s: Annotated[float, Column("Median length of a time bin", "s")]
    n_bands: Annotated[int, Column("Number of energy bands")]
    e_low: Annotated[float, Column("Lower edge of the lowest band", "keV")]
    e_high: Annotated[float, Column("Upper edge of the highest band; infinite if it is open", "keV")]


@dataclass(frozen=True, kw_only=True)
class AuxFile(ProductFile):
    """One file of spacecraft position, roll and aspect solution."""

    n_records: Annotated[int, Column("Number of records, one per 64 s")]
    has_sas_ok: Annotated[bool, Column("Whether the file flags aspect solutions as valid or invalid")]
    n_sas_ok: Annotated[int, Column("Records with a valid aspect solution; without flags, with a finite one")]


@dataclass(frozen=True, kw_only=True)
class OtherFile(ProductFile):
    """One file of a product that is archived but neither imaged nor plotted.

    Quick-look products, calibration, housekeeping, onboard visibilities, aspect bursts, lists of flares.
    """

    uid: Annotated[str, Column("Unique id of the science request, ten digits; empty if the file has none")]
    purpose: Annotated[str, Column("Reason for the science request; empty if there was none")]
    n_rows: Annotated[int, Column("Number of rows: time bins, records, calibration runs or flares")]
    cadence_s: Annotated[float | None, Column("Median length or spacing of rows; empty for lists", "s")] = None
    counts: Annotated[float | None, Column("Total counts of the file; empty for products without counts", "ct")] = None
    energy_table: Annotated[str | None, Column("Onboard energy table of a calibration run (level CAL)")] = None


@dataclass(frozen=True, kw_only=True)
class Flare(TableRow):
    """One flare: detected in the quick-look light curves, or taken from an existing list."""

    flare_id: Annotated[str, Column("yymmddhhmm of the peak, ten digits")]
    t_start: Annotated[np.datetime64 | None, Column("Start", _UTC)] = None
    t_peak: Annotated[np.datetime64, Column("Peak of the 4-10 keV light curve", _UTC)]
    t_end: Annotated[np.datetime64 | None, Column("End", _UTC)] = None
    peak_counts: Annotated[
        float | None,
        Column("Maximum counts in a 4 s bin, 4-10 keV, with background; a lower limit if the attenuator is in", "ct"),
    ] = None
    peak_counts_10_15: Annotated[float | None, Column("Maximum counts in a 4 s bin, 10-15 keV", "ct")] = None
    peak_counts_15_25: Annotated[float | None, Column("Maximum counts in a 4 s bin, 15-25 keV", "ct")] = None
    total_counts: Annotated[float | None, Column("4-10 keV counts from start to end, with background", "ct")] = None
    background_counts: Annotated[float | None, Column("Background counts in `total_counts`", "ct")] = None
    significance: Annotated[
        float | None, Column("Peak of the one-minute mean above the background, in standard deviations of a 4 s bin")
    ] = None
    highest_band: Annotated[str | None, Column("Highest quick-look band with signal, e.g. 15-25")] = None
    attenuator_in: Annotated[bool | None, Column("Attenuator in at some time during the flare")] = None
    goes_class: Annotated[
        str | None,
        Column("Measured GOES class, e.g. C3.4; empty if GOES detected nothing or could not see the flare"),
    ] = None
    goes_flux: Annotated[float | None, Column("Measured GOES flux at the peak, 0.1-0.8 nm", "W m⁻²")] = None
    goes_estimated_low: Annotated[str | None, Column("GOES class estimated from STIX data, lower end of 1 σ")] = None
    goes_estimated: Annotated[str | None, Column("GOES class estimated from STIX data")] = None
    goes_estimated_high: Annotated[str | None, Column("GOES class estimated from STIX data, upper end of 1 σ")] = None
    goes_estimated_flux: Annotated[
        float | None,
        Column(
            "GOES flux estimated from STIX data: of the flare alone (from the background detector), or with the Sun's "
            "background (from counts); `goes_estimated_from` says which",
            "W m⁻²",
        ),
    ] = None
    goes_estimated_from: Annotated[
        str | None,
        Column("Data of the estimate: background detector (the flare alone) or counts (with the Sun's background)"),
    ] = None
    goes_source: Annotated[
        str | None,
        Column("Source of the class: a GOES satellite or an imported list (measured); background detector or counts"),
    ] = None
    goes_low: Annotated[str | None, Column("Lower end of 1 σ of the class, measured or else estimated")] = None
    goes_high: Annotated[str | None, Column("Upper end of 1 σ of the class, measured or else estimated")] = None
    goes_t_peak: Annotated[np.datetime64 | None, Column("Minute of the GOES peak", "UTC at the Earth")] = None
    goes_background: Annotated[
        float | None, Column("Lowest GOES flux from ten minutes before the flare to its peak", "W m⁻²")
    ] = None
    goes_note: Annotated[str | None, Column("Why GOES files give no class; empty if they do or there are none")] = None
    background_detector_flux: Annotated[
        float | None,
        Column("Peak of the background detector, 4-10 keV, above the background before the flare", "ct s⁻¹ mm⁻²"),
    ] = None
    hpc_x: Annotated[float | None, Column("Location as seen from Solar Orbiter", "arcsec")] = None
    hpc_y: Annotated[float | None, Column("Location as seen from Solar Orbiter", "arcsec")] = None
    hpc_sigma: Annotated[
        float | None, Column("Standard deviation of the location on each axis, with the pointing's", "arcsec")
    ] = None
    location_source: Annotated[str | None, Column("imaging, coarse locator or imported list")] = None
    location_method: Annotated[str | None, Column("Method by which the flare was located")] = None
    location_verdict: Annotated[str | None, Column("trusted or doubtful")] = None
    location_doubts: Annotated[str | None, Column("Why the location is doubtful: a list of sentences", "JSON")] = None
    locator_x: Annotated[float | None, Column("Best position of the coarse flare locator", "arcsec")] = None
    locator_y: Annotated[float | None, Column("Best position of the coarse flare locator", "arcsec")] = None
    stonyhurst_lon: Annotated[float | None, Column("Stonyhurst longitude, -180 to 180", "deg")] = None
    stonyhurst_lat: Annotated[float | None, Column("Heliographic latitude", "deg")] = None
    carrington_lon: Annotated[float | None, Column("Carrington longitude, 0 to 360", "deg")] = None
    heliographic_sigma: Annotated[
        float | None,
        Column("Standard deviation of the heliographic position; empty within 10° of the limb and beyond", "deg"),
    ] = None
    off_limb: Annotated[
        bool | None,
        Column("Beyond the limb from Solar Orbiter; the heliographic position is then that of the nearest limb point"),
    ] = None
    limb_height: Annotated[float | None, Column("Height of an off-limb source above that limb point", "Mm")] = None
    solo_angle: Annotated[float | None, Column("Angle between local vertical and Solar Orbiter", "deg")] = None
    earth_x: Annotated[float | None, Column("Location as seen from the Earth, also when it is behind", "arcsec")] = None
    earth_y: Annotated[float | None, Column("Location as seen from the Earth, also when it is behind", "arcsec")] = None
    earth_visible: Annotated[bool | None, Column("Visible from the Earth")] = None
    earth_view: Annotated[
        str | None, Column("As seen from the Earth: on disk; limb, within the error of the limb; or behind")
    ] = None
    earth_angle: Annotated[float | None, Column("Angle between local vertical and Earth", "deg")] = None
    earth_lowest_height: Annotated[
        float | None, Column("Lowest height that the Earth sees above a flare behind the limb", "Mm")
    ] = None
    earth_delay_s: Annotated[
        float | None, Column("Light time from the flare to the Earth less that to Solar Orbiter", "s")
    ] = None
    sun_delay_s: Annotated[float | None, Column("Light time from the flare to Solar Orbiter", "s")] = None
    dsun_au: Annotated[float | None, Column("Distance of Solar Orbiter from Sun center", "au")] = None
    hgln: Annotated[float | None, Column("Stonyhurst longitude of Solar Orbiter", "deg")] = None
    hglt: Annotated[float | None, Column("Stonyhurst latitude of Solar Orbiter", "deg")] = None
    sol_id: Annotated[str | None, Column("SOL identifier: peak at the Earth, Carrington longitude, colatitude")] = None
    other_ids: Annotated[
        str | None, Column("Other ids of this flare, in lists and in purposes of science requests; separated by blanks")
    ] = None
    best_image_thermal: Annotated[str | None, Column("Image id of the best thermal image")] = None
    best_image_nonthermal: Annotated[str | None, Column("Image id of the best non-thermal image")] = None
    spectrum_id: Annotated[str | None, Column("Spectrum that gives temperature, emission measure and δ")] = None
    temperature: Annotated[
        float | None, Column("Temperature at the peak, from the fit of the spectrum; of two the lower one", "MK")
    ] = None
    temperature_sigma: Annotated[float | None, Column("The larger 1 σ error of the temperature", "MK")] = None
    emission_measure: Annotated[float | None, Column("Emission measure, from the fit", "10⁴⁹ cm⁻³")] = None
    emission_measure_sigma: Annotated[
        float | None, Column("The larger 1 σ error of the emission measure", "10⁴⁹ cm⁻³")
    ] = None
    delta: Annotated[float | None, Column("Spectral index δ of the electrons, from the fit")] = None
    delta_sigma: Annotated[float | None, Column("The larger 1 σ error of δ")] = None
    spectrum_verdict: Annotated[str | None, Column("Verdict on the fit: trusted or doubtful")] = None
    simulated: Annotated[bool, Column("Simulated data")] = False
    source: Annotated[str, Column("Origin of the row: detected, or the name of an imported list")]
    detected: Annotated[str | None, Column("Values from detection; empty if the flare was not detected", "JSON")] = None
    imported: Annotated[str | None, Column("Values from an imported list; empty if the flare is in none", "JSON")] = (
        None
    )
    located: Annotated[
        str | None, Column("Values from the images and science files of the flare; empty if it has none", "JSON")
    ] = None
    measured: Annotated[str | None, Column("Values from GOES/XRS files; empty if there are none", "JSON")] = None
    fitted: Annotated[str | None, Column("Values from the fit of a spectrum; empty without one", "JSON")] = None
    limits_changed_at: Annotated[
        np.datetime64 | None, Column("When start, peak or end last changed; empty: see `updated_at`", _CLOCK)
    ] = None
    updated_at: Annotated[np.datetime64, Column("When the row was written", _CLOCK)]


@dataclass(frozen=True, kw_only=True)
class Run(TableRow):
    """One recipe that was run, or one image set that was skipped, with the reason."""

    run_id: Annotated[str, Column("recipe_id; for skipped runs a hash of what was skipped; 16 hexadecimal digits")]
    kind: Annotated[str, Column("auto or user")]
    status: Annotated[str, Column("done, failed or skipped")]
    reason: Annotated[str, Column("Why it failed or was skipped, in one sentence; empty if done")] = ""
    uid: Annotated[str, Column("Unique id of the science request")]
    science_name: Annotated[str, Column("File name of the science data")]
    flare_id: Annotated[str | None, Column("Flare to which the time range belongs")] = None
    band: Annotated[str, Column("Energy band as shown on pages, e.g. 4-10 keV")]
    group_id: Annotated[
        str | None, Column("Group of image sets, e.g. the cube of a flare; empty for a single image set")
    ] = None
    window_reason: Annotated[str | None, Column("Rule that gave time range and band of a preview")] = None
    t_start: Annotated[np.datetime64, Column("Start of the time range, or of the file if none was chosen", _UTC)]
    t_end: Annotated[np.datetime64, Column("End of the time range, or of the file if none was chosen", _UTC)]
    e_low: Annotated[float, Column("Lower edge of the energy range", "keV")]
    e_high: Annotated[float, Column("Upper edge of the energy range", "keV")]
    counts_total: Annotated[
        float | None, Column("Counts in the time and energy range, detectors of the image", "ct")
    ] = None
    counts_background: Annotated[
        float | None, Column("Background counts in `counts_total`, scaled by livetime", "ct")
    ] = None
    background_ratio: Annotated[float | None, Column("Quietest bins of the file: observed ÷ predicted counts")] = None
    background_uid: Annotated[str | None, Column("Unique id of the background file; empty for none")] = None
    background_reason: Annotated[str | None, Column("Reason for the choice of background")] = None
    energy_table: Annotated[str | None, Column("Onboard energy table; empty for skipped runs")] = None
    energy_table_sha256: Annotated[str | None, Column("SHA-256 of the energy-table file, hexadecimal")] = None
    cal_file: Annotated[str | None, Column("Daily energy calibration (CAL file); empty for none")] = None
    phase_table: Annotated[str | None, Column("Phase corrections of the sub-collimators")] = None
    phase_table_sha256: Annotated[str | None, Column("SHA-256 of the phase-correction files, hexadecimal")] = None
    background_candidates: Annotated[str | None, Column("Backgrounds that were considered, best first", "JSON")] = None
    hpc_x: Annotated[float | None, Column("Flare location as seen from Solar Orbiter", "arcsec")] = None
    hpc_y: Annotated[float | None, Column("Flare location as seen from Solar Orbiter", "arcsec")] = None
    hpc_sigma_x: Annotated[float | None, Column("Standard deviation of the location", "arcsec")] = None
    hpc_sigma_y: Annotated[float | None, Column("Standard deviation of the location", "arcsec")] = None
    sidelobe_ratio: Annotated[float | None, Column("Second highest peak ÷ highest peak in the full-disk map")] = None
    location_method: Annotated[str | None, Column("Method by which the location was determined")] = None
    locator_x: Annotated[float | None, Column("Best position of the coarse flare locator", "arcsec")] = None
    locator_y: Annotated[float | None, Column("Best position of the coarse flare locator", "arcsec")] = None
    locator_radius: Annotated[
        float | None, Column("Radius of a circle with the area of the locator's 68 % region", "arcsec")
    ] = None
    locator_counts: Annotated[float | None, Column("Counts above background in the coarse locator", "ct")] = None
    locator_chi2: Annotated[float | None, Column("χ² per degree of freedom at the locator's best position")] = None
    locator_level: Annotated[
        float | None,
        Column("Confidence level of the locator's contour through the location; above 0.95 the two disagree"),
    ] = None
    pointing_source: Annotated[str | None, Column("Aspect solution, or the substitute for it")] = None
    roll_deg: Annotated[float | None, Column("Roll angle", "deg")] = None
    pointing_x: Annotated[float | None, Column("Pointing of the optical axis", "arcsec")] = None
    pointing_y: Annotated[float | None, Column("Pointing of the optical axis", "arcsec")] = None
    pointing_rms_x: Annotated[float | None, Column("Scatter of the pointing in the time range", "arcsec")] = None
    pointing_rms_y: Annotated[float | None, Column("Scatter of the pointing in the time range", "arcsec")] = None
    pointing_peak_to_peak: Annotated[
        float | None, Column("Range of the pointing, the larger of both axes", "arcsec")
    ] = None
    author: Annotated[str, Column("User who requested it; auto for previews")] = "auto"
    hidden: Annotated[bool, Column("Visible only to its author and operators")] = False
    simulated: Annotated[bool, Column("Made from simulated data")] = False
    warnings: Annotated[str, Column("Quality warnings", "JSON")] = "[]"
    recipe: Annotated[str | None, Column("The recipe; empty for skipped runs", "JSON")] = None
    started_at: Annotated[np.datetime64, Column("When it was started or skipped", _CLOCK)]
    elapsed_s: Annotated[float | None, Column("Computing time", "s")] = None
    version: Annotated[str, Column("Version of the software")]
    folder: Annotated[str | None, Column("Path of its folder inside the archive")] = None

    def __post_init__(self) -> None:
        _one_of("run", self.run_id, "kind", self.kind, tuple(RunKind))
        _one_of("run", self.run_id, "status", self.status, tuple(RunStatus))


@dataclass(frozen=True, kw_only=True)
class Image(TableRow):
    """One image: the result of one method for one recipe."""

    image_id: Annotated[str, Column("recipe_id-method")]
    recipe_id: Annotated[str, Column("Identity of the recipe, 16 hexadecimal digits")]
    method: Annotated[str, Column(f"Reconstruction method: {', '.join(METHODS)}, or one of a package")]
    uid: Annotated[str, Column("Unique id of the science request")]
    flare_id: Annotated[str | None, Column("Flare to which the time range belongs")] = None
    group_id: Annotated[
        str | None, Column("Group of image sets, e.g. the cube of a flare; empty for a single image set")
    ] = None
    t_start: Annotated[np.datetime64, Column("Start of the time range", _UTC)]
    t_end: Annotated[np.datetime64, Column("End of the time range", _UTC)]
    e_low: Annotated[float, Column("Lower edge of the energy range", "keV")]
    e_high: Annotated[float, Column("Upper edge of the energy range", "keV")]
    goes_class: Annotated[str | None, Column("Measured GOES class of the flare, e.g. C3.4")] = None
    goes_flux: Annotated[float | None, Column("Measured GOES flux of the flare at its peak", "W m⁻²")] = None
    goes_estimated: Annotated[str | None, Column("GOES class of the flare estimated from STIX data")] = None
    goes_estimated_flux: Annotated[
        float | None,
        Column(
            "GOES flux of the flare estimated from STIX data, as in `flares`: with or without the background", "W m⁻²"
        ),
    ] = None
    peak_hpc_x: Annotated[float | None, Column("Brightest pixel as seen from Solar Orbiter", "arcsec")] = None
    peak_hpc_y: Annotated[float | None, Column("Brightest pixel as seen from Solar Orbiter", "arcsec")] = None
    centroid_hpc_x: Annotated[float | None, Column(f"{_SOURCE}, solar west", "arcsec")] = None
    centroid_hpc_y: Annotated[float | None, Column(f"{_SOURCE}, solar north", "arcsec")] = None
    total_flux: Annotated[float | None, Column("Sum of the image times the pixel area", "ct s⁻¹ cm⁻² keV⁻¹")] = None
    fwhm: Annotated[float | None, Column("Width of the brightest source at half maximum", "arcsec")] = None
    centroid_sigma: Annotated[
        float | None,
        Column("Standard deviation of that position on each axis, without the pointing's", "arcsec"),
    ] = None
    flux_sigma: Annotated[float | None, Column("Standard deviation of the total flux", "ct s⁻¹ cm⁻² keV⁻¹")] = None
    fwhm_sigma: Annotated[float | None, Column("Standard deviation of the width", "arcsec")] = None
    sigma_source: Annotated[
        str | None, Column("Source of these errors: simulated copies of the data (ensemble), or the fit; else empty")
    ] = None
    max: Annotated[float | None, Column("Brightest pixel, in the unit of the image")] = None
    unit: Annotated[str, Column("Unit of the image in FITS notation")] = ""
    chi2: Annotated[
        float | None,
        Column("χ² per degree of freedom of the visibilities (ideally 1); σ includes 5 % of the amplitude"),
    ] = None
    n_iter: Annotated[int | None, Column("Iterations")] = None
    stopped_by: Annotated[str | None, Column("Why the iteration ended")] = None
    nx: Annotated[int, Column("Pixels along x", "pixel")]
    ny: Annotated[int, Column("Pixels along y", "pixel")]
    pixel_arcsec: Annotated[float, Column("Pixel size", "arcsec")]
    center_hpc_x: Annotated[float, Column("Center of the map", "arcsec")]
    center_hpc_y: Annotated[float, Column("Center of the map", "arcsec")]
    sidelobe_ratio: Annotated[float | None, Column("Second highest peak ÷ highest peak in the full-disk map")] = None
    trusted: Annotated[bool, Column("No verdict is doubtful; otherwise see the warnings")]
    verdict_position: Annotated[str | None, Column("trusted or doubtful")] = None
    verdict_flux: Annotated[str | None, Column("trusted or doubtful")] = None
    verdict_shape: Annotated[str | None, Column("trusted or doubtful")] = None
    warnings: Annotated[str, Column("Quality warnings", "JSON")] = "[]"
    simulated: Annotated[bool, Column("Made from simulated data")] = False
    file: Annotated[str, Column("Path of the FITS file inside the archive")]
    png: Annotated[str | None, Column("Path of the picture inside the archive")] = None
    thumbnail: Annotated[str | None, Column("Path of the thumbnail inside the archive")] = None
    sha256: Annotated[str, Column("SHA-256 of the FITS file, hexadecimal")]
    size: Annotated[int, Column("Size of the FITS file", "byte")]
    author: Annotated[str, Column("User who requested it; auto for previews")] = "auto"
    hidden: Annotated[bool, Column("Visible only to its author and operators")] = False
    created_at: Annotated[np.datetime64, Column("When the image was made", _CLOCK)]
    elapsed_s: Annotated[float | None, Column("Computing time", "s")] = None

    def __post_init__(self) -> None:
        if re.fullmatch(NAME, self.method, re.ASCII) is None:
            message = f"image {self.image_id!r}: method is {self.method!r}, expected a name that matches {NAME}"
            raise BadRow(message)
        if self.image_id != image_id(self.recipe_id, self.method):
            message = f"image {self.image_id!r} must be called {image_id(self.recipe_id, self.method)!r}"
            raise BadRow(message)


@dataclass(frozen=True, kw_only=True)
class Spectrum(TableRow):
    """One measured spectrum and its fit: counts of a time range, the response, and a model."""

    spectrum_id: Annotated[str, Column("Identity of the recipe of the spectrum, 16 hexadecimal digits")]
    kind: Annotated[str, Column("auto or user")]
    uid: Annotated[str, Column("Unique id of the science request")]
    science_name: Annotated[str, Column("File name of the science data")]
    flare_id: Annotated[str | None, Column("Flare to which the time range belongs")] = None
    t_start: Annotated[np.datetime64, Column("Start of the time range", _UTC)]
    t_end: Annotated[np.datetime64, Column("End of the time range", _UTC)]
    model: Annotated[str | None, Column("Components of the fitted model, e.g. vth+thick2; empty without a fit")] = None
    no_fit: Annotated[str, Column("Why there is no fit, in one sentence; empty if there is one")] = ""
    statistic: Annotated[str | None, Column("chi2 or cash")] = None
    fit_low: Annotated[float | None, Column("Lower edge of the fitted energies", "keV")] = None
    fit_high: Annotated[float | None, Column("Upper edge of the fitted energies", "keV")] = None
    chi2: Annotated[float | None, Column("χ² of the fit, not divided by the degrees of freedom")] = None
    ndof: Annotated[int | None, Column("Degrees of freedom of the fit")] = None
    verdict: Annotated[str | None, Column("trusted or doubtful; empty without a fit")] = None
    doubts: Annotated[str, Column("Doubts about counts, response and fit", "JSON")] = "[]"
    temperature: Annotated[
        float | None, Column("Temperature of the thermal component; of two components the lower one", "MK")
    ] = None
    temperature_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open", "MK")] = None
    temperature_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open", "MK")] = None
    emission_measure: Annotated[float | None, Column("Emission measure at this temperature", "10⁴⁹ cm⁻³")] = None
    emission_measure_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open", "10⁴⁹ cm⁻³")] = None
    emission_measure_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open", "10⁴⁹ cm⁻³")] = None
    temperature_2: Annotated[
        float | None, Column("Higher temperature of two thermal components; empty for one", "MK")
    ] = None
    temperature_2_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open", "MK")] = None
    temperature_2_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open", "MK")] = None
    emission_measure_2: Annotated[float | None, Column("Emission measure at the higher temperature", "10⁴⁹ cm⁻³")] = (
        None
    )
    emission_measure_2_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open", "10⁴⁹ cm⁻³")] = (
        None
    )
    emission_measure_2_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open", "10⁴⁹ cm⁻³")] = None
    electron_rate: Annotated[float | None, Column("Electrons per second above the cutoff", "10³⁵ s⁻¹")] = None
    electron_rate_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open", "10³⁵ s⁻¹")] = None
    electron_rate_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open", "10³⁵ s⁻¹")] = None
    delta: Annotated[float | None, Column("Spectral index δ of the electrons")] = None
    delta_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open")] = None
    delta_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open")] = None
    e_cut: Annotated[float | None, Column("Low-energy cutoff of the electrons", "keV")] = None
    e_cut_minus: Annotated[float | None, Column("Lower 1 σ error; empty if it is open", "keV")] = None
    e_cut_plus: Annotated[float | None, Column("Upper 1 σ error; empty if it is open", "keV")] = None
    counts: Annotated[float | None, Column("Counts above background in the fitted energies", "ct")] = None
    livetime_s: Annotated[float, Column("Exposure corrected for dead time", "s")]
    attenuator_in: Annotated[bool, Column("Attenuator in during the time range")]
    scheme: Annotated[str, Column("Scheme of the response, e.g. gsw-2026")]
    tailing: Annotated[bool, Column("Whether the response includes the loss of charge")] = False
    thermal_table: Annotated[str | None, Column("Table of the thermal emission; empty without a thermal component")] = (
        None
    )
    albedo_angle: Annotated[
        float | None, Column("Heliocentric angle of the flare, for the reflection at the Sun; empty without it", "deg")
    ] = None
    background_uid: Annotated[str | None, Column("Unique id of the background file; empty for none")] = None
    energy_table: Annotated[str | None, Column("Onboard energy table")] = None
    cal_file: Annotated[str | None, Column("Daily energy calibration (CAL file); empty for none")] = None
    hpc_x: Annotated[float | None, Column("Location of the flare in the response", "arcsec")] = None
    hpc_y: Annotated[float | None, Column("Location of the flare in the response", "arcsec")] = None
    distance_au: Annotated[float, Column("Distance of Solar Orbiter from Sun center", "au")]
    recipe: Annotated[str, Column("The recipe of the spectrum", "JSON")]
    folder: Annotated[str, Column("Path of its folder inside the archive")]
    size: Annotated[int, Column("Size of its FITS files", "byte")]
    author: Annotated[str, Column("User who requested it; auto for previews")] = "auto"
    hidden: Annotated[bool, Column("Visible only to its author and operators")] = False
    simulated: Annotated[bool, Column("Made from simulated data")] = False
    version: Annotated[str, Column("Version of the software")]
    created_at: Annotated[np.datetime64, Column("When the spectrum was made", _CLOCK)]
    elapsed_s: Annotated[float | None, Column("Computing time", "s")] = None

    def __post_init__(self) -> None:
        _one_of("spectrum", self.spectrum_id, "kind", self.kind, tuple(RunKind))


@dataclass(frozen=True, kw_only=True)
class RegionSpectra(TableRow):
    """The spectra of the regions of an image, with their fits: counts of every region per energy channel."""

    region_id: Annotated[str, Column("Identity of the recipe of the region spectra, 16 hexadecimal digits")]
    kind: Annotated[str, Column("auto or user")]
    uid: Annotated[str, Column("Unique id of the science request")]
    science_name: Annotated[str, Column("File name of the science data")]
    flare_id: Annotated[str | None, Column("Flare to which the time range belongs")] = None
    t_start: Annotated[np.datetime64, Column("Start of the time range", _UTC)]
    t_end: Annotated[np.datetime64, Column("End of the time range", _UTC)]
    method: Annotated[str, Column("Method of the images: clean, mem_ge, em or vis_fwdfit")]
    n_regions: Annotated[int, Column("Number of regions")]
    names: Annotated[str, Column("Names of the regions, in their order", "JSON")]
    e_low: Annotated[float | None, Column("Lower edge of the lowest channel with an image", "keV")] = None
    e_high: Annotated[float | None, Column("Upper edge of the highest channel with an image", "keV")] = None
    n_channels: Annotated[int, Column("Number of channels with an image")]
    copies: Annotated[int, Column("Simulated copies of the data, for the errors of the images")]
    verdict: Annotated[
        str | None, Column("trusted if every fit is, and nothing else is doubtful; empty without a fit")
    ] = None
    doubts: Annotated[str, Column("Doubts about the images and the regions: name of the region and text", "JSON")] = (
        "[]"
    )
    fits: Annotated[
        str,
        Column("Per region: name, model, verdict, no_fit, and the fitted values with the names of `spectra`", "JSON"),
    ] = "[]"
    background_uid: Annotated[str | None, Column("Unique id of the background file; empty for none")] = None
    hpc_x: Annotated[float | None, Column("Center of the map, location of the flare in the response", "arcsec")] = None
    hpc_y: Annotated[float | None, Column("Center of the map, location of the flare in the response", "arcsec")] = None
    distance_au: Annotated[float, Column("Distance of Solar Orbiter from Sun center", "au")]
    recipe: Annotated[str, Column("The recipe of the region spectra", "JSON")]
    folder: Annotated[str, Column("Path of its folder inside the archive")]
    size: Annotated[int, Column("Size of its files, without the record", "byte")]
    author: Annotated[str, Column("User who requested it")]
    hidden: Annotated[bool, Column("Visible only to its author and operators")] = False
    simulated: Annotated[bool, Column("Made from simulated data")] = False
    version: Annotated[str, Column("Version of the software")]
    created_at: Annotated[np.datetime64, Column("When the spectra were made", _CLOCK)]
    elapsed_s: Annotated[float | None, Column("Computing time", "s")] = None

    def __post_init__(self) -> None:
        _one_of("region spectra", self.region_id, "kind", self.kind, tuple(RunKind))


SCIENCE_FILES = Table(
    "science_files", ScienceFile, "name", "t_start", "Pixel-data files and spectrograms, one row per file."
)
QUICKLOOK_FILES = Table(
    "quicklook_files", QuicklookFile, "name", "t_start", "Quick-look light-curve files, one row per file."
)
AUX_FILES = Table("aux_files", AuxFile, "name", "t_start", "Ephemeris and aspect files, one row per file.")
OTHER_FILES = Table(
    "other_files",
    OtherFile,
    "name",
    "t_start",
    "Other files: quick-look background, variance, spectra and flare flags, calibration, housekeeping, flare lists.",
)
FLARES = Table("flares", Flare, "flare_id", "t_peak", "Flares, detected or imported, one row per flare.")
RUNS = Table("runs", Run, "run_id", "t_start", "Recipes that were run, and skips with their reason.")
IMAGES = Table("images", Image, "image_id", "t_start", "Images, one row per recipe and method.")
SPECTRA = Table("spectra", Spectrum, "spectrum_id", "t_start", "Spectra with their fits, one row per spectrum.")
REGION_SPECTRA = Table(
    "region_spectra",
    RegionSpectra,
    "region_id",
    "t_start",
    "Spectra of regions of images, one row for all regions of an image.",
)

type FileTable = Table[ScienceFile] | Table[QuicklookFile] | Table[AuxFile] | Table[OtherFile]
type AnyTable = FileTable | Table[Flare] | Table[Run] | Table[Image] | Table[Spectrum] | Table[RegionSpectra]

#: The tables of STIX files, by their names in URLs of pages. A search for a file covers all of them.
FILE_KINDS: dict[str, FileTable] = {
    "science": SCIENCE_FILES,
    "quicklook": QUICKLOOK_FILES,
    "aux": AUX_FILES,
    "other": OTHER_FILES,
}
FILE_TABLES: tuple[Table[Any], ...] = tuple(FILE_KINDS.values())
TABLES: dict[str, AnyTable] = {
    table.name: table for table in (*FILE_TABLES, FLARES, RUNS, IMAGES, SPECTRA, REGION_SPECTRA)
}


def table_named(name: str) -> AnyTable:
    """Table by name.

    Raises
    ------
    NotInArchive
        If there is no such table.
    """
    if name not in TABLES:
        message = f"there is no table {name!r}; the tables are {', '.join(TABLES)}"
        raise NotInArchive(message)
    return TABLES[name]


def select_files(columns: str, rest: str = "") -> str:
    """A query over all tables of files, with columns that all of them have. Arguments must not be user input."""
    return " UNION ALL ".join(select(columns, table.name, rest) for table in FILE_TABLES)


def schema_markdown() -> str:
    """Documentation of every table and column, as a Markdown page."""
    opening = (
        "# Tables of the index\n\n"
        "Tables for queries with `stix-jobs query`. Times are UTC with microseconds, without a time zone; times of\n"
        "the observation are UTC at Solar Orbiter. Positions are helioprojective. Unknown values are empty.\n\n"
    )
    return opening + "\n".join(table.markdown for table in (*TABLES.values(), *SERIES.values()))


def _one_of(what: str, key: str, column: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        message = f"{what} {key!r}: {column} is {value!r}, allowed are {', '.join(allowed)}"
        raise BadRow(message)
