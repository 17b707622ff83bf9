"""What can happen in a scenario: the kinds of step, and the settings and requests that they name.

Values only. A step's name in a file is the word in `STEPS`, and its fields are those of the class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Settings:
    """A revision's settings, in Cloud Run's names and units (memory as in `512Mi`, timeout in seconds).

    `protocol` is the port's name, http1 or h2c. `startup_deadline` is how long the startup probe waits, in seconds:
    Cloud Run's own default is 240, which no drill waits for. `command` is what the Python interpreter is started with
    in place of the image's own.
    """

    cpu: str = "1"
    memory: str = "512Mi"
    timeout: float = 300
    concurrency: int = 80
    max_instances: int = 10
    port: int = 8080
    protocol: Literal["http1", "h2c"] = "http1"
    startup_deadline: float = 20
    command: Sequence[str] = ()


@dataclass(frozen=True)
class RequestKind:
    """One kind of request that clients make: a WebSocket that sends `message` and awaits it back, or a plain GET."""

    kind: Literal["websocket", "http"]
    path: str
    user_agent: str
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "hello"


@dataclass(frozen=True)
class Build:
    """A Cloud Build of `image` at `commit`; with `finish: false` it goes on until a `finish_build` step."""

    image: str
    commit: str
    finish: bool = True


@dataclass(frozen=True)
class FinishBuild:
    """The build of `image` that is under way succeeds."""

    image: str


@dataclass(frozen=True)
class Deploy:
    """A new revision of `image`, deployed by a principal.

    `environment` and `settings` are set beside what was set before; `secrets` are variables that are read from a
    secret, which `readable: false` keeps from the service account. `pull` is what becomes of the image: ok, denied or
    missing.
    With a `tag` it can be reached at the tag's own URL; with `traffic: false` it takes no share of the service's.
    """

    revision: str
    image: str
    by: str
    environment: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    traffic: bool = True
    secrets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    pull: Literal["ok", "denied", "missing"] = "ok"


@dataclass(frozen=True)
class Policy:
    """Somebody sets who may invoke the service: the members of `roles/run.invoker`."""

    invokers: Sequence[str]
    by: str


@dataclass(frozen=True)
class Ingress:
    """Somebody sets from where the service may be reached."""

    to: Literal["all", "internal"]
    by: str


@dataclass(frozen=True)
class Traffic:
    """Somebody sends all traffic to a revision."""

    revision: str
    by: str


@dataclass(frozen=True)
class Dependency:
    """A server that instances depend on is up, refuses connections, or takes them and never answers.

    Instances find it by the variables NAME_HOST and NAME_PORT.
    """

    name: str
    state: Literal["up", "refusing", "silent"]


@dataclass(frozen=True)
class Proxy:
    """Something in front of the service, which everybody goes through from here on; `none: true` takes it away.

    It drops the headers that `drops` names, ends a socket on which nothing was said for `idle` seconds (0: never), and
    with `host_tls: expired` shows a certificate that has expired.
    """

    drops: Sequence[str] = ()
    idle: float = 0
    host_tls: Literal["", "expired"] = ""
    none: bool = False


@dataclass(frozen=True)
class Endpoint:
    """The path that the runbook asks at from here on, as its `websocket_path`, where a run says no other."""

    path: str


@dataclass(frozen=True)
class Ending:
    """How every socket of a step must end: by which side, and after how many seconds, at least and at most."""

    ended_by: Literal["", "server", "client"] = ""
    after: Sequence[float] = ()


@dataclass(frozen=True)
class Sockets:
    """Clients hold `count` sockets of a kind open for `hold` seconds, and send a message each `every` (0: never).

    `expect` is an `Ending`. With `meanwhile` the next step begins at once, what is still open ends with the drill, and
    nothing can be expected.
    """

    kind: str
    count: int
    hold: float
    every: float = 0
    meanwhile: bool = False
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LogFault:
    """A method of Google's APIs refuses from here on, with a code of gRPC's; `none: true` mends all that refuse."""

    method: str = ""
    code: Literal["", "PERMISSION_DENIED", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"] = ""
    none: bool = False


@dataclass(frozen=True)
class Requests:
    """Clients make `counts[kind]` requests of each kind, `clients` at a time; `expect` is the status each must get."""

    counts: Mapping[str, int]
    expect: Mapping[str, int]
    clients: int = 4


@dataclass(frozen=True)
class Pause:
    """Nothing happens for some seconds."""

    seconds: float


@dataclass(frozen=True)
class Run:
    """The runbook is run; `exit` is the code it must end with and `expect` what its summary must say (see `judge`).

    `score` is what is true (see `score`); `parameters` are set for this run alone.
    """

    name: str
    exit: int
    expect: Mapping[str, Any]
    score: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)


Step = (
    Build | FinishBuild | Deploy | Policy | Ingress | Traffic | Dependency | Proxy | Endpoint | Requests | Sockets
    | LogFault | Pause | Run
)  # fmt: skip

STEPS: dict[str, type[Step]] = {
    "build": Build,
    "finish_build": FinishBuild,
    "deploy": Deploy,
    "policy": Policy,
    "ingress": Ingress,
    "traffic": Traffic,
    "dependency": Dependency,
    "proxy": Proxy,
    "endpoint": Endpoint,
    "requests": Requests,
    "sockets": Sockets,
    "log_fault": LogFault,
    "pause": Pause,
    "run": Run,
}
"""The word that a step begins with, and what it is."""
