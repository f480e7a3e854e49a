"""Make animations, overlays and cubes. Only workers import this module."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from archive import Archive, Image
from archive.atomic import copy_file
from archive.errors import NotInArchive
from archive.scripts.parts import animation as film
from archive.scripts.parts import overlay as overlays
from archive.scripts.selections import AnimationLooks, OverlayLooks
from jobs.executors.base import report_progress
from jobs.imaging.figures import colored, font
from jobs.shared.errors import BadRequest
from stixcore.image_files.layout import UNCERTAINTY_EXTENSION
from stixcore.image_files.read import ImageFile, read_image_file
from stixcore.imaging.metrics import measure_source, strongest_source
from stixcore.imaging.reconstruction import method_name
from stixcore.imaging.registry import place_in_order
from stixcore.software import CREATOR
from stixcore.times import format_time

Floats = NDArray[np.float64]

#: Largest width of a contact sheet, and largest side of its pictures, pixels.
SHEET_WIDTH, SHEET_PICTURE, SHEET_SHAPE = 6000, 112, 4 / 3
#: Methods for the animation of a cube, in order of preference.
FOR_ANIMATION = ("clean", "ms_clean", "mem_ge", "em", "vis_fwdfit", "bp", "full_disk_bp")


def animate(archive: Archive, images: Sequence[Image], looks: AnimationLooks, folder: Path) -> list[str]:
    """Write ``animation.mp4``, ``animation.gif``, ``frames.zip`` and ``animation.csv``; returns notes on them."""
    shown = [film.read_image(archive.path_of(image.file)) for image in images]
    curve, notes = _light_curve(archive, images)
    total = len(images) + 2
    film.make_animation(
        shown,
        film.rates_of(shown) if curve is None else curve,
        folder,
        progress=lambda number, _: report_progress(f"frame {number} of {len(images)}", number + 1, total),
        **asdict(looks),
    )
    return notes


def _light_curve(archive: Archive, images: Sequence[Image]) -> tuple[Any, list[str]]:
    """Light curves of the science files in the band of the first image, joined; None when none can be read."""
    first = min(images, key=lambda image: image.t_start)
    ids = sorted({image.recipe_id for image in images})
    rows = archive.rows("SELECT DISTINCT science_name FROM runs WHERE run_id IN (SELECT unnest(?))", [ids])
    curves, notes = [], []
    for name in sorted(row["science_name"] for row in rows):
        try:
            curves.append(film.light_curve(archive.locate(name), first.e_low, first.e_high))
        except (NotInArchive, OSError, KeyError, ValueError) as error:
            notes.append(f"no light curve of {name}: {error}")
    return film.joined(curves), notes


def overlay(archive: Archive, images: Sequence[Image], other: Path, looks: OverlayLooks, folder: Path) -> list[str]:
    """Write ``overlay.png``; returns notes on what was drawn and what was not.

    Raises
    ------
    BadRequest
        When the other file cannot be read as a map.
    """
    shown = [overlays.read_stix(archive.path_of(image.file)) for image in images]
    report_progress("reading the other map", 2, len(images) + 2)
    try:
        with TemporaryDirectory(prefix="stix-map-") as ours:  # a private copy, in case the file is replaced meanwhile
            copy_file(other, Path(ours, other.name))
            base = overlays.read_map(str(Path(ours, other.name)))
    except Exception as error:
        # sunpy and its readers raise many kinds of errors for a file that is not a map
        message = f"{other.name} cannot be read as a map: {type(error).__name__} {error}"
        raise BadRequest(message) from error
    report_progress("drawing", len(images) + 1, len(images) + 2)
    notes: list[str] = overlays.make_overlay(
        shown,
        base,
        folder / "overlay.png",
        view=looks.view,
        assumption=looks.assumption,
        levels=looks.levels,
        field=looks.field,
    )
    return notes


def assemble_cube(archive: Archive, images: Sequence[Image], looks: AnimationLooks, folder: Path) -> list[str]:
    """Write ``cube.fits``, ``measures.csv``, ``contact_sheet.png`` and an animation of one method and band."""
    flares = [image for image in images if image.method != "full_disk_bp"] or list(images)
    flares.sort(key=lambda image: (place_in_order(image.method), image.e_low, image.t_start))
    read = [film.read_image(archive.path_of(image.file)) for image in flares]
    grid = film.common_grid(read, looks.field)
    maps = [film.on_grid(image, grid) for image in read]
    report_progress("measuring sources", 2, len(images) + 2)
    rows = [measure(image, archive.path_of(image.file)) for image in flares]
    _write_table(folder / "measures.csv", rows)
    _write_cube(folder / "cube.fits", flares, maps, grid, rows)
    _contact_sheet(flares, maps).save(folder / "contact_sheet.png", compress_level=3)
    have = {image.method for image in flares}
    method = next((one for one in FOR_ANIMATION if one in have), min(have))
    band = min((image.e_low, image.e_high) for image in flares if image.method == method)
    chosen = [image for image in flares if image.method == method and (image.e_low, image.e_high) == band]
    notes = animate(archive, chosen, looks, folder)
    notes.append(f"the animation shows {method_name(method)}, {band[0]:g}-{band[1]:g} keV")
    if not any(row["flux_err"] for row in rows):
        notes.append("no error bars: the images were made without simulated copies")
    return notes


def measure(image: Image, path: Path) -> dict[str, Any]:
    """Position, size and flux of an image with their errors; empty where unknown.

    For a forward fit they are those of the brightest fitted source; for other methods, of the part of the map above
    half the maximum.
    """
    stored = read_image_file(path)
    source = measure_source(stored.pixels, stored.grid, stored.sources)
    values: dict[str, Any] = {
        "t_start": format_time(image.t_start),
        "t_end": format_time(image.t_end),
        "e_low_kev": image.e_low,
        "e_high_kev": image.e_high,
        "method": image.method,
        "x_arcsec": source.x,
        "x_err": None,
        "y_arcsec": source.y,
        "y_err": None,
        "fwhm_arcsec": source.fwhm,
        "fwhm_err": None,
        "flux": image.total_flux,
        "flux_err": None,
        "chi2": image.chi2,
        "counts": stored.header["CNTS_TOT"] - stored.header["CNTS_BKG"],
        "image_id": image.image_id,
    }
    values |= _ensemble_errors(path) if not stored.sources else _fitted(stored)
    return values


def _ensemble_errors(path: Path) -> dict[str, Any]:
    with fits.open(path) as hdus:
        if UNCERTAINTY_EXTENSION not in hdus:
            return {}
        header = hdus[UNCERTAINTY_EXTENSION].header
        keys = {"x_err": "CENT_X", "y_err": "CENT_Y", "fwhm_err": "FWHM", "flux_err": "FLUX"}
        # files from before 2026-12 have only the scatter, not the bias
        return {name: header.get(f"I{key}", header.get(f"S{key}")) for name, key in keys.items()}


def _fitted(stored: ImageFile) -> dict[str, Any]:
    strongest = strongest_source(stored.sources)
    names = {"x": "x_arcsec", "y": "y_arcsec", "fwhm": "fwhm_arcsec", "flux": "flux"}
    values = {column: strongest[name] for name, column in names.items() if name in strongest}
    return values | {f"{name}_err": strongest.get(f"{name}_sigma") for name in names}


def _write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)


def _write_cube(
    path: Path,
    images: Sequence[Image],
    maps: Sequence[Floats],
    grid: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Write one image extension (energy, time, y, x) per method, and a table that describes each map."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header["CREATOR"] = (CREATOR, "software")
    hdus[0].header["UID"] = (images[0].uid, "science request")
    if any(image.simulated for image in images):
        hdus[0].header["OBS_MODE"] = ("SIMULATED", "these are not observations")
    times = sorted({(image.t_start, image.t_end) for image in images})
    bands = sorted({(image.e_low, image.e_high) for image in images})
    of_method = defaultdict(list)
    for image, pixels in zip(images, maps, strict=True):
        of_method[image.method].append((image, pixels))
    for method, pairs in of_method.items():
        cube = np.full((len(bands), len(times), *maps[0].shape), np.nan, np.float32)
        for image, pixels in pairs:
            place = bands.index((image.e_low, image.e_high)), times.index((image.t_start, image.t_end))
            cube[place] = pixels
        hdu = fits.ImageHDU(cube, name=method.upper())
        _describe_axes(hdu.header, grid, pairs[0][0].unit)
        hdus.append(hdu)
    hdus.append(_interval_table("TIMES", [(format_time(a), format_time(b)) for a, b in times], "28A", ""))
    hdus.append(_interval_table("ENERGIES", bands, "D", "keV"))
    columns = [_column(name, [row[name] for row in rows]) for name in rows[0]]
    hdus.append(fits.BinTableHDU.from_columns(columns, name="MEASURES"))
    for hdu in hdus:
        hdu.add_checksum(when="")
    hdus.writeto(path)


def _describe_axes(header: fits.Header, grid: Mapping[str, Any], unit: str) -> None:
    x, y = grid["x"], grid["y"]
    for axis, name, values in ((1, "HPLN-TAN", x), (2, "HPLT-TAN", y)):
        step = float(values[1] - values[0])
        header[f"CTYPE{axis}"], header[f"CUNIT{axis}"] = name, "arcsec"
        header[f"CDELT{axis}"], header[f"CRVAL{axis}"] = step, 0.0
        header[f"CRPIX{axis}"] = 1.0 - float(values[0]) / step
    header["CTYPE3"] = ("TIMESTEP", "row of the table TIMES, from 1")
    header["CTYPE4"] = ("BAND", "row of the table ENERGIES, from 1")
    for axis in (3, 4):
        header[f"CRPIX{axis}"], header[f"CRVAL{axis}"], header[f"CDELT{axis}"] = 1.0, 1.0, 1.0
    header["BUNIT"] = unit


def _interval_table(name: str, pairs: Sequence[tuple[Any, Any]], code: str, unit: str) -> fits.BinTableHDU:
    kinds = {"unit": unit} if unit else {}
    columns = [
        fits.Column(column, code, array=np.array([pair[place] for pair in pairs]), **kinds)
        for place, column in enumerate(("low", "high") if unit else ("start", "end"))
    ]
    return fits.BinTableHDU.from_columns(columns, name=name)


def _column(name: str, values: Sequence[Any]) -> fits.Column:
    if all(isinstance(value, str) for value in values):
        return fits.Column(name, f"{max(map(len, values))}A", array=np.array(values))
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    return fits.Column(name, "D", array=numbers)


def _contact_sheet(images: Sequence[Image], maps: Sequence[Floats]) -> Picture.Image:
    """Blocks with a row per method and band and a column per time; each row has its own colour scale.

    Times continue in the next block, so that the sheet is about as wide as high.
    """
    times = sorted({image.t_start for image in images})
    kinds = list(dict.fromkeys((image.method, image.e_low, image.e_high) for image in images))
    left, top = 130, 34
    columns = _sheet_columns(len(times), len(kinds))
    side = max(min(SHEET_PICTURE, SHEET_WIDTH // columns), 24)
    height = 18 + side * len(kinds)
    blocks = -(-len(times) // columns)
    sheet = Picture.new("RGB", (left + side * columns, top - 18 + blocks * height), "white")
    draw = ImageDraw.Draw(sheet)
    highest = {
        kind: max(float(np.nanmax(maps[n])) for n, image in enumerate(images) if _kind(image) == kind) for kind in kinds
    }
    for image, pixels in zip(images, maps, strict=True):
        (block, column), row = divmod(times.index(image.t_start), columns), kinds.index(_kind(image))
        picture = Picture.fromarray(colored(np.nan_to_num(pixels), 0.0, highest[_kind(image)]))
        sheet.paste(picture.resize((side - 2, side - 2)), (left + column * side, top + block * height + row * side))
    every = -(-70 // side)
    for block in range(blocks):
        for row, (method, low, high) in enumerate(kinds):
            label = f"{method_name(method)}\n{low:g}-{high:g} keV"
            draw.text((6, top + block * height + row * side + 6), label, fill="black", font=font(12))
        for column, time in enumerate(times[block * columns : (block + 1) * columns]):
            if column % every == 0:
                place = (left + column * side, top - 18 + block * height)
                draw.text(place, format_time(time)[11:19], fill="black", font=font(12))
    draw.text((6, 2), f"{format_time(times[0])[:10]}  uid {images[0].uid}", fill="black", font=font(12))
    return sheet


def _sheet_columns(times: int, kinds: int) -> int:
    """Number of columns with which a sheet is nearest to `SHEET_SHAPE` (width ÷ height)."""

    def off(columns: int) -> float:
        blocks = -(-times // columns)
        width, height = 130 + SHEET_PICTURE * columns, 16 + blocks * (18 + SHEET_PICTURE * kinds)
        return abs(float(np.log(width / height / SHEET_SHAPE)))

    return min(range(1, times + 1), key=off)


def _kind(image: Image) -> tuple[str, float, float]:
    return image.method, image.e_low, image.e_high
