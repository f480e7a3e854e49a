"""The IDL script in GDL, with stand-ins for SolarSoft that accept exactly the public arguments and repeat them."""

import os
import subprocess
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archive.errors import InvalidName
from archive.scripts.idl import idl_script, script_name
from stixcore.coordinates import hpc_to_stix
from stixcore.imaging.clean import CleanParameters, StopRule
from stixcore.imaging.forward_fit import ForwardFitParameters
from stixcore.imaging.mem import MemGeParameters
from stixcore.imaging.methods import default_methods
from stixcore.imaging.reconstruction import Method
from stixcore.imaging.weights import Weighting
from stixcore.instrument.geometry import PixelSet

STUBS = Path(__file__).with_name("ssw_stubs.pro")
pytestmark = pytest.mark.needs_gdl


def run(text, folder, name="script.pro"):
    """Run a script; gives what it printed, what GDL complained of, and what each routine was given."""
    (folder / name).write_text(text)
    commands = f".compile {STUBS}\n.run {name}\nexit\n"
    bare = {key: value for key, value in os.environ.items() if key != "SHELL"}  # as under cron and in containers
    done = subprocess.run(
        ["gdl", "-q"], input=commands.encode(), cwd=folder, env=bare, capture_output=True, timeout=120, check=False
    )
    printed, complaints = done.stdout.decode(), done.stderr.decode()
    given = defaultdict(list)
    for line in printed.splitlines():
        if line.startswith("REC "):
            _, routine, argument, *value = line.split(" ")
            given[routine, argument].append(value)
    return printed, complaints, given


def numbers(value):
    return [float(word) for word in value]


def test_idl_routines_get_the_values_of_the_recipe(made):
    source, recipe, folder = made()
    printed, complaints, given = run(idl_script(source), folder, script_name(source))
    assert printed.endswith("done\n"), complaints
    x, y = hpc_to_stix(recipe.location.x, recipe.location.y, recipe.pointing)
    vis = "stx_construct_calibrated_visibility"
    assert [numbers(value) for value in given[vis, "energy_range"]] == [[16, 28], [6, 10]]
    times = ["11-Nov-2022", "09:23:54.810|11-Nov-2022", "09:32:58.310"]  # 50 ms inside the bins
    assert given[vis, "time_range"] == [times, times]
    assert given[vis, "path_bkg_file"] == [["background.fits"]] * 2
    assert given[vis, "sumcase"] == [["TOP+BOT"]] * 2
    np.testing.assert_allclose(numbers(given[vis, "mapcenter"][0]), [x, y], rtol=1e-12)
    np.testing.assert_allclose(numbers(given[vis, "xy_flare"][0]), [x, y], rtol=1e-12)
    assert numbers(given[vis, "xy_flare"][1]) == [0, 0]  # the full disk: on axis
    assert given["stx_label2ind", "labels"][0] == ["|".join(recipe.subcollimators)]
    assert numbers(given["stx_bproj", "stx_pointing"][1]) == [recipe.pointing.x, recipe.pointing.y]
    assert numbers(given["stx_bproj", "roll_angle"][1]) == [recipe.pointing.roll]
    disk, flare = (numbers(value) for value in given["stx_bproj", "pixel"])
    assert flare == [2, 2]
    np.testing.assert_allclose(disk, 2.6 * recipe.pointing.rsun / 512, rtol=1e-6)
    clean = recipe.methods[Method.CLEAN]
    assert numbers(given["stx_vis_clean", "niter"][0]) == [clean.max_iterations]
    assert numbers(given["stx_vis_clean", "gain"][0]) == [clean.gain]
    assert numbers(given["stx_vis_clean", "beam_width"][0]) == [clean.beam_fwhm]
    assert numbers(given["stx_em", "maxiter"][0]) == [recipe.methods[Method.EM].max_iterations]
    assert numbers(given["stx_em", "tolerance"][0]) == [recipe.methods[Method.EM].tolerance]
    np.testing.assert_allclose(numbers(given["vis_fwdfit_pso_multiple_src_create", "xy"][0]), [799.227, 157.262])
    assert given["stx_vis_fwdfit_pso", "configuration"] == [["circle|circle"]]  # above 16 keV
    # A + B + C + D = 3 over 4T = 1
    assert numbers(given["stx_mem_ge", "total_flux"][0]) == [3]
    np.testing.assert_allclose(numbers(given["stx_subc_transmission", "flare_loc"][0]), [x, y], rtol=1e-12)
    files = [value[0] for value in given["stx_map2fits", "file"]]
    assert files == [
        f"idl_stix_L3_{recipe.recipe_id}_{method}.fits" for method in Method if method is not Method.MS_CLEAN
    ]
    assert "also made a multi-scale CLEAN, which the ground software does not have" in idl_script(source)
    assert not given["sock_copy", "url"]


