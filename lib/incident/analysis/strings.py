"""A column of texts as one Arrow array, whatever it holds; a missing text is empty.

Reads a column. JSON can carry half of a surrogate pair and UTF-8 cannot: it becomes a question mark. It cannot tell a
text that was missing from an empty one.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa


def strings(texts: pd.Series) -> pa.Array:
    """The texts of a column, in its order.

    >>> strings(pd.Series(["a", None, "\\ud83d"], dtype="object")).to_pylist()
    ['a', '', '?']
    """
    try:
        array = pa.array(texts.astype("str").fillna(""), pa.large_string())
    except UnicodeEncodeError:
        array = pa.array([encodable(text) if isinstance(text, str) else "" for text in texts], pa.large_string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def encodable(text: str) -> str:
    """A text that UTF-8 can carry.

    >>> encodable("a\\ud83d")
    'a?'
    """
    return text.encode("utf-8", "replace").decode()
