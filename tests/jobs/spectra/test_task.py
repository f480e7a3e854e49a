"""One spectrum in the archive: files, record and row of a real flare, and of one without a signal."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from archive.index.schema import RunKind
from archive.index.spectrum_records import read_spectrum_record
from archive.layout import RESPONSE_FILE, SPECTRUM_FILE, SPECTRUM_RECORD
from jobs.executors.make import make_executor, run_all
from jobs.spectra.task import SpectrumContext, SpectrumTask, run_spectrum
from stixcore.errors import InvalidProduct
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.spectra.files import read_spectrum_file
from stixcore.spectrum_recipe import SpectrumRecipe

NOW = np.datetime64("2026-03-20T00:00:00", "us")
START, END = (np.datetime64(f"2022-11-11T11:{minute}:00", "us") for minute in (36, 38))


@pytest.fixture(scope="module")
def task(shared_data, tmp_path_factory):
    """The M1.2 flare of 2022-11-11, with a given location."""
    l1 = shared_data / "nov2022" / "l1"
    (science,), (background,) = l1.glob("*_2211116471-*"), l1.glob("*_2211098157-*")
    (aspect,) = (shared_data / "nov2022" / "aux").glob("*_20221111_*")
    return SpectrumTask(
        root=tmp_path_factory.mktemp("archive"),
        wanted=SpectrumRequest(start=START, end=END, location=(825.1, 144.7)),
        science=science,
        background=background,
        aspect=(aspect,),
        context=SpectrumContext(
            kind=RunKind.USER,
            author="ann",
            uid="2211116471",
            science_name=science.name,
            flare_id="2211111136",
            hidden=True,
        ),
        created=NOW,
    )


@pytest.fixture(scope="module")
def made(task):
    return run_spectrum(task)


def test_the_row_has_the_fit_in_the_units_of_its_columns(made):
    assert (made.model, made.verdict, made.no_fit, made.statistic) == ("vth+thick2", "trusted", "", "chi2")
    assert 15 < made.temperature < 22  # MK
    assert 0 < made.temperature_minus < 0.1 * made.temperature
    assert 0 < made.temperature_plus < 0.1 * made.temperature
    assert 0.05 < made.emission_measure < 0.5
    assert 4 < made.delta < 6
    assert made.electron_rate > 0
    assert made.e_cut > 0
    assert made.chi2 / made.ndof < 2
    assert made.fit_low == 4
    assert 0 < made.albedo_angle < 90
    assert made.thermal_table.startswith("CHIANTI 10.1")


def test_the_row_says_what_was_measured_and_for_whom(made, task):
    assert (made.kind, made.author, made.hidden, made.simulated) == ("user", "ann", True, False)
    assert (made.uid, made.science_name, made.flare_id) == ("2211116471", task.science.name, "2211111136")
    assert made.background_uid == "2211098157"
    assert (made.hpc_x, made.hpc_y) == (825.1, 144.7)
    assert (made.scheme, made.tailing, made.attenuator_in) == ("gsw-2026", False, False)
    assert (made.energy_table, made.cal_file) == ("elut_table_20220918", None)
    assert made.distance_au == pytest.approx(0.622, abs=0.001)
    assert made.spectrum_id == SpectrumRecipe.from_json(made.recipe).spectrum_id
    assert made.folder == f"spectra/2022/11/11/{made.spectrum_id}"
    assert made.created_at == NOW


def test_counts_are_those_above_background_in_the_fitted_channels(made, task):
    document = read_spectrum_record(task.root / made.folder).document
    used = np.array(document["fit"]["used"])
    assert made.counts == pytest.approx(np.array(document["counts"])[used].sum())
    assert made.livetime_s == document["livetime_s"]
    assert np.array(document["energy_kev"])[used][0, 0] == made.fit_low


def test_doubts_name_counts_and_fit(made, task):
    document = read_spectrum_record(task.root / made.folder).document
    doubts = json.loads(made.doubts)
    assert [one["text"] for one in doubts if "code" not in one] == document["doubts"]
    assert [one for one in doubts if "code" in one] == document["fit"]["doubts"]
    assert not any(one["serious"] for one in doubts)  # the verdict is trusted


def test_the_folder_has_the_pair_and_the_record(made, task):
    folder = task.root / made.folder
    assert {path.name for path in folder.iterdir()} == {SPECTRUM_FILE, RESPONSE_FILE, SPECTRUM_RECORD}
    assert made.size == sum((folder / name).stat().st_size for name in (SPECTRUM_FILE, RESPONSE_FILE))
    record = read_spectrum_record(folder)
    assert record.row == made
    assert record.document["files"] == {"spectrum": SPECTRUM_FILE, "response": RESPONSE_FILE}
    counts = read_spectrum_file(folder / SPECTRUM_FILE).counts[0]
    np.testing.assert_allclose(counts, record.document["counts"], rtol=1e-5)


def test_the_recipe_gives_the_same_row_in_another_process(made, task, tmp_path):
    recipe = SpectrumRecipe.from_json(made.recipe)
    again = replace(task, wanted=recipe, root=tmp_path)
    assert pickle.loads(pickle.dumps(again)) == again
    with make_executor(1, isolated=True) as executor:
        ((_, row),) = run_all(run_spectrum, [again], executor=executor)
    assert replace(row, elapsed_s=made.elapsed_s) == made
    folder = tmp_path / row.folder
    for name in (SPECTRUM_FILE, RESPONSE_FILE):
        assert (folder / name).read_bytes() == (task.root / made.folder / name).read_bytes()


def test_unfinished_files_of_a_killed_process_are_removed(made, task):
    folder = task.root / made.folder
    (folder / ".part-0123456789abcdef.fits").write_bytes(b"half")
    again = run_spectrum(task)
    assert again.spectrum_id == made.spectrum_id
    assert {path.name for path in folder.iterdir()} == {SPECTRUM_FILE, RESPONSE_FILE, SPECTRUM_RECORD}


def test_too_little_signal_is_a_row_with_the_reason(task):
    """The end of the file, with the minutes before as background."""
    start = np.datetime64("2022-11-11T12:10:00", "us")
    minute = np.timedelta64(1, "m")
    request = SpectrumRequest(
        start=start,
        end=start + minute,
        location=(825.1, 144.7),
        background_range=(start - 2 * minute, start - minute),
    )
    row = run_spectrum(replace(task, wanted=request, background=task.science))
    assert row.no_fit.startswith("a fit needs at least 4 channels")
    assert (row.model, row.verdict, row.temperature, row.counts, row.chi2) == (None,) * 5
    assert read_spectrum_record(task.root / row.folder).document["no_fit"] == row.no_fit


def test_without_a_background_electrons_are_doubtful(task):
    row = run_spectrum(replace(task, background=None))
    assert row.background_uid is None
    assert row.verdict == "doubtful"
    assert "fit.no-background" in {one.get("code") for one in json.loads(row.doubts)}


def test_another_file_than_that_of_the_recipe_is_refused(made, task):
    recipe = SpectrumRecipe.from_json(made.recipe)
    other = replace(recipe, science=replace(recipe.science, sha256="0" * 64))
    with pytest.raises(InvalidProduct, match="as in the recipe"):
        run_spectrum(replace(task, wanted=other))
