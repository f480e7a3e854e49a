"""Filters of the tables: plain values, converted to SQL conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archive.index.schema import IMAGES, RunKind, RunStatus
from archive.index.sql import Conditions, select
from archive.index.terms import any_of, contains, of_fit, of_result
from stixcore.imaging.registry import known_names

#: x0, x1, y0, y1.
type Box = tuple[float, float, float, float]
#: Value of `FlareFilter.verdict` for flares without a location.
NO_LOCATION = "unknown"
#: Apparent solar radius seen from Solar Orbiter, arcsec: asin(R / d), with R = 0.00465047 au.
SOLAR_RADIUS = "(3600 * degrees(asin(0.00465047 / dsun_au)))"
_WITH_IMAGES = "best_image_thermal IS NOT NULL OR best_image_nonthermal IS NOT NULL"
#: Flares with a text in another id or in the SOL identifier, which is in capitals.
_NAMED = "flare_id IN (SELECT flare_id FROM flares WHERE contains(other_ids, ?) OR contains(sol_id, ?))"
#: Science files whose purpose has another id of the flare with some id.
_FOR_FLARE = (
    "len(list_filter((SELECT any_value(string_split(other_ids, ' ')) FROM flares WHERE flare_id = ?), "
    "lambda other: contains(purpose, other))) > 0"
)
#: Net counts of a run, ct.
NET_COUNTS_OF_RUN = "counts_total - coalesce(counts_background, 0)"
_NET_COUNTS = f"recipe_id IN (SELECT run_id FROM runs WHERE {NET_COUNTS_OF_RUN} >= ?)"  # noqa: S608 (a constant)


@dataclass(frozen=True, kw_only=True)
class ImageFilter:
    """Filter of images; None and empty values match any.

    Attributes
    ----------
    t_start, t_end : datetime64
        Images whose time range overlaps this one, UTC at Solar Orbiter.
    uid, recipe_id, author : str
        Exact values.
    flare_id : str
        Id of a flare, or one of its other ids.
    recipe_ids, methods : tuple of str
        Any of these.
    e_low, e_high : float
        Images whose energy range overlaps this one, keV.
    goes_min, goes_max : float
        Measured GOES flux of the flare, W m⁻²; the lower limit is included.
    estimated_min, estimated_max : float
        GOES flux of the flare estimated from STIX data, W m⁻²; the lower limit is included.
    x_min, x_max, y_min, y_max : float
        Box around the peak, helioprojective, arcsec.
    counts_min : float
        Counts above background in the selection of the recipe, ct.
    trusted, simulated : bool
    verdict_position, verdict_flux, verdict_shape : str
        "trusted" or "doubtful"; older images without verdicts match neither.
    automatic : bool
        Made by the previews (True) or requested by a user (False).
    grouped : bool
        In a group of image sets, such as the cube of a flare (True), or single (False).
    group_id : str
        Exact value.
    ids : tuple of str
        Any of these images.
    text : str
        Part of uid, image id, flare id, another id of the flare or its SOL identifier.
    viewer : str
        Include the hidden images of this user.
    all_hidden : bool
        Include all hidden images, for operators.
    """

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    uid: str | None = None
    flare_id: str | None = None
    recipe_id: str | None = None
    author: str | None = None
    recipe_ids: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    e_low: float | None = None
    e_high: float | None = None
    goes_min: float | None = None
    goes_max: float | None = None
    estimated_min: float | None = None
    estimated_max: float | None = None
    x_min: float | None = None
    x_max: float | None = None
    y_min: float | None = None
    y_max: float | None = None
    counts_min: float | None = None
    trusted: bool | None = None
    verdict_position: str | None = None
    verdict_flux: str | None = None
    verdict_shape: str | None = None
    simulated: bool | None = None
    automatic: bool | None = None
    grouped: bool | None = None
    group_id: str | None = None
    ids: tuple[str, ...] = ()
    text: str = ""
    viewer: str | None = None
    all_hidden: bool = False

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions on images."""
        return self._of_one_image & Conditions.of(
            *_of_image_set(self),
            ("recipe_id = ?", self.recipe_id),
            (any_of("recipe_id", self.recipe_ids), self.recipe_ids or None),
            *_of_energy(self),
            (_NET_COUNTS, self.counts_min),
            (f"author {'=' if self.automatic else '<>'} ?", None if self.automatic is None else str(RunKind.AUTO)),
            _contains_text(self.text) if self.text else ("true", None),
        )

    @property
    def set_conditions(self) -> Conditions:
        """The filter as SQL conditions on runs: image sets that contain a matching image."""
        one = self._of_one_image
        if "-" in self.text:  # a piece of an image id, which runs do not have
            one = one & Conditions.of(_contains_text(self.text))
        images = select("recipe_id", IMAGES.name, one.where)
        text = self.text if "-" not in self.text else ""
        return Conditions.of(
            *_of_image_set(self),
            ("status = ?", str(RunStatus.DONE)),
            ("run_id = ?", self.recipe_id),
            (any_of("run_id", self.recipe_ids), self.recipe_ids or None),
            *_of_energy(self),
            (f"{NET_COUNTS_OF_RUN} >= ?", self.counts_min),
            (f"author {'=' if self.automatic else '<>'} ?", None if self.automatic is None else str(RunKind.AUTO)),
            (f"{contains('run_id', 'uid', 'flare_id')} OR {_NAMED}", (*(text,) * 4, text.upper()) if text else None),
            (f"run_id IN ({images})", one.values if one.terms else None),
        )

    @property
    def _of_one_image(self) -> Conditions:
        """Conditions on what differs between the images of a set."""
        return Conditions.of(
            (any_of("method", self.methods), self.methods or None),
            ("goes_flux >= ?", self.goes_min),
            ("goes_flux < ?", self.goes_max),
            ("goes_estimated_flux >= ?", self.estimated_min),
            ("goes_estimated_flux < ?", self.estimated_max),
            ("peak_hpc_x >= ?", self.x_min),
            ("peak_hpc_x <= ?", self.x_max),
            ("peak_hpc_y >= ?", self.y_min),
            ("peak_hpc_y <= ?", self.y_max),
            ("trusted = ?", self.trusted),
            ("verdict_position = ?", self.verdict_position),
            ("verdict_flux = ?", self.verdict_flux),
            ("verdict_shape = ?", self.verdict_shape),
            ("image_id IN (SELECT unnest(?))", list(self.ids) or None),
        )


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """Filter of runs; None and empty match any. Attributes as `ImageFilter`, with ``statuses``, ``kind``, ``band``."""

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    uid: str | None = None
    flare_id: str | None = None
    author: str | None = None
    band: str | None = None
    kind: str | None = None
    statuses: tuple[str, ...] = ()
    grouped: bool | None = None
    group_id: str | None = None
    simulated: bool | None = None
    text: str = ""
    viewer: str | None = None
    all_hidden: bool = False

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        return Conditions.of(
            *_of_image_set(self),
            ("band = ?", self.band),
            ("kind = ?", self.kind),
            (any_of("status", self.statuses), self.statuses or None),
            (contains("run_id", "uid", "flare_id"), (self.text,) * 3 if self.text else None),
        )


