import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import (
    Archive,
    IndexDamaged,
    OutcomeStatus,
    QueryRefused,
    rebuild_light_curves,
    schema_markdown,
    stale_days,
)
from archive.ingest.ingest import ingest
from archive.lightcurves import write
from archive.lightcurves.merge import Layer, merged
from stixcore.fits.read import read_light_curve

SECOND = np.timedelta64(1_000_000, "us")
EDGES = (4.0, 10.0, 15.0, 25.0, 50.0, 84.0)


@dataclass(frozen=True)
class CurveFile:
    """Recipe of a small quick-look file; ``counts`` of 4-10 keV is a number or a function of the second of day."""

    start: str = "2022-11-11T06:00:00.000"
    bins: int = 900
    counts: float | Callable[[np.ndarray], np.ndarray] = 250.0
    cadence: float = 4.0
    level: str = "L1"
    version: str = "01"
    serial: str = ""
    created: str = "2023-01-01T00:00:00"
    simulated: bool = False
    rcr: int = 0
    edges: tuple[float, ...] = EDGES
    keep: slice = slice(None)

    def write(self, folder: Path) -> Path:
        start = np.datetime64(self.start, "us")
        begin = np.arange(self.bins) * self.cadence
        of_day = (start - start.astype("datetime64[D]")) / SECOND + begin
        soft = self.counts(of_day) if callable(self.counts) else np.full(self.bins, self.counts)
        counts = np.outer(soft, np.ones(len(self.edges) - 1)) + np.arange(len(self.edges) - 1)
        values = {
            "time": begin + self.cadence / 2,
            "timedel": np.full(self.bins, self.cadence),
            "triggers": np.rint(10 * soft),
            "counts": np.rint(counts),
            "rcr": np.full(self.bins, self.rcr, np.uint8),
        }
        low, high = np.array(self.edges[:-1]), np.array(self.edges[1:])
        primary = fits.PrimaryHDU()
        primary.header.update(
            {
                "TELESCOP": "SOLO/STIX",
                "LEVEL": self.level,
                "VERSION": self.version,
                "DATE-BEG": self.start,
                "DATE-END": str(start + round(self.bins * self.cadence) * SECOND),
                "DATE": self.created,
            }
        )
        if self.simulated:
            primary.header["OBS_MODE"] = "SIMULATED"
        day = self.start[:10].replace("-", "")
        path = folder / f"solo_{self.level}_stix-ql-lightcurve_{day}{self.serial}_V{self.version}.fits"
        data = fits.BinTableHDU(_records({key: value[self.keep] for key, value in values.items()}), name="DATA")
        energies = fits.BinTableHDU(_records({"e_low": low, "e_high": high}), name="ENERGIES")
        fits.HDUList([primary, data, energies]).writeto(path, checksum=True, overwrite=True)
        return path


def _records(values: dict[str, np.ndarray]) -> np.ndarray:
    dtype = [(name, value.dtype, value.shape[1:]) for name, value in values.items()]
    table = np.empty(len(next(iter(values.values()))), dtype=dtype)
    for name, value in values.items():
        table[name] = value
    return table


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "us")


def take(archive: Archive, make: Any, *files: Path) -> None:
    outcomes = ingest(archive, files, make.now)
    assert {one.status for one in outcomes} <= {OutcomeStatus.INGESTED, OutcomeStatus.KNOWN}, outcomes


def bins_of(archive: Archive, date: str = "2022-11-11", *, simulated: bool = False):
    start = day(date)
    return archive.light_curve_bins(start, start + 86_400 * SECOND, simulated=simulated)


# Filling --------------------------------------------------------------------------------------------------------------


