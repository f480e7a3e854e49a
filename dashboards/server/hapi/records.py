"""Records in the formats of the standard: CSV (RFC 4180), binary (little-endian) and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dashboards.server.hapi.standard import FILL, INTEGER_FILL, TIME_FILL, TIME_LENGTH, Parameter

#: Values of some records by name of the parameter, (n,) or (n, size). Unknown: NaT, NaN, None; integers: their fill.
type Columns = Mapping[str, NDArray[Any]]

#: Records that are written at a time.
PIECE = 4000
_NEEDS_QUOTES = r'[",\r\n]'


def filled(parameter: Parameter, values: NDArray[Any]) -> NDArray[Any]:
    """Values as all formats write them: times and texts as bytes, unknown ones replaced by the fill value."""
    if parameter.type == "double":
        numbers = np.asarray(values, dtype=np.float64)
        return np.where(np.isfinite(numbers), numbers, FILL)
    if parameter.type == "integer":
        if values.dtype != object:
            return values.astype(np.int32)
        return np.array([INTEGER_FILL if value is None else int(value) for value in values], dtype=np.int32)
    if parameter.type == "isotime":
        times = values.astype("datetime64[us]")
        texts = np.char.add(np.datetime_as_string(times).astype("U26"), "Z")
        return np.where(np.isnat(times), TIME_FILL, texts).astype(f"S{TIME_LENGTH}")
    cut = [_cut("" if value is None else str(value), parameter.bytes) for value in values]
    return np.array(cut, dtype=f"S{parameter.bytes}")


def _cut(text: str, most: int) -> bytes:
    """Text in UTF-8, at most so many bytes of whole characters; without NUL, which ends a text in binary records."""
    return text.replace("\0", "").encode()[:most].decode(errors="ignore").encode()


def csv_records(parameters: Sequence[Parameter], columns: Columns) -> bytes:
    """Lines of CSV; arrays are unrolled."""
    fields: list[pa.Array] = []
    for parameter in parameters:
        fields += _texts(parameter, columns[parameter.name], _csv_text)
    return _joined(fields, "", "\n").encode()


def _texts(parameter: Parameter, values: NDArray[Any], quote: Callable[[pa.Array], pa.Array]) -> list[pa.Array]:
    """Values as text, one column for each element; Arrow writes numbers with the digits that they need."""
    values = filled(parameter, values)
    columns = (values,) if values.ndim == 1 else values.T
    if parameter.type in {"double", "integer"}:
        return [pa.array(np.ascontiguousarray(column)).cast(pa.string()) for column in columns]
    texts = [pa.array([text.decode() for text in column.tolist()], pa.string()) for column in columns]
    return [quote(column) for column in texts]


def _csv_text(texts: pa.Array) -> pa.Array:
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(texts, _NEEDS_QUOTES), quoted, texts)


def _json_text(texts: pa.Array) -> pa.Array:
    return pa.array([json.dumps(text, ensure_ascii=False) for text in texts.to_pylist()], pa.string())


def _joined(fields: Sequence[pa.Array], begin: str, end: str) -> str:
    """Records with commas between their fields."""
    lines = pc.binary_join_element_wise(*fields, ",")
    return "".join(f"{begin}{line}{end}" for line in lines.to_pylist())


def binary_records(parameters: Sequence[Parameter], columns: Columns) -> bytes:
    """Records without separators; texts end with NUL bytes."""
    kinds = {"double": "<f8", "integer": "<i4"}
    fields: list[Any] = []
    for parameter in parameters:
        kind = kinds.get(parameter.type, f"S{parameter.bytes}")
        fields.append((parameter.name, kind) if parameter.size is None else (parameter.name, kind, (parameter.size,)))
    records = np.zeros(columns[parameters[0].name].size, dtype=fields)
    for parameter in parameters:
        records[parameter.name] = filled(parameter, columns[parameter.name])
    return records.tobytes()


def json_records(parameters: Sequence[Parameter], columns: Columns) -> bytes:
    """Elements of the array ``data``, with commas between them; arrays are arrays."""
    fields: list[pa.Array] = []
    for parameter in parameters:
        texts = _texts(parameter, columns[parameter.name], _json_text)
        if parameter.size is not None:
            texts = [pc.binary_join_element_wise("[", pc.binary_join_element_wise(*texts, ","), "]", "")]
        fields += texts
    return _joined(fields, "[", "],\n").removesuffix(",\n").encode()


#: Format → media type and writer.
FORMATS: Mapping[str, tuple[str, Callable[[Sequence[Parameter], Columns], bytes]]] = {
    "csv": ("text/csv; charset=utf-8", csv_records),
    "binary": ("application/octet-stream", binary_records),
    "json": ("application/json; charset=utf-8", json_records),
}


def in_pieces(columns: Iterator[Columns]) -> Iterator[Columns]:
    """The same records, at most `PIECE` at a time, and never none."""
    for values in columns:
        count = len(next(iter(values.values())))
        for begin in range(0, count, PIECE):
            yield {name: column[begin : begin + PIECE] for name, column in values.items()}


def data_pieces(
    form: str, parameters: Sequence[Parameter], columns: Iterator[Columns], header: Mapping[str, Any] | None
) -> Iterator[bytes]:
    """A whole answer of ``data`` in pieces.

    Parameters
    ----------
    form : str
        Of `FORMATS`.
    parameters : sequence of Parameter
    columns : iterator of mapping
        As from `in_pieces`.
    header : mapping or None
        The answer of ``info``, for a header; JSON always has one.
    """
    _, write = FORMATS[form]
    if form == "json":
        yield f'{json.dumps(header, ensure_ascii=False)[:-1]}, "data": [\n'.encode()
        for number, values in enumerate(columns):
            yield (b",\n" if number else b"") + write(parameters, values)
        yield b"\n]}\n"
        return
    if header is not None:
        lines = json.dumps(header, ensure_ascii=False, indent=1).splitlines()
        yield "".join(f"#{line}\n" for line in lines).encode()
    for values in columns:
        yield write(parameters, values)
