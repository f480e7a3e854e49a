from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from archive import Archive, rebuild_light_curves
from archive.ingest.ingest import ingest
from jobs.flares.csv import BadLine, InvalidFlareList, read_flare_list
from jobs.flares.detect import NoInterval, detect_flares
from jobs.flares.lists import import_flares
from stixcore.fits.compression import compress, decompress
from stixcore.simulation.campaign import simulate_campaign

NOW = np.datetime64("2026-11-22T12:00:00", "us")
LATER = np.datetime64("2026-12-24T12:00:00", "us")
SECOND = np.timedelta64(1_000_000, "us")
START = np.datetime64("2023-03-10", "us")
AU_M = 149_597_870_700.0


@dataclass(frozen=True)
class Bump:
    """A flare: time, counts per 4 s at the peak, Gaussian rise and exponential decay."""

    peak: str
    counts: float
    rise: float = 40.0
    decay: float = 150.0

    def at(self, time: np.ndarray) -> np.ndarray:
        after = (time - np.datetime64(self.peak, "us")) / SECOND
        rising, falling = np.exp(-0.5 * (after / self.rise) ** 2), np.exp(-np.maximum(after, 0) / self.decay)
        return self.counts * np.where(after < 0, rising, falling)


def write_quicklook(
    folder: Path,
    start: str,
    hours: float,
    *bumps: Bump,
    version: str = "01",
    simulated: bool = False,
    dsun_au: float | None = 0.5,
    attenuated: tuple[int, int] = (0, 0),
) -> Path:
    """Write quick-look data with noise that depends on the time alone, so that files agree where they overlap."""
    n = round(hours * 900)
    time = np.datetime64(start, "us") + 4 * np.arange(n) * SECOND
    rates = np.tile([247.0, 49.0, 67.0, 863.0, 463.0], (n, 1))
    for bump in bumps:
        rates += np.outer(bump.at(time), [1.0, 0.1, 0.001, 0.0, 0.0])
    rcr = np.zeros(n, np.uint8)
    rcr[slice(*attenuated)] = 1
    rates[rcr > 0, 0] /= 40.0
    first = int((time[0] - START) / (4 * SECOND))
    gauss = np.random.default_rng(17).normal(size=(60_000, 5))[first : first + n]
    counts = np.maximum(np.rint(rates + np.sqrt(rates) * gauss), 0).astype(int)
    counts = decompress(compress(counts, (0, 5, 3)), (0, 5, 3))
    primary = fits.PrimaryHDU()
    header = {"TELESCOP": "SOLO/STIX", "LEVEL": "L1", "VERSION": version, "DATE-BEG": str(time[0])[:23]}
    header |= {"DATE-END": str(time[-1] + 4 * SECOND)[:23], "DATE": "2024-01-01T00:00:00"}
    header |= {"DSUN_OBS": dsun_au * AU_M} if dsun_au else {}
    header |= {"OBS_MODE": "SIMULATED"} if simulated else {}
    primary.header.update(header)
    data = fits.BinTableHDU.from_columns(
        [
            fits.Column("time", "D", unit="s", array=4.0 * np.arange(n) + 2.0),
            fits.Column("timedel", "D", unit="s", array=np.full(n, 4.0)),
            fits.Column("triggers", "J", array=counts.sum(axis=1)),
            fits.Column("counts", "5J", array=counts),
            fits.Column("rcr", "B", array=rcr),
        ],
        name="DATA",
    )
    edges = np.array([4.0, 10.0, 15.0, 25.0, 50.0, 84.0])
    energies = fits.BinTableHDU.from_columns(
        [fits.Column("e_low", "D", array=edges[:-1]), fits.Column("e_high", "D", array=edges[1:])], name="ENERGIES"
    )
    stamp = "".join(c for c in start[:19] if c.isdigit())
    path = folder / f"solo_L1_stix-ql-lightcurve_{stamp[:8]}_{stamp[8:] or '000000'}_V{version}.fits"
    fits.HDUList([primary, data, energies]).writeto(path, overwrite=True)
    return path


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive", create=True)


