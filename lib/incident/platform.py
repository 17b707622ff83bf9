"""What Cloud Run itself says: the texts it logs, the answers its front end gives, the names it reserves.

One dated catalogue, so that a correction is one edit for the rules that match a text and for the drill that writes it.
Each entry has the words as the platform writes them, the shortest piece that has stayed the same, and its source.
`verified` is false where no source shows the words, the severity or the log: a rule may match such a text, but must
not rest on it alone. It cannot tell whether the wording has changed since `COLLECTED`: wording has changed three times
in the texts on a container that does not start, so rules match `fragment`, never `text`. Where a source cuts a text
short (START_AUTOSCALING, MEMORY_REQUEST, NO_INSTANCE), the words outside `fragment` are not shown by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

COLLECTED = "2026-11-24"
"""The day these texts were collected."""

TROUBLESHOOTING = "https://docs.cloud.google.com/run/docs/troubleshooting"
KNOWN_ISSUES = "https://docs.cloud.google.com/run/docs/known-issues"
REQUEST_TIMEOUT_PAGE = "https://docs.cloud.google.com/run/docs/configuring/request-timeout"
HTTP2_PAGE = "https://docs.cloud.google.com/run/docs/configuring/http2"
OBSERVED = "entries of real services in public repositories"
"""The source of a text that was seen in published log entries and is on no documentation page."""

REQUESTS = "run.googleapis.com/requests"
STDOUT = "run.googleapis.com/stdout"
STDERR = "run.googleapis.com/stderr"
SYSTEM = "run.googleapis.com/varlog/system"
ACTIVITY = "cloudaudit.googleapis.com/activity"
SYSTEM_EVENT = "cloudaudit.googleapis.com/system_event"
POLICY = "cloudaudit.googleapis.com/policy"

LOGS = (REQUESTS, STDOUT, STDERR, SYSTEM, ACTIVITY, SYSTEM_EVENT, POLICY)
"""Log ids, unescaped; `log_name` makes the name that an entry carries."""

SEVERITIES: Mapping[str, int] = {
    "DEFAULT": 0, "DEBUG": 100, "INFO": 200, "NOTICE": 300, "WARNING": 400,
    "ERROR": 500, "CRITICAL": 600, "ALERT": 700, "EMERGENCY": 800,
}  # fmt: skip
"""Cloud Logging's severities and their numbers (log_severity.proto)."""


def log_name(project: str, log: str) -> str:
    """The name an entry carries.

    >>> log_name("p", STDERR)
    'projects/p/logs/run.googleapis.com%2Fstderr'
    """
    return f"projects/{project}/logs/{log.replace('/', '%2F')}"


@dataclass(frozen=True)
class PlatformText:
    """One text of the platform: `text` is a template, `fragment` the shortest stable piece of it, a regular expression.

    `log` is a log id, `severity` a name of Cloud Logging's, `status` the HTTP status of its request where it has one.
    `example` fills the template where nothing else does.

    >>> CONTAINER_EXIT.format(code=3)
    'Container called exit(3).'
    >>> CONTAINER_EXIT.search("Container called exit(3).")["code"]
    '3'
    """

    name: str
    text: str
    fragment: str
    log: str
    severity: str
    source: str
    status: int | None = None
    verified: bool = True
    example: Mapping[str, object] = field(default_factory=dict)

    def format(self, **values: object) -> str:
        """The text with its places filled, from `values` first and from the example otherwise."""
        return self.text.format(**{**self.example, **values})

    def search(self, text: str) -> re.Match[str] | None:
        """Where `fragment` occurs in `text`, in any case of letters."""
        return _compiled(self.fragment).search(text)


@cache
def _compiled(fragment: str) -> re.Pattern[str]:
    return re.compile(fragment, re.IGNORECASE | re.DOTALL)


# The life of an instance. Severities of plain exits matter: an exit is a WARNING, so `severity>=ERROR` hides it.

