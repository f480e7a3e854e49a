"""Contours of images on a map of another instrument, in its view or in that of Solar Orbiter."""

import gzip
import io
import warnings
from pathlib import Path

import contourpy
import numpy as np
import sunpy.map
from astropy.io import fits
from astropy.wcs import WCS
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from scipy.ndimage import label, map_coordinates, maximum_position

SOLAR_RADIUS = 695_700_000.0  # m
LIGHT = 299_792_458.0  # m/s
SYNODIC_RATE = 13.2 / 86400  # deg/s, seen from Earth
ARCSEC = 206264.80624709636  # per radian
ASSUMPTIONS = {
    "surface": "all sources are on the solar surface; sources off the disk are left out",
    "spherical": "on the disk: on the surface; off the disk: at the distance of Sun center (spherical screen)",
    "planar": "on the disk: on the surface; off the disk: in the plane of the sky through Sun center",
}

# Units and axes as written by older software.
UNITS = {"arcsecs": "arcsec", "arcseconds": "arcsec", "arcsecond": "arcsec", "degrees": "deg", "degree": "deg"}
AXES = {"solar_x": "HPLN-TAN", "solar-x": "HPLN-TAN", "solar_y": "HPLT-TAN", "solar-y": "HPLT-TAN"}
# Keywords for the observer; a map has at least one.
OBSERVERS = ("HGLN_OBS", "CRLN_OBS", "HAEX_OBS", "HEEX_OBS", "HEQX_OBS", "GSEX_OBS")
BLOCK, CARD = 2880, 80  # bytes, of a FITS header
MAP_BYTES, MAP_SIDE = 256 << 20, 8192  # limits of a map: unpacked size, pixels along a side

# ---- Positions of observers and sources ------------------------------------------------------------------------------
# Vectors are Stonyhurst, in m: x toward the meridian of Earth, z to solar north.


def observer_at(lon, lat, distance):
    """An observer: Stonyhurst longitude and latitude in degrees, distance from Sun center in m."""
    lon, lat = np.deg2rad(lon), np.deg2rad(lat)
    outward = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    west = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    return {"outward": outward, "west": west, "north": north, "distance": distance, "place": distance * outward}


def places(observer, x, y, assumption, owner=None):
    """Positions in space of what an observer sees at helioprojective x, y [arcsec]; NaN if the assumption has none.

    ``owner`` is the observer whose image is assumed to be on a screen; the observer itself by default.
    """
    owner = owner or observer
    x, y = np.asarray(x, dtype=float) / ARCSEC, np.asarray(y, dtype=float) / ARCSEC
    ray = (
        np.multiply.outer(np.cos(y) * np.sin(x), observer["west"])
        + np.multiply.outer(np.sin(y), observer["north"])
        - np.multiply.outer(np.cos(y) * np.cos(x), observer["outward"])
    )
    far = _first_crossing(observer["place"], ray, np.zeros(3), SOLAR_RADIUS)
    if assumption == "planar":
        plane = -(observer["place"] @ owner["outward"]) / (ray @ owner["outward"])
        far = np.where(np.isnan(far), plane, far)
    elif assumption == "spherical":
        screen = _last_crossing(observer["place"], ray, owner["place"], owner["distance"])
        far = np.where(np.isnan(far), screen, far)
    return observer["place"] + far[..., np.newaxis] * ray


def _crossings(origin, ray, center, radius):
    """Near and far distances along rays to a sphere; NaN for rays that miss it."""
    along = ray @ (origin - center)
    square = along**2 - ((origin - center) @ (origin - center) - radius**2)
    root = np.sqrt(np.where(square >= 0, square, np.nan))
    return -along - root, -along + root


def _first_crossing(origin, ray, center, radius):
    return _crossings(origin, ray, center, radius)[0]


def _last_crossing(origin, ray, center, radius):
    return _crossings(origin, ray, center, radius)[1]


def seen_from(observer, points):
    """Helioprojective x, y [arcsec] of positions, and whether they are visible (not behind the Sun)."""
    offset = points - observer["place"]
    length = np.linalg.norm(offset, axis=-1)
    x = np.arctan2(offset @ observer["west"], -(offset @ observer["outward"])) * ARCSEC
    y = np.arcsin(offset @ observer["north"] / length) * ARCSEC
    closest = (
        -(offset @ observer["place"]) / length
    )  # distance along the line of sight of the point closest to Sun center
    miss = np.sqrt(np.maximum(observer["distance"] ** 2 - closest**2, 0.0))
    hidden = (closest < length * (1 - 1e-9)) & (miss < SOLAR_RADIUS * (1 - 1e-9))
    return x, y, ~hidden & np.isfinite(x)


# ---- STIX images and other maps --------------------------------------------------------------------------------------


