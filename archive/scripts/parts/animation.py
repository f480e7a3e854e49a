"""Images in order of time on a common grid, as MP4, GIF and single frames."""

import csv
import io
import zipfile

import imageio.v2 as imageio
import matplotlib.dates
import numpy as np
from astropy.io import fits
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from PIL import Image as Picture
from scipy.ndimage import map_coordinates

#: Largest GIF, in bytes; longer animations have smaller frames.
GIF_BYTES = 8_000_000


def read_image(path):
    """Read an image of the archive: pixels, their positions on the Sun [arcsec], times, energy band and method."""
    with fits.open(path) as hdus:
        header, data = hdus[0].header, np.asarray(hdus[0].data, dtype=float)
    rows, columns = data.shape
    pixel = header["CDELT1"]
    return {
        "data": data,
        "pixel": pixel,
        # center of the first pixel; row 0 is south, column 0 is east
        "x0": (1 - header["CRPIX1"]) * pixel,
        "y0": (1 - header["CRPIX2"]) * pixel,
        "width": columns * pixel,
        "height": rows * pixel,
        "start": np.datetime64(header["DATE-BEG"]),
        "end": np.datetime64(header["DATE-END"]),
        "low": header["ENERGY_L"],
        "high": header["ENERGY_H"],
        "method": str(header["ALG_USED"]),
        "rsun": header["RSUN_ARC"],
        "b0": header.get("HGLT_OBS", 0.0),
        "counts": header["CNTS_TOT"] - header["CNTS_BKG"],
        "exposure": header["XPOSURE"],
        "unit": str(header.get("BUNIT", "")),
        "simulated": header.get("OBS_MODE") == "SIMULATED",
    }


def common_grid(images, field=None):
    """Common grid of all images, with the finest pixel; ``field`` is its side in arcsec (None: all images)."""
    pixel = min(image["pixel"] for image in images)
    left = min(image["x0"] - image["pixel"] / 2 for image in images)
    right = max(image["x0"] - image["pixel"] / 2 + image["width"] for image in images)
    bottom = min(image["y0"] - image["pixel"] / 2 for image in images)
    top = max(image["y0"] - image["pixel"] / 2 + image["height"] for image in images)
    x, y = (left + right) / 2, (bottom + top) / 2
    if field is None:
        field = max(right - left, top - bottom)
    else:  # center on the brightest pixels
        x, y = np.median([peak_of(image) for image in images], axis=0)
    n = int(np.clip(round(field / pixel), 16, 1024))
    pixel = field / n
    steps = (np.arange(n) - (n - 1) / 2) * pixel
    return {"x": x + steps, "y": y + steps, "extent": (x - field / 2, x + field / 2, y - field / 2, y + field / 2)}


def peak_of(image):
    """Solar X and Solar Y of the brightest pixel, arcsec."""
    row, column = np.unravel_index(np.argmax(image["data"]), image["data"].shape)
    return image["x0"] + column * image["pixel"], image["y0"] + row * image["pixel"]


def on_grid(image, grid):
    """Resample an image to the common grid (linear interpolation); NaN outside the image."""
    rows = (grid["y"] - image["y0"]) / image["pixel"]
    columns = (grid["x"] - image["x0"]) / image["pixel"]
    places = np.meshgrid(rows, columns, indexing="ij")
    return map_coordinates(image["data"], places, order=1, mode="constant", cval=np.nan)


def light_curve(path, low, high):
    """Centers of the time bins and count rate [ct/s] of a level-1 file in an energy range, all detectors."""
    with fits.open(path) as hdus:
        energies, data = hdus["ENERGIES"].data, hdus["DATA"]
        header = hdus[0].header
        begin = np.datetime64(header.get("DATE-BEG") or header.get("DATE_BEG") or header["DATE_OBS"])
        in_seconds = str(data.columns["time"].unit) == "s"
        per_second = 1.0 if in_seconds else 100.0  # times in level-1 files are in units of 0.01 s
        middle = np.asarray(data.data["time"], dtype=float) / per_second
        length = np.asarray(data.data["timedel"], dtype=float) / per_second
        inside = (energies["e_low"] >= low) & (np.nan_to_num(energies["e_high"], nan=np.inf) <= high)
        counts = np.asarray(data.data["counts"])[..., inside].sum(axis=(1, 2, 3), dtype=float)
    return begin + (middle * 1e6).astype("timedelta64[us]"), counts / length


