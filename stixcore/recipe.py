"""The Recipe: everything that determines an image, frozen, and nothing else.

The preview job, the form and the command line make recipes; one function (`stixcore.reconstruct.reconstruct`) runs
them. The same recipe gives the same id and the same pixels. Every image file, the index and every generated script
contain it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from stixcore import notebook
from stixcore.calibration.energy import EdgeCorrection
from stixcore.calibration.grids import AmplitudeScheme
from stixcore.coordinates import Pointing, PointingSource
from stixcore.errors import SelectionError
from stixcore.fits.windows import WindowRule
from stixcore.imaging.declaration import Package, StoredParameters
from stixcore.imaging.ensemble import MAX_MEMBERS
from stixcore.imaging.grid import PIXEL_LIMITS, ImageGrid
from stixcore.imaging.methods import MethodParameters, default_parameters
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.registry import built_in, package_of
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet, detector_indices
from stixcore.recipe_format import LATER_PARAMETERS, read_document
from stixcore.references import CalibrationReference, FileReference, TableReference, sha256_of
from stixcore.times import format_time, parse_time

__all__ = [
    "RECIPE_VERSION",
    "SINCE_VERSION_2",
    "CalibrationReference",
    "FileReference",
    "Location",
    "Recipe",
    "TableReference",
    "format_time",
    "parse_time",
    "sha256_of",
]

#: Version of new recipes. Recipes of version 1 are still read, with the same id and the same pixels; they do not name
#: their calibration.
RECIPE_VERSION = 2


@dataclass(frozen=True)
class Location:
    """Where the map is centred.

    Attributes
    ----------
    x, y : float, arcsec
        Helioprojective, as seen from Solar Orbiter.
    found_by : str
        "full_disk_bp" (brightest point of the full-disk map), "given" (by the user), …
    """

    x: float
    y: float
    found_by: str

    @classmethod
    def given(cls, x: float, y: float) -> Location:
        """Location that the user gave."""
        return cls(float(x), float(y), "given")


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a set of images.

    Attributes
    ----------
    science : FileReference
    background : FileReference or None
    aspect : tuple of FileReference
        Auxiliary files that the pointing was taken from; empty when it was assumed or given.
    pointing : Pointing
        The pointing that is applied.
    time_range : (str, str)
        ISO 8601 UTC at Solar Orbiter, milliseconds.
    energy_range : (float, float), keV
    location : Location
        Centre of the map, and the position at which the grid transmission is evaluated.
    location_energy : (float, float), keV
        Energy band of the full-disk map.
    methods : mapping of Method to its parameters
    subcollimators : tuple of str
    pixel_set, amplitude_scheme, edge_correction
        See the enums.
    shape : (ny, nx); pixel : float, arcsec
    calibration : CalibrationReference or None
        None in recipes of version 1, which use the tables of their time.
    shift_bins : bool
        Whether counts are moved one time bin earlier (files before 2021-12-09 14:00 UTC).
    window_rule : WindowRule
        How the time range is converted to whole bins. Recipes without this key date from when ranges grew outward.
    background_range : (str, str) or None
        Part of the background file to use, in the format of ``time_range``; None for the whole file.
    ensemble : int
        Simulated copies of the data per method, for uncertainty maps and error bars; 0 for none.
    seed : int
        Seed of their noise; 0 without copies.
    packages : mapping of Method to Package
        The package of each method that is not built in; by default the installed one. Pixels depend on its version.
    version : int
        Version of the JSON format.

    Raises
    ------
    SelectionError
        When a value is outside what the instrument or the grid allows.
    """

    science: FileReference
    background: FileReference | None
    aspect: tuple[FileReference, ...]
    pointing: Pointing
    time_range: tuple[str, str]
    energy_range: tuple[float, float]
    location: Location
    location_energy: tuple[float, float]
    methods: Mapping[Method, MethodParameters]
    subcollimators: tuple[str, ...] = IMAGING_LABELS
    pixel_set: PixelSet = PixelSet.TOP_BOT
    amplitude_scheme: AmplitudeScheme = AmplitudeScheme.GSW_2026
    edge_correction: EdgeCorrection = EdgeCorrection.POWER_LAW
    shape: tuple[int, int] = (129, 129)
    pixel: float = 2.0
    calibration: CalibrationReference | None = None
    shift_bins: bool = False
    window_rule: WindowRule = WindowRule.CENTRES
    background_range: tuple[str, str] | None = None
    ensemble: int = 0
    seed: int = 0
    packages: Mapping[Method, Package] = field(default_factory=dict)
    version: int = RECIPE_VERSION

    def __post_init__(self) -> None:
        object.__setattr__(self, "packages", self._packages())
        if self.version == 1 and any(getattr(self, name) != default for name, default in SINCE_VERSION_2.items()):
            message = f"a recipe of version 1 cannot hold {', '.join(SINCE_VERSION_2)}"
            raise SelectionError(message)
        detector_indices(self.subcollimators)
        if not self.subcollimators:
            message = "a recipe needs at least one sub-collimator"
            raise SelectionError(message)
        if not self.t_start < self.t_end:
            message = f"the time range {self.time_range[0]} … {self.time_range[1]} is empty"
            raise SelectionError(message)
        if not 0 <= self.energy_range[0] < self.energy_range[1]:
            message = f"the energy range {self.energy_range[0]}-{self.energy_range[1]} keV is empty"
            raise SelectionError(message)
        if not all(math.isfinite(energy) for energy in (*self.energy_range, *self.location_energy)):
            message = f"the energies {self.energy_range} and {self.location_energy} keV must be finite numbers"
            raise SelectionError(message)
        if self.background_range is not None:
            start, end = self.background_range
            if self.background is None:
                message = f"background_range {start} … {end} without a background file"
                raise SelectionError(message)
            if not parse_time(start) < parse_time(end):
                message = f"background_range {start} … {end} is empty"
                raise SelectionError(message)
        if not PIXEL_LIMITS[0] <= self.pixel <= PIXEL_LIMITS[1]:
            low, high = PIXEL_LIMITS
            message = f"the pixel size is {low:g} to {high:g} arcsec, found {self.pixel}"
            raise SelectionError(message)
        self._check_ensemble()
        if not self.methods:
            message = "a recipe needs at least one method"
            raise SelectionError(message)
        if not all(math.isfinite(v) for v in (self.location.x, self.location.y, self.pointing.x, self.pointing.y)):
            message = "location and pointing must be finite numbers"
            raise SelectionError(message)
        _ = self.grid  # refuses impossible shapes and pixels

    def _packages(self) -> dict[Method, Package]:
        """Packages of the methods, without those of methods that `replace` has removed."""
        found = {}
        for method in self.methods:
            if method not in built_in():
                package = self.packages.get(method) or package_of(method)
                if package is None:
                    message = f"methods.{method}: no installed package has this method, and the recipe names none"
                    raise SelectionError(message)
                found[method] = package
        return found

    def _check_ensemble(self) -> None:
        if self.ensemble and not 2 <= self.ensemble <= MAX_MEMBERS:
            message = f"ensemble: expected 0, or 2 to {MAX_MEMBERS} copies, found {self.ensemble}"
            raise SelectionError(message)
        if self.seed < 0 or (self.seed and not self.ensemble):
            message = f"seed: expected a whole number from 0, and 0 without an ensemble, found {self.seed}"
            raise SelectionError(message)

    @property
    def t_start(self) -> np.datetime64:
        """Start of the time range."""
        return parse_time(self.time_range[0])

    @property
    def t_end(self) -> np.datetime64:
        """End of the time range."""
        return parse_time(self.time_range[1])

    @property
    def grid(self) -> ImageGrid:
        """Grid of the flare maps."""
        return ImageGrid(self.shape, self.pixel, (self.location.x, self.location.y))

    @property
    def recipe_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def _repr_html_(self) -> str:
        low, high = self.energy_range
        rows = [
            ("science", self.science.name),
            ("background", self.background.name if self.background else "–"),
            ("auxiliary", ", ".join(file.name for file in self.aspect) or "–"),
            ("time", f"{self.time_range[0]} to {self.time_range[1]} UTC at Solar Orbiter"),
            ("energy", f"{low:g}-{high:g} keV"),
            ("centre", f"({self.location.x:.1f}, {self.location.y:.1f}) arcsec, {self.location.found_by}"),
            ("pixels", f"{self.shape[1]} × {self.shape[0]}, {self.pixel:g} arcsec each"),
            ("methods", ", ".join(str(method) for method in self.methods)),
        ]
        return notebook.facts_html(f"Recipe {self.recipe_id}", rows)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain JSON values; keys include the units."""
        data: dict[str, Any] = {
            "version": self.version,
            "science": asdict(self.science),
            "background": asdict(self.background) if self.background else None,
            "aspect": [asdict(file) for file in self.aspect],
            "pointing": {
                "source": str(self.pointing.source),
                "roll_deg": self.pointing.roll,
                "x_arcsec": self.pointing.x,
                "y_arcsec": self.pointing.y,
                "rsun_arcsec": _none_for_nan(self.pointing.rsun),
                "stonyhurst_lon_deg": _none_for_nan(self.pointing.stonyhurst_lon),
                "b0_deg": _none_for_nan(self.pointing.b0),
                "dsun_m": _none_for_nan(self.pointing.dsun),
                **_scatter_document(self.pointing),
            },
            "time_range": list(self.time_range),
            "energy_range_kev": list(self.energy_range),
            "location": {"x_arcsec": self.location.x, "y_arcsec": self.location.y, "found_by": self.location.found_by},
            "location_energy_kev": list(self.location_energy),
            "methods": {str(method): _plain(method, parameters) for method, parameters in self.methods.items()},
            "subcollimators": list(self.subcollimators),
            "pixel_set": str(self.pixel_set),
            "amplitude_scheme": str(self.amplitude_scheme),
            "edge_correction": str(self.edge_correction),
            "shape": list(self.shape),
            "pixel_arcsec": self.pixel,
        }
        # Keys of version 2 are written only where they differ from the default, so that new keys do not change ids.
        for name, default in SINCE_VERSION_2.items():
            value = getattr(self, name)
            if value != default and name != "packages":
                data[name] = asdict(value) if isinstance(value, CalibrationReference) else value
        if self.background_range is not None:
            data["background_range"] = list(self.background_range)
        if self.packages:
            data["packages"] = {str(method): asdict(package) for method, package in self.packages.items()}
        return data

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks, ASCII."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Inverse of `to_json`.

        Raises
        ------
        SelectionError
            When the text is not a recipe: unsupported version, unknown or missing keys, values of the wrong type or
            out of bounds (`stixcore.recipe_format`). The message names the key and the value.
        """
        try:
            return cls._from_dict(read_document(text))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"this is not a recipe of version 1 or {RECIPE_VERSION}: {error}"
            raise SelectionError(message) from error

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> Recipe:
        pointing = data["pointing"]
        packages = {Method.named(name): Package(**package) for name, package in data.get("packages", {}).items()}
        methods = {Method.named(name): values for name, values in data["methods"].items()}
        recipe = cls(
            science=FileReference(**data["science"]),
            background=FileReference(**data["background"]) if data["background"] else None,
            aspect=tuple(FileReference(**file) for file in data["aspect"]),
            pointing=Pointing(
                source=PointingSource(pointing["source"]),
                roll=pointing["roll_deg"],
                x=pointing["x_arcsec"],
                y=pointing["y_arcsec"],
                rsun=_nan_for_none(pointing["rsun_arcsec"]),
                stonyhurst_lon=_nan_for_none(pointing["stonyhurst_lon_deg"]),
                b0=_nan_for_none(pointing["b0_deg"]),
                dsun=_nan_for_none(pointing["dsun_m"]),
                **{name: pointing[key] for name, key in _SCATTER.items() if key in pointing},
            ),
            time_range=(data["time_range"][0], data["time_range"][1]),
            energy_range=(data["energy_range_kev"][0], data["energy_range_kev"][1]),
            location=Location(data["location"]["x_arcsec"], data["location"]["y_arcsec"], data["location"]["found_by"]),
            location_energy=(data["location_energy_kev"][0], data["location_energy_kev"][1]),
            methods={
                method: _parameters(method, values)
                if method in built_in() or packages.get(method) == package_of(method) is not None
                else StoredParameters(values)
                for method, values in methods.items()
            },
            subcollimators=tuple(data["subcollimators"]),
            pixel_set=PixelSet(data["pixel_set"]),
            amplitude_scheme=AmplitudeScheme(data["amplitude_scheme"]),
            edge_correction=EdgeCorrection(data["edge_correction"]),
            shape=(data["shape"][0], data["shape"][1]),
            pixel=data["pixel_arcsec"],
            calibration=_calibration(data["calibration"]) if "calibration" in data else None,
            shift_bins=data.get("shift_bins", False),
            background_range=_range(data.get("background_range")),
            window_rule=WindowRule(data.get("window_rule", WindowRule.OUTWARD)),
            ensemble=data.get("ensemble", 0),
            seed=data.get("seed", 0),
            packages=packages,
            version=data["version"],
        )
        if recipe.to_dict() != data:  # an unknown or misspelt key would be ignored silently
            unknown = set(data) - set(recipe.to_dict())
            message = f"unknown keys {sorted(unknown)}" if unknown else "keys that this version does not know"
            raise ValueError(message)
        return recipe


