"""Read STIX products. This is the only module that opens STIX FITS files.

Headers and table layouts are parsed by ``astropy.io.fits``. Rows are read through a memory map of the table, so that
only the selected time bins and channels are read. Every error is an `InvalidProduct` that names the file, what was
expected and what was found.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from stixcore.errors import InvalidProduct
from stixcore.fits.compression import compression_variance
from stixcore.fits.identity import kind_of_header, kind_of_name
from stixcore.fits.products import (
    AspectTable,
    CountSeries,
    Floats,
    LightCurve,
    PixelData,
    ProductHeader,
    Spectrogram,
    TableSummary,
    Times,
)
from stixcore.fits.spec import (
    EPHEMERIS_KEYWORDS,
    EPHEMERIS_TEXTS,
    IMAGEABLE,
    PLANNING_BLANKS,
    PLANNING_KEYWORDS,
    SPECS,
    ProductKind,
)
from stixcore.fits.structure import checked_stream
from stixcore.instrument.tables import N_DETECTORS, N_PIXELS, pixel_area

N_ACCUMULATORS = 16
N_CHANNELS = 32
PIXEL_MASK_SHAPES = ((N_PIXELS,), (N_PIXELS, N_PIXELS))
#: Aspect records are stamped at their end; the ground software and stixpy move them to the middle of the 64 s cadence.
ASPECT_STAMP_SHIFT = np.timedelta64(32, "s")
#: Aspect solutions further from Sun centre than this many radii on an axis are not valid (ground software).
MAX_ASPECT_RADII = 1.1
#: Rows further from DATE-BEG than this are errors, s.
YEAR_S = 366 * 86400.0
#: Bins up to this long may be inside one another, s: real bins overlap by 0.1 s, in one case by 3 of 3.6 s.
OVERLAP_S = 60.0
#: Rate-control states are 0 to 7; larger values are damage.
RCR_MAX = 255
#: Row shapes of a column with one value.
SCALAR = ((), (1,))
#: Compression of counts and triggers when a file does not specify it (that of all science requests so far).
DEFAULT_SKM = {"counts": (0, 4, 4), "triggers": (0, 5, 3)}
#: Before this time, the flight software assigned counts to the next bin (ground software ``shift_duration``).
BINS_MENDED_ON_BOARD = np.datetime64("2021-12-09T14:00:00", "us")
BINS_KEPT_LATE = "offset not fixed as possibly summed on board"
BINS_MENDED_ON_GROUND = "Time and count arrays were shifted to fix offset"
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d*)?")
#: Errors that astropy and NumPy raise for damaged files.
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NameError, OSError, TypeError, ValueError,
    fits.VerifyError,
)  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """One binary table: its header, and its rows as a memory map with column names."""

    file: str
    name: str
    columns: fits.ColDefs
    rows: NDArray[Any]

    def find(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if name in self.columns.names), None)

    def read(self, name: str, rows: slice = slice(None), cut: slice | None = None) -> NDArray[Any]:
        """Physical values, stored × TSCAL + TZERO, as float unless the column contains text.

        ``rows`` and ``cut`` (on the last axis) are applied before the conversion, so that the rest is not read.
        """
        column = self.columns[name]
        raw = self.rows[name][rows]
        if cut is not None:
            raw = raw[..., cut]
        if raw.dtype.kind in "SU":
            return np.char.strip(raw.astype(str))
        if column.format.endswith("L"):  # FITS logical: the bytes T and F
            return np.asarray(raw.view(np.int8) == ord("T"), dtype=float)
        values = np.asarray(raw, dtype=float)
        scale, zero = float(column.bscale or 1), float(column.bzero or 0)
        if scale != 1:
            values *= scale
        if zero != 0:
            values += zero
        return values

    def numbers(self, name: str, *shapes: tuple[int, ...], row: int | None = None) -> Floats:
        """A numeric column, all rows or one; rows must have one of the given shapes and are returned in the first."""
        if name not in self.columns.names:
            raise InvalidProduct(self.file, f"column {name} in {self.name}", f"columns {self.columns.names}")
        dtype, column = self.rows.dtype[name], self.columns[name]
        if dtype.base.kind in "SU" or column.format.lstrip("01")[:1] in ("P", "Q"):
            raise InvalidProduct(self.file, f"numbers in column {name}", f"format {column.format}")
        if dtype.shape not in shapes:
            expected = " or ".join(str(shape) for shape in shapes)
            raise InvalidProduct(self.file, f"rows of shape {expected} in column {name}", f"shape {dtype.shape}")
        values = self.read(name, slice(None) if row is None else slice(row, row + 1))
        return values.reshape(-1, *shapes[0])

    def seconds(self, name: str) -> Floats:
        """A time column in seconds; the unit in files is "cs" or "s"."""
        values = self.numbers(name, *SCALAR)
        unit = str(self.columns[name].unit or "s").strip()
        if unit not in ("s", "cs"):
            raise InvalidProduct(self.file, f"column {name} in s or cs", f"unit {unit!r}")
        if not np.isfinite(values).all():
            raise InvalidProduct(self.file, f"finite values in column {name}", "NaN or infinity")
        return values / 100.0 if unit == "cs" else values


class _Product:
    """An open file whose extensions have been checked against the specification of its kind."""

    def __init__(self, path: Path, hdus: fits.HDUList) -> None:
        self.path = path
        self.file = path.name
        self.hdus = hdus
        self.primary = hdus[0].header
        self.headers = {hdu.name: hdu.header for hdu in hdus}
        self.tables: dict[str, _Table] = {}
        for hdu in hdus[1:]:
            if not isinstance(hdu, fits.BinTableHDU):
                continue
            if hdu.name in self.tables:
                raise InvalidProduct(self.file, f"one extension {hdu.name}", "two of them")
            start = hdu.fileinfo()["datLoc"]
            dtype, n_rows = hdu.columns.dtype.newbyteorder(">"), int(hdu.header["NAXIS2"])
            rows = (
                np.memmap(path, dtype=dtype, mode="r", offset=start, shape=(n_rows,)) if n_rows else np.empty(0, dtype)
            )
            self.tables[hdu.name] = _Table(self.file, hdu.name, hdu.columns, rows)
        self.kind = self._identify()
        self.spec = SPECS[self.kind]
        missing = [name for name in self.spec.extensions if name not in self.tables]
        if missing:
            raise InvalidProduct(self.file, f"extensions {', '.join(self.spec.extensions)}", f"no {', '.join(missing)}")
        self.names: dict[str, str] = {}
        for key, column in self.spec.columns.items():
            name = self.data.find(column.names)
            if name is not None:
                self.names[key] = name
            elif column.required:
                raise InvalidProduct(
                    self.file, f"column {column.names[0]} in DATA", f"columns {self.data.columns.names}"
                )
        if self.data.rows.size == 0:
            raise InvalidProduct(self.file, "at least one row in DATA", "an empty table")

    @property
    def data(self) -> _Table:
        return self.tables["DATA"]

    def _identify(self) -> ProductKind:
        """Kind from the service types of the header, else from the original or current file name, else from content."""
        telescope = str(self.primary.get("TELESCOP", "")).upper()
        if "STIX" not in telescope + str(self.primary.get("INSTRUME", "")).upper():
            raise InvalidProduct(self.file, "a STIX product (TELESCOP = 'SOLO/STIX')", f"TELESCOP = {telescope!r}")
        if "DATA" not in self.tables:
            raise InvalidProduct(self.file, "an extension DATA", f"extensions {list(self.tables) or 'none'}")
        try:
            kind = kind_of_header(self.primary)
        except KeyError:
            original = kind_of_name(str(self.primary.get("FILENAME", "")).strip())
            return original or kind_of_name(self.file) or self._kind_by_content()
        if kind is None:
            keys = ("LEVEL", "STYPE", "SSTYPE", "SSID")
            found = ", ".join(f"{key} = {self.primary.get(key)!r}" for key in keys)
            raise InvalidProduct(self.file, "LEVEL and service types (STYPE, SSTYPE, SSID) of a STIX product", found)
        return kind

    def _kind_by_content(self) -> ProductKind:
        """Kind of a renamed file without service types, which is from before 2022 or artificial."""
        names, dtype = self.data.columns.names, self.data.rows.dtype
        if "spice_disc_size" in names:
            return ProductKind.ASPECT
        shape = dtype["counts"].shape if "counts" in names else None
        masks = dtype["pixel_masks"].shape if "pixel_masks" in names else ()
        # Summed pixel data keep one mask per sum (4 of them) where pixel data have a flag per pixel.
        if shape and len(shape) == 3 and shape[0] == N_DETECTORS and shape[1] >= 8 and masks in PIXEL_MASK_SHAPES:
            return ProductKind.PIXEL_DATA
        if shape and len(shape) == 1 and "triggers" in names:
            # Quick-look data have no request; the number of bands alone would also accept a 5-channel spectrogram.
            return ProductKind.SPECTROGRAM if self.control_value("request_id") else ProductKind.LIGHT_CURVE
        expected = "compressed pixel data, spectrogram, quick-look light curve or aspect/ephemeris data"
        raise InvalidProduct(self.file, expected, f"DATA with columns {names[:12]} and counts of shape {shape} per row")

    def column(self, key: str) -> NDArray[Any] | None:
        return self.data.read(self.names[key]) if key in self.names else None

    def attenuator(self) -> NDArray[np.int64]:
        """Rate-control state as a number; in the earliest files it is the end of a text."""
        if "rcr" not in self.names:
            return self._attenuator_of_control()
        values = self.required("rcr")
        if values.dtype.kind in "SU":
            values = np.array([text[-1:] for text in values])
            if not np.isin(values, list("0123456789")).all():
                raise InvalidProduct(self.file, "a digit at the end of every rcr", f"{sorted(set(values))}")
            return values.astype(int)
        return self._states(self.numbers("rcr", *SCALAR))

    def _attenuator_of_control(self) -> NDArray[np.int64]:
        """Rate-control state of every row from the CONTROL extension, where files of 2020 have it."""
        control = self.tables.get("CONTROL")
        if control is None or control.find(("rcr",)) is None:
            found = f"columns {self.data.columns.names}"
            raise InvalidProduct(self.file, "column rcr in DATA or CONTROL", found)
        index, wanted = control.numbers("index", *SCALAR), self.data.numbers("control_index", *SCALAR)
        states = dict(zip(index.tolist(), self._states(control.numbers("rcr", *SCALAR)).tolist(), strict=True))
        unknown = sorted(set(wanted.tolist()) - set(states))
        if unknown:
            raise InvalidProduct(self.file, "a row in CONTROL for every control_index", f"none for {unknown[0]:g}")
        return np.array([states[number] for number in wanted.tolist()])

    def _states(self, states: Floats) -> NDArray[np.int64]:
        if not ((states >= 0) & (states <= RCR_MAX)).all():
            raise InvalidProduct(self.file, f"rcr between 0 and {RCR_MAX}", f"{states.min():g} to {states.max():g}")
        return states.astype(int)

    def required(self, key: str) -> NDArray[Any]:
        return self.data.read(self.names[key])

    def numbers(self, key: str, *shapes: tuple[int, ...]) -> Floats:
        return self.data.numbers(self.names[key], *shapes)

    def header(self) -> ProductHeader:
        primary = self.primary
        # long comments are split into cards of 72 characters, which lose their trailing blanks
        comment = "".join(str(card).ljust(72) for card in primary.get("COMMENT", ()))
        reason = re.search(r"reason: ?'([^']*)'", comment)
        request = self.control_value("request_id")
        history = "".join(str(card).ljust(72) for card in primary.get("HISTORY", ()))
        begin = self.date("BEG")
        late = begin < BINS_MENDED_ON_BOARD and BINS_MENDED_ON_GROUND not in history and self.data.rows.size > 1
        return ProductHeader(
            name=self.file,
            kind=self.kind,
            level=str(primary.get("LEVEL", "")).strip(),
            version=_version(primary),
            request_id=f"{int(request):010d}" if request else "",
            date_beg=begin,
            date_end=self.date("END"),
            ephemeris={key: primary[key] for key in EPHEMERIS_KEYWORDS if _has_valid_type(key, primary.get(key))},
            purpose=" ".join(reason.group(1).split()) if reason else "",
            simulated="SIMULATED" in comment.upper() or "SIMULATED" in str(primary.get("OBS_MODE", "")).upper(),
            bins_kept_late=BINS_KEPT_LATE in comment,
            bins_late=bool(late) and self.kind in IMAGEABLE,
            original_name=str(primary.get("FILENAME", "")).strip(),
            planning=_planning(primary),
        )

    def control_value(self, name: str) -> float:
        control = self.tables.get("CONTROL")
        if control is None or control.find((name,)) is None or control.rows.size == 0:
            return 0.0
        value = float(control.numbers(name, *SCALAR, row=0)[0])
        if not (np.isfinite(value) and value >= 0):
            raise InvalidProduct(self.file, f"a number of 0 or more in {name} of CONTROL", f"{value:g}")
        return value

    def date(self, which: str) -> np.datetime64:
        for key in (f"DATE-{which}", f"DATE_{which}"):  # underscore in files before 2023
            if key in self.primary:
                text = str(self.primary[key]).strip().removesuffix("Z")
                if not ISO_DATE.fullmatch(text):  # NumPy accepts "", "NaT" and "now" as dates
                    raise InvalidProduct(self.file, f"an ISO date in {key}", repr(text))
                return np.datetime64(text, "us")
        raise InvalidProduct(self.file, f"keyword DATE-{which}", "neither that nor its underscore form")

    @property
    def order(self) -> slice | NDArray[np.int64]:
        """Rows to use, in order of time: all rows, except in spectrograms of 2020.

        Those contain all packets received for a request, with duplicate and empty bins. Of rows with the same time, the
        one with the most counts is used.
        """
        if self.kind is not ProductKind.SPECTROGRAM or "SSID" in self.primary:
            return slice(None)
        time, counts = self.data.seconds("time").round(6), self.required("counts")
        fullest = np.lexsort((-counts.reshape(time.size, -1).sum(axis=1), time))
        first = np.ones(time.size, dtype=bool)
        first[1:] = np.diff(time[fullest]) > 0
        return fullest[first]

    def bins(self) -> tuple[Times, Times, Floats]:
        """Start, end (datetime64[us]) and duration (s) of every row; ``time`` is the bin's centre after DATE-BEG."""
        centre, duration = self.data.seconds("time"), self.data.seconds("timedel")
        if (duration <= 0).any():
            raise InvalidProduct(self.file, "positive timedel in every row", f"{duration.min():g} s")
        order = self.order
        centre, duration = centre[order], duration[order]
        if (np.diff(centre) <= 0).any():
            row = int(np.argmax(np.diff(centre) <= 0)) + 1
            raise InvalidProduct(self.file, "time rising from row to row", f"row {row} not after the one before it")
        if centre[-1] > YEAR_S or duration.max() > YEAR_S or centre[0] < -YEAR_S:
            found = f"time {centre[0]:g} to {centre[-1]:g} s, timedel up to {duration.max():g} s"
            raise InvalidProduct(self.file, "rows within a year after DATE-BEG", found)
        origin = self.date("BEG")
        start, end = origin + _microseconds(centre - duration / 2), origin + _microseconds(centre + duration / 2)
        shorter = np.minimum(duration[1:], duration[:-1])
        astray = (np.diff(centre) < shorter / 2) & (shorter > OVERLAP_S)
        if astray.any():
            found = f"row {int(np.argmax(astray)) + 1} inside the one before it"
            raise InvalidProduct(self.file, "bins of time and timedel that follow one another", found)
        return start, end, duration

    def energies(self, n_channel: int) -> tuple[Floats, Floats]:
        table = self.tables["ENERGIES"]
        low, high = table.numbers("e_low", *SCALAR), table.numbers("e_high", *SCALAR)
        if low.size == N_CHANNELS and (np.diff(low) > 0).all():
            # with all channels present, each ends where the next begins; files of 2020 have 16-17 and 18-20 keV
            high[:-1] = low[1:]
            if n_channel != N_CHANNELS:
                low, high = self._transmitted_edges(low, high)
        if low.size != n_channel:
            raise InvalidProduct(self.file, f"{n_channel} rows in ENERGIES (length of counts)", f"{low.size} rows")
        if np.isnan(high[-1]):
            high[-1] = np.inf  # the open last channel is NaN in files of 2023 and later, inf before
        sound = np.isfinite(low) & (high > low)
        sound[:-1] &= np.isfinite(high[:-1])
        sound[1:] &= (np.diff(low) > 0) & (high[1:] > high[:-1])
        if not sound.all():
            row = int(np.argmin(sound))
            found = f"row {row} from {low[row]:g} to {high[row]:g} keV"
            raise InvalidProduct(self.file, "rising channel edges in ENERGIES", found)
        return low, high

    def _transmitted_edges(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Edges of the transmitted channels, from the mask in CONTROL, for files whose ENERGIES lists all 32."""
        control = self.tables.get("CONTROL")
        name = None if control is None else control.find(("energy_bin_edge_mask", "energy_bin_mask"))
        if control is None or name is None or control.rows.size == 0:
            return low, high
        if name == "energy_bin_mask":
            used = np.flatnonzero(control.numbers(name, (N_CHANNELS,), row=0))
            return low[used], high[used]
        edges = np.flatnonzero(control.numbers(name, (N_CHANNELS + 1,), row=0))
        return low[edges[:-1]], high[edges[1:] - 1]  # a channel in the file extends from one edge to the next

    def compression_scheme(self, what: str) -> tuple[int, int, int] | None:
        """Compression scheme of the transmitted integers; None where they are not compressed (0, 0, 0)."""
        control = self.tables.get("CONTROL")
        # early files abbreviate "triggers" to "trig"
        names = (f"compression_scheme_{what}_skm", f"compression_scheme_{what[:4]}_skm")
        name = None if control is None else control.find(names)
        if control is None or name is None or control.rows.size == 0:
            return DEFAULT_SKM[what]
        (scheme,) = np.nan_to_num(control.numbers(name, (3,), row=0))
        s, k, m = (int(number) for number in scheme)
        if s == k == m == 0:
            return None
        if not (s in (0, 1) and k > 0 and m > 0 and s + k + m <= 8):
            raise InvalidProduct(self.file, f"a scheme of at most 8 bits in {name}", f"{s}, {k}, {m}")
        return s, k, m

    def transmitted_channels(self, n_channel: int) -> slice:
        """Transmitted channels: early L1 and L1A files always have all 32, and leave the others empty.

        They are the channels from the first to the last one in the mask of CONTROL, as in the ground software.
        """
        control = self.tables["CONTROL"]
        name = control.find(("energy_bin_edge_mask", "energy_bin_mask"))
        if n_channel != N_CHANNELS or name is None or control.rows.size == 0:
            return slice(0, n_channel)
        shape = (N_CHANNELS + 1,) if name == "energy_bin_edge_mask" else (N_CHANNELS,)
        used = np.flatnonzero(control.numbers(name, shape, row=0))
        if used.size < 2:
            raise InvalidProduct(self.file, f"at least one energy channel in {name}", f"{used.size} flags set")
        return slice(int(used[0]), int(used[-1]) + (name == "energy_bin_mask"))  # 33 edges or 32 channels


def _microseconds(seconds: Floats) -> NDArray[np.timedelta64]:
    return np.rint(seconds * 1e6).astype("int64").astype("timedelta64[us]")


def _has_valid_type(keyword: str, value: object) -> bool:
    """Whether a header keyword of the observer has a value of the correct type; otherwise it is ignored."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str) if keyword in EPHEMERIS_TEXTS else is_number


def _planning(primary: fits.Header) -> dict[str, str]:
    """Keywords of the plan that have a value."""
    texts = {key: primary[key].strip() for key in PLANNING_KEYWORDS if isinstance(primary.get(key), str)}
    return {key: text for key, text in texts.items() if text not in PLANNING_BLANKS}


def _version(primary: fits.Header) -> str:
    value = str(primary.get("VERSION", "")).strip()
    return f"{int(value):02d}" if value.isdigit() else value


#: What `open_product` gives; the readers below take it in place of a path.
type OpenProduct = _Product


@contextmanager
def open_product(path: str | Path) -> Iterator[OpenProduct]:
    """Open a file for several of the functions below, which then read its headers once.

    Raises
    ------
    InvalidProduct
        As `read_header`.
    """
    path = Path(path)
    if not path.is_file():
        raise InvalidProduct(path, "a regular file", "a folder or special file" if path.exists() else "no such file")
    with ExitStack() as stack:
        with _as_invalid_product(path):
            file = stack.enter_context(path.open("rb"))
            start = file.read(9)
            if start != b"SIMPLE  =":
                raise InvalidProduct(path, "a FITS file (SIMPLE  =)", f"a file that begins with {start!r}")
            # Open the stream here, because astropy does not close it when it fails on a damaged file.
            hdus = stack.enter_context(fits.open(checked_stream(path, file), memmap=False, lazy_load_hdus=False))
            product = _Product(path, hdus)
        yield product


@contextmanager
def _opened(path: str | Path | OpenProduct) -> Iterator[_Product]:
    if isinstance(path, _Product):
        with _as_invalid_product(path.path):
            yield path
    else:
        with open_product(path) as product, _as_invalid_product(product.path):
            yield product


@contextmanager
def _as_invalid_product(path: Path) -> Iterator[None]:
    """Convert errors of libraries for a damaged file to an `InvalidProduct` that names it."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():  # NaN and infinities are checked explicitly
            warnings.simplefilter("ignore", AstropyWarning)  # relevant faults are checked and raised explicitly
            yield
    except MemoryError as error:
        raise InvalidProduct(path, "a file that fits into memory", "one that takes more than there is") from error
    except DAMAGE as error:
        raise InvalidProduct(path, "a readable FITS file", f"{type(error).__name__}: {error}") from error


def read_header(path: str | Path | OpenProduct) -> ProductHeader:
    """Read identity, times and observer of any supported STIX product.

    Raises
    ------
    InvalidProduct
        When the file is not a supported product, is truncated, or is inconsistent.
    """
    with _opened(path) as product:
        return product.header()


def _pixels_in_use(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels in use, (n_time, 12) bool, from a flag per pixel or a row of flags per pixel set (L1A, summed data)."""
    return np.asarray(values.any(axis=1) if values.ndim == 3 else values.astype(bool))


def _check_pixel_shapes(product: _Product) -> tuple[int, int]:
    """Lengths of the pixel and channel axes."""
    dtype, file = product.data.rows.dtype, product.file
    shape, masks = dtype[product.names["counts"]].shape, dtype[product.names["pixel_masks"]].shape
    if len(shape) != 3 or shape[0] != N_DETECTORS or shape[1] > N_PIXELS:
        expected = f"counts of shape ({N_DETECTORS}, up to {N_PIXELS} pixels, channels) per row"
        raise InvalidProduct(file, expected, f"counts of shape {shape} per row")
    summed = product.kind is ProductKind.SUMMED_PIXEL_DATA
    fits = len(masks) == 2 and masks[1] == N_PIXELS and masks[0] <= shape[1] if summed else masks in PIXEL_MASK_SHAPES
    if not fits:
        expected = "(pixel sets, 12)" if summed else " or ".join(str(one) for one in PIXEL_MASK_SHAPES)
        raise InvalidProduct(file, f"pixel_masks of shape {expected} per row", f"shape {masks}")
    if dtype[product.names["triggers"]].shape != (N_ACCUMULATORS,):
        found = f"shape {dtype[product.names['triggers']].shape}"
        raise InvalidProduct(file, f"{N_ACCUMULATORS} trigger accumulators per row", found)
    return shape[1], shape[2]


def _pixel_shares(product: _Product, masks: NDArray[np.bool_]) -> Floats:
    """Fraction of every pixel in the area of its pixel set, (n_set, 12) float; sets are in the order of the file.

    The masks determine the pixels of each sum: the on-board order is D, C, B, A.

    Parameters
    ----------
    masks : (n_time, n_set, 12) bool
    """
    sets = masks[0]
    if (masks != sets).any():
        raise InvalidProduct(product.file, "the same pixel sets in every row", "pixel_masks that change")
    if (sets.sum(axis=0) > 1).any():
        raise InvalidProduct(product.file, "pixel sets without common pixels", "a pixel in two of pixel_masks")
    columns = [set((np.flatnonzero(one) % 4).tolist()) for one in sets]
    if any(len(column) > 1 for column in columns):
        found = "a set with pixels of two columns"
        raise InvalidProduct(product.file, "pixel sets of one column (A, B, C or D) each", found)
    area = sets * pixel_area()
    return np.asarray(area / np.maximum(area.sum(axis=1, keepdims=True), np.finfo(float).tiny))


def read_pixel_data(path: str | Path | OpenProduct) -> PixelData:
    """Open an L1 pixel-data file of any generation (V01, V02, early L1, L1A): compressed, raw (rpd) or summed (scpd).

    Raw counts are exact: their variance is that of Poisson noise only. Counts that were summed on board to A, B, C, D
    are distributed over the pixels of each sum by area, and ``PixelData.pixels_summed`` is set.

    Parameters
    ----------
    path : path or OpenProduct
        File name, or what `open_product` gives.

    Returns
    -------
    PixelData
        Times, energies, masks and attenuator state in memory; counts on request.

    Raises
    ------
    InvalidProduct
        When the file is not pixel data, is truncated, or has inconsistent axes.
    """
    with _opened(path) as product:
        _expect(product, *IMAGEABLE)
        data, file, place = product.data, product.file, product.path
        n_pixel, n_channel = _check_pixel_shapes(product)
        t_start, t_end, duration = product.bins()
        e_low, e_high = product.energies(n_channel)
        masks = product.numbers("pixel_masks", data.rows.dtype[product.names["pixel_masks"]].shape).astype(bool)
        pixel_mask = _pixels_in_use(masks)
        summed, exact = product.kind is ProductKind.SUMMED_PIXEL_DATA, product.kind is ProductKind.RAW_PIXEL_DATA
        shares = _pixel_shares(product, masks) if summed else None
        if not summed and n_pixel != N_PIXELS and not (pixel_mask.sum(axis=1) == n_pixel).all():
            found = f"{sorted(set(pixel_mask.sum(axis=1).tolist()))} pixels in pixel_masks"
            raise InvalidProduct(file, f"{n_pixel} used pixels (length of the pixel axis)", found)
        rcr = product.attenuator()
        detector_mask = product.numbers("detector_masks", (N_DETECTORS,)).astype(bool)
        for key in ("counts", "triggers"):
            shape, error = data.rows.dtype[product.names[key]].shape, product.names.get(f"{key}_err")
            if error and data.rows.dtype[error].shape != shape:
                found = f"{data.rows.dtype[error].shape} and {shape}"
                raise InvalidProduct(file, f"columns {error} and {key} of the same shape", found)
        skm = {what: product.compression_scheme(what) for what in DEFAULT_SKM}
        used = product.transmitted_channels(n_channel)
        names, header = product.names, product.header()

    def with_error(key: str, rows: slice, cut: slice | None = None) -> tuple[Floats, Floats]:
        """Values and their variance from compression; ``cut`` selects on the last axis."""
        error = names.get(f"{key}_err")
        values = data.read(names[key], rows, cut)
        good = np.isfinite(values) & (values >= 0)
        clean = np.where(good, values, 0.0)
        if error:
            lost = data.read(error, rows, cut) ** 2
        else:
            scheme = skm[key]
            lost = np.zeros_like(clean) if exact or scheme is None else compression_variance(clean, scheme)
        if not good.all():
            raise InvalidProduct(file, f"finite, non-negative {key}", "NaN, infinite or negative ones")
        if not np.isfinite(lost).all():
            raise InvalidProduct(file, f"finite numbers in column {error}", "NaN or infinity")
        return values, lost

    def load(times: slice, channels: slice) -> tuple[Floats, Floats, Floats, Floats]:
        with _as_invalid_product(place):
            triggers, triggers_lost = with_error("triggers", times)
            chosen = range(used.start, used.stop)[channels]
            values, values_lost = with_error("counts", times, slice(chosen.start, chosen.stop, chosen.step))
        if shares is not None:
            n_set = shares.shape[0]
            counts, lost = (np.einsum("tdse,sp->tdpe", part[:, :, :n_set], shares) for part in (values, values_lost))
            return counts, lost + counts, triggers, triggers_lost + triggers
        shape = (*values.shape[:2], N_PIXELS, values.shape[3])
        counts, lost = np.zeros(shape), np.zeros(shape)
        where = _pixel_positions(pixel_mask[times], n_pixel)
        counts[:, :, where], lost[:, :, where] = values, values_lost
        # σ² = compression² + Poisson
        return counts, lost + counts, triggers, triggers_lost + triggers

    return PixelData(
        path=place,
        header=header,
        t_start=t_start,
        t_end=t_end,
        duration=duration,
        e_low=e_low[used],
        e_high=e_high[used],
        rcr=rcr,
        pixel_mask=pixel_mask,
        detector_mask=detector_mask,
        loader=load,
        pixels_summed=summed,
    )


def _expect(product: _Product, *kinds: ProductKind) -> None:
    if product.kind not in kinds:
        raise InvalidProduct(product.file, f"a {kinds[0]} product", f"a {product.kind} product")


def _pixel_positions(mask: NDArray[np.bool_], n_pixel: int) -> NDArray[np.int64]:
    """Pixel numbers along the pixel axis of a file: all 12, or those that were read out."""
    return np.arange(N_PIXELS) if n_pixel == N_PIXELS or not mask.size else np.flatnonzero(mask[0])[:n_pixel]


def read_light_curve(path: str | Path | OpenProduct) -> LightCurve:
    """Read a quick-look light curve.

    Raises
    ------
    InvalidProduct
        As `read_pixel_data`.
    """
    with _opened(path) as product:
        _expect(product, ProductKind.LIGHT_CURVE)
        columns = _series_columns(product)
        error = product.numbers("counts_err", columns["counts"].shape[1:]) if "counts_err" in product.names else None
        lost = error**2 if error is not None else compression_variance(columns["counts"], (0, 5, 3))
        return LightCurve(**columns, counts_variance=lost + columns["counts"])


def read_background_monitor(path: str | Path | OpenProduct) -> CountSeries:
    """Read the quick-look curve of the background detector, which the attenuator never covers: ``rcr`` is 0.

    Raises
    ------
    InvalidProduct
        As `read_pixel_data`.
    """
    with _opened(path) as product:
        _expect(product, ProductKind.BACKGROUND_MONITOR)
        return CountSeries(**_series_columns(product, attenuated=False))


def read_spectrogram(path: str | Path | OpenProduct) -> Spectrogram:
    """Read a science spectrogram (detector-summed counts over time and energy).

    Raises
    ------
    InvalidProduct
        As `read_pixel_data`.
    """
    with _opened(path) as product:
        _expect(product, ProductKind.SPECTROGRAM)
        columns = _series_columns(product)
        return Spectrogram(
            **columns,
            counts_variance=_series_variance(product, "counts", columns["counts"]),
            triggers_variance=_series_variance(product, "triggers", columns["triggers"]),
            detectors=_summed_on_board(product, "detector_masks", N_DETECTORS),
            pixels=_summed_on_board(product, "pixel_masks", N_PIXELS),
        )


def _series_variance(product: _Product, key: str, values: Floats) -> Floats:
    """Compression error² + Poisson variance of a column of a spectrogram, in the shape of its values."""
    if f"{key}_err" not in product.names:
        scheme = product.compression_scheme(key)
        return values if scheme is None else compression_variance(values, scheme) + values
    shapes = SCALAR if values.ndim == 1 else (values.shape[1:],)
    error = product.numbers(f"{key}_err", *shapes)[product.order]
    if not np.isfinite(error).all():
        raise InvalidProduct(product.file, f"finite numbers in column {product.names[f'{key}_err']}", "NaN or infinity")
    return np.asarray(error**2 + values)


def _summed_on_board(product: _Product, key: str, size: int) -> tuple[int, ...]:
    """Indices of the detectors or pixels that are in every sum, from DATA or CONTROL; empty where neither has them."""
    table, name = product.data, product.names.get(key)
    control = product.tables["CONTROL"]
    if name is None:
        table, name = control, control.find((key, key.removesuffix("s")))
    if name is None or table.rows.size == 0 or table.rows.dtype[name].shape != (size,):
        return ()
    return tuple(np.flatnonzero(table.numbers(name, (size,)).all(axis=0)).tolist())


def _series_columns(product: _Product, *, attenuated: bool = True) -> dict[str, Any]:
    """Fields common to light curves and spectrograms: counts over time and energy, one trigger count per bin."""
    counts = product.numbers("counts", product.data.rows.dtype[product.names["counts"]].shape)
    t_start, _, duration = product.bins()
    e_low, e_high = product.energies(counts.shape[1])
    order = product.order
    return {
        "header": product.header(),
        "counts": counts[order],
        "triggers": product.numbers("triggers", *SCALAR)[order],
        "rcr": product.attenuator()[order] if attenuated else np.zeros(duration.size, int),
        "t_start": t_start,
        "duration": duration,
        "e_low": e_low,
        "e_high": e_high,
    }


def read_aspect(path: str | Path | OpenProduct) -> AspectTable:
    """Read an auxiliary ephemeris/aspect file (``stix-asp-ephemeris``, earlier ``stix-aux-ephemeris``).

    Raises
    ------
    InvalidProduct
        As `read_pixel_data`.
    """
    with _opened(path) as product:
        _expect(product, ProductKind.ASPECT)
        offset = product.data.seconds("time")
        attitude = product.numbers("attitude", (3,))
        y_srf, z_srf = product.numbers("y_srf", *SCALAR), product.numbers("z_srf", *SCALAR)
        flag = product.column("sas_ok")
        if flag is not None and flag.dtype.kind in "SU":
            flag = np.isin(flag, ("T", "True", "1"))
        rsun = product.numbers("spice_disc_size", *SCALAR)
        # solutions further than 1.1 radii from Sun centre are invalid; values up to 2·10⁶″ occur without a flag
        limit = np.where(np.isfinite(rsun), MAX_ASPECT_RADII * rsun, np.inf)
        finite = np.isfinite(y_srf) & np.isfinite(z_srf) & (np.abs(y_srf) < limit) & (np.abs(z_srf) < limit)
        lonlat = product.numbers("stonyhurst", (2,))
        return AspectTable(
            header=product.header(),
            time=product.date("BEG") + _microseconds(offset) - ASPECT_STAMP_SHIFT,
            roll=attitude[:, 0],
            pitch=attitude[:, 1],
            yaw=attitude[:, 2],
            y_srf=y_srf,
            z_srf=z_srf,
            sas_ok=finite if flag is None else finite & flag.astype(bool),
            rsun=rsun,
            stonyhurst_lon=lonlat[:, 0],
            heliographic_lat=lonlat[:, 1],
            dsun=product.numbers("distance", *SCALAR) * 1e3,
            heeq=product.numbers("heeq", (3,)) * 1e3,
        )


#: Products with counts that no other reader supports: their column, and the axes of a row. A variance is counts².
_COUNTS = {
    ProductKind.BACKGROUND_MONITOR: ("counts", 1),  # band
    ProductKind.QUICKLOOK_SPECTRA: ("spectra", 2),  # detector, channel
    ProductKind.CALIBRATION_SPECTRA: ("counts", 3),  # detector, pixel, ADC channel
}


def read_table_summary(path: str | Path | OpenProduct) -> TableSummary:
    """Read times, number of rows and sum of counts of any product; see `TableSummary`.

    Raises
    ------
    InvalidProduct
        When the file is not a supported product, is truncated, has times that are not finite or more than a year after
        DATE-BEG, or counts with the wrong axes for its kind.
    """
    with _opened(path) as product:
        header = product.header()
        n_rows = int(product.data.rows.size)
        t_start, t_end, cadence = header.date_beg, header.date_end, None
        if product.kind is not ProductKind.FLARE_LIST:  # lists have the dates of flares instead
            centre, length = product.data.seconds("time"), product.data.seconds("timedel")
            if (length < 0).any() or length.max() > YEAR_S or np.abs(centre).max() > YEAR_S:
                found = f"time {centre.min():g} to {centre.max():g} s, timedel {length.min():g} to {length.max():g} s"
                raise InvalidProduct(product.file, "rows within a year after DATE-BEG, timedel of 0 or more", found)
            first, last = np.array([(centre - length / 2).min(), (centre + length / 2).max()])
            t_start, t_end = header.date_beg + _microseconds(np.array([first, last]))
            if length.any():
                cadence = float(np.median(length))
            elif n_rows > 1:
                cadence = float(np.median(np.diff(np.sort(centre))))
        total = None
        if product.kind in _COUNTS:
            key, n_axes = _COUNTS[product.kind]
            counts = product.required(key)
            if counts.ndim != 1 + n_axes:
                expected = f"{n_axes}-dimensional {key} per row in a {product.kind} product"
                raise InvalidProduct(product.file, expected, f"shape {counts.shape[1:]}")
            sound = bool(np.isfinite(counts).all()) and counts.min() >= 0
            total = float(counts.sum()) if sound else None
        return TableSummary(header, t_start, t_end, n_rows, cadence, total)


def has_visibilities(path: str | Path | OpenProduct) -> bool:
    """Whether any visibility of an on-board visibility file (``sci-xray-vis``) differs from zero.

    Raises
    ------
    InvalidProduct
        As `read_header`.
    """
    with _opened(path) as product:
        _expect(product, ProductKind.VISIBILITIES)
        columns = [name for key, name in product.names.items() if key in ("visibility", "real", "imaginary")]
        return any(bool(np.any(product.data.rows[name])) for name in columns)


def read_cards(path: str | Path) -> tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]:
    """Read the headers of a STIX file unchanged: name and cards (keyword, value, comment) of each extension.

    Raises
    ------
    InvalidProduct
        As `read_header`.
    """
    with _opened(path) as product:
        return tuple(
            (name, tuple((card.keyword, str(card.value), card.comment) for card in header.cards))
            for name, header in product.headers.items()
        )
