"""Exact intervals of shares, and of the difference of two shares.

Reads counts alone. Exact means that the interval covers the truth at least as often as it says, however few the
tries, which is what a decision at ten requests needs; it is wider than an approximation for it.
"""

from __future__ import annotations

from math import sqrt

from scipy.special import betaincinv

Interval = tuple[float, float]


def share_interval(count: int, tries: int, level: float = 0.95) -> Interval:
    """The Clopper-Pearson interval of a share, 0 to 1 (Biometrika 26, 1934); without a try, all of 0 to 1.

    >>> [round(bound, 3) for bound in share_interval(0, 10)]
    [0.0, 0.308]
    """
    tail = (1 - level) / 2
    low = float(betaincinv(count, tries - count + 1, tail)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, tries - count, 1 - tail)) if count < tries else 1.0
    return low, high


def difference_interval(before: tuple[int, int], after: tuple[int, int], level: float = 0.95) -> Interval:
    """An exact interval of the share after less the share before; each is (count, tries).

    Two independent intervals that each hold with the square root of the level hold together with the level, so
    the difference of their bounds is exact, at the price of some width.

    >>> [round(bound, 2) for bound in difference_interval((0, 12), (12, 12))]
    [0.39, 1.0]
    """
    each = sqrt(level)
    before_low, before_high = share_interval(*before, each)
    after_low, after_high = share_interval(*after, each)
    return after_low - before_high, after_high - before_low