@pytest.fixture
def fill(archive, tmp_path):
    """Write a quick-look file and take it in."""

    def take(*arguments, into=archive, **options):
        path = write_quicklook(tmp_path, *arguments, **options)
        ingest(into, [path], NOW)
        return path

    return take


def tree(archive):
    return {
        str(path.relative_to(archive.root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(archive.index.rglob("*.parquet"))
    }


def detect(archive, start=None, end=None, now=NOW):
    return detect_flares(archive, *(None if t is None else np.datetime64(t, "us") for t in (start, end)), now)


def ids(archive):
    return [flare.flare_id for flare in archive.flares()]


def told(archive):
    """The flare list but for the time it was written."""
    return [{key: value for key, value in asdict(row).items() if key != "updated_at"} for row in archive.flares()]


def write_list(path, *rows, header="flare_id,start_utc,peak_utc,end_utc,goes_class,hpc_x_solo,hpc_y_solo"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


# Detection ------------------------------------------------------------------------------------------------------------


def test_flares_of_a_day(archive, fill):
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0), Bump("2023-03-10T08:30", 300.0))
    report = detect(archive)
    assert report.days == 1
    assert report.detected == report.written == ("2303100300", "2303100830")
    first, second = archive.flares()
    assert first.peak_counts == pytest.approx(4247.0, rel=0.1)
    assert first.peak_counts_10_15 > 400.0
    assert first.total_counts > first.background_counts > 0
    assert first.significance > second.significance > 6.0
    assert first.highest_band == "10-15"
    assert first.attenuator_in is False
    assert first.dsun_au == pytest.approx(0.5)
    # x = log10(4000·0.25) = 3 within the noise
    assert (first.goes_estimated_low, first.goes_estimated_high) == ("B7", "C1.3")
    assert first.goes_class is None
    assert first.goes_flux is None
    assert first.hpc_x is None
    assert (first.source, first.simulated) == ("detected", False)


def test_doing_it_again_changes_no_byte(archive, fill):
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0))
    detect(archive)
    before = tree(archive)
    report = detect(archive, now=LATER)
    assert (report.written, report.removed) == ((), ())
    assert report.detected == ("2303100300",)
    assert tree(archive) == before


def test_flare_at_midnight_is_found_once(archive, fill):
    bumps = [Bump("2023-03-10T23:59:40", 3000.0, 60.0, 400.0), Bump("2023-03-10T12:00", 500.0)]
    fill("2023-03-10T00:00", 24, *bumps)
    fill("2023-03-11T00:00", 24, *bumps)
    detect(archive)
    assert [one[:7] for one in ids(archive)] == ["2303101", "2303102"]
    flare = archive.flares()[-1]
    assert flare.t_start < np.datetime64("2023-03-11") < flare.t_end
    assert (flare.t_end - flare.t_start) / SECOND > 1200.0


def test_any_pieces_give_the_same_list(archive, fill, tmp_path):
    times = ("01:00", "05:59", "06:03", "12:30", "12:36", "17:58", "23:59:40")
    bumps = [Bump(f"2023-03-10T{time}", 900.0 + 400.0 * i) for i, time in enumerate(times)]
    bumps.append(Bump("2023-03-11T05:00", 2000.0))
    fill("2023-03-10T00:00", 24, *bumps)
    fill("2023-03-11T00:00", 12, *bumps)
    archive.close()
    filled = shutil.copytree(archive.root, tmp_path / "filled")
    detect(archive)
    for number, pieces in enumerate((["12:34"], ["23:58", "23:59:40", "23:59:50"], ["06:00", "18:00"])):
        other = Archive(shutil.copytree(filled, tmp_path / f"other{number}"))
        bounds = [None, *(f"2023-03-10T{time}" for time in pieces), None]
        for start, end in reversed(list(pairwise(bounds))):
            detect(other, start, end)
        assert told(other) == told(archive), pieces
    assert len(ids(archive)) == 7  # 05:59 and 06:03 are one