START_AUTOSCALING = PlatformText(
    "START_AUTOSCALING",
    "Starting new instance. Reason: AUTOSCALING - Instance started due to configured scaling factors (e.g. CPU "
    "utilization, request throughput, etc.) or no existing capacity for current traffic.",
    r"Starting new instance\. Reason: AUTOSCALING", SYSTEM, "INFO", OBSERVED,
)  # fmt: skip
START_ROLLOUT = PlatformText(
    "START_ROLLOUT",
    "Starting new instance. Reason: DEPLOYMENT_ROLLOUT - Instance started due to traffic shifting between revisions "
    "due to deployment, traffic split adjustment, or deployment health check.",
    r"Starting new instance\. Reason: DEPLOYMENT_ROLLOUT", SYSTEM, "INFO", OBSERVED,
)  # fmt: skip
START_MIN_INSTANCE = PlatformText(
    "START_MIN_INSTANCE",
    "Starting new instance. Reason: MANUAL_OR_CUSTOMER_MIN_INSTANCE - Instance started because of customer-configured "
    "min-instances or manual scaling.",
    r"Starting new instance\. Reason: MANUAL_OR_CUSTOMER_MIN_INSTANCE", SYSTEM, "INFO", OBSERVED,
)  # fmt: skip
STARTUP_PROBE_SUCCEEDED = PlatformText(
    "STARTUP_PROBE_SUCCEEDED",
    'Default STARTUP TCP probe succeeded after {attempts} attempt for container "{container}" on port {port}.',
    r'STARTUP (?P<kind>\w+) probe succeeded after (?P<attempts>\d+) attempts? for container "?(?P<container>[^"\s]+)"?'
    r" on port (?P<port>\d+)",
    SYSTEM, "INFO", OBSERVED, example={"attempts": 1, "container": "app-1", "port": 8080},
)  # fmt: skip
STARTUP_PROBE_FAILED = PlatformText(
    "STARTUP_PROBE_FAILED",
    'Default STARTUP TCP probe failed {attempts} time consecutively for container "{container}" on port {port}. '
    "The instance was not started. Connection failed with status {reason}.",
    r'STARTUP (?P<kind>\w+) probe failed (?P<attempts>\d+) times? consecutively for container '
    r'"?(?P<container>[^"\s]+)"?'
    r" on port (?P<port>\d+)",
    SYSTEM, "ERROR", OBSERVED,
    example={"attempts": 1, "container": "app-1", "port": 8080, "reason": "DEADLINE_EXCEEDED"},
)  # fmt: skip
LIVENESS_PROBE_FAILED = PlatformText(
    "LIVENESS_PROBE_FAILED",
    "LIVENESS HTTP probe failed {attempts} times consecutively for container {container} on port {port} path {path}. "
    "The instance has been shut down.",
    r'LIVENESS (?P<kind>\w+) probe failed (?P<attempts>\d+) times? consecutively for container '
    r'"?(?P<container>[^"\s]+)"?',
    SYSTEM, "ERROR", TROUBLESHOOTING, verified=False,
    example={"attempts": 3, "container": "app-1", "port": 8080, "path": "/livez"},
)  # fmt: skip
CONTAINER_EXIT = PlatformText(
    "CONTAINER_EXIT", "Container called exit({code}).", r"Container called exit\((?P<code>\d+)\)",
    SYSTEM, "WARNING", OBSERVED, example={"code": 1},
)  # fmt: skip
CONTAINER_EXIT_ZERO = PlatformText(
    "CONTAINER_EXIT_ZERO", "Container called exit(0).", r"Container called exit\(0\)", SYSTEM, "INFO", OBSERVED,
)  # fmt: skip
CONTAINER_SIGNAL = PlatformText(
    "CONTAINER_SIGNAL", "Container terminated on signal {signal}.",
    r"Container terminated on signal (?P<signal>\d+)", SYSTEM, "WARNING", OBSERVED, verified=False,
    example={"signal": 9},
)  # fmt: skip
UNCAUGHT_SIGNAL = PlatformText(
    "UNCAUGHT_SIGNAL", "Uncaught signal: {signal}, pid=1, tid=1, fault_addr=0.",
    r"Uncaught signal: (?P<signal>\d+)", SYSTEM, "DEFAULT", OBSERVED, verified=False, example={"signal": 6},
)  # fmt: skip
MEMORY_LIMIT = PlatformText(
    "MEMORY_LIMIT",
    "Memory limit of {limit} exceeded with {used} used. Consider increasing the memory limit, see "
    "https://cloud.google.com/run/docs/configuring/memory-limits",
    r"Memory limit of (?P<limit>\S+ \S+) exceeded with (?P<used>\S+ \S+) used", SYSTEM, "ERROR", OBSERVED,
    example={"limit": "512 MiB", "used": "524 MiB"},
)  # fmt: skip
MEMORY_REQUEST = PlatformText(
    "MEMORY_REQUEST",
    "While handling this request, the container instance was found to be using too much memory and was terminated. "
    "This is likely to cause a new container instance to be used for the next request to this revision.",
    r"container instance was found to be using too much memory and was terminated", REQUESTS, "ERROR",
    f"{TROUBLESHOOTING}#container-memory", status=500, verified=False,
)  # fmt: skip
TRUNCATED_BODY = PlatformText(
    "TRUNCATED_BODY",
    "Truncated response body. Usually implies that the request timed out or the application exited before the response "
    "was finished.",
    r"Truncated response body", SYSTEM, "WARNING", OBSERVED,
)  # fmt: skip
SHUTDOWN_DISABLED = PlatformText(
    "SHUTDOWN_DISABLED", "Shutting down user disabled instance", r"Shutting down user disabled instance",
    SYSTEM, "INFO", OBSERVED,
)  # fmt: skip

