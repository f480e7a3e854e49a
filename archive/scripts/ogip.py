"""The OGIP files of a spectrum for XSPEC, Sherpa and Gammapy, made from its record and its response, as a zip file."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archive.errors import NotInArchive
from archive.index.schema import Spectrum
from archive.index.spectrum_records import SpectrumRecord
from archive.scripts.spectra import fit_notice
from archive.scripts.templates import fill
from stixcore.spectra.counts import CountSpectrum
from stixcore.spectra.files import read_response_file, write_arf, write_pha, write_rmf
from stixcore.spectra.files.ogip import PhaContent
from stixcore.spectra.response import Response

#: Name of the zip file in URLs.
OGIP_ZIP = "ogip.zip"


def ogip_zip(record: SpectrumRecord, response_file: Path) -> bytes:
    """Spectrum, background, redistribution and effective area with a README; the same bytes for the same record.

    Parameters
    ----------
    record : SpectrumRecord
    response_file : Path
        The response of the pair for OSPEX, ``stx_srm.fits``.

    Raises
    ------
    InvalidProduct
        When the response is damaged.
    NotInArchive
        When the record has no counts.
    """
    row = record.row
    response, state = _response(record.document, response_file)
    try:
        spectrum = _spectrum(record, state)
    except (KeyError, TypeError, ValueError) as error:
        message = f"spectrum {row.spectrum_id!r}: its record has no valid counts ({error})"
        raise NotInArchive(message) from error
    packed, moment = io.BytesIO(), row.created_at.item().timetuple()[:6]
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w") as package:
        for path in _write(Path(folder), row, spectrum, response, record.document.get("fit")):
            entry = zipfile.ZipInfo(f"stix_spectrum_{row.spectrum_id}/{path.name}", moment)
            entry.external_attr = 0o644 << 16  # readable for all; the default of zipfile is owner only
            package.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _write(
    folder: Path, row: Spectrum, spectrum: CountSpectrum, response: Response, fit: Mapping[str, Any] | None
) -> list[Path]:
    """Write the files; returns their paths."""
    paths = {name: folder / f"stx_{row.spectrum_id}_{name}.fits" for name in ("pha", "bkg", "rmf", "arf")}
    write_rmf(paths["rmf"], response, created=row.created_at)
    write_arf(paths["arf"], response, created=row.created_at)
    if spectrum.background_source:
        write_pha(paths["bkg"], spectrum, created=row.created_at, content=PhaContent.BACKGROUND)
    else:
        del paths["bkg"]
    write_pha(
        paths["pha"],
        spectrum,
        created=row.created_at,
        content=PhaContent.TOTAL,
        response_file=paths["rmf"].name,
        area_file=paths["arf"].name,
        background_file=paths["bkg"].name if "bkg" in paths else "none",
        good=np.array(fit["used"], dtype=bool) if fit else None,
    )
    readme = folder / "README.txt"
    readme.write_text(_readme(row, paths, fit), encoding="utf-8")
    return [readme, *paths.values()]


def _response(document: Mapping[str, Any], path: Path) -> tuple[Response, int]:
    """The response and the attenuator state that it is for."""
    found = read_response_file(path)
    (state, matrix), *_ = found.matrices.items()
    described = document["response"]
    response = Response(
        photon_edges=found.photon_edges,
        channel_edges=found.channel_edges,
        matrix=matrix,
        area=float(document["area_cm2"]),
        scheme=str(described["scheme"]),
        attenuator=bool(described["attenuator"]),
        detectors=tuple(document["detectors"]),
        pixels=tuple(document["pixels"]),
        place=(float(described["stix_x"]), float(described["stix_y"])),
        tailing=bool(described["tailing"]),
    )
    return response, state


def _spectrum(record: SpectrumRecord, state: int) -> CountSpectrum:
    row, document = record.row, record.document

    def array(name: str) -> NDArray[np.float64]:
        return np.array(document[name], dtype=np.float64)

    e_low, e_high = np.array(document["energy_kev"], dtype=float).T
    return CountSpectrum(
        e_low=e_low,
        e_high=e_high,
        counts=array("counts"),
        sigma=array("sigma"),
        background=array("background"),
        background_sigma=array("background_sigma"),
        systematic=array("systematic"),
        livetime=float(document["livetime_s"]),
        t_start=row.t_start,
        t_end=row.t_end,
        detectors=tuple(document["detectors"]),
        pixels=tuple(document["pixels"]),
        rcr=state,
        energy_table=row.energy_table or "",
        doubts=tuple(document["doubts"]),
        source=row.science_name,
        request_id=row.uid,
        background_source=row.background_uid or "",
        cal_file=row.cal_file or "",
    )


def _readme(row: Spectrum, paths: Mapping[str, Path], fit: Mapping[str, Any] | None) -> str:
    lines = ["No fit: " + (row.no_fit or "counts and response only") + "."]
    if fit:
        low, high = fit["energy_range_kev"]
        lines = [
            f"Fit of the archive ({fit_notice(row)}): {fit['model']}, {low:g}-{high:g} keV, {fit['verdict']},",
            f"chi-squared {fit['chi2']:.1f} for {fit['ndof']} degrees of freedom. QUALITY is 0 in the fitted channels.",
            *(f"  {name:20s} {_with_errors(value)}" for name, value in fit["parameters"].items()),
            *(f"  doubt: {doubt['text']}" for doubt in fit["doubts"]),
        ]
    return fill(
        "ogip_readme.txt",
        {
            "spectrum_id": row.spectrum_id,
            "start": str(row.t_start)[:19],
            "end": str(row.t_end)[:19],
            "science_name": row.science_name,
            "simulated": "\nSIMULATED data: no real flare.\n" if row.simulated else "",
            "distance": f"{row.distance_au:.6g}",
            "square": f"{row.distance_au**2:.6g}",
            "pha": paths["pha"].name,
            "files": ", ".join(path.name for path in paths.values()),
            "fit": "\n".join(lines),
        },
    )


def _with_errors(value: Mapping[str, Any]) -> str:
    """A value with its 1-sigma errors."""
    if value["fixed"]:
        return f"{value['value']:.5g} {value['unit']} (fixed)"
    ends = [
        sign + ("open" if one is None else f"{one:.2g}")
        for sign, one in (("-", value["sigma_minus"]), ("+", value["sigma_plus"]))
    ]
    return f"{value['value']:.5g} {' '.join(ends)} {value['unit']}".rstrip()
