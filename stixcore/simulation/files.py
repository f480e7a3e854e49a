"""Write L1 pixel data, auxiliary and quick-look files in the layout of version 02, from the parts in `layout`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stixcore.errors import SelectionError
from stixcore.fits.compression import compression_variance
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS
from stixcore.simulation.ephemeris import Orbit, carrington, positions
from stixcore.simulation.flare import Flare
from stixcore.simulation.instrument import N_CHANNELS, SCIENCE_EDGES, Background
from stixcore.simulation.layout import (
    VERSION,
    DataRange,
    FileIdentity,
    centiseconds,
    column,
    compact,
    energies,
    idb_versions,
    iso,
    on_board_time,
    primary,
    smallest_unsigned,
    table,
    write,
)
from stixcore.simulation.observation import COUNTS_SKM, TRIGGERS_SKM, Observation, channel_range, through_compression
from stixcore.simulation.quicklook import QUICKLOOK_BANDS, QUICKLOOK_BIN, QUICKLOOK_DETECTORS, quicklook_rates

Floats = NDArray[np.float64]

ASPECT_CADENCE = 64  # s
ASPECT_STAMP_SHIFT = 32  # s, from the middle of a record to its time stamp
QUICKLOOK_PACKET = 580  # light-curve bins per telemetry packet
DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class ScienceRequest:
    """A science request, which determines the part of an observation in the file.

    Attributes
    ----------
    request_id : int
        Unique id ("uid"): yymmdd and four more digits.
    sequence : int
        Telecommand sequence number, the last part of the file name.
    reason : str
        As written by operators: "Flare 2211090050, Solar Flare, …" or "BKG quiet, Background, …".
    energy : (low, high), keV
        Edges of science channels; the upper one may be inf.
    n_pixels : 8 or 12
        Large pixels only, or all pixels.

    Raises
    ------
    SelectionError
        When a value is out of range, or the energies are not edges of science channels.
    """

    request_id: int
    sequence: int
    reason: str
    energy: tuple[float, float] = (4.0, 28.0)
    n_pixels: int = 8

    def __post_init__(self) -> None:
        channel_range(*self.energy)
        if self.n_pixels not in (8, 12) or not (0 < self.request_id < 1 << 32 and 0 <= self.sequence < 1 << 16):
            message = f"a request needs 8 or 12 pixels, a 32-bit id and a 16-bit sequence number, found {self}"
            raise SelectionError(message)


def write_pixel_data(
    folder: Path, observation: Observation, request: ScienceRequest, orbit: Orbit, truth: Mapping[str, Any]
) -> Path:
    """Write compressed pixel data (``sci-xray-cpd``).

    Parameters
    ----------
    folder : Path
    observation : Observation
        With random counts (`observe`), not expected values: counts must be integers.
    request : ScienceRequest
    orbit : Orbit
    truth : mapping
        Content of the TRUTH extension.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    SelectionError
        When counts are not integers, or time bins are not multiples of a centisecond.
    """
    channels, pixels = channel_range(*request.energy), slice(0, request.n_pixels)
    counts = observation.counts[:, :, pixels, channels]
    if (counts != np.rint(counts)).any():
        message = "a file holds whole counts; draw them from the expected ones first"
        raise SelectionError(message)
    start, end = observation.t_start[0], observation.t_end[-1]
    offset = (observation.t_start - start) / np.timedelta64(1, "us") / 1e6
    center = offset + observation.duration / 2.0
    if max(np.abs(values * 100.0 - np.rint(values * 100.0)).max() for values in (center, observation.duration)) > 1e-3:
        message = "bin centers and durations have to be whole centiseconds"
        raise SelectionError(message)
    n_time, uid = offset.size, f"{request.request_id:010d}"
    tail = f"V{VERSION:02d}_{uid}-{request.sequence:05d}.fits"
    parent = f"solo_L0_stix-sci-xray-cpd_{on_board_time(start):010.0f}-{on_board_time(end):010.0f}_{tail}"
    identity = FileIdentity(
        f"solo_L1_stix-sci-xray-cpd_{compact(start)}-{compact(end)}_{tail}",
        "L1",
        21,
        parent,
        uid,
        request.reason,
        truth,
    )
    edge_mask = np.zeros((1, N_CHANNELS + 1), dtype="u1")
    edge_mask[:, channels.start : channels.stop + 1] = 1
    packets = np.arange(n_time + 2, dtype="u2")[None]
    control = table(
        "CONTROL",
        [
            column("tc_packet_id_ref", np.array([91], dtype="u2")),
            column("tc_packet_seq_control", np.array([request.sequence], dtype="u2")),
            column("request_id", np.array([request.request_id], dtype="u4")),
            column("num_substructures", np.ones_like(packets)),
            column("index", np.zeros(1, dtype="u1")),
            column("packet", packets),
            column("raw_file", np.array(["none (simulated)"]), dim=f"({len('none (simulated)')},1)"),
            column("parent", np.array([parent])),
            column("compression_scheme_counts_skm", np.array([COUNTS_SKM], dtype="u1")),
            column("compression_scheme_triggers_skm", np.array([TRIGGERS_SKM], dtype="u1")),
            column("energy_bin_edge_mask", edge_mask),
            column("time_stamp", np.array([np.floor(on_board_time(start))]), "s"),
        ],
    )
    pixel_mask = np.zeros((n_time, N_PIXELS), dtype="u1")
    pixel_mask[:, pixels] = 1
    counts_error = observation.counts_comp_err[:, :, pixels, channels]
    data = table(
        "DATA",
        [
            column("time", centiseconds(center), "cs"),
            column("timedel", centiseconds(observation.duration), "cs"),
            column("rcr", observation.rcr.astype("u1")),
            column("pixel_masks", pixel_mask),
            column("detector_masks", np.ones((n_time, N_DETECTORS), dtype="u1")),
            column("num_pixel_sets", np.full(n_time, request.n_pixels, dtype="u1")),
            column("triggers", np.rint(observation.triggers).astype("u4")),
            column("triggers_comp_err", observation.triggers_comp_err.astype("f4")),
            column("counts", smallest_unsigned(counts), "count"),
            column("counts_comp_err", counts_error.astype("f4"), "count"),
            column("control_index", np.zeros(n_time, dtype="u1")),
        ],
    )
    extremes = DataRange(int(counts.min()), int(counts.max()), "counts", float(observation.duration.min()))
    return write(
        folder / identity.name,
        identity,
        [
            primary(identity, orbit, start, end, extremes),
            control,
            data,
            idb_versions(start, end),
            energies(SCIENCE_EDGES[channels], SCIENCE_EDGES[1:][channels]),
        ],
    )


def write_auxiliary(
    folder: Path, day: np.datetime64, orbit: Orbit, *, aspect_lost: tuple[np.datetime64, np.datetime64] | None = None
) -> Path:
    """Write a day of spacecraft position, roll and aspect solution (``asp-ephemeris``, level ANC).

    Parameters
    ----------
    folder : Path
    day : datetime64
        The UTC day.
    orbit : Orbit
    aspect_lost : (start, end), optional
        Records in this range have no valid aspect solution (``sas_ok`` is false).
    """
    day = day.astype("datetime64[D]")
    described = day.astype("datetime64[us]") + np.arange(0, 86_400, ASPECT_CADENCE) * np.timedelta64(1, "s")
    stamp = described + np.timedelta64(ASPECT_STAMP_SHIFT, "s")
    n, start, end = stamp.size, stamp[0], stamp[-1]
    ok = np.ones(n, dtype=bool)
    if aspect_lost is not None:
        ok = ~((described >= aspect_lost[0]) & (described < aspect_lost[1]))
    y_srf, z_srf = orbit.aspect_solution()
    distance, lon, lat = carrington(orbit, described)
    lon = np.where(lon > 180.0, lon - 360.0, lon)  # real files have -180 … 180
    name = f"solo_ANC_stix-asp-ephemeris_{compact(day)[:8]}_V{VERSION:02d}.fits"
    parent = f"solo_L1_stix-hk-maxi_{compact(day)[:8]}_V{VERSION:02d}.fits"
    truth = {
        "kind": "auxiliary",
        "pointing_x": orbit.pointing_x,
        "pointing_y": orbit.pointing_y,
        "roll_deg": float(orbit.roll_angle(described[0])),
        "roll_rate_deg_per_day": orbit.roll_rate,
    }
    identity = FileIdentity(name, "ANC", 1, parent, "", "", truth)
    index = np.arange(n, dtype="i8")
    obt = np.array([on_board_time(moment) for moment in stamp])
    control = table(
        "CONTROL",
        [
            column("scet_coarse", np.floor(obt).astype("i8")),
            column("scet_fine", np.floor((obt % 1.0) * 65536).astype("i8")),
            column("integration_time", np.zeros(n, dtype="i8")),
            column("index", index),
            column("raw_file", np.full(n, "none (simulated)")),
            column("packet", index),
            column("parent", np.full(n, parent)),
        ],
    )
    data = table(
        "DATA",
        [
            column(
                "time", centiseconds(np.asarray((stamp - start) / np.timedelta64(1, "us"), dtype=float) / 1e6), "cs"
            ),
            column("timedel", np.zeros(n, dtype="u4"), "cs"),
            column("time_utc", np.datetime_as_string(stamp, unit="us").astype("U26")),
            column("control_index", index),
            column("spice_disc_size", orbit.solar_radius(described).astype("f4"), "arcsec"),
            column("y_srf", np.full(n, y_srf, dtype="f4"), "arcsec"),
            column("z_srf", np.full(n, z_srf, dtype="f4"), "arcsec"),
            column("sas_ok", ok),
            column("sas_error", np.where(ok, "none", "simulated loss")),
            column("solo_loc_carrington_lonlat", np.stack([lon, lat], axis=1).astype("f4"), "deg"),
            column("solo_loc_carrington_dist", (distance / 1e3).astype("f4")[:, None], "km", "(1)"),
            column("solo_loc_heeq_zxy", (positions(orbit, described)["HEQ"] / 1e3).astype("f4"), "km"),
            column("roll_angle_rpy", orbit.spacecraft_attitude(described).astype("f4"), "deg"),
        ],
    )
    extremes = DataRange(min(y_srf, z_srf), max(y_srf, z_srf), "arcsec", 0.0)
    return write(
        folder / name,
        identity,
        [primary(identity, orbit, start, end, extremes), control, data, idb_versions(start, end)],
    )


def write_quicklook(
    folder: Path,
    flares: Sequence[Flare],
    start: np.datetime64,
    end: np.datetime64,
    orbit: Orbit,
    rng: Generator,
    background: Background | None = None,
) -> Path:
    """Write the quick-look light curve of a day: five bands, 4 s, summed over the imaging detectors.

    Parameters
    ----------
    folder : Path
    flares : sequence of Flare
        All flares that may contribute to the day.
    start, end : datetime64
        Within one UTC day; the file has whole bins from ``start``.
    orbit : Orbit
    rng : numpy Generator
    background : Background, optional

    Raises
    ------
    SelectionError
        When the range is shorter than one bin or not within one day.
    """
    start = start.astype("datetime64[us]")
    n = int((end - start) / np.timedelta64(QUICKLOOK_BIN, "s"))
    if n < 1 or end > start.astype("datetime64[D]") + DAY:
        message = f"a quick-look file covers at least one bin and at most one day, found {start} … {end}"
        raise SelectionError(message)
    rates, trigger_rates = quicklook_rates(flares, start, n, orbit.pointing(start + (end - start) // 2), background)
    skm = TRIGGERS_SKM  # quick-look counts are compressed like triggers
    counts = through_compression(rng.poisson(rates * QUICKLOOK_BIN), skm)
    triggers = through_compression(rng.poisson(trigger_rates * QUICKLOOK_BIN), skm)
    center = (np.arange(n) + 0.5) * QUICKLOOK_BIN
    end = start + np.timedelta64(n * QUICKLOOK_BIN, "s")
    day = compact(start)[:8]
    name = f"solo_L1_stix-ql-lightcurve_{day}_V{VERSION:02d}.fits"
    parent = f"solo_L0_stix-ql-lightcurve_{on_board_time(start):010.0f}_V{VERSION:02d}.fits"
    shown = [flare.describe() for flare in flares if flare.interval()[0] < end and flare.interval()[1] > start]
    identity = FileIdentity(name, "L1", 30, parent, "", "", {"kind": "quicklook", "flares": shown})

    first = np.arange(0, n, QUICKLOOK_PACKET)
    packets = first.size
    obt = on_board_time(start) + first * QUICKLOOK_BIN
    detector_mask = np.zeros((packets, N_DETECTORS), dtype="u1")
    detector_mask[:, QUICKLOOK_DETECTORS] = 1
    edge_mask = np.isin(SCIENCE_EDGES, QUICKLOOK_BANDS).astype("u1")
    index = np.arange(packets)
    control = table(
        "CONTROL",
        [
            column("scet_coarse", np.floor(obt).astype("u4")),
            column("scet_fine", np.floor((obt % 1.0) * 65536).astype("i8")),
            column("integration_time", np.full(packets, float(QUICKLOOK_BIN)), "s"),
            column("index", index.astype("u1")),
            column("raw_file", np.full(packets, "none (simulated)")),
            column("packet", index.astype("i8")),
            column("parent", np.full(packets, parent)),
            column("detector_mask", detector_mask),
            column("pixel_mask", np.ones((packets, N_PIXELS), dtype="u1")),
            column("energy_bin_edge_mask", np.tile(edge_mask, (packets, 1))),
            column("num_energies", np.full(packets, QUICKLOOK_BANDS.size - 1, dtype="i8")),
            column("num_samples", np.minimum(QUICKLOOK_PACKET, n - first).astype("i8")),
            column("compression_scheme_counts_skm", np.tile(np.array(skm, dtype="u1"), (packets, 1))),
            column("compression_scheme_triggers_skm", np.tile(np.array(skm, dtype="u1"), (packets, 1))),
        ],
    )
    data = table(
        "DATA",
        [
            column("control_index", (np.arange(n) // QUICKLOOK_PACKET).astype("u1")),
            column("time", centiseconds(center), "cs"),
            column("timedel", centiseconds(np.full(n, float(QUICKLOOK_BIN))), "cs"),
            column("triggers", smallest_unsigned(triggers)),
            column("triggers_comp_err", np.sqrt(compression_variance(triggers, skm)).astype("f4")),
            column("rcr", np.zeros(n, dtype="u1")),
            column("counts", smallest_unsigned(counts), "count"),
            column("counts_comp_err", np.sqrt(compression_variance(counts, skm)).astype("f4"), "count"),
        ],
    )
    extremes = DataRange(int(counts.min()), int(counts.max()), "counts", float(QUICKLOOK_BIN))
    return write(
        folder / name,
        identity,
        [
            primary(identity, orbit, start, end, extremes),
            control,
            data,
            idb_versions(start, end),
            energies(QUICKLOOK_BANDS[:-1], QUICKLOOK_BANDS[1:]),
        ],
    )


def flare_truth(flare: Flare, **more: Any) -> dict[str, Any]:
    """Truth record of a flare's science file."""
    begin, end = flare.interval()
    return {"kind": "flare", **flare.describe(), "start_utc": iso(begin), "end_utc": iso(end), **more}
