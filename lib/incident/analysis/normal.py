"""One form for what Cloud Run writes in several: the same value is then the same, whichever API said it.

Decides whether two values of a setting, a variable or an image are the same. Reads the JSON columns `settings` and
`environment` of a revision, and its image. v1 and v2 write a processor as `"1"` or `"1000m"`, a time-out as 300 or
`"300s"`, an ingress as `internal` or `INGRESS_TRAFFIC_INTERNAL_ONLY` (both are in the API's reference); what is not
set and what is set to the API's own default are one. It cannot tell whether a tag means the image that a digest
names: a tag moves, and `same_image` then says neither yes nor no.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

QUANTITY = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,9})?)(?P<unit>m|k|Ki|M|Mi|G|Gi|T|Ti)?")
UNITS = {"m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
"""Kubernetes' quantities, in which v1 and v2 write processors and memory."""

INGRESS = {
    "ingress_traffic_all": "all", "ingress_traffic_internal_only": "internal", "ingress_traffic_none": "none",
    "ingress_traffic_internal_load_balancer": "internal-and-cloud-load-balancing", "ingress_traffic_unspecified": "all",
    "0": "all", "1": "all", "2": "internal", "3": "internal-and-cloud-load-balancing", "4": "none", "": "all",
}  # fmt: skip
"""v2's ingress settings, by name and by number, as v1 and gcloud call them (run_v2 IngressTraffic)."""

PROBE = {"timeout_seconds": 1, "period_seconds": 10, "failure_threshold": 3}
"""What a probe is where it does not say (run_v2 Probe)."""

NOTHING: tuple[Any, ...] = (None, "", [], {}, 0, False)


def settings(document: object) -> dict[str, Any]:
    """A revision's settings, each in its one form; what is not set, or set to the default, is not there.

    >>> settings('{"cpu": "1000m", "memory": "0.5Gi", "timeout_s": 300.0, "session_affinity": false}')
    {'cpu': 1.0, 'memory': 536870912.0, 'timeout_s': 300.0}
    >>> settings('{"cpu": 1, "memory": "512Mi", "timeout_s": "300s"}')
    {'cpu': 1.0, 'memory': 536870912.0, 'timeout_s': 300.0}
    """
    read = {snake(name): _setting(snake(name), value) for name, value in json_object(document).items()}
    return {name: value for name, value in sorted(read.items()) if value not in NOTHING}


def environment(document: object) -> dict[str, Any]:
    """A revision's variables: a value's tag, or the secret that it refers to, by its short name, with its version.

    >>> environment('{"A": "tag", "KEY": {"secret": "projects/p/secrets/key"}}')
    {'A': 'tag', 'KEY': {'secret': 'key', 'version': 'latest'}}
    """
    return {name: _variable(value) for name, value in sorted(json_object(document).items())}


def ingress(value: object) -> str:
    """From where a service may be called, as gcloud calls it.

    >>> ingress("INGRESS_TRAFFIC_INTERNAL_ONLY"), ingress(2), ingress(None), ingress("internal")
    ('internal', 'internal', 'all', 'internal')
    """
    text = "" if value in (None, "") or value != value else str(value).lower()
    return INGRESS.get(text, text)


