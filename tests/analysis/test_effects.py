"""Effects are decided by count, kind by kind, and not decided with too few."""

import pandas as pd
import pytest

from incident.analysis.effects import change_effects, effect_of


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        ((60, 60), (60, 60), "none"),
        ((0, 60), (12, 12), "broke"),
        ((12, 12), (0, 60), "fixed"),
        ((0, 9), (9, 9), "unknown"),
        ((0, 10), (10, 10), "broke"),
        ((0, 10), (0, 10), "unknown"),
        ((50, 1000), (60, 1000), "none"),
        ((5, 20), (8, 20), "unknown"),
    ],
)
def test_effect_of(before, after, effect):
    """Ten requests show a break but cannot show its absence: an interval within ten points needs more."""
    assert effect_of(before, after) == effect


def changes(*names):
    """Changes of the revisions after the first, each from the one before it."""
    return pd.DataFrame({"revision_name": list(names[1:]), "previous": list(names[:-1])})


def counts(**revisions):
    """Counts by revision and kind, as `kind_counts` gives them."""
    rows = [(name, kind, tries, failed) for name, kinds in revisions.items() for kind, (failed, tries) in kinds.items()]
    return pd.DataFrame(rows, columns=["revision_name", "request_kind", "count", "failed"])


def test_one_kind_that_broke_decides():
    """A change that breaks one kind of client has broken it, however well the others fare."""
    made = change_effects(changes("a", "b"), counts(a={"x": (0, 60), "y": (0, 60)}, b={"x": (60, 60), "y": (0, 60)}))
    assert made.loc[0, ["effect", "on", "confounded"]].to_list() == ["broke", ["x"], False]


def test_none_needs_every_kind():
    """One kind that could not be decided leaves the whole undecided."""
    made = change_effects(changes("a", "b"), counts(a={"x": (0, 60), "y": (0, 20)}, b={"x": (0, 60), "y": (0, 20)}))
    assert made.loc[0, ["effect", "on"]].to_list() == ["unknown", ["y"]]


def test_a_change_before_the_first_had_enough_is_confounded():
    """b served two requests: what c shows against a is the effect of both."""
    made = change_effects(changes("a", "b", "c"), counts(a={"x": (0, 60)}, b={"x": (2, 2)}, c={"x": (60, 60)}))
    assert made["effect"].to_list() == ["unknown", "broke"]
    assert made["compared_with"].to_list() == ["a", "a"]
    assert made["confounded"].to_list() == [False, True]


def test_no_changes():
    """A service with one revision has no change, and no crash."""
    assert change_effects(changes("a"), counts(a={"x": (0, 60)})).empty


def test_a_change_of_the_mix_is_no_effect():
    """More of a client that is always refused must not read as a break: kinds are compared with themselves."""
    before, after = {"x": (0, 200), "y": (50, 50)}, {"x": (0, 60), "y": (200, 200)}
    assert change_effects(changes("a", "b"), counts(a=before, b=after)).loc[0, "effect"] == "none"
