"""The two sides of a handshake: what the probe saw, and what the service's own log says of it, or why it cannot."""

from typing import Any

import pytest

from incident.analysis.sides import COLUMNS, sides

TRACE = "a" * 32
PROBE = {
    "probe_id": "1f", "trace_id": TRACE, "name": "x", "kind": "websocket", "url": "wss://c/ws", "time": "10:30:00",
    "verdict": "refused", "stage": "status", "http_status": 403, "expected": "403", "status": "ok",
    "timings": '{"status_s": 0.2, "open_s": null}', "place": "endpoint",
}  # fmt: skip
ENTRY = {
    "log": "requests", "at": "10:30:00", "probe_id": "1f", "trace": f"projects/p/traces/{TRACE}", "status": 403,
    "revision": "chat-00139-rap", "instance": "00ab", "latency": 0.004,
}  # fmt: skip
DENIED = {"frame": "logs", "reason": "reading logs was refused (403)", "remedy": "grant", "kind": "refused"}
IAM = "The request was not authenticated. Either allow unauthenticated invocations or set the proper Authorization header."
MALFORMED = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an error."
)
FILLER = {"log": "stdout", "at": "10:00:01", "text": "up", "revision": "chat-00139-rap"}


def side(evidence: Any, logs: list[dict[str, Any]], probe: dict[str, Any] = PROBE, **case: Any) -> Any:
    """The one row of a handshake with some entries."""
    return sides(evidence({"frames": {"handshakes": [probe], "logs": [FILLER, *logs]}} | case)).iloc[0]


@pytest.mark.parametrize(
    ("entry", "probe", "because"),
    [
        ({}, {}, "served by revision 00139, 403 in 4 ms"),
        ({"instance": None, "text": IAM, "status": 403}, {}, f"refused by the platform, 403 in 4 ms: {IAM}"),
        (
            {"text": MALFORMED, "status": 503, "latency": 1.24}, {"http_status": 503},
            f"answered by the platform for an instance of revision 00139, 503 in 1.2 s: {MALFORMED}",
        ),
        (
            {"instance": None}, {},
            "revision 00139, 403 in 4 ms; the entry names no instance, so who answered is not known",
        ),
        (
            {"status": 101, "latency": 1.1}, {"verdict": "accepted", "http_status": 101},
            "served by revision 00139, 101, open for 1.1 s",
        ),
        (
            {"status": 101, "latency": 1.1}, {"http_status": 502},
            "served by revision 00139, 101, open for 1.1 s; the probe saw 502: something between them changed it",
        ),
        ({"latency": None}, {}, "served by revision 00139, 403"),
        ({"text": "GET /ws"}, {}, "served by revision 00139, 403 in 4 ms"),
    ],
)  # fmt: skip
def test_what_an_entry_says(evidence: Any, entry: dict[str, Any], probe: dict[str, Any], because: str) -> None:
    """Who answered is what decides where to look: the application, the platform, or something before both."""
    found = side(evidence, [ENTRY | entry], PROBE | probe)
    assert (found["seen"], found["because"]) == ("seen", because)


def test_the_columns(evidence: Any) -> None:
    """Notebooks and charts rely on them, also where nothing was found."""
    found = side(evidence, [ENTRY])
    assert list(found.index) == list(COLUMNS)
    assert (found["log_status"], found["log_latency_s"], found["instance_id"]) == (403, 0.004, "00ab")
    assert (found["place"], found["observed"]) == ("endpoint", "refused 403")
    missing = side(evidence, [], PROBE | {"place": None})
    assert missing[["log_status", "log_latency_s", "instance_id", "revision_name"]].isna().all()
    assert missing["place"] == "endpoint"
    empty = sides(evidence({"frames": {}}))
    assert (len(empty), empty.dtypes.astype(str).to_dict()["log_status"]) == (0, "Int64")