def test_idl_routines_get_other_options(made):
    methods = default_methods() | {
        Method.CLEAN: CleanParameters(77, 0.05, 14.5, Weighting.UNIFORM),
        Method.MEM_GE: MemGeParameters(total_flux=3.25, percent_lambda=0.015),
        Method.VIS_FWDFIT: ForwardFitParameters(("circle", "ellipse"), fixed=({"x": 790.5}, {"y": 150.25})),
    }
    source, _, folder = made(
        methods=methods, pixel_set=PixelSet.TOP, background=None, aspect=(), energy_range=(4.0, 10.0),
        subcollimators=("10a", "9b"), shape=(65, 65), pixel=4.0,
    )  # fmt: skip
    printed, complaints, given = run(idl_script(source), folder)
    assert printed.endswith("done\n"), complaints
    assert given["stx_construct_calibrated_visibility", "sumcase"][0] == ["TOP"]
    assert given["stx_construct_calibrated_visibility", "path_bkg_file"][0] == ["undefined"]
    assert not given["stx_create_auxiliary_data", "path_aux"]
    assert numbers(given["stx_vis_clean", "niter"][0]) == [77]
    assert numbers(given["stx_vis_clean", "uniform_weighting"][0]) == [1]
    assert numbers(given["stx_mem_ge", "total_flux"][0]) == [3.25]
    assert numbers(given["stx_mem_ge", "percent_lambda"][0]) == [0.015]
    assert numbers(given["stx_bproj", "imsize"][1]) == [65, 65]
    assert given["stx_vis_fwdfit_pso", "configuration"] == [["circle|ellipse"]]
    assert given["stx_vis_fwdfit_pso", "fixed"][0][0].startswith("790.5|")


@pytest.mark.parametrize("rule", StopRule)
def test_a_comment_names_a_stop_rule_missing_in_idl(made, rule):
    source, _, _ = made(methods={Method.CLEAN: CleanParameters(stop_rule=rule)})
    said = "the archive continues until the" in idl_script(source)
    assert said is (rule is StopRule.NOISE)


def test_missing_files_are_downloaded_and_changed_ones_refused(made):
    source, _, folder = made()
    (folder / "science.fits").write_bytes(b"something else")
    printed, complaints, _ = run(idl_script(source), folder)
    assert "done" not in printed
    assert "does not match its checksum" in complaints
    (folder / "science.fits").unlink()
    printed, complaints, given = run(idl_script(source), folder)
    assert given["sock_copy", "url"] == [[address] for address in source.science.addresses]
    assert "cannot get science.fits" in complaints


