"""Light curves from science files, beside the quick-look bins of the same simulated flare."""

import numpy as np
import pytest

import archive.lightcurves.science as module
from archive import Archive, QueryRefused
from archive.index.series import COUNTS, LIGHT_CURVES
from archive.ingest.ingest import ingest
from archive.lightcurves.science import ATTENUATOR, MOST_FILES, science_rows
from stixcore.instrument.flare_locator import PIXEL_AREA
from stixcore.simulation.campaign import simulate_campaign

NOW = np.datetime64("2026-03-20T00:00:00", "us")


@pytest.fixture(scope="module")
def flare(tmp_path_factory):
    """An archive with quick-look files, one without, and the truth of the flare in both."""
    folder = tmp_path_factory.mktemp("science")
    (record,) = simulate_campaign(folder / "files", 7, np.datetime64("2026-03-14T06:00:00", "us"), 0.1, 12.0)
    with_curves, without = (Archive(folder / name, create=True) for name in ("with", "without"))
    files = sorted((folder / "files").iterdir())
    ingest(with_curves, files, NOW)
    ingest(without, [path for path in files if "-ql-" not in path.name], NOW)
    return with_curves, without, record


def window_of(archive, record):
    file = archive.science_file(record["uid"])
    return file.t_start, file.t_end


def test_recorded_rates_are_those_of_the_quick_look_bins(flare):
    with_curves, without, record = flare
    start, end = window_of(without, record)
    assert without.light_curve(start, end, simulated=True).time.size == 0
    curve = without.science_curve(start, end, simulated=True, corrected=False)
    assert curve.files == (record["file"],)
    assert not curve.live_time_corrected
    view = curve.view
    quick = with_curves.light_curve_bins(start, end, simulated=True)
    # both sum the thirty imaging detectors, with independent noise; this request has the eight large pixels only
    read_out = PIXEL_AREA[:8].sum() / PIXEL_AREA.sum()
    assert curve.cautions == (f"Rates of {record['file']} are lower because only 8 of 12 pixels were read out.",)
    for band in range(3):
        science, expected = np.sum(view.mean[:, band] * view.seconds), quick.counts[:, band].sum() * read_out
        assert abs(science / expected - 1.0) < 0.02 + 5.0 / np.sqrt(expected), COUNTS[band]
    corrected = without.science_curve(start, end, simulated=True)
    assert corrected.live_time_corrected
    assert np.all(corrected.view.mean[:, 0] > view.mean[:, 0])


def test_a_band_that_the_file_does_not_cover_is_unknown(flare):
    _, without, record = flare
    file = without.science_file(record["uid"])
    view = without.science_curve(file.t_start, file.t_end, simulated=True).view
    covered = [high <= file.e_high for high in (10.0, 15.0, 25.0, 50.0, 84.0)]
    assert covered[0]
    assert not covered[-1]
    assert list(np.isfinite(view.mean).all(axis=0)) == covered
    assert np.isnan(view.triggers_mean).all()


def test_rows_name_the_file_and_keep_counts(flare):
    _, without, record = flare
    start, end = window_of(without, record)
    curve = without.science_curve(start, end, simulated=True)
    rows = science_rows(curve, simulated=True)
    assert rows.schema.equals(LIGHT_CURVES.arrow)
    assert set(rows["file"].to_pylist()) == {record["file"]}
    counts = np.nansum(curve.view.mean[:, 0] * curve.view.seconds)
    assert np.isclose(rows["counts_4_10"].to_numpy().sum(), counts)


def test_bins_are_merged_for_a_plot_and_none_is_lost(flare):
    _, without, record = flare
    start, end = window_of(without, record)
    fine, coarse = (without.science_curve(start, end, n, simulated=True).view for n in (2000, 8))
    assert coarse.time.size < fine.time.size
    assert np.isclose(np.sum(coarse.mean[:, 0] * coarse.seconds), np.sum(fine.mean[:, 0] * fine.seconds))


def test_nothing_from_the_other_kind_of_data_or_from_backgrounds(flare):
    _, without, record = flare
    start, end = window_of(without, record)
    assert without.science_curve(start, end).files == ()  # real files
    background = without.science_file(record["background"])
    found = without.science_curve(background.t_start, background.t_end, simulated=True)
    assert record["background"] not in found.files
    empty = without.science_curve(end + np.timedelta64(3, "h"), end + np.timedelta64(4, "h"), simulated=True)
    assert (empty.files, empty.view.time.size, science_rows(empty, simulated=True).num_rows) == ((), 0, 0)


def test_windows_that_are_refused(flare):
    _, without, record = flare
    start, _ = window_of(without, record)
    for end in (start, start + np.timedelta64(25, "h")):
        with pytest.raises(QueryRefused, match="at most 1 days"):
            without.science_curve(start, end)


def test_a_file_that_cannot_be_read_and_the_attenuator_are_said(flare, tmp_path, monkeypatch):
    _, without, record = flare
    start, end = window_of(without, record)
    read = module.count_spectra
    monkeypatch.setattr(module, "count_spectra", lambda data: _with_attenuator(read(data)))
    assert without.science_curve(start, end, simulated=True).cautions[-1] == ATTENUATOR
    monkeypatch.setattr(module, "read_pixel_data", _fails)
    found = without.science_curve(start, end, simulated=True)
    assert found.files == ()
    assert found.cautions == (f"{record['file']} cannot be read: gone",)
    assert MOST_FILES == 6


def _with_attenuator(spectra):
    spectra.rcr[:] = 1
    return spectra


def _fails(path):
    message = "gone"
    raise OSError(message)
