"""Changes that made no revision: who may call the service, from where, and which revision has its traffic.

Reads the activity entries of `audit`, through `calls` and `asked`. An entry says what was asked for, not what was
there before: each is compared with the last one before it in the window, else with what its own response still shows
of the time before; where neither is there, only what it asks for is known, and said so. A call that was refused
changed nothing, and is said. It cannot tell what was changed before the window, by a call whose entry keeps no
request, or on the project's own policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from incident.analysis.asked import Policy, policy, shown_before, wanted
from incident.analysis.calls import DEPLOYING, Call, calls, makers
from incident.analysis.changes import CHANGE_COLUMNS
from incident.http1 import printable

INVOKER = "roles/run.invoker"
NOT_SAID = "what changed is not in the entry"
NOT_KNOWN = "what changed cannot be told: it is the first call in the window"
ORDINARY = {"ingress": "all", "traffic": "latest 100"}
MOST_FIELDS = 20
"""More fields of one change are counted and not named."""

Change = dict[str, object]
Found = tuple[list[str], list[str]]


@dataclass
class _Known:
    """What the calls so far asked for; null before the first one."""

    service: Mapping[str, str] | None = None
    policy: Policy | None = None
    has_revisions: bool = True
    making: frozenset[pd.Timestamp] = field(default_factory=frozenset)


def outside_changes(audit: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """One row for each change that made no revision, oldest first, with the columns of CHANGE_COLUMNS.

    `time` is that of the call, UTC; `revision_name` and what belongs to a revision are null; `by` is the principal;
    `kinds` some of traffic, iam, ingress, settings; `fields` what was changed, such as `iam allUsers removed` or
    `ingress all → internal`. A call that was refused has no kind, and its field says why.
    """
    made = calls(audit)
    making = frozenset(call.time for call in makers(made, revisions).values())
    known = _Known(has_revisions=not revisions.empty, making=making)
    rows = [_row(call, found) for call in made if (found := _found(call, known)) is not None]
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)).astype({"time": "datetime64[ns, UTC]"})


def is_effective(changes: pd.DataFrame) -> pd.Series:
    """Whether each change came to be: a call that was refused has no kind."""
    return changes["kinds"].map(len).gt(0).astype("bool")


def _found(call: Call, known: _Known) -> Found | None:
    """The kinds and fields of the change that a call is; None where it changed nothing outside revisions."""
    is_making = call.time in known.making
    if call.refused:
        return None if is_making else ([], [f"{call.method} was refused: {call.refused}"])
    if call.method == "SetIamPolicy":
        return _of_policy(call, known)
    if call.method in DEPLOYING:
        return _of_service(call, known, is_making)
    return (["settings"], ["service deleted"]) if call.method == "DeleteService" else None


def _of_policy(call: Call, known: _Known) -> Found | None:
    asked, before = policy(call), known.policy
    known.policy = asked
    if asked is None:
        return ["iam"], [NOT_SAID]
    if before is None:
        return ["iam"], [f"iam {INVOKER} set to {', '.join(sorted(asked.get(INVOKER, ()))) or 'nobody'}"]
    pairs = [(role, before.get(role, frozenset()), asked.get(role, frozenset())) for role in sorted({*before, *asked})]
    fields = [f"iam {_role(role)}{name} added" for role, old, new in pairs for name in sorted(new - old)]
    fields += [f"iam {_role(role)}{name} removed" for role, old, new in pairs for name in sorted(old - new)]
    return (["iam"], fields) if fields else None


def _role(role: str) -> str:
    """The role that a member has, but for the one whose members may call the service."""
    return "" if role == INVOKER else f"{role} "


def _of_service(call: Call, known: _Known, is_making: bool) -> Found | None:
    asked, before = wanted(call, known.service), known.service
    known.service = asked or None  # after a call that is not known, neither is what it left
    if not asked:
        return None if is_making or not known.has_revisions else (["settings"], [NOT_SAID])
    shown = shown_before(call) if before is None else {}
    fields = _compared(before, asked) if before is not None else _compared(asked | shown, asked)
    fields = {name: words for name, words in fields.items() if not (name == "traffic" and is_making)}
    if not fields and before is None and not is_making and known.has_revisions:
        fields = _asked_first(asked)
    kinds = dict.fromkeys(name if name in ("traffic", "ingress") else "settings" for name in fields)
    return (list(kinds), list(fields.values())) if fields else None


def _compared(before: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """What differs, by name, in words."""
    return {
        name: f"{name} {before.get(name, 'unset')} → {asked.get(name, 'unset')}"
        for name in sorted({*before, *asked}) if before.get(name) != asked.get(name)
    }  # fmt: skip


def _asked_first(asked: Mapping[str, str]) -> dict[str, str]:
    """What the first call in the window asks for that is not the ordinary, or that this cannot be told."""
    set_to = {name: f"{name} set to {value}" for name, value in asked.items() if value != ORDINARY.get(name)}
    return set_to or {"settings": NOT_KNOWN}


def _row(call: Call, found: Found) -> Change:
    kinds, fields = found
    more = [f"{len(fields) - MOST_FIELDS} more"] if len(fields) > MOST_FIELDS else []
    shown = [printable(text, 400) for text in fields[:MOST_FIELDS]] + more
    return {"time": call.time, "revision_name": None, "by": call.by, "kinds": kinds, "fields": shown}


def short_title(fields: Sequence[str]) -> str:
    """A change in a few words, for a row's name: its first field, and how many more.

    >>> short_title(["iam allUsers removed", "iam user:b@x.de added"])
    'iam allUsers removed, 1 more'
    """
    more = f", {len(fields) - 1} more" if len(fields) > 1 else ""
    return f"{fields[0]}{more}" if fields else "nothing"


def times(changes: pd.DataFrame, but: Iterable[str] = ()) -> list[pd.Timestamp]:
    """When something was changed outside revisions, without changes that are of the kinds `but` alone."""
    left_out = set(but)
    kept = changes[is_effective(changes) & ~changes["kinds"].map(lambda kinds: set(kinds) <= left_out).astype("bool")]
    return list(kept["time"])