@dataclass(frozen=True, kw_only=True)
class ScienceFilter:
    """Filter of science files; None and empty values match any.

    Attributes
    ----------
    t_start, t_end : datetime64
        Files whose time range overlaps this one, UTC at Solar Orbiter.
    product, uid : str
        Exact values.
    is_background, simulated : bool
    min_duration_s : float
        s
    e_low, e_high : float
        Files whose channels cover this range, keV.
    text : str
        Part of file name or purpose; case is ignored. An id of the flare list also finds files with another id of this
        flare in their purpose.
    superseded : bool
        Include files that have a newer version.
    """

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    product: str | None = None
    uid: str | None = None
    is_background: bool | None = None
    simulated: bool | None = None
    min_duration_s: float | None = None
    e_low: float | None = None
    e_high: float | None = None
    text: str = ""
    superseded: bool = False

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        return Conditions.of(
            ("t_end > ?", self.t_start),
            ("t_start < ?", self.t_end),
            ("product = ?", self.product),
            ("uid = ?", self.uid),
            ("is_background = ?", self.is_background),
            ("simulated = ?", self.simulated),
            ("duration_s >= ?", self.min_duration_s),
            ("e_low <= ?", self.e_low),
            ("e_high >= ?", self.e_high),
            (
                f"{contains('lower(name)', 'lower(purpose)')} OR {_FOR_FLARE}",
                (*(self.text.lower(),) * 2, self.text) if self.text else None,
            ),
            ("superseded_by IS NULL", None if self.superseded else ()),
        )


