"""Downloads of single files that resume after an interruption, and are complete and intact when they get their name."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import numpy as np
from requests import Response

from archive.atomic import write_text
from archive.ingest.describe import MAX_BYTES, describe
from archive.regular_files import append_to_regular, open_regular
from jobs.fetch.transport import BadStatus, Headers, RemoteFault, Transport, last_modified
from stixcore.errors import InvalidProduct

log = logging.getLogger(__name__)

#: Prefix of the hidden name of a download; ingest skips hidden names.
PARTIAL = ".fetch-"
_BLOCK = 1 << 16
#: Longest note beside a download, byte.
_NOTE_BYTES = 1 << 16


def download(url: str, target: Path, transport: Transport) -> int:
    """Download one file, resuming an interrupted transfer; returns its size, byte.

    It is written under a hidden name and renamed when it is complete: length and digest agree with the headers, where
    the server sends them, and the FITS checksums are correct. A file with wrong checksums is downloaded once more from
    the start; if they are still wrong, ingest quarantines it.

    Raises
    ------
    RemoteFault
        When the download fails. The part that arrived is kept for the next call.
    """
    partial = _Partial(target.with_name(PARTIAL + target.name))
    for last in (False, True):
        headers = transport.with_retries(url, lambda: partial.resume(url, transport))
        if last or not _is_damaged(partial.path):
            break
        log.warning("%s: wrong checksums, downloading it once more", target.name)
        partial.discard()
    modified = last_modified(headers)
    if modified is not None:  # old enough for ingest to judge
        os.utime(partial.path, (modified, modified), follow_symlinks=False)
    size = partial.path.lstat().st_size
    partial.path.replace(target)
    partial.discard()
    return size


def _is_damaged(path: Path) -> bool:
    """Whether a file is not a valid product."""
    try:
        describe(path, "", np.datetime64(0, "us"))
    except (InvalidProduct, ArithmeticError, LookupError, MemoryError, TypeError, ValueError):
        return True
    return False


@dataclass
class _Partial:
    """A transfer that may have started earlier: its bytes, and a note beside them of the URL and the validator."""

    path: Path

    @property
    def _note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def discard(self) -> None:
        """Remove the bytes and the note."""
        for path in (self.path, self._note):
            path.unlink(missing_ok=True)

    def resume(self, url: str, transport: Transport) -> Headers:
        """Try once to get the rest, or all of it; returns the response headers."""
        have, validator = self._state(url)
        wanted = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
        try:
            with transport.request(url, wanted) as response:
                return self._take(url, response, have, transport)
        except BadStatus as error:
            answer = error.response
            if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if answer.headers.get("Content-Range") == f"bytes */{have}":
                return answer.headers  # it was complete
            self.discard()
            message = f"the server no longer has byte {have} of it"
            raise ConnectionError(message) from None

    def _take(self, url: str, response: Response, have: int, transport: Transport) -> Headers:
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self.discard()
                message = f"the server sent another part: {response.headers.get('Content-Range')}"
                raise ConnectionError(message)
        else:  # from the start: nothing was there, or the file has changed
            have = 0
            self._begin(url, response.headers)
        self._receive(response, have, transport)
        _check_digest(self.path, response.headers)
        return response.headers

    def _state(self, url: str) -> tuple[int, str]:
        """Number of bytes that arrived earlier, and the validator of the file they belong to."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            with open_regular(self._note) as stream:
                note = json.loads(stream.read(_NOTE_BYTES))
            if note["url"] == url and note["validator"]:
                with open_regular(self.path) as stream:
                    return os.fstat(stream.fileno()).st_size, str(note["validator"])
        self.discard()
        return 0, ""

    def _begin(self, url: str, headers: Headers) -> None:
        etag = headers.get("ETag", "")  # a weak one does not promise the same bytes
        validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
        self.path.unlink(missing_ok=True)
        write_text(self._note, json.dumps({"url": url, "validator": validator}))

    def _receive(self, response: Response, have: int, transport: Transport) -> None:
        """Append the body; urllib3 raises if it is shorter than its Content-Length."""
        policy, begin, came = transport.policy, transport.clock(), 0
        self._refuse_oversize(have + (response.raw.length_remaining or 0))
        with append_to_regular(self.path) as stream:
            # not iter_content, which waits for whole blocks: a slow server would pass unnoticed for minutes
            while block := response.raw.read1(_BLOCK, decode_content=False):
                stream.write(block)
                came += len(block)
                self._refuse_oversize(have + came)
                spent = transport.clock() - begin
                if spent > policy.patience_s and came < policy.slowest * spent:
                    message = f"{came} bytes in {spent:.0f} s are too slow"
                    raise TimeoutError(message)
            stream.flush()
            os.fsync(stream.fileno())

    def _refuse_oversize(self, size: int) -> None:
        if size > MAX_BYTES:
            self.discard()
            message = f"{self.path.name} has more than {MAX_BYTES} bytes, the limit for a file of STIX"
            raise RemoteFault(message)


def _check_digest(path: Path, headers: Headers) -> None:
    """Compare with the digest in the headers, if any (RFC 9530, RFC 3230, RFC 1864)."""
    for expected, algorithm in _digests(headers):
        with open_regular(path) as stream:
            found = hashlib.file_digest(stream, algorithm).digest()
        if found != expected:
            path.unlink()
            message = f"the {algorithm} digest differs from the one in the headers"
            raise ConnectionError(message)


def _digests(headers: Headers) -> Iterator[tuple[bytes, str]]:
    for field in ("Repr-Digest", "Digest"):
        for entry in headers.get(field, "").split(","):
            name, _, value = entry.strip().partition("=")
            if name.lower() == "sha-256":
                with suppress(binascii.Error):
                    yield base64.b64decode(value.strip(":")), "sha256"
    if "Content-MD5" in headers and "Content-Range" not in headers:
        with suppress(binascii.Error):
            yield base64.b64decode(headers["Content-MD5"]), "md5"
