"""Whether a fix holds: over one request timeout, past one restart, and without a failure again."""

import json

import pandas as pd
import pytest

from incident.analysis.case import Case
from incident.analysis.holds import holds
from incident.sentences.holding import holds as in_words

OLD, BROKE, FIX = "chat-00001-aaa", "chat-00002-bbb", "chat-00003-ccc"
AGAIN = (
    "incident run websocket-outage --project my-project --region us-central1 --service chat "
    "--start 2025-09-07T10:00:00Z"
)
SEEN = "40 min and 60 requests since it took traffic"


def requests(revision, at, status=101, repeat=30, instance="one", **more):
    """Handshakes of one kind of client, one a second."""
    given = {"log": "requests", "at": at, "revision": revision, "status": status, "url": "https://chat/ws"}
    return given | {"agent": "e2e/1", "repeat": repeat, "latency": 1, "instance": instance} | more


def revision(name, at, **more):
    """A revision with a request timeout of five minutes."""
    row = {"revision_name": name, "create_time": at, "image_digest": f"sha256:{name}", "ready": True}
    return row | {"settings": json.dumps({"timeout_s": 300.0}), "traffic_start_time": at} | more


FIRST = [requests(FIX, "10:20:01"), requests(FIX, "10:40:00", instance="two")]
"""Sockets on the fix, of which the later ones are on an instance that followed the first."""


@pytest.fixture
def case(evidence):
    """A function from what came after the fix to the case of a service that broke and was mended at 10:20."""

    def made(logs=FIRST, pulled="11:00:00", serving=FIX, **more):
        first = [requests(OLD, "10:00:01", repeat=60), requests(BROKE, "10:10:01", 503, 20)]
        revisions = [revision(OLD, "10:00:00"), revision(BROKE, "10:10:00"), revision(FIX, "10:20:00")]
        frames = {"logs": [*first, *logs], "revisions": revisions,
                  "traffic": [{"time": "10:59:00", "revision_name": serving, "percent": 100}]}  # fmt: skip
        return Case(evidence({"frames": frames | more.pop("frames", {}), "pulled": pulled} | more))

    return made


def test_it_holds_past_its_timeout_and_a_restart(case):
    """Only then has everybody had to connect anew, and an instance had to start anew."""
    found = holds(case())
    assert found.state == "holds"
    assert found.because == (
        f"{SEEN}; longer than the request timeout of 5 min; the longest socket lived 1 s, which says nothing about the "
        "timeout; a socket opened after it, at 10:40:29; an instance that began at 10:40:00 took another's place and "
        "opened sockets"
    )
    assert list(found.table()["met"]) == ["yes"] * 4
    assert found.remedy == ""
    assert str(in_words(case())).startswith(f"It holds: {SEEN}; longer than")


def test_not_yet_says_when_it_can_be_judged_and_how(case):
    """At 3 a.m. nobody works out when a timeout is over."""
    young = case(FIRST[:1], pulled="10:22:00")
    found = holds(young)
    assert (found.state, str(found.at)) == ("not yet", "2025-09-07 10:25:00+00:00")
    assert str(in_words(young)).split("\n") == [
        "Whether it holds cannot be judged yet: 2 min and 30 requests since it took traffic; still to be seen: 3 min more "
        "of the request timeout of 5 min, which is over at 2025-09-07 10:25:00 UTC; an instance that takes another's "
        "place and opens a socket (1 seen so far).",
        f"Look again after 2025-09-07 10:25:00 UTC: {AGAIN}",
    ]


def test_silence_after_the_timeout_is_no_sign(case):
    """A service to which nobody came back since is not known to let anybody in."""
    found = holds(case([requests(FIX, "10:20:01"), requests(FIX, "10:21:00", instance="two")]))
    assert (found.state, found.because) == (
        "not yet", f"{SEEN}; still to be seen: a socket that opens after 10:25:00 (the last one known opened at 10:21:29)"
    )  # fmt: skip
    assert found.remedy == f"after 2025-09-07 11:00:00 UTC: {AGAIN}"


ACCEPTED = {"probe_id": "p", "name": "opens", "kind": "websocket", "verdict": "accepted", "status": "ok",
            "expected": "accepted", "time": "10:59:00", "held_s": 1.0}  # fmt: skip


