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


PRODUCTION = [{"service_name": "chat", "labels": '{"env": "production"}'}]
REFUSED = ACCEPTED | {"verdict": "refused", "http_status": 403}
BARE = REFUSED | {"name": "no-header-refused", "probe_id": "bare"}
OFF, ON = '{"E2E_TEST_ENV": "off"}', '{"E2E_TEST_ENV": "switched on"}'
GOOD_KEY, WEAK_KEY = (
    '{"E2E_KEY": "not guessable"}',
    '{"E2E_KEY": "guessable: short, has a year", "E2E_TEST_ENV": "off"}',
)
SHUT = "x-test-type was refused with 403, a handshake without a header was refused with 403"


def bypass(evidence, bypass="{}", **frames):
    """The check of a production service whose serving revision has these words on its test variables."""
    revision = {"revision_name": "chat-00002-bbb", "environment": "{}", "bypass": bypass}
    frames = {"service": PRODUCTION, "revisions": [revision]} | frames
    return named(evidence, "auth-bypass-closed", **frames)


def test_a_bypass_is_no_fault_outside_production(evidence):
    """Staging lets its tests in, and is to."""
    service = [{"service_name": "chat", "labels": "{}"}]
    check = bypass(evidence, WEAK_KEY, service=service, handshakes=[BARE, ACCEPTED])
    assert (check.status, check.because) == ("skipped", "the service is not named or labelled production")


@pytest.mark.parametrize(
    ("words", "handshakes", "status", "because"),
    [
        ("{}", [BARE, REFUSED], "ok", f"{SHUT}; on 00002, no test variable is set"),
        (OFF, [BARE, REFUSED], "ok", f"{SHUT}; on 00002, no key is guessable and no switch is on (E2E_TEST_ENV)"),
        (GOOD_KEY, [BARE, REFUSED], "ok", f"{SHUT}; on 00002, no key is guessable and no switch is on (E2E_KEY)"),
        (
            "{}", [BARE, ACCEPTED], "failed",
            "x-test-type was accepted, a handshake without a header was refused with 403",
        ),
        (
            ON, [BARE, ACCEPTED], "failed",
            "x-test-type was accepted, a handshake without a header was refused with 403; "
            "on 00002, the value of E2E_TEST_ENV is switched on",
        ),
        (
            "{}", [BARE, REFUSED, ACCEPTED | {"name": "wrong-value", "probe_id": "w"}], "failed",
            "x-test-type was refused with 403, a wrong value of it was accepted too, "
            "a handshake without a header was refused with 403",
        ),
        (WEAK_KEY, [BARE, REFUSED], "failed", "on 00002, the value of E2E_KEY is guessable (short, has a year)"),
        (WEAK_KEY, [], "failed", "on 00002, the value of E2E_KEY is guessable (short, has a year)"),
        (ON, [BARE, REFUSED], "uncertain", "on 00002, the value of E2E_TEST_ENV is switched on"),
        (ON, [], "uncertain", "on 00002, the value of E2E_TEST_ENV is switched on; no handshake was tried"),
        ('{"E2E_KEY": "not known"}', [BARE, REFUSED], "uncertain", "on 00002, the value of E2E_KEY is not known"),
        (
            '{"TEST_X": "neither on nor off"}', [BARE, REFUSED], "uncertain",
            "on 00002, the value of TEST_X is neither on nor off",
        ),
        (
            "{}", [BARE | {"http_status": 503}, REFUSED], "uncertain",
            "no-header-refused was refused with 503, x-test-type was refused with 403, "
            "which does not show who is let in",
        ),
        (
            "{}", [BARE | {"verdict": "accepted", "http_status": 101}, ACCEPTED], "uncertain",
            "a handshake without a header was accepted too, so the probe cannot tell what a test header lets in",
        ),
        ("{}", [BARE], "uncertain", "no handshake with a test header was tried: run the matrix headers or e2e"),
        ("{}", [], "skipped", "no handshake was tried"),
    ],
)  # fmt: skip
def test_auth_bypass_closed(evidence, words, handshakes, status, because):
    """Open is failed, so is a key that can be guessed; what is missing is never taken for closed."""
    check = bypass(evidence, words, handshakes=handshakes)
    assert (check.status, check.because, check.kind) == (status, because, "log")


def test_a_recording_has_the_names_alone(evidence):
    """Values that were redacted before anyone judged them stay unjudged."""
    revision = {"revision_name": "chat-00002-bbb", "environment": '{"E2E_KEY": "[redacted:1df01b8774]"}'}
    check = bypass(evidence, revisions=[revision], handshakes=[BARE, REFUSED])
    assert (check.status, check.because) == ("uncertain", "on 00002, the value of E2E_KEY is not known")


@pytest.mark.parametrize(
    ("frames", "because"),
    [
        ({"revisions": []}, "the environment on 00002 is not known"),
        ({"traffic": []}, "which revision serves now is not known"),
    ],
)
def test_an_unknown_environment_is_not_closed(evidence, frames, because):
    """What a revision sets is not known from its door."""
    check = bypass(evidence, handshakes=[BARE, REFUSED], **frames)
    assert (check.status, check.because) == ("uncertain", because)


def test_the_worst_of_two_that_serve_counts(evidence):
    """Half the traffic through an open door is an open door."""
    shares = [("chat-00002-bbb", 90), ("chat-00003-ccc", 10)]
    traffic = [{"time": "10:00:00", "revision_name": name, "percent": percent} for name, percent in shares]
    revision = {"revision_name": "chat-00003-ccc", "environment": "{}", "bypass": WEAK_KEY}
    check = bypass(evidence, traffic=traffic, revisions=[revision], handshakes=[BARE, REFUSED])
    assert check.because == "on 00003, the value of E2E_KEY is guessable (short, has a year)"


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


def test_other_places_are_no_checks_of_the_run(evidence):
    """A canary's refusal fails nobody, and its acceptance shows nothing of what serves."""
    rows = [REFUSED | {"status": "failed"}, ACCEPTED | {"place": "tag:canary", "probe_id": "other"}]
    case = Case(evidence({"frames": SERVING | {"handshakes": rows}}))
    assert [check.check for check in case.checks if check.kind == "websocket"] == ["x-test-type"]
    assert case.positive_sign is None


def test_a_skipped_handshake_is_a_skipped_check(evidence):
    """A check that needs a token which nobody gave was neither passed nor failed, and is no sign of anything."""
    row = ACCEPTED | {"status": "skipped", "verdict": None, "http_status": None, "because": "give --id-token"}
    case = Case(evidence({"frames": SERVING | {"handshakes": [row], "logs": [OPENED]}}))
    assert [(check.observed, check.status, check.because) for check in case.checks][:1] == [
        ("", "skipped", "give --id-token")
    ]
    assert case.positive_sign.because == "1 sockets opened on the serving revision"
