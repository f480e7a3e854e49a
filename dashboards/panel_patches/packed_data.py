"""Compressed data in a message is unpacked up to a limit.

Bokeh unpacks the gzip data in a message from a browser whatever its size: 1 MB of packed zeros becomes 1 GB. The
smallest program that shows it::

    packed = base64.b64encode(gzip.compress(bytes(1_000_000_000)))
    Deserializer().deserialize({"type": "bytes", "data": packed.decode()})

Bokeh 3.10.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any

from bokeh.core.serialization import DeserializationError, Deserializer


def limit_unpacked_data(most: int) -> None:
    """Unpack at most ``most`` bytes per value of a message in this process."""
    decode: Any = Deserializer._decode_bytes

    def decode_bytes(self: Deserializer, value: Any) -> Any:
        packed = value.get("data")
        return unpacked(base64.b64decode(packed), most) if isinstance(packed, str) else decode(self, value)

    Deserializer._decode_bytes = decode_bytes  # type: ignore[method-assign, assignment]


def unpacked(content: bytes, most: int) -> bytes:
    """Content of a gzip stream.

    Parameters
    ----------
    content : bytes
    most : int, byte
        Largest result.

    Raises
    ------
    DeserializationError
        If the result is larger, or ``content`` is damaged.
    """
    try:
        unpacking = zlib.decompressobj(wbits=31)
        result = unpacking.decompress(content, most)
    except zlib.error as error:
        message = f"packed data is damaged: {error}"
        raise DeserializationError(message) from error
    if unpacking.unconsumed_tail or not unpacking.eof:
        message = f"packed data is damaged, or larger than {most} bytes"
        raise DeserializationError(message)
    return result