def test_flare_that_goes_on_in_the_next_file_takes_its_real_peak(archive, fill):
    bump = Bump("2023-03-11T00:06:30", 5000.0, 150.0, 400.0)
    fill("2023-03-10T12:00", 12, bump)
    detect(archive)
    assert ids(archive) == ["2303102359"]
    fill("2023-03-11T00:00", 6, bump)
    report = detect(archive, "2023-03-10T20:00", "2023-03-12")
    assert report.removed == ("2303102359",)
    assert ids(archive) == ["2303110006"]


def test_flare_that_vanished_is_removed_where_the_curve_is_known(archive, fill):
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0), Bump("2023-03-10T09:00", 4000.0))
    detect(archive)
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T09:00", 4000.0), version="02")
    report = detect(archive, "2023-03-10T05:00", "2023-03-11")
    assert report.removed == ()  # its peak is not in the time range
    report = detect(archive)
    assert report.removed == ("2303100300",)
    assert ids(archive) == ["2303100900"]


def test_flare_stays_where_the_curve_is_not_known_any_more(archive, fill):
    fill("2023-03-10T00:00", 8, Bump("2023-03-10T03:00", 4000.0))
    gone = fill("2023-03-10T08:00", 8, Bump("2023-03-10T11:00", 4000.0))
    detect(archive)
    before = tree(archive)["index/flares/2023-03.parquet"]
    archive.locate(gone.name).unlink()
    rebuild_light_curves(archive)
    report = detect(archive, now=LATER)
    assert report.detected == ("2303100300",)
    assert report.removed == ()
    assert tree(archive)["index/flares/2023-03.parquet"] == before


def test_simulated_and_real_flares_stand_side_by_side(archive, fill):
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00", 4000.0))
    fill("2023-03-10T06:00", 6, Bump("2023-03-10T09:00", 4000.0), simulated=True)
    report = detect(archive)
    assert report.days == 2
    assert [(row.flare_id, row.simulated) for row in archive.flares()] == [("2303100300", False), ("2303100900", True)]


def test_real_flare_keeps_its_id_from_a_simulated_one(archive, fill):
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00:10", 4000.0))
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00:10", 900.0), simulated=True, version="02")
    for _ in range(2):
        assert detect(archive).clashes == ("2303100300",)
        (row,) = archive.flares()
        assert not row.simulated


def test_attenuated_flare_has_no_estimate_but_a_lower_end(archive, fill):
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00", 200_000.0, 150.0, 600.0), attenuated=(2640, 2800))
    detect(archive)
    (row,) = archive.flares()
    assert row.attenuator_in
    assert abs(row.t_peak - np.datetime64("2023-03-10T03:00")) < 60 * SECOND
    assert row.goes_estimated_low[0] in "CM"
    assert (row.goes_estimated, row.goes_estimated_high) == (None, None)


def test_distance_comes_from_the_nearest_source(archive, fill, tmp_path):
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00", 4000.0), dsun_au=None)
    detect(archive)
    (row,) = archive.flares()
    assert (row.dsun_au, row.goes_estimated) == (None, None)
    # a science file half a day later knows
    archive.upsert("science_files", [_science_row("2023-03-10T15:00", 0.75)])
    report = detect(archive)
    assert report.written == ("2303100300",)
    assert archive.flare("2303100300").dsun_au == 0.75


def _science_row(start, dsun_au):
    t_start = np.datetime64(start, "us")
    return {
        "name": "solo_L1_stix-sci-xray-cpd_x.fits", "product": "sci-xray-cpd", "level": "L1", "version": "01",
        "sha256": "0" * 64, "size": 1, "path": "fits/x", "t_start": t_start, "t_end": t_start + 60 * SECOND,
        "ingested_at": NOW, "uid": "2303101500", "purpose": "", "is_background": False, "duration_s": 60.0, "n_bins": 1,
        "bin_min_s": 60.0, "bin_max_s": 60.0, "n_channels": 1, "e_low": 4.0, "e_high": 10.0, "rcr_min": 0, "rcr_max": 0,
        "counts": 1.0, "dsun_au": dsun_au,
    }  # fmt: skip


