"""Make ``data/response.npz.xz`` from published tables.

    python -m stixcore.spectra.makers.response FOLDER [OUT]

The folder contains

``tables/transmission_20251110.csv``, ``tables/transmission_20220621.csv``
    Energy, coarse detectors, fine detectors, attenuator: the distinct columns of
    ``stix/dbase/grid/stix_transmission_highres_*.csv`` of the STIX ground software (i4Ds/STIX-GSW, Apache-2.0).
``tables/nom_grid_transmission.txt``, ``tables/real_bkg_grid_transmission.txt``
    ``stix/dbase/grid`` of the same.
``tables/nist_w_z74.csv``
    Mass attenuation of tungsten (NIST, Hubbell & Seltzer 1995), as in the package roentgen (Apache-2.0).
``tables/xsec_cdte_w_elam.csv``
    Cross-sections of cadmium telluride, Elam, Ravel & Sieber 2002, as in the package xraydb (public domain).
``truth/drm_no_tail.fits``
    Detector matrix without windows and grids, 3210 photon bins × 30 channels: the response of stixpy's pull request
    192 (BSD-3) ÷ transmission of windows and grids.

The matrix with loss of charge is computed here, from the matrix without it (`stixcore.spectra.detector`). The same
folder gives the same file, bit for bit.
"""

from __future__ import annotations

import io
import lzma
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from stixcore.errors import CalibrationError
from stixcore.spectra.detector import attenuation, tailing_matrix
from stixcore.spectra.tables import ENERGY_UNIT, FILE_NAME, SCHEMA, packed_spectra

Floats = NDArray[np.float64]

WINDOW_FILES = {"2025-11-10": "transmission_20251110.csv", "2022-06-21": "transmission_20220621.csv"}
LOWEST_ENERGY = 2.9  # keV: the photon axis starts at 3.005 keV
#: Nominal open fractions of the pixels of the background monitor, ``nom_bkg_grid_transmission.txt`` of the same source.
NOMINAL_APERTURES = [0.1039555, 0.0010396, 0.0103956, 0, 0, 0.0103956, 0.0010396, 0.1039555, 0, 0, 0, 0]
MEV = 1000.0  # keV
#: Photon bins, keV, at L edges of tungsten: in the matrix's file they were divided by the grids' transmission on the
#: other side of the edge, 1.4 and 0.14 % too much.
WRONG_SIDE = (10.21, 12.10)


def packed_response(folder: Path) -> bytes:
    """Make the contents of the data file.

    Raises
    ------
    CalibrationError
        When an energy of a table is not a multiple of the unit in which energies are stored.
    FileNotFoundError
        When a table is missing.
    """
    tables = folder / "tables"
    arrays: dict[str, NDArray[np.generic]] = {"schema": np.array(SCHEMA)}
    for date, name in WINDOW_FILES.items():
        arrays.update(_window(tables / name, date))
    tungsten = np.array([row.split(",")[:2] for row in _rows(tables / "nist_w_z74.csv")], dtype=float)
    cdte = np.array([row.split(",")[:3] for row in _rows(tables / "xsec_cdte_w_elam.csv")], dtype=float)
    arrays |= {
        "tungsten_energy": tungsten[:, 0] * MEV,
        "tungsten": tungsten[:, 1],
        "cadmium_telluride_energy": cdte[:, 0],
        "cadmium_telluride": (cdte[:, 1] + cdte[:, 2]).astype(np.float32),
        "nominal_grids": np.array(_rows(tables / "nom_grid_transmission.txt"), dtype=float),
        "monitor_apertures": np.array(_rows(tables / "real_bkg_grid_transmission.txt"), dtype=float),
        "nominal_monitor_apertures": np.array(NOMINAL_APERTURES),
    }
    arrays |= _detector(folder / "truth" / "drm_no_tail.fits", cdte[:, 0], cdte[:, 1] + cdte[:, 2])
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]  # names of arrays, not options
    return lzma.compress(out.getvalue(), preset=9 | lzma.PRESET_EXTREME)


def _rows(path: Path) -> list[str]:
    """Lines of a table that start with a number."""
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()[:1].isdigit()]


def _integers(energy: Floats, name: str) -> NDArray[np.int32]:
    steps = np.round(energy / ENERGY_UNIT)
    if np.abs(steps * ENERGY_UNIT - energy).max() > 1e-6:
        message = f"{name}: an energy is not a multiple of {ENERGY_UNIT:g} keV"
        raise CalibrationError(message)
    return steps.astype(np.int32)


def _window(path: Path, date: str) -> dict[str, NDArray[np.generic]]:
    table = np.array([row.split(",") for row in _rows(path)], dtype=float)
    table = table[table[:, 0] > LOWEST_ENERGY].T
    return {
        f"window_energy_{date}": _integers(table[0], path.name),
        f"window_depth_{date}": packed_spectra(-np.log(table[1:])),
    }


def _detector(path: Path, energy: Floats, cross_section: Floats) -> dict[str, NDArray[np.generic]]:
    with fits.open(path) as file:
        matrix = np.array(file["DRM"].data, dtype=float)
        photon_edges, channel_edges = (np.array(file[name].data, dtype=float) for name in ("EDGES", "CHANNELS"))
    middle = 0.5 * (photon_edges[1:] + photon_edges[:-1])
    for kev in WRONG_SIDE:  # the efficiency is smooth there
        j = int(np.abs(middle - kev).argmin())
        matrix[j] *= 0.5 * (matrix[j - 1].sum() + matrix[j + 1].sum()) / matrix[j].sum()
    tailed = tailing_matrix(middle, attenuation(0.5 * (middle[1:] + middle[:-1]), energy, cross_section)) @ matrix
    tailed[-1] = matrix[-1]  # the loss of the last bin depends on the next one, which there is not
    return {
        "photon_edges": _integers(photon_edges, path.name),
        "channel_edges": _integers(channel_edges, path.name),
        "matrix": packed_spectra(matrix.T),
        "tailed": packed_spectra(tailed.T),
    }


def main(folder: Path, out: Path) -> None:
    """Write the data file."""
    out.write_bytes(packed_response(folder))


if __name__ == "__main__":
    _default = Path(__file__).parent.parent / "data" / FILE_NAME
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else _default)
