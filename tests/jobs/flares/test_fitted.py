"""The fitted layer: temperature, emission measure and δ of flares, from the best spectrum of their previews."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from archive import Archive, Flare, RegionSpectra, Spectrum
from jobs.flares.checkpoint import FlareCheckpoint
from jobs.flares.lists import import_flares
from jobs.flares.locate import update_flares
from jobs.flares.relink import relink_spectra

NOW = np.datetime64("2026-11-22T12:00:00", "us")
LATER = np.datetime64("2026-12-24T12:00:00", "us")
PEAK = np.datetime64("2022-11-11T11:38:00", "us")
MINUTE = np.timedelta64(60_000_000, "us")
FLARE = "2211111138"


def flare(flare_id: str = FLARE, peak: np.datetime64 = PEAK, **changes: Any) -> dict[str, Any]:
    """A detected flare of ten minutes."""
    values = {"flare_id": flare_id, "t_start": peak - 3 * MINUTE, "t_peak": peak, "t_end": peak + 7 * MINUTE}
    layer = {"source": "detected"} | {name: str(value) for name, value in values.items()}
    own = {"source": "detected", "detected": json.dumps(layer), "updated_at": NOW}
    return values | own | changes


def spectrum(digit: str, **changes: Any) -> Spectrum:
    values: dict[str, Any] = {
        "spectrum_id": digit * 16, "kind": "auto", "uid": "1", "science_name": "science.fits", "flare_id": FLARE,
        "t_start": PEAK, "t_end": PEAK + MINUTE, "model": "vth", "verdict": "trusted", "counts": 1000.0,
        "temperature": 15.0, "temperature_minus": 0.5, "temperature_plus": 0.75, "emission_measure": 0.25,
        "emission_measure_minus": 0.0625, "emission_measure_plus": 0.03125, "livetime_s": 50.0, "attenuator_in": False,
        "scheme": "gsw-2026", "distance_au": 0.6, "recipe": "{}", "folder": f"spectra/2022/11/11/{digit * 16}",
        "size": 1, "version": "1", "created_at": NOW,
    }  # fmt: skip
    return Spectrum(**(values | changes))


def electrons(digit: str, **changes: Any) -> Spectrum:
    return spectrum(digit, model="vth+thick2", delta=5.0, delta_minus=0.25, delta_plus=0.5, **changes)


def region_spectra(digit: str, flare_id: str) -> RegionSpectra:
    return RegionSpectra(
        region_id=digit * 16, kind="user", uid="1", science_name="science.fits", flare_id=flare_id, t_start=PEAK,
        t_end=PEAK + MINUTE, method="clean", n_regions=1, names='["north"]', n_channels=0, copies=2, distance_au=0.6,
        recipe="{}", folder=f"regions/2022/11/11/{digit * 16}", size=1, author="alice", version="1", created_at=NOW,
    )  # fmt: skip


@pytest.fixture
def archive(tmp_path) -> Archive:
    """An archive with one detected flare."""
    archive = Archive(tmp_path / "archive", create=True)
    archive.upsert("flares", [flare()])
    return archive


def fitted(archive: Archive, *rows: Spectrum, now: np.datetime64 = NOW) -> Flare:
    archive.write_spectra(rows)
    update_flares(archive, now)
    return archive.flare(FLARE)


def test_values_and_the_larger_error_come_from_the_spectrum(archive):
    row = fitted(archive, electrons("a"))
    assert (row.spectrum_id, row.spectrum_verdict) == ("a" * 16, "trusted")
    assert (row.temperature, row.temperature_sigma) == (15.0, 0.75)
    assert (row.emission_measure, row.emission_measure_sigma) == (0.25, 0.0625)
    assert (row.delta, row.delta_sigma) == (5.0, 0.5)
    assert json.loads(row.fitted)["source"] == "spectrum"


def test_an_open_error_is_no_error(archive):
    row = fitted(archive, electrons("a", temperature_plus=None))
    assert (row.temperature, row.temperature_sigma) == (15.0, None)


def test_a_flare_without_values_of_detection_or_a_list_stays_as_it_is(archive, caplog):
    archive.upsert("flares", [flare(detected=None, limits_changed_at=NOW)])
    bare = archive.flare(FLARE)
    assert fitted(archive, electrons("a"), now=LATER) == bare
    assert f"flare {FLARE} keeps its row" in caplog.text


def test_a_thermal_fit_has_no_index(archive):
    row = fitted(archive, spectrum("a"))
    assert (row.temperature, row.delta, row.delta_sigma) == (15.0, None, None)


@pytest.mark.parametrize(
    ("best", "other"),
    [
        (spectrum("b"), electrons("a", verdict="doubtful", counts=9e9)),
        (electrons("b", counts=10.0), spectrum("a", counts=9e9)),
        (electrons("b", counts=11.0), electrons("a", counts=10.0)),
        (electrons("a"), electrons("b")),
    ],
    ids=["trusted first", "then with electrons", "then with most counts", "then by id"],
)
def test_the_best_spectrum_is(archive, best, other):
    assert fitted(archive, other, best).spectrum_id == best.spectrum_id


@pytest.mark.parametrize(
    "changes",
    [
        {"simulated": True},
        {"hidden": True},
        {"kind": "user", "author": "ann"},
        {"flare_id": None},
        {"flare_id": "2211110000"},
        {"verdict": None, "model": None, "temperature": None, "no_fit": "too few channels"},
    ],
)
def test_other_spectra_do_not_count(archive, changes):
    row = fitted(archive, spectrum("a", **changes))
    assert (row.spectrum_id, row.temperature, row.fitted) == (None, None, None)


def test_a_spectrum_that_is_removed_or_made_again_changes_the_flare(archive):
    fitted(archive, electrons("a"))
    archive.delete("spectra", ["a" * 16])
    row = fitted(archive, spectrum("b", temperature=12.0), now=LATER)
    assert (row.spectrum_id, row.temperature, row.delta, row.updated_at) == ("b" * 16, 12.0, None, LATER)
    archive.delete("spectra", ["b" * 16])
    update_flares(archive, LATER)
    row = archive.flare(FLARE)
    assert (row.spectrum_id, row.temperature, row.spectrum_verdict, row.fitted) == (None,) * 4


def test_a_second_call_changes_nothing(archive):
    first = fitted(archive, electrons("a"))
    assert update_flares(archive, LATER).fitted == ()
    assert FlareCheckpoint.before(archive) is not None
    assert archive.flare(FLARE) == first


def test_other_layers_keep_the_values_of_the_spectrum(archive, tmp_path):
    """An imported list gives the flare another id; the layer and the spectrum follow."""
    fitted(archive, electrons("a"))
    path = tmp_path / "list.csv"
    path.write_text("flare_id,peak_UTC,start_UTC,end_UTC\n2211111139,2022-11-11T11:39:00,,\n")
    import_flares(archive, path, LATER)
    row = archive.flare("2211111139")
    assert (row.spectrum_id, row.temperature, row.temperature_sigma) == ("a" * 16, 15.0, 0.75)
    report = update_flares(archive, LATER)
    assert "a" * 16 in report.relinked
    assert archive.spectrum("a" * 16).flare_id == "2211111139"
    assert archive.flare("2211111139").temperature == 15.0


def test_spectra_follow_their_flare_to_another_id(archive):
    archive.upsert("flares", [flare(other_ids="2211110000")])
    archive.write_spectra([spectrum("a", flare_id="2211110000"), spectrum("b")])
    archive.write_region_spectra([region_spectra("c", "2211110000"), region_spectra("d", FLARE)])
    assert relink_spectra(archive) == ("a" * 16, "c" * 16)
    assert relink_spectra(archive) == ()
    assert {row.flare_id for row in archive.spectra()} == {FLARE}
    assert {row.flare_id for row in archive.region_spectra()} == {FLARE}


def test_a_users_spectrum_without_a_flare_gets_the_one_that_overlaps_it(archive):
    archive.write_spectra([spectrum("a", flare_id=None, kind="user"), spectrum("b", flare_id=None)])
    relink_spectra(archive)
    assert (archive.spectrum("a" * 16).flare_id, archive.spectrum("b" * 16).flare_id) == (FLARE, None)


def test_simulated_flares_have_values_of_simulated_spectra(archive):
    simulated = flare("2211111200", PEAK + 30 * MINUTE, simulated=True)
    archive.upsert("flares", [simulated])
    other = replace(spectrum("b", temperature=30.0), flare_id="2211111200", simulated=True)
    row = fitted(archive, spectrum("a"), other)
    assert row.temperature == 15.0
    assert archive.flare("2211111200").temperature == 30.0
