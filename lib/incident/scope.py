"""What is investigated: the parameters of every notebook, strictly read, and the scope they come to.

Reads text only. A scope is a project, a region, a service, the address that is probed and a half-open window of
time in UTC. It cannot tell whether any of these exist: that is for the sources to find out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from incident.findings import UsageError

LIVE_SOURCES = ("cloud", "analytics")
RELATIVE = re.compile(r"-(\d{1,6})([smhd])")
ISO_8601 = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
TIME_HELP = "give an ISO 8601 time or a relative one such as -2h, -30m, now"
SOURCE_HELP = "use cloud, sample:NAME, export:DIR, pull:DIR, run:RUN or analytics:PROJECT.DATASET"

LIMIT = (r"[1-9]\d{0,8}", "give a whole number above 0, or leave it empty: there is no limit then")
PROJECT = r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"
REGION = r"[a-z]+-[a-z]+\d+"
SERVICE = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
FORMS: dict[str, tuple[str, str]] = {
    "project": (PROJECT, "a project id is 6 to 30 of a-z, 0-9 and -"),
    "region": (REGION, "a region is named like us-central1"),
    "service": (SERVICE, "a service's name is a-z, 0-9 and -, and starts with a letter"),
    "compare_to": (f"{PROJECT}/{REGION}/{SERVICE}", "name another service as PROJECT/REGION/SERVICE"),
    "websocket_path": (r"/[^\s#?]*", "a path starts with / and has no query, such as /ws"),
    "health_path": (r"/[^\s#?]*", "a path starts with / and has no query, such as /health"),
    "source": (r"cloud|(?:sample|export|pull|run|analytics):.+", SOURCE_HELP),
    "incident": (r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name of a folder: letters, digits, . _ and -, 64 at most"),
    "max_entries": LIMIT,
    "max_calls": LIMIT,
    "max_bytes_billed": (r"[1-9]\d{0,14}(?:[KMGT]i?B)?", "give bytes, such as 10GB or 500MiB; empty is 10GiB"),
}


@dataclass(frozen=True)
class Parameters:
    """The parameters of every notebook, all text, by the names that CONTRACTS gives them.

    >>> Parameters.read({"project": "my-project", "start": "-2h"}).start
    '-2h'
    >>> Parameters.read({"serivce": "chat"})
    Traceback (most recent call last):
    incident.findings.UsageError: parameter 'serivce' is not known: did you mean 'service'? ...
    """

    project: str = ""
    region: str = ""
    service: str = ""
    start: str = ""
    end: str = ""
    endpoint: str = ""
    websocket_path: str = "/ws"
    health_path: str = "/health"
    matrix: str = "e2e"
    source: str = "sample:staging"
    before: str = ""
    incident: str = ""
    run_dir: str = ""
    max_entries: str = ""
    max_calls: str = ""
    repo: str = ""
    compare_to: str = ""
    max_bytes_billed: str = ""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of all parameters, in their order."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Parameters:
        """Parameters from a mapping; an unknown name, a wrong type or a value out of form is a `UsageError`."""
        for name, value in given.items():
            _check_name(name, cls.names())
            _check_value(name, value)
        parameters = cls(**given)
        for name in ("start", "end"):
            check_time(name, getattr(parameters, name))
        return parameters

    def needed(self, *names: str) -> None:
        """Refuse an empty value of one of `names`, which the chosen source cannot do without."""
        for name in names:
            if not getattr(self, name):
                raise UsageError(f"parameter '{name}' is empty: source {self.source!r} needs it, give --{name} VALUE")

    def kept(self) -> Parameters:
        """The parameters as a run may keep them: of what may be a path of this machine, the last part alone.

        >>> Parameters(source="run:outputs/chat/20250907T101500Z-3f2a").kept().source
        'run:20250907T101500Z-3f2a'
        """
        kind, colon, place = self.source.partition(":")
        last = {name: getattr(self, name).rstrip("/").rpartition("/")[2] for name in ("matrix", "before", "repo")}
        return replace(self, source=f"{kind}{colon}{place.rstrip('/').rpartition('/')[2]}", **last)

    @property
    def live(self) -> bool:
        """Whether the source is the present: relative times then count from now, and the endpoint is probed."""
        return self.source.split(":", 1)[0] in LIVE_SOURCES


def notebook_parameters(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters among a notebook's variables, which `globals()` gives.

    A name that was injected and is no parameter is among them, so that it is refused: papermill only warns of a
    typing error and runs on with the default.

    >>> notebook_parameters({"service": "chat", "other": 1, "In": ["", "service = 'chat'", "other = 1", "import re"]})
    {'service': 'chat', 'other': 1}
    """
    wanted = dict.fromkeys((*Parameters.names(), *_assigned_first(variables.get("In", ()))))
    return {name: variables[name] for name in wanted if name in variables}


def _assigned_first(cells: Iterable[str]) -> Iterator[str]:
    """The names set by a session's first cells, as long as these do nothing but assign constants.

    These are the parameters cell and what papermill or a scheduler put after it.
    """
    for cell in cells:
        try:
            steps = ast.parse(cell).body
        except SyntaxError:  # a magic of IPython's, or a typing error: no parameters cell
            return
        for step in steps:
            if not (isinstance(step, ast.Assign) and isinstance(step.value, ast.Constant)):
                return
            yield from (target.id for target in step.targets if isinstance(target, ast.Name))


