"""The IDL script: SSWIDL with the STIX ground software, v0.6.2 and newer (routines and keywords of its public demo)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from archive.layout import stamp
from archive.scripts.literals import idl_literal, packages_of
from archive.scripts.sources import ImageSource, InputFile
from archive.scripts.templates import fill, template
from stixcore.imaging.reconstruction import method_name
from stixcore.times import format_time

#: The full-disk map: sub-collimators 10a … 7c, 512² pixels over 2.6 solar radii.
LOCATION_LABELS = [f"{number}{letter}" for number in range(10, 6, -1) for letter in "abc"]
FULL_DISK_PIXELS, FULL_DISK_FIELD = 512, 2.6
LINE_WIDTH = 100
#: The ground software uses the bins that cover a time range: with this margin, it does not include adjacent bins, s.
_INSIDE = np.timedelta64(50, "ms")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Upper edge [keV] up to which an image is thermal: the Data Center fits one ellipse, above it two circles.
THERMAL_END = 16.0
#: Value of a fixed source parameter → field of ``srcin.<shape>[i].param_opt``.
FIXED = {"flux": "param_flux", "x": "param_x", "y": "param_y", "fwhm": "param_fwhm"}


def idl_script(source: ImageSource) -> str:
    """Ephemeris, location, calibrated visibilities, the methods of the recipe, FITS files, plots."""
    recipe, image = source.recipe, source.image
    pointing, location = recipe["pointing"], recipe["location"]
    rows, columns = recipe["shape"]
    covered = image.t_start + _INSIDE, image.t_end - _INSIDE
    missing = [f"; {comment}" for method, comment in _NOT_IN_IDL.items() if method in recipe["methods"]]
    missing += [
        f"; The archive also made {method} with the package {name} {version}, which has no equivalent in IDL"
        for method, name, version in packages_of(recipe)
    ]
    sections = [_PRODUCTS[method](recipe["methods"][method]) for method in _PRODUCTS if method in recipe["methods"]]
    values = {
        "script_name": script_name(source),
        "file_functions": file_functions(),
        "image_id": idl_literal(image.image_id),
        "recipe_id": idl_literal(image.recipe_id),
        "method": idl_literal(image.method),
        "author": idl_literal(image.author),
        "simulated": idl_literal(image.simulated),
        **file_values("science", source.science),
        "background": _background(source.background),
        "background_check": _part_of_background(recipe.get("background_range")),
        "calibration": _calibration(source, shifted=recipe.get("shift_bins", False)),
        "energy_table": "print, 'energy table of the archive: ', energy_table\n" if recipe.get("calibration") else "",
        "auxiliary": _auxiliary(source.aspect),
        "time_range": idl_literal([idl_time(format_time(time)) for time in covered]),
        "energy_range": idl_literal([float(edge) for edge in recipe["energy_range_kev"]]),
        "location": idl_literal([float(location["x_arcsec"]), float(location["y_arcsec"])]),
        "found_by": idl_literal(location["found_by"]),
        "location_energy": idl_literal([float(edge) for edge in recipe["location_energy_kev"]]),
        "pointing_source": idl_literal(pointing["source"]),
        "stx_pointing": idl_literal([float(pointing["x_arcsec"]), float(pointing["y_arcsec"])]),
        "roll": idl_literal(float(pointing["roll_deg"])),
        "rsun": number_or_nan(pointing["rsun_arcsec"]),
        "observer_lon": number_or_nan(pointing["stonyhurst_lon_deg"]),
        "observer_b0": number_or_nan(pointing["b0_deg"]),
        "subcollimators": _text_list(recipe["subcollimators"]),
        "pixel_set": idl_literal(recipe["pixel_set"]),
        "amplitude_scheme": idl_literal(recipe["amplitude_scheme"]),
        "edge_correction": idl_literal(recipe["edge_correction"]),
        "imsize": idl_literal([int(columns), int(rows)]),
        "pixel": idl_literal([float(recipe["pixel_arcsec"])] * 2),
        "products": "\n\n".join(
            ["; ---- 5. Images and FITS files ---------- " + "-" * 77, _output_stem(source), *missing, *sections]
        ),
        "plots": "\n".join(_plot(method) for method in _PRODUCTS if method in recipe["methods"]),
    }
    return fill("image.pro.txt", values)


def script_name(source: ImageSource) -> str:
    """File name of the script, without "-", which is not allowed in IDL."""
    return re.sub(r"\W", "_", f"stix_{stamp(source.image.t_start)}_{source.image.image_id}", flags=re.ASCII) + ".pro"


def _part_of_background(part: list[str] | None) -> str:
    """Lines that stop a script if only a part of the background file was used, which may contain the flare."""
    if part is None:
        return ""
    return (
        "; The image uses only this part of the background file, but the ground software needs a file with a single\n"
        "; time bin: write such a file, enter its name and checksum above, and set background_is_that_part to 1\n"
        f"background_range = {_text_list(part)}\n"
        "background_is_that_part = 0\n"
        "if ~background_is_that_part then message, 'make a background file of one time bin first, see the comment'\n"
    )


def _calibration(source: ImageSource, *, shifted: bool) -> str:
    """Energy table, CAL file and shifted bins, as far as the ground software supports them."""
    used = source.recipe.get("calibration")
    lines = []
    if used is not None:
        lines += [
            "; Energy table used by the archive. The ground software selects its own by date: an older installation",
            "; may have a different one, and counts at the ends of the energy range differ",
            f"energy_table = {idl_literal(used['energy_table']['name'])}",
        ]
    if source.cal_file is None:
        lines += [
            "; Set this to 1 to download and apply energy edges measured near the day of the flare",
            "use_daily_calibration = 0",
            "calibration_name = ''",
        ]
    else:
        lines += ["; Energy edges measured near the day of the flare", "use_daily_calibration = 1"]
        lines += [f"{name} = {value}" for name, value in file_values("calibration", source.cal_file).items()]
    if shifted:
        lines += [
            "; Counts belong to the previous time bin. The ground software shifts them for visibilities, but not for",
            "; EM and the flare location",
        ]
    return "\n".join([*lines, f"shift_bins = {int(shifted)}"])


def idl_time(iso: str) -> str:
    """``2022-11-11T11:36:00.000`` in the format of the ground software's examples: ``11-Nov-2022 11:36:00.000``."""
    day, _, clock = iso.partition("T")
    year, month, date = day.split("-")
    return f"{int(date)}-{MONTHS[int(month) - 1]}-{year} {clock}"