def test_a_live_handshake_is_a_socket(case):
    """The probe that was let in after the timeout, by an instance that is new, says what the log cannot say yet."""
    logs = [requests(FIX, "10:20:01"), requests(FIX, "10:59:00", repeat=1, instance="two", probe_id="p")]
    found = holds(case(logs, frames={"handshakes": [ACCEPTED]}))
    assert found.state == "holds"
    assert "a socket opened after it, at 10:59:00; an instance that began at 10:59:00" in found.because


def test_a_live_handshake_ends_a_row_of_failures(case):
    """Whoever was let in after the last failure shows that it is over."""
    logs = [*FIRST, requests(FIX, "10:50:00", 503, 6, "two")]
    assert holds(case(logs, frames={"handshakes": [ACCEPTED]})).state == "holds"


@pytest.mark.parametrize("logs", [
    [requests(FIX, "10:20:01"), requests(FIX, "10:40:00")],
    [requests(FIX, "10:20:01"), requests(FIX, "10:20:10", instance="two"), requests(FIX, "10:40:00")],
    [requests(FIX, "10:20:01"), requests(FIX, "10:30:00"), requests(FIX, "10:40:00", 403, 3, instance="two")],
])  # fmt: skip
def test_an_instance_beside_another_is_no_restart(case, logs):
    """Scaling starts a second one at once, and one that let nobody in has shown nothing."""
    found = holds(case(logs))
    assert found.state == "not yet"
    assert "an instance that takes another's place and opens a socket" in found.because


def test_what_the_log_does_not_name_is_unknown(case):
    """Without instances nobody can say that one took another's place."""
    found = holds(case([requests(FIX, at, instance=None) for at in ("10:20:01", "10:40:00")]))
    assert found.state == "unknown"
    assert found.because == f"{SEEN}; still to be seen: an instance that takes another's place (the log names none)"


def test_a_gap_is_not_quiet(case):
    """Where entries are missing, so may be the failure."""
    gap = {"frame": "logs", "reason": "stopped at 1,000 entries", "remedy": "raise it", "kind": "capped"}
    found = holds(case(gaps=[gap]))
    assert found.state == "unknown"
    assert found.because == f"{SEEN}; still to be seen: no failure in a whole log (stopped at 1,000 entries)"


@pytest.mark.parametrize(("logs", "state"), [
    ([*FIRST, requests(FIX, "10:50:00", 503, 6, "two")], "broke again"),
    ([*FIRST, requests(FIX, "10:50:00", 503, 5, "two")], "holds"),
    ([*FIRST, requests(FIX, "10:50:00", 403, 9, "two")], "holds"),
    ([*FIRST, requests(FIX, "10:50:00", 503, 6, "two"), requests(FIX, "10:51:00", repeat=1, instance="two")], "holds"),
    ([*FIRST, requests(FIX, "10:59:50", 503, 6, "two"), requests(FIX, "10:30:00", repeat=1, latency=290, instance="zero")], "holds"),
    ([requests(FIX, "10:30:00", 503, 30)], "fails"),
])  # fmt: skip
def test_it_broke_again_where_the_last_ones_all_fail_as_before(case, logs, state):
    """A good average hides a relapse; a bad token, one lucky answer and sockets still open are none, or end it."""
    assert holds(case(logs)).state == state


def test_a_relapse_says_what_fails_and_since_when(case):
    """It is the next incident, and its onset is what everybody asks for."""
    again = case([*FIRST, requests(FIX, "10:50:00", 503, 6, "two")])
    assert str(in_words(again)) == (
        "It broke again: 40 min and 66 requests since it took traffic; fails now: GET /ws by e2e, 6 in a row since "
        "10:50:00 UTC."
    )


def test_without_a_fix_there_is_nothing_to_hold(case):
    """A fix that holds no traffic is not judged, and a healthy service has none."""
    assert holds(case(serving=BROKE)).because == "the fix does not hold all traffic"
    assert pd.isna(holds(case(serving=BROKE)).at)


def test_a_healthy_service_is_told_so(evidence):
    """Nobody looks for a fix where nothing broke."""
    healthy = Case(evidence({"frames": {"revisions": [revision(OLD, "10:00:00")]}}))
    assert str(in_words(healthy)) == "Nothing is known to be broken, so there is no fix that could hold."


def test_a_fix_without_all_the_traffic_is_looked_at_again(case):
    """The command stands as it is to be typed."""
    words = f"Whether it holds cannot be judged yet: the fix does not hold all traffic.\nLook again: {AGAIN}"
    assert str(in_words(case(serving=BROKE))) == words
