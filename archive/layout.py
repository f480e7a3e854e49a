"""Names and places: file names of every generation, paths inside the archive, which version is newer.

Everything here is text and dates; no file is opened. Names were collected from files of 2020 to 2026:

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
from stixcore.imaging.reconstruction import Method

#: Methods of an image, in the order pages show them. A suffix of a file name never changes its meaning.
METHODS = tuple(str(method) for method in Method)

#: Parquet files of a table; a file that is being written beside them has another name.
PARTITIONS = "[0-9][0-9][0-9][0-9]-[0-9][0-9].parquet"

#: Folder of the daily energy calibration (level CAL) inside an archive.
CAL_FILES = PurePosixPath("calibration", "cal")

#: Products outside SCI whose names carry a range.
_OF_RANGES = (ProductKind.ENERGY_CALIBRATION, ProductKind.FLARE_LIST)

#: From early to official: of two files with the same content the one of the later level counts.
LEVELS = ("L0", "L1A", "L1", "L2", "ANC", "CAL", "L3")

_PRODUCT = re.compile(
    NAME_BEGIN + r"(?P<start>\d{8}(?:T\d{6})?)(?:-(?P<end>\d{8}T\d{6}))?(?:_(?P<serial>\d{1,10}))?"
    r"_V(?P<version>\d{1,6}U?)(?:_(?P<uid>\d{1,10})(?:-(?P<telecommand>\d{1,10}))?)?\.fits",
    re.ASCII,
)
_IMAGE = re.compile(
    r"stix_L3_(?P<start>\d{8}T\d{6})-(?P<end>\d{8}T\d{6})_(?P<low>[\d.]+)-(?P<high>[\d.]+|inf)keV"
    rf"_(?P<uid>\d+)_(?P<recipe_id>[0-9a-f]{{16}})_(?P<method>{'|'.join(METHODS)})\.fits",
    re.ASCII,
)
_VERSION = re.compile(r"(\d+)(U?)", re.ASCII)


@dataclass(frozen=True)
class FileName:
    """What the name of a STIX file says.

    Attributes
    ----------
    name : str
        The whole name.
    level, product, version : str
        "L1", "sci-xray-cpd", "02U"; the product in lower case.
    uid : str
        Unique id of the science request, ten digits, empty where the product has none.
    start, end : datetime64[s]
        Range in the name; a name with a day alone has that midnight and the next.
    whole_day : bool
        The name holds a day, no range.
    moment : bool
        The name holds one moment, which may be days after the data (2020: when they came down).
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
    """What the name of an image file says: times (datetime64[s]), energies (keV), uid, recipe and method."""

    start: np.datetime64
    end: np.datetime64
    e_low: float
    e_high: float
    uid: str
    recipe_id: str
    method: str


def parse_file_name(name: str) -> FileName:
    """Take the name of a STIX product apart.

    Raises
    ------
    InvalidName
        When the name is not built like one, or holds a date that does not exist.
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
    """Name, in today's style, for a product that came under a name of its owner's invention.

    Raises
    ------
    InvalidName
        When the header has no level or version that a name could carry.
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
    """Place of a file, relative to the archive: ``fits/L1/2022/11/11/SCI/<name>``.

    Daily energy calibration has one place, where the catalogue looks for it.
    """
    if kind is ProductKind.ENERGY_CALIBRATION:
        return CAL_FILES / name.name
    return PurePosixPath("fits", name.level, *_day_folders(name.start), PRODUCTS[kind].folder, name.name)


def version_rank(level: str, version: str) -> tuple[int, bool, int]:
    """Key that sorts versions from old to new: level first; incomplete ones ("03U") before complete ones; then number.

    A file with a "U" lacks packets: "03U" does not replace a complete "02". Unknown levels and versions come first.
    """
    found = _VERSION.fullmatch(version)
    number, final = (int(found[1]), not found[2]) if found else (-1, False)
    return LEVELS.index(level) if level in LEVELS else -1, final, number


def image_folder(t_start: np.datetime64, recipe_id: str) -> PurePosixPath:
    """Folder of everything one recipe makes: ``images/2022/11/11/<recipe_id>``, by the day of its start."""
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
        Method is one of `METHODS`.

    Raises
    ------
    InvalidName
        When a part is not what the name needs.
    """
    low, high = energy
    name = f"stix_L3_{stamp(t_start)}-{stamp(t_end)}_{low:.10g}-{high:.10g}keV_{uid}_{recipe_id}_{method}.fits"
    parse_image_name(name)
    return name


def parse_image_name(name: str) -> ImageName:
    """Take the name of an image apart.

    Raises
    ------
    InvalidName
        When the name is not built like one.
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


def skipped_run_id(uid: str, band: str, flare_id: str = "") -> str:
    """Identity of a recorded skip, 16 hex digits like a recipe's: however often it is met, it is recorded once."""
    return hashlib.sha256(f"skipped/{uid}/{band}/{flare_id}".encode()).hexdigest()[:16]


def stamp(time: np.datetime64) -> str:
    """Time as names carry it, cut to the second: ``20221111T014500``."""
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
        message = f"{name!r} holds {text}, which is no date"
        raise InvalidName(message) from None
