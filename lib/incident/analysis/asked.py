"""What a call asks of a service apart from its next revision: traffic, ingress, settings, and who may do what.

Reads a call's request and response, in v1's form (a Service of `serving.knative.dev/v1`, settings in annotations) and
in v2's (fields, and an update mask). Both come to the same names and words. A request says what was asked for; what
was there before is in the response's status, where the platform has not changed it yet. It cannot tell what a request
left as it was, where its entry keeps no request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from incident.analysis.calls import Call
from incident.analysis.normal import ingress, json_object, snake
from incident.http1 import printable

RUN = "run.googleapis.com/"
ANNOTATIONS = {
    RUN + "invoker-iam-disabled": "invoker_iam_disabled", RUN + "default-url-disabled": "default_uri_disabled",
    RUN + "iap-enabled": "iap_enabled", RUN + "minScale": "min_instance_count", RUN + "maxScale": "max_instance_count",
    RUN + "scalingMode": "scaling_mode", RUN + "manualInstanceCount": "manual_instance_count",
    RUN + "custom-audiences": "custom_audiences",
}  # fmt: skip
"""Settings of the service itself, as v1's annotations have them."""

FIELDS = ("invoker_iam_disabled", "default_uri_disabled", "iap_enabled", "custom_audiences")
SCALING = ("min_instance_count", "max_instance_count", "scaling_mode", "manual_instance_count")
"""The same as fields of v2's Service, and of its `scaling`."""

DEFAULTS = {"ingress": "all", "traffic": "latest 100"}
UNSET = ("", "false", "0", "[]", "none", "automatic", "scaling_mode_unspecified")
LONGEST = 200
MOST = 2000
"""More targets, members or roles than this are not read; a policy has 1,500 at most (cloud.google.com/iam/quotas)."""

Policy = dict[str, frozenset[str]]


def wanted(call: Call, before: Mapping[str, str] | None) -> dict[str, str]:
    """What a call asks of the service, by name; what its update mask leaves out is as `before`, where that is known.

    Empty where the entry keeps no request. `traffic` is in words, such as `chat-00137-mel 90, latest 10`.
    """
    service = json_object(call.request.get("service"))
    if not service:
        return {}
    asked = DEFAULTS | _of_v2(service) | _of_v1(service)
    mask = _mask(call.request)
    if not mask:
        return asked
    named = {name: value for name, value in asked.items() if _parent(name) in mask}
    return {name: value for name, value in (before or {}).items() if _parent(name) not in mask} | named


def shown_before(call: Call) -> dict[str, str]:
    """What the service was before a call, as far as the entry itself shows it: v1's status, which follows later.

    The annotation `ingress-status` and `status.traffic` are what is in force, not what is asked for. The platform may
    have followed already: what then is the same as what was asked says nothing, and is left out.
    """
    asked = wanted(call, None)
    found = {}
    for service in (json_object(call.request.get("service")), call.response):
        notes = json_object(json_object(service.get("metadata")).get("annotations"))
        if RUN + "ingress-status" in notes:
            found["ingress"] = ingress(notes[RUN + "ingress-status"])
        if targets := json_object(service.get("status")).get("traffic"):
            found["traffic"] = traffic(targets)
    return {name: value for name, value in found.items() if value != asked.get(name)}


def policy(call: Call) -> Policy | None:
    """The members of each role that a call sets, None where the entry keeps no policy; a condition is said."""
    asked = call.request.get("policy")
    if not isinstance(asked, dict):
        return None
    bindings = asked.get("bindings")
    found: Policy = {}
    for binding in bindings[:MOST] if isinstance(bindings, list) else ():
        named = json_object(binding)
        role = printable(str(named.get("role")), LONGEST) + (" on a condition" if named.get("condition") else "")
        found[role] = found.get(role, frozenset()) | _members(named.get("members"))
    return found


def traffic(targets: object) -> str:
    """Shares of traffic in words, tags too, in one order.

    >>> traffic([{"revisionName": "chat-00137-mel", "percent": 90}, {"latestRevision": True, "percent": 10}])
    'chat-00137-mel 90, latest 10'
    """
    read = [_target(json_object(target)) for target in targets[:MOST]] if isinstance(targets, list) else []
    return ", ".join(sorted(filter(None, read))) or DEFAULTS["traffic"]


def _target(target: Mapping[str, Any]) -> str:
    """One share; v1's status names the revision that is the latest now, which is the latest all the same."""
    name = (
        "latest" if target.get("latestRevision") else target.get("revisionName") or target.get("revision") or "latest"
    )
    percent = f"{share:g}" if isinstance(share := target.get("percent"), int | float) and share else ""
    tag = f"tag {target['tag']}" if target.get("tag") else ""
    words = [printable(str(name).rpartition("/")[2], LONGEST), percent, printable(tag, LONGEST)]
    return " ".join(filter(None, words)) if percent or tag else ""


def _of_v1(service: Mapping[str, Any]) -> dict[str, str]:
    notes = json_object(json_object(service.get("metadata")).get("annotations"))
    found = _set((name, notes.get(annotation)) for annotation, name in ANNOTATIONS.items())
    if RUN + "ingress" in notes:
        found["ingress"] = ingress(notes[RUN + "ingress"])
    targets = json_object(service.get("spec")).get("traffic")
    return found | ({"traffic": traffic(targets)} if targets else {})


def _of_v2(service: Mapping[str, Any]) -> dict[str, str]:
    fields = {snake(name): value for name, value in service.items()}
    scaling = {snake(name): value for name, value in json_object(fields.get("scaling")).items()}
    found = _set([(name, fields.get(name)) for name in FIELDS] + [(name, scaling.get(name)) for name in SCALING])
    if "ingress" in fields:
        found["ingress"] = ingress(_whole(fields["ingress"]))
    return found | ({"traffic": traffic(fields["traffic"])} if fields.get("traffic") else {})


def _set(named: Iterable[tuple[str, object]]) -> dict[str, str]:
    """What is set, as text; what is off is as good as not set."""
    texts = {name: _text(value) for name, value in named}
    return {name: text for name, text in texts.items() if text.lower() not in UNSET}


def _text(value: object) -> str:
    """A value in words; a list in v1 is a text that holds JSON."""
    try:
        read = json.loads(value) if isinstance(value, str) and value.startswith("[") else value
    except (ValueError, RecursionError):
        read = value
    words = ", ".join(map(str, read[:MOST])) if isinstance(read, list) else "" if read is None else str(_whole(read))
    return printable(words.lower() if isinstance(read, bool) else words, LONGEST)


def _whole(value: object) -> object:
    """A number as JSON documents of the log have it: 2.0 is 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _mask(request: Mapping[str, Any]) -> set[str]:
    """The fields of v2's Service that a call changes, the first part of each path; none where it replaces all."""
    mask = request.get("updateMask", request.get("update_mask"))
    paths = mask.split(",") if isinstance(mask, str) else json_object(mask).get("paths")
    named = paths if isinstance(paths, list) else []
    parts = {snake(str(path).strip().partition(".")[0]) for path in named[:MOST]}
    return set() if "*" in parts else parts - {""}


def _parent(name: str) -> str:
    return "scaling" if name in SCALING else name


def _members(members: object) -> frozenset[str]:
    named = members[:MOST] if isinstance(members, list) else []
    return frozenset(printable(str(name), LONGEST) for name in named)