def test_ingest_fills_the_table(archive, make, tmp_path):
    path = CurveFile(rcr=1).write(tmp_path)
    take(archive, make, path)
    file = read_light_curve(path)
    series = bins_of(archive)
    assert (series.t_start == file.t_start).all()
    assert (series.counts == file.counts).all()
    assert (series.rcr == 1).all()
    (row,) = archive.rows("SELECT DISTINCT file, version, simulated, triggers, duration_s FROM lightcurves")
    assert row == {"file": path.name, "version": "01", "simulated": False, "triggers": 2500.0, "duration_s": 4.0}


def test_ingesting_files_again_changes_no_byte(archive, make, tmp_path):
    files = [CurveFile().write(tmp_path), CurveFile("2022-11-12T00:00:00.000").write(tmp_path)]
    take(archive, make, *files)
    before = make.tree(archive.index)
    take(archive, make, *files)
    assert rebuild_light_curves(archive).days == ()
    assert make.tree(archive.index) == before


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_order_of_ingest_does_not_matter(archive, make, tmp_path, order):
    files = [
        CurveFile(version="01", counts=100.0).write(tmp_path),
        CurveFile("2022-11-11T06:30:00.000", version="02", counts=200.0).write(tmp_path),
        CurveFile("2022-11-11T23:59:30.000", bins=900, serial="_000001", version="01", counts=300.0).write(tmp_path),
    ]
    for number in order:
        take(archive, make, files[number])
    ours = make.tree(archive.index / "lightcurves") | make.tree(archive.index / "lightcurve_minutes")
    other = Archive(tmp_path / "other", create=True)
    take(other, make, *files)
    assert ours == make.tree(other.index / "lightcurves") | make.tree(other.index / "lightcurve_minutes")
    assert len(ours) == 3  # two days, one month


def test_newest_version_is_used_and_the_old_one_fills_gaps(archive, make, tmp_path):
    """The new file covers seven tenths of the old one, so it is a version of it; nothing the old one has is lost."""
    old = CurveFile(bins=1000, counts=100.0).write(tmp_path)
    new = CurveFile("2022-11-11T06:20:00.000", bins=700, version="02", counts=200.0).write(tmp_path)
    take(archive, make, old, new)
    assert archive.rows("SELECT superseded_by FROM quicklook_files WHERE version = '01'") == [
        {"superseded_by": new.name}
    ]
    series = bins_of(archive)
    assert (np.diff(series.t_start) == 4 * SECOND).all()
    assert series.t_start.size == 1000
    assert series.counts[:, 0].tolist() == [100.0] * 300 + [200.0] * 700


def test_overlapping_files_of_one_version_count_every_bin_once(archive, make, tmp_path):
    first = CurveFile(serial="_000001", bins=900, counts=100.0).write(tmp_path)
    # its clock is 1.5 s off: where both have a moment one of them counts, and no bin lies on another
    second = CurveFile("2022-11-11T06:30:01.500", serial="_000002", counts=200.0, created="2023-02-01T00:00:00")
    take(archive, make, first, second.write(tmp_path))
    series = bins_of(archive)
    gaps = np.diff(series.t_start) / SECOND - series.duration[:-1]
    assert (gaps >= 0).all()
    assert gaps.max() <= 4.0
    assert series.counts[-900:, 0].tolist() == [200.0] * 900  # written later


def test_replaced_file_leaves_no_bins(archive, make, tmp_path):
    take(archive, make, CurveFile(bins=900, counts=100.0).write(tmp_path))
    take(archive, make, CurveFile(bins=300, counts=200.0, created="2024-01-01T00:00:00").write(tmp_path))
    assert bins_of(archive).counts[:, 0].tolist() == [200.0] * 300


def test_bin_across_midnight_belongs_to_the_day_of_its_start(archive, make, tmp_path):
    take(archive, make, CurveFile("2022-11-11T23:59:50.000", bins=6).write(tmp_path))
    seconds = {date: (bins_of(archive, date).t_start - day(date)) / SECOND for date in ("2022-11-11", "2022-11-12")}
    assert seconds["2022-11-11"].tolist() == [86_390.0, 86_394.0, 86_398.0]
    assert seconds["2022-11-12"].tolist() == [2.0, 6.0, 10.0]
    again = pq.read_table(archive.index / "lightcurves/2022-11-12.parquet")
    assert again["time"].to_numpy()[0] == day("2022-11-12T00:00:02")


