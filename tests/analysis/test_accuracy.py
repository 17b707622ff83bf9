"""How well lines are grouped, on real logs whose groups people have named; skipped where they are not at hand."""

from pathlib import Path

import pandas as pd
import pytest

from incident.analysis.lines import constant_parts

LOGHUB = Path(__file__).parents[3] / "shared/loghub"
FILES = sorted(LOGHUB.glob("*_2k.log_structured.csv"))
LEAST_ON_AVERAGE = 0.83
LEAST = 0.5

pytestmark = pytest.mark.skipif(not FILES, reason="the log samples of loghub are not beside this checkout")


def grouping_accuracy(truth, found):
    """The part of the lines whose group holds exactly the lines that it should: the field's grouping accuracy."""
    right = pd.DataFrame({"truth": truth, "found": found})
    pairs = right.groupby(["truth", "found"]).size()
    sizes = right.groupby("truth").size(), right.groupby("found").size()
    whole = [count for (one, other), count in pairs.items() if count == sizes[0][one] == sizes[1][other]]
    return sum(whole) / len(right)


@pytest.fixture(scope="module")
def accuracies():
    """The accuracy on each set, all with the same setting."""
    read = {file.name.partition("_")[0]: pd.read_csv(file) for file in FILES}
    return {name: grouping_accuracy(rows["EventId"], constant_parts(rows["Content"])) for name, rows in read.items()}


def test_grouping_accuracy(accuracies):
    """One setting must do for every service's logs, and must not hang on one of the sets."""
    without = {
        left: sum(value for name, value in accuracies.items() if name != left) / (len(accuracies) - 1)
        for left in accuracies
    }
    print({name: round(value, 3) for name, value in accuracies.items()})
    print({f"without {name}": round(value, 3) for name, value in without.items()})
    assert min(without.values()) >= LEAST_ON_AVERAGE
    assert min(accuracies.values()) >= LEAST


def test_the_order_of_lines_decides_nothing():
    """Lines come in another order from another source, and must come to the same groups."""
    texts = pd.concat([pd.read_csv(file)["Content"] for file in FILES], ignore_index=True)
    shuffled = texts.sample(frac=1, random_state=7)
    assert constant_parts(shuffled).sort_index().equals(constant_parts(texts))


def test_accuracy_is_measured_as_the_field_does():
    """A line counts only where its group is neither split nor mixed with another."""
    truth = list("aabbcc")
    for found, accuracy in (("xxyyzz", 1.0), ("xxyyyy", 2 / 6), ("xxyyzw", 4 / 6), ("xxxxxx", 0.0)):
        assert grouping_accuracy(truth, list(found)) == accuracy
