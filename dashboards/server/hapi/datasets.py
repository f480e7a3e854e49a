"""What is served: light curves, flares, flare rates, and tracks of sources and spectra.

Each dataset is there twice, of real and of simulated data, and only if the archive has such data. Parameters of a
dataset never depend on the data. All times are UTC at Solar Orbiter. See docs/decisions/hapi.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from archive import Archive
from archive.extents import Extent, cube_extents, flare_extent, product_extent
from dashboards.server.hapi import flare_records, light_curve_records, track_records
from dashboards.server.hapi.records import Columns
from dashboards.server.hapi.standard import HapiError, Parameter
from stixcore.fits.spec import ProductKind

_DAY = np.timedelta64(1, "D")
_SIMULATED = "simulated_"

type Reader = Callable[[Archive, np.datetime64, np.datetime64], Iterator[Columns]]


@dataclass(frozen=True)
class Dataset:
    """A dataset.

    Attributes
    ----------
    id, title, description : str
    parameters : tuple of Parameter
        The first one is the time.
    read : callable
        Records from a start to before an end, in order of time.
    location : str
        Where in its interval the time of a record is: "begin", or "other" for events.
    cadence : str
        ISO 8601 duration; empty for events and tracks.
    longest_days : int or None
        Longest range that is sent at a time.
    """

    id: str
    title: str
    description: str
    parameters: tuple[Parameter, ...]
    read: Reader
    location: str = "begin"
    cadence: str = ""
    longest_days: int | None = None


def present_datasets(archive: Archive) -> list[tuple[Dataset, Extent]]:
    """Datasets with data, and the times of each."""
    return [*_of_kind(archive, simulated=False), *_of_kind(archive, simulated=True)]


def find_dataset(archive: Archive, name: str) -> tuple[Dataset, Extent]:
    """The dataset with an id, and its times.

    Raises
    ------
    HapiError
        1406 when there is none, or no data for it.
    """
    for dataset, extent in _of_kind(archive, simulated=name.startswith(_SIMULATED)):
        if dataset.id == name:
            return dataset, extent
    raise HapiError(1406, "the catalog lists those with data")


def _of_kind(archive: Archive, *, simulated: bool) -> Iterator[tuple[Dataset, Extent]]:
    prefix, words = (_SIMULATED, "Simulated: ") if simulated else ("", "")

    def dataset(name: str, title: str, description: str, *rest: Any, **more: Any) -> Dataset:
        text = f"{words}{description} Times are UTC at Solar Orbiter."
        return Dataset(f"{prefix}{name}", f"{words}{title}", text, *rest, **more)

    curves = product_extent(archive, ProductKind.LIGHT_CURVE, simulated=simulated)
    if curves is not None:
        module = light_curve_records
        yield (
            dataset(
                "lightcurve", "STIX quick-look light curves, 5 energy bands, every bin", module.BINS,
                module.BIN_PARAMETERS, partial(module.read_bins, simulated=simulated), cadence="PT4S",
                longest_days=module.LONGEST_BINS,
            ),
            curves,
        )  # fmt: skip
        yield (
            dataset(
                "lightcurve_minutes", "STIX quick-look light curves, 5 energy bands, one-minute means", module.MINUTES,
                module.MINUTE_PARAMETERS, partial(module.read_minutes, simulated=simulated), cadence="PT1M",
            ),
            Extent(curves.start.astype("datetime64[m]").astype("datetime64[us]"), curves.end),
        )  # fmt: skip
    detector = product_extent(archive, ProductKind.BACKGROUND_MONITOR, simulated=simulated)
    if detector is not None:
        module = light_curve_records
        yield (
            dataset(
                "background_detector", "STIX background detector, 5 energy bands", module.DETECTOR,
                module.DETECTOR_PARAMETERS, partial(module.read_detector, simulated=simulated), cadence="PT8S",
                longest_days=module.LONGEST_DETECTOR_DAYS,
            ),
            detector,
        )  # fmt: skip
    flares = flare_extent(archive, simulated=simulated)
    if flares is not None:
        yield (
            dataset(
                "flares", "STIX flares: time, position, GOES class, temperature", flare_records.FLARES,
                flare_records.FLARE_PARAMETERS, partial(flare_records.read_flares, simulated=simulated),
                location="other",
            ),
            flares,
        )  # fmt: skip
        yield (
            dataset(
                "flare_rate", "STIX flares per day, by GOES class", flare_records.RATES,
                flare_records.RATE_PARAMETERS, partial(flare_records.read_rates, simulated=simulated), cadence="P1D",
            ),
            _whole_days(flares),
        )  # fmt: skip
    yield from _tracks(archive, dataset, simulated=simulated)


def _tracks(archive: Archive, dataset: Callable[..., Dataset], *, simulated: bool) -> Iterator[tuple[Dataset, Extent]]:
    """Tracks of sources, a dataset for each band, and the track of spectra."""
    module = track_records
    cubes: Mapping[tuple[float, float], Extent] = cube_extents(archive, simulated=simulated)
    for (low, high), extent in cubes.items():
        band = f"{low:g}-{high:g}"
        read = partial(module.read_sources, band=(low, high), simulated=simulated)
        title = f"Position, size and flux of the brightest source of flares, {band} keV"
        yield dataset(f"source_track_{band}", title, module.SOURCES, module.SOURCE_PARAMETERS, read), extent
    if cubes:
        whole = Extent(min(one.start for one in cubes.values()), max(one.end for one in cubes.values()))
        read = partial(module.read_spectra, simulated=simulated)
        title = "Temperature, emission measure and electrons of flares, from fits of spectra"
        yield dataset("spectrum_track", title, module.SPECTRA, module.SPECTRUM_PARAMETERS, read), whole


def _whole_days(extent: Extent) -> Extent:
    start, last = (time.astype("datetime64[D]") for time in (extent.start, extent.end - np.timedelta64(1, "us")))
    return Extent(start.astype("datetime64[us]"), (last + _DAY).astype("datetime64[us]"))
