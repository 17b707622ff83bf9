"""Which decides, a header or the environment."""

import pytest

from incident.analysis.case import Case
from incident.analysis.detection import Variable, answers, decided, detection
from incident.frames import rows_frame

REVISION = "chat-00137-mel"
E2E, KEY = Variable("E2E_TEST_ENV", "none", ("00136",)), Variable("E2E_OAUTH_SIMULATION_KEY", "none", ("00136",))


def row(name, seen):
    """A handshake with what was seen of it: accepted, a status, a close code, or unreachable."""
    accepted = seen == "accepted" or (isinstance(seen, int) and seen >= 1000)
    return {
        "probe_id": name, "name": name, "kind": "websocket", "stage": "status", "status": "ok", "place": "endpoint",
        "verdict": "accepted" if accepted else "unreachable" if seen == "unreachable" else "refused",
        "http_status": 101 if accepted else seen if isinstance(seen, int) else None,
        "close_code": seen if accepted and seen != "accepted" else None,
    }  # fmt: skip


def decide(seen, *variables):
    """What decides by some answers, each check's name with what was seen."""
    return decided(answers(rows_frame("handshakes", [row(*item) for item in seen.items()])), variables, REVISION)


@pytest.mark.parametrize(
    ("seen", "variables", "decides", "because"),
    [
        (
            {"no-header": 403, "x-test-type": "accepted", "x-e2e-test": "accepted"}, [E2E, KEY], "header",
            "x-test-type and x-e2e-test were accepted, a handshake without a header was refused with 403; "
            "the variables E2E_TEST_ENV and E2E_OAUTH_SIMULATION_KEY are set on 00137 and changed nothing in 00136",
        ),
        (
            {"no-header-refused": 4401, "x-test-type": "accepted", "x-e2e-test": 403}, [], "header",
            "x-test-type was accepted, x-e2e-test was refused with 403, "
            "a handshake without a header was accepted, closed 4401",
        ),
        (
            {"no-header": 403, "x-test-type": "accepted", "other-case": 503}, [], "header",
            "x-test-type was accepted, other-case was refused with 503, a handshake without a header was refused with 403",
        ),
        (
            {"no-header": "accepted", "x-test-type": "accepted"}, [Variable("E2E_TEST_ENV", "fixed", ("00137",)), KEY],
            "environment",
            "every handshake was accepted, with a test header and without; the variables E2E_TEST_ENV and "
            "E2E_OAUTH_SIMULATION_KEY are set on 00137: E2E_OAUTH_SIMULATION_KEY changed nothing in 00136, "
            "E2E_TEST_ENV fixed requests in 00137",
        ),
        (
            {"no-header": 403, "x-test-type": 403}, [Variable("E2E_TEST_ENV", "broke", ("00137",))], "environment",
            "every handshake was refused, with a test header and without; "
            "the variable E2E_TEST_ENV is set on 00137 and broke requests in 00137",
        ),
        (
            {"no-header": 403, "x-test-type": 401}, [], "neither",
            "every handshake was refused, with a test header and without",
        ),
        (
            {"no-header": "accepted", "x-test-type": "accepted"}, [], "nothing",
            "every handshake was accepted, with a test header and without",
        ),
        (
            {"no-header": "accepted", "x-test-type": "accepted"}, [Variable("E2E_TEST_ENV")], "unknown",
            "every handshake was accepted, with a test header and without, and what the variables do was not measured; "
            "the variable E2E_TEST_ENV is set on 00137 and did not change within the window",
        ),
        (
            {"no-header": 503, "x-test-type": 503, "x-e2e-test": "unreachable"}, [], "unknown",
            "no-header and x-test-type were refused with 503, x-e2e-test gave no answer at status, "
            "which does not show who is let in",
        ),
        (
            {"no-header": 403, "x-test-type": 403, "x-e2e-test": 1011}, [], "unknown",
            "the answers do not agree: x-test-type was refused with 403, x-e2e-test was accepted, closed 1011, "
            "a handshake without a header was refused with 403",
        ),
        (
            {"no-header": "accepted", "x-test-type": 403}, [], "unknown",
            "the answers do not agree: x-test-type was refused with 403, a handshake without a header was accepted",
        ),
        ({"no-header": 403}, [], "unknown", "no handshake with a test header was tried: run the matrix headers or e2e"),
        ({"x-test-type": 403}, [], "unknown", "no handshake without a header was tried: run the matrix headers or e2e"),
    ],
)  # fmt: skip
def test_decided(seen, variables, decides, because):
    """Handshakes that differ in nothing but a header show what the header does; what is missing is said."""
    found = decide(seen, *variables)
    assert (found.decides, found.because) == (decides, because)


