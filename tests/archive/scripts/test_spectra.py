"""Scripts of a spectrum: values of the fit in OSPEX, in GDL with stand-ins; text from users; spectra without a fit."""

import ast
import hashlib
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from archive.errors import NotInArchive
from archive.index.schema import Spectrum
from archive.index.spectrum_records import SpectrumRecord
from archive.scripts.spectra import SPECTRUM_SCRIPTS, fit_script, ospex_script, reproduce_script, spectrum_script_name
from archive.scripts.spectrum_sources import spectrum_source
from stixcore.calibration.catalog import SHIPPED
from stixcore.recipe import CalibrationReference, FileReference, Location, TableReference
from stixcore.spectrum_recipe import SpectrumRecipe, SpectrumRequest

STUBS = [Path(__file__).with_name(name) for name in ("ssw_stubs.pro", "ospex_stubs.pro")]
SERVER = "http://127.0.0.1:1"
SCIENCE = "solo_L1_stix-sci-xray-cpd_20221111T111102-20221111T121212_V01_2211116471-54717.fits"
TABLE = "elut_table_20201204"
THERMAL = "CHIANTI 10 (built-in table)"
HOSTILE = "it's \"a\" \\ {{ spectrum }}\n; end\n# %% end\n🌞 é '''"
#: Values by name, with lower and upper error; an open end is None.
FITTED = {
    "EM_1e49_cm3": (0.125, 0.013, 0.015),
    "T_keV": (1.5625, 0.036, 0.037),
    "norm_1e35_per_s": (2.05, 0.64, 0.92),
    "delta": (5.3, 0.14, 0.13),
    "e_cut_keV": (16.5, None, 1.3),
}


def parameter(value, minus, plus, **changes):
    ends = {"sigma_minus": minus, "sigma_plus": plus}
    return {"value": value, **ends, "fixed": False, "at_bound": False, "unit": ""} | changes


def fit_of(model="vth+thick2", fitted=None, **changes):
    values = {
        "model": model,
        "chi2": 19.7,
        "ndof": 12,
        "statistic": "chi2",
        "energy_range_kev": [4.0, 28.0],
        "parameters": {name: parameter(*value) for name, value in (fitted or FITTED).items()},
        "used": [True, True, False],
        "albedo_angle_deg": 56.25,
        "verdict": "doubtful",
        "doubts": [{"code": "poor_fit", "text": "χ² is large.", "serious": True}],
    }
    return values | changes


