"""Corrections of light curves for live time and for the attenuator, when asked for; what is stored stays as recorded.

*Live time.* Quick-look files have one number of triggers, the sum of the sixteen trigger accumulators. The accumulators
are assumed to be equal: the rate of one bin is divided by the live fraction of a sixteenth of its triggers.

*Attenuator.* In 25-50 and 50-84 keV only; see `stixcore.calibration.attenuator`. The quiet level of a day is the lowest
tenth of its one-minute means with the attenuator out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from archive.index.series import BAND_EDGES, BANDS
from stixcore.calibration.attenuator import TRANSMISSIONS, without_attenuator
from stixcore.calibration.livetime import LATENCY_TIME, READOUT_TIME, livetime_fraction, pileup_factor
from stixcore.printable import plural

Floats = NDArray[np.float64]

#: Trigger accumulators; quick-look files have the sum of their triggers.
N_ACCUMULATORS = 16
#: Transmission of the attenuator by band, where rates can be corrected for it.
TRANSMISSION = {
    band: known.middle
    for band, low in zip(BANDS, BAND_EDGES, strict=True)
    for known in TRANSMISSIONS
    if known.low == low
}
ATTENUATOR = (
    "Rates with the attenuator in: "
    + " and ".join(
        f"{one.low:.0f}-{one.high:.0f} keV, divided by {one.middle:g} ± {one.spread:g}" for one in TRANSMISSIONS
    )
    + ", above the quiet level of the day; those below 25 keV stay as recorded, because there the transmission depends "
    "on the spectrum."
)
FROM_MINUTES = (
    "Rates from one-minute means are not corrected for the attenuator; choose a shorter window or shorter bins."
)
#: Days without a quiet level, in a notice.
_NAMED_DAYS = 3

#: Quiet rates by day (days since 1970) and band, ct s⁻¹.
type Quiet = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class Corrections:
    """What rates are corrected for."""

    live_time: bool = False
    attenuator: bool = False

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.live_time or self.attenuator

    @property
    def text(self) -> str:
        """``live time, attenuator``; empty without corrections."""
        return ", ".join(name for name, on in (("live time", self.live_time), ("attenuator", self.attenuator)) if on)


NONE = Corrections()


def live_fraction(triggers: Floats, duration: Floats) -> Floats:
    """Live fraction from the sum of the triggers of all accumulators, (…) float; NaN beyond the electronics' limit."""
    rate = triggers / duration / N_ACCUMULATORS
    possible = rate * (READOUT_TIME + LATENCY_TIME) < 1.0
    fraction, _ = livetime_fraction(np.where(possible, rate, 0.0), np.zeros_like(rate), np.ones_like(rate))
    return np.where(possible, fraction, np.nan)


def live_fraction_sql(trigger_rate: str) -> str:
    """The same as SQL, of a trigger rate of all accumulators, s⁻¹."""
    dead = READOUT_TIME + LATENCY_TIME
    rate = f"(({trigger_rate}) / {N_ACCUMULATORS})"
    # n = r / (1 - r(τ+η)): photons in;  f = exp(-βηn) / (1 + (τ+η)n)
    photons = f"({rate} / (1.0 - {rate} * {dead!r}))"
    fraction = f"exp(-{pileup_factor() * LATENCY_TIME!r} * {photons}) / (1.0 + {dead!r} * {photons})"
    return f"(CASE WHEN {rate} * {dead!r} < 1.0 THEN {fraction} ELSE 'NaN'::DOUBLE END)"


def corrected_sql(band: str, rate: str, trigger_rate: str, corrections: Corrections, quiet: Quiet) -> str:
    """SQL of the corrected rate of a band from that of the recorded one, in a table with ``time`` and ``rcr``."""
    if corrections.live_time:
        rate = f"(({rate}) / {live_fraction_sql(trigger_rate)})"
    if not corrections.attenuator or band not in TRANSMISSION or not quiet:
        return rate
    gain = 1.0 / TRANSMISSION[band] - 1.0
    levels = " ".join(f"WHEN {day} THEN {of_day[band]!r}" for day, of_day in sorted(quiet.items()))
    level = f"(CASE epoch_us(time) // 86400000000 {levels} END)"
    # quiet + (recorded − quiet) / T; without a quiet level as recorded
    excess = f"coalesce(greatest(({rate}) - {level}, 0.0), 0.0)"
    return f"(({rate}) + CASE WHEN rcr > 0 THEN {excess} * {gain!r} ELSE 0.0 END)"


