"""What each revision changed, by field, against the one before it.

Reads the `revisions` frame, and `audit` for who did it. Environment values are tags, equal where the values are; a
value that v1 and v2 write in two ways is one (see `normal`). It cannot tell which lines of code an image holds, only
that the image, and the commit it was built from, are others; nor whether a tag means the image that a digest names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from incident.analysis import normal
from incident.analysis.calls import calls, makers
from incident.analysis.normal import text_of

NUMBER = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-[a-z0-9]{3}$")
"""A revision's name as Cloud Run makes it: service, five digits, three letters. A name that a person gave has none."""

CHANGE_COLUMNS = ("time", "revision_name", "previous", "by", "kinds", "fields", "build_id", "commit")


def revision_changes(revisions: pd.DataFrame, audit: pd.DataFrame) -> pd.DataFrame:
    """One row for each revision that has a predecessor, oldest first, with the columns of CHANGE_COLUMNS.

    `time` is the creation, UTC; `previous` the revision compared with, the one created before; `by` the principal;
    `kinds` some of image, code, environment, secret, settings; `fields` what differs, such as `env.NAME added`. An
    image that is a tag here and a digest there is `image not-comparable`, and a change only where no build or commit
    says that both are one.
    """
    ordered = revisions.sort_values(["create_time", "revision_name"], ignore_index=True)
    callers = {name: call.by for name, call in makers(calls(audit), ordered).items()}
    rows = []
    for before, after in zip(ordered.to_dict("records"), ordered.to_dict("records")[1:], strict=False):
        fields = _differences(before, after)
        rows.append(
            {
                "time": after["create_time"], "revision_name": after["revision_name"],
                "previous": before["revision_name"], "kinds": _kinds(fields),
                "by": callers.get(after["revision_name"]) or text_of(after, "creator") or None,
                "fields": [field for _, field in fields], "build_id": after["build_id"], "commit": after["commit"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS))


def in_play(revisions: pd.DataFrame, start: pd.Timestamp, seen: Collection[str]) -> pd.DataFrame:
    """The revisions that can matter to a window, oldest first: a service may have a thousand.

    Those made since its `start`, those `seen` in its logs or its traffic, all that were made between them, and the one
    before, which the first is compared with.
    """
    ordered = revisions.sort_values(["create_time", "revision_name"], ignore_index=True)
    matters = (ordered["create_time"] >= start) | ordered["revision_name"].isin(seen)
    first = int(matters.to_numpy().argmax()) if matters.any() else len(ordered) - 1
    return ordered.iloc[max(0, first - 1) :]


def missing_revisions(revisions: pd.DataFrame) -> list[str]:
    """The numbers that no revision bears between the lowest and the highest one, as `service-00138`.

    Cloud Run numbers revisions one by one: a missing number is a revision that never came to be, or was deleted.

    >>> missing_revisions(pd.DataFrame({"revision_name": ["chat-00137-abc", "chat-00139-xyz"]}))
    ['chat-00138']
    """
    parsed = [found for name in revisions["revision_name"] if (found := NUMBER.match(name))]
    there = {int(found["number"]) for found in parsed}
    if not there:
        return []
    return [f"{parsed[0]['stem']}-{number:05d}" for number in range(min(there), max(there)) if number not in there]


def short_name(revision_name: str) -> str:
    """A revision's number, by which people call it; a name without one stays whole.

    >>> short_name("chat-backend-00139-xyz"), short_name("fiscal-blue")
    ('00139', 'fiscal-blue')
    """
    found = NUMBER.match(revision_name)
    return found["number"] if found else revision_name


def field_value(revision: Mapping[str, Any], field: str) -> object:
    """What a revision has in a field that a change names: `image`, `commit`, `env.NAME`, or a setting; None if nothing.

    >>> field_value({"environment": '{"A": "tag1"}'}, "env.A")
    'tag1'
    """
    if field == "image":
        return text_of(revision, "image_digest") or text_of(revision, "image")
    if field == "commit":
        return text_of(revision, "commit")
    if field.startswith("env."):
        return normal.environment(revision["environment"]).get(field.removeprefix("env."))
    return normal.settings(revision["settings"]).get(field)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What differs between two revisions, as (kind, field) pairs in a fixed order; no kind is no proven change."""
    found = _image(before, after)
    if text_of(before, "commit") != text_of(after, "commit") and text_of(after, "commit"):
        found.append(("code", "commit"))
    for name, old, new in changed(normal.environment(before["environment"]), normal.environment(after["environment"])):
        kind = "secret" if isinstance(old, dict) or isinstance(new, dict) else "environment"
        found.append((kind, f"env.{name} {_deed(old, new)}"))
    settings = changed(normal.settings(before["settings"]), normal.settings(after["settings"]))
    return found + [("settings", f"{name} {_deed(old, new)}") for name, old, new in settings]


def _image(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    same = normal.same_image(before, after)
    if same is None:
        return [("" if normal.is_of_one_build(before, after) else "image", "image not-comparable")]
    return [] if same else [("image", "image")]


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Names whose values differ between two objects, with both values; null where a name is not there."""
    return [(name, old.get(name), new.get(name)) for name in sorted({*old, *new}) if old.get(name) != new.get(name)]


def _deed(old: object, new: object) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _kinds(fields: list[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(kind for kind, _ in fields if kind))
