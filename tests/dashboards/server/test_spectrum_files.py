"""Scripts and OGIP files of a spectrum as a user meets them: downloaded from the running server, used on their own."""

import io
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
import warnings
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from archive import Archive, NotInArchive, RunKind, read_spectrum_record
from archive.ingest.ingest import ingest
from archive.layout import RESPONSE_FILE, SPECTRUM_RECORD
from archive.scripts.ogip import ogip_zip
from dashboards.server.spectrum_files import spectrum_file
from dashboards.shared.access import GUEST, Visitor
from jobs.spectra.task import SpectrumContext, SpectrumTask, run_spectrum
from stixcore.measure_spectrum import SpectrumRequest
from stixcore.spectra.files import read_response_file, read_spectrum_file

NOW = np.datetime64("2026-11-30T12:00:00", "us")
TABLES = Path(__file__).with_name("sunkit_tables.py")


@pytest.fixture(scope="module")
def filled(tmp_path_factory, shared_data):
    """An archive with four spectra of a real flare: automatic, electrons alone, without a fit, hidden."""
    folder = shared_data / "nov2022"
    names = ("l1/*_2211116471-*.fits", "l1/*_2211098157-*.fits", "aux/*_20221111_*.fits")
    science, background, aspect = (next(folder.glob(name)) for name in names)

    def task(archive, author, hidden=False, **options):
        times = (np.datetime64(f"2022-11-11T11:{minute}", "us") for minute in (36, 38))
        return SpectrumTask(
            root=archive.root,
            wanted=SpectrumRequest(**dict(zip(("start", "end"), times, strict=True)), **options),
            science=science,
            background=background,
            aspect=(aspect,),
            context=SpectrumContext(
                kind=RunKind.AUTO if author == "auto" else RunKind.USER,
                author=author,
                uid="2211116471",
                science_name=science.name,
                hidden=hidden,
            ),
            created=NOW,
        )

    root = tmp_path_factory.mktemp("spectra") / "archive"
    with closing(Archive(root, create=True)) as archive:
        ingest(archive, [science, background, aspect], NOW)
        fixed = {"e_cut_keV": 16.0}
        rows = {
            "auto": run_spectrum(task(archive, "auto")),
            "electrons": run_spectrum(
                task(archive, "anna", model="thick2", energy=(15.0, 28.0), albedo=False, fixed=fixed)
            ),
            "counts": run_spectrum(task(archive, "anna", model="none")),
            "hidden": run_spectrum(task(archive, "alice", hidden=True, model="vth", energy=(4.0, 10.0))),
        }
        archive.write_spectra(rows.values())
        archive.build_read_model()
    with closing(Archive(root)) as archive:
        yield archive, rows


@pytest.fixture(scope="module")
def address(serve, filled):
    """Start of the URLs of files of spectra."""
    with serve(filled[0].root) as server:
        yield f"{server.url}/archive/spectrum"


def download(address, folder):
    """What a browser would save: the file under the name the server gives it."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        name = re.search(r'filename="([^"]+)"', answer.headers["Content-Disposition"])[1]
        (folder / name).write_bytes(answer.read())
    return folder / name


def run(script, *words):
    """Output of a fresh interpreter in the script's folder."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *words],
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def table(said):
    """Rows of the comparison that fit.py prints: name → its own value, and that of the archive."""
    rows = re.findall(r"^(\w+) +(\S+) +(\S+) +(\S+) +-(\S+) \+(\S+)$", said, re.MULTILINE)
    return {name: (float(own), float(archive), minus, plus) for name, own, _, archive, minus, plus in rows}


def test_this_software_gives_the_numbers_of_the_archive(filled, address, tmp_path):
    row = filled[1]["auto"]
    script = download(f"{address}/{row.spectrum_id}/reproduce.py", tmp_path)
    said = run(script, script.name)
    assert f"recipe {row.spectrum_id} as in the archive" in said
    assert "automatic fit, not for publication" in said
    largest = float(re.search(r"all numbers are those of the archive to (\S+)", said)[1])
    assert largest <= 1e-6
    assert f"chi-squared {row.chi2:.8g} (archive: {row.chi2:.8g})" in said
    assert len(re.findall("1 sigma: ", said)) == 10
    assert (tmp_path / script.name.replace("reproduce.py", "reproduced.png")).stat().st_size > 10_000


def test_a_changed_recipe_is_noticed(filled, address, tmp_path):
    row = filled[1]["counts"]
    script = download(f"{address}/{row.spectrum_id}/reproduce.py", tmp_path)
    text = script.read_text()
    assert "no fit: counts and response only" in run(script, script.name, "--no-plot")
    script.write_text(text.replace("2022-11-11T11:38:00.000", "2022-11-11T11:40:00.000"))
    said = run(script, script.name, "--no-plot")
    assert "changed; the recipe of the archive is" in said
    assert "the recipe was changed, so numbers may differ" in said