def cautions_of(
    time: NDArray[np.datetime64], rcr: NDArray[np.int64], corrections: Corrections, quiet: Quiet, *, minutes: bool
) -> tuple[str, ...]:
    """What to know about a corrected curve."""
    attenuated = np.unique(time[rcr > 0].astype("datetime64[D]"))
    if not corrections.attenuator or not attenuated.size:
        return ()
    if minutes:
        return (FROM_MINUTES,)
    unknown = [day for day in attenuated if int(day.astype(np.int64)) not in quiet]
    said = (ATTENUATOR,) if len(unknown) < attenuated.size else ()
    if unknown:
        named = ", ".join(str(day) for day in unknown[:_NAMED_DAYS])
        more = len(unknown) - _NAMED_DAYS
        named += f" and {plural(more, 'more day')}" if more > 0 else ""
        said = (*said, f"Not corrected for the attenuator: it was never out on {named}, so the quiet level is unknown.")
    return said


def corrected_schema(schema: pa.Schema) -> pa.Schema:
    """Schema of corrected rows."""
    return schema.append(pa.field("live_fraction", pa.float64())).append(pa.field("corrected_for", pa.string()))


def corrected_rows(rows: pa.Table, corrections: Corrections, quiet: Quiet, *, minutes: bool = False) -> pa.Table:
    """Stored rows with corrected counts or means, and two more columns: ``live_fraction`` and ``corrected_for``.

    Parameters
    ----------
    rows : pa.Table
        Of table ``lightcurves``, or ``lightcurve_minutes``, which are corrected for live time only.
    corrections : Corrections
    quiet : mapping
    minutes : bool
    """
    seconds = rows["seconds" if minutes else "duration_s"].to_numpy()
    rcr = rows["rcr"].to_numpy()
    day = rows["time"].to_numpy().astype("datetime64[D]").astype(np.int64)
    kinds = ("mean", "min", "max") if minutes else ("counts",)
    live = np.ones(rows.num_rows)
    for kind in kinds:
        rate = rows[f"{kind}_triggers"].to_numpy() if minutes else rows["triggers"].to_numpy() / seconds
        fraction = live_fraction(rate, np.ones_like(rate)) if corrections.live_time else np.ones(rows.num_rows)
        live = fraction if kind == kinds[0] else live
        for band in BANDS:
            name = f"{kind}_{band}"
            values = rows[name].to_numpy() / fraction
            if corrections.attenuator and not minutes and band in TRANSMISSION:
                level = np.array([quiet[one][band] if one in quiet else np.nan for one in day.tolist()])
                corrected = without_attenuator(values / seconds, level, TRANSMISSION[band]) * seconds
                values = np.where((rcr > 0) & np.isfinite(level), corrected, values)
            rows = rows.set_column(rows.column_names.index(name), rows.schema.field(name), pa.array(values))
    return append_said(rows, live, said_of(corrections, (rcr > 0) & np.isin(day, list(quiet)) & (not minutes)))


def append_said(rows: pa.Table, live: Floats, said: NDArray[np.str_]) -> pa.Table:
    """Rows with their live fraction and what they were corrected for."""
    rows = rows.append_column("live_fraction", pa.array(live))
    return rows.append_column("corrected_for", pa.array(said.tolist(), pa.string()))


def said_of(corrections: Corrections, attenuator: NDArray[np.bool_]) -> NDArray[np.str_]:
    """What each row was corrected for."""
    bands = ", ".join(f"{band.replace('_', '-')} keV" for band in TRANSMISSION)
    both = ", ".join(["live time"] * corrections.live_time + [f"attenuator in {bands}"] * corrections.attenuator)
    return np.where(attenuator & corrections.attenuator, both, "live time" if corrections.live_time else "")


__all__ = [
    "ATTENUATOR",
    "FROM_MINUTES",
    "NONE",
    "Corrections",
    "Quiet",
    "append_said",
    "cautions_of",
    "corrected_rows",
    "corrected_schema",
    "corrected_sql",
    "live_fraction",
    "live_fraction_sql",
    "said_of",
]
