"""A year of light curves: ``python -m benchmarks.load.lightcurves FOLDER [--days N] [--start DATE]``.

Four-second bins with background, flares, attenuator and gaps are written to daily files and one-minute means by the
archive; the corresponding quick-look files and the flares get rows. FITS files are not written, so `stix-jobs check`
reports them as missing. Every row is marked as simulated. The archive may already contain images.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive import Archive, Flare, QuicklookFile
from archive.index.series import COUNTS, LIGHT_CURVES, day_file, month_file, write_rows
from archive.lightcurves.minutes import minutes_of
from stixcore.fits.spec import ProductKind

DAYS, FIRST = 365, np.datetime64("2022-01-01", "D")
NOW = np.datetime64("2026-03-20T00:00:00", "us")
SEED = 20220211
CADENCE_S, BINS = 4.0, 21_600
FLARES_PER_DAY = 12.0
#: Quiet counts of a bin per band, counts of a flare relative to 4-10 keV, and decay time of a flare, s.
QUIET = np.array([180.0, 50.0, 60.0, 780.0, 400.0])
SHARES = np.array([1.0, 0.25, 0.09, 0.03, 0.004])
DECAYS = np.array([600.0, 400.0, 150.0, 60.0, 40.0])
#: Counts of a bin in 4-10 keV above which the attenuator is inserted, and its transmission in each band.
ATTENUATED_FROM, LET_THROUGH = 30_000.0, np.array([0.05, 0.3, 0.8, 0.95, 1.0])
#: Days between gaps of some hours.
GAP_EVERY = 20


@dataclass(frozen=True)
class Burst:
    """One flare: start and peak, s of the day, and counts in 4-10 keV at the peak, ct."""

    begin: float
    peak: float
    counts: float


def build(folder: Path, days: int = DAYS, first: np.datetime64 = FIRST, seed: int = SEED) -> Archive:
    """Make the light curves, or reuse existing ones; the same arguments give the same rows.

    Parameters
    ----------
    folder : Path
        Folder of the archive, created if needed.
    days : int
    first : datetime64[D]
        First day.
    seed : int
    """
    archive = Archive(folder, create=True)
    dates = first + np.arange(days)
    if all(day_file(archive.index, day).is_file() for day in dates):
        return archive
    files: list[QuicklookFile] = []
    flares: list[Flare] = []
    with archive.write_lock():
        for month in np.unique(dates.astype("datetime64[M]")):
            minutes = []
            for day in dates[dates.astype("datetime64[M]") == month]:
                rng = np.random.default_rng([seed, day.astype(int)])
                bursts = _bursts(rng)
                file = _file(day)
                rows = _rows(day, bursts, file, rng)
                write_rows(day_file(archive.index, day), rows, {file.name: file.sha256})
                minutes.append(minutes_of(rows))
                files.append(file)
                flares += [_flare(day, burst) for burst in bursts]
            write_rows(month_file(archive.index, month), pa.concat_tables(minutes).combine_chunks())
    archive.upsert("quicklook_files", files)
    archive.upsert("flares", {flare.flare_id: flare for flare in flares}.values())
    archive.build_read_model()
    return archive


def _bursts(rng: np.random.Generator) -> list[Burst]:
    count = rng.poisson(FLARES_PER_DAY)
    begins = np.sort(rng.uniform(0.0, 86_400.0 - 3600.0, count))
    rises, counts = rng.uniform(60.0, 400.0, count), 300.0 * (1.0 + rng.pareto(0.9, count))
    return [
        Burst(float(begin), float(begin + rise), float(min(peak, 2e6)))
        for begin, rise, peak in zip(begins, rises, counts, strict=True)
    ]


def _rows(day: np.datetime64, bursts: list[Burst], file: QuicklookFile, rng: np.random.Generator) -> pa.Table:
    second = np.arange(BINS) * CADENCE_S
    counts = np.tile(QUIET, (BINS, 1))
    for burst in bursts:
        since = (second - burst.peak)[:, None]
        shape = np.where(
            since < 0,
            np.exp(-((3.0 * since / (burst.peak - burst.begin)) ** 2)),
            np.exp(-np.maximum(since, 0.0) / DECAYS),
        )
        counts += burst.counts * SHARES * shape
    rcr = (counts[:, 0] > ATTENUATED_FROM).astype(np.int64)
    counts = rng.poisson(np.where(rcr[:, None] > 0, counts * LET_THROUGH, counts)).astype(float)
    keep = np.ones(BINS, dtype=bool)
    if day.astype(int) % GAP_EVERY == 0:
        begin = int(rng.integers(0, BINS // 2))
        keep[begin : begin + BINS // 6] = False
    return _table(day, second[keep], counts[keep], rcr[keep], file)


def _table(
    day: np.datetime64,
    second: NDArray[np.float64],
    counts: NDArray[np.float64],
    rcr: NDArray[np.int64],
    file: QuicklookFile,
) -> pa.Table:
    n = second.size
    columns = {
        "time": day.astype("datetime64[us]") + np.rint(second * 1e6).astype("timedelta64[us]"),
        "duration_s": np.full(n, CADENCE_S),
        **dict(zip(COUNTS, counts.T, strict=True)),
        "triggers": 2.5 * counts.sum(axis=1),
        "rcr": rcr,
        "simulated": np.ones(n, dtype=bool),
        "file": [file.name] * n,
        "version": [file.version] * n,
    }
    schema = LIGHT_CURVES.arrow
    return pa.Table.from_arrays([pa.array(columns[f.name], type=f.type) for f in schema], schema=schema)


def _file(day: np.datetime64) -> QuicklookFile:
    begin = day.astype("datetime64[us]")
    name = f"solo_L1_stix-ql-lightcurve_{str(day).replace('-', '')}_V01.fits"
    return QuicklookFile(
        name=name,
        product=ProductKind.LIGHT_CURVE,
        level="L1",
        version="01",
        sha256=hashlib.sha256(name.encode()).hexdigest(),
        size=0,
        path=f"fits/L1/{str(day).replace('-', '/')}/QL/{name}",
        t_start=begin,
        t_end=begin + np.timedelta64(1, "D"),
        simulated=True,
        ingested_at=NOW,
        n_bins=BINS,
        cadence_s=CADENCE_S,
        n_bands=5,
        e_low=4.0,
        e_high=84.0,
    )


def _flare(day: np.datetime64, burst: Burst) -> Flare:
    begin = day.astype("datetime64[us]")
    peak = begin + np.timedelta64(round(burst.peak * 1e6), "us")
    return Flare(
        flare_id=str(peak)[2:16].translate(str.maketrans("", "", "-T:")),
        t_start=begin + np.timedelta64(round(burst.begin * 1e6), "us"),
        t_peak=peak,
        t_end=peak + np.timedelta64(round(2.0 * DECAYS[0] * 1e6), "us"),
        peak_counts=burst.counts,
        attenuator_in=burst.counts > ATTENUATED_FROM,
        goes_estimated_low=_goes_class(burst.counts / 2),
        goes_estimated=_goes_class(burst.counts),
        goes_estimated_high=_goes_class(burst.counts * 2),
        simulated=True,
        source="simulated",
        updated_at=NOW,
    )


def _goes_class(counts: float) -> str:
    """GOES-like class for counts at the peak: 10 000 correspond to C1."""
    flux = counts * 1e-10
    letter, unit = next(
        (name, unit) for name, unit in zip("XMCBA", (1e-4, 1e-5, 1e-6, 1e-7, 0.0), strict=True) if flux >= unit
    )
    return letter if letter == "A" else f"{letter}{flux / unit:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.lightcurves", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--start", type=np.datetime64, default=FIRST, metavar="DATE")
    arguments = parser.parse_args()
    begin = perf_counter()
    archive = build(arguments.folder, arguments.days, arguments.start)
    folders = ("lightcurves", "lightcurve_minutes")
    size = sum(path.stat().st_size for name in folders for path in (archive.index / name).glob("*.parquet"))
    print(f"{arguments.days} days of light curves, {size / 1e6:.0f} MB, in {perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
