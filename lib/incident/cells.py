"""Text laid out in the cells of a terminal: measured, cut, padded and wrapped.

Decides: how many cells a character takes, 0, 1 or 2 (Unicode Standard Annex 11, East Asian Width). Reads: text only.
Cannot tell: how a terminal draws a sequence that is one picture, such as a family; it is laid out as its members.
"""

from __future__ import annotations

import unicodedata

from incident.http1 import printable


def cells(text: str) -> int:
    """The cells of a terminal that a printable text takes.

    >>> cells("abc"), cells("日本"), cells("e\\u0301"), cells("🙂")
    (3, 4, 1, 2)
    """
    return sum(map(_cells, text))


def _cells(character: str) -> int:
    """0 for what is drawn on the character before it, among it the later letters of a Korean syllable."""
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, size: int) -> str:
    """A text made printable, cut with an ellipsis or padded to `size` cells.

    >>> fitted("日本語の名前", 7) + "|"
    '日本語…|'
    """
    text = printable(text, 8 * size)  # marks without width could go on for ever
    if cells(text) > size:
        text = _beginning(text, size - 1) + "…"
    return text + " " * (size - cells(text))


def _beginning(text: str, size: int) -> str:
    """As much of a text as `size` cells hold."""
    taken = 0
    for at, character in enumerate(text):
        taken += _cells(character)
        if taken > size:
            return text[:at]
    return text


def wrapped(text: str, size: int) -> list[str]:
    """A text in lines of at most `size` cells, broken at spaces, and within a word that is longer than a line.

    >>> wrapped("not trusted: self-signed", 14)
    ['not trusted:', 'self-signed']
    """
    lines = [""]
    for word in text.split():
        if lines[-1] and cells(lines[-1]) + 1 + cells(word) <= size:
            lines[-1] += f" {word}"
            continue
        while cells(word) > size:
            lines.append(_beginning(word, size))
            word = word[len(lines[-1]) :]
        lines.append(word)
    return [line for line in lines if line]
