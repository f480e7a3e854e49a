"""Light curves as files: ``/archive/lightcurve.csv`` and ``.parquet`` with ``?start=<unix s>&span=<s>``.

The bins as they were recorded, or, with ``bins=minutes``, one-minute means; real data, or ``series=simulated``. Sent
one day (or one month of minutes) at a time, so that neither long windows nor slow clients fill the server's memory.
With ``source=science`` the bins of pixel data and spectrograms, with their names in ``file``, corrected for live time
unless ``livetime=recorded``; with ``source=background-detector`` those of the background detector.
``livetime=corrected`` and ``attenuator=corrected`` correct the counts, and two more columns say so: ``live_fraction``
and ``corrected_for``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from math import isfinite
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from archive import Archive
from archive.index.columns import Table
from archive.index.series import LIGHT_CURVE_MINUTES, LIGHT_CURVES
from archive.lightcurves.corrections import NONE, Corrections, corrected_schema
from archive.lightcurves.detector import LONGEST_DETECTOR
from archive.lightcurves.read import MAX_POINTS
from archive.lightcurves.science import LONGEST, science_rows
from dashboards.server.conditional import check_conditions
from dashboards.server.download_pieces import make_piece, send_pieces
from dashboards.server.fair_queue import Busy
from dashboards.server.fair_use import client_of, fair_use, refuse_json
from dashboards.server.responses import write_json_error
from dashboards.shared.errors import NotUnderstood
from dashboards.shared.ranges import EARLIEST
from dashboards.shared.source import archive_source, in_plain_words
from dashboards.shared.time_window import LONGEST_S, Window, unix_seconds

RECORDED, MINUTES = "recorded", "minutes"
#: Longest window of recorded bins, s: a year of them is 600 MB of text.
LONGEST_RECORDED_S = 366 * 86_400.0
LONGEST_S_OF = {
    "science": float(LONGEST / np.timedelta64(1, "s")),
    "background-detector": float(LONGEST_DETECTOR / np.timedelta64(1, "s")),
}
#: Name of the time column; it includes the clock, because files are used without their context.
TIME = "time_utc_solar_orbiter"

Writer = Callable[[pa.Schema, Iterator[pa.Table]], Iterator[bytes]]


@dataclass(frozen=True)
class Wanted:
    """Content of a requested file."""

    window: Window
    minutes: bool = False
    simulated: bool = False
    source: str = "quicklook"
    corrections: Corrections = NONE

    @property
    def table(self) -> Table[Any]:
        """Table of its rows."""
        return LIGHT_CURVE_MINUTES if self.minutes else LIGHT_CURVES

    @property
    def schema(self) -> pa.Schema:
        """Columns of its rows."""
        return corrected_schema(self.table.arrow) if self.corrections else self.table.arrow

    @property
    def name(self) -> str:
        """Name of the file, without extension."""
        first, last = (str(time.astype("datetime64[s]")) for time in (self.window.begin, self.window.end))
        times = f"{first}_{last}".translate(str.maketrans("", "", "-:"))
        kind = "minutes" if self.minutes else "bins"
        source = "ql" if self.source == "quicklook" else self.source
        corrected = "_corrected" if self.corrections else ""
        return f"stix_{source}-lightcurve_{kind}_{times}{corrected}{'_SIMULATED' if self.simulated else ''}"


def wanted(arguments: dict[str, str]) -> Wanted:
    """Parse a query string.

    Parameters
    ----------
    arguments : dict
        ``start``, ``span`` [s]; ``bins``: "recorded" or "minutes"; ``series``: "real" or "simulated"; ``source``:
        "quicklook", "science" or "background-detector"; ``livetime``, ``attenuator``: "recorded" or "corrected".

    Raises
    ------
    NotUnderstood
        If one of them is invalid, or the window is too long for its bins.
    """
    allowed = {
        "bins": (RECORDED, MINUTES),
        "series": ("real", "simulated"),
        "source": ("quicklook", *LONGEST_S_OF),
        "livetime": ("corrected" if arguments.get("source") == "science" else RECORDED, RECORDED, "corrected"),
        "attenuator": (RECORDED, "corrected"),
    }
    values = {name: words[0] for name, words in allowed.items()} | arguments
    strangers = sorted(values.keys() - {"start", "span", *allowed})
    if strangers or any(values[name] not in words for name, words in allowed.items()):
        known = "; ".join(f"{name}={'|'.join(dict.fromkeys(words))}" for name, words in allowed.items())
        message = f"expected parameters: start, span; {known}"
        raise NotUnderstood(message)
    minutes, source = values["bins"] == MINUTES, values["source"]
    corrections = Corrections(*(values[name] == "corrected" for name in ("livetime", "attenuator")))
    if minutes and source != "quicklook":
        message = f"bins of source={source} are not combined to minutes"
        raise NotUnderstood(message)
    if corrections.attenuator and (minutes or source == "background-detector"):
        message = (
            "one-minute means are not corrected for the attenuator; leave attenuator or bins out"
            if minutes
            else "the attenuator never covers the background detector; leave attenuator out"
        )
        raise NotUnderstood(message)
    longest = LONGEST_S if minutes else LONGEST_S_OF.get(source, LONGEST_RECORDED_S)
    window = Window(_number(values, "start"), _number(values, "span"))
    if not (unix_seconds(EARLIEST) <= window.start <= 2**32 and 0 < window.span <= longest):
        message = f"expected start in seconds since 1970, not before {EARLIEST}, and span from 1 to {longest:.0f} s"
        whole = minutes or source != "quicklook"
        raise NotUnderstood(message if whole else f"{message} (bins=minutes: {LONGEST_S:.0f} s)")
    return Wanted(window, minutes, values["series"] == "simulated", source, corrections)


def _number(values: dict[str, str], name: str) -> float:
    try:
        number = float(values[name])
    except (KeyError, ValueError):
        number = float("nan")
    if not isfinite(number):
        message = f"{name} must be a number of seconds"
        raise NotUnderstood(message)
    return number


def tables_of(archive: Archive, want: Wanted) -> Iterator[pa.Table]:
    """Rows of a requested file, in pieces."""
    window, simulated, corrections = want.window, want.simulated, want.corrections
    if want.source == "quicklook":
        return archive.light_curve_rows(
            window.begin, window.end, minutes=want.minutes, simulated=simulated, corrections=corrections
        )
    corrected = corrections.live_time
    curve = (
        archive.science_curve(
            window.begin,
            window.end,
            MAX_POINTS,
            simulated=simulated,
            corrected=corrected,
            attenuator=corrections.attenuator,
        )
        if want.source == "science"
        else archive.detector_curve(window.begin, window.end, MAX_POINTS, simulated=simulated, corrected=corrected)
    )
    return iter([science_rows(curve, simulated=simulated, say_corrections=bool(corrections))])


def csv_pieces(schema: pa.Schema, tables: Iterator[pa.Table]) -> Iterator[bytes]:
    """CSV file with one header, one chunk per table."""
    stream = BytesIO()
    pyarrow.csv.write_csv(_named(schema.empty_table()), stream)
    yield stream.getvalue()
    options = pyarrow.csv.WriteOptions(include_header=False)
    for rows in tables:
        stream = BytesIO()
        pyarrow.csv.write_csv(_named(rows), stream, options)
        yield stream.getvalue()


def parquet_pieces(schema: pa.Schema, tables: Iterator[pa.Table]) -> Iterator[bytes]:
    """One Parquet file with a row group per table."""
    stream = _Growing()
    with pq.ParquetWriter(stream, schema.set(0, schema.field(0).with_name(TIME)), compression="zstd") as writer:
        for rows in tables:
            if rows.num_rows:
                writer.write_table(rows.rename_columns([TIME, *rows.column_names[1:]]))
            yield stream.take()
    yield stream.take()


class _Growing(BytesIO):
    """A file whose beginning is sent while its end is written: `tell` counts from the start of the file."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def tell(self) -> int:
        """Bytes written so far, including those already sent."""
        return self._taken + super().tell()

    def take(self) -> bytes:
        """Return the bytes since the last call."""
        piece = self.getvalue()
        self._taken += len(piece)
        self.seek(0)
        self.truncate()
        return piece

    def close(self) -> None:
        """Do nothing: Parquet closes its file before the last bytes are sent."""


