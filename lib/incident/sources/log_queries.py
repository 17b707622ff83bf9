"""The questions that are asked of Cloud Logging, and their order where not everything may be read.

Decides: one question for the administration's entries, one for denials by VPC Service Controls, whose resource type is
another, and one for the service's own entries. Where there is a limit, the service's own are asked for by use instead:
what the platform says and every warning and error first, then the rest of standard error, whose plain lines carry no
severity at all, then standard output, then the requests that went well; so that a limit loses the least useful. Each
of these is asked for newest first: what fails now decides the verdict, and an onset that was cut off is said. An entry
is in one of them exactly. Cannot tell: of which service a denial is, since its resource names none.
Source: cloud.google.com/run/docs/troubleshooting (denials), cloud.google.com/logging/docs/view/logging-query-language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from incident import platform
from incident.scope import Scope, rfc3339
from incident.sources import entries
from incident.sources.entries import quoted

ASCENDING, DESCENDING = "timestamp asc", "timestamp desc"
PLAIN = "(severity<WARNING)"


@dataclass(frozen=True)
class LogQuery:
    """One question: the frame it fills, what its entries are called, its filter for a scope, and its order."""

    name: str
    frame: str
    words: str
    filter: Callable[[Scope], str]
    order: str = ASCENDING

    @property
    def newest_first(self) -> bool:
        """Whether what a limit cuts off is the older part."""
        return self.order == DESCENDING


def denials_filter(scope: Scope) -> str:
    """The filter for denials of requests by VPC Service Controls, of all services of the project."""
    parts = (
        f"resource.type={quoted('audited_resource')}",
        f"resource.labels.method={quoted('run.googleapis.com/HttpIngress')}",
        f"logName={quoted(platform.log_name(scope.project, platform.POLICY))}",
        f"timestamp>={quoted(rfc3339(scope.start))}",
        f"timestamp<{quoted(rfc3339(scope.end))}",
    )
    return " AND ".join(f"({part})" for part in parts)


def errors_filter(scope: Scope) -> str:
    """The filter for all that the platform says, and for every entry of at least WARNING."""
    system = quoted(platform.log_name(scope.project, platform.SYSTEM))
    return f"{entries.logs_filter(scope)} AND (logName={system} OR severity>=WARNING)"


def _plain(log: str) -> Callable[[Scope], str]:
    """The filter for what is left of one log then."""
    return lambda scope: f"{entries.logs_filter(scope, (log,))} AND {PLAIN}"


AUDIT = LogQuery("audit", "audit", "audit entries", entries.audit_filter)
DENIALS = LogQuery("denials", "audit", "denials by VPC Service Controls", denials_filter)
LOGS = LogQuery("logs", "logs", "entries", entries.logs_filter)
WHOLE = (AUDIT, DENIALS, LOGS)
"""What is asked for where there is no limit."""

BY_USE = (
    AUDIT,
    DENIALS,
    LogQuery("errors", "logs", "system entries, warnings and errors", errors_filter, DESCENDING),
    LogQuery("stderr", "logs", "other entries of stderr", _plain(platform.STDERR), DESCENDING),
    LogQuery("stdout", "logs", "other entries of stdout", _plain(platform.STDOUT), DESCENDING),
    LogQuery("requests", "logs", "other request entries", _plain(platform.REQUESTS), DESCENDING),
)
"""What is asked for where there is one, the most useful first."""

QUERIES = {query.name: query for query in (LOGS, *BY_USE)}
OF_LOG = {platform.STDERR: "stderr", platform.STDOUT: "stdout", platform.REQUESTS: "requests"}
WARNING = platform.SEVERITIES["WARNING"]


def query_of(entry: Any) -> str:
    """The name of the query in `BY_USE` that a raw entry of the service's own logs answers."""
    log = entry.log_name.rpartition("/")[2].replace("%2F", "/")
    return "errors" if entry.severity >= WARNING else OF_LOG.get(log, "errors")
