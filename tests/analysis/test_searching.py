"""Searching a column of texts: the same answers as `re`, whatever the column holds."""

import pandas as pd
import pytest

from incident import platform
from incident.analysis.searching import found_in

ODD = pd.Series([None, "", "Container called exit(3).", "container CALLED exit(3).", "x\nContainer called exit(0)."])


@pytest.mark.parametrize("known", platform.TEXTS, ids=lambda known: known.name)
def test_every_text_of_the_platform_is_found(known):
    """A fragment that the engine cannot read, or reads otherwise, would hide a cause."""
    example = known.format()
    texts = pd.Series([example, "before " + example.upper() + "\nafter", "nothing of it", None], index=[7, 3, 3, 1])
    expected = [bool(isinstance(text, str) and known.search(text)) for text in texts]
    assert found_in(texts, known).to_list() == expected
    assert found_in(texts, known).index.equals(texts.index)


def test_one_of_several():
    """A rule asks for all the ways in which something is said."""
    assert found_in(ODD, platform.CONTAINER_EXIT, platform.CONTAINER_SIGNAL).to_list() == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_empty_columns():
    """No entries are no error."""
    assert found_in(pd.Series([], dtype="str"), platform.CONTAINER_EXIT).empty
    assert found_in(pd.Series([], dtype="object"), platform.CONTAINER_EXIT).dtype == "bool"
