"""The values of a JSON file, one or many at a time, in every form that an exported file has.

Decides: where one value ends, in an array, in arrays one after the other, or one value a line. Memory holds a chunk of
the file and one value, never the file. Cannot tell: what lies behind the first place that is no JSON; all before it is
given.

Many values are read at once from one value's start to some value's end. Where a value may have ended is guessed, by
what stood between the two values before; that it has ended is known, since the text up to there, in brackets, is
JSON only then. Where no guess holds, values are read one by one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from incident.sources.file_texts import Unreadable, texts

Decoded = TypeVar("Decoded")
Made = TypeVar("Made")

AT_ONCE = 4000
"""Values of which one thing is made: each has its own cost beside that of the values."""

LONGEST = 1 << 25
"""Characters that one value may have; a log entry has less than a million (docs.cloud.google.com/logging/quotas)."""

SPACES = " \t\r\n"
WITHIN_A_WORD = 8
"""A cut value's mistake lies this close to the end of what was read, if it is not an unfinished string."""

CUT_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity", ".", "e+", "e-", "E+", "E-")
"""What a value that was cut may end with, from where the parser did not know what to do with it."""

GUESSES = 8
"""How many ends of a value are tried in what was read, the last first."""

_DECODER = json.JSONDecoder()
_EACH = msgspec.json.Decoder(list[msgspec.Raw])


class Refused(NamedTuple):
    """One value that could not be read, as its text: JSON, but not of the kind that is due."""

    text: str


class Piece(NamedTuple, Generic[Decoded]):
    """Some values that follow each other: the text of an array of them, and the values."""

    text: str
    values: list[Decoded]


Decode = Callable[[str], list[Decoded]]
Make = Callable[[list[Decoded]], Made]
Refusals = tuple[type[Exception], ...]


def values(file: Path) -> Iterator[Any]:
    """The values of a file, in order: those of its arrays, and those outside of any. `Unreadable` where it is none."""
    for piece in pieces(file, _DECODER.decode, (ValueError, RecursionError)):
        yield from [_DECODER.decode(piece.text)] if isinstance(piece, Refused) else piece.values


def parts(
    file: Path, decode: Decode[Decoded], make: Make[Decoded, Made], refusals: Refusals
) -> Iterator[Made | Refused]:
    """What `make` makes of a file's values, thousands at a time; `decode` gives the values of a JSON array's text.

    Where one of the two raises one of `refusals`, it is asked again for fewer values; the single value that it refuses
    comes as `Refused`. Nothing is left out and nothing comes twice, and the order is the file's. `Unreadable` as in
    `values`, after all that came before.
    """
    waiting: list[Piece[Decoded]] = []
    try:
        for piece in pieces(file, decode, refusals):
            if isinstance(piece, Piece):
                waiting.append(piece)
            if isinstance(piece, Refused) or sum(len(each.values) for each in waiting) >= AT_ONCE:
                held, waiting = waiting, []
                yield from _made(held, decode, make, refusals)
            if isinstance(piece, Refused):
                yield piece
    except Unreadable:
        yield from _made(waiting, decode, make, refusals)
        raise
    yield from _made(waiting, decode, make, refusals)


def _made(
    waiting: Sequence[Piece[Decoded]], decode: Decode[Decoded], make: Make[Decoded, Made], refusals: Refusals
) -> Iterator[Made | Refused]:
    """What `make` makes of some pieces, in as many parts as it takes."""
    try:
        made = [make([value for piece in waiting for value in piece.values])] if waiting else []
    except refusals:
        for piece in waiting:
            yield from _in_parts(_texts_of(piece.text), lambda text: make(decode(text)), refusals)
    else:
        yield from made


def _in_parts(texts: Sequence[str], read: Callable[[str], Made], refusals: Refusals) -> Iterator[Made | Refused]:
    """What `read` makes of the text of an array of some values, in as many parts as it takes."""
    try:
        part = read(f"[{','.join(texts)}]")
    except refusals:
        if len(texts) == 1:
            yield Refused(texts[0])
            return
        middle = len(texts) // 2
        yield from _in_parts(texts[:middle], read, refusals)
        yield from _in_parts(texts[middle:], read, refusals)
    else:
        yield part


