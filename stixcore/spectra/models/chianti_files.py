"""Read the CHIANTI tables that OSPEX uses: ``chianti_lines_*.sav``, ``chianti_cont_*.sav``, ``xray_abun_file.genx``.

They belong to the xray package of SolarSoft, folder ``packages/xray/dbase/chianti``. Their contents are described in
its routines ``setup_chianti_lines`` and ``setup_chianti_cont``:

- lines: ``out.lines`` with IZ (atomic number), WVL (Å) and INT (photons cm⁻² s⁻¹ sr⁻¹ at each temperature), and
  ``out.logt_isothermal``, ``out.logem_isothermal`` (log10 of K and of cm⁻⁵);
- continuum: ``totcont_lo``, ``totcont`` (element, temperature, wavelength; photons cm³ s⁻¹ sr⁻¹ in each bin),
  ``zindex`` (atomic number − 1), ``ctemp`` (K) and ``edge_str`` with WVLEDGE (Å).

Abundances are 1 in both; they are applied here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stixcore.errors import CalibrationError, InvalidProduct, StixError
from stixcore.spectra.models.thermal import FLOOR, KEV_PER_MK, Floats, ThermalTable, group_of

#: Energy of a photon of 1 Å, keV.
WAVELENGTH_KEV = 12.39841984
#: Default abundances of OSPEX: Feldman 1992, extended.
ABUNDANCES = "sun_coronal_ext"


def read_chianti_files(lines: Path, continuum: Path, abundances: Path) -> ThermalTable:
    """Make a thermal table from the three files of SolarSoft.

    Raises
    ------
    CalibrationError
        When a file is missing, or the two tables have no temperatures in common.
    InvalidProduct
        When a file is not the table of its argument.
    """
    for title, path in (("lines", lines), ("continuum", continuum), ("abundances", abundances)):
        if not path.is_file():
            message = (
                f"the CHIANTI table of {title}, {path.name}, is missing; copy it from packages/xray/dbase/chianti of "
                "SolarSoft, or use the built-in table."
            )
            raise CalibrationError(message)
    abundance = _abundances(abundances)
    with _contents_of(continuum, "a continuum by element, temperature and wavelength"):
        log_t, energy, ground = _continuum(continuum, abundance)
        _require_finite(log_t, energy, ground)
    with _contents_of(lines, "lines with their intensities by temperature"):
        line_energy, line_group, emissivity = _lines(lines, abundance, log_t)
        _require_finite(line_energy, emissivity)
    kt = KEV_PER_MK * 10 ** (log_t - 6)
    return ThermalTable(
        name=f"{lines.name}, {continuum.name}",
        version=f"CHIANTI {_version(continuum)}",
        source=f"SolarSoft xray package; abundances {ABUNDANCES} of {abundances.name}",
        log_t=log_t,
        energy=energy,
        continuum=_slow(ground, energy, kt),
        line_energy=line_energy,
        line_group=line_group,
        lines=_slow(emissivity, line_energy, kt),
    )


@contextmanager
def _contents_of(path: Path, expected: str) -> Iterator[None]:
    """Name the file if its variables have other types, shapes or values than expected."""
    try:
        yield
    except StixError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InvalidProduct(path, expected, f"{type(error).__name__}: {error}") from error


def _require_finite(*arrays: Floats) -> None:
    if not all(array.size and np.isfinite(array).all() for array in arrays):
        message = "no values, or values that are not finite"
        raise ValueError(message)


def _slow(values: Floats, energy: Floats, kt: Floats) -> Floats:
    # emissivities ÷ exp(−E/kT), as logarithms; the last two axes are temperature and energy
    logarithm = np.log(np.clip(values, np.exp(FLOOR), None))
    return np.asarray(np.clip(logarithm + energy / kt[:, None], FLOOR, None))


def _continuum(path: Path, abundance: Floats) -> tuple[Floats, Floats, Floats]:
    """log10 T, energies and the continuum of each abundance group (group, temperature, energy)."""
    data = _saved(path, ("totcont_lo", "totcont", "zindex", "ctemp", "edge_str"))
    values = np.concatenate([data["totcont_lo"], data["totcont"]], axis=-1).astype(float) * 4 * np.pi
    edges = np.asarray(_field(path, data["edge_str"], "WVLEDGE"), dtype=float)
    numbers = np.asarray(data["zindex"], dtype=int) + 1
    log_t = np.log10(np.asarray(data["ctemp"], dtype=float))
    shape = (len(numbers), len(log_t), len(edges) - 1)
    if values.shape != shape:
        raise InvalidProduct(path, f"a continuum of shape {shape}", str(values.shape))
    widths = WAVELENGTH_KEV / edges[:-1] - WAVELENGTH_KEV / edges[1:]
    grouped = np.zeros((3, *values.shape[1:]))
    for z, element in zip(numbers, values, strict=True):
        grouped[group_of(int(z))] += abundance[z - 1] * element / widths
    energy = 2 * WAVELENGTH_KEV / (edges[:-1] + edges[1:])
    return log_t, energy[::-1], grouped[..., ::-1]


def _lines(path: Path, abundance: Floats, log_t: Floats) -> tuple[Floats, np.ndarray[Any, Any], Floats]:
    """Energy, abundance group and emissivity (temperature of the continuum, line) of each line."""
    out = _saved(path, ("out",))["out"]
    records = _field(path, out, "LINES")
    logem = np.asarray(_field(path, out, "LOGEM_ISOTHERMAL"), dtype=float)
    grid = np.asarray(_field(path, out, "LOGT_ISOTHERMAL"), dtype=float)
    numbers = np.asarray(_field(path, records, "IZ", first=False), dtype=int)
    energy = WAVELENGTH_KEV / np.asarray(_field(path, records, "WVL", first=False), dtype=float)
    intensity = np.stack(list(_field(path, records, "INT", first=False))).astype(float)
    if grid[0] > log_t[-1] or grid[-1] < log_t[0]:
        message = f"{path.name}: its temperatures do not overlap those of the continuum table."
        raise CalibrationError(message)
    # ε = 4π I/EM
    emissivity = 4 * np.pi * intensity / 10**logem * abundance[numbers - 1][:, None]
    slow = _slow(emissivity.T, energy, KEV_PER_MK * 10 ** (grid - 6))
    kt = KEV_PER_MK * 10 ** (log_t - 6)
    common = np.array([np.interp(log_t, grid, column, right=FLOOR) for column in slow.T]).T
    groups = np.array([group_of(int(z)) for z in numbers])
    return energy, groups, np.exp(np.clip(common - energy / kt[:, None], FLOOR, None))


def _abundances(path: Path) -> Floats:
    from sunpy.io.special.genx import read_genx

    try:
        sets = {_text(entry["FILNAM"]): entry["ABUND"] for entry in read_genx(str(path))["SAVEGEN0"]}
        return np.asarray(sets[ABUNDANCES], dtype=float)
    except (LookupError, TypeError, ValueError, EOFError, OSError, struct.error) as error:
        raise InvalidProduct(path, f"abundances named {ABUNDANCES}", f"none ({type(error).__name__})") from error


def _saved(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    from scipy.io import readsav

    try:
        found: dict[str, Any] = readsav(str(path))
    except Exception as error:
        # readsav raises a bare Exception for a file that is not of IDL
        raise InvalidProduct(path, "an IDL save file", f"{type(error).__name__}") from error
    for name in names:
        if name not in found:
            raise InvalidProduct(path, f"a variable {name}", ", ".join(sorted(found)) or "none")
    return found


def _field(path: Path, structure: Any, name: str, *, first: bool = True) -> Any:
    try:
        return structure[name][0] if first else structure[name]
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise InvalidProduct(path, f"a field {name}", "none") from error


def _version(path: Path) -> str:
    doc = _saved(path, ()).get("chianti_doc")
    return "unknown version" if doc is None else _text(doc[0][2])


def _text(value: Any) -> str:
    return value.decode("ascii", "replace").strip() if isinstance(value, bytes) else str(value).strip()
