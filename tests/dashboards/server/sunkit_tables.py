"""Replaces the tables that sunkit-spex downloads, then runs a script: ``sunkit_tables.py <script> <words>``.

The thermal emission and the reflection are those of this software, in the form in which sunkit-spex keeps its own, so
that its code runs and the answer of the fit is known.
"""

import runpy
import sys

import astropy.units as u
import numpy as np
import xarray
from astropy.table import Table
from sunkit_spex.models.physical import albedo, io

from stixcore.spectra.models.albedo import Albedo
from stixcore.spectra.models.thermal import AU, thermal
from stixcore.spectra.tables import response_tables

PER_MEASURE = u.ph * u.cm**3 / u.s


def continuum():
    """All emission as continuum of hydrogen: (1, temperature, wavelength)."""
    edges = response_tables().photon_edges
    edges = np.concatenate([[0.99 * edges[0]], edges, [1.01 * edges[-1]]])
    log_t = np.linspace(6.0, 8.0, 101)
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    flux = np.array([thermal(edges, 10.0 ** (one - 6.0), 1.0) for one in log_t])
    values = flux * width * 4.0 * np.pi * AU**2 / 1e49
    # of a bin, whose width in energy sunkit-spex takes from those of energy and wavelength
    energy = (1.0 * u.AA).to_value("keV", equivalencies=u.spectral())
    return xarray.DataArray(
        values[None, :, ::-1].copy(),
        dims=["element_index", "temperature", "wavelength"],
        coords={"element_index": [0], "temperature": 10.0**log_t, "wavelength": energy / middle[::-1]},
        attrs={
            "units": {"data": PER_MEASURE / u.keV, "temperature": u.K, "wavelength": u.AA},
            "wavelength_edges": wavelength_edges(energy / middle[::-1], (width / middle)[::-1]) * u.AA,
        },
    )


def wavelength_edges(middle, fraction):
    """Edges whose differences are ``fraction`` of the wavelengths."""
    return np.concatenate([[0.0], np.cumsum(middle * fraction)])


def lines():
    """No emission in lines."""
    return xarray.DataArray(
        np.full((1, 100), 1e-99),
        dims=["lines", "temperature"],
        coords={
            "logT": ("temperature", np.linspace(6.0, 8.1, 100)),
            "peak_energy": ("lines", [3.0]),
            "atomic_number": ("lines", [26]),
        },
        attrs={"units": {"data": PER_MEASURE, "peak_energy": u.keV}, "element_index": np.array([25])},
    )


def reflection(edges, theta, anisotropy=1):
    """Reflected flux in each bin per flux in each bin of the direct spectrum: rows are direct."""
    ours = Albedo(edges.to_value("keV"), theta.to_value("deg"))
    return np.array([ours.reflected(one) for one in np.eye(edges.size - 1)]) / anisotropy


if __name__ == "__main__":
    abundances = np.zeros(50)
    abundances[0] = 1.0
    io.load_chianti_continuum, io.load_chianti_lines_lite = continuum, lines
    io.load_xray_abundances = lambda: Table({"sun_coronal_ext": abundances})
    albedo.get_albedo_matrix = reflection
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