def test_simulated_days_through_the_whole_chain(archive, tmp_path):
    """Two days of the campaign's flares: each one that stands alone is found, with the distance of its ephemeris."""
    start = np.datetime64("2024-05-06T00:00", "us")
    truth = simulate_campaign(tmp_path / "files", 4, start, 2.0, 15.0, science=False, min_separation=0.0)
    ingest(archive, [tmp_path / "files"], NOW)
    calls = []
    report = detect_flares(archive, None, None, NOW, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]
    peaks = np.array([np.datetime64(one["peak_utc"], "us") for one in truth])
    found = np.array([row.t_peak for row in archive.flares()])
    alone = [p for p in peaks if (abs(peaks - p) < 330 * SECOND).sum() == 1]
    assert len(alone) >= 20
    assert all(abs(found - p).min() < 120 * SECOND for p in alone)
    assert all(abs(peaks - p).min() < 120 * SECOND for p in found)
    assert len(report.detected) == found.size
    assert all(row.simulated and row.dsun_au and row.goes_estimated for row in archive.flares())


def test_empty_time_range_is_refused(archive):
    with pytest.raises(NoInterval, match="the time range is empty"):
        detect(archive, "2023-03-10", "2023-03-10")


def test_archive_without_light_curves_has_no_flares(archive, fill):
    assert detect(archive).days == 0
    fill("2023-03-10T00:00", 6)
    assert detect(archive, "2021-01-01", "2022-01-01").days == 0
    assert detect(archive).detected == ()


# Import and detection together ----------------------------------------------------------------------------------------

LISTED = "2303100301,2023-03-10T02:50:00.000,2023-03-10T03:01:20.000,2023-03-10T03:10:00.000,C3.4,-310.5,220.25"


def test_row_of_both_has_the_list_first_and_detection_fills(archive, fill, tmp_path):
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0), Bump("2023-03-10T09:00", 4000.0))
    detect(archive)
    report = import_flares(archive, write_list(tmp_path / "list.csv", LISTED), NOW)
    assert report.written == report.confirmed == ("2303100301",)
    assert report.removed == ("2303100300",)
    first, second = archive.flares()
    assert (first.flare_id, first.source) == ("2303100301", "list.csv")
    assert (first.goes_class, first.goes_flux) == ("C3.4", 3.4e-6)
    assert (first.hpc_x, first.hpc_y, first.location_method) == (-310.5, 220.25, "as listed")
    assert first.t_start == np.datetime64("2023-03-10T02:50")
    assert first.peak_counts == pytest.approx(4247.0, rel=0.1)
    assert first.significance > 50.0
    assert first.goes_estimated is not None
    assert second.goes_class is None


def test_order_of_import_and_detection_does_not_matter(archive, fill, tmp_path):
    listed = write_list(tmp_path / "list.csv", LISTED, "2303100800,,2023-03-10T08:00:00,,B1.0,,")
    other = Archive(tmp_path / "other", create=True)
    for into in (archive, other):
        fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0), Bump("2023-03-10T09:00", 4000.0), into=into)
    detect(archive)
    import_flares(archive, listed, NOW)
    import_flares(other, listed, NOW)
    detect(other)
    assert told(archive) == told(other)
    before = tree(archive)
    detect(archive, now=LATER)
    assert import_flares(archive, listed, LATER).unchanged == ("2303100301", "2303100800")
    assert tree(archive) == before


def test_detection_that_vanished_leaves_the_list_as_it_was(archive, fill, tmp_path):
    listed = write_list(tmp_path / "list.csv", LISTED)
    import_flares(archive, listed, NOW)
    before = told(archive)
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0))
    detect(archive)
    assert told(archive) != before
    fill("2023-03-10T00:00", 12, version="02")
    report = detect(archive)
    assert (report.written, report.removed) == (("2303100301",), ())
    assert told(archive) == before


def test_peaks_more_than_five_minutes_apart_are_two_flares(archive, fill, tmp_path):
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0))
    listed = write_list(tmp_path / "list.csv", "2303100306,,2023-03-10T03:06:00,,C1.0,,")
    detect(archive)
    import_flares(archive, listed, NOW)
    assert ids(archive) == ["2303100300", "2303100306"]
    assert archive.flare("2303100306").significance is None