def read_stix(path):
    """Read an image of the archive with its observer."""
    with fits.open(path) as hdus:
        header, data = hdus[0].header, np.asarray(hdus[0].data, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy warns when it completes dates
        wcs = WCS(header)
    start, end = np.datetime64(header["DATE-BEG"]), np.datetime64(header["DATE-END"])
    return {
        "data": data,
        "wcs": wcs,
        "observer": observer_at(header["HGLN_OBS"], header["HGLT_OBS"], header["DSUN_OBS"]),
        "start": start,
        "end": end,
        "middle": start + (end - start) // 2,
        "low": header["ENERGY_L"],
        "high": header["ENERGY_H"],
        "method": str(header["ALG_USED"]).upper(),
        "simulated": header.get("OBS_MODE") == "SIMULATED",
    }


def read_map(path):
    """Read a map of any instrument supported by sunpy, with its observer; ValueError if it is not helioprojective.

    Helioprojective axes are HPLN and HPLT (Thompson 2006, table 1); sunpy translates older names.
    """
    found = sunpy.map.Map(pictures_of(path) if is_fits(path) else path)
    if isinstance(found, (list, tuple)):
        found = found[0]
    for number, (ctype, name) in enumerate(zip(found.coordinate_system, ("HPLN", "HPLT"), strict=True), 1):
        if not ctype.strip().startswith(name):
            raise ValueError(f"CTYPE{number} = {ctype.strip()!r}: expected a helioprojective map ({name}-TAN)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # if the header has no observer, sunpy assumes Earth with a warning
        observer, wcs = found.observer_coordinate.heliographic_stonyhurst, found.wcs
    return {
        "data": np.asarray(found.data, dtype=float),
        "wcs": wcs,
        "observer": observer_at(
            float(observer.lon.to_value("deg")),
            float(observer.lat.to_value("deg")),
            float(observer.radius.to_value("m")),
        ),
        "time": np.datetime64(found.date.utc.isot),
        "name": found.latex_name if found.detector == "" else found.name,
        "colors": found.cmap,
        "is_earth_assumed": not any(key.lower() in found.meta for key in OBSERVERS),
    }


def is_fits(path):
    """Whether a file is FITS, possibly compressed with gzip."""
    with Path(path).open("rb") as stream:
        return stream.read(9).startswith((b"SIMPLE  =", b"\x1f\x8b"))


def pictures_of(path):
    """Data and header of all images in a FITS file, with headers of older software corrected.

    Line breaks in cards become blanks, units and axes get their standard names, and L0, B0 and RSUN of IDL maps define
    the observer: Stonyhurst longitude and latitude [deg] and apparent solar radius [arcsec].
    """
    with fits.open(io.BytesIO(without_line_ends(unpacked(path)))) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and len(hdu.shape) >= 2]
        for hdu in images:  # before the pixels are read: a small compressed image can have very many
            check_shape(Path(path).name, hdu.shape)
        pictures = [(hdu.data.reshape(hdu.shape[-2:]), standard_header(hdu.header)) for hdu in images]
    if not pictures:
        raise ValueError(f"{Path(path).name} contains no image")
    return pictures


def unpacked(path):
    """Content of a FITS file; one packed with gzip is unpacked."""
    with Path(path).open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else Path(path).open("rb") as stream:
        content = stream.read(MAP_BYTES + 1)
    if len(content) > MAP_BYTES:
        raise ValueError(f"{Path(path).name} has more than {MAP_BYTES >> 20} MiB{' when unpacked' if packed else ''}")
    if not content.startswith(b"SIMPLE  ="):
        raise ValueError(f"{Path(path).name} is not a FITS file")
    return content


def check_shape(name, shape):
    """Raise ValueError unless an image has two axes, of at most MAP_SIDE pixels; others may have one pixel."""
    if max(shape[:-2], default=1) != 1:
        axes = " x ".join(str(length) for length in reversed(shape))
        raise ValueError(f"{name}: NAXIS = {len(shape)}: expected an image with two axes, found {axes} pixels")
    if max(shape[-2:]) > MAP_SIDE:
        raise ValueError(f"{name}: expected at most {MAP_SIDE} pixels along a side, found {max(shape[-2:])}")


def standard_header(header):
    """A header with standard units and observer."""
    header = header.copy()
    for key, names in (("CUNIT1", UNITS), ("CUNIT2", UNITS), ("CTYPE1", AXES), ("CTYPE2", AXES)):
        found = str(header.get(key, "")).strip().lower()
        if found in names:
            header[key] = names[found]
    if not any(key in header for key in OBSERVERS) and all(key in header for key in ("L0", "B0", "RSUN")):
        header["HGLN_OBS"], header["HGLT_OBS"] = header["L0"], header["B0"]
        header["DSUN_OBS"] = SOLAR_RADIUS / np.sin(header["RSUN"] / ARCSEC)
    return header


def without_line_ends(content):
    """Content of a FITS file with carriage returns and line feeds in its headers replaced by blanks."""
    content = bytearray(content)
    starts = [0, *(at for at in range(BLOCK, len(content), BLOCK) if content[at : at + 8] == b"XTENSION")]
    for start in starts:
        for at in range(start, len(content), CARD):
            card = bytes(content[at : at + CARD])
            content[at : at + CARD] = card.replace(b"\r", b" ").replace(b"\n", b" ")
            if card[:8].rstrip() == b"END":
                break
    return bytes(content)


def arcsec_of(wcs, columns, rows):
    """Helioprojective x, y [arcsec] of pixels (from 0)."""
    x, y = wcs.wcs_pix2world(columns, rows, 0)
    return ((np.asarray(x) + 180) % 360 - 180) * 3600, np.asarray(y) * 3600


def pixel_of(wcs, x, y):
    """Columns and rows (from 0) of helioprojective x, y [arcsec]."""
    return wcs.wcs_world2pix(np.asarray(x) / 3600, np.asarray(y) / 3600, 0)


def time_for(stix, distance):
    """Time at which an observer at this distance from the Sun [m] saw what STIX saw at the center of its time range."""
    delay = (distance - stix["observer"]["distance"]) / LIGHT
    return stix["middle"] + np.timedelta64(round(delay * 1e6), "us")


# ---- Overlay -------------------------------------------------------------------------------------------------------


def is_same(observer, other):
    """Whether two observers are at the same position, so that no assumption is needed."""
    return np.linalg.norm(observer["place"] - other["place"]) < 1e-5 * observer["distance"]


def sources_of(stix, view, assumption, level=0.5):
    """Separate sources above a fraction of the maximum: position, position in a view, and why it cannot be drawn."""
    data = stix["data"]
    marks, number = label(data >= level * data.max())
    found = []
    for row, column in maximum_position(data, marks, range(1, number + 1)):
        x, y = (float(value) for value in arcsec_of(stix["wcs"], column, row))
        place = places(stix["observer"], x, y, assumption)
        source = {"x": x, "y": y, "there_x": x, "there_y": y, "problem": ""}
        if not np.isnan(place).any():
            source["lon"] = float(np.rad2deg(np.arctan2(place[1], place[0])))
            source["lat"] = float(np.rad2deg(np.arcsin(place[2] / np.linalg.norm(place))))
        if not is_same(stix["observer"], view):
            if "lon" in source:
                there_x, there_y, visible = seen_from(view, place)
                source |= {"there_x": float(there_x), "there_y": float(there_y)}
                source["problem"] = "" if visible else "it is behind the limb in this view"
            else:
                source["problem"] = "it is off the disk, where the assumption defines no position"
        found.append(source)
    return found


def contours_of(stix, view, assumption, levels):
    """Contour lines in a view: level, x, y [arcsec], with gaps where they are hidden or have no position."""
    generator = contourpy.contour_generator(z=stix["data"])
    top, own = float(stix["data"].max()), is_same(stix["observer"], view)
    for level in levels:
        for line in generator.lines(level * top):
            x, y = arcsec_of(stix["wcs"], line[:, 0], line[:, 1])
            if not own:
                x, y, visible = seen_from(view, places(stix["observer"], x, y, assumption))
                x, y = np.where(visible, x, np.nan), np.where(visible, y, np.nan)
            if np.isfinite(x).any():
                yield level, x, y


def look(base, view, x, y, assumption):
    """Pixels of a map as seen by another observer at x, y [arcsec]; NaN where not known."""
    if not is_same(view, base["observer"]):
        x, y, visible = seen_from(base["observer"], places(view, x, y, assumption, owner=base["observer"]))
        x, y = np.where(visible, x, np.nan), np.where(visible, y, np.nan)
    finite = np.isfinite(x)
    columns, rows = pixel_of(base["wcs"], np.where(finite, x, 0.0), np.where(finite, y, 0.0))
    pixels = map_coordinates(base["data"], [rows, columns], order=1, mode="constant", cval=np.nan)
    return np.where(finite, pixels, np.nan)


def make_overlay(
    stix_images, base, path, view="other", assumption="surface", levels=(0.5, 0.6, 0.7, 0.8, 0.9), field=None, size=900
):
    """Draw contours on a map, write a PNG, and return notes about what was and what was not drawn.

    ``view``: "other" (view of the other instrument) or "stix" (map reprojected to the view of Solar Orbiter);
    ``field``: side of the field of view in arcsec (None: around the sources).
    """
    said = [f"assumption: {ASSUMPTIONS[assumption]}"]
    if base["is_earth_assumed"]:
        said.append("the header of the map has no observer: Earth is assumed")
    observer = base["observer"] if view == "other" else stix_images[0]["observer"]
    lines, points = [], []
    for number, stix in enumerate(stix_images):
        name = f"{stix['method']} {stix['low']:g}-{stix['high']:g} keV {str(stix['middle'])[:19]}"
        for source in sources_of(stix, observer, assumption):
            where = f"source at ({source['x']:.0f}, {source['y']:.0f}) arcsec from Solar Orbiter"
            if "lon" in source:
                where += f", longitude {source['lon']:.1f}, latitude {source['lat']:.1f} deg"
            if source["problem"]:
                said.append(f"{name}: {where} is not drawn: {source['problem']}")
                continue
            said.append(f"{name}: {where}, in this view at ({source['there_x']:.1f}, {source['there_y']:.1f}) arcsec")
            points.append((source["there_x"], source["there_y"]))
        lines += [(number, name, *line) for line in contours_of(stix, observer, assumption, levels)]
        wanted = time_for(stix, base["observer"]["distance"])
        late = float((base["time"] - wanted) / np.timedelta64(1, "s"))
        turned = abs(late) * SYNODIC_RATE
        uncorrected = f"; solar rotation by {turned:.1f} deg is not corrected" if turned > 0.05 else ""
        length = f"{abs(late):.0f} s" if abs(late) < 86400 else f"{abs(late) / 86400:.1f} days"
        said.append(f"{name}: the map is {length} too {'late' if late > 0 else 'early'}{uncorrected}")
    simulated = any(stix["simulated"] for stix in stix_images)
    seen = "as the other instrument sees it" if view == "other" else "as Solar Orbiter sees it"
    title = f"{base['name']}\nSTIX contours, {seen}{'   SIMULATED' if simulated else ''}"
    grid = field_around(points, observer, field, size)
    if not lines:
        said.append("no contour was drawn: the sources are not visible in this view")
    if not draw_overlay(look(base, observer, *np.meshgrid(*grid), assumption), grid, base, observer, lines, title,
                        ASSUMPTIONS[assumption], path):  # fmt: skip
        said.append("the map does not cover this field of view")
    return said


def field_around(points, observer, field, size):
    """Helioprojective x and y [arcsec] of the pixels of the field: around the sources, or the whole disk."""
    if points:
        x, y = np.mean(points, axis=0)
        field = field or max(300.0, 1.6 * np.ptp(np.array(points), axis=0).max())
    else:
        x, y = 0.0, 0.0
        field = field or 2.2 * radius_of(observer)
    steps = (np.arange(size) - (size - 1) / 2) * field / size
    return x + steps, y + steps


def radius_of(observer):
    """Apparent radius of the Sun, arcsec."""
    return np.arcsin(SOLAR_RADIUS / observer["distance"]) * ARCSEC


def draw_overlay(pixels, grid, base, observer, lines, title, assumption, path):
    """Write the picture; False if the map does not cover the field of view."""
    x, y = grid
    half = (x[1] - x[0]) / 2
    extent = (x[0] - half, x[-1] + half, y[0] - half, y[-1] + half)
    figure = Figure(figsize=(8, 7.6), dpi=100)
    axes = figure.add_axes((0.11, 0.12, 0.85, 0.8))
    axes.set_facecolor("0.85")
    shows = bool(np.isfinite(pixels).any())
    if shows:
        low, high = np.nanpercentile(pixels, [1, 99.8])
        norm = AsinhNorm(linear_width=max((high - low) / 10, 1e-12), vmin=low, vmax=max(high, low + 1e-12))
        axes.imshow(pixels, origin="lower", extent=extent, cmap=base["colors"], norm=norm)
    colors = ["cyan", "tab:orange", "lime", "magenta", "yellow", "white"]
    named = set()
    for number, name, level, line_x, line_y in lines:
        legend = None if number in named else name
        axes.plot(line_x, line_y, color=colors[number % len(colors)], linewidth=0.7 + 1.6 * level**2, label=legend)
        named.add(number)
    angle = np.linspace(0, 2 * np.pi, 721)
    radius = radius_of(observer)
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), color="white", alpha=0.6, linewidth=0.8)
    axes.set(xlim=extent[:2], ylim=extent[2:], xlabel="Solar X [arcsec]", ylabel="Solar Y [arcsec]")
    axes.set_title(title, fontsize=9)
    figure.text(0.11, 0.03, f"Assumption: {assumption}", fontsize=7)
    if named:
        axes.legend(fontsize=7, loc="upper right", facecolor="0.3", labelcolor="white")
    FigureCanvasAgg(figure).print_png(path)
    return shows