def file_functions() -> str:
    """Functions that find input files in the current folder or download them, as IDL text."""
    return template("files.pro.txt").rstrip("\n")


def file_values(role: str, file: InputFile) -> dict[str, str]:
    """Name, uid, checksum and URLs of an input file as IDL expressions."""
    return {
        f"{role}_name": idl_literal(file.name),
        f"{role}_uid": idl_literal(file.uid),
        f"{role}_sha256": idl_literal(file.sha256),
        f"{role}_addresses": _text_list(file.addresses),
    }


def _background(file: InputFile | None) -> str:
    if file is None:
        return "; No background was subtracted\nbackground_name = ''"
    return "\n".join(f"{name} = {value}" for name, value in file_values("background", file).items())


def _auxiliary(files: Sequence[InputFile]) -> str:
    """Arrays with one element per file, and addresses with one row per file; in IDL rows have equal lengths."""
    if not files:
        return "; No auxiliary file: the pointing below was assumed or set by a user\nn_aux = 0"
    most = max(len(file.addresses) for file in files)
    rows = [_text_list(file.addresses + file.addresses[-1:] * (most - len(file.addresses))) for file in files]
    return "\n".join(
        [
            f"n_aux = {len(files)}",
            f"aux_names = {_text_list([file.name for file in files])}",
            f"aux_sha256 = {_text_list([file.sha256 for file in files])}",
            "aux_addresses = [" + ", $\n  ".join(rows) + "]",
        ]
    )


def _text_list(texts: Sequence[str]) -> str:
    """A list of strings, with as many per line as fit."""
    lines = [""]
    for literal in (idl_literal(text) for text in texts):
        if lines[-1] and len(lines[-1]) + len(literal) > LINE_WIDTH:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else ''}{literal}"
    return "[" + ", $\n  ".join(lines) + "]"


