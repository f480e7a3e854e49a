"""Searches in SOAR, the Solar Orbiter Archive of ESA, by its query language: TAP with ADQL.

It answers ``{"metadata": [{"name": …}], "data": [[…]]}``. Files have an id of the product without its version; the
address of an id gives the latest version.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np

from archive import InvalidName, parse_file_name
from jobs.fetch.client import WANTED, RemoteFile
from jobs.fetch.transport import RemoteFault, Transport, require_http
from stixcore.times import format_time

log = logging.getLogger(__name__)

#: Server of ESA, and the folder of the service on a server.
SERVER, FOLDER = "https://soar.esac.esa.int", "soar-sl-tap"
#: Time range of one query: its answer stays far below the limit of rows of a TAP service (2000 in many).
SPAN = np.timedelta64(10, "D")
#: What an archive's service adds to the product in a name if two files have the same name otherwise.
_SUPPLEMENT = re.compile(r"-sup\d{1,3}(?=_)", re.ASCII)
_ITEM = re.compile(r"[A-Za-z0-9_.+-]{1,150}", re.ASCII)


def search(
    start: np.datetime64,
    end: np.datetime64,
    base_url: str,
    transport: Transport,
    wanted: Sequence[tuple[str, str, tuple[str, ...]]] = WANTED,
) -> list[RemoteFile]:
    """Search for the wanted files that overlap a time range; names that are not of STIX are refused with a warning.

    Parameters
    ----------
    start, end : datetime64
        UTC at Solar Orbiter.
    base_url : str
        Server with the folder ``soar-sl-tap``; that of ESA by default.
    transport : Transport
    wanted : sequence
        Level, kind of data, products.

    Raises
    ------
    RemoteFault
        When the server fails, or its answer is not a table with the expected columns.
    """
    base = f"{(base_url or SERVER).rstrip('/')}/{FOLDER}"
    require_http(base)
    found: dict[str, RemoteFile] = {}
    products = {(level, product) for level, _, names in wanted for product in names}
    for level in dict.fromkeys(level for level, _ in sorted(products)):
        for first, last in _spans(start, end):
            query = (
                "SELECT filename, data_item_id, filesize FROM v_sc_data_item "  # noqa: S608 - levels and times of ours
                f"WHERE instrument='STIX' AND level='{level}' "
                f"AND begin_time<='{adql_time(last)}' AND end_time>='{adql_time(first)}'"
            )
            for file in _files(base, ask(base, query, transport)):
                known = found.setdefault(file.name.name, file)
                if known.url != file.url:
                    log.warning("%s: %s has the same name as %s", file.name.name, file.url, known.url)
    return [
        found[name]
        for name in sorted(found)
        if (found[name].name.level, found[name].name.product.replace("-", "_")) in products
    ]


def ask(base: str, query: str, transport: Transport) -> list[dict[str, Any]]:
    """Rows of the answer to one query.

    Parameters
    ----------
    base : str
        Address of the service, ``https://host/soar-sl-tap``.
    query : str
        ADQL.
    transport : Transport

    Raises
    ------
    RemoteFault
        When the server fails, or the answer is not a table in JSON.
    """
    parameters = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "json", "QUERY": query}
    content = transport.page(f"{base}/tap/sync?{urlencode(parameters)}")
    try:
        answer = json.loads(content)
        names = [str(column["name"]) for column in answer["metadata"]]
        return [dict(zip(names, row, strict=True)) for row in answer["data"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"{base}/tap/sync: the answer is not a table in JSON: {type(error).__name__} {error}"
        raise RemoteFault(message) from error


def file_address(base: str, item: str) -> str:
    """Address of the latest version of a file, by its id."""
    which = {"retrieval_type": "LAST_PRODUCT", "product_type": "SCIENCE", "data_item_id": item}
    return f"{base}/data?{urlencode(which)}"


def adql_time(time: np.datetime64) -> str:
    """A time in a query."""
    return format_time(time).replace("T", " ")


def _spans(start: np.datetime64, end: np.datetime64) -> Iterator[tuple[np.datetime64, np.datetime64]]:
    first = start.astype("datetime64[us]")
    while first <= end:
        last = min(first + SPAN, end.astype("datetime64[us]"))
        yield first, last
        first = last + np.timedelta64(1, "us")


def _files(base: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[RemoteFile]:
    """Files with a name of STIX, of a product that the archive keeps."""
    for row in rows:
        try:
            text, item, size = str(row["filename"]), str(row["data_item_id"]), row["filesize"]
        except KeyError as error:
            message = f"{base}/tap/sync: the column {error} is missing in the answer"
            raise RemoteFault(message) from error
        try:
            name = parse_file_name(_SUPPLEMENT.sub("", text))
        except InvalidName:
            log.warning("%s: refused the file name %.80r", base, text)
            continue
        if not _ITEM.fullmatch(item):
            log.warning("%s: refused the id %.80r of %s", base, item, name.name)
        elif name.kind is not None:
            whole = isinstance(size, int) and not isinstance(size, bool) and size >= 0
            yield RemoteFile(name, file_address(base, item), size if whole else None)