#: Fields that version 1 did not have, with the value that is equivalent to a missing key.
SINCE_VERSION_2: Mapping[str, Any] = {
    "calibration": None,
    "shift_bins": False,
    "window_rule": WindowRule.OUTWARD,
    "background_range": None,
    "ensemble": 0,
    "seed": 0,
    "packages": {},
}


def _calibration(data: dict[str, Any]) -> CalibrationReference:
    cal_file = data["cal_file"]
    return CalibrationReference(
        energy_table=TableReference(**data["energy_table"]),
        phase_table=TableReference(**data["phase_table"]),
        cal_file=None if cal_file is None else FileReference(**cal_file),
    )


def _range(data: Any) -> tuple[str, str] | None:
    return None if data is None else (data[0], data[1])


#: Pointing attributes that earlier recipes did not have, and their keys, which are omitted where the value is unknown.
_SCATTER: Mapping[str, str] = {
    "rms_x": "rms_x_arcsec",
    "rms_y": "rms_y_arcsec",
    "peak_to_peak": "peak_to_peak_arcsec",
    "rms_roll": "rms_roll_deg",
    "records": "records",
    "rejected": "rejected",
    "interpolated": "interpolated",
}


def _scatter_document(pointing: Pointing) -> dict[str, float]:
    known = {name: getattr(pointing, name) for name in _SCATTER}
    return {_SCATTER[name]: value for name, value in known.items() if value != getattr(Pointing, name)}


