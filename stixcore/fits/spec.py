"""What each product looks like on disk, as data: extensions, columns, and their names over the years.

The reader and the archive's checker share it. Layouts were taken from real files of every generation (2020-2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProductKind(StrEnum):
    """Kinds of file this package can read; the values are the product part of the file name."""

    PIXEL_DATA = "sci-xray-cpd"
    SPECTROGRAM = "sci-xray-spec"
    LIGHT_CURVE = "ql-lightcurve"
    ASPECT = "asp-ephemeris"


@dataclass(frozen=True)
class Column:
    """One column of the DATA extension.

    Attributes
    ----------
    names : tuple of str
        Accepted spellings, newest first.
    required : bool
    """

    names: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class ProductSpec:
    """Extensions and DATA columns of one kind of product."""

    kind: ProductKind
    extensions: tuple[str, ...]
    columns: dict[str, Column]


_TIME = {"time": Column(("time",)), "timedel": Column(("timedel",))}

SPECS: dict[ProductKind, ProductSpec] = {
    spec.kind: spec
    for spec in (
        ProductSpec(
            ProductKind.PIXEL_DATA,
            ("CONTROL", "DATA", "ENERGIES"),
            _TIME
            | {
                "counts": Column(("counts",)),  # per row (32, n_pixel, n_channel)
                "counts_err": Column(("counts_comp_err", "counts_err"), required=False),  # compression error only
                "triggers": Column(("triggers",)),  # per row (16,)
                "triggers_err": Column(("triggers_comp_err", "triggers_err"), required=False),
                "rcr": Column(("rcr",)),
                "pixel_masks": Column(("pixel_masks",)),  # (12,), or (12, 12) = pixel set × pixel in L1A
                "detector_masks": Column(("detector_masks",)),
            },
        ),
        ProductSpec(
            ProductKind.SPECTROGRAM,
            ("CONTROL", "DATA", "ENERGIES"),
            _TIME | {"counts": Column(("counts",)), "triggers": Column(("triggers",)), "rcr": Column(("rcr",))},
        ),
        ProductSpec(
            ProductKind.LIGHT_CURVE,
            ("DATA", "ENERGIES"),
            _TIME
            | {
                "counts": Column(("counts",)),  # per row (5,)
                "counts_err": Column(("counts_comp_err", "counts_err"), required=False),
                "triggers": Column(("triggers",)),
                "rcr": Column(("rcr",)),
            },
        ),
        ProductSpec(
            ProductKind.ASPECT,
            ("DATA",),
            {
                "time": Column(("time",)),
                "spice_disc_size": Column(("spice_disc_size",)),
                "y_srf": Column(("y_srf",)),
                "z_srf": Column(("z_srf",)),
                "sas_ok": Column(("sas_ok",), required=False),  # absent before the file was renamed to ANC
                "carrington": Column(("solo_loc_carrington_lonlat",)),
                "distance": Column(("solo_loc_carrington_dist",)),
                "heeq": Column(("solo_loc_heeq_zxy",)),
                "attitude": Column(("roll_angle_rpy",)),
            },
        ),
    )
}

#: Header keywords of the observer that travel from the science file into every image.
EPHEMERIS_KEYWORDS: tuple[str, ...] = (
    "RSUN_ARC", "HGLT_OBS", "HGLN_OBS", "CRLT_OBS", "CRLN_OBS", "DSUN_OBS",
    "HEEX_OBS", "HEEY_OBS", "HEEZ_OBS", "HCIX_OBS", "HCIY_OBS", "HCIZ_OBS", "HCIX_VOB", "HCIY_VOB", "HCIZ_VOB",
    "HAEX_OBS", "HAEY_OBS", "HAEZ_OBS", "HEQX_OBS", "HEQY_OBS", "HEQZ_OBS", "GSEX_OBS", "GSEY_OBS", "GSEZ_OBS",
    "OBS_VR", "EAR_TDEL", "SUN_TIME", "SPICE_MK",
)  # fmt: skip
#: Those of them that are no numbers.
EPHEMERIS_TEXTS = frozenset({"SPICE_MK"})
