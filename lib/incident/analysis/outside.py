"""Changes that made no revision: who may call the service, from where, and which revision has its traffic.

Reads the activity entries of `audit`. An entry says what was asked for, not what was there before: each is compared
with the last one before it in the window, so that of the first one only what it asks for is known. v1 and v2 name the
same things differently, and are read into one form. A call that was refused changed nothing, and is said. It cannot
tell what was changed before the window, or by a call whose entry keeps no request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from incident.analysis.changes import CHANGE_COLUMNS
from incident.analysis.effects import ENOUGH, effect_of

INVOKER = "roles/run.invoker"
MAKING = pd.Timedelta("60s")
"""A call and the revision that it makes are less far apart."""

OPERATION = pd.Timedelta("10min")
"""A long operation writes an entry at its start and one at its end, which has no request; deploys take less."""

INGRESS = {
    "ingress_traffic_all": "all", "ingress_traffic_internal_only": "internal", "ingress_traffic_none": "none",
    "ingress_traffic_internal_load_balancer": "internal-and-cloud-load-balancing",
    "1": "all", "2": "internal", "3": "internal-and-cloud-load-balancing", "4": "none",
}  # fmt: skip
"""v2's ingress settings, by name and by number, as v1 and gcloud call them (run_v2 IngressTraffic)."""

SETTINGS = {
    "run.googleapis.com/invoker-iam-disabled": "invoker_iam_disabled", "invokerIamDisabled": "invoker_iam_disabled",
    "run.googleapis.com/default-url-disabled": "default_uri_disabled", "defaultUriDisabled": "default_uri_disabled",
    "run.googleapis.com/minScale": "min_instance_count", "run.googleapis.com/maxScale": "max_instance_count",
}  # fmt: skip
"""Settings of the service itself by v1's annotation or v2's field."""

Change = dict[str, Any]
Asked = Mapping[str, Any]


def outside_changes(audit: pd.DataFrame, revisions: pd.DataFrame) -> pd.DataFrame:
    """One row for each change that made no revision, oldest first, with the columns of CHANGE_COLUMNS.

    `time` is that of the call, UTC; `revision_name` and what belongs to a revision are null; `by` is the principal;
    `kinds` some of traffic, iam, ingress, settings; `fields` what was changed, such as `iam allUsers removed`. A call
    that was refused has no kind, and its field says why.
    """
    rows: list[Change] = []
    asked: dict[str, Any] = {}
    latest: dict[str, pd.Timestamp] = {}
    calls = audit[audit["principal_email"].notna()].sort_values(["timestamp", "insert_id"], kind="stable")
    for call in calls.to_dict("records"):
        method = str(call["method_name"]).rpartition(".")[2]
        if _is_end(call, latest.get(method)):
            continue
        latest[method] = call["timestamp"]
        rows += _change(call, method, asked, revisions)
    return pd.DataFrame(rows, columns=list(CHANGE_COLUMNS)).astype({"time": "datetime64[ns, UTC]"})


def outside_effects(
    changes: pd.DataFrame, requested: pd.DataFrame, made: pd.Series, enough: int = ENOUGH
) -> pd.DataFrame:
    """`changes` with `effect`, `on`, `compared_with` (null) and `confounded`, judged by time.

    Requests that began between the change before and this one are compared with those until the next, kind by kind.
    `made` are the times of the revisions' own changes, which bound a change's requests as the others do. Confounded
    means that one of the two neighbours left fewer than `enough` requests between.
    """
    bounds = sorted({*changes["time"], *made})
    rows = [_judged(time, bounds, requested, enough) for time in changes["time"]]
    columns = ["effect", "on", "compared_with", "confounded"]
    return pd.concat([changes, pd.DataFrame(rows, columns=columns, index=changes.index)], axis=1)


def outside_times(audit: pd.DataFrame, revisions: pd.DataFrame) -> pd.Series:
    """When something was changed outside revisions; calls that were refused changed nothing."""
    found = outside_changes(audit, revisions)
    return found.loc[found["kinds"].map(len) > 0, "time"]