# What a request's own entry says beside its status.

MALFORMED_RESPONSE = PlatformText(
    "MALFORMED_RESPONSE",
    "The request failed because either the HTTP response was malformed or connection to the instance had an error. "
    "Additional troubleshooting documentation can be found at: "
    "https://cloud.google.com/run/docs/troubleshooting#malformed-response-or-connection-error",
    r"HTTP response was malformed or connection to the instance had an error", REQUESTS, "ERROR", OBSERVED, status=503,
)  # fmt: skip
NO_INSTANCE = PlatformText(
    "NO_INSTANCE",
    "The request was aborted because there was no available instance. Additional troubleshooting documentation can be "
    "found at: https://cloud.google.com/run/docs/troubleshooting#abort-request",
    r"request was aborted because there was no available instance", REQUESTS, "WARNING",
    f"{TROUBLESHOOTING}#abort-request", status=429,
)  # fmt: skip
NO_INSTANCE_SCALING = PlatformText(
    "NO_INSTANCE_SCALING", NO_INSTANCE.text, NO_INSTANCE.fragment, REQUESTS, "ERROR", NO_INSTANCE.source, status=500
)
INSTANCE_COULD_NOT_START = PlatformText(
    "INSTANCE_COULD_NOT_START", "The request failed because the instance could not start successfully.",
    r"request failed because the instance could not start successfully", REQUESTS, "ERROR", TROUBLESHOOTING,
    status=500, verified=False,
)  # fmt: skip
READINESS_CHECK_FAILED = PlatformText(
    "READINESS_CHECK_FAILED", "The request failed because the instance failed the readiness check.",
    r"instance failed the readiness check", REQUESTS, "ERROR", OBSERVED, status=503, verified=False,
)  # fmt: skip
INSTANCE_LIMIT = PlatformText(
    "INSTANCE_LIMIT", "The Cloud Run service probably has reached its maximum container instance limit.",
    r"probably has reached its maximum container instance limit", REQUESTS, "ERROR", TROUBLESHOOTING, status=503,
    verified=False,
)  # fmt: skip
REQUEST_TIMEOUT = PlatformText(
    "REQUEST_TIMEOUT",
    "The request has been terminated because it has reached the maximum request timeout. To change this limit, see "
    "https://cloud.google.com/run/docs/configuring/request-timeout",
    r"request has been terminated because it has reached the maximum request timeout", REQUESTS, "ERROR",
    REQUEST_TIMEOUT_PAGE, status=504, verified=False,
)  # fmt: skip
NOT_AUTHENTICATED = PlatformText(
    "NOT_AUTHENTICATED",
    "The request was not authenticated. Either allow unauthenticated invocations or set the proper Authorization "
    "header.",
    r"The request was not authenticated", REQUESTS, "WARNING", f"{TROUBLESHOOTING}#unauthorized-client", status=403,
)  # fmt: skip
NOT_AUTHORIZED = PlatformText(
    "NOT_AUTHORIZED", "The request was not authorized to invoke this service.",
    r"The request was not authorized to invoke this service", REQUESTS, "WARNING",
    f"{TROUBLESHOOTING}#unauthorized-client", status=401,
)  # fmt: skip

# What is said of a revision or a service when a deploy ends.

