"""Scripts that reproduce one spectrum: Python with sunkit-spex, Python with this software, and IDL with OSPEX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archive.errors import NotInArchive
from archive.index.schema import RunKind, Spectrum
from archive.layout import stamp
from archive.scripts import idl
from archive.scripts.literals import idl_literal, python_literal
from archive.scripts.spectrum_sources import SpectrumSource
from archive.scripts.templates import fill
from archive.scripts.templates import part as script_part
from stixcore.spectra.fit.components import COMPONENTS, Component
from stixcore.times import format_time

#: Functions that write scripts, by the name at the end of their URL.
SPECTRUM_SCRIPTS: Mapping[str, Callable[[SpectrumSource], str]]

#: What every script prints about a fit that no user has checked.
AUTOMATIC = "automatic fit, not for publication"
#: OSPEX's order of the parameters of electrons, after the norm, and of a thermal component.
_ELECTRONS = ("delta", "e_break_keV", "delta_above", "e_cut_keV", "e_high_keV")
_THERMAL = ("EM_1e49_cm3", "T_keV", "abundance")


def spectrum_script_name(source: SpectrumSource, script: str) -> str:
    """File name of a script: ``stix_spectrum_20221111T113600_<id>_fit.py``; without "-", which IDL does not allow."""
    stem = re.sub(r"\W", "_", f"stix_spectrum_{stamp(source.row.t_start)}_{source.row.spectrum_id}", flags=re.ASCII)
    return f"{stem}_{script}"


def fit_notice(row: Spectrum) -> str:
    """Who chose the fit; for an automatic one, that it is not for publication."""
    return AUTOMATIC if row.kind == RunKind.AUTO else "fit of a user"


def fit_script(source: SpectrumSource) -> str:
    """Fit with `sunkit_spex`, independently of this software.

    Raises
    ------
    NotInArchive
        If the spectrum has no fit.
    """
    row, fit = source.row, source.fit
    values = {
        **_common(source),
        "time_range": source.document["time_range"],
        "spectrum": source.spectrum.as_document(),
        "response": source.response.as_document(),
        "model": fit["model"],
        "energy_range": fit["energy_range_kev"],
        "channels": [number for number, used in enumerate(fit["used"]) if used],
        "constants": {label: _constants(source, component, suffix) for label, suffix, component in _parts(source)},
        "albedo_angle": fit["albedo_angle_deg"],
        "thermal_table": row.thermal_table,
        "statistic": fit["statistic"],
        "chi2": fit["chi2"],
        "ndof": fit["ndof"],
        "verdict": fit["verdict"],
        "doubts": [*source.document["doubts"], *(doubt["text"] for doubt in fit["doubts"])],
        "parameters": _values(fit),
        "bounds": {
            parameter.name + suffix: [parameter.lower, parameter.upper]
            for _, suffix, component in _parts(source)
            for parameter in component.parameters
        },
        "output": spectrum_script_name(source, "sunkit_spex.png"),
    }
    return _python_script(source, "fit.py", values)


def reproduce_script(source: SpectrumSource) -> str:
    """Measure and fit with `stixcore` from level-1 files: the same numbers as in the archive."""
    document = source.document
    fit = document.get("fit")
    values = {
        **_common(source),
        "version": source.row.version,
        "recipe": source.recipe,
        "files": [file.as_document() for file in source.inputs],
        "energy_table": source.energy_table,
        "in_force": [list(times) for times in source.in_force],
        "counts": document["counts"],
        "sigma": document["sigma"],
        "fit": {"chi2": fit["chi2"], "parameters": _values(fit)} if fit else None,
        "output": spectrum_script_name(source, "reproduced.png"),
    }
    return _python_script(source, "reproduce.py", values)


def _python_script(source: SpectrumSource, script: str, values: Mapping[str, Any]) -> str:
    """A Python script from its template, with values as literals and the functions that get its files."""
    imports, functions = script_part("files")
    return fill(
        f"spectrum_{script}.txt",
        {
            **{name: python_literal(value) for name, value in values.items()},
            "script_name": spectrum_script_name(source, script),
            "file_imports": imports,
            "file_functions": functions,
        },
    )


def ospex_script(source: SpectrumSource) -> str:
    """Fit with OSPEX in SSWIDL, from the values of the archive.

    Raises
    ------
    NotInArchive
        If the spectrum has no fit.
    """
    row, fit = source.row, source.fit
    parameters = list(_ospex_parameters(source))
    kinds = [component.name for _, _, component in _parts(source)]
    numbers = {
        "values": [one["value"] for one in parameters],
        "minus": [one["sigma_minus"] for one in parameters],
        "plus": [one["sigma_plus"] for one in parameters],
        "minima": [one["lower"] for one in parameters],
        "maxima": [one["upper"] for one in parameters],
    }
    texts = {
        **_common(source),
        "time_range": [idl.idl_time(format_time(time)) for time in (row.t_start, row.t_end)],
        "model": fit["model"],
        "energy_range": [float(edge) for edge in fit["energy_range_kev"]],
        "names": [one["name"] for one in parameters],
        "free": [int(one["free"]) for one in parameters],
        "spectra": ["full" if kind == "vth" else "" for kind in kinds],
        "models": ["chianti" if kind == "vth" else "" for kind in kinds],
        "thermal_table": row.thermal_table or "none",
        "chi2": float(fit["chi2"]),
        "ndof": int(fit["ndof"]),
        "verdict": fit["verdict"],
        "statistic": fit["statistic"],
        "albedo": fit["albedo_angle_deg"] is not None,
        "albedo_angle": float(fit["albedo_angle_deg"] or 0.0),
    }
    return fill(
        "spectrum.pro.txt",
        {
            **{name: idl_literal(value) for name, value in texts.items()},
            **{name: f"[{', '.join(map(idl.number_or_nan, values))}]" for name, values in numbers.items()},
            **idl.file_values("spectrum", source.spectrum),
            **idl.file_values("response", source.response),
            "script_name": spectrum_script_name(source, "fit.pro"),
            "file_functions": idl.file_functions(),
        },
    )


def _common(source: SpectrumSource) -> dict[str, Any]:
    row = source.row
    return {
        "spectrum_id": row.spectrum_id,
        "author": row.author,
        "simulated": row.simulated,
        "notice": fit_notice(row),
    }


def _parts(source: SpectrumSource) -> Iterator[tuple[str, str, Component]]:
    """Label, suffix of the parameters, and component of each part of the fitted model."""
    seen: dict[str, int] = {}
    for kind in source.fit["model"].split("+"):
        if kind not in COMPONENTS:
            message = f"spectrum {source.row.spectrum_id!r}: its record has the unknown component {kind[:40]!r}"
            raise NotInArchive(message)
        seen[kind] = seen.get(kind, 0) + 1
        suffix = "" if seen[kind] == 1 else f"_{seen[kind]}"
        yield kind + suffix, suffix, COMPONENTS[kind]


def _constants(source: SpectrumSource, component: Component, suffix: str) -> dict[str, float]:
    fixed = source.recipe["request"]["fixed"]
    return {name: float(fixed.get(name + suffix, value)) for name, value in component.constants.items()}


def _values(fit: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    keys = ("value", "sigma_minus", "sigma_plus", "fixed")
    return {name: {key: value[key] for key in keys} for name, value in fit["parameters"].items()}


def _ospex_parameters(source: SpectrumSource) -> Iterator[dict[str, Any]]:
    """The parameters of a model in OSPEX's order, with the values and errors of the archive."""
    fitted = source.fit["parameters"]
    for _, suffix, component in _parts(source):
        constants = _constants(source, component, suffix)
        varied = {parameter.name: parameter for parameter in component.parameters}
        for name in _THERMAL if component.name == "vth" else (component.norm.name, *_ELECTRONS):
            if name in constants:
                value = constants[name]
                ends = {"sigma_minus": 0.0, "sigma_plus": 0.0, "lower": 0.01 * value, "upper": 100.0 * value}
                yield {"name": name + suffix, "value": value, "free": False, **ends}
                continue
            parameter, found = varied[name], fitted[name + suffix]
            yield {
                "name": name + suffix,
                "value": found["value"],
                "free": not found["fixed"],
                "sigma_minus": found["sigma_minus"],
                "sigma_plus": found["sigma_plus"],
                "lower": parameter.lower,
                "upper": parameter.upper,
            }


SPECTRUM_SCRIPTS = {"fit.py": fit_script, "reproduce.py": reproduce_script, "fit.pro": ospex_script}