def test_each_detection_confirms_one_flare_of_the_list(archive, fill, tmp_path):
    fill("2023-03-10T00:00", 12, Bump("2023-03-10T03:00", 4000.0))
    rows = ["2303100258,,2023-03-10T02:58:00,,,,", "2303100301,,2023-03-10T03:01:00,,,,"]
    import_flares(archive, write_list(tmp_path / "list.csv", *rows), NOW)
    assert detect(archive).confirmed == ("2303100301",)
    assert ids(archive) == ["2303100258", "2303100301"]


def test_attenuator_is_seen_in_the_data(archive, fill, tmp_path):
    """Its flag in the public lists is wrong now and then."""
    header = "flare_id,peak_UTC,att_in,GOES_class"
    listed = write_list(tmp_path / "list.csv", "2303100300,2023-03-10T03:00:00,False,X1.0", header=header)
    import_flares(archive, listed, NOW)
    assert archive.flare("2303100300").attenuator_in is False
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00", 200_000.0, 150.0, 600.0), attenuated=(2640, 2800))
    detect(archive)
    assert archive.flare("2303100300").attenuator_in is True


def test_second_list_adds_to_the_first(archive, tmp_path):
    import_flares(archive, write_list(tmp_path / "a.csv", "2303100301,,2023-03-10T03:01:20,,C3.4,,"), NOW)
    second = write_list(tmp_path / "b.csv", "2303100301,,2023-03-10T03:01:24,,,-310.5,220.25")
    import_flares(archive, second, NOW)
    (row,) = archive.flares()
    assert (row.source, row.goes_class, row.hpc_x) == ("b.csv", "C3.4", -310.5)
    assert row.t_peak == np.datetime64("2023-03-10T03:01:24")


def test_simulated_flares_take_no_part_in_real_lists(archive, fill, tmp_path):
    fill("2023-03-10T00:00", 6, Bump("2023-03-10T03:00", 4000.0), simulated=True)
    detect(archive)
    import_flares(archive, write_list(tmp_path / "list.csv", LISTED), NOW)
    assert [(row.flare_id, row.simulated) for row in archive.flares()] == [("2303100300", True), ("2303100301", False)]


# Lists ----------------------------------------------------------------------------------------------------------------


def test_reference_locations(shared_data, archive):
    path = shared_data / "nov2022/idl/reference_locations.csv"
    report = import_flares(archive, path, NOW)
    assert (report.lines, len(report.written), report.bad) == (62, 62, ())
    with path.open() as stream:
        rows = {row["flare_id"]: row for row in csv.DictReader(stream)}
    flares = archive.flares()
    assert {flare.flare_id for flare in flares} == rows.keys()
    for flare in flares:
        row = rows[flare.flare_id]
        assert flare.goes_class == row["goes_class"]
        assert flare.peak_counts == float(row["ql_peak_counts_4_10"])
        assert (flare.hpc_x, flare.hpc_y) == (float(row["fwdfit_hpc_x"]), float(row["fwdfit_hpc_y"]))
        assert flare.location_method == "forward fit"
        assert flare.t_peak == np.datetime64(row["peak_utc"].replace(" ", "T"), "us")
        assert flare.t_start < flare.t_peak < flare.t_end
        assert flare.dsun_au == pytest.approx(float(row["solo_distance_au"]))
        assert flare.goes_estimated is None
    assert import_flares(archive, path, LATER).unchanged == tuple(sorted(rows))


DATA_CENTER = (
    "flare_id,duration,att_in,peak_UTC,LC0_BKG,_id,GOES_class,GOES_flux,CFL_X_arcsec,CFL_Y_arcsec,start_UTC,end_UTC,"
    "LC0_PEAK_COUNTS_4S,LC0_BKG_COUNTS_4S,LC1_PEAK_COUNTS_4S,LC1_BKG_COUNTS_4S,LC2_PEAK_COUNTS_4S,LC2_BKG_COUNTS_4S"
)
LOCATED = (
    "start_UTC,end_UTC,peak_UTC,4-10 keV,10-15 keV,10-15 keV,15-25 keV,att_in,hpc_x_solo,hpc_y_solo,hpc_x_earth,"
    "hpc_y_earth,visible_from_earth,solo_position_AU_distance,GOES_class_time_of_flare,GOES_flux_time_of_flare,flare_id"
)


