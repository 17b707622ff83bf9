"""Which change is the fix, how far it is, and whether it holds."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from incident.analysis.candidate import Fix
from incident.analysis.case import Case
from incident.analysis.fix import fix_status
from incident.analysis.what_changed import what_changed
from incident.evidence import load

RECORD = Path(__file__).parents[1] / "incident.yaml"
SAMPLES = Path(str(files("incident") / "samples"))
BROKE = "chat-00002-bbb"


def requests(revision, at, status, repeat):
    """Handshakes of one kind of client on one revision, one a second."""
    return {
        "log": "requests", "at": at, "revision": revision, "instance": "i", "status": status,
        "url": "https://chat/ws", "agent": "e2e/1", "repeat": repeat,
    }  # fmt: skip


def revision(name, at, **more):
    """A revision of its own image, ready, with a request timeout of five minutes."""
    row = {"revision_name": name, "create_time": at, "image_digest": f"sha256:{name}", "ready": True}
    return row | {"settings": json.dumps({"timeout_s": 300.0}), "traffic_start_time": at} | more


def broken(*later, logs=(), serving=BROKE, builds=(), **more):
    """A service that broke with its second revision, and what came later."""
    first = [requests("chat-00001-aaa", "10:00:01", 101, 60), requests(BROKE, "10:10:01", 503, 20)]
    frames = {
        "logs": [*first, *logs],
        "revisions": [revision("chat-00001-aaa", "10:00:00"), revision(BROKE, "10:10:00"), *later],
        "traffic": [{"time": "10:59:00", "revision_name": serving, "percent": 100}],
        "builds": list(builds),
    }
    return {"frames": frames} | more


def build(status, **more):
    """A build made after the fault."""
    return {"build_id": "b-9", "status": status, "create_time": "10:12:00", "start_time": "10:12:00"} | more


def states(case):
    """The state of each step."""
    steps = fix_status(case)
    return dict(zip(steps["step"], steps["state"], strict=True))


def detail(case, step):
    """The words of one step."""
    return fix_status(case).set_index("step")["detail"][step]


def test_nothing_broken_needs_no_fix(evidence):
    """A healthy service must not be told that its newest change is a fix."""
    case = Case(evidence({"frames": {"revisions": [revision("chat-00001-aaa", "10:00:00")]}}))
    assert case.fix == Fix()
    assert fix_status(case).empty


def test_the_samples():
    """While the fix is built everything waits; after it all is done but the time that shows that it holds."""
    waiting, fixed = (Case(load(SAMPLES / name / "evidence")) for name in ("staging", "staging-fixed"))
    assert set(states(waiting).values()) == {"waiting"}
    [build_id] = waiting.evidence.builds.query("status == 'WORKING'")["build_id"]
    assert detail(waiting, "built") == f"build {build_id} is WORKING, commit e05b8d3"
    assert list(states(fixed).values()) == ["done"] * 6 + ["waiting"]
    assert fixed.fix.replaces == (waiting.serving[0],)


@pytest.mark.parametrize(("status", "state", "words"), [
    ("WORKING", "waiting", "build b-9 is WORKING"),
    ("QUEUED", "waiting", "build b-9 is QUEUED"),
    ("SUCCESS", "done", "build b-9 is SUCCESS"),
    ("FAILURE", "failed", "build b-9 is FAILURE: tests failed"),
])  # fmt: skip
def test_a_build_that_no_revision_uses_is_the_fix_on_its_way(evidence, status, state, words):
    """What an on-call waits for has a name, a state and a reason."""
    failure = "tests failed" if status == "FAILURE" else None
    case = Case(evidence(broken(builds=[build(status, failure=failure)])))
    assert case.fix == Fix(None, "b-9", (BROKE,))
    assert (states(case)["built"], detail(case, "built")) == (state, words)
    assert states(case)["revision"] == "waiting"


def test_a_refused_call_is_not_an_absent_build(evidence):
    """Without the permission to read builds, nobody may say that none came."""
    case = broken(gaps=[{"frame": "builds", "reason": "permission denied", "remedy": "grant it", "kind": "refused"}])
    words = detail(Case(evidence(case)), "built")
    assert words == "no build came after 00002 (gap in builds: permission denied)"


def test_a_rollback_is_a_fix_of_its_own(evidence):
    """Traffic went back: no build is needed, and what the old revision answered before the fault does not count."""
    back = [requests("chat-00001-aaa", "10:20:00", 101, 15)]
    case = Case(evidence(broken(logs=back, serving="chat-00001-aaa")))
    assert case.fix == Fix("chat-00001-aaa", None, (BROKE,), went_back=True)
    assert len(case.after_fix) == 15
    assert detail(case, "built") == "no build was needed: traffic went back to 00001"
    assert states(case)["effective"] == "done"


def test_an_attempt_without_effect_is_not_done(evidence):
    """A change after the fault is an attempt; while requests still fail, it is said to have failed."""
    logs = [requests("chat-00003-ccc", "10:20:01", 503, 20)]
    case = Case(evidence(broken(revision("chat-00003-ccc", "10:20:00"), logs=logs, serving="chat-00003-ccc")))
    assert case.fix.revision == "chat-00003-ccc"
    assert (states(case)["effective"], detail(case, "effective")) == ("failed", "fails now: GET /ws by e2e")


def test_split_traffic_is_not_live(evidence):
    """While some traffic still fails, the fix is not effective."""
    case = broken(revision("chat-00003-ccc", "10:20:00"))
    case["frames"]["logs"].append(requests("chat-00003-ccc", "10:20:01", 101, 30))
    case["frames"]["traffic"] = [
        {"time": "10:59:00", "revision_name": name, "percent": 50} for name in (BROKE, "chat-00003-ccc")
    ]
    found = Case(evidence(case))
    assert detail(found, "traffic") == "traffic is split between 00002, 00003: some of it still fails"
    assert {states(found)[step] for step in ("traffic", "start-up", "effective", "holds")} == {"waiting"}


@pytest.mark.parametrize(("latency", "pulled", "state", "words"), [
    (1, "10:22:00", "waiting",
     "2 min and 30 requests since it took traffic; still to be seen: 3 min more of the request timeout of 5 min, which "
     "is over at 2025-09-07 10:25:00 UTC; an instance that takes another's place and opens a socket (1 seen so far)"),
    (1, "10:40:00", "waiting",
     "20 min and 30 requests since it took traffic; still to be seen: a socket that opens after 10:25:00 (the last one "
     "known opened at 10:20:30); an instance that takes another's place and opens a socket (1 seen so far)"),
])  # fmt: skip
def test_holding_is_measured_against_the_request_timeout_and_a_restart(evidence, latency, pulled, state, words):
    """A fix that nobody connected to anew, on an instance that never started anew, has not shown that it holds."""
    logs = [requests("chat-00003-ccc", "10:20:01", 101, 30) | {"latency": latency}]
    fixed = broken(revision("chat-00003-ccc", "10:20:00"), logs=logs, serving="chat-00003-ccc", pulled=pulled)
    case = Case(evidence(fixed))
    assert (states(case)["holds"], detail(case, "holds")) == (state, words)


def test_it_is_done_once_it_outlasted_its_timeout_and_an_instance(evidence):
    """A socket that lived as long as the timeout says more than the time alone."""
    first = requests("chat-00003-ccc", "10:20:01", 101, 30) | {"latency": 320}
    logs = [first, requests("chat-00003-ccc", "10:30:00", 101, 5) | {"latency": 1, "instance": "j"}]
    fixed = broken(revision("chat-00003-ccc", "10:20:00"), logs=logs, serving="chat-00003-ccc", pulled="10:40:00")
    case = Case(evidence(fixed))
    assert (states(case)["holds"], detail(case, "holds")) == (
        "done",
        "20 min and 35 requests since it took traffic; longer than the request timeout of 5 min; a socket lived 5 min "
        "20 s; a socket opened after it, at 10:30:04; an instance that began at 10:30:00 took another's place and opened "
        "sockets",
    )


def test_another_image_than_the_build_made_is_a_failure(evidence):
    """A deploy of the wrong image looks like a fix that does not work."""
    later = revision("chat-00003-ccc", "10:20:00", build_id="b-9", image_digest="sha256:old000000000")
    case = Case(
        evidence(broken(later, builds=[build("SUCCESS", digest="sha256:new000000000")], serving="chat-00003-ccc"))
    )
    words = "the build made sha256:new000000000, and the revision runs sha256:old000000000"
    assert (states(case)["image"], detail(case, "image")) == ("failed", words)


def test_who_serves_is_not_known(evidence):
    """Without the traffic and without a request nobody can say that the fix is live."""
    case = broken(revision("chat-00003-ccc", "10:20:00"))
    case["frames"]["logs"] = case["frames"]["traffic"] = []
    case |= {"before": {"status": "failed", "serving": [BROKE], "checks": []}, "not_vouched": ["traffic"]}
    found = Case(evidence(case))
    assert states(found)["traffic"] == "unknown"
    assert detail(found, "traffic").startswith("which revision serves is not known (gap in traffic: ")


def test_what_changed_has_a_row_for_each_revision_and_number(evidence):
    """A number that no revision bears is where a failed deploy hides."""
    found = what_changed(Case(evidence(RECORD))).set_index("revision")
    assert list(found.index) == ["00135", "00136", "00137", "00138", "00139", "00140"]
    assert list(found["effect"]) == ["before", "none", "missing", "missing", "broke", "fixed"]
    assert found.loc["00136", "fields"] == ["env.E2E_TEST_ENV added"]
    assert found.loc["00139", "commit"] == "c2"
