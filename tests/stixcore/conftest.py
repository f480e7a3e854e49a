"""What tests of the numeric core share: IDL's numbers, real observations, factories of small made-up ones."""

from __future__ import annotations

import csv
import gc
import json
import pickle
import tarfile
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stixcore.fits.products import AspectTable, PixelData, ProductHeader
from stixcore.fits.read import read_aspect, read_pixel_data
from stixcore.fits.spec import ProductKind
from stixcore.instrument.geometry import IMAGING_LABELS, PixelSet
from stixcore.options import ImageRequest
from stixcore.reconstruct import prepare_recipe, reconstruct
from stixcore.simulation.two_footpoints import TwoFootpoints, two_footpoints
from stixcore.visibility.pixels import MetaPixels
from stixcore.visibility.visibilities import Visibilities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def package_file(package: str, *parts: str) -> Path:
    """A file that an installed package ships, without importing the package."""
    return Path(find_spec(package).origin).parent.joinpath(*parts)


# --- numbers from the original IDL ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def reference(shared_data: Path) -> dict[str, Any]:
    """Numbers from the ground software's IDL, run unmodified (``reference_20200607.json``)."""
    return json.loads((shared_data.parent / "reference_20200607.json").read_text())


@pytest.fixture(scope="session")
def june_2020_stored() -> Any:
    """The 24 real visibilities of 2020-06-07 as ``xrayvisim`` ships them, with the rates they were made from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        *_, stored = pickle.loads(package_file("xrayvision", "data", "stix_vis.pkl").read_bytes())
    assert list(stored.label) == list(IMAGING_LABELS)
    return stored


@pytest.fixture(scope="session")
def june_2020(june_2020_stored: Any) -> Visibilities:
    """The same in our container: old (u, v), relative to the phase centre."""
    stored = june_2020_stored
    return Visibilities(
        u=stored.u.value,
        v=stored.v.value,
        vis=stored.vis.value,
        sigma=stored.amplitude_error.value,
        labels=IMAGING_LABELS,
    )


@pytest.fixture(scope="session")
def gsw_chi2() -> Callable[[float], float]:
    """The ground software's χ² of an image of the 24 visibilities (÷ 23) from ours (÷ 48)."""
    return lambda chi2: chi2 * 2 * 24 / 23


# --- real observations ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IdlFlare:
    """One row of IDL's flare list: window and pointing of its map, positions (arcsec), and our file if there is one."""

    request_id: str
    start: np.datetime64
    end: np.datetime64
    peak: np.datetime64
    pointing: tuple[float, float]
    forward_fit: tuple[float, float]
    bp_peak_stix: tuple[float, float]
    bp_peak_hpc: tuple[float, float]
    file: Path | None


@dataclass(frozen=True)
class November2022:
    """The flares of 9-11 November 2022 with their auxiliary files and the background of them all."""

    folder: Path

    @cached_property
    def aspects(self) -> list[AspectTable]:
        return [read_aspect(path) for path in sorted((self.folder / "aux").glob("*.fits"))]

    @cached_property
    def background(self) -> PixelData:
        return read_pixel_data(self.file("2211098157"))

    def file(self, request_id: str) -> Path:
        (path,) = (self.folder / "l1").glob(f"*_{request_id}-*.fits")
        return path

    @cached_property
    def flares(self) -> list[IdlFlare]:
        """Those with a window."""
        files = {path.stem.split("_")[-1].split("-")[0]: path for path in (self.folder / "l1").glob("*.fits")}

        def pair(row: dict[str, str], name: str) -> tuple[float, float]:
            return float(row[f"{name}_x"]), float(row[f"{name}_y"])

        with (self.folder / "idl" / "reference_locations.csv").open(newline="") as stream:
            return [
                IdlFlare(
                    request_id=row["request_id"],
                    start=np.datetime64(row["bp_start_utc"], "us"),
                    end=np.datetime64(row["bp_end_utc"], "us"),
                    peak=np.datetime64(row["peak_utc"].replace(" ", "T"), "us"),
                    pointing=pair(row, "pointing"),
                    forward_fit=pair(row, "fwdfit_hpc"),
                    bp_peak_stix=pair(row, "bp_peak_stix"),
                    bp_peak_hpc=pair(row, "bp_peak_hpc"),
                    file=files.get(row["request_id"]),
                )
                for row in csv.DictReader(stream)
                if row["bp_start_utc"]
            ]


