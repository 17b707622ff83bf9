"""Which distinct masked lines are one, because they differ only in words that vary.

Decides: in which places of a line a word is a value. Reads: the set of distinct lines; a line counts once, however
often it occurred, and sorting comes first, so that neither order nor weight changes an answer. Lines are compared with
lines of the same skeleton alone: the same number of words, and the same blanks and punctuation between them. Three
rules: many words in one place while all else is equal; a word beside `*` in that place, where it has a `*` in it itself
or follows a `=`; and several places at once, where each has many words that few lines share, VALUES for every place.
Cannot tell: a word that varies from one that does not, before VALUES different ones were seen; a value of several words
from a sentence, even in quotes, since a logger's `msg="…"` is a sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

VALUES: Final = 5
"""How many different words in one place, all else being equal, make that place a value."""

WORDS: Final = 2
"""How many words of letters must stay beside a value: a line that is all values says nothing."""

COMPARED: Final = 64
"""How many words of a line are compared; what follows must be equal as it stands."""

PLAIN: Final = r"[^\s=,()\[\]{}\"'|;<>:]"
WORD: Final = re.compile(rf"((?:[^\W_]|\*){PLAIN}*(?:[':]{PLAIN}+)*)")
LETTERS: Final = re.compile(r"[^\W\d_]{2}")
VARIES: Final = "*"
VALUE: Final = 0  # the number of the word `*`
GAP: Final = "\0"

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Marks = npt.NDArray[np.bool_]


class Forms(NamedTuple):
    """Lines as numbers, the words of all lines one after another.

    One a word: `line`, `place` in the line, `word` by its number, and whether a `=` precedes it (`assigned`). One a
    line: `skeleton`, `start` of its words. One for each different word: whether it has letters, and whether a `*`.
    """

    line: Numbers
    place: Numbers
    word: Numbers
    assigned: Marks
    skeleton: Hashes
    start: Numbers
    has_letters: Marks
    is_partial: Marks


def merged(texts: Iterable[str]) -> dict[str, str]:
    """What each distinct text becomes, with `*` where a word varies among the texts.

    >>> set(merged(f"no such room {name}" for name in ["ann", "bob", "cid", "dan", "eve"]).values())
    {'no such room *'}
    """
    # What stands between words, and words, in turns; the first and the last stand between.
    lines = {text: WORD.split(text, COMPARED) for text in sorted(set(texts))}
    skeletons = {text: GAP.join(tokens[::2]) for text, tokens in lines.items()}
    often = Counter(skeletons.values())
    compared = [text for text, skeleton in skeletons.items() if often[skeleton] > 1 and GAP in skeleton]
    answers = {text: text for text in lines}
    if compared:
        forms = _forms([lines[text] for text in compared], [skeletons[text] for text in compared])
        is_value = _settled(forms).word == VALUE
        for text, marks in zip(compared, np.split(is_value, forms.start[1:]), strict=True):
            if marks.any():
                answers[text] = _rewritten(lines[text], marks)
    return answers


# Lines as numbers.


def _rewritten(tokens: list[str], marks: Marks) -> str:
    words = [VARIES if mark else word for word, mark in zip(tokens[1::2], marks.tolist(), strict=True)]
    return "".join(chain.from_iterable(zip(tokens[::2], [*words, ""], strict=True)))


def _forms(lines: list[list[str]], skeletons: list[str]) -> Forms:
    numbers, kinds = {VARIES: VALUE}, dict[str, int]()
    word = [numbers.setdefault(token, len(numbers)) for tokens in lines for token in tokens[1::2]]
    assigned = [between[-1:] == "=" for tokens in lines for between in tokens[:-1:2]]
    skeleton = [kinds.setdefault(each, len(kinds)) for each in skeletons]
    length = np.array([len(tokens) // 2 for tokens in lines])
    start = np.cumsum(length) - length
    line = np.repeat(np.arange(len(lines)), length)
    return Forms(
        line, np.arange(len(word)) - start[line], np.array(word), np.array(assigned), np.array(skeleton, np.uint64),
        start, np.array([LETTERS.search(each) is not None for each in numbers]),
        np.array([VARIES in each for each in numbers]),
    )  # fmt: skip


# Where words vary.


def _settled(forms: Forms) -> Forms:
    """Marks values until nothing more is found: alone, then together, by words of one line, of two, four and so on."""
    forms, rare = _alone(forms), 1
    while rare * VALUES <= len(forms.skeleton):
        together = _with_values(forms, rare)
        forms = forms if together is forms else _alone(together)
        rare *= 2
    return forms


def _alone(forms: Forms) -> Forms:
    while (changed := _with_values(forms, 0)) is not forms:
        forms = changed
    return forms


def _with_values(forms: Forms, rare: int) -> Forms:
    """The forms with one rule applied, on each different line once; the same object where it finds nothing."""
    _, first, which = np.unique(_hashes(forms), return_index=True, return_inverse=True)
    distinct = _taken(forms, first)
    found = _vary_together(distinct, rare) if rare else _vary_alone(distinct)
    if not found.any():
        return forms
    marks = found[distinct.start[which[forms.line]] + forms.place]
    return forms._replace(word=np.where(marks, VALUE, forms.word))


def _taken(forms: Forms, lines: Numbers) -> Forms:
    """Some of the lines, as forms of their own."""
    length = np.diff(forms.start, append=len(forms.line))[lines]
    start = np.cumsum(length) - length
    line = np.repeat(np.arange(len(lines)), length)
    where = np.arange(len(line)) - start[line] + forms.start[lines][line]
    return forms._replace(
        line=line, place=forms.place[where], word=forms.word[where], assigned=forms.assigned[where],
        skeleton=forms.skeleton[lines], start=start,
    )  # fmt: skip


def _vary_alone(forms: Forms) -> Marks:
    """The words that are values: all else in the line being equal, many are seen there, or `*` is one of them."""
    rest = _hashes(forms)[forms.line] - _mixed(forms.place, forms.word) + _mixed(forms.place, -1)
    _, family, count = np.unique(rest, return_inverse=True, return_counts=True)
    is_value = forms.word == VALUE
    beside_value = np.bincount(family, is_value)[family] > 0
    all_partial = (np.bincount(family, forms.is_partial[forms.word]) == count)[family]
    known = beside_value & (all_partial | forms.assigned)
    letters = forms.has_letters[forms.word]
    enough = _sums(forms, letters)[forms.line] - letters >= WORDS
    marks: Marks = ((count[family] >= VALUES) | known) & enough & ~is_value
    return marks


def _vary_together(forms: Forms, rare: int) -> Marks:
    """The words that are values together: at most `rare` lines have each there, and the lines are else equal.

    Each place must show many different words, the more the more places there are, since that different sentences are
    alike by chance is then likelier; and at least as many words of letters must stay as are taken out.
    """
    token = forms.skeleton[forms.line] * np.uint64(len(forms.has_letters)) + _mixed(forms.place, forms.word)
    _, kind, count = np.unique(token, return_inverse=True, return_counts=True)
    is_rare = (count[kind] <= rare) & (forms.word != VALUE)
    shape = _spread(forms.skeleton) + _sums(forms, _mixed(forms.place, np.where(is_rare, -1, forms.word)))
    _, family = np.unique(shape, return_inverse=True)
    fewest = _fewest(family[forms.line[is_rare]], forms.place[is_rare], forms.word[is_rare], len(shape))[family]
    left, out = _sums(forms, forms.has_letters[forms.word] & ~is_rare), _sums(forms, is_rare)
    marks: Marks = is_rare & ((fewest >= VALUES * out) & (left >= np.maximum(WORDS, out)))[forms.line]
    return marks


def _fewest(family: Numbers, place: Numbers, word: Numbers, families: int) -> Numbers:
    """Of each family, how many different words the place with the fewest has."""
    fewest = np.zeros(families, np.int64)
    seen = np.unique(np.stack([family, place, word]), axis=1)
    (numbers, _), distinct = np.unique(seen[:2], axis=1, return_counts=True)
    fewest[numbers] = np.iinfo(np.int64).max
    np.minimum.at(fewest, numbers, distinct)
    return fewest


# Equality of lines as equality of numbers.


def _hashes(forms: Forms) -> Hashes:
    """A number a line, equal where skeleton and words are."""
    return _spread(forms.skeleton) + _sums(forms, _mixed(forms.place, forms.word))


def _sums(forms: Forms, values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """The sum of a value a word over each line; hashes wrap around."""
    kind = np.int64 if values.dtype == np.bool_ else values.dtype
    return np.add.reduceat(values.astype(kind), forms.start)


def _mixed(place: Numbers, word: Numbers | int) -> Hashes:
    pairs = (place << 32) + word + (1 << 62)
    return _spread(pairs.astype(np.uint64))


def _spread(value: Hashes) -> Hashes:
    """splitmix64: well-spread numbers, so that sums of them are equal only where the sets that were summed are."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = (value ^ (value >> np.uint64(shift))) * np.uint64(factor)
    return value ^ (value >> np.uint64(31))