def _texts_of(text: str) -> list[str]:
    """The text of each value of an array's text."""
    return [bytes(value).decode() for value in _EACH.decode(text)]


def pieces(file: Path, decode: Decode[Decoded], refusals: Refusals) -> Iterator[Piece[Decoded] | Refused]:
    """The values of a file, about a chunk of it at a time; else as `parts`."""
    if not file.is_file():
        raise Unreadable("is a directory, where a file is due" if file.is_dir() else "is no file")
    try:
        with file.open("rb") as opened:
            yield from _Values(texts(opened), decode, refusals).all()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or type(error).__name__}") from error


class _Values(Generic[Decoded]):
    """Takes values off the front of a text that comes in pieces."""

    def __init__(self, texts: Iterable[str], decode: Decode[Decoded], refusals: Refusals) -> None:
        self._texts, self._decode, self._refusals = iter(texts), decode, refusals
        self._text, self._at, self._behind = "", 0, 0
        self._ended, self._single = -1, 0
        """Where the last value ended, and up to where values are read one by one: places in the file."""
        self._between = ""
        """The last mark of a value, what stood between it and the next value, and the first mark of that."""

    def all(self) -> Iterator[Piece[Decoded] | Refused]:
        """Every value; an array's brackets and commas only part them."""
        inside, began = False, False
        while mark := self._peek():
            began = True
            if mark not in "[],":
                self._learn()
                yield from self._many(inside) or _in_parts([self._value()], self._piece, self._refusals)
                self._ended = self._position
                continue
            if inside == (mark == "["):  # an array in an array, or an end or a comma outside of any
                raise Unreadable(f"is not a list of objects: {mark!r} at character {self._position}")
            inside = mark != "]"
            self._at += 1
        if inside or not began:
            raise Unreadable("was cut: its list has no end" if inside else "is empty")

    def _piece(self, text: str) -> Piece[Decoded]:
        return Piece(text, self._decode(text))

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

    def _learn(self) -> None:
        """Keep what stands between the last value and the one that begins here, where no text can hold it."""
        end = self._ended - self._behind
        between = self._text[end - 1 : self._at + 1] if 0 < end < self._at else ""
        if between[1:-1].strip(SPACES) == "," or (between[1:-1].isspace() and "\n" in between):
            self._between = between

    def _many(self, inside: bool) -> list[Piece[Decoded] | Refused]:
        """The values that are whole in what was read, if several are; none where the guesses fail."""
        if not self._between or self._position < self._single or inside != ("," in self._between):
            return []
        for again in (True, False):
            end = len(self._text)
            for _ in range(GUESSES):
                end = self._text.rfind(self._between, self._at, end)
                if end < 0:
                    break
                if came := self._whole(self._text[self._at : end + 1], inside):
                    self._at = end + 1
                    return came
            if end >= 0 or not (again and self._more()):
                break
        self._single = self._behind + len(self._text)
        return []

    def _whole(self, text: str, inside: bool) -> list[Piece[Decoded] | Refused]:
        """A text's values if it is whole values, parted as the two before; else nothing."""
        values = text if inside else text.replace(self._between, f"{self._between[0]},{self._between[-1]}")
        try:
            return [self._piece(f"[{values}]")]
        except self._refusals:
            pass
        try:
            texts = _texts_of(f"[{values}]")
        except (msgspec.MsgspecError, RecursionError):
            return []
        return list(_in_parts(texts, self._piece, self._refusals))

    def _value(self) -> str:
        """The text of the value that begins here."""
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                self._read_on(error)
            except RecursionError as error:
                raise Unreadable(f"is nested too deeply at character {self._position}") from error
            else:
                text, self._at = self._text[self._at : end], end
                return text

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