def joined(curves):
    """Concatenate light curves of several files, with gaps between them; None if there are none."""
    if not curves:
        return None
    curves = sorted(curves, key=lambda curve: curve[0][0])
    gap = np.array([np.nan])
    times = np.concatenate([part for times, _ in curves for part in (times, times[-1:])])
    return times, np.concatenate([part for _, rates in curves for part in (rates, gap)])


def rates_of(images):
    """A coarse light curve from the images, if no level-1 file is available."""
    images = sorted(images, key=lambda image: image["start"])
    middles = [image["start"] + (image["end"] - image["start"]) // 2 for image in images]
    return np.array(middles), np.array([image["counts"] / image["exposure"] for image in images])


def heliographic_lines(rsun, b0, step=10.0):
    """Limb and grid lines as points with gaps; longitude is measured from the central meridian."""
    tilt, fine = np.deg2rad(b0), np.deg2rad(np.arange(-90.0, 90.1, 2.0))
    meridians = [(np.full(fine.size, lon), fine) for lon in np.deg2rad(np.arange(-90.0, 90.1, step))]
    parallels = [(fine, np.full(fine.size, lat)) for lat in np.deg2rad(np.arange(-80.0, 80.1, step))]
    xs, ys = [], []
    for lon, lat in meridians + parallels:
        x = np.cos(lat) * np.sin(lon)
        y = np.sin(lat) * np.cos(tilt) - np.cos(lat) * np.cos(lon) * np.sin(tilt)
        seen = np.sin(lat) * np.sin(tilt) + np.cos(lat) * np.cos(lon) * np.cos(tilt) > 0
        xs += [*np.where(seen, x, np.nan) * rsun, np.nan]
        ys += [*np.where(seen, y, np.nan) * rsun, np.nan]
    angle = np.linspace(0, 2 * np.pi, 721)
    return (rsun * np.cos(angle), rsun * np.sin(angle)), (np.array(xs), np.array(ys))


def label_of(image):
    """Label of a frame: time, band, method."""
    start, end = (str(image[name].astype("datetime64[s]")).replace("T", " ") for name in ("start", "end"))
    return f"{start} - {end[11:]} UTC   {image['low']:g}-{image['high']:g} keV   {image['method'].upper()}"


def kind_of(image):
    """Band and method; images of the same kind can share a color scale."""
    return image["low"], image["high"], image["method"]


def draw_frames(images, curve, size=640, scale="linear", common_scale=True, field=None):
    """Yield a picture (size x size pixels, RGB) for every image.

    ``scale``: "linear" or "log"; ``common_scale``: one color scale per band and method, not one per frame.
    """
    grid = common_grid(images, field)
    maps = [on_grid(image, grid) for image in images]
    highest = {}  # by band and method: 16-28 keV would be black on the scale of 4-10 keV
    for image, pixels in zip(images, maps, strict=True):
        highest[kind_of(image)] = max(highest.get(kind_of(image), 0.0), float(np.nanmax(pixels)))
    inches = size / 100
    figure = Figure(figsize=(inches, inches), dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.13, 0.29, 0.72, 0.64))
    curve_axes = figure.add_axes((0.13, 0.07, 0.72, 0.12))
    color_axes = figure.add_axes((0.87, 0.29, 0.025, 0.64))
    picture = axes.imshow(maps[0], origin="lower", extent=grid["extent"], cmap="inferno", interpolation="bilinear")
    axes.set_facecolor("black")
    axes.set_xlabel("Solar X [arcsec]", fontsize=8)
    axes.set_ylabel("Solar Y [arcsec]", fontsize=8)
    figure.colorbar(picture, cax=color_axes)
    (limb,) = axes.plot([], [], color="white", alpha=0.6, linewidth=1)
    (lines,) = axes.plot([], [], color="white", alpha=0.35, linewidth=0.6, linestyle="--")
    axes.set(xlim=grid["extent"][:2], ylim=grid["extent"][2:])
    title = axes.set_title("", fontsize=8 if size >= 560 else 6.5)  # beside the unit of the color bar
    if any(image["simulated"] for image in images):
        axes.text(0.5, 0.97, "SIMULATED DATA", color="magenta", weight="bold", ha="center", va="top",
                  transform=axes.transAxes)  # fmt: skip
    times, rates = curve
    curve_axes.step(times, rates, where="mid", color="tab:blue", linewidth=1)
    marker = curve_axes.axvline(times[0], color="tab:red", linewidth=1)
    first, last = images[0]["start"], max(image["end"] for image in images)
    margin = (last - first) // 10 + np.timedelta64(10, "s")
    curve_axes.set_xlim(first - margin, last + margin)
    curve_axes.set_ylabel("ct/s", fontsize=7)
    curve_axes.set_xlabel("UTC at Solar Orbiter", fontsize=7)
    locator = matplotlib.dates.AutoDateLocator(minticks=3)
    curve_axes.xaxis.set_major_locator(locator)
    curve_axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
    for part in (axes, curve_axes, color_axes):
        part.tick_params(labelsize=7)
    curve_axes.xaxis.get_offset_text().set_fontsize(7)
    for image, pixels in zip(images, maps, strict=True):
        top = highest[kind_of(image)] if common_scale else float(np.nanmax(pixels))
        top = top if top > 0 else 1.0
        picture.set_norm(LogNorm(top / 1000, top, clip=True) if scale == "log" else Normalize(0, top))
        picture.set_data(pixels)
        (limb_x, limb_y), (lines_x, lines_y) = heliographic_lines(image["rsun"], image["b0"])
        limb.set_data(limb_x, limb_y)
        lines.set_data(lines_x, lines_y)
        title.set_text(label_of(image))
        color_axes.set_title(image["unit"].replace(" / ", "\n/ "), fontsize=5, pad=3)
        middle = image["start"] + (image["end"] - image["start"]) // 2
        marker.set_xdata([middle, middle])
        canvas.draw()
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def make_animation(images, curve, folder, frame_time=0.25, progress=None, **drawing):
    """Write animation.mp4, animation.gif, frames.zip and animation.csv into a folder; ``progress(number, total)``."""
    images = sorted(images, key=lambda image: (image["start"], image["low"], image["method"]))
    drawing["size"] = max(int(drawing.get("size", 640)) // 16 * 16, 128)  # the most widely supported pixel format
    frames = []
    with (
        imageio.get_writer(folder / "animation.mp4", fps=1 / frame_time, codec="libx264", quality=8) as film,
        zipfile.ZipFile(folder / "frames.zip", "w") as package,
    ):
        for number, frame in enumerate(draw_frames(images, curve, **drawing)):
            film.append_data(frame)
            stream = io.BytesIO()
            Picture.fromarray(frame).save(stream, "PNG", compress_level=3)
            package.writestr(f"frame_{number:04d}.png", stream.getvalue())
            frames.append(Picture.fromarray(frame).quantize(128, method=Picture.Quantize.FASTOCTREE, dither=0))
            if progress is not None:
                progress(number + 1, len(images))
    write_gif(folder / "animation.gif", frames, frame_time)
    with (folder / "animation.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["frame", "start", "end", "energy_low_kev", "energy_high_kev", "method"])
        for number, image in enumerate(images):
            row = [number, image["start"], image["end"], image["low"], image["high"], image["method"]]
            table.writerow(row)
    return images


def write_gif(path, frames, frame_time):
    """Write a GIF, reducing its size until it has at most ``GIF_BYTES``."""
    side = frames[0].width
    while True:
        small = [frame if frame.width == side else frame.resize((side, side)) for frame in frames]
        small[0].save(
            path,
            save_all=True,
            append_images=small[1:],
            duration=max(round(frame_time * 1000), 20),
            loop=0,
            optimize=False,
        )
        if path.stat().st_size <= GIF_BYTES or side <= 128:
            return
        side = side * 2 // 3
