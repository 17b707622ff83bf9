"""Judging a run's summary against what was planted."""

import pytest

from incident.drill.judge import differences

SUMMARY = {
    "status": "failed",
    "causes": [
        {"cause": "startup-exception", "status": "failed", "active": True, "because": "name 'X' is not defined"},
        {"cause": "app-refused", "status": "failed", "active": False, "because": ""},
    ],
    "changes": [
        {"revision": "r1", "effect": "none"},
        {"revision": "r2", "effect": "broke"},
        {"revision": "r2", "effect": "unknown"},
    ],
    "checks": [
        {"check": "health", "kind": "http", "status": "ok"},
        {"check": "x", "kind": "websocket", "status": "failed"},
        {"check": "auth-bypass-closed", "kind": "websocket", "status": "skipped"},
        {"check": "clean-startup", "kind": "log", "status": "ok"},
    ],
    "error_sequence": [
        {"group": "g1", "title": "GET /ws 403", "follows": None},
        {"group": "g2", "title": "NameError: name 'X'", "follows": None},
        {"group": "g3", "title": "GET /ws 503", "follows": "g2"},
        {"group": "g4", "title": "GET /health 503", "follows": None},
    ],
    "last_good": None,
}


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"status": "failed"}, []),
        ({"causes.0.cause": "startup-exception", "causes.app-refused.active": False}, []),
        ({"causes.startup-exception.because": {"contains": "'X'"}}, []),
        ({"checks": {"kinds": ["http", "websocket"], "ok": 1, "of": 2}}, []),
        ({"error_sequence": {"group": "GET /ws 503", "follows": "NameError"}}, []),
        ({"status": "ok"}, ["status: expected 'ok', found 'failed'"]),
        ({"causes.app-refused.active": 0}, ["causes.app-refused.active: expected 0, found False"]),
        ({"causes.9.cause": "x"}, ["causes.9.cause: expected 'x', found nothing there"]),
        ({"causes.none-such.active": True}, ["causes.none-such.active: expected True, found nothing there"]),
        ({"causes.app-refused.because": {"contains": "403"}},
         ["causes.app-refused.because: expected 'a text with 403', found ''"]),
        ({"changes.r2.effect": "broke"}, ["changes.r2.effect: expected 'broke', found ['broke', 'unknown']"]),
        ({"last_good.revision": "r1"}, ["last_good.revision: expected 'r1', found nothing there"]),
        ({"checks": {"kinds": ["http", "websocket"], "ok": 0, "of": 7}},
         ["checks: expected '0 of 7 ok', found '1 of 2 ok'"]),
        ({"error_sequence": {"group": "503", "follows": "NameError"}},
         ["error_sequence: expected 'each group with 503 follows one with NameError', found "
          "\"2 such groups, which follow: NameError: name 'X', none\""]),
        ({"error_sequence": {"group": "504", "follows": "NameError"}},
         ["error_sequence: expected 'each group with 504 follows one with NameError', found "
          "'0 such groups, which follow: none'"]),
    ],
)  # fmt: skip
def test_differences(expect, told):
    """A judge that let a difference pass would make every later drill worthless."""
    assert differences(expect, SUMMARY) == told


@pytest.mark.parametrize("place", ["status", "causes.0.cause", "changes.r1.effect", "checks", "error_sequence"])
def test_an_empty_summary_differs_everywhere(place):
    """A run that wrote nothing must not pass, whatever is expected."""
    wanted = {"checks": {"kinds": ["http"], "ok": 1, "of": 1}, "error_sequence": {"group": "a", "follows": "b"}}
    assert len(differences({place: wanted.get(place, "x")}, {})) == 1