@pytest.fixture(scope="session")
def november(shared_data: Path) -> November2022:
    return November2022(shared_data / "nov2022")


@pytest.fixture(scope="session")
def november_flare(shared_data):
    """Science, background and auxiliary file of the M1.2 flare of 2022-11-11 (uid 2211116471)."""
    folder = shared_data / "nov2022"
    (science,) = (folder / "l1").glob("*2211116471*")
    (background,) = (folder / "l1").glob("*2211098157*")
    return science, background, folder / "aux" / "solo_L2_stix-aux-ephemeris_20221111_V01.fits"


@pytest.fixture(scope="session")
def november_images(november_flare):
    """Its images in the window of the IDL map, 6-10 keV."""
    science, background, aspect = november_flare
    window = np.datetime64("2022-11-11T11:35:40.271"), np.datetime64("2022-11-11T11:37:40.271")
    recipe = prepare_recipe(ImageRequest(*window, energy=(6.0, 10.0)), science, background, [aspect])
    paths = {path.name: path for path in november_flare}
    return reconstruct(recipe, lambda file: paths[file.name])


@dataclass(frozen=True)
class Demo:
    """The ground software's imaging demo, 6-10 keV: the bins that cover 2020-06-07 21:39:00-21:42:49."""

    science: PixelData
    background: PixelData
    aspect: AspectTable
    start: np.datetime64
    end: np.datetime64


@pytest.fixture(scope="session")
def demo(shared_data: Path) -> Demo:
    folder = shared_data / "demo20200607"
    return Demo(
        read_pixel_data(next(folder.glob("*_1178428688-*.fits"))),
        read_pixel_data(next(folder.glob("*_1178082832-*.fits"))),
        read_aspect(next(folder.glob("*aux*.fits"))),
        np.datetime64("2020-06-07T21:38:49.384", "us"),
        np.datetime64("2020-06-07T21:43:09.084", "us"),
    )


@pytest.fixture(scope="session")
def stixpy_products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the real products of May 2020 that ``stixpy`` ships."""
    folder = tmp_path_factory.mktemp("stixpy")
    with tarfile.open(package_file("stixpy", "data", "test_data.tar.gz")) as archive:
        archive.extractall(
            folder, filter="data", members=[m for m in archive if not Path(m.name).name.startswith("._")]
        )
    return folder


@pytest.fixture
def patience() -> Iterator[None]:
    """Other packages' warnings (deprecations, files they leave open) are not ours to fail on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
        gc.collect()


@pytest.fixture(scope="session")
def simulated_footpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TwoFootpoints]:
    """`two_footpoints` of given counts and options, made once each; tests must not change the files."""
    made: dict[tuple[Any, ...], TwoFootpoints] = {}

    def make(counts: float, **options: Any) -> TwoFootpoints:
        key = (counts, *sorted(options.items()))
        if key not in made:
            made[key] = two_footpoints(tmp_path_factory.mktemp("footpoints"), counts, **options)
        return made[key]

    return make


# --- made-up ones -----------------------------------------------------------------------------------------------------


def make_header(name: str = "made-up.fits", **changes: Any) -> ProductHeader:
    date = np.datetime64("2022-11-10T12:00:00", "us")
    end = date + np.timedelta64(60, "s")
    return replace(ProductHeader(name, ProductKind.PIXEL_DATA, "L1", "02", "2211100001", date, end, {}), **changes)


