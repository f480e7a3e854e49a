"""File names of every generation, paths inside the archive, and the order of versions.

This module opens no file. Names were collected from files of 2020 to 2026:

- ``solo_L1_stix-sci-xray-cpd_<start>-<end>_V02U_<uid>-<telecommand>.fits`` science data; "U" means it may still change
- ``solo_L1A_stix-sci-xray-l1-<uid>_<start>-<end>_<serial>_V01.fits`` the same before 2023
- ``solo_L1_stix-sci-xray-l1-<uid>_<start>-<end>_V01_<telecommand>.fits`` the same in 2020
- ``solo_L1_stix-sci-xray-l1-<uid>_<moment>_V01.fits`` the same in September 2020
- ``solo_L1_stix-ql-lightcurve_<yyyymmdd>_V02.fits`` a day of quick-look data; ``…_<yyyymmdd>_<serial>_V01`` before 2023
- ``solo_ANC_stix-asp-ephemeris_<yyyymmdd>_V02.fits`` a day of pointing; ``solo_L2_stix-aux-ephemeris_…`` before 2023
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from archive.errors import InvalidName
from stixcore.fits.identity import NAME_BEGIN, PRODUCTS, kind_of_product
from stixcore.fits.products import ProductHeader
from stixcore.fits.spec import ProductKind
from stixcore.image_files.layout import FILE_VERSION
from stixcore.imaging.declaration import NAME
from stixcore.imaging.registry import built_in, find_method, known_names

#: Built-in methods, in the order pages show them. A suffix of a file name never changes its meaning.
METHODS = tuple(built_in())
#: Most methods of an image set: those above, and as many of packages.
MOST_METHODS = 2 * len(METHODS)

#: Pattern of the Parquet files of a table, which temporary files do not match.
PARTITIONS = "[0-9][0-9][0-9][0-9]-[0-9][0-9].parquet"

#: Names of the files of a spectrum in its folder: the pair that OSPEX reads, and the record with counts and fit.
SPECTRUM_FILE, RESPONSE_FILE, SPECTRUM_RECORD = "stx_spectrum.fits", "stx_srm.fits", "spectrum.json"
SPECTRUM_FILES = (SPECTRUM_FILE, RESPONSE_FILE, SPECTRUM_RECORD)

#: Name of the record of region spectra in their folder; it names the other files.
REGIONS_RECORD = "regions.json"

#: Folder of the daily energy calibration (level CAL) inside an archive.
CAL_FILES = PurePosixPath("calibration", "cal")

#: Products outside SCI with a time range in their names.
_OF_RANGES = (ProductKind.ENERGY_CALIBRATION, ProductKind.FLARE_LIST)

#: Levels from early to official: of two files with the same content the one of the later level is used.
LEVELS = ("L0", "L1A", "L1", "L2", "ANC", "CAL", "L3")

_PRODUCT = re.compile(
    NAME_BEGIN + r"(?P<start>\d{8}(?:T\d{6})?)(?:-(?P<end>\d{8}T\d{6}))?(?:_(?P<serial>\d{1,10}))?"
    r"_V(?P<version>\d{1,6}U?)(?:_(?P<uid>\d{1,10})(?:-(?P<telecommand>\d{1,10}))?)?\.fits",
    re.ASCII,
)
_IMAGE = re.compile(
    r"stix_L3_(?P<start>\d{8}T\d{6})-(?P<end>\d{8}T\d{6})_(?P<low>[\d.]+)-(?P<high>[\d.]+|inf)keV"
    rf"_(?P<uid>\d+)_(?P<recipe_id>[0-9a-f]{{16}})_(?P<method>{NAME})\.fits",
    re.ASCII,
)
_VERSION = re.compile(r"(\d+)(U?)", re.ASCII)


@dataclass(frozen=True)
class FileName:
    """Parts of the name of a STIX file.

    Attributes
    ----------
    name : str
        The whole name.
    level, product, version : str
        "L1", "sci-xray-cpd", "02U"; the product in lower case.
    uid : str
        Unique id of the science request, ten digits, empty where the product has none.
    start, end : datetime64[s]
        Time range in the name; for a name with a day only, that day from midnight to midnight.
    whole_day : bool
        The name has a day instead of a range.
    moment : bool
        The name has one time, which may be days after the data (2020: time of the downlink).
    """

    name: str
    level: str
    product: str
    version: str
    uid: str
    start: np.datetime64
    end: np.datetime64
    whole_day: bool
    moment: bool = False

    @property
    def kind(self) -> ProductKind | None:
        """Kind of product, or None for a product or level that the archive does not keep."""
        return kind_of_product(self.level, self.product)


@dataclass(frozen=True)
class ImageName:
    """Parts of the name of an image file: times (datetime64[s]), energies (keV), uid, recipe and method."""

    start: np.datetime64
    end: np.datetime64
    e_low: float
    e_high: float
    uid: str
    recipe_id: str
    method: str


def parse_file_name(name: str) -> FileName:
    """Parse the name of a STIX product.

    Raises
    ------
    InvalidName
        When the name does not have this form, or has a date that does not exist.
    """
    found = _PRODUCT.fullmatch(name)
    if found is None:
        message = f"{name!r} is not the name of a STIX product (solo_<level>_stix-<product>_<time>_V<version>….fits)"
        raise InvalidName(message)
    start, end = _time(name, found["start"]), found["end"]
    # early names carry the request in front, and at the end the number of the telecommand
    uid = found["early_uid"] or found["uid"] or ""
    return FileName(
        name=name,
        level=found["level"],
        product=found["product"].lower(),
        version=found["version"],
        uid=f"{int(uid):010d}" if uid else "",
        start=start,
        end=_time(name, end) if end else start + np.timedelta64(1, "D"),
        whole_day="T" not in found["start"],
        moment="T" in found["start"] and not end,
    )


def build_file_name(header: ProductHeader) -> str:
    """Name, in the present form, for a product that was renamed.

    Raises
    ------
    InvalidName
        When level or version in the header cannot be part of a name.
    """
    product = PRODUCTS[header.kind]
    if product.folder == "SCI" or header.kind in _OF_RANGES:
        when = f"{stamp(header.date_beg)}-{stamp(header.date_end)}"
    else:  # many days begin half a second before midnight
        when = stamp(header.date_beg + (header.date_end - header.date_beg) // 2)[:8]
    uid = f"_{header.request_id}" if header.request_id else ""
    name = f"solo_{header.level}_stix-{product.name}_{when}_V{header.version}{uid}.fits"
    return parse_file_name(name).name


def archive_path(name: FileName, kind: ProductKind) -> PurePosixPath:
    """Path of a file, relative to the archive: ``fits/L1/2022/11/11/SCI/<name>``.

    Daily energy calibration is in one folder, where the calibration catalogue reads it.
    """
    if kind is ProductKind.ENERGY_CALIBRATION:
        return CAL_FILES / name.name
    return PurePosixPath("fits", name.level, *_day_folders(name.start), PRODUCTS[kind].folder, name.name)


def version_rank(level: str, version: str) -> tuple[int, bool, int]:
    """Key that sorts versions from old to new: by level, then incomplete ("03U") before complete, then number.

    A "U" means that packets are missing: "03U" does not replace a complete "02". Unknown levels and versions are first.
    """
    found = _VERSION.fullmatch(version)
    number, final = (int(found[1]), not found[2]) if found else (-1, False)
    return LEVELS.index(level) if level in LEVELS else -1, final, number


def image_folder(t_start: np.datetime64, recipe_id: str) -> PurePosixPath:
    """Folder of the files of one recipe: ``images/2022/11/11/<recipe_id>``, by the day of its start."""
    return PurePosixPath("images", *_day_folders(t_start), recipe_id)


def image_name(
    t_start: np.datetime64,
    t_end: np.datetime64,
    energy: tuple[float, float],
    uid: str,
    recipe_id: str,
    method: str,
) -> str:
    """Name of an image: ``stix_L3_<start>-<end>_<e1>-<e2>keV_<uid>_<recipe_id>_<method>.fits``.

    Parameters
    ----------
    t_start, t_end : datetime64
        UTC at Solar Orbiter; the name keeps whole seconds.
    energy : (float, float)
        Lower and upper edge, keV.
    uid, recipe_id, method : str
        Method is built in or of an installed package.

    Raises
    ------
    InvalidName
        When a part is not valid in a name.
    """
    low, high = energy
    if find_method(method) is None:
        message = f"{method!r} is not a method; the methods are {', '.join(known_names())}"
        raise InvalidName(message)
    name = f"stix_L3_{stamp(t_start)}-{stamp(t_end)}_{low:.10g}-{high:.10g}keV_{uid}_{recipe_id}_{method}.fits"
    parse_image_name(name)
    return name


def mission_image_name(name: str) -> str:
    """Name that Solar Orbiter's metadata standard gives an image, for files outside an archive.

    ``solo_L3_stix-img-<method>_<start>-<end>_V01_<uid>-<e1>-<e2>kev-<recipe_id>.fits``; underscores separate the parts,
    so those of a method become hyphens.

    Parameters
    ----------
    name : str
        The name in an archive, see `image_name`.

    Raises
    ------
    InvalidName
        When that is not the name of an image.
    """
    parsed = parse_image_name(name)
    descriptor = parsed.method.replace("_", "-")
    free = f"{parsed.uid}-{parsed.e_low:.10g}-{parsed.e_high:.10g}kev-{parsed.recipe_id}"
    times = f"{stamp(parsed.start)}-{stamp(parsed.end)}"
    return f"solo_L3_stix-img-{descriptor}_{times}_V{FILE_VERSION}_{free}.fits"


def parse_image_name(name: str) -> ImageName:
    """Parse the name of an image.

    Raises
    ------
    InvalidName
        When the name does not have this form.
    """
    found = _IMAGE.fullmatch(name)
    if found is None:
        shape = "stix_L3_<start>-<end>_<e1>-<e2>keV_<uid>_<recipe_id>_<method>.fits"
        message = f"{name!r} is not the name of an image ({shape})"
        raise InvalidName(message)
    return ImageName(
        start=_time(name, found["start"]),
        end=_time(name, found["end"]),
        e_low=float(found["low"]),
        e_high=float(found["high"]),
        uid=found["uid"],
        recipe_id=found["recipe_id"],
        method=found["method"],
    )


def image_id(recipe_id: str, method: str) -> str:
    """Identity of an image: ``<recipe_id>-<method>``."""
    return f"{recipe_id}-{method}"


def spectrum_folder(t_start: np.datetime64, spectrum_id: str) -> PurePosixPath:
    """Folder of the files of one spectrum: ``spectra/2022/11/11/<spectrum_id>``, by the day of its start."""
    return PurePosixPath("spectra", *_day_folders(t_start), spectrum_id)


def regions_folder(t_start: np.datetime64, region_id: str) -> PurePosixPath:
    """Folder of the spectra of the regions of an image: ``regions/2022/11/11/<region_id>``, by the day of its start."""
    return PurePosixPath("regions", *_day_folders(t_start), region_id)


def cube_id(flare_id: str, uid: str) -> str:
    """Id of the group of image sets that are the cube of a flare in one science request: ``cube-<flare_id>-<uid>``."""
    return "-".join(part for part in ("cube", flare_id, uid) if part)


def cube_folder(t_start: np.datetime64, group_id: str) -> PurePosixPath:
    """Folder of tracks, movie and record of a cube: ``cubes/2022/11/11/<group_id>``, by the day of its preview."""
    return PurePosixPath("cubes", *_day_folders(t_start), group_id)


def skipped_run_id(uid: str, band: str, flare_id: str = "") -> str:
    """Run id of a band that was skipped or failed, 16 hex digits; stable, so that each is recorded once."""
    return hashlib.sha256(f"skipped/{uid}/{band}/{flare_id}".encode()).hexdigest()[:16]


def stamp(time: np.datetime64) -> str:
    """Time in file names, truncated to the second: ``20221111T014500``."""
    return str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")


def _day_folders(time: np.datetime64) -> list[str]:
    return str(time.astype("datetime64[D]")).split("-")


def _time(name: str, text: str) -> np.datetime64:
    """``20221111`` or ``20221111T014500`` as a time."""
    day, clock = text[:8], text[9:] or "000000"
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}"
    try:
        return np.datetime64(iso, "s")
    except ValueError:
        message = f"{name!r} contains {text}, which is not a date"
        raise InvalidName(message) from None
