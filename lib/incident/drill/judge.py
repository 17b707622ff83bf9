"""Did a run find what was planted? Compares a run's `summary.json` with what a scenario expects of it.

Reads values only. A place is a dotted path: `status`, `causes.0.cause`, `causes.app-refused.active`. In a list a number
is an index, and a name picks the items so called: causes by `cause`, checks by `check`, changes by `revision`, groups
by `group`. What is expected there is a value, or `{contains: TEXT}`. Two places hold a condition on the whole list:

- `checks: {kinds: [http, websocket], ok: 0, of: 7}`: how many checks of these kinds are ok, of how many that were not
  skipped;
- `error_sequence: {group: "503", follows: NameError}`: every group whose title has the first text `follows` one whose
  title has the second, and there is at least one.

It cannot tell a finding that is right for the wrong reason; only what is listed is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

LIST_NAMES = {"causes": "cause", "checks": "check", "changes": "revision", "error_sequence": "group"}
"""The key by which a list's items are called."""


class Nothing:
    """The summary has nothing at that place."""

    def __repr__(self) -> str:
        return "nothing there"


NOTHING = Nothing()


def differences(expect: Mapping[str, Any], summary: Mapping[str, Any]) -> list[str]:
    """One sentence for each place where the summary is not as expected, in the order of `expect`.

    >>> differences({"status": "ok"}, {"status": "failed"})
    ["status: expected 'ok', found 'failed'"]
    """
    told = (_difference(place, wanted, summary) for place, wanted in expect.items())
    return [sentence for sentence in told if sentence]


def _difference(place: str, wanted: Any, summary: Mapping[str, Any]) -> str:
    if place in CONDITIONS:
        expected, found = CONDITIONS[place](wanted, summary.get(place) or [])
    else:
        expected, found = wanted, find(summary, place)
        if isinstance(wanted, Mapping) and set(wanted) == {"contains"}:
            expected = f"a text with {wanted['contains']}"
            found = expected if wanted["contains"] in str(found) else found
    return "" if _same(expected, found) else f"{place}: expected {expected!r}, found {found!r}"


def _same(expected: Any, found: Any) -> bool:
    """Equal, and of one type: `False` is not `0`."""
    return type(expected) is type(found) and bool(expected == found)


def find(summary: Mapping[str, Any], place: str) -> Any:
    """What the summary has at a dotted path. Several items of one name must agree, or all their values are returned."""
    value: Any = summary
    parts = place.split(".")
    for index, part in enumerate(parts):
        if isinstance(value, list):
            return _in_list(value, parts[index - 1], part, ".".join(parts[index + 1 :]))
        value = value.get(part, NOTHING) if isinstance(value, Mapping) else NOTHING
    return value


def _in_list(items: Sequence[Any], of: str, part: str, rest: str) -> Any:
    if part.isdigit():
        chosen = list(items[int(part) : int(part) + 1])
    else:
        chosen = [item for item in items if item.get(LIST_NAMES.get(of, "name")) == part]
    values = [find(item, rest) if rest else item for item in chosen]
    distinct = [value for index, value in enumerate(values) if value not in values[:index]]
    if not distinct:
        return NOTHING
    return distinct[0] if len(distinct) == 1 else distinct


def _checks(wanted: Mapping[str, Any], checks: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    counted = [check for check in checks if check.get("kind") in wanted["kinds"] and check.get("status") != "skipped"]
    ok = sum(check.get("status") == "ok" for check in counted)
    return f"{wanted['ok']} of {wanted['of']} ok", f"{ok} of {len(counted)} ok"


def _follows(wanted: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    titles = {group.get("group"): str(group.get("title")) for group in groups}
    ones = [group for group in groups if wanted["group"] in str(group.get("title"))]
    leads = [titles.get(group.get("follows"), "none") for group in ones]
    expected = f"each group with {wanted['group']} follows one with {wanted['follows']}"
    if ones and all(wanted["follows"] in lead for lead in leads):
        return expected, expected
    return expected, f"{len(ones)} such groups, which follow: {', '.join(leads) or 'none'}"


CONDITIONS: dict[str, Callable[[Any, Any], tuple[str, str]]] = {"checks": _checks, "error_sequence": _follows}
"""Places whose expectation is on the whole list; each gives what was expected and what was found, in words."""