@dataclass(frozen=True)
class Scope:
    """What one run looks at. `start` and `end` are UTC and half-open: an entry at `end` is outside."""

    project: str
    region: str
    service: str
    endpoint: str
    start: pd.Timestamp
    end: pd.Timestamp
    websocket_path: str = "/ws"
    health_path: str = "/health"

    def __post_init__(self) -> None:
        """Refuse a reversed window, which would match nothing and look like peace."""
        if self.start >= self.end:
            raise UsageError(
                f"the window is reversed: start {rfc3339(self.start)} is not before end {rfc3339(self.end)}; "
                "give an earlier --start or a later --end"
            )

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two runs comparable: the same project, region and service."""
        return self.project, self.region, self.service

    def as_json(self) -> dict[str, str]:
        """The scope as `summary.json` holds it."""
        return {
            field.name: rfc3339(value) if isinstance(value := getattr(self, field.name), pd.Timestamp) else value
            for field in fields(self)
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, str]) -> Scope:
        """The scope that `as_json` wrote."""
        return cls(**{**saved, "start": pd.Timestamp(saved["start"]), "end": pd.Timestamp(saved["end"])})


def scope(parameters: Parameters, reference: pd.Timestamp) -> Scope:
    """The scope that parameters come to; relative times count back from `reference`.

    An empty start is two hours before the reference, an empty end is the reference itself.
    """
    return Scope(
        parameters.project, parameters.region, parameters.service, parameters.endpoint,
        moment("start", parameters.start or "-2h", reference), moment("end", parameters.end or "now", reference),
        parameters.websocket_path, parameters.health_path,
    )  # fmt: skip


def moment(name: str, text: str, reference: pd.Timestamp) -> pd.Timestamp:
    """The UTC time, to the nanosecond, that a time parameter means.

    >>> moment("start", "-90s", pd.Timestamp("2025-09-07T10:00:00Z"))
    Timestamp('2025-09-07 09:58:30+0000', tz='UTC')
    >>> moment("start", "2025-09-07T10:00:00.123456789+02:00", pd.Timestamp("2025-09-07T10:00:00Z")).nanosecond
    789
    """
    check_time(name, text)
    if text == "now":
        return reference
    if relative := RELATIVE.fullmatch(text):
        return reference - pd.Timedelta(int(relative[1]), unit=relative[2].replace("d", "D"))
    parsed = pd.Timestamp(text)
    return (parsed.tz_localize("UTC") if parsed.tz is None else parsed.tz_convert("UTC")).as_unit("ns")


def check_time(name: str, text: str) -> None:
    """Refuse a text that is no time, in any of the ways that a clock or a calendar knows."""
    if not text or text == "now" or RELATIVE.fullmatch(text):
        return
    try:
        if ISO_8601.fullmatch(text):
            pd.Timestamp(text).as_unit("ns")
            return
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"parameter '{name}' is {text!r}: {TIME_HELP}")


def check_compared(parameters: Parameters, identity: tuple[str, str, str]) -> None:
    """Refuse a comparison with the service itself, and one that a recording would have to ask a live service for."""
    name = parameters.compare_to
    if name and not parameters.live:
        raise UsageError(
            f"parameter 'compare_to' is {name!r}: {parameters.source} is a recording, use --source cloud or nothing"
        )
    if name == "/".join(identity):
        raise UsageError(f"parameter 'compare_to' is {name!r}, which is the service itself: name another one")


def without_zone(parameters: Parameters) -> list[str]:
    """The time parameters that name no zone and were read as UTC, which a run says."""
    return [
        name
        for name in ("start", "end")
        if (match := ISO_8601.fullmatch(getattr(parameters, name))) and not match["zone"]
    ]


def rfc3339(time: pd.Timestamp) -> str:
    """A time as Google's APIs and our files write it: UTC, no trailing zeros, nanoseconds kept.

    >>> rfc3339(pd.Timestamp("2025-09-07T10:00:00.000000120Z"))
    '2025-09-07T10:00:00.00000012Z'
    """
    whole = time.tz_convert("UTC").as_unit("ns")
    fraction = f"{whole.microsecond * 1000 + whole.nanosecond:09d}".rstrip("0")
    return f"{whole:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}" if fraction else "") + "Z"


def _check_name(name: str, known: tuple[str, ...]) -> None:
    if name in known:
        return
    near = get_close_matches(name, known, 1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise UsageError(f"parameter '{name}' is not known: {hint}use one of {', '.join(known)}")


def _check_value(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise UsageError(
            f"parameter '{name}' is {value!r}, a {type(value).__name__}: give text; "
            f"with papermill, -r {name} VALUE keeps a value as it is"
        )
    form, allowed = FORMS.get(name, (r"[^\x00-\x1f\x7f]*", "control characters are not allowed"))
    if value and not re.fullmatch(form, value):
        raise UsageError(f"parameter '{name}' is {value!r}: {allowed}")
    if name == "endpoint" and value:
        _check_endpoint(value)


def _check_endpoint(value: str) -> None:
    try:
        url = urlsplit(value)
        sound = url.scheme in ("http", "https", "ws", "wss") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise UsageError(f"parameter 'endpoint' is {value!r}: give a URL such as https://chat-7gq2x.a.run.app")
    if url.username or url.password or url.query or url.fragment:
        shown = f"{url.scheme}://{url.hostname}"
        raise UsageError(
            f"parameter 'endpoint' on {shown} carries a user, a query or a fragment: give the address alone; "
            "credentials in it would be kept in the archive"
        )
