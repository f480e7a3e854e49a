"""What both formats need: labels of detectors and pixels, checks that spectra and responses fit, common keywords."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.fits.encode import Keywords
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, subcollimator_table
from stixcore.software import CREATOR, software_version
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.response import Response

Floats = NDArray[np.float64]

#: Names of detector sets, by their bit masks (ground software, ``stx_det_mask2label``).
DETECTOR_SETS = {
    0xFFFFFFFF: "All",
    0xFFFFFCFF: "Imaging",
    0xFFF8E0FF: "Top24",
    0x00071C00: "Fine",
    0x00000100: "CFL",
    0x00000200: "BKG",
}
#: Names of pixel sets, by their bit masks (ground software, ``stx_pix_mask2label``).
PIXEL_SETS = {0x00F: "Top", 0x0F0: "Bottom", 0xF00: "Small", 0x0FF: "Large", 0xFFF: "All"}


def elements_label(detectors: Sequence[int], pixels: Sequence[int]) -> str:
    """Detectors and pixels as the ground software names them: ``Top24, Pixels: Top``."""
    return f"{detectors_label(detectors)}, Pixels: {pixels_label(pixels)}"


def detectors_label(detectors: Sequence[int]) -> str:
    """Name of a set of detectors; the label of one, and a bit mask for a set without a name."""
    mask = _mask(detectors)
    if len(detectors) == 1 and mask not in DETECTOR_SETS:
        return subcollimator_table().label[detectors[0]]
    return DETECTOR_SETS.get(mask, f"Custom 0x{mask:08X}")


def pixels_label(pixels: Sequence[int]) -> str:
    """Name of a set of pixels: ``L`` or ``S`` and the index of one, and a bit mask for a set without a name."""
    mask = _mask(pixels)
    if len(pixels) == 1:
        return f"{'L' if pixels[0] < 8 else 'S'}{pixels[0]}"
    return PIXEL_SETS.get(mask, f"Custom 0x{mask:03X}")


def elements_of_label(label: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Detectors and pixels of a label; each is empty where the label does not say."""
    first, _, second = label.partition(", Pixels: ")
    return _members(first.strip(), DETECTOR_SETS, N_DETECTORS), _members(second.strip(), PIXEL_SETS, N_PIXELS)


def _mask(indices: Sequence[int]) -> int:
    return sum(1 << int(index) for index in indices)


def _members(name: str, sets: dict[int, str], size: int) -> tuple[int, ...]:
    mask = next((mask for mask, known in sets.items() if known.lower() == name.lower()), 0)
    if name.startswith("Custom 0x"):
        digits = name.removeprefix("Custom 0x")
        mask = int(digits, 16) if digits and set(digits) <= set("0123456789abcdefABCDEF") else 0
    if not mask and size == N_DETECTORS and name.lower() in subcollimator_table().label:
        return (subcollimator_table().label.index(name.lower()),)
    if not mask and size == N_PIXELS and name[:1] in ("L", "S") and name[1:].isdigit() and int(name[1:]) < size:
        return (int(name[1:]),)
    return tuple(bit for bit in range(size) if mask >> bit & 1)


def require_fit(spectra: Sequence[CountSpectrum], response: Response) -> None:
    """Refuse spectra whose channels, detectors, pixels or attenuator are not those of the response.

    Raises
    ------
    SelectionError
    """
    require_same_channels(spectra)
    edges = spectra[0].edges
    if edges.shape != response.channel_edges.shape or not np.allclose(edges, response.channel_edges, atol=1e-3):
        message = (
            f"{spectra[0].source}: channel edges of the response ({_span(response.channel_edges)}) differ from those "
            f"of the spectrum ({_span(edges)})"
        )
        raise SelectionError(message)
    for what in ("detectors", "pixels"):
        ours, theirs = getattr(spectra[0], what), getattr(response, what)
        if tuple(ours) != tuple(theirs):
            message = f"{spectra[0].source}: {what} {list(ours)} of the spectrum, but {list(theirs)} of the response"
            raise SelectionError(message)


def require_same_channels(spectra: Sequence[CountSpectrum]) -> None:
    """Refuse an empty sequence, and spectra that differ in channels, detectors or pixels.

    Raises
    ------
    SelectionError
    """
    if not spectra:
        message = "a spectrum file needs at least one spectrum"
        raise SelectionError(message)
    first = spectra[0]
    for other in spectra[1:]:
        if not (
            np.array_equal(first.e_low, other.e_low)
            and np.array_equal(first.e_high, other.e_high)
            and first.detectors == other.detectors
            and first.pixels == other.pixels
        ):
            message = f"{other.source}: spectra in one file must have the same channels, detectors and pixels"
            raise SelectionError(message)


def require_distance(distance: float) -> None:
    """Refuse a distance to the Sun that is not a positive number of AU up to 2.

    Raises
    ------
    SelectionError
    """
    if not 0 < distance < 2:
        message = f"distance to the Sun must be in AU, more than 0 and less than 2, found {distance:g}"
        raise SelectionError(message)


def start_table[Header: (fits.Header, Keywords)](header: Header, name: str, created: np.datetime64) -> Header:
    """Add the name of a table and the keywords of every extension; returns the header."""
    header["EXTNAME"] = (name, "extension name")
    header["DATE"] = (seconds_text(created), "File creation date (YYYY-MM-DDThh:mm:ss UTC)")
    add_origin(header)
    return header


def add_origin(header: fits.Header | Keywords) -> None:
    """Add observatory, instrument and software."""
    header["LONGSTRN"] = ("OGIP 1.0", "The OGIP long string convention may be used.")
    header["ORIGIN"] = ("STIX", "Spectrometer Telescope for Imaging X-rays")
    header["TELESCOP"] = ("Solar Orbiter", "Name of the Telescope or Mission")
    header["INSTRUME"] = ("STIX", "Name of the instrument")
    header["OBJECT"] = ("Sun", "Object being observed")
    header["CREATOR"] = (f"{CREATOR} {software_version()}", "Software that wrote the file")


def add_scheme(header: fits.Header | Keywords, response: Response) -> None:
    """Add how a response was made."""
    header["RSPSCHEM"] = (response.scheme, "Scheme of the response")
    header["TAILING"] = (response.tailing, "Loss of charge in the detector included")


def seconds_text(time: np.datetime64) -> str:
    """Time in ISO 8601 to the second."""
    return str(time.astype("datetime64[s]"))


def _span(edges: Floats) -> str:
    return f"{edges.size} from {edges[0]:g} to {edges[-1]:g} keV" if edges.size else "none"
