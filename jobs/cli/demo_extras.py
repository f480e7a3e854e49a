"""What a demonstration archive has besides files and previews: accounts, a map for overlays, and requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from archive import Archive, Image, ImageFilter
from archive.accounts import Accounts, Role
from archive.atomic import atomic_path
from archive.context_maps import AIA, map_name
from archive.errors import NoSuchUser
from archive.scripts.selections import AnimationLooks, OverlayLooks
from jobs.queue.journal import Journal, Request
from jobs.queue.requests import ImagingRequest
from jobs.renderings.overlay_maps import MAPS
from jobs.renderings.requests import CubeRequest, OverlayRequest
from jobs.renderings.run import submit_rendering
from stixcore.coordinates import SOLAR_RADIUS
from stixcore.heliographic import Observer, View, earth_at, light_delays, on_sun, seen_from
from stixcore.imaging.reconstruction import Method
from stixcore.options import default_clean
from stixcore.times import format_time

Floats = NDArray[np.float64]

#: Accounts of the demonstration only; their passwords change whenever it starts.
USERS = {"demo-user": Role.USER, "demo-operator": Role.OPERATOR}
WAVELENGTH = 171  # Angstrom
SEED = 104
#: Pixels along each side of the map, and their size, arcsec.
SIDE, PIXEL = 512, 4.8
#: The cube: steps of this length, this number of them, and bands.
STEP, STEPS, BANDS = np.timedelta64(20, "s"), 6, ((4.0, 10.0), (16.0, 28.0))


@dataclass(frozen=True)
class Account:
    """A user with the password that was just set."""

    name: str
    role: Role
    password: str


def set_accounts(archive: Archive, now: np.datetime64, new_password: Callable[[], str]) -> list[Account]:
    """Give the users of the demonstration new passwords, and add those that are missing.

    Other users of the archive are not changed.

    Raises
    ------
    AccountsDamaged, ArchiveBusy
        See `Accounts`.
    """
    accounts, made = Accounts(archive.root), []
    for name, role in USERS.items():
        password = new_password()
        try:
            accounts.change_password(name, password)
        except NoSuchUser:
            accounts.add(name, password, now, role)
        made.append(Account(name, role, password))
    return made


def submit_examples(archive: Archive, now: np.datetime64) -> list[Request]:
    """Write the map for overlays, and request a cube with its movie and an overlay of the brightest flare.

    The images of the cube are hidden from other users. Running it again submits nothing new.

    Returns
    -------
    list of Request
        Requests that were submitted; empty when the archive has no trusted CLEAN image of a flare that the Earth sees.
    """
    shown = _brightest_seen_from_earth(archive)
    if shown is None:
        return []
    image, earth_time, view = shown
    map_file = write_map(archive, earth_time, view)
    journal, user = Journal(archive.root), next(iter(USERS))
    overlay = OverlayRequest((image.image_id,), OverlayLooks(map_file=map_file))
    return [submit_rendering(archive, journal, one, user, now)[0] for one in (overlay, _cube_of(archive, image))]


def write_map(archive: Archive, time: np.datetime64, view: View) -> str:
    """Write a simulated picture of the Sun in the extreme ultraviolet, as seen from the Earth, unless it exists.

    Parameters
    ----------
    archive : Archive
    time : datetime64
        UTC at the Earth.
    view : View
        The flare, as the Earth sees it.

    Returns
    -------
    str
        Name of the map: that of a context map of the flare, so that the flare page shows it.
    """
    name = map_name(AIA, WAVELENGTH, time)
    path = archive.root / MAPS / name
    if path.is_file():
        return name
    earth = earth_at(time)
    picture = fits.PrimaryHDU(_picture(earth, view, np.random.default_rng(SEED)))
    picture.header.update(
        {
            "DATE-OBS": format_time(time),
            "TELESCOP": "SIMULATED",
            "INSTRUME": "SIMULATED",
            "OBS_MODE": "SIMULATED",
            "WAVELNTH": WAVELENGTH,
            "WAVEUNIT": "Angstrom",
            "BUNIT": "ct",
            "CTYPE1": "HPLN-TAN",
            "CTYPE2": "HPLT-TAN",
            "CUNIT1": "arcsec",
            "CUNIT2": "arcsec",
            "CDELT1": PIXEL,
            "CDELT2": PIXEL,
            "CRPIX1": (SIDE + 1) / 2,
            "CRPIX2": (SIDE + 1) / 2,
            "CRVAL1": 0.0,
            "CRVAL2": 0.0,
            "HGLN_OBS": earth.lon,
            "HGLT_OBS": earth.lat,
            "DSUN_OBS": earth.distance,
            "RSUN_REF": SOLAR_RADIUS,
        }
    )
    with atomic_path(path) as temporary:
        picture.writeto(temporary, checksum=True)
    return name


def _picture(earth: Observer, flare: View, rng: np.random.Generator) -> NDArray[np.int16]:
    """Pixels of the map: a mottled disk, brighter at the limb, active regions, and loops at the flare."""
    axis = (np.arange(SIDE) - (SIDE - 1) / 2) * PIXEL
    x, y = np.meshgrid(axis, axis)
    limb = np.rad2deg(np.arcsin(SOLAR_RADIUS / earth.distance)) * 3600.0
    radius = np.hypot(x, y) / limb
    mottling = sum(_smooth(rng.normal(size=(SIDE, SIDE)), width) for width in (1, 2, 5))
    # a thin shell, brighter toward the limb as 1 / cos(angle from disk center), and a corona that falls off outside
    disk = np.where(
        radius < 1.0, 1.0 / np.sqrt(1.0 - np.clip(radius, 0.0, 0.95) ** 2), 3.2 * np.exp((1 - radius) / 0.07)
    )
    signal = 220.0 * disk * np.exp(0.2 * mottling)
    for _ in range(7):
        lon, lat = rng.uniform(-1.3, 1.3), rng.choice((-1.0, 1.0)) * rng.uniform(0.15, 0.4)
        signal += _region(x, y, (0.9 * limb * np.sin(lon), limb * lat), rng.uniform(700.0, 2200.0), 70.0, rng)
    signal += _region(x, y, (flare.x, flare.y), 6000.0, 30.0, rng)
    counts: NDArray[np.int16] = np.clip(rng.poisson(signal), 0, 30_000).astype(np.int16)
    return counts


def _smooth(noise: Floats, width: int) -> Floats:
    """White noise smoothed by a Gaussian of this width (pixels), with standard deviation 1."""
    frequency = np.fft.fftfreq(SIDE)
    low_pass = np.exp(-2.0 * (np.pi * width) ** 2 * (frequency[:, None] ** 2 + frequency**2))
    smooth = np.fft.ifft2(np.fft.fft2(noise) * low_pass).real
    result: Floats = smooth / smooth.std()
    return result


def _region(
    x: Floats, y: Floats, center: tuple[float, float], height: float, reach: float, rng: np.random.Generator
) -> Floats:
    """An active region: a glow, and bright loops, which are halves of ellipses with ends that fade."""
    dx, dy = x - center[0], y - center[1]
    signal = 0.5 * height * np.exp(-0.5 * (np.hypot(dx, dy) / (0.6 * reach)) ** 2)
    tilt = rng.uniform(0.0, 2 * np.pi)
    for span in rng.uniform(0.3, 1.0, 5) * reach:
        ratio, angle = rng.uniform(0.4, 0.9), tilt + rng.normal(0.0, 0.3)
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        arc = np.hypot(along, across / ratio) - span
        signal = signal + height * np.exp(-0.5 * (arc / 5.0) ** 2) / (1.0 + np.exp(-across / 6.0))
    result: Floats = signal
    return result


def _brightest_seen_from_earth(archive: Archive) -> tuple[Image, np.datetime64, View] | None:
    """The brightest trusted CLEAN image whose peak is on the disk seen from the Earth.

    Also the middle of its time range, at the Earth, and how the Earth sees the peak.
    """
    images = archive.images(ImageFilter(methods=("clean",), trusted=True, automatic=True), sort=("-total_flux",))
    for image in images:
        if image.peak_hpc_x is None or image.peak_hpc_y is None:
            continue
        header = fits.getheader(archive.path_of(image.file))
        observer = Observer(header["HGLN_OBS"], header["HGLT_OBS"], header["DSUN_OBS"])
        place, earth = on_sun(image.peak_hpc_x, image.peak_hpc_y, observer), earth_at(image.t_start)
        view = seen_from(place, earth)
        if view.place == "on disk" and not place.off_limb:
            delay, _ = light_delays(place, observer, earth)
            middle = image.t_start + (image.t_end - image.t_start) // 2
            return image, middle + np.timedelta64(round(delay * 1e6), "us"), view
    return None


def _cube_of(archive: Archive, image: Image) -> CubeRequest:
    """Steps around an image, in the bands of its file."""
    file = archive.science_file(image.uid)
    middle = image.t_start + (image.t_end - image.t_start) // 2
    first = middle - STEPS // 2 * STEP
    steps = tuple((first + number * STEP, first + (number + 1) * STEP) for number in range(STEPS))
    imaging = ImagingRequest(
        uid=image.uid,
        time_ranges=tuple((start, end) for start, end in steps if file.t_start <= start and end <= file.t_end),
        energy_ranges=tuple((low, high) for low, high in BANDS if file.e_low <= low and high <= file.e_high),
        methods={Method.CLEAN: default_clean()},
        location=(image.center_hpc_x, image.center_hpc_y),
        hidden=True,
    )
    return CubeRequest(imaging, AnimationLooks(), ensemble=0)