@pytest.mark.needs_sunkit_spex
def test_sunkit_spex_finds_the_same_electrons(filled, address, tmp_path):
    row = filled[1]["electrons"]
    script = download(f"{address}/{row.spectrum_id}/fit.py", tmp_path)
    said = run(script, script.name)
    values = table(said)
    assert values.keys() == {"norm_1e35_per_s", "delta"}
    for own, archive, *_ in values.values():
        assert own == pytest.approx(archive, rel=2e-3)
    assert "e_cut_keV                      16   (fixed)" in said
    assert "all 2 fitted values agree with the archive within 1 sigma" in said
    assert float(re.search(r"chi-squared (\S+) for", said)[1]) == pytest.approx(row.chi2, rel=0.02)
    assert "by anna" in said
    assert "fit of a user" in said
    assert list(tmp_path.glob("*_sunkit_spex.png"))


@pytest.mark.needs_sunkit_spex
def test_sunkit_spex_finds_the_same_plasma(filled, address, tmp_path):
    """With tables of this software instead of those that sunkit-spex downloads, which no test may do."""
    script = download(f"{address}/{filled[1]['auto'].spectrum_id}/fit.py", tmp_path)
    said = run(script, str(TABLES), script.name, "--no-plot")
    values = table(said)
    assert list(values) == ["EM_1e49_cm3", "T_keV", "norm_1e35_per_s", "delta", "e_cut_keV"]
    for own, archive, minus, plus in values.values():
        side = minus if own < archive else plus
        assert abs(own - archive) < 0.1 * float(side)
    assert "all 5 fitted values agree with the archive within 1 sigma" in said


def test_ogip_files_hold_the_spectrum(filled, address, tmp_path):
    archive, rows = filled
    row = rows["auto"]
    document = read_spectrum_record(archive.path_of(row.folder)).document
    with zipfile.ZipFile(download(f"{address}/{row.spectrum_id}/ogip.zip", tmp_path)) as package:
        package.extractall(tmp_path)
    folder = tmp_path / f"stix_spectrum_{row.spectrum_id}"
    stem = f"stx_{row.spectrum_id}"
    assert {path.name for path in folder.iterdir()} == {
        "README.txt", *(f"{stem}_{name}.fits" for name in ("pha", "bkg", "rmf", "arf"))
    }  # fmt: skip
    total, quiet = (read_spectrum_file(folder / f"{stem}_{name}.fits") for name in ("pha", "bkg"))
    net, background = np.array(document["counts"]), np.array(document["background"])
    np.testing.assert_allclose(total.counts[0], net + background, rtol=1e-12)
    np.testing.assert_allclose(quiet.counts[0], background, rtol=1e-12)
    # the errors of both add up to that of the net counts
    np.testing.assert_allclose(np.hypot(total.sigma[0], quiet.sigma[0]), document["sigma"], rtol=1e-9)
    np.testing.assert_allclose(total.systematic[0], document["systematic"], rtol=1e-6)
    pair = read_response_file(archive.path_of(row.folder) / RESPONSE_FILE)
    split = read_response_file(folder / f"{stem}_rmf.fits", folder / f"{stem}_arf.fits")
    flux = pair.photon_edges[:-1] ** -4.0
    # the pair contains 1/D², the split does not
    np.testing.assert_allclose(pair.fold(flux) * row.distance_au**2, split.fold(flux), rtol=1e-6)
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert "automatic fit, not for publication" in readme
    assert f"{row.distance_au:.6g} AU from the Sun" in readme
    assert f"{document['fit']['parameters']['T_keV']['value']:.5g}" in readme


@pytest.mark.needs_gammapy
def test_gammapy_reads_the_ogip_files(filled, tmp_path):
    """Predicted counts of a power law are those of the response; the channels of the fit are the good ones."""
    archive, rows = filled
    row = rows["electrons"]
    folder = archive.path_of(row.folder)
    record = read_spectrum_record(folder)
    with zipfile.ZipFile(io.BytesIO(ogip_zip(record, folder / RESPONSE_FILE))) as package:
        package.extractall(tmp_path)
    inside = tmp_path / f"stix_spectrum_{row.spectrum_id}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gammapy.datasets import SpectrumDatasetOnOff
        from gammapy.modeling.models import PowerLawSpectralModel, SkyModel

        dataset = SpectrumDatasetOnOff.read(inside / f"stx_{row.spectrum_id}_pha.fits")
        model = PowerLawSpectralModel(index=5.0, amplitude="1 cm-2 s-1 keV-1", reference="10 keV")
        dataset.models = SkyModel(spectral_model=model, name="flare")
        predicted = dataset.npred_signal().data.ravel()
    document = record.document
    pair = read_response_file(folder / RESPONSE_FILE)
    low, high = pair.photon_edges[:-1], pair.photon_edges[1:]
    flux = 10.0**5 * (low**-4.0 - high**-4.0) / 4.0 / (high - low)
    expected = pair.fold(flux) * row.distance_au**2 * document["livetime_s"]
    np.testing.assert_allclose(predicted, expected, rtol=1e-3)
    counts, quiet = np.array(document["counts"]), np.array(document["background"])
    np.testing.assert_allclose(dataset.counts.data.ravel(), counts + quiet, rtol=1e-6)
    np.testing.assert_allclose(dataset.counts_off.data.ravel(), quiet, rtol=1e-6)
    np.testing.assert_array_equal(dataset.mask_safe.data.ravel(), document["fit"]["used"])