def test_by_trace_before_probe_id(evidence: Any) -> None:
    """A retried check leaves an entry a try; the row is of the last, which its trace alone can name."""
    tried = ENTRY | {"trace": f"projects/p/traces/{'b' * 32}", "at": "10:30:02", "status": 503}
    both = side(evidence, [tried, ENTRY])
    assert (both["matched"], both["log_status"]) == ("trace", 403)
    one = side(evidence, [tried])
    assert (one["matched"], one["log_status"]) == ("probe id", 503)


NOT_YET = "not in the log when it was read; it may arrive until 2025-09-07T{}Z: look again then"
NEVER = "never arrived: it is not in the log, which had settled"
BY = "; something before the service answered"


@pytest.mark.parametrize(
    ("probe", "case", "seen", "because"),
    [
        ({}, {"pulled": "10:31:00"}, "not yet", NOT_YET.format("10:31:01")),
        ({}, {"pulled": "10:31:01"}, "not seen", f"{NEVER}{BY} 403, or Cloud Run by its ingress setting, which it does not log"),
        ({"http_status": 426}, {}, "not seen", f"{NEVER}{BY} 426"),
        ({"verdict": "unreachable", "http_status": None}, {"pulled": "11:31:00"}, "not yet", NOT_YET.format("11:31:01")),
        ({"verdict": "unreachable", "http_status": None}, {"pulled": "11:31:01"}, "not seen", NEVER),
        ({"verdict": "unreachable", "stage": "headers"}, {"pulled": "11:31:00"}, "not yet", NOT_YET.format("11:31:01")),
        ({"verdict": None, "kind": "http", "http_status": None}, {"pulled": "11:31:00"}, "not yet", NOT_YET.format("11:31:01")),
        ({"verdict": None, "kind": "http", "http_status": 426}, {"pulled": "10:31:01"}, "not seen", f"{NEVER}{BY} 426"),
        ({"verdict": "broken", "stage": "headers", "http_status": 101}, {"pulled": "11:31:00"}, "not yet", NOT_YET.format("11:31:01")),
        ({"stage": "tls", "verdict": "unreachable", "http_status": None}, {}, "not seen", "no request was sent: it stopped at tls"),
        ({"stage": None, "verdict": None, "http_status": None, "status": "skipped"}, {}, "not seen",
         "no request was sent: the check was skipped"),
        ({}, {"gaps": [DENIED]}, "unknown", "the log cannot say: reading logs was refused (403)"),
        ({"time": "11:00:00"}, {}, "unknown",
         "the log's window, 2025-09-07T10:00:00Z to 2025-09-07T11:00:00Z, does not hold the time of this handshake"),
        ({"verdict": "accepted", "http_status": 101}, {"pulled": "11:31:00"}, "not yet", NOT_YET.format("11:31:01")),
        ({"verdict": "accepted", "http_status": 101}, {"pulled": "11:31:01"}, "not seen", f"{NEVER}{BY} 101"),
    ],
)  # fmt: skip
def test_what_an_absence_means(
    evidence: Any, probe: dict[str, Any], case: dict[str, Any], seen: str, because: str
) -> None:
    """Not found is evidence only where an entry would be there by now; an open socket has none for up to an hour."""
    found = side(evidence, [], PROBE | probe, **case)
    assert (found["seen"], found["because"]) == (seen, because)


def test_a_socket_waits_for_the_revisions_timeout(evidence: Any) -> None:
    """A revision that ends sockets after five minutes has written their entries soon after."""
    frames = {
        "handshakes": [PROBE | {"verdict": "accepted", "http_status": 101}], "logs": [FILLER],
        "revisions": [{"revision_name": "chat-00139-rap", "settings": '{"timeout_s": 300.0}'}],
    }  # fmt: skip
    told = [sides(evidence({"frames": frames, "pulled": pulled}))["seen"][0] for pulled in ("10:36:00", "10:36:01")]
    assert told == ["not yet", "not seen"]


def test_an_unsettled_tail_is_no_gap_here(evidence: Any) -> None:
    """Each handshake's own time says whether its entry could be there; the window's end does not matter to it."""
    assert side(evidence, [], pulled="11:00:01")["seen"] == "not seen"