def test_evidence_names_every_row_it_rests_on():
    """A reader looks the rows up."""
    found = decide({"no-header": 403, "x-test-type": "accepted"}, E2E)
    cited = (("handshakes", ("no-header",)), ("handshakes", ("x-test-type",)), ("revisions", (REVISION,)))
    assert found.evidence == cited


def test_a_wrong_value_that_is_accepted_is_said():
    """Whoever knows the header's name is let in: worth knowing beside which of the two decides."""
    seen = {"no-header": 403, "x-test-type": "accepted", "wrong-value": "accepted"}
    assert decide(seen).notes == (
        "a wrong value of the header was accepted too: that it is there decides, not its value",
    )
    assert decide(seen | {"wrong-value": 403}).notes == ()


def test_a_skipped_handshake_was_not_tried():
    """What was not sent is no refusal."""
    rows = [row("no-header", 403), row("x-test-type", 403) | {"status": "skipped", "http_status": None}]
    assert [answer.check for answer in answers(rows_frame("handshakes", rows)).rows] == ["no-header"]


def test_other_places_do_not_count(evidence):
    """A canary that accepts is not what serves."""
    rows = [row("no-header", 403), row("x-test-type", 403), row("x-e2e-test", "accepted") | {"place": "tag:canary"}]
    frames = {"handshakes": rows, "traffic": [{"time": "10:00:00", "revision_name": REVISION, "percent": 100}]}
    assert detection(Case(evidence({"frames": frames}))).decides == "neither"


def revisions(**second):
    """Three revisions, of which the last adds a variable, and whatever else is given."""
    plain = {"image": "i", "settings": "{}", "environment": '{"PORT": "tag"}'}
    changed = plain | {"environment": '{"E2E_TEST_ENV": "tag", "PORT": "tag"}'} | second
    return [
        plain | {"revision_name": "chat-00135-kuz", "create_time": "09:50:00"},
        plain | {"revision_name": "chat-00136-tob", "create_time": "10:00:00"},
        changed | {"revision_name": REVISION, "create_time": "10:10:00"},
    ]


@pytest.mark.parametrize(
    ("second", "before", "effect"),
    [
        ({}, "chat-00136-tob", "changed nothing in 00137"),
        ({"image": "j"}, "chat-00136-tob", "had an effect that cannot be told in 00137"),
        ({}, "chat-00135-kuz", "had an effect that cannot be told in 00137"),
    ],
)
def test_an_effect_is_a_variables_own_only_where_nothing_else_changed(evidence, second, before, effect):
    """A variable that came with an image, or after a revision that nobody asked anything of, shows nothing itself."""
    request = {"log": "requests", "url": "https://chat/ws", "status": 101, "repeat": 60, "agent": "web"}
    logs = [request | {"at": "10:01:00", "revision": before}, request | {"at": "10:11:00", "revision": REVISION}]
    frames = {"logs": logs, "revisions": revisions(**second)}
    frames["handshakes"] = [row("no-header", 403), row("x-test-type", "accepted")]
    frames["traffic"] = [{"time": "10:20:00", "revision_name": REVISION, "percent": 100}]
    found = detection(Case(evidence({"frames": frames})))
    assert found.because.endswith(f"the variable E2E_TEST_ENV is set on 00137 and {effect}")