READY_FALSE = PlatformText(
    "READY_FALSE", "Ready condition status changed to False for {kind} {name} with message: {message}",
    r"Ready condition status changed to False for (?P<kind>Revision|Service) (?P<name>\S+?)"
    r"(?:\.$| with message: (?P<message>.*))",
    SYSTEM_EVENT, "ERROR", OBSERVED,
    example={"kind": "Revision", "name": "app-00001-abc", "message": "The container failed to start."},
)  # fmt: skip
READY_TRUE = PlatformText(
    "READY_TRUE", "Ready condition status changed to True for {kind} {name} with message: {message}",
    r"Ready condition status changed to True for (?P<kind>Revision|Service) (?P<name>\S+?)"
    r"(?:\.$| with message: (?P<message>.*))",
    SYSTEM_EVENT, "INFO", OBSERVED,
    example={"kind": "Revision", "name": "app-00001-abc", "message": "Deploying revision succeeded in 12.28s."},
)  # fmt: skip
READY_TRUE_SERVICE = PlatformText(
    "READY_TRUE_SERVICE", "Ready condition status changed to True for Service {name}.",
    r"Ready condition status changed to True for Service (?P<name>[\w-]+)", SYSTEM_EVENT, "INFO", OBSERVED,
    example={"name": "app"},
)  # fmt: skip
DEPLOY_SUCCEEDED = PlatformText(
    "DEPLOY_SUCCEEDED", "Deploying revision succeeded in {seconds}s.",
    r"Deploying revision succeeded in (?P<seconds>[\d.]+)s", SYSTEM_EVENT, "INFO", OBSERVED,
    example={"seconds": "12.28"},
)  # fmt: skip
PORT_NOT_LISTENING = PlatformText(
    "PORT_NOT_LISTENING",
    "The user-provided container failed to start and listen on the port defined provided by the PORT={port} "
    "environment variable within the allocated timeout. This can happen when the container port is misconfigured or if "
    "the timeout is too short.",
    r"failed to start(?:\. Failed to start)? and (?:then )?listen on the port", SYSTEM_EVENT, "ERROR",
    f"{TROUBLESHOOTING}#container-failed-to-start", example={"port": 8080},
)  # fmt: skip
STARTUP_PROBE_UNMET = PlatformText(
    "STARTUP_PROBE_UNMET",
    "The user-provided container failed the configured startup probe checks. Logs for this revision might contain more "
    "information.",
    r"failed the configured startup probe checks", SYSTEM_EVENT, "ERROR", OBSERVED,
)  # fmt: skip
IMAGE_DENIED = PlatformText(
    "IMAGE_DENIED", "Google Cloud Run Service Agent {agent} must have permission to read the image, {image}.",
    r"Service Agent (?P<agent>\S+) must have permission to read the image", SYSTEM_EVENT, "ERROR", OBSERVED,
    example={"agent": "service-1@serverless-robot-prod.iam.gserviceaccount.com", "image": "gcr.io/p/app"},
)  # fmt: skip
IMAGE_NOT_FOUND = PlatformText(
    "IMAGE_NOT_FOUND", "Image '{image}' not found.", r"Image '(?P<image>[^']+)' not found", SYSTEM_EVENT, "ERROR",
    OBSERVED, example={"image": "gcr.io/p/app"},
)  # fmt: skip
SECRET_DENIED = PlatformText(
    "SECRET_DENIED",
    "Permission denied on secret: {secret} for Revision service account {account}. The service account used must be "
    "granted the 'Secret Manager Secret Accessor' role",
    r"Permission denied on secret: (?P<secret>\S+) for Revision service account (?P<account>\S+?)\.?(?:\s|$)",
    SYSTEM_EVENT, "ERROR", OBSERVED,
    example={"secret": "projects/p/secrets/s/versions/latest", "account": "run@p.iam.gserviceaccount.com"},
)  # fmt: skip

# What common application servers say; rules read these beside the platform's own words.

WORKER_FAILED_TO_BOOT = PlatformText(
    "WORKER_FAILED_TO_BOOT", "Reason: Worker failed to boot.", r"Worker failed to boot", STDERR, "DEFAULT",
    "gunicorn 27.0.1, gunicorn/arbiter.py, WORKER_BOOT_ERROR: exit 3",
)  # fmt: skip
LISTENING_AT = PlatformText(
    "LISTENING_AT", "[INFO] Listening at: {url} ({pid})", r"Listening at: (?P<url>\S+)", STDERR, "DEFAULT",
    "gunicorn 27.0.1, gunicorn/arbiter.py; written before the application is imported",
    example={"url": "http://0.0.0.0:8080", "pid": 1},
)  # fmt: skip
WEBSOCKET_REFUSED = PlatformText(
    "WEBSOCKET_REFUSED", '{address} - "WebSocket {path}" {status}',
    r'"WebSocket (?P<path>[^"]*)" (?P<status>[45]\d\d)', STDERR, "DEFAULT",
    "uvicorn 0.54.0, uvicorn/protocols/websockets/websockets_impl.py",
    example={"address": "127.0.0.1:0", "path": "/ws", "status": 403},
)  # fmt: skip
UPSTREAM_RESET = PlatformText(
    "UPSTREAM_RESET", "upstream connect error or disconnect/reset before headers. reset reason: {reason}",
    r"upstream connect error or disconnect/reset before headers\. reset reason: (?P<reason>[\w ]+)", REQUESTS, "ERROR",
    f"{HTTP2_PAGE}; fleetdm/fleet issue 37352", status=503, example={"reason": "remote reset"},
)  # fmt: skip

