"""A flare with a cube, a context map and spectra."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image as Picture

from archive import Archive, Flare, RunKind, Spectrum, write_spectrum_record
from archive.context_maps import AIA, FOLDER, map_name
from archive.layout import cube_folder, cube_id
from stixcore.times import format_time
from tests.dashboards.conftest import make_described_regions, make_image, make_spectrum
from tests.dashboards.spectrum_documents import document, fit

BANDS = ((4.0, 10.0), (16.0, 28.0))
STEPS, SIDE = 3, 64


def write_map(root: Path, flare: Flare) -> None:
    """A map as AIA sees it at the peak, with a bright spot where the Earth sees the flare."""
    time = flare.t_peak + np.timedelta64(183_100, "ms")
    side, pixel = 256, 9.6
    axis = (np.arange(side) - (side - 1) / 2.0) * pixel
    x, y = np.meshgrid(axis, axis)
    spot = 900.0 * np.exp(-((x - flare.earth_x) ** 2 + (y - flare.earth_y) ** 2) / (2 * 15.0**2))
    picture = fits.PrimaryHDU((100.0 + spot).astype(np.float32))
    for number, name in ((1, "HPLN-TAN"), (2, "HPLT-TAN")):
        picture.header[f"CTYPE{number}"], picture.header[f"CUNIT{number}"] = name, "arcsec"
        picture.header[f"CDELT{number}"], picture.header[f"CRPIX{number}"] = pixel, (side + 1) / 2.0
        picture.header[f"CRVAL{number}"] = 0.0
    path = root / FOLDER / map_name(AIA, 171, time)
    path.parent.mkdir()
    picture.writeto(path)


def add_spectra(archive: Archive, flare: Flare) -> tuple[Spectrum, ...]:
    """A spectrum of a preview with a fit, one without, and Alice's hidden and doubtful one; the flare has the first."""
    doubts = [{"code": "fit.chi2", "text": "χ² is 2.6 <per> degree of freedom", "serious": True}]
    no_fit = "no channel has <counts> above the background"
    documents: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {
        400: ({"model": "vth+thick2", "verdict": "trusted", "no_fit": ""}, {}),
        401: ({"model": None, "verdict": None, "no_fit": no_fit}, {"fit": None, "no_fit": no_fit}),
        402: (
            {"model": "vth", "verdict": "doubtful", "hidden": True, "author": "alice", "kind": RunKind.USER},
            {"fit": fit(verdict="doubtful", doubts=doubts)},
        ),
    }
    rows = []
    for number, (row, changes) in documents.items():
        start = flare.t_peak + np.timedelta64(60 * (number - 400), "s")
        times = {"t_start": start, "t_end": start + np.timedelta64(60, "s")}
        fitted = {"temperature": None, "delta": None} if row["model"] is None else {}
        names = {"flare_id": flare.flare_id, "uid": "2211100200", "background_uid": "2211098157"}
        made = make_spectrum(archive.root, number, **(times | names | fitted | row))
        write_spectrum_record(archive.root / made.folder, made, document(**changes))
        rows.append(made)
    archive.write_spectra(rows)
    archive.upsert("flares", [replace(flare, spectrum_id=rows[0].spectrum_id, spectrum_verdict="trusted")])
    return tuple(rows)


@pytest.fixture(scope="session")
def cubed(flared: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The archive of `flared` with a cube of its flare (two bands of three steps), a map, spectra, and of regions."""
    root = tmp_path_factory.mktemp("cubed") / "archive"
    shutil.copytree(flared.archive.root, root)
    archive = Archive(root, create=True)
    flare, group = flared.flare, cube_id(flared.flare.flare_id, "2211100200")
    images, tracks = [], []
    for number in range(STEPS * len(BANDS)):
        start = flare.t_peak + np.timedelta64(20 * (number % STEPS), "s")
        times = {"t_start": start, "t_end": start + np.timedelta64(20, "s")}
        images.append(make_image(root, 300 + number, "clean", flare_id=flare.flare_id, group_id=group, **times))
        low, high = BANDS[number // STEPS]
        errors = {"x_sigma": 1.5, "y_sigma": 2.5, "fwhm_sigma": None if number else 3.0, "flux_sigma": 0.25}
        values = {"x": 820.0 + number, "y": 150.0 - number, "fwhm": 20.0, "flux": None if number == 1 else 1.5 + number}
        others = {"e_low": low, "e_high": high, "net_counts": 5000.0 + number, "image_id": images[-1].image_id}
        tracks.append({name: format_time(time) for name, time in times.items()} | values | errors | others)
    archive.upsert("images", images)
    add_spectra(archive, flared.flare)
    hidden: dict[str, Any] = {"hidden": True, "author": "alice"}
    owner = {"flare_id": flared.flare.flare_id}
    regions = [make_described_regions(root, 410, **owner), make_described_regions(root, 411, **owner, **hidden)]
    archive.write_region_spectra(regions)
    archive.build_read_model()
    folder = root / cube_folder(flare.t_peak, group)
    folder.mkdir(parents=True)
    frames = np.random.default_rng(3).integers(0, 255, (STEPS, SIDE, SIDE, 3), dtype=np.uint8)
    with imageio.get_writer(folder / "movie.mp4", format="FFMPEG", fps=4, codec="libx264") as writer:
        for frame in frames:
            writer.append_data(frame)
    stream = BytesIO()
    Picture.fromarray(frames[0]).save(stream, "PNG")
    (folder / "poster.png").write_bytes(stream.getvalue())
    (folder / "tracks.parquet").write_bytes(b"PAR1")
    movie = {"bands_kev": BANDS, "frames": STEPS, "file": "movie.mp4", "poster": "poster.png"}
    (folder / "cube.json").write_text(json.dumps({"tracks": tracks, "movie": movie}))
    write_map(root, flared.flare)
    yield archive
    archive.close()
