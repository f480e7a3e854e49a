"""Layout of each product: extensions, columns, and their current and former names.

The reader and the archive's checks use it. The layouts are those of real files of every generation (2020-2026).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProductKind(StrEnum):
    """Kinds of file that this package can read; the values are the product part of current file names.

    ``cal-energy`` exists twice: as calibration spectra at level L1 (here ``cal-spectra``), and as gain and offset at
    level CAL.
    """

    PIXEL_DATA = "sci-xray-cpd"
    RAW_PIXEL_DATA = "sci-xray-rpd"
    SUMMED_PIXEL_DATA = "sci-xray-scpd"
    VISIBILITIES = "sci-xray-vis"
    SPECTROGRAM = "sci-xray-spec"
    LIGHT_CURVE = "ql-lightcurve"
    BACKGROUND_MONITOR = "ql-background"
    QUICKLOOK_SPECTRA = "ql-spectra"
    VARIANCE = "ql-variance"
    FLARE_FLAGS = "ql-flareflag"
    ONBOARD_FLARES = "ql-tmstatusflarelist"
    CALIBRATION_SPECTRA = "cal-spectra"
    ENERGY_CALIBRATION = "cal-energy"
    ASPECT = "asp-ephemeris"
    ASPECT_BURST = "sci-aspect-burst"
    HOUSEKEEPING_MINI = "hk-mini"
    HOUSEKEEPING = "hk-maxi"
    FLARE_LIST = "flarelist"


#: Kinds with counts per detector and pixel, from which images are made.
IMAGEABLE = (ProductKind.PIXEL_DATA, ProductKind.RAW_PIXEL_DATA, ProductKind.SUMMED_PIXEL_DATA)


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
_PIXELS = _TIME | {
    "counts": Column(("counts",)),  # per row (32, n_pixel, n_channel)
    "counts_err": Column(("counts_comp_err", "counts_err"), required=False),  # compression error only
    "triggers": Column(("triggers",)),  # per row (16,)
    "triggers_err": Column(("triggers_comp_err", "triggers_err"), required=False),
    "rcr": Column(("rcr",), required=False),  # in CONTROL otherwise
    "pixel_masks": Column(("pixel_masks",)),  # (12,), or pixel set × pixel: (4, 12), and (12, 12) in L1A
    "detector_masks": Column(("detector_masks",)),
}


def _table(kind: ProductKind, *required: str, optional: tuple[str, ...] = ()) -> ProductSpec:
    """Specification of a table of rows over time, with these columns."""
    own = {name: Column((name,)) for name in required} | {name: Column((name,), required=False) for name in optional}
    return ProductSpec(kind, ("DATA",), _TIME | own)


SPECS: dict[ProductKind, ProductSpec] = {
    spec.kind: spec
    for spec in (
        ProductSpec(ProductKind.PIXEL_DATA, ("CONTROL", "DATA", "ENERGIES"), _PIXELS),
        ProductSpec(ProductKind.RAW_PIXEL_DATA, ("CONTROL", "DATA", "ENERGIES"), _PIXELS),
        ProductSpec(ProductKind.SUMMED_PIXEL_DATA, ("CONTROL", "DATA", "ENERGIES"), _PIXELS),
        ProductSpec(
            ProductKind.VISIBILITIES,
            ("CONTROL", "DATA", "ENERGIES"),
            _TIME
            | {
                "flux": Column(("flux",)),  # per row (n_channel,)
                "detector_masks": Column(("detector_masks",)),
                "rcr": Column(("rcr",), required=False),
                "visibility": Column(("visibility",), required=False),  # 2020: complex, (32, n_channel)
                "real": Column(("real",), required=False),
                "imaginary": Column(("imaginary",), required=False),
            },
        ),
        ProductSpec(
            ProductKind.SPECTROGRAM,
            ("CONTROL", "DATA", "ENERGIES"),
            _TIME
            | {
                "counts": Column(("counts",)),
                "counts_err": Column(("counts_comp_err", "counts_err"), required=False),
                "triggers": Column(("triggers",)),
                "triggers_err": Column(("triggers_comp_err", "triggers_err"), required=False),
                "rcr": Column(("rcr",), required=False),  # in CONTROL otherwise
                "pixel_masks": Column(("pixel_masks",), required=False),  # in CONTROL otherwise
                "detector_masks": Column(("detector_masks",), required=False),
            },
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
                "stonyhurst": Column(("solo_loc_carrington_lonlat",)),  # its longitude is Stonyhurst, despite the name
                "distance": Column(("solo_loc_carrington_dist",)),
                "heeq": Column(("solo_loc_heeq_zxy",)),
                "attitude": Column(("roll_angle_rpy",)),
            },
        ),
        _table(ProductKind.BACKGROUND_MONITOR, "counts", "triggers"),
        _table(ProductKind.QUICKLOOK_SPECTRA, "detector_index", "spectra", "triggers"),
        _table(ProductKind.VARIANCE, "variance"),
        _table(ProductKind.FLARE_FLAGS, "loc_z", "loc_y", "thermal_index", "non_thermal_index"),
        _table(ProductKind.ONBOARD_FLARES, "start_scet_coarse", "end_scet_coarse", "highest_flareflag"),
        _table(ProductKind.CALIBRATION_SPECTRA, "counts"),
        _table(ProductKind.ENERGY_CALIBRATION, "offset", "gain", "e_edges_actual"),
        _table(ProductKind.ASPECT_BURST, "cha_diode0", "cha_diode1", "chb_diode0", "chb_diode1"),
        _table(ProductKind.HOUSEKEEPING_MINI),
        _table(ProductKind.HOUSEKEEPING),
        ProductSpec(ProductKind.FLARE_LIST, ("DATA",), {"time": Column(("peak_UTC",)), "flare": Column(("flare_id",))}),
    )
}

#: Header keywords of the observer that are copied from the science file to every image.
EPHEMERIS_KEYWORDS: tuple[str, ...] = (
    "RSUN_ARC", "HGLT_OBS", "HGLN_OBS", "CRLT_OBS", "CRLN_OBS", "DSUN_OBS",
    "HEEX_OBS", "HEEY_OBS", "HEEZ_OBS", "HCIX_OBS", "HCIY_OBS", "HCIZ_OBS", "HCIX_VOB", "HCIY_VOB", "HCIZ_VOB",
    "HAEX_OBS", "HAEY_OBS", "HAEZ_OBS", "HEQX_OBS", "HEQY_OBS", "HEQZ_OBS", "GSEX_OBS", "GSEY_OBS", "GSEZ_OBS",
    "OBS_VR", "EAR_TDEL", "SUN_TIME", "SPICE_MK",
)  # fmt: skip
#: Keywords among them that are text.
EPHEMERIS_TEXTS = frozenset({"SPICE_MK"})
#: Keywords of the plan of the observation that are copied from the science file to every image.
PLANNING_KEYWORDS: tuple[str, ...] = ("SOOPTYPE", "SOOPNAME", "OBS_ID", "OBS_MODE", "TARGET")
#: What files write there for an unknown value; "obs_id" is in all files of 2020 to 2022.
PLANNING_BLANKS = frozenset({"", "none", "obs_id"})
