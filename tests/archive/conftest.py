"""An empty archive, rows to fill it with, and small STIX files made on the spot."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, Image, Run, RunStatus, Spectrum, spectrum_folder, write_spectrum_record
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE

NOW = np.datetime64("2026-11-22T12:00:00", "us")


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder, by relative path, with the hash of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "write.lock"
    }


def make_image(number: int, t_start: str = "2022-11-11T12:00", **changes: Any) -> Image:
    """Build a plain row of table images; its key follows from ``number``."""
    recipe_id, method = f"{number:016x}", changes.pop("method", "clean")
    start = np.datetime64(t_start, "us")
    values: dict[str, Any] = {
        "image_id": f"{recipe_id}-{method}",
        "recipe_id": recipe_id,
        "method": method,
        "uid": "2211116471",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        "e_low": 4.0,
        "e_high": 10.0,
        "nx": 128,
        "ny": 128,
        "pixel_arcsec": 2.0,
        "center_hpc_x": 0.0,
        "center_hpc_y": 0.0,
        "trusted": True,
        "file": f"images/{recipe_id}.fits",
        "sha256": "0" * 64,
        "size": 1,
        "created_at": NOW,
    }
    return Image(**(values | changes))


def make_run(run_id: str, **changes: Any) -> Run:
    """Build a plain row of table runs."""
    start = np.datetime64("2022-11-11T12:00", "us")
    values: dict[str, Any] = {
        "run_id": run_id,
        "kind": "auto",
        "status": RunStatus.DONE,
        "uid": "2211116471",
        "science_name": "solo_L1_stix-sci-xray-cpd_20221111T111102-20221111T121212_V01_2211116471-54717.fits",
        "band": "4-10 keV",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        "e_low": 4.0,
        "e_high": 10.0,
        "started_at": NOW,
        "version": "0.1.0",
    }
    return Run(**(values | changes))


def make_spectrum(number: int, t_start: str = "2022-11-11T12:00", **changes: Any) -> Spectrum:
    """Build a plain row of table spectra, with a fit; its key follows from ``number``."""
    spectrum_id, start = f"{number:016x}", np.datetime64(t_start, "us")
    values: dict[str, Any] = {
        "spectrum_id": spectrum_id,
        "kind": "auto",
        "uid": "2211116471",
        "science_name": "solo_L1_stix-sci-xray-cpd_20221111T111102-20221111T121212_V01_2211116471-54717.fits",
        "t_start": start,
        "t_end": start + np.timedelta64(60, "s"),
        "model": "vth+thick2",
        "statistic": "chi2",
        "fit_low": 4.0,
        "fit_high": 28.0,
        "chi2": 21.5,
        "ndof": 18,
        "verdict": "trusted",
        "temperature": 14.5,
        "temperature_minus": 0.3,
        "temperature_plus": 0.4,
        "delta": 5.5,
        "counts": 12000.0,
        "livetime_s": 55.5,
        "attenuator_in": False,
        "scheme": "gsw-2026",
        "distance_au": 0.6,
        "recipe": "{}",
        "folder": str(spectrum_folder(start, spectrum_id)),
        "size": 2 * len(SPECTRUM_FITS),
        "version": "0.1.0",
        "created_at": NOW,
    }
    return Spectrum(**(values | changes))


#: The shortest FITS file: an empty primary header.
SPECTRUM_FITS = b"".join(
    line.ljust(80)
    for line in (b"SIMPLE  =                    T", b"BITPIX  =                    8", b"NAXIS   = 0", b"END")
).ljust(2880)


def write_spectrum(root: Path, row: Spectrum, document: dict[str, Any] | None = None) -> Path:
    """Write files and record of a spectrum, which describe nothing, into its folder in an archive."""
    folder = root / row.folder
    folder.mkdir(parents=True)
    for name in (SPECTRUM_FILE, RESPONSE_FILE):
        (folder / name).write_bytes(SPECTRUM_FITS)
    named = {"files": {"spectrum": SPECTRUM_FILE, "response": RESPONSE_FILE}}
    write_spectrum_record(folder, row, named | (document or {"counts": [1.0, 2.0], "fit": None}))
    return folder


@dataclass(frozen=True)
class PixelFile:
    """Recipe of a small pixel-data file."""

    start: str = "2022-11-11T12:00:00.000"
    bins_s: tuple[float, ...] = (20.0, 20.0, 20.0)
    edges: tuple[float, ...] = (4.0, 5.0, 6.0, 8.0, 10.0, 15.0)
    counts: int = 3
    uid: str = "2211116471"
    level: str = "L1"
    version: str = "01"
    purpose: str = "Flare 2211111200, Solar Flare, CL1"
    created: str = "2023-01-01T00:00:00"
    name: str = ""
    header: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Name in the style of the public archive."""
        start = np.datetime64(self.start, "s")
        end = start + np.timedelta64(int(sum(self.bins_s)), "s")
        first, last = (str(time).replace("-", "").replace(":", "") for time in (start, end))
        return self.name or f"solo_{self.level}_stix-sci-xray-cpd_{first}-{last}_V{self.version}_{self.uid}-50000.fits"

    def write(self, folder: Path) -> Path:
        """Write it, with check sums."""
        duration = np.array(self.bins_s)
        n, channels = duration.size, len(self.edges) - 1
        centre = np.cumsum(duration) - duration / 2
        values: dict[str, Any] = {
            "time": centre,
            "timedel": duration,
            "counts": np.full((n, 32, 12, channels), self.counts, np.int32),
            "triggers": np.full((n, 16), 100, np.int32),
            "rcr": np.zeros(n, np.uint8),
            "pixel_masks": np.ones((n, 12), np.uint8),
            "detector_masks": np.ones((n, 32), np.uint8),
        } | self.columns
        primary = fits.PrimaryHDU()
        end = np.datetime64(self.start, "ms") + np.timedelta64(int(duration.sum() * 1000), "ms")
        primary.header.update(
            {
                "TELESCOP": "SOLO/STIX",
                "LEVEL": self.level,
                "VERSION": self.version,
                "DATE-BEG": self.start,
                "DATE-END": str(end),
                "DATE": self.created,
                "DSUN_OBS": 9.2e10,
                "HGLN_OBS": -21.0,
                "HGLT_OBS": 7.9,
            }
            | self.header
        )
        if self.purpose:
            primary.header["COMMENT"] = f"BSD request id: '{self.uid}' reason: '{self.purpose}'"
        control = fits.BinTableHDU(np.array([(int(self.uid),)], dtype=[("request_id", "i8")]), name="CONTROL")
        data = fits.BinTableHDU(_record(values), name="DATA")
        low, high = np.array(self.edges[:-1], float), np.array(self.edges[1:], float)
        energies = fits.BinTableHDU(_record({"e_low": low, "e_high": high}), name="ENERGIES")
        path = folder / self.file_name
        fits.HDUList([primary, control, data, energies]).writeto(path, checksum=True)
        return path


def _record(values: dict[str, Any]) -> np.ndarray:
    dtype = [(name, value.dtype, value.shape[1:]) for name, value in values.items()]
    table = np.empty(len(next(iter(values.values()))), dtype=dtype)
    for name, value in values.items():
        table[name] = value
    return table


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Make an empty archive."""
    return Archive(tmp_path / "archive", create=True)


@pytest.fixture(scope="session")
def make() -> Any:
    """Hand out the builders above, for tests are no package to import from."""

    class Make:
        now = NOW
        image = staticmethod(make_image)
        run = staticmethod(make_run)
        spectrum = staticmethod(make_spectrum)
        spectrum_files = staticmethod(write_spectrum)
        pixel_file = PixelFile
        tree = staticmethod(tree)

    return Make