def test_the_same_spectrum_gives_the_same_bytes(filled):
    archive, rows = filled
    folder = archive.path_of(rows["auto"].folder)
    first, second = (ogip_zip(read_spectrum_record(folder), folder / RESPONSE_FILE) for _ in range(2))
    assert first == second


def refusal(address):
    """Status and sentence of an answer that is an error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(address, timeout=30)
    with caught.value as answer:
        return answer.code, json.loads(answer.read())["error"]


def test_missing_files_are_404(filled, address):
    rows = filled[1]
    counts, hidden = rows["counts"].spectrum_id, rows["hidden"].spectrum_id
    for name in ("fit.py", "fit.pro"):
        assert refusal(f"{address}/{counts}/{name}") == (
            404,
            f"spectrum '{counts}' has no fit: counts and response only",
        )
    for name in ("fit.py", "reproduce.py", "fit.pro", "ogip.zip"):
        for missing in (hidden, "0" * 16):
            assert refusal(f"{address}/{missing}/{name}") == (404, f"there is no spectrum '{missing}'")
    assert refusal(f"{address}/{counts}/fit.exe")[0] == 404


def test_an_unchanged_answer_is_not_sent_again(filled, address):
    url = f"{address}/{filled[1]['auto'].spectrum_id}/fit.pro"
    with urllib.request.urlopen(url, timeout=30) as answer:
        etag, name = answer.headers["Etag"], answer.headers["Content-Disposition"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert url.partition("/archive/")[0] in answer.read().decode()
    assert re.search(r'filename="\w+\.pro"', name)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(url, headers={"If-None-Match": etag}), timeout=30)
    caught.value.close()
    assert caught.value.code == 304
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=30) as answer:
        assert answer.headers["Etag"] == etag
        assert answer.read() == b""


def test_a_hidden_spectrum_is_for_its_author(filled):
    archive, rows = filled
    hidden = rows["hidden"].spectrum_id
    for visitor in (GUEST, Visitor("bob")):
        with pytest.raises(NotInArchive, match="there is no spectrum"):
            spectrum_file(archive, hidden, "fit.py", "http://server", visitor)
    assert spectrum_file(archive, hidden, "fit.py", "http://server", Visitor("alice"))[0].endswith("_fit.py")


def test_damaged_files_are_reported(filled):
    archive, rows = filled
    row = rows["counts"]
    folder = archive.path_of(row.folder)
    response, record = folder / RESPONSE_FILE, folder / SPECTRUM_RECORD
    kept = response.read_bytes(), record.read_bytes()
    try:
        response.write_bytes(b"nothing")
        with pytest.raises(NotInArchive, match=f"the response of spectrum '{row.spectrum_id}' is missing or damaged"):
            spectrum_file(archive, row.spectrum_id, "ogip.zip", "http://server", GUEST)
        record.write_text("{}")
        for name in ("ogip.zip", "reproduce.py"):
            with pytest.raises(NotInArchive, match="has no valid record in spectra/"):
                spectrum_file(archive, row.spectrum_id, name, "http://server", GUEST)
    finally:
        response.write_bytes(kept[0])
        record.write_bytes(kept[1])


@pytest.mark.parametrize("name", ["fit.py", "reproduce.py", "fit.pro", "ogip.zip"])
@pytest.mark.parametrize("fit", ["thermal", {"model": None}, 5])
def test_a_record_with_another_fit_is_said(filled, name, fit):
    archive, rows = filled
    row = rows["auto"]
    record = archive.path_of(row.folder) / SPECTRUM_RECORD
    kept = record.read_bytes()
    content = json.loads(kept)
    content["spectrum"]["fit"] = fit
    try:
        record.write_text(json.dumps(content))
        with pytest.raises(NotInArchive, match=f"the record of spectrum '{row.spectrum_id}' is damaged: {name} cannot"):
            spectrum_file(archive, row.spectrum_id, name, "http://server", GUEST)
    finally:
        record.write_bytes(kept)
