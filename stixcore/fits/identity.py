"""Identify the product of a file from the service types in its header, or from its name where it has none.

`stixcore.fits.read` uses this table of products for opened files and `archive.layout` for file names, so that both give
the same result. Service types are those of the STIXCore product classes; old names are those of files of 2020 to 2022.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stixcore.fits.spec import ProductKind

#: Levels with times in UTC. L0 and low latency (LL01 …) use on-board time and are not for science.
LEVELS = ("L1A", "L1", "L2", "L3", "ANC", "CAL")
#: Beginning of every name: level, product, and in names before 2023 the request id.
NAME_BEGIN = (
    r"solo_(?P<level>[A-Z][A-Z0-9]{1,3})"
    r"_stix-(?P<product>[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*?)(?:-(?P<early_uid>\d{5,10}))?_"
)


@dataclass(frozen=True)
class Product:
    """How to recognize one kind of product.

    Attributes
    ----------
    kind : ProductKind
    name : str
        Product part of current file names.
    services : tuple of (int, int, int)
        STYPE, SSTYPE, SSID of the primary header.
    folder : str
        Folder within a day in the public archive.
    older : tuple of str
        Product parts of earlier file names, lower case.
    levels : tuple of str
        Levels at which these service types and names mean this kind.
    """

    kind: ProductKind
    name: str
    services: tuple[tuple[int, int, int], ...]
    folder: str
    older: tuple[str, ...] = ()
    levels: tuple[str, ...] = LEVELS


_BELOW_CAL = tuple(level for level in LEVELS if level != "CAL")
_LISTS = ("flarelist-sdc", "flarelist-sdcloc", "flarelist-sdclocimg", "flarelist-sc", "flarelist-scloc")

PRODUCTS: dict[ProductKind, Product] = {
    product.kind: product
    for product in (
        Product(ProductKind.PIXEL_DATA, "sci-xray-cpd", ((21, 6, 21),), "SCI", ("sci-xray-l1",)),
        Product(ProductKind.RAW_PIXEL_DATA, "sci-xray-rpd", ((21, 6, 20),), "SCI", ("sci-xray-l0",)),
        Product(ProductKind.SUMMED_PIXEL_DATA, "sci-xray-scpd", ((21, 6, 22),), "SCI", ("sci-xray-l2",)),
        Product(ProductKind.VISIBILITIES, "sci-xray-vis", ((21, 6, 23),), "SCI", ("sci-xray-l3",)),
        Product(
            ProductKind.SPECTROGRAM,
            "sci-xray-spec",
            ((21, 6, 24),),
            "SCI",
            ("sci-xray-l4", "sci-spectrogram", "sci-xray-spectrogram"),
        ),
        Product(ProductKind.LIGHT_CURVE, "ql-lightcurve", ((21, 6, 30),), "QL"),
        Product(ProductKind.BACKGROUND_MONITOR, "ql-background", ((21, 6, 31),), "QL"),
        Product(ProductKind.QUICKLOOK_SPECTRA, "ql-spectra", ((21, 6, 32),), "QL"),
        Product(ProductKind.VARIANCE, "ql-variance", ((21, 6, 33),), "QL"),
        Product(ProductKind.FLARE_FLAGS, "ql-flareflag", ((21, 6, 34),), "QL"),
        Product(ProductKind.ONBOARD_FLARES, "ql-tmstatusflarelist", ((21, 6, 43),), "QL", ("ql-ql-tmstatusflarelist",)),
        Product(
            ProductKind.CALIBRATION_SPECTRA,
            "cal-energy",
            ((21, 6, 41),),
            "CAL",
            ("ql-calibration-spectrum",),
            levels=_BELOW_CAL,
        ),
        Product(ProductKind.ENERGY_CALIBRATION, "cal-energy", ((21, 6, 41),), "CAL", levels=("CAL",)),
        Product(ProductKind.ASPECT, "asp-ephemeris", ((0, 0, 1),), "AUX", ("aux-ephemeris",)),
        Product(ProductKind.ASPECT_BURST, "sci-aspect-burst", ((21, 6, 42),), "SCI"),
        Product(ProductKind.HOUSEKEEPING_MINI, "hk-mini", ((3, 25, 1),), "HK"),
        Product(ProductKind.HOUSEKEEPING, "hk-maxi", ((3, 25, 2),), "HK"),
        Product(
            ProductKind.FLARE_LIST,
            "flarelist-sdcloc",
            tuple((0, 0, ssid) for ssid in (2, 3, 4, 6, 7, 8)),
            "FLARELIST",
            (*_LISTS, "flarelist-sclocimg"),
        ),
    )
}

_NAME = re.compile(NAME_BEGIN, re.ASCII)
#: The supplement of a request has the same product.
_SUPPLEMENT = re.compile(r"-sup\d+$", re.ASCII)


def kind_of_header(header: Mapping[str, object]) -> ProductKind | None:
    """Kind of product from the service types of a primary header.

    Returns
    -------
    ProductKind or None
        None when no product in this package has these service types and this level.

    Raises
    ------
    KeyError
        When the header has no service types, as before 2022.
    """
    services = tuple(header[key] for key in ("STYPE", "SSTYPE", "SSID"))
    if any(value in (None, "") for value in services):
        message = "no service types"
        raise KeyError(message)
    level = str(header.get("LEVEL", "")).strip()
    return next((one.kind for one in PRODUCTS.values() if services in one.services and level in one.levels), None)


def kind_of_product(level: str, product: str) -> ProductKind | None:
    """Kind of product from level and product part of a name, in any case; None for an unknown product."""
    name = _SUPPLEMENT.sub("", product.lower())
    found = (one.kind for one in PRODUCTS.values() if name in (one.name, *one.older) and level in one.levels)
    return next(found, None)


def kind_of_name(name: str) -> ProductKind | None:
    """Kind of product from a file name; None for other names."""
    found = _NAME.match(name)
    return kind_of_product(found["level"], found["product"]) if found else None
