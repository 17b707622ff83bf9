"""The values of a JSON file, one at a time, in every form that an exported file has.

Decides: whether a file is gzip (by its first bytes, whatever its name), how its text is encoded (UTF-8, or UTF-16 where
a byte order mark says so, as PowerShell's `>` writes it), and where one value ends: an array, arrays one after the
other, or one value a line. Memory holds one value and what was read beside it, never the file. Cannot tell: what lies
behind the first place that is no JSON; all before it is given.
"""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

CHUNK = 1 << 18
LONGEST = 1 << 25
"""Characters that one value may have; a log entry has less than a million (docs.cloud.google.com/logging/quotas)."""

GZIP = b"\x1f\x8b"
SPACES = " \t\r\n"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WITHIN_A_WORD = 8
"""A cut value's mistake lies this close to the end of what was read, if it is not an unfinished string."""

CUT_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity", ".", "e+", "e-", "E+", "E-")
"""What a value that was cut may end with, from where the parser did not know what to do with it."""

_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """A file cannot be read, or not further; the words say why and follow the file's name in a sentence."""


def values(file: Path) -> Iterator[Any]:
    """The values of a file, in order: those of its arrays, and those outside of any. `Unreadable` where it is none."""
    if not file.is_file():
        raise Unreadable("is a directory, where a file is due" if file.is_dir() else "is no file")
    try:
        with file.open("rb") as opened:
            yield from _Values(_texts(_plain(opened))).all()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or type(error).__name__}") from error


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
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(rest, CHUNK)
                rest = member.unconsumed_tail or member.unused_data
        yield member.flush()
    except zlib.error as error:
        raise Unreadable("is damaged: its gzip data cannot be unpacked") from error
    if not member.eof:
        raise Unreadable("was cut: its gzip data has no end")


def _texts(chunks: Iterator[bytes]) -> Iterator[str]:
    first = next(chunks)
    decoder = codecs.getincrementaldecoder("utf-16" if first.startswith(UTF_16) else "utf-8-sig")("replace")
    yield decoder.decode(first)
    for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


class _Values:
    """Takes values off the front of a text that comes in pieces."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = iter(texts)
        self._text, self._at, self._behind = "", 0, 0

    def all(self) -> Iterator[Any]:
        """Every value; an array's brackets and commas only part them."""
        inside, began = False, False
        while mark := self._peek():
            began = True
            if mark not in "[],":
                yield self._value()
                continue
            if inside == (mark == "["):  # an array in an array, or an end or a comma outside of any
                raise Unreadable(f"is not a list of objects: {mark!r} at character {self._position}")
            inside = mark != "]"
            self._at += 1
        if inside or not began:
            raise Unreadable("was cut: its list has no end" if inside else "is empty")

    @property
    def _position(self) -> int:
        return self._behind + self._at

    def _peek(self) -> str:
        """The next character that is no space; an empty text at the end."""
        while True:
            rest = self._text[self._at : self._at + 1]
            if rest and rest not in SPACES:
                return rest
            if rest:
                self._at += 1
            elif not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, twice as much as is waiting, so that a long value is not begun anew too often."""
        parts, waiting = [self._text[self._at :]], len(self._text) - self._at
        wanted = max(1, 2 * waiting)
        self._behind, self._at = self._position, 0
        came = 0
        for text in self._texts:
            parts.append(text)
            came += len(text)
            if waiting + came >= wanted:
                break
        self._text = "".join(parts)
        return came > 0

    def _value(self) -> Any:
        while True:
            try:
                value, self._at = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                self._read_on(error)
            except RecursionError as error:
                raise Unreadable(f"is nested too deeply at character {self._position}") from error
            else:
                return value

    def _read_on(self, error: json.JSONDecodeError) -> None:
        """Read more where the mistake may be that the value has not ended yet; else say which it is."""
        mistake, rest = self._behind + error.pos, error.doc[error.pos :]
        unended = error.msg.startswith(("Unterminated", r"Invalid \uXXXX"))
        fits = len(self._text) - self._at <= LONGEST
        if fits and (unended or len(rest) <= WITHIN_A_WORD) and self._more():
            return
        if fits and (unended or any(word.startswith(rest) for word in CUT_WORDS)):
            raise Unreadable(f"was cut: the value at character {self._position} has no end") from error
        raise Unreadable(f"is not JSON at character {mistake}") from error
