"""Which distinct masked lines are one, because they differ only in words that vary.

Decides: in which places of a line a word is a value. Reads: the set of distinct lines; a line counts once, however
often it occurred, and nothing depends on their order. Lines are compared with lines of the same skeleton alone: the
same number of words, and the same blanks and punctuation between them. Three rules: many words in one place while all
else is equal; a word beside `*` in that place, where it has a `*` in it itself or follows a `=`; and several places at
once, where each has many words that few lines share, VALUES for every place.
Cannot tell: a word that varies from one that does not, before VALUES different ones were seen; a value of several words
from a sentence, even in quotes, since a logger's `msg="…"` is a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

VALUES: Final = 5
"""How many different words in one place, all else being equal, make that place a value."""

WORDS: Final = 2
"""How many words of letters must stay beside a value: a line that is all values says nothing."""

COMPARED: Final = 64
"""How many words of a line are compared; what follows must be equal as it stands."""

PLAIN: Final = r"[^\s=,()\[\]{}\"'|;<>:\x00]"
WORD: Final = rf"[\p{{L}}\p{{N}}*]{PLAIN}*(?:[':]{PLAIN}+)*"
LETTERS: Final = r"\p{L}{2}"
VARIES: Final = "*"
VALUE: Final = 0  # the number of the word `*`
CUT: Final = "\0"

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Marks = npt.NDArray[np.bool_]


class Forms(NamedTuple):
    """Different lines as numbers, the words of all lines one after another.

    One a word: `line`, `place` in the line, `word` by its number, and whether a `=` precedes it (`assigned`). One a
    line: `source`, the number of a text of this form, its `skeleton`, and the `start` of its words. One for each
    different word: whether it has letters, and whether a `*`.
    """

    line: Numbers
    place: Numbers
    word: Numbers
    assigned: Marks
    source: Numbers
    skeleton: Hashes
    start: Numbers
    has_letters: Marks
    is_partial: Marks


def merged(lines: pa.Array) -> pa.Array:
    """What each of these distinct lines becomes, in their order, with `*` where a word varies among them.

    >>> rooms = pa.array([f"no such room {name}" for name in ["ann", "bob", "cid", "dan", "eve"]])
    >>> merged(rooms).unique().to_pylist()
    ['no such room *']
    """
    lines = lines.cast(pa.large_string())
    parts = _parts(lines)
    every = _forms(parts)
    if not len(every.source):
        return lines
    forms, which = _settled(every)
    wholes = pa.array([_rewritten(parts, forms, number) for number in range(len(forms.source))], pa.large_string())
    is_new = _sums(forms, forms.word == VALUE)[which] > _sums(every, every.word == VALUE)
    group = np.full(len(lines), -1)
    group[every.source[is_new]] = which[is_new]
    return pc.coalesce(wholes.take(pa.array(group, mask=group < 0)), lines)


# Lines as numbers.


def _parts(lines: pa.Array) -> pa.Array:
    """Lists, one a line: what stands between words, and words, in turns; the first and the last stand between."""
    marked = pc.replace_substring_regex(pc.replace_substring(lines, CUT, "\ufffd"), WORD, rf"{CUT}\0{CUT}")
    return pc.split_pattern(marked, CUT)


def _rewritten(parts: pa.Array, forms: Forms, number: int) -> str:
    """The text of a form: that of its source, with the values that are now known."""
    tokens = parts[forms.source[number].item()].as_py()
    own = slice(forms.start[number], None if number + 1 == len(forms.start) else forms.start[number + 1])
    for place in forms.place[own][forms.word[own] == VALUE].tolist():
        tokens[2 * place + 1] = VARIES
    return "".join(tokens)


def _forms(parts: pa.Array) -> Forms:
    """The lines that have a word, and share their skeleton with another."""
    token, dictionary = _numbered(parts.flatten())
    length = np.diff(parts.offsets.to_numpy())
    line = np.repeat(np.arange(len(parts)), length)
    turn = np.arange(len(token)) - (np.cumsum(length) - length)[line]
    is_compared = (turn % 2 == 1) & (turn < 2 * COMPARED)
    skeleton = np.zeros(len(parts), np.uint64)
    np.add.at(skeleton, line[~is_compared], _mixed(turn[~is_compared], token[~is_compared]))
    _, kind, often = np.unique(skeleton, return_inverse=True, return_counts=True)
    is_compared &= (often[kind] > 1)[line]
    source, number, words = np.unique(line[is_compared], return_inverse=True, return_counts=True)
    assigned = np.roll(_marks(pc.ends_with(dictionary, "="))[token], 1)
    return Forms(
        number, turn[is_compared] // 2, token[is_compared], assigned[is_compared],
        source, skeleton[source], np.cumsum(words) - words,
        _marks(pc.match_substring_regex(dictionary, LETTERS)), _marks(pc.match_substring(dictionary, VARIES)),
    )  # fmt: skip


def _numbered(tokens: pa.Array) -> tuple[Numbers, pa.Array]:
    """The number of each token, and the different tokens by their numbers, of which VALUE is `*`."""
    with_value = pa.concat_arrays([pa.array([VARIES], pa.large_string()), tokens])
    encoded = with_value.dictionary_encode()
    return encoded.indices.to_numpy()[1:].astype(np.int64), encoded.dictionary


def _marks(answers: pa.Array) -> Marks:
    marks: Marks = answers.to_numpy(zero_copy_only=False)
    return marks


# Where words vary.


def _settled(forms: Forms) -> tuple[Forms, Numbers]:
    """The forms that are left when no rule finds more, and which of them each line has become.

    Words that vary together are sought among those that at most a fifth of a skeleton's lines have, then a tenth, and
    so on: the most general sentence comes first, so that no line of it is left over.
    """
    which, share, last = np.arange(len(forms.source)), VALUES, len(forms.source)
    forms, which = _applied(_vary_alone, forms, which)
    while share <= last:
        forms, which = _applied(partial(_vary_together, share=share), forms, which)
        forms, which = _applied(_vary_alone, forms, which)
        share *= 2
    return forms, which


def _applied(rule: Callable[[Forms], Marks], forms: Forms, which: Numbers) -> tuple[Forms, Numbers]:
    """A rule applied until it finds nothing more; lines that have become equal are one from then on."""
    while (found := rule(forms)).any():
        marked = forms._replace(word=np.where(found, VALUE, forms.word))
        _, first, step = np.unique(_hashes(marked), return_index=True, return_inverse=True)
        forms, which = _taken(marked, first), step[which]
    return forms, which


def _taken(forms: Forms, lines: Numbers) -> Forms:
    """Some of the lines, as forms of their own."""
    length = np.diff(forms.start, append=len(forms.line))[lines]
    start = np.cumsum(length) - length
    line = np.repeat(np.arange(len(lines)), length)
    where = np.arange(len(line)) - start[line] + forms.start[lines][line]
    return forms._replace(
        line=line, place=forms.place[where], word=forms.word[where], assigned=forms.assigned[where],
        source=forms.source[lines], skeleton=forms.skeleton[lines], start=start,
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


def _vary_together(forms: Forms, share: int) -> Marks:
    """The words that are values together: one in `share` lines of a skeleton at most has each there, all else equal.

    Each place must show many different words, the more the more places there are, since that different sentences are
    alike by chance is then likelier; and at least as many words of letters must stay as are taken out.
    """
    _, kind, count = np.unique(
        _spread(forms.skeleton)[forms.line] + _mixed(forms.place, forms.word), return_inverse=True, return_counts=True
    )
    _, skeleton, lines = np.unique(forms.skeleton, return_inverse=True, return_counts=True)
    is_rare = (count[kind] * share <= lines[skeleton][forms.line]) & (forms.word != VALUE)
    shape = _spread(forms.skeleton) + _sums(forms, _mixed(forms.place, np.where(is_rare, -1, forms.word)))
    _, family = np.unique(shape, return_inverse=True)
    fewest = _fewest(family[forms.line[is_rare]], forms.place[is_rare], forms.word[is_rare], len(shape))[family]
    left, out = _sums(forms, forms.has_letters[forms.word] & ~is_rare), _sums(forms, is_rare)
    marks: Marks = is_rare & ((fewest >= VALUES * out) & (left >= np.maximum(WORDS, out)))[forms.line]
    return marks


def _fewest(family: Numbers, place: Numbers, word: Numbers, families: int) -> Numbers:
    """Of each family, how many different words the place with the fewest has; none where it has no such place."""
    where = family * COMPARED + place
    _, first = np.unique(_mixed(where, word), return_index=True)
    places, distinct = np.unique(where[first], return_counts=True)
    fewest = np.zeros(families, np.int64)
    fewest[places // COMPARED] = len(word)
    np.minimum.at(fewest, places // COMPARED, distinct)
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