@pytest.fixture
def made(tmp_path):
    """Write the pair of files into the folder of a test; gives a source and the folder."""

    def make(fit=None, request=None, science=SCIENCE, author="auto", **changes):
        times = np.datetime64("2022-11-11T11:36:00", "us"), np.datetime64("2022-11-11T11:38:00", "us")
        recipe = SpectrumRecipe(
            science=FileReference(science, "2211116471", "1" * 64),
            background=FileReference("background.fits", "2211098157", "2" * 64),
            aspect=(FileReference("aspect.fits", "", "3" * 64),),
            calibration=CalibrationReference(
                TableReference(TABLE, SHIPPED.tables[TABLE].sha256), TableReference("phases", "0" * 64), None
            ),
            thermal=TableReference(THERMAL, "4" * 64),
            request=SpectrumRequest(start=times[0], end=times[1], **(request or {})),
            location=Location.given(800.0, 150.0),
        )
        row = Spectrum(
            **{
                "spectrum_id": recipe.spectrum_id,
                "kind": "auto" if author == "auto" else "user",
                "uid": "2211116471",
                "science_name": science,
                "t_start": times[0],
                "t_end": times[1],
                "livetime_s": 115.6,
                "attenuator_in": False,
                "scheme": "gsw-2026",
                "distance_au": 0.62,
                "thermal_table": THERMAL,
                "recipe": recipe.to_json(),
                "folder": f"spectra/2022/11/11/{recipe.spectrum_id}",
                "size": 1,
                "author": author,
                "version": "0.2.0",
                "created_at": np.datetime64("2026-11-30", "us"),
            }
            | changes
        )
        document = {
            "time_range": ["2022-11-11T11:36:00.000", "2022-11-11T11:38:00.000"],
            "counts": [10.0, 20.0, 30.0],
            "sigma": [3.0, 4.0, 5.0],
            "doubts": [],
            "fit": fit_of() if fit is None else fit,
        }
        sums = {"stx_spectrum.fits": sha256(b"spectrum"), "stx_srm.fits": sha256(b"response")}
        source = spectrum_source(SpectrumRecord(row, document, sums), SERVER)
        (tmp_path / source.spectrum.name).write_bytes(b"spectrum")
        (tmp_path / source.response.name).write_bytes(b"response")
        return source, tmp_path

    return make


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def run(text, folder, name="script.pro", factor=1.0):
    """Run a script; gives what it printed, what GDL complained of, and what each routine was given."""
    (folder / name).write_text(text)
    commands = "".join(f".compile {path}\n" for path in STUBS) + f".run {name}\nexit\n"
    environment = {key: value for key, value in os.environ.items() if key != "SHELL"} | {"OSPEX_FACTOR": str(factor)}
    done = subprocess.run(
        ["gdl", "-q"],
        input=commands.encode(),
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    printed, given = done.stdout.decode(), defaultdict(list)
    for line in printed.splitlines():
        if line.startswith("REC "):
            _, routine, argument, *value = line.split(" ")
            given[routine, argument].append(value)
    return printed, done.stderr.decode(), given


def numbers(value):
    return [float(word) for word in value]


@pytest.mark.needs_gdl
def test_ospex_gets_the_fit_of_the_archive(made):
    source, folder = made()
    printed, complaints, given = run(ospex_script(source), folder, spectrum_script_name(source, "fit.pro"))
    assert printed.endswith("done\n"), complaints
    assert given["set", "fit_function"] == [["vth+thick2"]]
    expected = [0.125, 1.5625, 1.0, 2.05, 5.3, 1e6, 6.0, 16.5, 3.2e4]
    assert numbers(given["set", "fit_comp_params"][0]) == expected
    assert numbers(given["set", "fit_comp_free_mask"][0]) == [1, 1, 0, 1, 1, 0, 0, 1, 0]
    low, high = (np.array(numbers(given["set", f"fit_comp_{name}"][0])) for name in ("minima", "maxima"))
    assert ((low < expected) & (expected < high)).all()
    assert given["set", "fit_comp_spectrum"] == [["full|"]]
    assert given["set", "fit_comp_model"] == [["chianti|"]]
    assert numbers(given["set", "spex_erange"][0]) == [4, 28]
    assert given["set", "spex_file_reader"] == [["stx_read_sp"]]
    assert given["set", "spex_drmfile"] == [[source.response.name]]
    assert [numbers(given["set", name][0]) for name in ("spex_albedo_correct", "spex_source_angle")] == [[1], [56.25]]
    assert numbers(given["set", "spex_fit_time_interval"][0]) == [1e9, 1e9 + 120]
    assert given["dofit", "called"]
    assert "automatic fit, not for publication" in printed
    assert not given["sock_copy", "url"]


@pytest.mark.needs_gdl
def test_systematic_errors_are_in_the_copy_that_ospex_reads(made):
    source, folder = made()
    _, _, given = run(ospex_script(source), folder)
    copy = f"ospex_{source.spectrum.name}"
    assert given["set", "spex_specfile"] == given["modfits", "file"] == given["mrdfits", "file"] == [[copy]]
    assert numbers(given["modfits", "exten_no"][0]) == numbers(given["mrdfits", "extension"][0]) == [1]
    # √(3² + (0.4·10)²), √(4² + (0.15·20)²), √(0 + (0.1·30)²)
    np.testing.assert_allclose(numbers(given["modfits", "stat_err"][0]), [5, 5, 3], rtol=1e-6)
    assert numbers(given["set", "spex_uncert"][0]) == numbers(given["set", "spex_error_use_expected"][0]) == [0]
    assert (folder / copy).read_bytes() == b"spectrum"
    assert (folder / source.spectrum.name).read_bytes() == b"spectrum"


@pytest.mark.needs_gdl
def test_ospex_gets_fixed_values_and_other_components(made):
    fitted = {
        "EM_1e49_cm3": (0.125, 0.01, 0.01),
        "T_keV": (1.5, 0.0, 0.0),
        "EM_1e49_cm3_2": (0.25, 0.01, 0.01),
        "T_keV_2": (3.0, 0.1, 0.1),
        "norm_1e55_per_cm2_s": (7.0, 1.0, 1.0),
        "delta": (4.0, 0.1, 0.1),
        "e_cut_keV": (20.0, 1.0, 1.0),
    }
    fit = fit_of("vth+vth+thin2", fitted, albedo_angle_deg=None)
    fit["parameters"]["T_keV"]["fixed"] = True
    fixed = {"T_keV": 1.5, "abundance_2": 0.5, "e_high_keV": 500.0, "e_break_keV": 100.0}
    source, folder = made(fit=fit, request={"model": "vth+vth+thin2", "fixed": fixed})
    printed, complaints, given = run(ospex_script(source), folder)
    assert printed.endswith("done\n"), complaints
    expected = [0.125, 1.5, 1, 0.25, 3, 0.5, 7, 4, 100, 6, 20, 500]
    assert numbers(given["set", "fit_comp_params"][0]) == expected
    assert numbers(given["set", "fit_comp_free_mask"][0]) == [1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0]
    assert numbers(given["set", "spex_albedo_correct"][0]) == [0]
    assert not given["set", "spex_source_angle"]
    constants = next(value for name, value in assigned(fit_script(source)) if name == "CONSTANTS")
    assert constants["vth"] == {"abundance": 1.0}
    assert constants["vth_2"] == {"abundance": 0.5}
    assert constants["thin2"] == {"e_break_keV": 100.0, "delta_above": 6.0, "e_high_keV": 500.0}


@pytest.mark.needs_gdl
@pytest.mark.parametrize(
    ("factor", "apart"),
    [
        (1.0, ""),
        (1.1, " T_keV delta e_cut_keV"),
        (0.9, " T_keV delta"),  # the lower error of e_cut_keV is open, those of the others contain 10 %
    ],
)
def test_ospex_values_are_compared(made, factor, apart):
    source, folder = made()
    printed, _, _ = run(ospex_script(source), folder, factor=factor)
    said = f"more than 1 sigma from the archive:{apart}\n"
    assert (said if apart else "all fitted values agree with the archive within 1 sigma\n") in printed


@pytest.mark.needs_gdl
@pytest.mark.parametrize(("right", "wrong"), [("spex_erange=", "spex_range="), ("o->dofit", "o->fit_it")])
def test_names_that_ospex_does_not_have_are_noticed(made, right, wrong):
    source, folder = made()
    text = ospex_script(source)
    assert right in text
    assert "done" not in run(text.replace(right, wrong, 1), folder)[0]


@pytest.mark.needs_gdl
def test_missing_files_are_downloaded_and_changed_ones_refused(made):
    source, folder = made()
    (folder / source.spectrum.name).write_bytes(b"something else")
    _, complaints, _ = run(ospex_script(source), folder)
    assert "does not match its checksum" in complaints.replace("\n", "")
    (folder / source.spectrum.name).unlink()
    _, complaints, given = run(ospex_script(source), folder)
    assert given["sock_copy", "url"] == [[f"{SERVER}/archive/spectrum/{source.row.spectrum_id}/stx_spectrum.fits"]]
    assert f"cannot get {source.spectrum.name}" in complaints.replace("\n", "")


def assigned(text):
    """Names and values that the top level of a script assigns as literals."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                yield node.targets[0].id, ast.literal_eval(node.value)
            except ValueError:
                continue


@pytest.mark.needs_gdl
def test_hostile_text_is_text(made):
    fit = fit_of()
    fit["verdict"] = fit["doubts"][0]["text"] = HOSTILE
    name = HOSTILE.replace("/", "")
    source, folder = made(fit=fit, author=HOSTILE, science=name, thermal_table=HOSTILE, version=HOSTILE)
    for write in (fit_script, reproduce_script):
        values = dict(assigned(write(source)))
        assert values["AUTHOR"] == HOSTILE
        assert {"fit": values.get("VERDICT"), "reproduce": values.get("VERSION")}[
            write.__name__.split("_")[0]
        ] == HOSTILE
    assert values["RECIPE"]["science"]["name"] == name
    printed, complaints, _ = run(ospex_script(source), folder)
    assert printed.endswith("done\n"), complaints
    assert printed.count(HOSTILE) == 3  # author, thermal table, verdict


def test_input_files_come_from_this_server_then_from_the_public_archives(made):
    source, _ = made()
    science, *others = source.inputs
    assert science.addresses[0] == f"{SERVER}/archive/science/{SCIENCE}"
    assert len(science.addresses) == 3
    assert [file.name for file in others] == ["background.fits", "aspect.fits"]
    assert others[1].addresses == (f"{SERVER}/archive/aux/aspect.fits",)
    simulated, _ = made(simulated=True)
    assert simulated.inputs[0].addresses == (f"{SERVER}/archive/science/{SCIENCE}",)


def test_a_spectrum_without_a_fit_has_the_script_that_measures_it(made):
    source, _ = made(fit={}, no_fit="too few counts")
    for write in (fit_script, ospex_script):
        with pytest.raises(NotInArchive, match=r"has no fit: too few counts"):
            write(source)
    assert dict(assigned(reproduce_script(source)))["FIT"] is None


def test_an_unknown_component_is_named(made):
    source, _ = made(fit=fit_of("vth+gauss"))
    with pytest.raises(NotInArchive, match="its record has the unknown component 'gauss'"):
        fit_script(source)


def test_scripts_are_tidy(made):
    source, _ = made()
    for write in (fit_script, reproduce_script):
        words = ["ruff", "check", "--isolated", "--line-length", "400", "--select", "E,F,W,B,SIM", "-"]
        done = subprocess.run(
            [sys.executable, "-m", *words], input=write(source), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_names_are_those_of_idl_routines(made):
    source, _ = made()
    for name in SPECTRUM_SCRIPTS:
        assert spectrum_script_name(source, name).removesuffix(f".{name.rpartition('.')[2]}").isidentifier()