def test_list_of_the_data_center(tmp_path):
    """As pandas writes it: with row numbers that have no name in the header."""
    row = "0,2303100301,300,True,2023-03-10T03:01:20.5,230.0,1,C3.4,3.42e-06,55.0,-70.0,2023-03-10T03:00:00,"
    row += "2023-03-10T03:05:00,4000,247.0,300,45.0,90,57.0"
    quiet = row.replace("2303100301", "2303100302").replace("C3.4,3.42e-06,55.0,-70.0", "NA,0.0,,")
    found = read_flare_list(write_list(tmp_path / "list.csv", row, quiet, header=DATA_CENTER))
    assert found.bad == ()
    first, second = (layer.values for layer in found.layers)
    assert first == {
        "flare_id": "2303100301",
        "t_start": np.datetime64("2023-03-10T03:00:00"),
        "t_peak": np.datetime64("2023-03-10T03:01:20.500"),
        "t_end": np.datetime64("2023-03-10T03:05:00"),
        "peak_counts": 4000.0,
        "peak_counts_10_15": 300.0,
        "peak_counts_15_25": 90.0,
        "attenuator_in": True,
        "goes_class": "C3.4",
        "goes_flux": 3.42e-6,
    }  # and no location: that of the coarse flare locator is in the frame of the instrument
    assert "goes_class" not in second
    assert "goes_flux" not in second


def test_list_with_locations(tmp_path):
    row = "2023-03-10T03:00:00,2023-03-10T03:05:00,2023-03-10T03:01:20,4000,300,300,90,False,"
    row += "-310.5,220.25,{},{},0.6,C3.4,3.42e-06,{}"
    rows = [row.format("1,2", "True", "2303100301"), row.format(",", "False", "2303100302")]
    rows.append(row.replace("-310.5,220.25", ",").format(",", "False", "2303100303"))
    found = read_flare_list(write_list(tmp_path / "list.csv", *rows, header=LOCATED))
    seen, unseen, nowhere = (layer.values for layer in found.layers)
    assert (seen["hpc_x"], seen["hpc_y"], seen["dsun_au"], seen["goes_class"]) == (-310.5, 220.25, 0.6, "C3.4")
    assert "goes_class" not in unseen  # GOES saw something else
    assert "goes_flux" not in unseen
    assert unseen["hpc_x"] == -310.5
    assert found.unseen == 1
    assert "hpc_x" not in nowhere
    assert nowhere["goes_class"] == "C3.4"  # where it was is not known, nor whether it was seen


@pytest.mark.parametrize("missing", [",", "nan,nan", "NaN,", "0.0,0.0", "0,-0.0", "None,None"])
def test_missing_location_is_empty_and_never_zero(archive, tmp_path, missing):
    import_flares(archive, write_list(tmp_path / "list.csv", f"2303100301,,2023-03-10T03:01:20,,C3.4,{missing}"), NOW)
    (row,) = archive.flares()
    assert (row.hpc_x, row.hpc_y, row.location_method) == (None, None, None)
    assert json.loads(row.imported).keys() == {"source", "flare_id", "t_peak", "goes_class", "goes_flux"}


def test_list_without_ids_takes_them_from_the_peaks(tmp_path):
    found = read_flare_list(write_list(tmp_path / "list.csv", "2023-03-10 03:01:20", header="Peak_UTC"))
    assert found.layers[0].flare_id == "2303100301"