def test_auxiliary_files_are_downloaded_from_any_of_their_urls(made):
    names = [f"solo_ANC_stix-asp-ephemeris_2022111{day}_V02.fits" for day in (1, 2)]
    source, _, folder = made(aspect=names)
    assert [len(file.addresses) for file in source.aspect] == [3, 3]
    (folder / names[1]).unlink()
    _, complaints, given = run(idl_script(source), folder)
    assert given["sock_copy", "url"] == [[address] for address in source.aspect[1].addresses]
    assert f"cannot get {names[1]}" in complaints.replace("\n", "")
    (folder / names[0]).unlink()
    _, _, given = run(idl_script(source), folder)
    assert given["sock_copy", "url"] == [[address] for address in source.aspect[0].addresses]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("niter=clean_niter", "n_iter=clean_niter"),
        ("vis, imsize, pixel, aux_data, total_flux", "vis, imsize, pixel, total_flux"),
        ("energy_range, mapcenter, path_bkg_file", "energy_range, path_bkg_file"),
        ("sumcase=pixel_set", "elut_corr=1"),
    ],
)
def test_wrong_keywords_and_missing_arguments_are_noticed(made, right, wrong):
    source, _, folder = made()
    text = idl_script(source)
    assert right in text
    printed, complaints, _ = run(text.replace(right, wrong, 1), folder)
    assert "done" not in printed
    assert "Keyword parameter" in complaints or "arguments, found" in complaints


@pytest.mark.parametrize("name", ["it's {{ method }}.fits", 'a"b\\c;$&.fits', "one\ntwo 🌞 é.fits"])
def test_script_with_hostile_names_runs_and_prints_them(made, name):
    source, _, folder = made(science=name, author="x" * 300 + name)
    printed, complaints, given = run(idl_script(source), folder)
    assert printed.endswith("done\n"), complaints
    assert source.image.author in printed
    assert name in printed
    assert given["stx_mem_ge", "imsize"]


def test_a_name_too_long_for_a_file_is_printed(made):
    source, _, folder = made(science="🌞" * 300)
    printed, complaints, _ = run(idl_script(source), folder)
    assert "🌞" * 300 in printed
    assert "cannot get" in complaints


def test_a_name_with_a_path_is_refused(made):
    source, _, _ = made()
    with pytest.raises(InvalidName):
        replace(source.science, name="../science.fits")


def test_idl_uses_the_cal_file_and_shifted_bins(calibrated):
    source, _, folder, used = calibrated(shift_bins=True)
    printed, complaints, given = run(idl_script(source), folder)
    assert printed.endswith("done\n"), complaints
    assert f"energy table of the archive: {used.energy_table.name}" in printed
    assert given["stx_create_calibration_data", "path"] == [[used.cal_file.name]]
    assert not given["stx_get_calibration_file", "t0"]
    name = "stx_construct_calibrated_visibility"
    assert given[name, "calib_data"] == [["structure"]] * 2
    assert [numbers(value) for value in given[name, "shift_duration"]] == [[1]] * 2
    (folder / used.cal_file.name).write_bytes(b"something else")
    assert "does not match its checksum" in run(idl_script(source), folder)[1].replace("\n", "")


def test_idl_uses_its_defaults_without_them(made):
    source, _, folder = made()
    printed, complaints, given = run(idl_script(source), folder)
    assert printed.endswith("done\n"), complaints
    assert given["stx_construct_calibrated_visibility", "calib_data"] == [["undefined"]] * 2
    assert [numbers(v) for v in given["stx_construct_calibrated_visibility", "shift_duration"]] == [[0]] * 2


def test_idl_script_stops_if_only_part_of_the_background_is_used(made):
    source, _, folder = made(background_range=("2022-11-11T09:00:00.000", "2022-11-11T09:10:00.000"))
    text = idl_script(source)
    printed, complaints, given = run(text, folder)
    assert "make a background file of one time bin first" in complaints.replace("\n", "")
    assert not given["stx_mem_ge", "imsize"]
    assert "2022-11-11T09:10:00.000" in text
    printed, complaints, _ = run(text.replace("background_is_that_part = 0", "background_is_that_part = 1"), folder)
    assert printed.endswith("done\n"), complaints