#: Extension → media type and writer.
KINDS: dict[str, tuple[str, Writer]] = {
    "csv": ("text/csv; charset=utf-8", csv_pieces),
    "parquet": ("application/vnd.apache.parquet", parquet_pieces),
}


class LightCurveHandler(RequestHandler):
    """Sends a window of the light curves."""

    def check_xsrf_cookie(self) -> None:
        """Skip the check: this handler changes nothing, and a POST is answered with 405."""

    async def get(self, kind: str) -> None:
        """Send the file in chunks."""
        try:
            want = wanted({name: self.get_query_argument(name) for name in self.request.query_arguments})
        except NotUnderstood as error:
            raise HTTPError(400) from error
        media_type, write = KINDS[kind]

        def first() -> tuple[bytes, Iterator[bytes]]:
            tables = archive_source().ask(lambda archive: tables_of(archive, want))
            pieces = write(want.schema, tables)
            with in_plain_words():  # a damaged first day is still answered with a status
                return b"".join(islice(pieces, 2)), pieces

        try:
            end = fair_use().downloads.begin(client_of(self.request))
        except Busy as busy:
            refuse_json(self, busy)
            return
        try:
            await self._send(want, kind, media_type, first)
        except StreamClosedError:
            return  # the client has disconnected
        finally:
            end()

    async def _send(
        self, want: Wanted, kind: str, media_type: str, first: Callable[[], tuple[bytes, Iterator[bytes]]]
    ) -> None:
        try:
            beginning, pieces = await make_piece(self, first)
        except Busy as busy:
            refuse_json(self, busy)
            return
        self.set_header("Content-Type", media_type)
        self.set_header("Content-Disposition", f'attachment; filename="{want.name}.{kind}"')
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        if not check_conditions(self) or self.request.method == "HEAD":
            self.finish()
            return
        await send_pieces(self, beginning, pieces, "a light curve")

    async def head(self, kind: str) -> None:
        """Send the headers."""
        await self.get(kind)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Send one JSON object with one sentence."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        write_json_error(self, status_code, str(error.__cause__) if error is not None and error.__cause__ else "")


def _named(rows: pa.Table) -> pa.Table:
    """Rows with ISO 8601 times."""
    times = pc.strftime(rows.column(0), format="%Y-%m-%dT%H:%M:%S")
    return rows.set_column(0, TIME, times)