def first_and_last(
    requested: pd.DataFrame, times: Iterable[pd.Timestamp], enough: int = ENOUGH
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The requests of each revision in the first and in the last of the stretches that some times cut its life into.

    Only a stretch with `enough` requests counts; a revision without one keeps all of its requests.
    """
    cuts = pd.DatetimeIndex(sorted(times))
    if cuts.empty or requested.empty:
        return requested, requested
    name = requested["revision_name"].astype("object")
    stretch = pd.Series(cuts.searchsorted(requested["timestamp"], side="right"), requested.index)
    many = requested["weight"].groupby([name, stretch]).transform("sum") >= enough
    full = stretch.where(many)
    ends = (full.groupby(name).transform(end) for end in ("min", "max"))
    first, last = (requested[(stretch == end) | (end.isna() & name.notna())] for end in ends)
    return first, last


def _is_end(call: Mapping[str, Any], start: pd.Timestamp | None) -> bool:
    """Whether an entry is the end of an operation whose start was there: it says nothing new."""
    empty = not isinstance(call["request"], str) or call["request"] in ("", "{}")
    return empty and start is not None and call["timestamp"] - start <= OPERATION


def _change(call: Mapping[str, Any], method: str, asked: dict[str, Any], revisions: pd.DataFrame) -> Iterable[Change]:
    """The change that a call is, none where it changed nothing outside revisions; `asked` is kept up to date."""
    if not pd.isna(call["status_code"]) and call["status_code"] != 0:
        return [_row(call, [], [f"{method} was refused: {call['status_message']}"])]
    if method == "SetIamPolicy":
        return _of_policy(call, asked)
    if method in ("ReplaceService", "UpdateService", "CreateService"):
        return _of_service(call, asked, revisions)
    if method == "DeleteService":
        return [_row(call, ["settings"], ["service deleted"])]
    return []


def _of_policy(call: Mapping[str, Any], asked: dict[str, Any]) -> list[Change]:
    policy = _object(call["request"]).get("policy")
    if policy is None:
        return [_row(call, ["iam"], ["what changed is not in the entry"])]
    members = {
        member for binding in policy.get("bindings", []) if binding.get("role") == INVOKER
        for member in binding.get("members", [])
    }  # fmt: skip
    before, asked["invokers"] = asked.get("invokers"), members
    if before is None:
        return [_row(call, ["iam"], [f"iam {INVOKER} set to {', '.join(sorted(members)) or 'nobody'}"])]
    fields = [f"iam {name} added" for name in sorted(members - before)]
    fields += [f"iam {name} removed" for name in sorted(before - members)]
    return [_row(call, ["iam"], fields)] if fields else []


def _of_service(call: Mapping[str, Any], asked: dict[str, Any], revisions: pd.DataFrame) -> list[Change]:
    wanted = _wanted(_object(_object(call["request"]).get("service")))
    before, asked["service"] = asked.get("service"), wanted
    if not wanted or before is None:
        return []
    makes_revision = _makes_revision(call["timestamp"], revisions)
    different = [name for name in wanted if wanted[name] != before.get(name)]
    named = [name for name in different if not (name == "traffic" and makes_revision)]
    kinds = [name if name in ("traffic", "ingress") else "settings" for name in named]
    fields = [f"{name} {before.get(name, 'unset')} → {wanted[name]}" for name in named]
    return [_row(call, list(dict.fromkeys(kinds)), fields)] if fields else []


def _wanted(service: Asked) -> dict[str, str]:
    """What a call asks of the service apart from its next revision, v1 and v2 in one form."""
    if not service:
        return {}
    metadata, spec = _object(service.get("metadata")), _object(service.get("spec"))
    annotations = _object(metadata.get("annotations"))
    ingress = str(annotations.get("run.googleapis.com/ingress") or service.get("ingress") or "all").lower()
    targets = spec.get("traffic") or service.get("traffic") or []
    found = {
        "ingress": INGRESS.get(ingress, ingress),
        "traffic": ", ".join(sorted(map(_target, targets))) or "latest 100",
    }
    for source in (annotations, service):
        found |= {name: str(source[key]).lower() for key, name in SETTINGS.items() if key in source}
    return found


def _target(target: Asked) -> str:
    """A share of traffic in words: `latest 100`, `chat-00137-mel 100`."""
    revision = target.get("revisionName") or target.get("revision") or "latest"
    return f"{revision} {target.get('percent', 0)}"


def _makes_revision(called: pd.Timestamp, revisions: pd.DataFrame) -> bool:
    since = revisions["create_time"] - called
    return bool(((since >= -pd.Timedelta("2s")) & (since < MAKING)).any())


def _row(call: Mapping[str, Any], kinds: list[str], fields: list[str]) -> Change:
    return {
        "time": call["timestamp"],
        "revision_name": None,
        "by": call["principal_email"],
        "kinds": kinds,
        "fields": fields,
    }


def _judged(time: pd.Timestamp, bounds: list[pd.Timestamp], requested: pd.DataFrame, enough: int) -> Change:
    """The worst clear effect over all kinds of requests, with the kinds that show it."""
    begun = requested["timestamp"]
    last = max((bound for bound in bounds if bound < time), default=pd.Timestamp.min.tz_localize("UTC"))
    following = min((bound for bound in bounds if bound > time), default=pd.Timestamp.max.tz_localize("UTC"))
    before, after = requested[(begun >= last) & (begun < time)], requested[(begun >= time) & (begun < following)]
    effects = _by_kind(before, after, enough)
    few = min(int(before["weight"].sum()), int(after["weight"].sum())) < enough
    confounded = few and (last in bounds or following in bounds)
    for effect in ("broke", "fixed", "unknown", "none"):
        if on := [kind for kind, found in effects.items() if found == effect]:
            return {"effect": effect, "on": on, "compared_with": None, "confounded": confounded}
    return {"effect": "unknown", "on": [], "compared_with": None, "confounded": confounded}


def _by_kind(before: pd.DataFrame, after: pd.DataFrame, enough: int) -> dict[str, str]:
    counts = [
        rows.assign(failed=rows["failed"] * rows["weight"]).groupby("request_kind")[["failed", "weight"]].sum()
        for rows in (before, after)
    ]  # fmt: skip
    both = counts[0].add_suffix("_before").join(counts[1], how="inner")
    both = both[(both["weight_before"] >= enough) & (both["weight"] >= enough)]
    return {
        str(kind): effect_of(
            (int(row.failed_before), int(row.weight_before)), (int(row.failed), int(row.weight)), enough
        )
        for kind, row in both.iterrows()
    }


def _object(value: object) -> dict[str, Any]:
    """A JSON object, from text or as it is; empty where it is none."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}
