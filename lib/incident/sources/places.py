"""Other places where the same service can be reached: its own URL beside a custom domain, and each tag's URL.

Decides: which places there are, and which few checks are made there, so that they cost seconds: the health check, one
that expects a refusal, the first that expects acceptance. Reads: what the Admin API says of the service; then those
places, one request at a time. No credential goes there, and no row of theirs judges the run. A revision without an
instance starts one, whose lines are in the service's log like any other's. Cannot tell: what stands between two places;
the same check at both shows only that something does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from incident.detectors import is_secret_name, replace_secrets
from incident.findings import UsageError
from incident.sources.checks import Check
from incident.sources.endpoint import Surroundings
from incident.sources.matrices import Matrix, run_matrix
from incident.sources.target import parse_target

Row = dict[str, Any]

MOST_TAGS: Final = 8
"""Tags that are probed; each may have to start an instance first."""

TIME_FOR_ALL, TIME_FOR_A_CHECK = 10.0, 10.0
"""Seconds after which no further place is begun, and that one check may take: people wait for the cause meanwhile."""

LONGEST_HOLD: Final = 1.0
CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "x-serverless-authorization", "cookie"})
ACCEPTED: Final = ("accepted", "101")


@dataclass(frozen=True)
class Place:
    """Another place: `service` or `tag:NAME`, and its URL with the path that the endpoint has."""

    name: str
    url: str


@dataclass(frozen=True)
class TagUrl:
    """A tag as the service's traffic statuses have it."""

    name: str
    revision_name: str
    url: str


def places(endpoint: str, own_urls: Sequence[str], tags: Iterable[TagUrl]) -> tuple[list[Place], list[str]]:
    """The places to probe beside the endpoint, and sentences on what was left out.

    The service's own URL is one where the endpoint is none of `own_urls`, its first being the one to probe; a tag is
    one where no tag before it names the same revision.

    >>> found, _ = places("https://chat.example.com", ["https://chat-x.a.run.app"], [])
    >>> [(place.name, place.url) for place in found]
    [('service', 'https://chat-x.a.run.app')]
    """
    here, path = origin(endpoint), urlsplit(endpoint).path.rstrip("/")
    own = [url for url in own_urls if origin(url)]
    found = [Place("service", own[0].rstrip("/") + path)] if own and here not in map(origin, own) else []
    of_revision: dict[str, TagUrl] = {}
    for tag in tags:
        if origin(tag.url) not in (None, here):
            of_revision.setdefault(tag.revision_name, tag)
    probed = islice(of_revision.values(), MOST_TAGS)
    found += [Place(f"tag:{tag.name}", tag.url.rstrip("/") + path) for tag in probed]
    left = len(of_revision) - MOST_TAGS
    return found, [f"the URLs of {MOST_TAGS} tags were probed, {left} more were not"] if left > 0 else []


def origin(url: str) -> tuple[bool, str, int] | None:
    """What a URL connects to, or None for one that cannot be probed.

    >>> origin("https://chat-x.a.run.app/ws") == origin("wss://chat-x.a.run.app:443")
    True
    """
    try:
        target = parse_target(url, "/")
    except UsageError:
        return None
    return target.secure, target.host.lower(), target.port


def selection(matrix: Matrix, paths: Mapping[str, str]) -> tuple[Check, ...]:
    """The checks that are made at another place, in the matrix's order; none of an intrusive matrix."""
    if matrix.intrusive:
        return ()
    open_checks = [
        check for check in matrix.checks if not (matrix.id_token.get(check.name) or carries_credential(check, paths))
    ]
    sockets = [check for check in open_checks if check.kind == "websocket"]
    first = [
        next((check for check in open_checks if check.kind == "http"), None),
        next((check for check in sockets if is_refusal(check)), None),
        next((check for check in sockets if check.expected in ACCEPTED), None),
    ]
    return tuple(replace(check, hold=min(check.hold, LONGEST_HOLD)) for check in matrix.checks if check in first)


def is_refusal(check: Check) -> bool:
    """Whether a handshake is expected to be refused, by any status or a certain one."""
    return check.expected == "refused" or (len(check.expected) == 3 and check.expected not in ACCEPTED)


def carries_credential(check: Check, paths: Mapping[str, str]) -> bool:
    """Whether a check sends what must not go to another origin than the one it was meant for: by name or by shape.

    >>> paths = {"websocket_path": "/ws", "health_path": "/health"}
    >>> carries_credential(Check(headers={"Authorization": "Bearer t"}), paths), carries_credential(Check(), paths)
    (True, False)
    """
    asked = check.path.format(**paths, other_case=paths["websocket_path"])
    query = parse_qsl(urlsplit(asked).query)
    named = any(name.lower() in CREDENTIALS or is_secret_name(name) for name in check.headers)
    named = named or any(is_secret_name(name, in_query=True) for name, _ in query)
    texts = (*check.headers.values(), *check.subprotocols, check.send or "", asked)
    shaped = any(replace_secrets(text, lambda secret: "") != text for text in texts)
    return named or shaped


def probe_places(
    found: Iterable[Place], matrix: Matrix, paths: Mapping[str, str], here: Surroundings
) -> tuple[list[Row], list[str]]:
    """The rows of some places, and a sentence on those for which there was no time left.

    `paths` are the parameters `websocket_path` and `health_path`. No control name is asked, since nothing is judged.
    """
    limits = replace(here.limits, total=min(here.limits.total, TIME_FOR_A_CHECK))
    here = replace(here, connect_to=None, control=None, retries=0, limits=limits)
    began, rows, left = here.clock(), list[Row](), list[str]()
    for place in found:
        if here.clock() - began < TIME_FOR_ALL:
            rows += probed(place, matrix, paths, here)
        else:
            left.append(place.name)
    words = f"not probed, since other places had taken {TIME_FOR_ALL:g} s: {', '.join(left)}"
    return rows, [words] if left else []


def probed(place: Place, matrix: Matrix, paths: Mapping[str, str], here: Surroundings) -> list[Row]:
    """The rows of one place; no more of them once it gave no answer, so that a dead place costs one limit."""
    rows: list[Row] = []
    websocket_path, health_path = paths["websocket_path"], paths["health_path"]
    for check in selection(matrix, paths):
        one = Matrix(matrix.name, (check,))
        made = run_matrix(place.url, one, websocket_path=websocket_path, health_path=health_path, here=here)
        rows += [row | {"place": place.name} for row in made]
        if rows[-1]["http_status"] is None and rows[-1]["verdict"] != "broken":
            break
    return rows