def number_or_nan(value: float | None) -> str:
    """A number as IDL expression; NaN for None."""
    return "!values.d_nan" if value is None else idl_literal(float(value))


def _output_stem(source: ImageSource) -> str:
    stem = source.fits.name.removesuffix(f"_{source.image.method}.fits")
    return f"output = {idl_literal('idl_' + stem)}"


def _product(method: str, comment: str, *lines: str) -> str:
    """Lines that make and write one image."""
    return "\n".join(
        [
            f"; {comment}",
            *lines,
            f"stx_map2fits, {method}_map, output + '_{method}.fits', path_sci_file, path_bkg_file=path_bkg_file",
        ]
    )


def _full_disk(_: Mapping[str, Any]) -> str:
    return _product(
        "full_disk_bp",
        "Full-disk back projection with the coarse sub-collimators, to locate the flare",
        f"disk_index = stx_label2ind({idl_literal(LOCATION_LABELS)})",
        "disk_center = stx_hpc2stx_coord([0d0, 0d0], aux_data)",
        "; Grid transmission on axis, as the location is not known yet",
        "disk_vis = stx_construct_calibrated_visibility(path_sci_file, time_range, location_energy, disk_center, $",
        "  path_bkg_file=path_bkg_file, xy_flare=[0d0, 0d0], sumcase=pixel_set, subc_index=disk_index, $",
        "  calib_data=calib_data, shift_duration=shift_bins, /silent)",
        f"disk_size = [{FULL_DISK_PIXELS}, {FULL_DISK_PIXELS}]",
        f"full_disk_bp_map = stx_bproj(disk_vis, disk_size, aux_data.rsun * {FULL_DISK_FIELD}d0 / disk_size, aux_data)",
    )


def _bp(parameters: Mapping[str, Any]) -> str:
    uniform = idl_literal(parameters["weighting"] == "uniform")
    return _product(
        "bp",
        "Back projection",
        f"bp_uniform_weighting = {uniform}",
        "bp_map = stx_bproj(vis, imsize, pixel, aux_data, uniform_weighting=bp_uniform_weighting)",
    )


def _clean(parameters: Mapping[str, Any]) -> str:
    return _product(
        "clean",
        "CLEAN: five maps, 0 CLEAN, 1 back projection, 2 residual, 3 components, 4 CLEAN without residual",
        *_stop_rule(parameters),
        f"clean_niter = {idl_literal(parameters['max_iterations'])}",
        f"clean_gain = {idl_literal(float(parameters['gain']))}",
        f"clean_beam_width = {idl_literal(float(parameters['beam_fwhm']))}  ; arcsec",
        f"clean_uniform_weighting = {idl_literal(parameters['weighting'] == 'uniform')}",
        "clean_maps = stx_vis_clean(vis, aux_data, niter=clean_niter, image_dim=imsize[0], pixel=pixel[0], $",
        "  gain=clean_gain, beam_width=clean_beam_width, uniform_weighting=clean_uniform_weighting)",
        "clean_map = clean_maps[0]",
    )


def _stop_rule(parameters: Mapping[str, Any]) -> list[str]:
    """Comment on a stop rule that does not exist in the ground software."""
    if parameters.get("stop_rule") != "noise":
        return []
    return [
        "; The ground software stops when the largest absolute residual is negative; the archive continues until the",
        "; highest peak is noise, so its components may contain more flux",
    ]


def _em(parameters: Mapping[str, Any]) -> str:
    return _product(
        "em",
        "Expectation maximization, from counts",
        f"em_maxiter = {idl_literal(parameters['max_iterations'])}",
        f"em_tolerance = {idl_literal(float(parameters['tolerance']))}",
        "pixel_data_summed = stx_construct_pixel_data_summed(path_sci_file, time_range, energy_range, $",
        "  path_bkg_file=path_bkg_file, subc_index=subc_index, sumcase=pixel_set, calib_data=calib_data, /silent)",
        "em_map = stx_em(pixel_data_summed, aux_data, imsize=imsize, pixel=pixel, mapcenter=mapcenter, $",
        "  xy_flare=xy_flare, subc_index=subc_index, maxiter=em_maxiter, tolerance=em_tolerance, /silent)",
    )


