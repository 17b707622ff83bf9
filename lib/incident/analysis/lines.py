"""Which lines of a log are the same line with other values in it.

Decides: the constant part of a line, and which distinct constant parts are one, because they differ in words that vary.
Reads: the texts alone, each distinct one once: neither their order nor how often one occurs changes a group, so that a
reduction elsewhere, to distinct masked texts with their counts, gives the same groups. One setting for all inputs.
Cannot tell: what `merging` cannot. A group of merged lines depends on what was read beside it;
`constant_part` does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from incident.analysis.merging import merged
from incident.analysis.strings import encodable, strings
from incident.masks import LONGEST_LINE, PREMASK

ROUNDS: Final = 8
BLANKS: Final = " \t\r\n\f"
EMPTY_BRACKETS: Final = re.compile(r" \((?:\*(?:[,;]? \*)*)?\)(?= |$)")
LIST: Final = re.compile(r"\*(?:[,;]? {1,9}\*)+")
LIST_LIKE: Final = r" \(\*?[ ,;)*]|\*[^ ]* "
"""In RE2's syntax: what a line must hold to be shortened: brackets without a word, or words after a value."""
VARIES: Final = "*"


def premask_sql() -> list[tuple[str, str]]:
    """(RE2 pattern, replacement) in order: what SQL can take out of a line, `masked(premask(x)) == masked(x)`.

    >>> premask_sql()[1]
    ('\\\\[redacted:[^\\\\]\\\\n]*\\\\]', '*')
    """
    return list(PREMASK)


def constant_part(text: str) -> str:
    """The first line of a text without its time and level, and with what varies replaced by `*`; never any merging.

    >>> constant_part("2025-09-07 10:00:01,123 [7] ERROR: worker 31 lost 0xdeadbeef")
    'worker * lost *'
    """
    part: str = _masked(pa.array([encodable(text)], pa.large_string()))[0].as_py()
    return part


def masked(texts: pd.Series) -> pd.Series:
    """`constant_part` of each text, with the same index; a missing text is empty.

    >>> masked(pd.Series(["GET /rooms/12/members took 31 ms", None])).to_list()
    ['GET * took *', '']
    """
    return _each_distinct(texts, _masked)


def constant_parts(texts: pd.Series) -> pd.Series:
    """The group of each text, with the same index: its constant part, where words that vary among texts are `*` too.

    >>> names = ["ann", "bob", "cid", "dan", "eve"]
    >>> set(constant_parts(pd.Series(f"session of user {name} lost" for name in names)))
    {'session of user * lost'}
    """
    return _each_distinct(texts, _grouped)


# Masks, each distinct text once.


def _each_distinct(texts: pd.Series, read: Callable[[pa.Array], pa.Array]) -> pd.Series:
    answers = _of_distinct(read, strings(texts)).to_pandas()
    return pd.Series(answers.array, index=texts.index, name=texts.name, dtype="str")


def _of_distinct(read: Callable[[pa.Array], pa.Array], texts: pa.Array) -> pa.Array:
    encoded = texts.dictionary_encode()
    return read(encoded.dictionary).take(encoded.indices)


def _masked(texts: pa.Array) -> pa.Array:
    """The constant part of each text."""
    cut = pc.utf8_slice_codeunits(texts, 0, LONGEST_LINE)
    for pattern, replacement in PREMASK:
        cut = pc.replace_substring_regex(cut, pattern, replacement)
    return _of_distinct(_finished, cut)


def _grouped(texts: pa.Array) -> pa.Array:
    """The group of each text; what was merged is finished once more, since `host:*` beside `*` is one value."""
    return _of_distinct(lambda parts: _of_distinct(_finished, merged(parts)), _masked(texts))


def _finished(texts: pa.Array) -> pa.Array:
    """The first line alone, its lists of values as one value."""
    first = pc.replace_substring_regex(pc.utf8_ltrim(texts, BLANKS), r"\n(?s:.*)", "")
    lines = pc.utf8_rtrim(first, BLANKS)
    may_hold_list = pc.match_substring_regex(lines, LIST_LIKE)
    shorter = [_settled(line) for line in lines.filter(may_hold_list).to_pylist()]
    return pc.replace_with_mask(lines, may_hold_list, pa.array(shorter, pa.large_string()))


def _settled(line: str) -> str:
    """Shortened until nothing changes; a line that nests brackets too deep for that stays as it is."""
    first = line
    for _ in range(ROUNDS):
        shorter = _shorter(line)
        if shorter == line:
            return line
        line = shorter
    return first


def _shorter(line: str) -> str:
    """Brackets with no word in them say nothing, nor does the length of a list of values or of ids of one kind."""
    kept: list[str] = []
    for token in LIST.sub(VARIES, EMPTY_BRACKETS.sub("", line)).split(" "):
        if not (kept and VARIES in token and token.rstrip(",;") == kept[-1].rstrip(",;")):
            kept.append(token)
        else:
            kept[-1] = token
    return " ".join(kept).strip(BLANKS)