@dataclass(frozen=True, kw_only=True)
class FlareFilter:
    """Filter of flares; None and empty values match any. A flare whose value is unknown matches no limit on it.

    Attributes
    ----------
    t_start, t_end : datetime64
        Flares whose peak is in this range, UTC at Solar Orbiter.
    goes_min, goes_max : float
        Measured GOES flux at the peak, W m⁻²; the lower limit is included.
    class_min : float
        GOES flux at the peak, measured or else estimated from STIX data, W m⁻²; included.
    estimated_min, estimated_max : float
        GOES flux estimated from STIX data, W m⁻²; the lower limit is included. Estimates with and without the Sun's
        background are compared as they are.
    temperature_min, temperature_max : float
        Temperature from the fit of the spectrum, MK; both limits are included.
    delta_min, delta_max : float
        Spectral index δ of the electrons, from the fit; both limits are included.
    verdict : str
        "trusted" or "doubtful" location; "unknown" for flares without one.
    earth_visible : bool
        Visible from the Earth.
    has_images : bool
        With a best image in one of the bands (True), or in none (False).
    x_min, x_max, y_min, y_max : float
        Box around the location, helioprojective seen from Solar Orbiter, arcsec.
    disk_box, earth_box, carrington_box : (float, float, float, float)
        Box (x0, x1, y0, y1) around the location: seen from Solar Orbiter, in units of the apparent solar radius; seen
        from the Earth, arcsec; Carrington longitude and heliographic latitude, deg.
    simulated : bool
    text : str
        Part of the flare id, of another id, or of the SOL identifier.
    """

    t_start: np.datetime64 | None = None
    t_end: np.datetime64 | None = None
    goes_min: float | None = None
    goes_max: float | None = None
    estimated_min: float | None = None
    estimated_max: float | None = None
    temperature_min: float | None = None
    temperature_max: float | None = None
    delta_min: float | None = None
    delta_max: float | None = None
    verdict: str | None = None
    earth_visible: bool | None = None
    has_images: bool | None = None
    x_min: float | None = None
    x_max: float | None = None
    y_min: float | None = None
    y_max: float | None = None
    disk_box: Box | None = None
    earth_box: Box | None = None
    carrington_box: Box | None = None
    simulated: bool | None = None
    class_min: float | None = None
    text: str = ""

    @property
    def conditions(self) -> Conditions:
        """The filter as SQL conditions."""
        unknown = self.verdict == NO_LOCATION
        images = {True: _WITH_IMAGES, False: f"NOT ({_WITH_IMAGES})"}
        return Conditions.of(
            ("t_peak >= ?", self.t_start),
            ("t_peak < ?", self.t_end),
            ("goes_flux >= ?", self.goes_min),
            ("goes_flux < ?", self.goes_max),
            ("coalesce(goes_flux, goes_estimated_flux) >= ?", self.class_min),
            ("goes_estimated_flux >= ?", self.estimated_min),
            ("goes_estimated_flux < ?", self.estimated_max),
            *of_fit(self),
            ("location_verdict = ?", None if unknown else self.verdict),
            ("location_verdict IS NULL", () if unknown else None),
            ("earth_visible = ?", self.earth_visible),
            (images[bool(self.has_images)], None if self.has_images is None else ()),
            ("hpc_x >= ?", self.x_min),
            ("hpc_x <= ?", self.x_max),
            ("hpc_y >= ?", self.y_min),
            ("hpc_y <= ?", self.y_max),
            (_in_box(f"hpc_x / {SOLAR_RADIUS}", f"hpc_y / {SOLAR_RADIUS}"), self.disk_box),
            (_in_box("earth_x", "earth_y"), self.earth_box),
            (_in_box("carrington_lon", "stonyhurst_lat"), self.carrington_box),
            ("simulated = ?", self.simulated),
            (
                contains("flare_id", "other_ids", "sol_id"),
                (self.text, self.text, self.text.upper()) if self.text else None,
            ),
        )


def _in_box(x: str, y: str) -> str:
    return f"{x} BETWEEN ? AND ? AND {y} BETWEEN ? AND ?"


def _of_image_set(chosen: ImageFilter | RunFilter) -> tuple[tuple[str, Any], ...]:
    """Conditions that images and runs share."""
    return (
        *of_result(chosen),
        (f"group_id IS {'NOT ' if chosen.grouped else ''}NULL", None if chosen.grouped is None else ()),
        ("group_id = ?", chosen.group_id),
    )


def _of_energy(chosen: ImageFilter) -> tuple[tuple[str, Any], ...]:
    return ("e_high > ?", chosen.e_low), ("e_low < ?", chosen.e_high)


def _contains_text(text: str) -> tuple[str, tuple[str, ...]]:
    """Condition that selects images whose uid, image id, flare id or another name of their flare contains a text.

    The image id is recipe id, hyphen and method. These are compared separately, because reading the image id takes
    three times as long as reading the recipe id.
    """
    parts: list[tuple[str, tuple[str, ...]]] = [
        ("contains(uid, ?)", (text,)),
        ("contains(flare_id, ?)", (text,)),
        ("contains(recipe_id, ?)", (text,)),
        (_NAMED, (text, text.upper())),
    ]
    methods = tuple(method for method in known_names() if text in method)
    if methods:
        parts.append((any_of("method", methods), methods))
    for place in (place for place, sign in enumerate(text) if sign == "-"):  # across the hyphen
        begun = tuple(method for method in known_names() if method.startswith(text[place + 1 :]))
        if begun:
            parts.append((f"suffix(recipe_id, ?) AND {any_of('method', begun)}", (text[:place], *begun)))
    return " OR ".join(f"({term})" for term, _ in parts), tuple(value for _, values in parts for value in values)