APPLICATION_LISTENS = PlatformText(
    "APPLICATION_LISTENS", "Uvicorn running on {url} (Press CTRL+C to quit)",
    r"\b(?:listening|running|serving|started)\b[^\n]{0,80}?(?:https?://[^\s]{1,80}:\d{2,5}|\bport(?:\(s\))?:? ?\d{2,5}"
    r"|[\s\[]:\d{2,5})",
    STDERR, "DEFAULT", "uvicorn 0.54.0 server.py, gunicorn 27.0.1 arbiter.py, hypercorn; node's and Go's own examples",
    example={"url": "http://0.0.0.0:8000"},
)  # fmt: skip
UNSUPPORTED_UPGRADE = PlatformText(
    "UNSUPPORTED_UPGRADE", "WARNING:  Unsupported upgrade request.",
    r"Unsupported upgrade request|No supported WebSocket library detected", STDERR, "DEFAULT",
    "uvicorn 0.54.0, uvicorn/protocols/http/h11_impl.py",
)  # fmt: skip
ORIGIN_REFUSED = PlatformText(
    "ORIGIN_REFUSED", "WARNING:  Origin not allowed: {origin}",
    r"\borigin\b[^\n]{0,120}?\b(?:not allowed|not permitted|not accepted|denied|forbidden|invalid|disallowed|rejected"
    r"|mismatch|not in (?:the )?(?:list|allowed))|\b(?:invalid|forbidden|disallowed|rejected|bad|untrusted|refused)\b"
    r"[^\n]{0,40}?\borigin\b|request origin not allowed",
    STDERR, "DEFAULT",
    "gorilla/websocket server.go (request origin not allowed); websockets 17.4 InvalidOrigin (invalid Origin header); "
    "engineio (is not an accepted origin)", example={"origin": "https://chat.example.com"},
)  # fmt: skip
CONNECTION_FAILED = PlatformText(
    "CONNECTION_FAILED", "ConnectionRefusedError: [Errno 111] Connection refused",
    r"\bConnectionRefusedError\b|\bECONNREFUSED\b|connection refused|\bConnectException\b|\bENOTFOUND\b|\bEAI_AGAIN\b"
    r"|getaddrinfo failed"
    r"|Name or service not known|Temporary failure in name resolution|UnknownHostException|no such host|\bETIMEDOUT\b"
    r"|connect(?:ion)? timed out|i/o timeout|could not connect to server|No route to host|\bEHOSTUNREACH\b"
    r"|\bENETUNREACH\b"
    r"|Can't connect to (?:MySQL|local MySQL)|Error (?:-\d+ )?connecting to|server closed the connection unexpectedly"
    r"|Connect call failed|the database (?:system is|ended)|MongoServerSelectionError|ServerSelectionTimeoutError",
    STDERR, "DEFAULT",
    "the errno names of POSIX connect(2) and getaddrinfo(3) as CPython, Node, Go and the JDK write them; psycopg, "
    "PyMySQL, redis-py and PyMongo",
)  # fmt: skip

STARTS: tuple[PlatformText, ...] = (START_AUTOSCALING, START_ROLLOUT, START_MIN_INSTANCE)
"""What the platform says when it starts an instance."""

TEXTS: tuple[PlatformText, ...] = tuple(value for value in list(globals().values()) if isinstance(value, PlatformText))
"""Every text of this page."""


@dataclass(frozen=True)
class Answer:
    """An answer of the front end's own: no container took part in it.

    `body` is a template with `{path}`; `logged` says whether a request entry is written, with `text` in it.
    """

    name: str
    status: int
    reason: str
    content_type: str
    body: str
    source: str
    logged: bool = True
    text: PlatformText | None = None
    verified: bool = True


def _page(title: str, heading: str, sentence: str) -> str:
    return (
        '<html><head>\n<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{title}</title>\n</head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {heading}</h1>\n"
        f"<h2>{sentence}</h2>\n<h2></h2>\n</body></html>\n"
    )


