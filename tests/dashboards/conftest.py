"""Small archives with real files in them, and a really running server."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from filelock import FileLock
from PIL import Image as Picture

from archive import (
    Archive,
    Flare,
    Image,
    QuicklookFile,
    RegionSpectra,
    Run,
    RunKind,
    RunStatus,
    Spectrum,
    image_folder,
    image_id,
    image_name,
    regions_folder,
    skipped_run_id,
    spectrum_folder,
    write_spectrum_record,
)
from archive.accounts import Accounts, Role
from archive.index.recorded import REGION_RECORDS
from archive.index.series import COUNTS, LIGHT_CURVES, day_file, month_file, write_rows
from archive.ingest.ingest import ingest
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE
from archive.lightcurves.minutes import minutes_of
from jobs.previews.run import make_previews
from stixcore.simulation.campaign import simulate_campaign

from .forked_programs import ForkedProgram, Forker, start_fresh
from .region_documents import regions_document

#: Starts a program: words, environment, output, errors.
type Start = Callable[[list[str], dict[str, str], IO[bytes], IO[bytes]], subprocess.Popen[bytes] | ForkedProgram]
ROOT = Path(__file__).resolve().parents[2]
SHARED_DATA = Path(os.environ.get("STIX_SHARED_DATA", ROOT.parent / "shared" / "data"))
#: A C-class flare of 2022-11-11.
REAL_FLARE = ("2211116471-54717",)
NOW = np.datetime64("2026-11-23T12:00:00", "us")
FIRST = np.datetime64("2022-11-10T00:00:00", "us")


def recipe_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def picture_bytes(number: int, side: int) -> bytes:
    """A PNG that differs from number to number."""
    pixels = np.random.default_rng(number).integers(0, 255, (side, side, 3), dtype=np.uint8)
    stream = BytesIO()
    Picture.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def make_image(root: Path, number: int, method: str, **changes: Any) -> Image:
    """One image with its three files; every fourth recipe is doubtful, energies alternate, times go up."""
    recipe, start = recipe_id(number), FIRST + np.timedelta64(number, "h")
    end, energy = start + np.timedelta64(60, "s"), ((4.0, 10.0), (16.0, 28.0))[number % 2]
    uid = f"22111{number:05d}"
    folder, name = image_folder(start, recipe), image_name(start, end, energy, uid, recipe, method)
    (root / folder).mkdir(parents=True, exist_ok=True)
    file = root / folder / name
    fits.PrimaryHDU(np.random.default_rng(number).random((16, 16), np.float32)).writeto(file, overwrite=True)
    file.with_suffix(".png").write_bytes(picture_bytes(number, 96))
    file.with_suffix(".thumb.png").write_bytes(picture_bytes(number + 1, 32))
    content = file.read_bytes()
    doubt = '[{"code": "sidelobe", "severity": "doubt", "text": "another place is 0.95 times as bright"}]'
    row: dict[str, Any] = {
        "image_id": image_id(recipe, method),
        "recipe_id": recipe,
        "method": method,
        "uid": uid,
        "flare_id": f"22{number:08d}",
        "t_start": start,
        "t_end": end,
        "e_low": energy[0],
        "e_high": energy[1],
        "goes_class": "C3.4" if number % 3 == 0 else None,
        "goes_flux": 3.4e-6 * (number + 1) if number % 3 == 0 else None,
        "goes_estimated": "C1.5" if number % 3 == 1 else None,
        "goes_estimated_flux": 5e-7 * (number + 1) if number % 3 == 1 else None,
        "peak_hpc_x": -500.0 + 10.0 * number,
        "peak_hpc_y": 200.5,
        "total_flux": 1.25,
        "max": 3.5e-3,
        "chi2": None if method == "bp" else 1.0 + number / 10,
        "n_iter": 42,
        "stopped_by": "negative_residual",
        "nx": 16,
        "ny": 16,
        "pixel_arcsec": 2.0,
        "center_hpc_x": 0.0,
        "center_hpc_y": 0.0,
        "sidelobe_ratio": 0.42,
        "trusted": number % 4 != 0,
        "verdict_position": "trusted",
        "verdict_flux": "trusted" if number % 4 else "doubtful",
        "verdict_shape": None,
        "warnings": "[]" if number % 4 else doubt,
        "file": str(folder / name),
        "png": str(folder / name.replace(".fits", ".png")),
        "thumbnail": str(folder / name.replace(".fits", ".thumb.png")),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "created_at": NOW,
        "elapsed_s": 0.01,
    }
    return Image(**(row | changes))


def make_run(number: int, **changes: Any) -> Run:
    start, energy = FIRST + np.timedelta64(number, "h"), ((4.0, 10.0), (16.0, 28.0))[number % 2]
    row: dict[str, Any] = {
        "run_id": recipe_id(number),
        "kind": RunKind.AUTO,
        "status": RunStatus.DONE,
        "uid": f"22111{number:05d}",
        "science_name": "science.fits",
        "band": f"{energy[0]:g}-{energy[1]:g} keV",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        "e_low": energy[0],
        "e_high": energy[1],
        "counts_total": 20_000.0 + number,
        "counts_background": 5_000.0,
        "background_uid": "2211098157",
        "pointing_source": "aspect",
        "roll_deg": -1.57,
        "started_at": NOW,
        "version": "0.1.0",
    }
    return Run(**(row | changes))


def make_skip(number: int, reason: str = "too few counts", **changes: Any) -> Run:
    run_id = skipped_run_id(f"22111{number:05d}", "16-28 keV")
    row: dict[str, Any] = {"run_id": run_id, "status": RunStatus.SKIPPED, "reason": reason, "band": "16-28 keV"}
    return make_run(number, **(row | changes))


def make_spectrum(root: Path, number: int, **changes: Any) -> Spectrum:
    """A spectrum with small files and its record; every third one has no fit, times go up."""
    spectrum_id, start = recipe_id(number), FIRST + np.timedelta64(number, "h")
    fit: dict[str, Any] = {
        "model": "vth+thick2",
        "statistic": "chi2",
        "fit_low": 4.0,
        "fit_high": 28.0,
        "chi2": 20.5,
        "ndof": 18,
        "verdict": "trusted" if number % 2 else "doubtful",
        "temperature": 10.0 + number % 10,
        "delta": 3.0 + number % 10,
    }
    folder = root / spectrum_folder(start, spectrum_id)
    folder.mkdir(parents=True)
    for seed, name in enumerate((SPECTRUM_FILE, RESPONSE_FILE)):
        pixels = np.random.default_rng([number, seed]).random((4, 4), np.float32)
        fits.PrimaryHDU(pixels).writeto(folder / name)
    row: dict[str, Any] = {
        "spectrum_id": spectrum_id,
        "kind": RunKind.AUTO,
        "uid": f"22111{number:05d}",
        "science_name": "science.fits",
        "flare_id": f"22{number:08d}",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        **(fit if number % 3 else {"no_fit": "too few counts above background"}),
        "livetime_s": 55.0,
        "attenuator_in": False,
        "scheme": "gsw-2026",
        "distance_au": 0.6,
        "recipe": "{}",
        "folder": str(folder.relative_to(root)),
        "size": sum(path.stat().st_size for path in folder.iterdir()),
        "version": "0.1.0",
        "created_at": NOW,
    }
    spectrum = Spectrum(**(row | changes))
    files = {"spectrum": SPECTRUM_FILE, "response": RESPONSE_FILE}
    write_spectrum_record(folder, spectrum, {"counts": [100.0, 25.5], "fit": None, "files": files})
    return spectrum


def make_regions(root: Path, number: int, **changes: Any) -> RegionSpectra:
    """Region spectra with small files and their record; times go up."""
    region_id, start = recipe_id(number), FIRST + np.timedelta64(number, "h")
    folder = root / regions_folder(start, region_id)
    folder.mkdir(parents=True)
    files = {"spectrum north": "stx_spectrum_1_north.fits", "response": RESPONSE_FILE, "picture": "regions.png"}
    for seed, name in enumerate(files.values()):
        (folder / name).write_bytes(np.random.default_rng([number, seed]).bytes(100))
    row: dict[str, Any] = {
        "region_id": region_id,
        "kind": RunKind.USER,
        "uid": f"22111{number:05d}",
        "science_name": "science.fits",
        "flare_id": f"22{number:08d}",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        "method": "clean" if number % 2 else "mem_ge",
        "n_regions": 1,
        "names": '["north"]',
        "e_low": 6.0,
        "e_high": 10.0,
        "n_channels": 4,
        "copies": 20,
        "verdict": "trusted" if number % 2 else "doubtful",
        "fits": '[{"name": "north", "no_fit": "", "model": "vth", "temperature": 15.0}]',
        "distance_au": 0.6,
        "recipe": "{}",
        "folder": str(folder.relative_to(root)),
        "size": sum(path.stat().st_size for path in folder.iterdir()),
        "author": "bob",
        "version": "0.1.0",
        "created_at": NOW,
    }
    made = RegionSpectra(**(row | changes))
    described = {"regions": [{"name": "north", "counts": [100.0, None], "fit": None}], "files": files}
    REGION_RECORDS.write(folder, made, described, files.values())
    return made


def make_described_regions(root: Path, number: int, **changes: Any) -> RegionSpectra:
    """Region spectra as `make_regions`, with the whole description and all files."""
    row, document = make_regions(root, number, names='["north <1>", "south"]', **changes), regions_document()
    names = document["files"].values()
    for name in names:
        (root / row.folder / name).write_bytes(picture_bytes(number, 96) if name.endswith(".png") else b"content")
    REGION_RECORDS.write(root / row.folder, row, document, names)
    return row


@pytest.fixture
def with_regions(tmp_path: Path) -> Iterator[Archive]:
    """Three results of flare 2211111136, filed a minute apart, the last hidden and Alice's; one of another flare."""
    with closing(Archive(tmp_path / "archive", create=True)) as archive:
        rows = []
        for number in range(4):
            changes = {"hidden": True, "author": "alice"} if number == 2 else {}
            changes |= {"flare_id": "2211111136" if number < 3 else "2211111200"}
            created = NOW + np.timedelta64(number, "m")
            rows.append(make_described_regions(archive.root, number, created_at=created, **changes))
        archive.write_region_spectra(rows)
        yield archive


