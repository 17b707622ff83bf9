"""Which texts hold something: each distinct text is searched once, by an engine that takes linear time.

Reads a column of texts. A fragment must be one that `re` and RE2 read alike: no lookaround, no reference back.
It cannot tell who wrote a text; which log an entry is in can.
"""

from __future__ import annotations

import pandas as pd
import pyarrow.compute as pc

from incident.analysis.strings import strings
from incident.platform import PlatformText


def found_in(texts: pd.Series, *wanted: PlatformText) -> pd.Series:
    """Whether each text holds one of some texts of the platform, with the same index; a missing text holds none.

    >>> from incident import platform
    >>> found_in(pd.Series(["Container called exit(3).", None]), platform.CONTAINER_EXIT).to_list()
    [True, False]
    """
    encoded = strings(texts).dictionary_encode()
    either = "|".join(f"(?is:{one.fragment})" for one in wanted)
    answers = pc.match_substring_regex(encoded.dictionary, either).take(encoded.indices)
    return pd.Series(answers.to_numpy(zero_copy_only=False), index=texts.index, dtype="bool")
