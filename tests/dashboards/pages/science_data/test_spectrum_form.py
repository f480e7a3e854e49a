"""The form for fitting a spectrum without a browser: counts, refusals by field, the fit, its files and its command."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive
from dashboards.pages.science_data.file_state import FileView
from dashboards.pages.science_data.prefilled_spectrum import fill_in_spectrum, spectrum_address
from dashboards.pages.science_data.spectrum_feedback import spectrum_feedback
from dashboards.pages.science_data.spectrum_form import GIVEN, LISTED, PICKED, SEARCHED, SpectrumForm, parameters_of
from dashboards.pages.science_data.spectrum_result import fit_box
from dashboards.pages.science_data.spectrum_texts import feedback_html, link_html, model_options, result_html
from dashboards.pages.science_data.state import ScienceState
from dashboards.shared.source import ArchiveSource
from jobs.cli.parser import main
from jobs.queue.requests import NONE
from jobs.shared.errors import BadRequest
from stixcore.measure_spectrum import NO_MODEL
from stixcore.spectra.files import read_spectrum_file

FLARE, QUIET, LONG = "2211116471", "2211098157", "2212273755"
NOW = np.datetime64("2026-11-25T12:00:00", "us")


@pytest.fixture
def form(november: Archive) -> SpectrumForm:
    view = FileView(november.locate(FLARE))
    view.box = view.peak_minute()
    return SpectrumForm(view, ArchiveSource(november.root), november.science_file(FLARE))


@pytest.fixture
def long(november: Archive) -> SpectrumForm:
    """A spectrogram."""
    view = FileView(november.locate(LONG))
    view.box = view.peak_minute()
    return SpectrumForm(view, ArchiveSource(november.root), november.science_file(LONG), place=SEARCHED)


def refused(form: SpectrumForm) -> dict[str, str]:
    """Refusals by field."""
    return {refusal.field: refusal.text for refusal in spectrum_feedback(form, form.view.box).refusals}


def test_the_request_is_what_was_chosen(form: SpectrumForm) -> None:
    box = form.view.box
    request = form.request(box)
    assert (request.start, request.end, request.model) == (box.start, box.end, "auto")
    assert (request.energy, request.detectors, request.pixels, request.location) == (None, None, None, None)
    form.param.update(
        model="vth+thick2", energies=GIVEN, low=6.0, high=25.0, fixed={"delta": " 5 ", "T_keV_2": "wait"},
        statistic="cash", detectors=PICKED, labels=["10a", "3c"], pixels="top", scheme="gsw-2022", tailing=True,
        albedo=False, place=GIVEN, x=800.0, y=-150.0,
    )  # fmt: skip
    request = form.request(box)
    assert (request.energy, request.fixed, request.statistic) == ((6.0, 25.0), {"delta": 5.0}, "cash")
    assert (len(request.detectors or ()), request.pixels) == (2, (0, 1, 2, 3))
    assert (request.scheme, request.tailing, request.albedo) == ("gsw-2022", True, False)
    assert request.location == (800.0, -150.0)


def test_the_filed_request_is_the_fit_hidden_if_chosen(form: SpectrumForm) -> None:
    form.param.update(model="vth", energies=GIVEN, low=5.0, high=15.0)
    filed = form.filed_request(form.view.box)
    assert (filed.model, filed.energy, filed.hidden) == ("vth", (5.0, 15.0), False)
    assert filed.request(filed.start, filed.end) == form.request(form.view.box)
    form.hidden = True
    assert form.filed_request(form.view.box).hidden is True


def test_what_is_known_before_the_fit_is_what_the_fit_uses(form: SpectrumForm) -> None:
    box = form.view.box
    known, result = spectrum_feedback(form, box), fit_box(form, box)
    assert known.measured is not None
    assert known.refusals == ()
    assert QUIET in known.background
    np.testing.assert_array_equal(known.measured.spectrum.counts, result.measured.spectrum.counts)
    np.testing.assert_array_equal(known.measured.response.matrix, result.measured.response.matrix)
    fit = result.measured.fit
    assert fit is not None
    assert known.automatic is not None
    assert (known.automatic.low, known.automatic.high, known.automatic.reason) == (
        fit.energy.low, fit.energy.high, fit.energy.reason
    )  # fmt: skip
    whole, *bands = known.bands
    assert whole.counts == pytest.approx(sum(band.counts for band in bands))
    assert whole.counts == pytest.approx(known.measured.spectrum.counts.sum())
    assert set(known.measured.doubts) <= set(known.doubts)
    assert result.answers(known.request, known.background_file)
    form.background = NONE
    bare = spectrum_feedback(form, box)
    assert not result.answers(bare.request, bare.background_file)
    assert "no background was subtracted" in bare.doubts
    assert bare.bands[0].background == 0.0


def test_feedback_is_in_sentences(form: SpectrumForm) -> None:
    html = feedback_html(spectrum_feedback(form, form.view.box))
    for text in (
        "attenuator out (state 0)", "24 detectors", "8 pixels each", "Counts above background", "4–28 keV",
        "Automatic range: 4–28 keV. The fit starts at 4 keV", "Ready to fit 17 channels", "Known doubts",
    ):  # fmt: skip
        assert text in html
    form.param.update(energies=GIVEN, low=5.5, high=20.5)
    assert "Entered range: whole channels in 6–20 keV." in feedback_html(spectrum_feedback(form, form.view.box))


def test_a_refusal_names_its_field(form: SpectrumForm, november: Archive) -> None:
    form.param.update(energies=GIVEN, low=20.0, high=10.0)
    assert refused(form)["Energy range"] == "it must rise, found 20 to 10 keV"
    form.param.update(low=20.0, high=21.0)
    assert "at least 4 channels" in refused(form)["Energy range"]
    form.param.update(energies="auto", fixed={"delta": "99", "T_keV": "hot", "abundance": "-1"})
    assert refused(form) == {
        "Fixed delta": "delta must be 1.5 to 12, found 99.0",
        "Fixed T_keV": "expected a number, found “hot”",
        "Fixed abundance": "abundance must be positive, found -1",
    }
    with pytest.raises(BadRequest, match="Fixed delta: delta must be"):
        form.request(form.view.box)
    form.param.update(fixed={}, detectors=PICKED, labels=[])
    assert refused(form) == {"Detectors": "select at least one"}
    form.param.update(detectors="coarse", pixels="small")
    assert refused(form) == {"Pixels": "pixels [8, 9, 10, 11] are not read out in some time bins"}
    form.param.update(pixels="all", background="nothing.fits")
    assert "nothing.fits" in refused(form)["Background"]
    form.background = november.science_file(LONG).name
    assert "no pixel data" in refused(form)["Background"]
    form.param.update(background=NONE, place=LISTED)
    assert "no flare of the list" in refused(form)["Location"]
    form.place = SEARCHED
    assert refused(form) == {}


def test_counts_and_response_can_be_measured_without_a_fit(form: SpectrumForm) -> None:
    data = form.view.data
    box = form.view.snap(data.t_start[-3], data.t_start[-1], 6, 10)
    form.param.update(background=NONE, model=NO_MODEL)
    form.view.box = box
    assert fit_box(form, box).document["fit"] is None
    assert parameters_of(NO_MODEL) == {}


def test_doubts_of_a_fit_are_known_before_it(form: SpectrumForm) -> None:
    form.param.update(model="vth+thick2", albedo=False, energies=GIVEN, low=4.0, high=9.0)
    doubts = " ".join(spectrum_feedback(form, form.view.box).doubts)
    assert "(albedo) is not included" in doubts
    assert "5 channels, the model 5 free parameters" in doubts
    form.fixed = {"delta": "5"}
    assert "χ² tests nothing" not in " ".join(spectrum_feedback(form, form.view.box).doubts)


def test_fixed_values_and_models_reach_the_fit(form: SpectrumForm) -> None:
    form.param.update(model="vth", fixed={"T_keV": "1.5"})
    fit = fit_box(form, form.view.box).document["fit"]
    assert fit["model"] == "vth"
    assert (fit["parameters"]["T_keV"]["value"], fit["parameters"]["T_keV"]["fixed"]) == (1.5, True)
    assert set(model_options().values()) == set(form.param.model.objects)
    assert all(parameters_of(model) for model in form.param.model.objects if model != NO_MODEL)
    assert "T_keV_2" in parameters_of("vth+vth")


def test_the_command_gives_the_same_numbers(
    form: SpectrumForm, november: Archive, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    form.param.update(fixed={"delta": "6.2"}, pixels="top", energies=GIVEN, low=5.0, high=25.0)
    result = fit_box(form, form.view.box)
    for path in november.root.rglob("*.fits"):
        if path.name in result.command:
            shutil.copyfile(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(result.command)[1:]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["fit"]["parameters"] == result.document["fit"]["parameters"]
    assert (again["counts"], again["fit"]["chi2"]) == (result.document["counts"], result.document["fit"]["chi2"])
    assert result.needs == ()


def test_the_zip_has_the_files_of_both_formats_and_nothing_stays(
    form: SpectrumForm, tmp_path: Path, monkeypatch: Any
) -> None:
    result = fit_box(form, form.view.box)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ZipFile(result.archive(NOW)) as content:
        names = content.namelist()
        document = json.loads(content.read("spectrum.json"))
        assert content.read("command.txt").decode().strip() == result.command
        assert set(document["files"].values()) | {"spectrum.json", "command.txt"} == set(names)
        assert list(tmp_path.iterdir()) == []
        content.extract(document["files"]["spectrum"], tmp_path)
    assert len(names) == 8
    assert result.file_name == f"stx_spectrum_{FLARE}_20221111T113640.zip"
    counts = read_spectrum_file(tmp_path / document["files"]["spectrum"]).counts[0]
    np.testing.assert_allclose(counts, result.measured.spectrum.counts, rtol=1e-5)


def test_a_link_fills_in_the_same_form(form: SpectrumForm, november: Archive) -> None:
    source, box = ArchiveSource(november.root), form.view.box
    form.param.update(
        model="vth+vth+thick2", energies=GIVEN, low=6.5, high=25.0, fixed={"delta": "5", "T_keV_2": "2.5"},
        statistic="cash", detectors=PICKED, labels=["10a", "3c"], pixels="bottom", scheme="gsw-2022", tailing=True,
        albedo=False, place=GIVEN, x=-3.25, y=10.0, background=NONE,
    )  # fmt: skip
    page, _, search = spectrum_address(form, box, "spectrum").partition("?")
    assert page == "science_data"
    state = ScienceState(source)
    assert state.take_address(search) == []
    assert (state.uid, state.tab) == (FLARE, "spectrum")
    view = FileView(november.locate(FLARE))
    other = SpectrumForm(view, source, november.science_file(FLARE))
    fill_in_spectrum(state, other)
    assert view.problem == ""
    assert other.parsed(box) == form.parsed(box)
    assert other.background == NONE
    state.close_file()
    assert state.address == ""
    assert spectrum_address(SpectrumForm(view, source, None), box, "spectrum") == ""  # a visitor's own file


def test_the_url_cannot_fill_in_anything_else(form: SpectrumForm, november: Archive) -> None:
    state = ScienceState(ArchiveSource(november.root))
    hostile = "?model=vth%2Bbogus&fixed=delta:<b>&background=../x&pixels=1&albedo=perhaps&detectors=11a"
    assert len(state.take_address(hostile)) == 6
    before = dict(form.param.values())
    fill_in_spectrum(state, form)
    assert dict(form.param.values()) == before
    for search, problem in (
        ("?fit_energy=1,2000", "high=2000"),
        ("?model=vth&fixed=delta:5", "a fixed delta, which vth lacks"),
        ("?given_location=99999,0", "x=99999"),
    ):
        assert state.take_address(search) == []
        fill_in_spectrum(state, form)
        assert form.view.problem == f"the URL has an option that the form does not allow: {problem}"
        assert dict(form.param.values()) == before


def test_typed_text_is_escaped(form: SpectrumForm) -> None:
    form.param.update(fixed={"T_keV": "<img src=x onerror=alert(1)>"}, background="<script>.fits")
    html = feedback_html(spectrum_feedback(form, form.view.box))
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img" in html
    assert "&lt;script" in html
    assert link_html('x"><b>') == "<p><a href='x&quot;&gt;&lt;b&gt;'>Link to this form</a></p>"


def test_a_spectrogram_is_fitted_as_it_was_summed_on_board(long: SpectrumForm) -> None:
    assert not long.can_choose_pixels
    long.param.update(model="vth", energies=GIVEN, low=6.0, high=15.0, pixels="top", detectors=PICKED, labels=["3a"])
    known = spectrum_feedback(long, long.view.box)
    assert known.refusals == ()
    assert any("Sun centre" in doubt for doubt in known.doubts)
    parameters = fit_box(long, long.view.box).document["fit"]["parameters"]
    assert 0.8 < parameters["T_keV"]["value"] < 3.0
    long.param.update(place=GIVEN, x=500.0, y=100.0)
    assert not any("Sun centre" in doubt for doubt in spectrum_feedback(long, long.view.box).doubts)


def test_a_visitors_own_file_is_fitted_alike(form: SpectrumForm, november: Archive, tmp_path: Path) -> None:
    path = tmp_path / "my <b>flare.fits"
    shutil.copyfile(form.view.path, path)
    own = SpectrumForm(FileView(path), ArchiveSource(november.root), None)
    mine, archived = fit_box(own, form.view.box), fit_box(form, form.view.box)
    assert mine.document["fit"]["parameters"] == archived.document["fit"]["parameters"]
    assert "spectrum 'my <b>flare.fits' --background" in mine.command
    html = result_html(mine, "")
    assert "<b>" not in html
    assert "my &lt;b&gt;flare.fits" in html


def test_the_attenuator_sets_the_range_and_refuses_a_time_range_in_which_it_moves(
    form: SpectrumForm, november: Archive, tmp_path: Path
) -> None:
    path = tmp_path / "attenuated.fits"
    shutil.copyfile(form.view.path, path)
    with fits.open(path, mode="update") as hdus:
        states = hdus["DATA"].data.columns["rcr"]
        hdus["DATA"].data["rcr"][: states.array.size // 2] = 1
    view = FileView(path)
    view.box = form.view.box
    attenuated = SpectrumForm(view, ArchiveSource(november.root), None, background=NONE)
    html = feedback_html(spectrum_feedback(attenuated, view.box))
    assert "attenuator in (state 1)" in html
    assert "The fit starts at 11 keV because the attenuator is in" in html
    view.box = view.snap(view.data.t_start[0], view.data.t_start[-1], 6, 10)
    (refusal,) = spectrum_feedback(attenuated, view.box).refusals
    assert refusal.field == "Time range"
    assert "attenuator state (rcr) changes at 2022-11-11T11:" in refusal.text
