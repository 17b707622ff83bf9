"""Columns of texts as Arrow arrays."""

import pandas as pd
import pytest

from incident.analysis.strings import strings


@pytest.mark.parametrize("kind", ["object", "str"])
def test_what_a_column_may_hold(kind):
    """A column that pandas read from Parquet, one from JSON and one of categories are searched alike."""
    texts = pd.Series(["a", None, "é"], dtype=kind, index=[3, 3, 1])
    assert strings(texts).to_pylist() == ["a", "", "é"]
    assert strings(texts.astype("category")).to_pylist() == ["a", "", "é"]


def test_half_of_a_pair():
    """A hostile document must not stop the run that is to explain the outage."""
    assert strings(pd.Series(["\ud83d", None, "b"], dtype="object")).to_pylist() == ["?", "", "b"]
