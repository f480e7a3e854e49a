"""Which keywords a map has, of which type, and what texts may stand there."""

from __future__ import annotations

import re

import astropy.units as u

from stixcore.fits.identity import LEVELS, NAME_BEGIN
from stixcore.fits.spec import PLANNING_BLANKS, PLANNING_KEYWORDS
from stixcore.image_files.validation.findings import Findings, Level, MapHeader

#: Without these a map cannot be placed in the sky; any one of each group is enough.
_NEEDED = (
    *((f"{name}{axis}",) for name in ("CTYPE", "CUNIT", "CRPIX", "CRVAL") for axis in (1, 2)),
    *((f"CDELT{axis}", f"CD{axis}_{axis}") for axis in (1, 2)),
    ("DATE-OBS", "DATE-BEG"),
    ("HGLN_OBS", "CRLN_OBS"),
    ("HGLT_OBS", "CRLT_OBS"),
    ("DSUN_OBS",),
    ("TELESCOP", "INSTRUME"),
)
_STANDARD = (
    "FILENAME", "DATE", "DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "TIMESYS", "LEVEL", "VERSION", "ORIGIN",
    "CREATOR", "PARENT", "OBSRVTRY", "TELESCOP", "INSTRUME", "XPOSURE", "BUNIT", "BTYPE", "ENERGY_L",
    "ENERGY_H", "RSUN_REF", "RSUN_ARC", "HGLN_OBS", "HGLT_OBS", "CRLN_OBS", "CRLT_OBS", "CHECKSUM", "DATASUM",
)  # fmt: skip
_USEFUL = (*PLANNING_KEYWORDS, "VERS_SW", "SPICE_MK", "DATAMIN", "DATAMAX", "WAVEMIN", "WAVEMAX", "WCSNAME")
_TEXTS = (
    "FILENAME", "PARENT", "VERSION", "LEVEL", "ORIGIN", "CREATOR", "OBSRVTRY", "TELESCOP", "INSTRUME", "OBS_TYPE",
    "BUNIT", "BTYPE", "TIMESYS", "DATE", "DATE-OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "DATE_EAR", "DATE_SUN",
    "DATEREF", "WCSNAME", "SPICE_MK", "CTYPE1", "CTYPE2", "CUNIT1", "CUNIT2", "CHECKSUM", "DATASUM", "WAVEBAND",
    *PLANNING_KEYWORDS,
)  # fmt: skip
_NUMBERS = (
    "CRPIX1", "CRPIX2", "CRVAL1", "CRVAL2", "CDELT1", "CDELT2", "PC1_1", "PC1_2", "PC2_1", "PC2_2", "CROTA", "CROTA1",
    "CROTA2", "RSUN_REF", "RSUN_ARC", "RSUN_OBS", "HGLN_OBS", "HGLT_OBS", "CRLN_OBS", "CRLT_OBS", "DSUN_OBS",
    "SOLAR_B0", "XPOSURE", "ENERGY_L", "ENERGY_H", "WAVEMIN", "WAVEMAX", "WAVELNTH", "DATAMIN", "DATAMAX", "MJDREF",
    "EAR_TDEL", "SUN_TIME", "OBS_VR",
    *(f"{system}{axis}_OBS" for system in ("HEE", "HCI", "HAE", "HEQ", "GSE") for axis in "XYZ"),
)  # fmt: skip
_PRODUCT = re.compile(NAME_BEGIN + r"[\w.-]+\.fits(\.gz)?", re.ASCII)
_VERSION = re.compile(r"\d{2}U?", re.ASCII)


def check_presence(header: MapHeader) -> Findings:
    """Keywords that are missing."""
    told: set[str] = set()
    for group in _NEEDED:
        if not any(keyword in header for keyword in group):
            told.update(group)
            yield header.error(group[0], f"{' or '.join(group)} is missing; the map cannot be used without it.")
    for keyword in _STANDARD:
        if keyword not in header and keyword not in told:
            yield header.warning(keyword, "The standard asks for it.")
    for keyword in _USEFUL:
        if keyword not in header:
            yield header.note(keyword, "It is missing.")


def check_types(header: MapHeader) -> Findings:
    """Texts that should be numbers, and the reverse."""
    for keyword in _TEXTS:
        if keyword in header and not isinstance(header.values[keyword], str):
            yield header.error(keyword, "It must be a text.")
    for keyword in _NUMBERS:
        if keyword in header and header.number(keyword) is None:
            kind = "a text" if isinstance(header.values[keyword], str) else "no finite number"
            yield header.error(keyword, f"It must be a number, and is {kind}.")


def check_texts(header: MapHeader, file_name: str) -> Findings:
    """Texts with a fixed meaning: names, versions, levels and units."""
    for keyword, expected in (("TELESCOP", "SOLO/STIX"), ("INSTRUME", "STIX"), ("OBSRVTRY", "Solar Orbiter")):
        found = header.text(keyword)
        if found is not None and found.casefold() != expected.casefold():
            known = found.casefold() in ("stix", "solo", "so")  # as stixpy's examples have it
            text = f"The standard has {expected!r}." if known else f"It must be {expected!r} in a map of STIX."
            yield header.find(Level.WARNING if known else Level.ERROR, keyword, text)
    name = header.text("FILENAME")
    if name is not None and name != file_name.removesuffix(".gz"):
        yield header.warning("FILENAME", f"The file is called {file_name}.")
    version = header.text("VERSION")
    if version is not None and not _VERSION.fullmatch(version):
        yield header.warning("VERSION", "It must have two digits, such as 01.")
    level = header.text("LEVEL")
    if level is not None and level != "L3":
        known = level in LEVELS
        text = "An image has level L3; this is the level of its input." if known else "It must be L3 in an image."
        yield header.find(Level.WARNING if known else Level.ERROR, "LEVEL", text)
    if header.text("OBS_ID") in PLANNING_BLANKS - {"none"}:
        yield header.note("OBS_ID", "It is a placeholder of early science files.")
    yield from _parents(header)
    yield from _units(header)


def _parents(header: MapHeader) -> Findings:
    for keyword in ("PARENT", "FLNM_SCI", "FLNM_BKG"):
        for name in (header.text(keyword) or "none").split(";"):
            if name.strip() not in ("", "none") and not _PRODUCT.fullmatch(name.strip()):
                yield header.warning(keyword, f"{name.strip()!r} is not the name of a STIX file.")


def _units(header: MapHeader) -> Findings:
    for keyword in ("BUNIT", "CUNIT1", "CUNIT2"):
        text = header.text(keyword)
        if text is None:
            continue
        unit = _unit(text)
        if unit is None:
            yield header.error(keyword, "It is not a unit of the FITS standard.")
        elif keyword != "BUNIT" and not unit.is_equivalent(u.deg):
            yield header.error(keyword, "It must be an angle.")
    if header.text("UNITS") and "BUNIT" not in header:
        yield header.warning("UNITS", "Readers look for the unit in BUNIT.")


def _unit(text: str) -> u.UnitBase | None:
    try:
        return u.Unit(text, format="fits")
    except (ValueError, TypeError):
        return None
