"""Which layer refused, and both sides of a handshake in one table: claimed only where the service's log says it."""

import pytest

from incident.analysis.both_sides import both_sides, of_the_endpoint, seen_by_the_log
from incident.tables import Table

MALFORMED = (
    "The request failed because either the HTTP response was malformed or connection to the instance had an error."
)


def tried(name, **fields):
    """A handshake that was refused with 403."""
    given = {"probe_id": name, "trace_id": f"trace-{name}", "name": name, "kind": "websocket", "time": "10:05:00",
             "attempts": 1, "status": "failed", "expected": "accepted", "verdict": "refused", "stage": "status",
             "http_status": 403}  # fmt: skip
    return given | fields


def entry(name, status=403, **fields):
    """The request entry of a handshake, with its trace."""
    return {"log": "requests", "at": "10:05:00", "revision": "chat-00139-new", "instance": "00ab" * 40, "latency": 0.004,
            "status": status, "probe_id": name, "trace": f"projects/p/traces/trace-{name}"} | fields  # fmt: skip


CASES = {
    "the application": (tried("a"), entry("a"), "application"),
    "a sentence of the platform's": (tried("a", http_status=503), entry("a", 503, text=MALFORMED), "platform"),
    "a text that the platform does not write": (tried("a"), entry("a", text="go away"), "application"),
    "no instance and no sentence": (tried("a"), entry("a", instance=None), ""),
    "another status on the way back": (tried("a", http_status=426), entry("a", 101), "proxy in between"),
    "no status in the entry": (tried("a"), entry("a", None), ""),
    "never arrived": (tried("a"), None, "before the service"),
    "too fresh to have arrived": (tried("a", time="10:59:50"), None, ""),
    "another try of the same probe": (tried("a", attempts=2), entry("a", 503, trace="projects/p/traces/other"), ""),
    "the only try, its trace not kept": (tried("a"), entry("a", trace=None), "application"),
    "a plain request that failed": (tried("a", kind="http", verdict=None), entry("a"), "application"),
    "a plain request that was answered": (tried("a", kind="http", verdict=None, http_status=200), entry("a", 200), ""),
    "accepted": (tried("a", verdict="accepted", http_status=101), entry("a", 101), ""),
    "no answer at all": (tried("a", verdict="unreachable", stage="connect", http_status=None), None, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_who_refused_is_claimed_only_where_the_log_says_it(evidence, name):
    """A wrong layer sends people to the wrong team; no layer sends them to look."""
    row, found, layer = CASES[name]
    other = {"log": "requests", "at": "10:30:00", "revision": "chat-00139-new", "status": 101}
    case = {"frames": {"handshakes": [row], "logs": [other, *([found] if found else [])]}, "pulled": "11:00:00"}
    assert both_sides(evidence(case))["refused_by"].item() == layer


def test_nothing_is_claimed_without_a_log(evidence):
    """What was refused to us, or not kept, says nothing about who refused a handshake."""
    case = {"frames": {"handshakes": [tried("a")]}, "gaps": [{"frame": "logs", "reason": "denied", "remedy": "ask"}]}
    found = both_sides(evidence(case))
    assert (found["refused_by"].item(), found["seen"].item()) == ("", "unknown")


@pytest.mark.parametrize(("row", "found", "seconds"), [
    (tried("a"), entry("a"), 0.004),
    (tried("a", verdict="accepted", http_status=101), entry("a", 101), None),
    (tried("a", attempts=2), entry("a", trace=None), None),
    (tried("a", http_status=426), entry("a", 101), None),
    (tried("a"), entry("a", latency=None), None),
])  # fmt: skip
def test_the_services_own_time_is_of_the_same_answer(evidence, row, found, seconds):
    """A socket's latency is its life, and another try's is no part of this one."""
    took = both_sides(evidence({"frames": {"handshakes": [row], "logs": [found]}}))["server_s"]
    assert took.dropna().tolist() == ([seconds] if seconds else [])


def test_both_sides_in_one_table(evidence):
    """Who looks for a handshake in the log must not need a second query; an instance's id would fill the screen."""
    rows = [tried("refused"), tried("opened", verdict="accepted", http_status=101, place="tag:canary", status="ok")]
    logs = [entry("refused"), entry("opened", 101, latency=1.2)]
    found = both_sides(evidence({"frames": {"handshakes": rows, "logs": logs}}))
    assert repr(Table(seen_by_the_log(found))) == (
        "check    place       expected  probe saw    log has it  log status  log latency    revision  instance       refused by   matched by\n"
        "refused  endpoint    accepted  refused 403  seen        403         4 ms           00139     00ab00ab00ab…  application  trace\n"
        "opened   tag:canary  accepted  accepted     seen        101         1,200 ms open  00139     00ab00ab00ab…               trace"
    )
    assert list(of_the_endpoint(found)["name"]) == ["refused"]


def test_columns_that_say_nothing_are_left_out(evidence):
    """A table that is read at night has no column of dashes."""
    row = tried("opened", verdict="accepted", http_status=101)
    table = seen_by_the_log(both_sides(evidence({"frames": {"handshakes": [row], "logs": [entry("opened", 101)]}})))
    assert {"place", "refused by"} & set(table) == set()
    assert seen_by_the_log(both_sides(evidence({"frames": {}}))).empty