@dataclass(frozen=True)
class Small:
    """An archive of 30 recipes with two methods each, one hidden image, one simulated, three bands without image.

    And spectra of other science files: six that all may see, the last is hidden and Alice's. Region spectra in the same
    way: three, and Alice's.
    """

    archive: Archive
    images: tuple[Image, ...]
    hidden: Image
    simulated: Image
    spectra: tuple[Spectrum, ...] = ()
    regions: tuple[RegionSpectra, ...] = ()

    @property
    def newest_first(self) -> list[str]:
        shown = [image for image in self.images if not image.hidden]
        return [i.image_id for i in sorted(shown, key=lambda i: (-i.t_start.astype(np.int64), i.image_id))]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    archive = Archive(tmp_path_factory.mktemp("small") / "archive", create=True)
    images = [make_image(archive.root, number, method) for number in range(30) for method in ("bp", "clean")]
    hidden = make_image(archive.root, 100, "clean", hidden=True, author="alice")
    simulated = make_image(archive.root, 31, "clean", simulated=True)
    everything = (*images, hidden, simulated)
    archive.upsert("images", everything)
    runs = [make_run(number) for number in (*range(30), 31)]
    failed = make_skip(3, "no detector is on <b>", status=RunStatus.FAILED, flare_id="2211100300")
    archive.upsert("runs", [*runs, make_skip(0), make_skip(1), failed])
    spectra = [make_spectrum(archive.root, number) for number in range(200, 206)]
    spectra.append(make_spectrum(archive.root, 206, hidden=True, author="alice", kind=RunKind.USER))
    archive.write_spectra(spectra)
    regions = [make_regions(archive.root, number) for number in range(300, 303)]
    regions.append(make_regions(archive.root, 303, hidden=True, author="alice"))
    archive.write_region_spectra(regions)
    archive.build_read_model()
    yield Small(archive, everything, hidden, simulated, tuple(spectra), tuple(regions))
    archive.close()


