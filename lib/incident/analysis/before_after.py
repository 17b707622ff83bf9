"""Is it better than before: each check and each rate of requests, before the fix against after it.

Reads the checks of the run that this one is compared with and of this run, and the requests of the revisions that the
fix replaced and of those that serve now; where the window no longer holds the former, what the earlier run counted. A
check is one try, judged by its own expectation; a rate is judged by the exact interval of its difference
(`analysis.effects`), as a change's effect is. It cannot tell how the next try will go beyond what the interval says,
and says how many more requests would allow a conclusion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from incident.analysis.effects import ENOUGH, effect_of
from incident.analysis.intervals import difference_interval, share_interval

if TYPE_CHECKING:
    from incident.analysis.case import Case

Count = tuple[int, int]
"""How many went well, of how many tries."""

COLUMNS = {
    "subject": "str", "source": "str", "before_count": "Int64", "before_tries": "Int64", "after_count": "Int64",
    "after_tries": "Int64", "before_low": "float64", "before_high": "float64", "after_low": "float64",
    "after_high": "float64", "difference_low": "float64", "difference_high": "float64", "effect": "str",
    "missing": "Int64", "because": "str",
}  # fmt: skip

STATES = ("failed", "undecided", "as expected")
"""How a subject stands now, in the order that people need."""

MOST_MISSING = 1000
"""More requests than these are not counted as missing: the rates are too near for a count to tell them apart."""

FAILING = 0.5
"""A rate whose whole interval lies below fails, whatever it was before."""


def before_after(case: Case) -> pd.DataFrame:
    """One row a check and one a kind of request, with the columns of COLUMNS; what fails first, then what is undecided.

    Counts are of what went well. `_low` and `_high` are exact 95 % intervals of a share, 0 to 1, and of the difference
    of after and before, -1 to 1; NaN without a try. `effect` is fixed, broke, none, unknown, or `not tried`. `missing`
    is how many more requests after the fix would decide it at the rate seen so far (without one yet: if all go well),
    NA where it is decided or where no number would. Rows are in the order of STATES; within one the fewest tries first.
    """
    rows = [*_check_rows(case), *_request_rows(case)]
    rows.sort(key=lambda row: (STATES.index(standing(row)), row["after_tries"]))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def standing(row: Mapping[str, Any]) -> str:
    """How the subject of a row stands now: `failed`, `undecided` or `as expected`."""
    fails_now = row["source"] == "checks" and 0 == row["after_count"] < row["after_tries"]
    if row["effect"] == "broke" or fails_now or row["after_high"] < FAILING:
        return STATES[0]
    return STATES[1] if row["effect"] in ("unknown", "not tried") else STATES[2]


def missing_requests(before: Count, after: Count, most: int = MOST_MISSING) -> int | None:
    """How many more requests after a fix would allow a conclusion at the rate seen so far; None where none would.

    >>> missing_requests((0, 12), (3, 3)), missing_requests((0, 3), (3, 3))
    (7, None)
    """
    if before[1] < ENOUGH:
        return None
    share = after[0] / after[1] if after[1] else 1.0
    tries = range(max(after[1] + 1, ENOUGH), after[1] + most + 1)
    return next((n - after[1] for n in tries if _effect(before, (round(share * n), n)) != "unknown"), None)


def _check_rows(case: Case) -> Iterable[dict[str, Any]]:
    """A row a check of either run, then one for all that were tried in both."""
    earlier = {check["check"]: check for check in (case.evidence.before or {}).get("checks", [])}
    now = {check.check: check.as_json() for check in case.checks}
    names = list(dict.fromkeys((*now, *earlier)))
    for name in names:
        yield _check_row(name, earlier.get(name), now.get(name))
    both = [name for name in names if _tried(earlier.get(name)) and _tried(now.get(name))]
    both = [name for name in both if now[name]["kind"] != "log"]
    if len(both) > 1:
        yield _together([earlier[name] for name in both], [now[name] for name in both])


def _check_row(name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """One check: its two verdicts decide, since each is a whole answer to what was expected."""
    counts = _count([before]), _count([after])
    effect, missing, because = _check_effect(before, after)
    return _row(name, "checks", *counts, effect, missing, because)


def _check_effect(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[str, int | None, str]:
    if after is None or after["status"] == "skipped":
        return "not tried", None, after["because"] if after else "this run has no such check"
    if after["status"] == "uncertain":
        return "unknown", 1, f"it could not be decided now: {after['because']}"
    words = "passes" if after["status"] == "ok" else "fails"
    if before is None or not _tried(before):
        return "unknown", None, f"it {words} now, and was not tried before"
    if before["status"] == after["status"]:
        return "none", None, f"it {words} as before"
    effect = "fixed" if after["status"] == "ok" else "broke"
    return effect, None, f"it {'failed' if effect == 'fixed' else 'passed'} before and {words} now"


def _together(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = _count(before), _count(after)
    effect = _effect(*counts, enough=1)
    because = f"{_of(counts[0])} passed before, {_of(counts[1])} pass now; tries of one run are not independent"
    return _row(f"{len(after)} checks together", "checks", *counts, effect, None, because)


def _request_rows(case: Case) -> Iterable[dict[str, Any]]:
    """A row a kind of request that the replaced revisions or the serving ones answered; none where nothing broke."""
    fix = case.fix
    if not fix.replaces:
        return
    settled = case.settled_requests  # as a change's effect is counted, so that both say the same
    before = settled[settled["revision_name"].isin(fix.replaces)]
    after = case.after_fix[case.after_fix.index.isin(settled.index)]
    counts = _by_kind(before) or _earlier_rates(case), _by_kind(after)
    for kind in sorted({*counts[0], *counts[1]}):
        yield _request_row(kind, counts[0].get(kind, (0, 0)), counts[1].get(kind, (0, 0)))


def _earlier_rates(case: Case) -> dict[str, Count]:
    """The rates that the earlier run counted on the replaced revisions, for a window that no longer holds them."""
    rates: dict[str, Count] = {}
    for row in (case.evidence.before or {}).get("requests") or ():
        if row["revision"] in case.fix.replaces:
            well, tries = rates.get(row["kind"], (0, 0))
            rates[row["kind"]] = well + row["count"] - row["failed"], tries + row["count"]
    return rates


def _request_row(kind: str, before: Count, after: Count) -> dict[str, Any]:
    if not after[1]:
        because = "no request of this kind after the fix can be counted yet"
        return _row(kind, "requests", before, after, "not tried", missing_requests(before, after), because)
    effect = _effect(before, after)
    missing = missing_requests(before, after) if effect == "unknown" else None
    return _row(kind, "requests", before, after, effect, missing, _because(before, after, effect, missing))


def _because(before: Count, after: Count, effect: str, missing: int | None) -> str:
    counts = f"{_of(before)} went well before, {_of(after)} after"
    if effect != "unknown":
        return counts
    if before[1] < ENOUGH:
        return f"{counts}; fewer than {ENOUGH} before the fix, and no more will come"
    if missing is None:
        return f"{counts}; {MOST_MISSING:,} more at this rate would not decide it"
    return f"{counts}; {missing:,} more at this rate would decide it"


def _effect(before: Count, after: Count, enough: int = ENOUGH) -> str:
    return effect_of((before[1] - before[0], before[1]), (after[1] - after[0], after[1]), enough)


def _row(
    subject: str, source: str, before: Count, after: Count, effect: str, missing: int | None, because: str
) -> dict[str, Any]:
    none = (float("nan"), float("nan"))
    before_share, after_share = (share_interval(*count) if count[1] else none for count in (before, after))
    difference = difference_interval(before, after) if before[1] and after[1] else none
    counts = (*before, *after, *before_share, *after_share, *difference)
    return dict(zip(COLUMNS, (subject, source, *counts, effect, missing, because), strict=True))


def _by_kind(requested: pd.DataFrame) -> dict[str, Count]:
    well = (~requested["failed"]).groupby(requested["request_kind"]).agg(["sum", "size"])
    return {str(kind): (int(count), int(tries)) for kind, count, tries in well.itertuples()}


def _count(checks: Sequence[Mapping[str, Any] | None]) -> Count:
    tried = [check for check in checks if check is not None and _tried(check)]
    return sum(check["status"] == "ok" for check in tried), len(tried)


def _tried(check: Mapping[str, Any] | None) -> bool:
    return check is not None and check["status"] in ("ok", "failed")


def _of(count: Count) -> str:
    return f"{count[0]:,} of {count[1]:,}"