def test_bin_across_midnight_contributes_to_the_next_day(archive, make, tmp_path):
    """The new file begins the day; the old one's last bin reaches into it and must go."""
    old = CurveFile("2022-11-11T23:59:50.000", bins=3, counts=100.0)
    new = CurveFile("2022-11-12T00:00:00.000", bins=10, counts=200.0, version="02")
    for files in ((old, new), (new, old)):
        fresh = Archive(tmp_path / str(files[0].version), create=True)
        for file in files:
            take(fresh, make, file.write(tmp_path))
        assert bins_of(fresh).t_start.size == 2
        assert bins_of(fresh, "2022-11-12").t_start[0] == day("2022-11-12")


def test_simulated_and_real_are_never_mixed(archive, make, tmp_path):
    take(archive, make, CurveFile(counts=100.0).write(tmp_path))
    take(archive, make, CurveFile(counts=900.0, version="02", simulated=True, bins=450).write(tmp_path))
    assert set(bins_of(archive).counts[:, 0]) == {100.0}
    assert set(bins_of(archive, simulated=True).counts[:, 0]) == {900.0}
    for start, length in ((day("2022-11-11"), 86_400), (day("2022-10-01"), 86_400 * 90)):
        for simulated, counts in ((False, 100.0), (True, 900.0)):
            view = archive.light_curve(start, start + length * SECOND, 500, simulated=simulated)
            assert set(view.high[:, 0]) == {counts / 4}


