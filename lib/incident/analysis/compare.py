"""What differs between this service and another one: staging beside production.

Reads the revision that serves here, the service and its policy, and the frame `compared`, which is there where
`--compare-to` named the other one. Both were read in one run, so that a variable's tag is the same where its value is.
A project's own id is the same word on both sides: a service account or a secret of the same name is no difference. It
cannot tell what a tag's value is, nor what either project's own policy grants.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from incident.analysis import normal
from incident.analysis.changes import changed

if TYPE_CHECKING:
    from incident.analysis.case import Case

COLUMNS = ("kind", "field", "here", "there")
OWN = "PROJECT"
NOT_SET = "not set"
Side = Mapping[str, Any]


def compared(case: Case) -> pd.DataFrame:
    """One row for each difference, with the columns of COLUMNS; none where nothing differs, or nothing was compared.

    `kind` is image, code, environment, secret, settings, ingress or iam; `here` and `there` are in words: a variable
    is `set` or `not set`, or `one value` and `another`, since values are not kept. Sorted by kind, then field.
    """
    there = case.evidence.compared.to_dict("records")
    here = _own(case)
    if not there or here is None:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = [row for other in there for row in _differences(here, other)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(["kind", "field"], ignore_index=True)


def _own(case: Case) -> Side | None:
    """This side, in the columns of `compared`; None where no revision is known to serve."""
    evidence = case.evidence
    named = evidence.revisions[evidence.revisions["revision_name"].isin(case.serving[:1])].to_dict("records")
    if not named:
        return None
    service: Side = next(iter(evidence.service.to_dict("records")), {})
    policy = {str(role): list(rows["member"]) for role, rows in evidence.iam.groupby("role")}
    return {
        **named[0], "service_name": "/".join(evidence.scope.identity), "ingress": service.get("ingress"),
        "invoker_iam_disabled": service.get("invoker_iam_disabled"),
        "members": None if evidence.gap("iam") else json.dumps(policy),
    }  # fmt: skip


def _differences(here: Side, there: Side) -> list[dict[str, str]]:
    rows = _images(here, there)
    for name, old, new in changed(_values(here, "environment"), _values(there, "environment")):
        kind = "secret" if isinstance(old, dict) or isinstance(new, dict) else "environment"
        rows.append(_row(kind, name, *_variable(old, new)))
    rows += [_row("settings", *row) for row in changed(_values(here, "settings"), _values(there, "settings"))]
    return rows + _of_service(here, there) + _of_policy(here, there)


def _images(here: Side, there: Side) -> list[dict[str, str]]:
    sides = [side | {"image": _neutral(normal.text_of(side, "image"), side)} for side in (dict(here), dict(there))]
    old, new = sides
    rows: list[dict[str, str]] = []
    if not (normal.text_of(old, "image") and normal.text_of(new, "image")):
        return rows
    if normal.repository(old["image"]) != normal.repository(new["image"]):
        rows.append(_row("image", "repository", normal.repository(old["image"]), normal.repository(new["image"])))
    digests = [normal.text_of(side, "image_digest") for side in sides]
    if all(digests) and digests[0] != digests[1]:
        rows.append(_row("image", "digest", *digests))
    elif not all(digests) and old["image"] != new["image"]:
        rows.append(_row("image", "image", old["image"], new["image"]))
    commits = [normal.text_of(side, "commit") for side in sides]
    return rows + ([_row("code", "commit", *commits)] if all(commits) and commits[0] != commits[1] else [])


def _of_service(here: Side, there: Side) -> list[dict[str, str]]:
    rows = []
    if all(isinstance(side.get("ingress"), str) for side in (here, there)):
        old, new = (normal.ingress(side["ingress"]) for side in (here, there))
        rows += [_row("ingress", "ingress", old, new)] if old != new else []
    flags = [side.get("invoker_iam_disabled") for side in (here, there)]
    if not any(pd.isna(flag) for flag in flags) and bool(flags[0]) != bool(flags[1]):
        rows.append(_row("iam", "invoker_iam_disabled", *(str(bool(flag)).lower() for flag in flags)))
    return rows


def _of_policy(here: Side, there: Side) -> list[dict[str, str]]:
    """Members of roles that one side has alone; nothing is said where either policy could not be read."""
    if not all(isinstance(side.get("members"), str) for side in (here, there)):
        return []
    old, new = (_pairs(side) for side in (here, there))
    return [
        _row(
            "iam",
            f"{role} {member}",
            *("granted" if (role, member) in pairs else "not granted" for pairs in (old, new)),
        )
        for role, member in sorted(old ^ new)
    ]


def _pairs(side: Side) -> set[tuple[str, str]]:
    return {
        (role, _neutral(str(member), side)) for role, members in normal.json_object(side["members"]).items()
        for member in (members if isinstance(members, list) else ())
    }  # fmt: skip


def _values(side: Side, column: str) -> dict[str, Any]:
    """A side's settings or variables in their one form, with its own project's id as a word that both sides share."""
    read = getattr(normal, column)(side.get(column))
    return dict(json.loads(_neutral(json.dumps(read), side)))


def _neutral(text: str, side: Side) -> str:
    """A text in which a side's own project is `PROJECT`, where it stands as a name of its own."""
    project = str(side["service_name"]).partition("/")[0]
    return re.sub(rf"(?<![A-Za-z0-9-]){re.escape(project)}(?![A-Za-z0-9-])", OWN, text) if project else text


def _variable(old: object, new: object) -> tuple[object, object]:
    """Two sides of a variable in words: a value is a tag, which says nothing to people; a reference is named."""
    if old is None or new is None:
        return (NOT_SET if old is None else _named(old)), (NOT_SET if new is None else _named(new))
    values = [value for value in (old, new) if not isinstance(value, dict)]
    return ("one value", "another value") if len(values) == 2 else (_named(old), _named(new))


def _named(value: object) -> str:
    return f"secret {value['secret']}, version {value['version']}" if isinstance(value, dict) else "set"


def _row(kind: str, field: str, here: object, there: object) -> dict[str, str]:
    return {"kind": kind, "field": field, "here": _words(here), "there": _words(there)}


def _words(value: object) -> str:
    """A setting's value in words; numbers as people write them."""
    if value is None:
        return NOT_SET
    if isinstance(value, str):
        return value
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, sort_keys=True)