def test_bad_lines_are_told_and_the_rest_is_taken(archive, tmp_path):
    rows = [
        "2303100301,,2023-03-10T03:01:20,,C3.4,,",
        "2303100401,,yesterday,,C3.4,,",
        "2303100501,,2023-03-10T05:01:20,,Q9,,",
        "23031006,,2023-03-10T06:01:20,,,,",
        "2303100701,,2023-03-10T07:01:20,,,1e9,0",
        "2303100801,,2023-03-10T08:01:20,,,12,",
        "2303100901,2023-03-10T09:30:00,2023-03-10T09:01:20,,,,",
        "2303101001,,2023-03-10T10:01:20,2023-03-10T10:00:00,,,",
        "2303101101,,,,,,",
        "2303101201,,2023-03-10T12:01:20",
        "2303100301,,2023-03-10T03:01:20,,C3.5,,",
        "2303101301,,2023-02-30T13:01:20,,,,",
        "2303101401,,1999-03-10T14:01:20,,,,",
        "2303101501,,2023-03-10T15:01:20,,,a,b",
        "2303100301,,2023-03-10T03:01:20,,C3.4,,",
        "2303101601,,2023-03-10T16:01:20,,,,",
    ]
    report = import_flares(archive, write_list(tmp_path / "list.csv", *rows), NOW)
    assert report.lines == 16
    assert report.written == ("2303100301", "2303101601")
    assert [(bad.line, bad.field, bad.value) for bad in report.bad] == [
        (3, "peak_utc", "yesterday"),
        (4, "goes_class", "Q9"),
        (5, "flare_id", "23031006"),
        (6, "hpc_x_solo", "1e9"),
        (7, "hpc_y_solo", ""),
        (8, "start_utc", "2023-03-10T09:30:00"),
        (9, "end_utc", "2023-03-10T10:00:00"),
        (10, "peak_utc", ""),
        (11, "", ""),
        (12, "flare_id", "2303100301"),
        (13, "peak_utc", "2023-02-30T13:01:20"),
        (14, "peak_utc", "1999-03-10T14:01:20"),
        (15, "hpc_x_solo", "a"),
    ]
    assert str(report.bad[1]) == (
        "line 4, goes_class = 'Q9': 'Q9' is not a GOES class (a letter A, B, C, M or X and a number, such as C3.4)"
    )
    assert str(report.bad[8]) == "line 11: expected 7 fields as in the header, found 3"
    assert all(isinstance(bad, BadLine) and bad.reason for bad in report.bad)


@pytest.mark.parametrize(
    ("column", "value"),
    [("att_in", "maybe"), ("GOES_flux", "-1"), ("GOES_flux", "inf"), ("4-10 keV", "-3"), ("solo_AU_distance", "5")],
)
def test_bad_values_of_other_columns(tmp_path, column, value):
    listed = write_list(tmp_path / "list.csv", f"2023-03-10T03:01:20,{value}", header=f"peak_UTC,{column}")
    (bad,) = read_flare_list(listed).bad
    assert (bad.field, bad.value) == (column, value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"a,b\n1,2\n", "it has no column peak_utc"),
        (b"peak_utc\n\xff\xfe\n", r"it is not text in UTF-8 \(byte 0xff on line 2\); save it as UTF-8"),
        ("peak_utc\n2023".encode("utf-16"), r"it is not text in UTF-8 \(byte 0xff on line 1\)"),
        (b'peak_utc\n"2023\n', "unexpected end of data"),
    ],
)
def test_file_that_is_no_list_is_refused(archive, tmp_path, content, why):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidFlareList, match=f"list.csv is not a flare list: .*{why}"):
        import_flares(archive, path, NOW)
    assert archive.flares() == []


def test_a_name_that_is_not_utf8_is_stored_as_text(archive, tmp_path):
    path = tmp_path / "list\udcff.csv"
    path.write_text("peak_utc\n2022-11-11T12:00:00\n")
    assert import_flares(archive, path, NOW).source == "list\\udcff.csv"
    assert [flare.source for flare in archive.flares()] == ["list\\udcff.csv"]


def test_missing_file_is_refused(archive, tmp_path):
    with pytest.raises(InvalidFlareList, match="No such file"):
        import_flares(archive, tmp_path / "nowhere.csv", NOW)


def test_list_with_nothing_but_a_header(archive, tmp_path):
    report = import_flares(archive, write_list(tmp_path / "list.csv"), NOW)
    assert (report.lines, report.written, report.bad) == (0, (), ())