def test_duplicate_packet_counts_once():
    start = np.array([0, 4, 8, 9, 13, 16]) * 1_000_000
    layer = Layer(
        "a", "01", start, start + 4_000_000, np.full(6, 4.0), np.ones((6, 5)), np.ones(6), np.zeros(6, dtype=np.int64)
    )
    (kept,) = merged([layer])
    assert (kept.start // 1_000_000).tolist() == [0, 4, 8, 13]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 80), st.sampled_from([4, 8])), min_size=1, max_size=6))
def test_merged_files_neither_overlap_nor_lose_time(files):
    """Whole seconds: what any file covers is covered, but for pieces shorter than a bin next to another file."""
    layers = []
    for number, (first, bins, cadence) in enumerate(files):
        start = (first + cadence * np.arange(bins, dtype=np.int64)) * 1_000_000
        layers.append(
            Layer(
                str(number), "01", start, start + cadence * 1_000_000, np.full(bins, float(cadence)),
                np.ones((bins, 5)), np.ones(bins), np.zeros(bins, dtype=np.int64),
            )
        )  # fmt: skip
    kept = merged(layers)
    covered, wanted = np.zeros(1200), np.zeros(1200, dtype=bool)
    for layer in kept:
        for a, b in zip(layer.start // 1_000_000, layer.end // 1_000_000, strict=True):
            covered[a:b] += 1
    for layer in layers:
        wanted[layer.start[0] // 1_000_000 : layer.end[-1] // 1_000_000] = True
    lost = wanted & (covered == 0)
    # an eight-second bin may lie a second (an eighth of it) on its neighbor
    assert covered.max() <= 2
    assert (covered == 2).sum() <= 2 * len(files)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(int)))
    assert all(b - a < 8 for a, b in zip(edges[::2], edges[1::2], strict=True))
    assert (kept[0].start == layers[-1].start).all()  # the newest file is whole


def test_ingest_killed_before_the_index_is_repeated(archive, make, tmp_path, monkeypatch):
    path = CurveFile().write(tmp_path)
    monkeypatch.setattr(Archive, "upsert", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        ingest(archive, [path], make.now)
    monkeypatch.undo()
    (archive.index / "lightcurves/2022-11-11.parquet").unlink()
    take(archive, make, path)
    assert bins_of(archive).t_start.size == 900
    assert stale_days(archive) == ()


# Files that cannot be used --------------------------------------------------------------------------------------------


def test_files_with_other_bands_are_skipped_and_reported(archive, make, tmp_path, caplog):
    path = CurveFile(edges=(4.0, 12.0, 15.0, 25.0, 50.0, 84.0)).write(tmp_path)
    take(archive, make, path)
    assert bins_of(archive).t_start.size == 0
    assert path.name in caplog.text
    assert rebuild_light_curves(archive).unusable == ((path.name, "its bands begin at 4, 12, 15, 25, 50 keV"),)


def test_missing_file_is_reported(archive, make, tmp_path):
    path = CurveFile().write(tmp_path)
    take(archive, make, path, CurveFile("2022-11-12T00:00:00.000").write(tmp_path))
    archive.locate(path.name).unlink()
    update = rebuild_light_curves(archive)
    assert update.days == ("2022-11-11",)
    assert [name for name, _ in update.unusable] == [path.name]
    assert not (archive.index / "lightcurves/2022-11-11.parquet").exists()
    assert bins_of(archive, "2022-11-12").t_start.size == 900


# Rebuilding -----------------------------------------------------------------------------------------------------------


def test_rebuilt_light_curves_have_the_same_bytes(archive, make, tmp_path):
    files = [
        CurveFile(version="01", counts=100.0).write(tmp_path),
        CurveFile("2022-11-11T06:30:00.000", version="02", simulated=True).write(tmp_path),
        CurveFile("2022-12-01T00:00:00.000").write(tmp_path),
    ]
    take(archive, make, *files)
    before = make.tree(archive.index)
    for name in ("lightcurves", "lightcurve_minutes"):
        shutil.rmtree(archive.index / name)
    assert stale_days(archive) == ("2022-11-11", "2022-12-01")
    update = rebuild_light_curves(archive)
    assert update.days == ("2022-11-11", "2022-12-01")
    assert update.months == ("2022-11", "2022-12")
    assert make.tree(archive.index) == before


def test_rebuild_removes_bins_without_a_file(archive, make, tmp_path):
    path = CurveFile().write(tmp_path)
    take(archive, make, path)
    archive.delete("quicklook_files", [path.name])
    assert stale_days(archive) == ("2022-11-11",)
    rebuild_light_curves(archive)
    assert list((archive.index / "lightcurves").iterdir()) == []
    assert list((archive.index / "lightcurve_minutes").iterdir()) == []
    assert stale_days(archive) == ()


@pytest.mark.parametrize("which", ["lightcurves/2022-11-11", "lightcurve_minutes/2022-11"])
def test_damaged_file_is_remade_with_its_day(archive, make, tmp_path, which):
    take(archive, make, CurveFile().write(tmp_path), CurveFile("2022-11-20T00:00:00.000").write(tmp_path))
    before = make.tree(archive.index)
    (archive.index / f"{which}.parquet").write_bytes(b"PAR1 and then nothing")
    assert stale_days(archive) == (("2022-11-11",) if "11-11" in which else ())
    take(archive, make, CurveFile("2022-11-11T06:00:00.000", version="02", counts=300.0).write(tmp_path))
    assert set(bins_of(archive).counts[:, 0]) == {300.0}
    minutes = archive.rows("SELECT count(*) AS n FROM lightcurve_minutes")
    assert minutes == [{"n": 120}]
    assert make.tree(archive.index)["lightcurves/2022-11-20.parquet"] == before["lightcurves/2022-11-20.parquet"]


def test_each_file_is_read_once(archive, make, tmp_path, monkeypatch):
    files = [CurveFile(f"2022-11-{date}T00:00:00.000", bins=21_600).write(tmp_path) for date in (10, 11, 12, 13)]
    read = []
    monkeypatch.setattr(write, "read_light_curve", lambda path: read.append(path.name) or read_light_curve(path))
    take(archive, make, *files)
    assert sorted(read) == [path.name for path in files]


# Asking ---------------------------------------------------------------------------------------------------------------


def wave(second: np.ndarray) -> np.ndarray:
    return np.rint(300 + 200 * np.sin(second / 700.0) + 50 * np.sin(second * 1.7))


@pytest.fixture(scope="module")
def wavy(tmp_path_factory):
    """Two days with a gap of an hour and a half."""
    folder = tmp_path_factory.mktemp("wavy")
    files = [
        CurveFile("2022-11-11T00:00:00.000", 9000, wave).write(folder),
        CurveFile("2022-11-11T11:30:00.000", 5000, wave, serial="_000002").write(folder),
    ]
    archive = Archive(folder / "archive", create=True)
    ingest(archive, files, np.datetime64("2026-11-22", "us"))
    return archive


@pytest.mark.parametrize(
    ("minutes", "points"), [(60, 100), (240, 77), (600, 1000), (1440, 50), (1440, 2000), (1440, 300)]
)
@pytest.mark.parametrize("offset", [0, 1234])
def test_buckets_hold_minimum_mean_and_maximum(wavy, minutes, points, offset):
    start = day("2022-11-11T08:00") + offset * SECOND
    end = start + 60 * minutes * SECOND
    view = wavy.light_curve(start, end, points)
    known = ~np.isnan(view.mean[:, 0])
    assert known.sum() <= points
    assert view.time[known][0] <= start
    assert view.bucket_s > 0
    length = round(view.bucket_s * 1e6) * np.timedelta64(1, "us")
    series = bins_of(wavy)
    place = (series.t_start - np.datetime64(0, "us")) // length
    for time, row in zip(view.time[known], np.flatnonzero(known), strict=True):
        inside = place == (time - np.datetime64(0, "us")) // length
        counts, seconds = series.counts[inside], series.duration[inside].sum()
        assert view.seconds[row] == seconds
        assert view.mean[row] == pytest.approx(counts.sum(axis=0) / seconds, rel=1e-12)
        assert view.low[row] == pytest.approx(counts.min(axis=0) / 4)
        assert view.high[row] == pytest.approx(counts.max(axis=0) / 4)
        assert view.triggers_mean[row] == pytest.approx(10 * counts[:, 0].sum() / seconds, rel=1e-12)
        assert view.triggers_low[row] <= view.triggers_mean[row] <= view.triggers_high[row]
    # every bucket of the window that has bins is there
    wanted = {int(one) for one in place[(series.t_start >= start) & (series.t_start < end)]}
    assert wanted <= {int((time - np.datetime64(0, "us")) // length) for time in view.time[known]}


def test_short_window_has_the_original_bins(wavy):
    view = wavy.light_curve(day("2022-11-11T01:00"), day("2022-11-11T01:10"), 200)
    assert view.bucket_s == 0.0
    assert view.time.size == 150
    expected = wave(3600.0 + 4 * np.arange(150))
    assert view.mean[:, 0] == pytest.approx(expected / 4)
    assert (view.low == view.high).all()
    assert (view.rcr == 0).all()


@pytest.mark.parametrize(("points", "end"), [(10_000, "2022-11-11T10:00:00"), (300, None), (50, None)])
def test_gaps_are_gaps(wavy, points, end):
    view = wavy.light_curve(day("2022-11-11T08:00"), day("2022-11-11T13:00"), points)
    (gap,) = np.flatnonzero(np.isnan(view.mean[:, 0]))
    assert view.rcr[gap] == -1
    assert view.seconds[gap] == 0.0
    assert np.isnan([view.low[gap], view.high[gap]]).all()
    assert np.isnan([view.triggers_low[gap], view.triggers_mean[gap], view.triggers_high[gap]]).all()
    assert (np.diff(view.time) > np.timedelta64(0, "us")).all()
    assert day("2022-11-11T10:00") <= view.time[gap] < day("2022-11-11T11:30")
    if end:
        assert view.time[gap] == day(end)


def test_long_windows_use_one_minute_steps(wavy):
    view = wavy.light_curve(day("2022-01-01"), day("2023-01-01"), 5000)
    assert view.bucket_s % 60 == 0
    assert np.nansum(view.seconds) == 14_000 * 4
    series = bins_of(wavy)
    assert np.nanmax(view.high[:, 0]) == series.counts[:, 0].max() / 4
    assert np.nansum(view.mean[:, 2] * view.seconds) == pytest.approx(series.counts[:, 2].sum())


def test_attenuator_is_flagged_in_every_bucket_it_overlaps(archive, make, tmp_path):
    files = CurveFile(bins=400), CurveFile("2022-11-11T06:20:00.000", bins=3, version="02", rcr=2)
    take(archive, make, *(file.write(tmp_path) for file in files))
    assert archive.light_curve(day("2022-11-11"), day("2022-11-12"), 100).rcr.max() == 2
    assert archive.light_curve(day("2022-11-01"), day("2022-12-12"), 100).rcr.max() == 2


def test_empty_window_is_empty(archive, wavy):
    for asked, start in ((archive, "2022-11-11"), (wavy, "2021-01-01"), (wavy, "2022-11-11T10:30")):
        for length in (600, 86_400 // 24):
            view = asked.light_curve(day(start), day(start) + length * SECOND)
            assert view.time.size == 0
            assert view.mean.shape == (0, 5)
    assert archive.light_curve_bins(day("2022-11-11"), day("2022-11-12")).t_start.size == 0
    assert archive.light_curve(day("2000-01-01"), day("2040-01-01")).time.size == 0


@pytest.mark.parametrize(
    ("end", "points"), [("2022-11-11", 100), ("2022-11-10", 100), ("2022-11-12", 1), ("2022-11-12", 10**6)]
)
def test_invalid_window_is_refused(wavy, end, points):
    with pytest.raises(QueryRefused, match="a light curve needs"):
        wavy.light_curve(day("2022-11-11"), day(end), points)


def test_broken_file_is_reported(archive, make, tmp_path):
    take(archive, make, CurveFile().write(tmp_path))
    (archive.index / "lightcurves/2022-11-11.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(IndexDamaged, match="2022-11-11"):
        bins_of(archive)


def test_replaced_day_is_seen_at_once(archive, make, tmp_path):
    take(archive, make, CurveFile(counts=100.0).write(tmp_path))
    assert bins_of(archive).counts.max() == 104.0
    take(archive, make, CurveFile(counts=500.0, version="02").write(tmp_path))
    assert bins_of(archive).counts.max() == 504.0
    assert archive.rows("SELECT max(counts_4_10) AS most FROM lightcurves") == [{"most": 500.0}]


def test_tables_are_documented_and_can_be_queried(archive):
    text = schema_markdown()
    assert "## `lightcurves`" in text
    assert "## `lightcurve_minutes`" in text
    assert archive.rows("SELECT count(*) AS n FROM lightcurves, lightcurve_minutes") == [{"n": 0}]
    with pytest.raises(QueryRefused):
        archive.query("COPY lightcurves TO 'elsewhere.parquet'")


def test_real_file(shared_data, archive, make):
    path = next((shared_data / "formats").glob("*ql-lightcurve_20210606*"))
    take(archive, make, path)
    file = read_light_curve(path)
    series = bins_of(archive, "2021-06-06")
    assert (series.t_start == file.t_start).all()
    assert (series.counts == file.counts).all()
    view = archive.light_curve(day("2021-06-06"), day("2021-06-07"), 1000)
    assert np.nanmax(view.high[:, 0]) == 1343.0 / 4
    assert not np.isnan(view.mean).any()