DAY = np.timedelta64(86_400, "s")
BIN_S = 4.0


@dataclass(frozen=True)
class Curves:
    """A day of light curves (with a gap, the attenuator and two flares), images of both flares, and one day later."""

    archive: Archive
    images: tuple[Image, ...]
    hidden: Image
    begin: np.datetime64 = FIRST

    @property
    def start(self) -> int:
        """First moment, s since 1970."""
        return int(self.begin.astype(np.int64) // 1_000_000)


def light_curve_rows(day: np.datetime64, *, simulated: bool = False) -> Any:
    """Bins of a day: 250 ct in 4-10 keV, flares at 3 and 15 h, attenuator in at 3:00 for 10 min, nothing 8 to 9 h."""
    second = np.arange(0.0, 86_400.0, BIN_S)
    second = second[(second < 8 * 3600) | (second >= 9 * 3600)]
    flares = sum(np.exp(-np.maximum(second - hour * 3600, 0) / 600) * (second >= hour * 3600) for hour in (3, 15))
    share = np.array([1.0, 0.3, 0.1, 0.05, 0.01])
    counts = np.rint(np.array([250.0, 60.0, 60.0, 780.0, 400.0]) + 20_000 * flares[:, None] * share)
    values = {
        "time": day + np.rint(second * 1e6).astype("timedelta64[us]"),
        "duration_s": np.full(second.size, BIN_S),
        **dict(zip(COUNTS, counts.T, strict=True)),
        "triggers": counts.sum(axis=1),
        "rcr": ((second >= 3 * 3600) & (second < 3 * 3600 + 600)).astype(np.int64),
        "simulated": np.full(second.size, simulated),
        "file": ["ql.fits"] * second.size,
        "version": ["01"] * second.size,
    }
    schema = LIGHT_CURVES.arrow
    return pa.Table.from_arrays([pa.array(values[f.name], type=f.type) for f in schema], schema=schema)


def make_flare(day: np.datetime64, hour: int, **changes: Any) -> Flare:
    peak = day + np.timedelta64(hour * 3600 + 60, "s")
    row: dict[str, Any] = {
        "flare_id": str(peak)[2:16].translate(str.maketrans("", "", "-T:")),
        "t_start": peak - np.timedelta64(120, "s"),
        "t_peak": peak,
        "t_end": peak + np.timedelta64(1200, "s"),
        "peak_counts": 20_000.0 + hour,
        "source": "detected",
        "updated_at": NOW,
    }
    return Flare(**(row | changes))


def make_quicklook_file(day: np.datetime64, **changes: Any) -> QuicklookFile:
    row: dict[str, Any] = {
        "name": f"ql-{day.astype('datetime64[D]')}.fits",
        "product": "ql-lightcurve",
        "level": "L1",
        "version": "01",
        "sha256": "0" * 64,
        "size": 1,
        "path": f"fits/ql-{day.astype('datetime64[D]')}.fits",
        "t_start": day,
        "t_end": day + DAY,
        "ingested_at": NOW,
        "n_bins": 21_600,
        "cadence_s": BIN_S,
        "n_bands": 5,
        "e_low": 4.0,
        "e_high": 84.0,
    }
    return QuicklookFile(**(row | changes))


def make_curves(root: Path, *, simulated: bool = False) -> Curves:
    """Fill a new archive with the day of `Curves`."""
    archive = Archive(root, create=True)
    rows = light_curve_rows(FIRST, simulated=simulated)
    write_rows(day_file(archive.index, FIRST), rows, {})
    write_rows(month_file(archive.index, FIRST), minutes_of(rows))
    archive.upsert("quicklook_files", [make_quicklook_file(FIRST, simulated=simulated)])
    measured = make_flare(FIRST, 3, goes_class="M1.2", goes_flux=1.2e-5, simulated=simulated)
    guessed = {"goes_estimated_low": "C2", "goes_estimated": "C4", "goes_estimated_high": "C9"}
    archive.upsert("flares", [measured, make_flare(FIRST, 15, simulated=simulated, **guessed)])
    # numbers are hours: 3 and 15 are the flares, 39 is 15 h on the day after
    images = [make_image(root, n, method, simulated=simulated) for n in (3, 15, 39) for method in ("bp", "clean")]
    hidden = make_image(root, 4, "clean", hidden=True, author="alice", simulated=simulated)
    archive.upsert("images", [*images, hidden])
    archive.upsert("runs", [make_run(number, simulated=simulated) for number in (3, 4, 15, 39)])
    return Curves(archive, tuple(images), hidden)


@pytest.fixture(scope="session")
def curves(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Curves]:
    made = make_curves(tmp_path_factory.mktemp("curves") / "archive")
    yield made
    made.archive.close()


#: Users of the small archive; "alice" has a hidden image.
PASSWORDS = {"alice": "alice's long password", "bob": "bob's long password", "olga": "olga's long password"}


@pytest.fixture(scope="session")
def users(small: Small) -> dict[str, str]:
    """Names and passwords; olga is operator."""
    accounts = Accounts(small.archive.root)
    for name, password in PASSWORDS.items():
        accounts.add(name, password, NOW, Role.OPERATOR if name == "olga" else Role.USER)
    return PASSWORDS


@dataclass(frozen=True)
class Server:
    """A running server: its address and what it has written so far."""

    url: str
    log: Path
    process: subprocess.Popen[bytes] | ForkedProgram

    def log_text(self) -> str:
        return self.log.read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(name="free_port", scope="session")
def free_port_fixture() -> Callable[[], int]:
    """Finds a port that nobody listens at."""
    return free_port


@contextmanager
def running(start: Start, arguments: list[str], archive: Path, log: Path, port: int) -> Iterator[Server]:
    """Start a server, wait until it answers, end it by its own process, look for faults in its log."""
    modules = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"STIX_ARCHIVE": str(archive), "PYTHONPATH": modules, "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as stream:
        process = start(arguments, environment, stream, stream)
    server = Server(f"http://127.0.0.1:{port}", log, process)
    try:
        _wait(server)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(90)  # a busy machine is no fault of the server
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
    # it ends by itself on SIGTERM, and nothing went wrong that a browser would not show
    assert process.returncode == 0, server.log_text()
    assert "Traceback" not in server.log_text(), server.log_text()


def _wait(server: Server) -> None:
    deadline = time.monotonic() + 240  # a busy machine is no fault of the server
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{server.url}/image_archive", timeout=10):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"the server did not come up:\n{server.log_text()}")


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Start a module or a file: on Linux forked from a process that has imported the third-party packages."""
    forkers: list[Forker] = []

    def begin(
        words: list[str], environment: dict[str, str], output: IO[bytes], errors: IO[bytes]
    ) -> subprocess.Popen[bytes] | ForkedProgram:
        if sys.platform != "linux":
            return start_fresh(words, environment, output, errors)
        if not forkers:
            forkers.append(Forker())
        return forkers[0].start(words, environment, output, errors)

    yield begin
    for forker in forkers:
        forker.close()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Callable[..., Any]:
    """Serve an archive as ``python -m dashboards`` does, in a new Python if ``fresh``; use as a context manager."""

    def begin(archive: Path, *arguments: str, fresh: bool = False) -> Any:
        port, log = free_port(), tmp_path_factory.mktemp("server") / "log.txt"
        words = list(arguments) or ["dashboards"]
        return running(start_fresh if fresh else start, [*words, "--port", str(port)], archive, log, port)

    return begin


@pytest.fixture(scope="session")
def server(serve: Callable[[Path], Any], small: Small) -> Iterator[Server]:
    with serve(small.archive.root) as started:
        yield started


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A copy of an archive that the first process of the test run to need it makes."""
    common = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # whose own folder is in that of all workers
        common = common.parent
    made, unfinished = common / f"made-{name}", factory.mktemp(name) / "unfinished"
    with FileLock(common / f"made-{name}.lock"):
        if not made.exists():
            make(unfinished)
            unfinished.rename(made)
    return Path(shutil.copytree(made, unfinished.parent / "archive"))


def make_imaged(root: Path) -> None:
    """Fill the archive of `imaged`."""
    folder, start = root.parent / "campaign", np.datetime64("2026-03-14T06:00:00", "us")
    assert simulate_campaign(folder, 7, start, 0.34, 6.0, min_separation=3600.0)
    with closing(Archive(root, create=True)) as archive:
        ingest(archive, [folder], NOW)
        if SHARED_DATA.is_dir():
            names = (*REAL_FLARE, "2211098157-52648", "20221111_V01")
            real = [path for path in sorted((SHARED_DATA / "nov2022").rglob("solo*.fits")) if path.stem.endswith(names)]
            assert len(real) == len(names)
            ingest(archive, real, NOW)
        make_previews(archive, NOW)
        archive.build_read_model()


@pytest.fixture(scope="session")
def imaged(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive with images really made: of a simulated flare, and of a real one where the real files are."""
    return Archive(made_once(tmp_path_factory, "imaged", make_imaged))


@pytest.fixture(scope="session")
def imaged_server(serve: Callable[[Path], Any], imaged: Archive) -> Iterator[Server]:
    with serve(imaged.root) as started:
        yield started


@pytest.fixture(scope="session")
def november(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Archive]:
    """An archive of real files: a flare of 2022-11-11 with previews, background and pointing; a long spectrogram."""
    folder, spectrogram = shared_data / "nov2022", "*_2212273755-*.fits"
    names = ("l1/*_2211116471-*.fits", "l1/*_2211098157-*.fits", "aux/*_20221111_*.fits")
    paths = [path for name in names for path in folder.glob(name)]

    def make(root: Path) -> None:
        with closing(Archive(root, create=True)) as archive:
            ingest(archive, [*paths, *(shared_data / "formats").glob(spectrogram)], NOW)
            make_previews(archive, NOW)

    with closing(Archive(made_once(tmp_path_factory, "november", make))) as archive:
        yield archive


@dataclass(frozen=True)
class Flared:
    """The archive of `Curves` whose flare at 3 h has a position, two image sets, and a hidden set of alice."""

    archive: Archive
    flare: Flare
    images: tuple[Image, ...]
    hidden: Image


#: Position of the flare of `Flared`, as from Solar Orbiter at 0.6 au, 21° east of the Earth.
PLACED = {
    "hpc_x": 823.3, "hpc_y": 147.9, "hpc_sigma": 4.1, "location_source": "imaging", "location_verdict": "doubtful",
    "location_doubts": '["2 image sets <b>(16-28 keV) put the flare 186″ away"]', "stonyhurst_lon": 11.4,
    "stonyhurst_lat": 12.1, "carrington_lon": 322.0, "heliographic_sigma": 0.16, "off_limb": False,
    "solo_angle": 32.9, "earth_x": 188.7, "earth_y": 150.4, "earth_visible": True, "earth_view": "on disk",
    "earth_angle": 14.4, "earth_delay_s": 183.1, "sun_delay_s": 308.7, "dsun_au": 0.622, "hgln": -21.5, "hglt": 7.9,
    "sol_id": "SOL2022-11-10T03:04:03L322C078", "other_ids": "2211100300 2211100303", "goes_class": "M1.2",
    "goes_flux": 1.2e-5, "goes_source": "GOES-16", "goes_estimated_low": "C8.1", "goes_estimated": "M1.0",
    "goes_estimated_high": "M1.4", "goes_estimated_from": "background detector",
}  # fmt: skip


@pytest.fixture(scope="session")
def flared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flared]:
    archive = make_curves(tmp_path_factory.mktemp("flared") / "archive").archive
    bare = make_flare(FIRST, 3)
    begin, owner = bare.t_peak, bare.flare_id
    images: list[Image] = []
    times: dict[int, dict[str, np.datetime64]] = {}
    for number, offset in ((200, 0), (201, 60)):
        times[number] = {
            "t_start": begin + np.timedelta64(offset, "s"),
            "t_end": begin + np.timedelta64(offset + 60, "s"),
        }
        methods = ("full_disk_bp", "clean")
        images += [make_image(archive.root, number, method, flare_id=owner, **times[number]) for method in methods]
    times[202] = times[200]
    hidden = make_image(archive.root, 202, "clean", flare_id=owner, hidden=True, author="alice", **times[202])
    archive.upsert("images", [*images, hidden])
    archive.upsert("runs", [make_run(number, flare_id=owner, **times[number]) for number in times])
    best = {"best_image_thermal": images[1].image_id, "best_image_nonthermal": images[3].image_id}
    flare = make_flare(FIRST, 3, **PLACED, **best)
    archive.upsert("flares", [flare])
    archive.build_read_model()
    yield Flared(archive, flare, tuple(images), hidden)
    archive.close()