@pytest.fixture(scope="session")
def pixel_data() -> Callable[..., PixelData]:
    """Factory of pixel data in memory.

    ``counts`` is broadcast to (n_time, 32, 12, n_channel); by default one bin of 20 s and the channels 4-5 … 11-12 keV.
    ``changes``: triggers, duration (s), rcr, pixel_mask, detector_mask, t0, counts_variance.
    """

    def make(
        counts: Any = 100.0, *, e_low: Any = None, e_high: Any = None, name: str = "made-up.fits", **changes: Any
    ) -> PixelData:
        e_low = np.arange(4.0, 12.0) if e_low is None else np.asarray(e_low, dtype=float)
        e_high = e_low + 1.0 if e_high is None else np.asarray(e_high, dtype=float)
        counts = np.asarray(counts, dtype=float)
        n_time = counts.shape[0] if counts.ndim == 4 else 1
        counts = np.broadcast_to(counts, (n_time, 32, 12, e_low.size)).astype(float)

        def column(key: str, default: Any, shape: tuple[int, ...]) -> np.ndarray:
            return np.broadcast_to(np.asarray(changes.get(key, default)), shape)

        duration = column("duration", 20.0, (n_time,)).astype(float)
        t0 = np.datetime64(changes.get("t0", "2022-11-10T12:00:00"), "us")
        t_end = t0 + np.cumsum(np.rint(duration * 1e6).astype("timedelta64[us]"))
        t_start = np.concatenate([[t0], t_end[:-1]])
        triggers = column("triggers", 0.0, (n_time, 16)).astype(float)
        variance = column("counts_variance", counts, counts.shape).astype(float)
        return PixelData(
            path=Path(name),
            header=make_header(name, date_beg=t_start[0], date_end=t_end[-1]),
            t_start=t_start,
            t_end=t_end,
            duration=duration,
            e_low=e_low,
            e_high=e_high,
            rcr=column("rcr", 0, (n_time,)),
            pixel_mask=column("pixel_mask", True, (n_time, 12)),
            detector_mask=column("detector_mask", True, (n_time, 32)),
            loader=lambda t, c: (counts[t][..., c], variance[t][..., c], triggers[t], triggers[t]),
        )

    return make


@pytest.fixture(scope="session")
def meta_pixels() -> Callable[..., MetaPixels]:
    """Factory of A, B, C, D rates (32, 4) with the rest filled in; Poisson errors as if a unit of rate were a count."""

    def make(rate: np.ndarray, pixel_set: PixelSet = PixelSet.TOP_BOT, **changes: Any) -> MetaPixels:
        one = np.ones((32, 4))
        made = MetaPixels(
            header=make_header(),
            background_name="",
            t_start=np.datetime64("2022-11-10T12:00:00", "us"),
            t_end=np.datetime64("2022-11-10T12:01:00", "us"),
            e_low=6.0,
            e_high=10.0,
            pixel_set=pixel_set,
            counts=rate,
            counts_variance=rate,
            background=0 * one,
            background_variance=0 * one,
            edge_factor=one,
            rate=rate,
            rate_sigma=np.sqrt(np.abs(rate)),
            livetime=np.full(32, 60.0),
            livetime_sigma=np.zeros(32),
            duration=60.0,
            rcr=0,
            detector_mask=np.ones(32, dtype=bool),
            top_bottom=np.ones((32, 2)),
        )
        return replace(made, **changes)

    return make


@pytest.fixture(scope="session")
def aspect_table() -> Callable[..., AspectTable]:
    """Factory of aspect tables: ``time`` (datetime64) and columns, scalars are repeated."""

    def make(time: Any, **columns: Any) -> AspectTable:
        time = np.asarray(time, dtype="datetime64[us]")
        given = {
            "roll": 0.0, "pitch": 0.0, "yaw": 0.0, "y_srf": -33.9, "z_srf": -50.2, "sas_ok": True, "rsun": 1600.0,
            "stonyhurst_lon": 100.0, "heliographic_lat": 5.0, "dsun": 9e10, "heeq": (9e10, 0.0, 0.0),
        } | columns  # fmt: skip
        shapes = {"heeq": (time.size, 3)}
        full = {key: np.broadcast_to(np.asarray(value), shapes.get(key, (time.size,))) for key, value in given.items()}
        return AspectTable(header=make_header("made-up-aux.fits", kind=ProductKind.ASPECT), time=time, **full)

    return make
