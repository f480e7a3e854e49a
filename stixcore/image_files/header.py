"""Primary header of an image: WCS, times, observer, counts, pointing, algorithm and findings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from astropy.io import fits

from stixcore.coordinates import SOLAR_RADIUS, stix_to_hpc
from stixcore.image_files.standard import Card, observer_cards, photon_cards, provenance_cards, range_cards
from stixcore.imaging.reconstruction import Method, Reconstruction
from stixcore.imaging.trust import Aspect, verdict
from stixcore.instrument.geometry import LOCATION_LABELS
from stixcore.prepare import apparent_radius
from stixcore.reconstruct import ImageSet
from stixcore.software import CREATOR, software_version
from stixcore.times import format_time

#: Replacements for characters that headers cannot contain.
_ASCII = str.maketrans(
    {
        "χ": "chi",
        "²": "^2",
        "σ": "sigma",
        "″": " arcsec",
        "°": " deg",
        "±": "+-",
        "×": "x",
        "…": "...",
        "–": "-",
        "—": "-",
        "−": "-",
        "≥": ">=",
        "≤": "<=",
        "÷": "/",
        "é": "e",
    }
)


def image_header(images: ImageSet, method: Method, created: np.datetime64) -> fits.Header:
    """Primary header of one image.

    Parameters
    ----------
    images : ImageSet
    method : Method
    created : datetime64
        Creation time of the file.
    """
    image, recipe, pixels = images.images[method], images.recipe, images.pixels
    header = fits.Header()
    header["LONGSTRN"] = ("OGIP 1.0", "long strings go on in CONTINUE cards")
    for group in (
        provenance_cards(images),
        _wcs_cards(image),
        _time_cards(images, created),
        _observer_cards(images),
        _data_cards(images, image, method),
        _pointing_cards(images),
        _verdict_cards(images, method),
    ):
        for key, value, comment in group:
            if value is not None:
                header[key] = (card_text(value) if isinstance(value, str) else value, comment)
    header["RECIPEID"] = (recipe.recipe_id, "hash of everything that determines the image")
    header["CREATOR"] = (CREATOR, "software")
    header["VERS_SW"] = (software_version(), "version of the software")
    if pixels.header.simulated:
        header["OBS_MODE"] = ("SIMULATED", "these are not observations")
        header.add_comment("SIMULATED data: made by the simulator, not observed.")
    return header


def card_text(text: str) -> str:
    """Text for a header: characters that are not printable ASCII, which file names may contain, are escaped."""
    return text if text.isascii() and text.isprintable() else text.encode("unicode_escape").decode()


def _wcs_cards(image: Reconstruction) -> Iterator[Card]:
    (ny, nx), pixel, (x, y) = image.grid.shape, image.grid.pixel, image.grid.center
    yield "WCSNAME", "Helioprojective-cartesian", ""
    yield "WCSAXES", 2, "helioprojective, seen from Solar Orbiter"
    yield "CTYPE1", "HPLN-TAN", "solar west"
    yield "CTYPE2", "HPLT-TAN", "solar north"
    yield "CUNIT1", "arcsec", ""
    yield "CUNIT2", "arcsec", ""
    yield "CDELT1", pixel, "[arcsec]"
    yield "CDELT2", pixel, "[arcsec]"
    # Planar about Sun centre, like the pointing: CRPIX = (n + 1)/2 - centre/Δ
    yield "CRPIX1", (nx + 1) / 2.0 - x / pixel, "pixel of Sun centre"
    yield "CRPIX2", (ny + 1) / 2.0 - y / pixel, "pixel of Sun centre"
    yield "CRVAL1", 0.0, "[arcsec]"
    yield "CRVAL2", 0.0, "[arcsec]"
    yield "PC1_1", 1.0, "solar north is up: nothing was resampled"
    yield "PC1_2", 0.0, ""
    yield "PC2_1", 0.0, ""
    yield "PC2_2", 1.0, ""
    yield "CROTA", 0.0, "[deg] solar north is up"  # CROTA1 and CROTA2 may not be with PC


def _time_cards(images: ImageSet, created: np.datetime64) -> Iterator[Card]:
    pixels, ephemeris = images.pixels, images.pixels.header.ephemeris
    start, end = pixels.t_start, pixels.t_end
    yield "TIMESYS", "UTC", "UTC at Solar Orbiter"
    yield "MJDREF", 0.0, "[d] no times here are relative to another one"
    yield "DATE-OBS", format_time(start), "start, UTC at Solar Orbiter"
    yield "DATE-BEG", format_time(start), "start, UTC at Solar Orbiter"
    yield "DATE-AVG", format_time(start + (end - start) // 2), "middle, UTC at Solar Orbiter"
    yield "DATE-END", format_time(end), "end, UTC at Solar Orbiter"
    yield "REQ_BEG", images.recipe.time_range[0], "start of the time range that was asked for"
    yield "REQ_END", images.recipe.time_range[1], "its end"
    yield "BINRULE", str(images.recipe.window_rule), "bins of the range: by their centres, or outward"
    yield "BINSHIFT", images.recipe.shift_bins, "counts moved one time bin earlier"
    yield "XPOSURE", pixels.duration, "[s] sum of the time bins"
    yield "LIVETIME", float(np.median(pixels.livetime)), "[s] median live time of the detectors"
    if "EAR_TDEL" in ephemeris:
        delay = np.timedelta64(round(float(ephemeris["EAR_TDEL"]) * 1e6), "us")
        yield "DATE_EAR", format_time(start + delay), "start, UTC at Earth"
    if "SUN_TIME" in ephemeris:
        travel = np.timedelta64(round(float(ephemeris["SUN_TIME"]) * 1e6), "us")
        yield "DATE_SUN", format_time(start - travel), "start, UTC when the light left Sun centre"
    yield "DATE", format_time(created), "creation of this file, UTC"


def _observer_cards(images: ImageSet) -> Iterator[Card]:
    pointing, ephemeris = images.recipe.pointing, images.pixels.header.ephemeris

    def known(value: float, keyword: str) -> float | None:
        """Value of the pointing record, else of the science file."""
        if np.isfinite(value):
            return float(value)
        return float(ephemeris[keyword]) if keyword in ephemeris else None

    radius = apparent_radius(pointing, images.pixels.header)
    yield "RSUN_REF", SOLAR_RADIUS, "[m]"
    yield "RSUN_ARC", radius, "[arcsec] apparent solar radius"
    yield "RSUN_OBS", radius, "[arcsec] apparent solar radius"
    lon, lat, distance = (
        known(value, keyword)
        for value, keyword in (
            (pointing.stonyhurst_lon, "HGLN_OBS"),
            (pointing.b0, "HGLT_OBS"),
            (pointing.dsun, "DSUN_OBS"),
        )
    )
    yield "HGLN_OBS", lon, "[deg] Stonyhurst longitude"
    yield "HGLT_OBS", lat, "[deg] heliographic latitude (B0)"
    yield "DSUN_OBS", distance, "[m] distance from Sun centre"
    yield from observer_cards(images, lon, lat, distance)
    same_height = ephemeris.get("HAEZ_OBS") == ephemeris.get("HAEX_OBS")
    for key, value in ephemeris.items():
        # Early files repeat HAEX as HAEZ: do not copy a wrong value.
        wrong = key == "HAEZ_OBS" and same_height
        if not wrong and key not in ("RSUN_ARC", "HGLN_OBS", "HGLT_OBS", "CRLN_OBS", "CRLT_OBS", "DSUN_OBS"):
            yield key, value, ""


def _data_cards(images: ImageSet, image: Reconstruction, method: Method) -> Iterator[Card]:
    recipe, pixels = images.recipe, images.pixels
    full_disk = method is Method.FULL_DISK_BP
    energy = recipe.location_energy if full_disk else (pixels.e_low, pixels.e_high)
    counts, background = images.counts
    yield "TELESCOP", "SOLO/STIX", ""
    yield "INSTRUME", "STIX", ""
    yield "OBSRVTRY", "Solar Orbiter", ""
    yield "LEVEL", "L3", "reconstructed image"
    yield "ORIGIN", "STIX flare-imaging archive", ""
    yield "OBS_TYPE", "STIX-map", ""
    yield "BTYPE", "X-ray count flux", ""
    yield "BUNIT", image.unit, ""
    yield from range_cards(image.image)
    yield "ENERGY_L", float(energy[0]), "[keV]"
    yield "ENERGY_H", float(energy[1]), "[keV]"
    yield from photon_cards(energy)
    yield "REQ_EL", float(recipe.energy_range[0]), "[keV] energy range that was asked for"
    yield "REQ_EH", float(recipe.energy_range[1]), "[keV] its end"
    # No WAVELNTH in keV: sunpy converts WAVEUNIT to lower case and then warns that the unit is unknown.
    yield "ALG_USED", str(method), "imaging algorithm"
    if method in recipe.packages:
        yield "ALG_PKG", str(recipe.packages[method]), "package of the algorithm"
    yield from _result_cards(images, image)
    yield "CNTS_TOT", counts, "[ct] recorded, sub-collimators used"
    yield "CNTS_BKG", background, "[ct] expected background among them"
    if images.background_check is not None:
        yield "BKGRATIO", images.background_check.ratio, "quietest bins: observed / predicted counts"
    yield "FLNM_SCI", recipe.science.name, "science file"
    yield "FLNM_BKG", recipe.background.name if recipe.background else "none", "background file"
    if recipe.background_range is not None:
        yield "BKG_BEG", recipe.background_range[0], "part of the background asked for"
        yield "BKG_END", recipe.background_range[1], "its end"
    if (part := images.background_asked) is not None:
        yield "BKGB_BEG", format_time(part.t_start), "start of its whole bins, as used"
        yield "BKGB_END", format_time(part.t_end), "their end"
        yield "BKG_EXPO", part.seconds, "[s] their sum"
    yield "FLNM_AUX", ";".join(file.name for file in recipe.aspect) or "none", "auxiliary files"
    yield "UID", recipe.science.uid, "science request"
    yield "SUBCOLLS", ",".join(LOCATION_LABELS if full_disk else images.vis.labels), "sub-collimators"
    yield "PIXSET", str(recipe.pixel_set), "pixels summed to A, B, C, D"
    yield "AMPSCHEM", str(recipe.amplitude_scheme), "amplitude calibration"
    yield "EDGECORR", str(recipe.edge_correction), "energy-edge correction"
    if images.calibration is not None:
        used = images.calibration.reference
        yield "ELUT", used.energy_table.name, "on-board energy table"
        yield "ELUTHASH", used.energy_table.sha256, ""  # SHA-256; no room for a comment
        yield "FLNM_CAL", used.cal_file.name if used.cal_file else "none", ""
        yield "CAL_WHY", images.calibration.reason or None, ""
        yield "PHASTAB", used.phase_table.name, "phase corrections"
        yield "PHASHASH", used.phase_table.sha256, ""
    yield "RCR", pixels.rcr, "rate-control state, 0 = attenuator out"


def _result_cards(images: ImageSet, image: Reconstruction) -> Iterator[Card]:
    """Cards with the results of the reconstruction."""
    yield "NITER", image.n_iter, "iterations"
    yield "STOPPED", str(image.stopped_by), "why the iteration ended"
    yield "CHI2", _finite(image.chi2), "chi^2 / CHI2DOF; a fit of sources: 1"
    if np.isfinite(image.chi2):
        # pixels do not count as parameters
        usual = "degrees of freedom of CHI2" if image.n_parameters else "2 n_vis; CHI2 of pixels is usually 0.5"
        yield "CHI2DOF", 2 * len(images.vis) - image.n_parameters, usual
        yield "EFFPAR", _finite(image.certificate.get("effective_parameters", np.nan)), "data that decide the image"
    yield "TOTFLUX", _finite(image.total_flux), "[ct s-1 cm-2 keV-1] flux of the sources"
    yield "FLUXFROM", image.flux_estimate or None, "estimate of the flux that was imposed"
    yield "CNTSFLUX", _finite(image.certificate.get("counted_flux", np.nan)), "[ct s-1 cm-2 keV-1] flux of the counts"
    yield "MISSFLUX", _missing(image), "[ct s-1 cm-2 keV-1] counted, not in TOTFLUX"


def _pointing_cards(images: ImageSet) -> Iterator[Card]:
    recipe, pointing = images.recipe, images.recipe.pointing
    axis_x, axis_y = stix_to_hpc(0.0, 0.0, pointing)
    yield "PNTSRC", str(pointing.source), "source of the pointing"
    yield "STX_X", pointing.x, "[arcsec] STIX pointing, rolled frame"
    yield "STX_Y", pointing.y, "[arcsec] STIX pointing, rolled frame"
    yield "PNT_RMSX", pointing.rms_x, "[arcsec] scatter of the pointing in the window"
    yield "PNT_RMSY", pointing.rms_y, "[arcsec] scatter of the pointing in the window"
    yield "PNT_P2P", pointing.peak_to_peak, "[arcsec] its range, the larger of both axes"
    yield "PNT_SIG", _finite(pointing.sigma), "[arcsec] error of the pointing per axis"
    yield "PNT_N", pointing.records, "aspect records averaged"
    yield "PNT_NREJ", pointing.rejected, "outliers among the records, left out"
    yield "STX_ROLL", pointing.roll, "[deg] spacecraft roll (already applied)"
    yield "AXIS_HPX", float(axis_x), "[arcsec] STIX axis, solar west"
    yield "AXIS_HPY", float(axis_y), "[arcsec] STIX axis, solar north"
    yield "MAPC_HPX", recipe.location.x, "[arcsec] centre of the flare map, solar west"
    yield "MAPC_HPY", recipe.location.y, "[arcsec] centre of the flare map, solar north"
    yield "MAPC_STX", images.map_center_stix[0], "[arcsec] the same, STIX frame x"
    yield "MAPC_STY", images.map_center_stix[1], "[arcsec] the same, STIX frame y"
    yield "LOCATEBY", recipe.location.found_by, "how the centre was found"
    if images.location is not None:
        yield "SIDELOBE", images.location.sidelobe_ratio, "second full-disk peak / first"
    if (found := images.locator) is not None:
        yield "CFL_HPX", found.x, "[arcsec] coarse locator, solar west"
        yield "CFL_HPY", found.y, "[arcsec] coarse locator, solar north"
        yield "CFL_RAD", found.radius, "[arcsec] radius of its 68 % region"
        yield "CFL_CNTS", found.observed.total, "[ct] net counts of the locator"
        yield "CFL_CHI2", found.chi2, "chi^2 per degree of freedom there"
        yield "CFL_LEV", images.locator_level, "confidence level at MAPC_HPX, MAPC_HPY"
    else:
        yield "CFL_WHY", images.no_locator.translate(_ASCII) or None, ""
    yield "POS_SIGX", images.location_sigma[0], "[arcsec] error of the place, with PNT_SIG"
    yield "POS_SIGY", images.location_sigma[1], "[arcsec] error of the place, with PNT_SIG"


def _verdict_cards(images: ImageSet, method: Method) -> Iterator[Card]:
    judged = verdict(images.findings, method)
    for key, aspect in (("POS", Aspect.POSITION), ("FLX", Aspect.FLUX), ("SHP", Aspect.SHAPE)):
        yield f"TRUST{key}", judged.word(aspect), f"{aspect}: trusted or doubtful"
        for number, reason in enumerate(judged.reasons[aspect], start=1):
            yield f"RSN{key}{number}", reason.translate(_ASCII), ""


def _missing(image: Reconstruction) -> float | None:
    """Flux from the counts that is not in the image; None where it is unknown."""
    return _finite(image.certificate.get("missing_flux", np.nan))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
