"""The checks of a run, and what shows that a service works."""

import pytest

from incident.analysis.case import Case
from incident.analysis.checks import END_TO_END
from incident.sources.matrices import load_matrix

SERVING = {"traffic": [{"time": "10:00:00", "revision_name": "chat-00002-bbb", "percent": 100}]}
OPENED = {"log": "requests", "at": "10:01:00", "revision": "chat-00002-bbb", "status": 101, "url": "https://chat/ws"}
EXIT = {
    "log": "varlog%2Fsystem",
    "at": "10:02:00",
    "revision": "chat-00002-bbb",
    "severity": "WARNING",
    "text": "Container called exit(3).",
}
ACCEPTED = {
    "name": "x-test-type",
    "kind": "websocket",
    "verdict": "accepted",
    "http_status": 101,
    "expected": "accepted",
    "status": "ok",
    "because": "accepted",
}
CAPPED = {"frame": "logs", "reason": "capped", "remedy": "raise", "kind": "capped"}


def named(evidence, name, **frames):
    """One check of a case with these frames, and SERVING."""
    gaps = frames.pop("gaps", [])
    pulled = frames.pop("pulled", "12:00:00")
    checks = Case(evidence({"frames": SERVING | frames, "gaps": gaps, "pulled": pulled})).checks
    return next(check for check in checks if check.check == name)


@pytest.mark.parametrize(
    ("frames", "status", "because"),
    [
        ({"logs": [OPENED]}, "ok", "none in 1 entries"),
        ({"logs": [OPENED, EXIT]}, "failed", "on chat-00002-bbb"),
        ({"logs": [OPENED, EXIT | {"revision": "chat-00001-aaa"}]}, "ok", "none in 2 entries"),
        ({"logs": [OPENED], "gaps": [CAPPED]}, "uncertain", "capped"),
        ({"logs": [OPENED], "pulled": "11:00:01"}, "uncertain", "entries of the window's last moments may still arrive: it settles at 2025-09-07T11:01:00Z"),
        ({"logs": [OPENED], "pulled": "11:00:01", "handshakes": [ACCEPTED]}, "ok", "none in 1 entries"),
        ({"traffic": []}, "uncertain", "which revision serves now is not known"),
    ],
)  # fmt: skip
def test_clean_startup(evidence, frames, status, because):
    """Only the serving revision counts, since it took traffic; half a log is no clean start."""
    check = named(evidence, "clean-startup", **frames)
    assert (check.status, check.because, check.kind) == (status, because, "log")


def test_an_exit_before_it_took_traffic_is_past(evidence):
    """A revision that was mended by a restart is judged from when it served."""
    revisions = [{"revision_name": "chat-00002-bbb", "traffic_start_time": "10:30:00"}]
    assert named(evidence, "clean-startup", logs=[OPENED, EXIT], revisions=revisions).status == "ok"


@pytest.mark.parametrize(
    ("labels", "because"),
    [
        ("{}", "the service is not named or labelled production"),
        (
            '{"env": "production"}',
            "the matrix of authentication checks is run only when asked for: --matrix authentication",
        ),
    ],
)
def test_auth_bypass_closed(evidence, labels, because):
    """What was not tried is skipped with its reason, never passed."""
    check = named(evidence, "auth-bypass-closed", service=[{"service_name": "chat", "labels": labels}])
    assert (check.status, check.because) == ("skipped", because)


@pytest.mark.parametrize(
    ("row", "observed", "status"),
    [
        ({}, "accepted", "ok"),
        ({"verdict": "refused", "http_status": 503, "status": "failed"}, "refused 503", "failed"),
        ({"close_code": 4401, "status": "failed"}, "accepted, closed 4401", "failed"),
        (
            {"verdict": "unreachable", "stage": "connect", "http_status": None, "status": "uncertain"},
            "no answer at connect",
            "uncertain",
        ),
        ({"kind": "http", "verdict": None, "http_status": 200}, "200", "ok"),
        (
            {"kind": "http", "verdict": None, "stage": "tls", "http_status": None, "status": "failed"},
            "no answer at tls",
            "failed",
        ),
    ],
)
def test_handshakes_become_checks(evidence, row, observed, status):
    """A check says in a word what came, beside what was expected."""
    check = named(evidence, "x-test-type", handshakes=[ACCEPTED | row])
    assert (check.observed, check.status, check.expected) == (observed, status, "accepted")


def test_before_comes_from_the_earlier_run(evidence):
    """Before and after stand side by side, check by check."""
    before = {"run_id": "x", "checks": [{"check": "x-test-type", "observed": "refused 503"}]}
    checks = Case(evidence({"frames": SERVING | {"handshakes": [ACCEPTED]}, "before": before})).checks
    assert [(check.check, check.before) for check in checks][:2] == [
        ("x-test-type", "refused 503"),
        ("clean-startup", None),
    ]


@pytest.mark.parametrize(
    ("frames", "sign"),
    [
        ({"handshakes": [ACCEPTED], "logs": []}, ("1 of 1 handshakes that should be accepted were", True)),
        ({"handshakes": [ACCEPTED | {"verdict": "refused"}], "logs": [OPENED]}, None),
        ({"logs": [OPENED]}, ("1 sockets opened on the serving revision", False)),
        ({"logs": [OPENED | {"revision": "chat-00001-aaa"}]}, None),
    ],
)
def test_positive_sign(evidence, frames, sign):
    """What the probe saw outweighs what the log holds; a socket on another revision shows nothing of this one."""
    found = Case(evidence({"frames": SERVING | frames})).positive_sign
    assert (found and (found.because, found.probed)) == sign


def test_what_was_not_tried_is_skipped(evidence):
    """A recorded source without handshakes has the checks by name, so that nobody takes their absence for a pass."""
    gap = {"frame": "handshakes", "reason": "no handshakes.json", "remedy": "incident probe", "kind": "absent"}
    checks = Case(evidence({"frames": SERVING | {"logs": [OPENED]}, "gaps": [gap]})).checks
    tried = [(check.check, check.kind, check.expected) for check in checks if check.because == "no handshakes.json"]
    assert tuple(tried) == END_TO_END
    assert {check.status for check in checks if check.check != "clean-startup"} == {"skipped"}


def test_the_end_to_end_checks_are_those_of_their_matrix():
    """Two lists of the same seven would drift."""
    matrix = load_matrix("e2e").checks
    assert tuple((check.name, check.kind, check.expect or "accepted") for check in matrix) == END_TO_END
