"""The command that measures a spectrum again: ``stix-jobs spectrum`` with every option of a request."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import numpy as np

from stixcore.measure_spectrum import SpectrumRequest
from stixcore.spectra.fit.statistic import Statistic
from stixcore.spectra.transmission import ResponseScheme
from stixcore.times import format_time

#: Folder in which the command writes its files.
OUT = "spectrum"


def spectrum_command(request: SpectrumRequest, science: str, background: str | None, aspect: Sequence[str]) -> str:
    """The command for a request, for a shell in the folder of its files.

    Parameters
    ----------
    request : SpectrumRequest
        ``start_values`` have no option and are left out.
    science : str
        Name of the science file.
    background : str or None
    aspect : sequence of str
        Names of the auxiliary files, in the order in which they were used.
    """
    parts = ["stix-jobs", "spectrum", *selection_arguments(request, science, background, aspect)]
    parts += ["--fit", request.model]
    parts += [*_numbers("--energy", request.energy), *_numbers("--location", request.location)]
    parts += [*_numbers("--detectors", request.detectors), *_numbers("--pixels", request.pixels)]
    for name, value in sorted(request.fixed.items()):
        parts += ["--fixed", f"{name}={plain_number(value)}"]
    if request.angle is not None:
        parts += ["--angle", plain_number(request.angle)]
    if request.statistic != Statistic.CHI2:
        parts += ["--statistic", str(request.statistic)]
    if request.scheme != ResponseScheme.GSW_2026:
        parts += ["--scheme", str(request.scheme)]
    if request.tailing:
        parts.append("--tailing")
    if not request.albedo:
        parts.append("--no-albedo")
    return shlex.join([*parts, "--out", OUT, "--format", "all", "--json"])


def _numbers(option: str, values: Iterable[float] | None) -> list[str]:
    return [] if values is None else [option, *map(plain_number, values)]


def selection_arguments(
    request: SpectrumRequest, science: str, background: str | None, aspect: Sequence[str]
) -> list[str]:
    """Arguments for the files and the time range of a request; parameters as `spectrum_command`."""
    parts = [_file(science)]
    if background is not None:
        parts += ["--background", _file(background)]
    if request.background_range is not None:
        parts += ["--background-range", *map(format_time, request.background_range)]
    if aspect:
        parts += ["--aux", *map(_file, aspect)]
    return [*parts, "--start", format_time(request.start), "--end", format_time(request.end)]


def plain_number(value: float) -> str:
    """A number that reads back the same; without exponent, because "-1e-05" would be taken for an option."""
    return str(value) if isinstance(value, int) else np.format_float_positional(value, trim="-")


def _file(name: str) -> str:
    """A file name that is not taken for an option."""
    return f"./{name}" if name.startswith("-") else name
