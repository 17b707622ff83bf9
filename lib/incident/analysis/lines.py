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
from incident.masks import LONGEST_LINE, PREMASK

ROUNDS: Final = 8
BLANKS: Final = " \t\r\n\f"
EMPTY_BRACKETS: Final = re.compile(r" \((?:\*(?:[,;]? \*)*)?\)(?= |$)")
LIST: Final = re.compile(r"\*(?:[,;]? {1,9}\*)+")
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
    return _masked(pa.array([_encodable(text)], pa.string()))[0]


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
    return _each_distinct(texts, lambda distinct: _groups(_masked(distinct)))


# Masks, each distinct text once.


def _each_distinct(texts: pd.Series, read: Callable[[pa.Array], list[str]]) -> pd.Series:
    plain = texts.fillna("")
    try:
        array = pa.array(plain.astype("str"), pa.large_string())
    except UnicodeEncodeError:
        array = pa.array([_encodable(str(text)) for text in plain], pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    encoded = array.dictionary_encode()
    answers = pa.array(read(encoded.dictionary), pa.large_string())
    return pd.Series(answers.take(encoded.indices).to_pandas(), index=texts.index, name=texts.name, dtype="str")


def _groups(parts: list[str]) -> list[str]:
    """What was merged is masked once more: `host:*` beside `*` is one value."""
    wholes = merged(parts)
    finished = {whole: _finished(whole) for whole in set(wholes.values())}
    return [finished[wholes[part]] for part in parts]


def _encodable(text: str) -> str:
    """Half of a surrogate pair, which JSON can carry and UTF-8 cannot, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _masked(texts: pa.Array) -> list[str]:
    cut = pc.utf8_slice_codeunits(texts, 0, LONGEST_LINE)
    for pattern, replacement in PREMASK:
        cut = pc.replace_substring_regex(cut, pattern, replacement)
    encoded = cut.dictionary_encode()
    finished = [_finished(text) for text in encoded.dictionary.to_pylist()]
    return [finished[number] for number in encoded.indices.to_pylist()]


def _finished(text: str) -> str:
    """The first line, lists of values as one value; a line that nests brackets too deep to settle stays as it is."""
    first = line = text.strip(BLANKS).split("\n", 1)[0].rstrip(BLANKS)
    for _ in range(ROUNDS):
        shorter = _shorter(line) if VARIES in line else line
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
