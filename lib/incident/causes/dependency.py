"""What the application depends on: a database, a cache, another service."""

from __future__ import annotations

import re

import pandas as pd

from incident import platform
from incident.analysis.case import Case
from incident.analysis.searching import found_in
from incident.analysis.tracebacks import read_traceback
from incident.causes.lines import within
from incident.causes.rules import found, not_found, numbers, rule
from incident.causes.shares import mostly
from incident.causes.startup import consequences, early_ends, fatal_exceptions
from incident.findings import Finding

READS = ("logs", "revisions")
WHERE = re.compile(
    r"""(?:to|at|tcp|host|address|Connect call failed) \(?["']?(?P<host>[\w.-]{1,200})["']?(?:, port | port |, |:)"""
    r"(?P<port>\d{1,5})"
)
"""Where a connection went, as drivers write it: `connection to server at "db", port 5432`, `dial tcp 10.0.0.1:6379`."""


@rule("dependency-unreachable", *READS)
def dependency_unreachable(case: Case) -> Finding:
    """Something that the application depends on refuses its connections, does not answer, or has no such name.

    Reads: exceptions and error lines of the application that say that a connection failed, and the requests in whose
    life they fall, on the same instance or in the same trace; also those that end an instance at its start.

    Says failed: where the requests with such an error failed more often than not, by a count that leaves no doubt.

    Ruled out by: whole logs without such an error; errors after which the requests succeeded, since the application
    tried again.

    Cannot tell: whether the other side is down, closed to this one, or misnamed; a pool that is full from a server that
    is slow.

    To mend it: bring the dependency back, or mend its name, its address or the network to it; going back to an older
    revision mends it only where a revision brought it.
    """
    entries = case.entries
    said = entries[entries["kind"].isin(["exception", "line"])]
    told = said[found_in(said["text"], platform.CONNECTION_FAILED)]
    if told.empty:
        return not_found("dependency-unreachable", case, READS)
    at_start = fatal_exceptions(case, early_ends(case))
    at_start = at_start[found_in(at_start["text"], platform.CONNECTION_FAILED)]
    touched = case.requests[within(case.requests, told)]
    failing = _failing(case, touched)
    if len(at_start):
        failing = pd.concat([failing, consequences(case, at_start)])
        failing = failing[~failing.index.duplicated()]
    if failing.empty and at_start.empty:
        good = int(touched.loc[~touched["failed"], "weight"].sum())
        words = f"{len(told)} errors say that a connection failed, and {good} requests with one succeeded all the same"
        return not_found("dependency-unreachable", case, READS, words)
    shown = told[told["revision_name"].isin({*failing["revision_name"], *at_start["revision_name"]})]
    return found(
        "dependency-unreachable", case, _because(case, shown, failing), _remedy(shown), shown=shown, failing=failing
    )


def _failing(case: Case, touched: pd.DataFrame) -> pd.DataFrame:
    """The requests with such an error that failed, of clients for whom it fails more often than not."""
    server = (touched["http_request_status"] >= 500) | (touched["websocket"] & touched["failed"])
    own = touched["platform_text"].eq("") | touched["platform_text"].isin([platform.MALFORMED_RESPONSE.name])
    return mostly(touched, touched["failed"] & server & own)


def _because(case: Case, shown: pd.DataFrame, failing: pd.DataFrame) -> str:
    said, on = _words(str(shown["text"].iloc[-1])), numbers(case, shown["revision_name"].dropna())
    count = int(failing["weight"].sum())
    return f"{said}; {int(shown['weight'].sum())} such errors on {on}, and {count} requests failed with one"


def _words(text: str) -> str:
    """The sentence that says what failed: an exception's last line, else the line itself."""
    traceback = read_traceback(text)
    said = f"{traceback.exception}: {traceback.message}" if traceback else text.strip().split("\n", 1)[0]
    return said[:160]


def _remedy(shown: pd.DataFrame) -> str:
    where = next((match for text in shown["text"].iloc[::-1] if (match := WHERE.search(text))), None)
    target = f"{where['host']}:{where['port']}" if where else "what the error names"
    return f"see whether {target} is up and can be reached from the service (VPC, firewall, name), and bring it back"