def _mem_ge(parameters: Mapping[str, Any]) -> str:
    flux, share = parameters["total_flux"], parameters["percent_lambda"]
    lines = ["; With undefined variables, the ground software uses its own rule"]
    if flux is not None:
        lines.append(f"mem_total_flux = {idl_literal(float(flux))}")
    elif parameters["flux_estimate"] == "amplitude":
        lines.append("mem_total_flux = max(abs(vis.obsvis))")
    elif parameters["flux_estimate"] == "counts":
        # A + B + C + D of all detectors over 4T
        lines.append("transmission = stx_subc_transmission(xy_flare, /simple_transm)")
        lines.append("mem_total_flux = total(vis.totflux) / total(4. * transmission[vis.isc - 1])")
    if share is not None:
        lines.append(f"mem_percent_lambda = {idl_literal(float(share))}")
    return _product(
        "mem_ge",
        "Maximum entropy",
        *lines,
        "mem_ge_map = stx_mem_ge(vis, imsize, pixel, aux_data, total_flux=mem_total_flux, $",
        "  percent_lambda=mem_percent_lambda, /silent)",
    )


def _vis_fwdfit(parameters: Mapping[str, Any]) -> str:
    configuration = list(parameters["configuration"])
    if configuration == ["auto"]:
        choice = [
            "; The archive chose among circle, ellipse, loop and two circles; the ground software needs a given shape",
            f"if energy_range[1] le {idl_literal(THERMAL_END)} then configuration = ['ellipse'] $",
            "else configuration = ['circle', 'circle']",
        ]
    else:
        choice = [f"configuration = {idl_literal(configuration)}"]
    return _product(
        "vis_fwdfit",
        "Parametric sources fitted to the visibilities by particle swarm optimization, with errors",
        *choice,
        "srcin = vis_fwdfit_pso_multiple_src_create(vis, configuration, $",
        "  stx_hpc2stx_coord(vis[0].xyoffset, aux_data, /inverse))",
        *_fixed(configuration, parameters["fixed"]),
        "vis_fwdfit_map = stx_vis_fwdfit_pso(configuration, vis, aux_data, srcin=srcin, imsize=imsize, pixel=pixel, $",
        "  srcstr=srcstr, fitsigmas=fitsigmas, redchisq=redchisq, /uncertainty, /silent)",
    )


def _fixed(configuration: Sequence[str], fixed: Sequence[Mapping[str, float]]) -> list[str]:
    """Parameters that are not fitted, if the ground software has an equivalent field."""
    lines, seen = list[str](), dict[str, int]()
    for shape, values in zip(configuration, fixed, strict=False):
        number = seen.get(shape, 0)
        seen[shape] = number + 1
        for name, value in values.items():
            if name in FIXED and (name != "fwhm" or shape == "circle"):
                field = f"srcin.{shape}[{number}].param_opt.{FIXED[name]}"
                lines.append(f"{field} = {idl_literal(repr(float(value)))}")
            else:
                lines.append(
                    f"; in the image of the archive, fixed {re.sub(r'[^a-z_]', ' ', name)} of {float(value)!r}"
                )
    return lines


def _plot(method: str) -> str:
    draw = f"plot_map, {method}_map, /cbar, /limb_plot, grid_spacing=10, title='{method_name(method)}'"
    return f"if (!d.flags and 256) ne 0 then window, /free  ; only if the device has windows\n{draw}"


_PRODUCTS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "full_disk_bp": _full_disk,
    "bp": _bp,
    "clean": _clean,
    "em": _em,
    "mem_ge": _mem_ge,
    "vis_fwdfit": _vis_fwdfit,
}

#: Methods of the archive that the ground software does not have.
_NOT_IN_IDL: Mapping[str, str] = {
    "ms_clean": "The archive also made a multi-scale CLEAN, which the ground software does not have",
}
