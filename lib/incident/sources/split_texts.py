"""The texts of split entries in a pull's parts, redacted as one.

Decides: which pieces of a split entry follow each other, and what stands in each once their text as a whole is without
secrets: all of it in the first piece, nothing in the others. A piece that begins where a tag ended the one before it
loses its first word, the rest of that secret. Reads the parts' columns of `PAGE`. Cannot tell: a secret across a piece
that did not come.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from incident.detectors import TAG
from incident.redact import Redactor
from incident.sources.columns import PAGE
from incident.sources.pull_parts import PullFolder

PIECE = pa.schema([PAGE.field(name) for name in ("split_uid", "split_index", "text")])
ENDS_WITH_TAG = re.compile(rf"{TAG}\Z")
REST_OF_SECRET = re.compile(r"[^\s,;&\"'<>\\]+")

Place = tuple[str, int]
"""A piece: its entry's `split.uid` and its `split.index`."""


def pieces_of(folder: PullFolder, numbers: Iterable[int]) -> dict[str, dict[int, str]]:
    """The texts of all split entries in some windows, by uid and index."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for _, table in folder.tables(numbers, PIECE):
        for piece in table.filter(table["split_uid"].is_valid()).to_pylist():
            found[piece["split_uid"]][piece["split_index"]] = piece["text"] or ""
    return found


def new_texts(entries: Mapping[str, Mapping[int, str]], redactor: Redactor) -> dict[Place, str]:
    """The new text of each piece of a run of pieces that holds a secret as a whole; `redactor` learns from all first.

    >>> pieces = {"u": {0: "at postgres://app:Tr0ub4dor", 1: "-and-3@db/x", 3: "end"}}
    >>> new_texts(pieces, Redactor(b"a key for this example"))
    {('u', 0): 'at postgres://app:[redacted:97443f7dd4]@db/x', ('u', 1): ''}
    """
    runs = [(uid, run, [texts[n] for n in run]) for uid, texts in entries.items() for run in _runs(sorted(texts))]
    for _, _, texts in runs:
        redactor.learn_text("".join(texts))
    found: dict[Place, str] = {}
    for uid, run, texts in runs:
        if (text := redactor.json_text(_joined(texts))) != "".join(texts):
            found |= {(uid, n): "" for n in run} | {(uid, run[0]): text}
    return found


def with_texts(table: pa.Table, changed: Mapping[Place, str]) -> pa.Table:
    """A part with the new texts in it, and each also where a JSON payload has the text as its message."""
    places = list(zip(table["split_uid"].to_pylist(), table["split_index"].to_pylist(), strict=True))
    if not changed.keys() & set(places):
        return table
    new = [changed.get(place) for place in places]
    for name, change in (("text", _text), ("json_payload", _message)):
        old, at = table[name].to_pylist(), table.schema.get_field_index(name)
        values = [was if now is None else change(was, now) for was, now in zip(old, new, strict=True)]
        table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
    return table


def _text(was: str | None, now: str) -> str | None:
    return now


def _message(was: str | None, now: str) -> str | None:
    document = json.loads(was) if was else None
    if not isinstance(document, dict) or "message" not in document:
        return was
    return json.dumps(document | {"message": now})


def _runs(indexes: Sequence[int]) -> Iterator[list[int]]:
    """The indexes that follow each other without one missing."""
    run: list[int] = []
    for index in indexes:
        if run and index != run[-1] + 1:
            yield run
            run = []
        run.append(index)
    if run:
        yield run


def _joined(texts: Sequence[str]) -> str:
    """The pieces as one text, without what follows directly on a tag that ended a piece."""
    joined = ""
    for text in texts:
        if ENDS_WITH_TAG.search(joined[-32:]) and (rest := REST_OF_SECRET.match(text)):
            text = text[rest.end() :]
        joined += text
    return joined
