"""Exact intervals, against values that can be derived by hand."""

import pytest

from incident.analysis.intervals import difference_interval, share_interval


@pytest.mark.parametrize(
    ("count", "tries", "low", "high"),
    [(0, 0, 0, 1), (0, 7, 0, 0.4096), (7, 7, 0.5904, 1), (1, 1, 0.025, 1), (5, 10, 0.1871, 0.8129)],
)
def test_share_interval(count, tries, low, high):
    """n of n is never `100 %`: for 7 of 7 the lower bound is the 7th root of 0.025."""
    assert share_interval(count, tries) == pytest.approx((low, high), abs=1e-4)


def test_difference_is_antisymmetric():
    """Swapping before and after turns the interval round."""
    low, high = difference_interval((3, 20), (9, 25))
    assert difference_interval((9, 25), (3, 20)) == pytest.approx((-high, -low))


def test_43_silent_requests_on_each_side_show_no_difference():
    """The fewest that bring 0 of n against 0 of n within ten points; with one less it is not decided."""
    assert (
        max(map(abs, difference_interval((0, 43), (0, 43))))
        < 0.10
        < max(map(abs, difference_interval((0, 41), (0, 41))))
    )


def test_no_tries_tell_nothing():
    """Without a request on one side every difference is possible."""
    assert difference_interval((0, 0), (0, 0)) == (-1.0, 1.0)