def _none_for_nan(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _nan_for_none(value: float | None) -> float:
    return float("nan") if value is None else value


def _plain(method: Method, parameters: MethodParameters) -> dict[str, Any]:
    """Parameters as JSON values: tuples become lists, enums their text.

    Parameters that were introduced later are omitted where their value is the earlier behaviour, so that existing
    recipes keep their text and id.
    """
    if isinstance(parameters, StoredParameters):
        return parameters.values
    values: dict[str, Any] = json.loads(json.dumps(asdict(parameters), default=str))
    if method not in built_in():
        return values
    return {
        name: value
        for name, value in values.items()
        if not (name in LATER_PARAMETERS and getattr(parameters, name) == LATER_PARAMETERS[name])
    }


def _parameters(method: Method, values: Mapping[str, Any]) -> MethodParameters:
    kind: Any = type(default_parameters(method))
    if method not in built_in():
        return kind(**{name: _typed(kind, name, value) for name, value in values.items()})
    return kind(
        **{
            one.name: _typed(kind, one.name, values[one.name])
            if one.name in values or one.name not in LATER_PARAMETERS
            else LATER_PARAMETERS[one.name]
            for one in fields(kind)
        }
    )


def _typed(kind: type[Any], name: str, value: Any) -> Any:
    """A JSON value in the type of the parameter, which its default shows (enums, tuples)."""
    default = getattr(kind(), name)
    if isinstance(value, list):
        return _tuple(value)
    return type(default)(value) if isinstance(default, str) and isinstance(value, str) else value


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
