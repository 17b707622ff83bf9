"""Late entries of our own probes: asked for once more, only where one is missing, and never as evidence of a gap."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
import pandas as pd
import pytest

from incident.scope import rfc3339
from incident.sources import cloud, entries
from incident.sources.calls import Calls
from incident.sources.clients import Clients
from incident.sources.entry_pages import LATE_WAIT, probes_filter, user_agent

TRACES = "projects/my-project/traces/"
AT = "2025-09-07T10:59:58Z"


def probe(letter: str = "a", at: str = AT, http_status: int | None = 403) -> dict[str, Any]:
    """A probe's row, as far as the log is asked for it."""
    return {"probe_id": letter * 16, "trace_id": letter * 32, "time": at, "http_status": http_status}


def entry_of(make: Any, row: dict[str, Any], **fields: Any) -> Any:
    """The request entry that such a probe leaves."""
    known = {"user_agent": user_agent(row["probe_id"]), "trace": TRACES + row["trace_id"]}
    return make.request_entry(row["time"], **(known | fields))


@pytest.fixture
def pulled(google: Any, make: Any) -> Callable[..., Any]:
    """A pull of some probes; `arriving` are the entries that come while it waits, and `waits` the seconds it waited."""

    def run(probes: list[dict[str, Any]], arriving: Iterable[Any] = ()) -> tuple[cloud.Pulled, list[float]]:
        waits: list[float] = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            google.entries.extend(arriving)

        quick = Calls(first_pause=0.001, longest_pause=0.01, budget=0.05)
        pull = cloud.Pull(make.SCOPE, Clients(google.address), quick, sleep=sleep)
        cloud.ask_service(pull)
        return cloud.ask_rest(pull, make.END, probes), waits

    return run


def late_queries(came: cloud.Pulled) -> list[Any]:
    """The queries that look for our own probes alone."""
    return [query for query in came.queries if "httpRequest.userAgent" in query.filter]


@pytest.mark.parametrize("known_by", [{"user_agent": "changed"}, {"trace": ""}])
def test_an_entry_that_comes_late(google: Any, make: Any, pulled: Any, known_by: dict[str, str]) -> None:
    """The entry of a handshake made a moment ago comes seconds later, with its trace or with its user agent."""
    google.entries = [make.request_entry("2025-09-07T10:00:00Z")]
    came, waits = pulled([probe()], [entry_of(make, probe(), **known_by)])
    assert list(came.frames["logs"]["probe_id"].fillna("-")) == ["-", "a" * 16]
    [query] = late_queries(came)
    assert (query.frame, query.calls, query.entries) == ("logs", 1, 2)
    assert len(waits) == 1
    assert 0 < waits[0] <= LATE_WAIT
    assert came.gaps == ()
    assert "logs" in came.complete


def test_nothing_is_missing(google: Any, make: Any, pulled: Any) -> None:
    """Where every probe has its entry nobody waits and no call is made."""
    google.entries = [entry_of(make, probe())]
    came, waits = pulled([probe(), probe("b", http_status=None)])
    assert (late_queries(came), waits) == ([], [])


@pytest.mark.parametrize("at", ["2025-09-07T11:00:00Z", "2025-09-07T09:00:00Z"])
def test_a_window_without_the_probes(make: Any, pulled: Any, at: str) -> None:
    """A window that ends before the probes cannot hold their entries."""
    came, waits = pulled([probe(at=at)])
    assert (late_queries(came), waits) == ([], [])


def test_refused_logs_are_not_asked_again(google: Any, pulled: Any) -> None:
    """Who may not read the logs may not read two lines of them."""
    google.faults["ListLogEntries"] = grpc.StatusCode.PERMISSION_DENIED
    came, waits = pulled([probe()])
    assert (late_queries(came), waits) == ([], [])


def test_a_late_call_that_fails_is_no_gap(google: Any, make: Any, pulled: Any) -> None:
    """The window was read whole; that a probe's entry is not there yet says nothing about it. The call is counted."""
    google.entries = [make.request_entry("2025-09-07T10:00:00Z")]
    google.faults["ListLogEntries"] = [None, None, None, *[grpc.StatusCode.INVALID_ARGUMENT] * 9]
    came, _ = pulled([probe()])
    assert came.gaps == ()
    assert len(came.frames["logs"]) == 1
    assert late_queries(came)[0].calls == 1


def test_the_narrow_filter(make: Any) -> None:
    """One minute before the first probe, for a clock that is ahead; every part in parentheses."""
    rows = [probe("b", "2025-09-07T10:59:59.5Z"), probe("a")]
    text = probes_filter(make.SCOPE, rows)
    since = rfc3339(pd.Timestamp("2025-09-07T10:58:58Z"))
    assert f'(timestamp>="{since}") AND (timestamp<"2025-09-07T11:00:00Z")' in text
    assert text.endswith(
        f'AND (trace=("{TRACES}{"b" * 32}" OR "{TRACES}{"a" * 32}") OR '
        f'httpRequest.userAgent=("{user_agent("b" * 16)}" OR "{user_agent("a" * 16)}"))'
    )
    assert len(probes_filter(make.SCOPE, [probe()] * 500)) < 20_000
    assert entries.OUR_USER_AGENT.fullmatch(user_agent("1f"))