def same_image(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool | None:
    """Whether two revisions hold the same image; None where nothing proves it: a tag against a digest.

    Reads `image`, `image_digest`, `commit` and `build_id`. Another build or commit proves another image.

    >>> tag, digest = {"image": "r/chat:v1"}, {"image": "r/chat@sha256:a", "image_digest": "sha256:a"}
    >>> same_image(tag, digest), same_image(tag, {"image": "r/chat:v2"}), same_image(digest, digest)
    (None, False, True)
    """
    old, new = text_of(before, "image_digest"), text_of(after, "image_digest")
    if old and new:
        return old == new
    old_name, new_name = text_of(before, "image"), text_of(after, "image")
    if repository(old_name) != repository(new_name) and old_name and new_name:
        return False
    if is_of_one_build(before, after) is False:
        return False
    if old or new:
        return None
    return old_name == new_name


def is_of_one_build(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool | None:
    """Whether two revisions come from one build, or one commit; None where they do not both say it."""
    for column in ("build_id", "commit"):
        old, new = text_of(before, column), text_of(after, column)
        if old and new:
            return old == new
    return None


def repository(image: str) -> str:
    """An image's name without tag and digest.

    >>> repository("us-docker.pkg.dev:443/p/chat:v1"), repository("r/chat@sha256:a")
    ('us-docker.pkg.dev:443/p/chat', 'r/chat')
    """
    return re.sub(r":[^:/@]+$", "", image.split("@", 1)[0])


def text_of(row: Mapping[str, Any], column: str) -> str:
    """A column's text, empty where it is null or not there."""
    return value if isinstance(value := row.get(column), str) else ""


def json_object(value: object) -> dict[str, Any]:
    """A JSON object, from text or as it is; empty where it is none."""
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def snake(name: str) -> str:
    """A field's name as v2's messages write it.

    >>> snake("containerPort"), snake("cpu_idle")
    ('container_port', 'cpu_idle')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def quantity(value: object) -> object:
    """A quantity as a number: processors in cores, memory in bytes; what is none stays as it is.

    >>> quantity("1000m"), quantity("512Mi"), quantity("much")
    (1.0, 536870912.0, 'much')
    """
    found = QUANTITY.fullmatch(str(value))
    return float(found["number"]) * UNITS.get(found["unit"], 1) if found else value


def _seconds(value: object) -> object:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s?", str(value))
    return float(found[1]) if found else value


def _generation(value: object) -> object:
    """`gen1`, `gen2`, or nothing where the platform chooses."""
    name = str(value).lower().removeprefix("execution_environment_")
    return "" if name == "unspecified" else name


def _ports(value: object) -> object:
    plain = _plain(value)
    return [{"name": "http1"} | port for port in plain] if isinstance(plain, list) else plain


def _probe(value: object) -> object:
    """A probe without what it would be anyway; its kind stays where nothing of it is set, as in `tcp_socket: {}`."""
    plain = value if isinstance(value, dict) else {}
    read = {snake(name): _plain(part) for name, part in plain.items()}
    return {name: part for name, part in read.items() if part != PROBE.get(name) and part not in (None, 0)}


def _access(value: object) -> object:
    plain = _plain(value)
    found = plain if isinstance(plain, dict) else {}
    named = {name: str(found[name]) for name in ("connector", "egress") if name in found}
    if "connector" in named:
        named["connector"] = named["connector"].rpartition("/")[2]
    if "egress" in named:
        named["egress"] = named["egress"].upper().replace("-", "_")
    return {**found, **named}


def _plain(value: object) -> Any:
    """A JSON value with its names in one form, and without what is not set."""
    if isinstance(value, dict):
        read = {snake(str(name)): _plain(part) for name, part in value.items()}
        return {name: part for name, part in sorted(read.items()) if part not in NOTHING}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return _word(value)


def _word(value: object) -> object:
    """A number or a truth that is written as a text is one."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,18}", value) else value


FORMS: dict[str, Callable[[object], object]] = {
    "timeout_s": _seconds, "cpu": quantity, "memory": quantity, "execution_environment": _generation,
    "ports": _ports, "startup_probe": _probe, "liveness_probe": _probe, "vpc_access": _access,
}  # fmt: skip
"""How each setting is written in one form; all others are plain values."""


def _setting(name: str, value: object) -> object:
    if value in NOTHING:
        return None
    form: Callable[[object], object] = FORMS.get(name, _plain)
    try:
        return form(value)
    except (TypeError, AttributeError):  # of another shape than the API's: compared as it is
        return value


def _variable(value: object) -> object:
    if not isinstance(value, dict):
        return value
    secret = str(value.get("secret") or "").rpartition("/")[2]
    return {"secret": secret, "version": str(value.get("version") or "latest")}