_HTML, _PLAIN = "text/html; charset=UTF-8", "text/plain"
_SERVER_ERROR = "The server encountered an error and could not complete your request.<p>Please try again in 30 seconds."

ANSWER_IAM_DENIED = Answer(
    "ANSWER_IAM_DENIED", 403, "Forbidden", _HTML,
    _page("403 Forbidden", "Forbidden",
          "Your client does not have permission to get URL <code>{path}</code> from this server."),
    OBSERVED, text=NOT_AUTHENTICATED,
)  # fmt: skip
ANSWER_NOT_FOUND = Answer(
    "ANSWER_NOT_FOUND", 404, "Not Found", _HTML,
    "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> "
    "<ins>That’s an error.</ins>\n<p>The requested URL <code>{path}</code> was not found on this server.  "
    "<ins>That’s all we know.</ins>\n",
    f"{TROUBLESHOOTING}; {KNOWN_ISSUES} (reserved paths)", logged=False, verified=False,
)  # fmt: skip
ANSWER_METHOD = Answer(
    "ANSWER_METHOD", 405, "Method Not Allowed", _HTML,
    _page("405 Method Not Allowed", "Method Not Allowed", "The method is not supported by this service."),
    KNOWN_ISSUES, logged=False, verified=False,
)  # fmt: skip
ANSWER_RATE_EXCEEDED = Answer(
    "ANSWER_RATE_EXCEEDED", 429, "Too Many Requests", _PLAIN, "Rate exceeded.", TROUBLESHOOTING, text=NO_INSTANCE,
    verified=False,
)  # fmt: skip
ANSWER_COULD_NOT_START = Answer(
    "ANSWER_COULD_NOT_START", 500, "Internal Server Error", _HTML,
    _page("500 Server Error", "Server Error", _SERVER_ERROR), TROUBLESHOOTING, text=INSTANCE_COULD_NOT_START,
    verified=False,
)  # fmt: skip
ANSWER_BAD_GATEWAY = Answer(
    "ANSWER_BAD_GATEWAY", 502, "Bad Gateway", _HTML, _page("502 Server Error", "Server Error", _SERVER_ERROR), OBSERVED,
)  # fmt: skip
ANSWER_MALFORMED = Answer(
    "ANSWER_MALFORMED", 503, "Service Unavailable", _PLAIN, "Service Unavailable", OBSERVED, text=MALFORMED_RESPONSE,
    verified=False,
)  # fmt: skip
ANSWER_UPSTREAM_RESET = Answer(
    "ANSWER_UPSTREAM_RESET", 503, "Service Unavailable", _PLAIN, UPSTREAM_RESET.format(reason="protocol error"),
    "https://github.com/GoogleCloudPlatform/cloud-run-samples/issues/223",
)  # fmt: skip
ANSWER_TIMEOUT = Answer(
    "ANSWER_TIMEOUT", 504, "Gateway Timeout", _PLAIN, "upstream request timeout", REQUEST_TIMEOUT_PAGE,
    text=REQUEST_TIMEOUT, verified=False,
)  # fmt: skip

ANSWERS: tuple[Answer, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Answer))
"""Every answer that the front end gives by itself."""

SERVER_HEADER = "Google Frontend"
"""The `server` header of every reply, in place of the application's own (unverified)."""

TRACE_HEADER = "x-cloud-trace-context"
"""`TRACE/SPAN;o=1` on every reply (unverified), and passed on to the container."""

UNSUPPORTED_METHODS = ("TRACE", "CONNECT")
"""Methods that Cloud Run does not support (known issues)."""


def is_reserved(path: str) -> bool:
    """True where a path never reaches the container: `/eventlog`, `/_ah/…` and `/healthz` (known issues).

    The page says "some paths ending with z" and names no others, so no other such path is taken as reserved.

    >>> is_reserved("/healthz"), is_reserved("/health"), is_reserved("/_ah/start")
    (True, False, True)
    """
    return path in ("/eventlog", "/healthz") or path.startswith("/_ah/")


def request_severity(status: int) -> str:
    """The severity of a request entry: an opened WebSocket (101) is DEFAULT, so a filter `severity>=INFO` hides it.

    >>> [request_severity(status) for status in (101, 200, 302, 403, 503)]
    ['DEFAULT', 'INFO', 'INFO', 'WARNING', 'ERROR']
    """
    if status < 200:
        return "DEFAULT"
    return "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR"
