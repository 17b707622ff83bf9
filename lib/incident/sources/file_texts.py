"""The text of a file, a chunk at a time, whether it is packed and however it is encoded.

Decides: whether a file is gzip (by its first bytes, whatever its name), and how its text is encoded (UTF-8, or UTF-16
where a byte order mark says so, as PowerShell's `>` writes it). Memory holds a chunk. Cannot tell: what bytes meant
that are of no such encoding; each becomes a replacement character.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

CHUNK = 1 << 18
GZIP = b"\x1f\x8b"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Unreadable(Exception):
    """A file cannot be read, or not further; the words say why and follow the file's name in a sentence."""


def texts(opened: BinaryIO) -> Iterator[str]:
    """The text of an opened file; `Unreadable` where its gzip data was cut or damaged, after what came before."""
    return _decoded(_plain(opened))


def _plain(opened: BinaryIO) -> Iterator[bytes]:
    """The content of a file, a chunk at a time, unpacked where it is gzip."""
    first = opened.read(CHUNK)
    chunks = _chunks(first, opened)
    return _unpacked(chunks) if first.startswith(GZIP) else chunks


def _chunks(first: bytes, opened: BinaryIO) -> Iterator[bytes]:
    yield first
    while chunk := opened.read(CHUNK):
        yield chunk


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip, several members too. Python's own reader would drop what came just before a cut."""
    member, rest = zlib.decompressobj(wbits=31), b""
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if member.eof:
                    rest = rest.lstrip(b"\0")  # a tape or a disk pads with them, and gzip itself passes them over
                    if not rest:
                        break
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(rest, CHUNK)
                rest = member.unconsumed_tail or member.unused_data
        yield member.flush()
    except zlib.error as error:
        raise Unreadable("is damaged: its gzip data cannot be unpacked") from error
    if not member.eof:
        raise Unreadable("was cut: its gzip data has no end")


def _decoded(chunks: Iterator[bytes]) -> Iterator[str]:
    first = next(chunks)
    decoder = codecs.getincrementaldecoder("utf-16" if first.startswith(UTF_16) else "utf-8-sig")("replace")
    yield decoder.decode(first)
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)
