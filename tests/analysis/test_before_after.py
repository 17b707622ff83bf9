"""Before and after: what may be concluded from few tries, and what is missing for more."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from incident.analysis.before_after import COLUMNS, missing_requests, standing
from incident.analysis.case import Case
from incident.evidence import load

RECORD = Path(__file__).parents[1] / "incident.yaml"


def check(name, status, **more):
    """A check as an archived summary holds it."""
    row = {"check": name, "kind": "websocket", "expected": "accepted", "observed": "", "because": ""}
    return row | {"status": status} | more


def handshake(name, status):
    """A row of the probe."""
    return {"probe_id": name, "name": name, "kind": "websocket", "expected": "accepted", "status": status}


def requests(revision, at, status, repeat):
    """Handshakes of one kind of client on one revision, one a second."""
    return {
        "log": "requests", "at": at, "revision": revision, "instance": "i", "status": status,
        "url": "https://chat/ws", "agent": "e2e/1", "repeat": repeat,
    }  # fmt: skip


def broken_then(after, before=12):
    """A revision that works, one that fails `before` handshakes, and one that answers `after` of them 101."""
    logs = [requests("chat-00001-aaa", "10:00:01", 101, 60), requests("chat-00002-bbb", "10:10:01", 503, before)]
    logs += [requests("chat-00003-ccc", "10:20:01", 101, after)] if after else []
    names = {"chat-00001-aaa": "10:00:00", "chat-00002-bbb": "10:10:00", "chat-00003-ccc": "10:20:00"}
    revisions = [{"revision_name": name, "create_time": time, "image_digest": name} for name, time in names.items()]
    traffic = [{"time": "10:30:00", "revision_name": "chat-00003-ccc", "percent": 100}]
    return {"frames": {"logs": logs, "revisions": revisions, "traffic": traffic}}


def rows(case):
    """The rows by subject."""
    return {row["subject"]: row for row in case.before_after.to_dict("records")}


def test_columns_and_types(evidence):
    """Charts and reports are drawn from these names; an empty case has them too."""
    for case in (Case(evidence(RECORD)), Case(evidence({}))):
        found = case.before_after
        assert {name: str(kind) for name, kind in found.dtypes.items()} == COLUMNS


def test_the_sample_is_fixed(evidence):
    """The incident this project was born from: 0 of 7 checks before, 7 of 7 after, and what 7 tries still leave open."""
    sample = load(Path(str(files("incident") / "samples" / "staging-fixed" / "evidence")))
    found = rows(Case(sample))
    together = found["7 checks together"]
    assert (together["before_count"], together["before_tries"]) == (0, 7)
    assert (together["after_count"], together["after_tries"], together["effect"]) == (7, 7, "fixed")
    assert together["after_low"] == pytest.approx(0.5904, abs=1e-4)
    assert found["GET /ws by staging-e2e"]["because"] == "0 of 12 went well before, 60 of 60 after"
    assert {row["effect"] for name, row in found.items() if name != "auth-bypass-closed"} == {"fixed"}
    assert found["auth-bypass-closed"]["effect"] == "not tried"


@pytest.mark.parametrize(("before", "now", "effect", "because"), [
    ("failed", "ok", "fixed", "it failed before and passes now"),
    ("ok", "failed", "broke", "it passed before and fails now"),
    ("failed", "failed", "none", "it fails as before"),
    ("skipped", "ok", "unknown", "it passes now, and was not tried before"),
    ("failed", "uncertain", "unknown", "it could not be decided now: "),
])  # fmt: skip
def test_a_check_is_judged_by_its_two_verdicts(evidence, before, now, effect, because):
    """A check is a whole answer to what was expected; its interval says how little one try shows."""
    case = {"frames": {"handshakes": [handshake("x", now)]}, "before": {"checks": [check("x", before)]}}
    row = rows(Case(evidence(case)))["x"]
    assert (row["effect"], row["because"]) == (effect, because)


def test_too_few_requests_refuse_a_conclusion_and_say_how_many_are_missing(evidence):
    """Three sockets that open prove little after twelve that failed."""
    row = rows(Case(evidence(broken_then(3))))["GET /ws by e2e"]
    assert (row["effect"], row["missing"]) == ("unknown", 7)
    assert row["because"] == "0 of 12 went well before, 3 of 3 after; 7 more at this rate would decide it"


def test_the_missing_number_is_enough(evidence):
    """The number is a promise: with so many more the effect is known, with one less it is not."""
    assert missing_requests((0, 12), (3, 3)) == 7
    assert rows(Case(evidence(broken_then(10))))["GET /ws by e2e"]["effect"] == "fixed"
    assert rows(Case(evidence(broken_then(9))))["GET /ws by e2e"]["effect"] == "unknown"


def test_no_request_after_the_fix_is_a_row(evidence):
    """What was not tried is said, or silence would look like success."""
    row = rows(Case(evidence(broken_then(0))))["GET /ws by e2e"]
    assert (row["effect"], row["missing"], row["after_tries"]) == ("not tried", 10, 0)
    assert row["because"] == "no request of this kind after the fix can be counted yet"


def test_few_requests_before_cannot_be_mended(evidence):
    """More requests after the fix do not make more of those before it."""
    case = broken_then(20, before=4) | {"before": {"status": "failed", "serving": ["chat-00002-bbb"], "checks": []}}
    row = rows(Case(evidence(case)))["GET /ws by e2e"]
    assert row["effect"] == "unknown"
    assert (
        row["because"] == "0 of 4 went well before, 20 of 20 after; fewer than 10 before the fix, and no more will come"
    )


def test_a_window_after_the_fault_uses_what_the_earlier_run_counted(evidence):
    """Fifteen minutes after the fix nothing of the fault is in the window; the earlier run knows its rates."""
    case = broken_then(20)
    case["frames"]["logs"] = case["frames"]["logs"][2:]
    counted = {"revision": "chat-00002-bbb", "kind": "GET /ws by e2e", "count": 12, "failed": 12}
    case["before"] = {"status": "failed", "serving": ["chat-00002-bbb"], "requests": [counted], "checks": []}
    row = rows(Case(evidence(case)))["GET /ws by e2e"]
    assert (row["before_count"], row["before_tries"], row["effect"]) == (0, 12, "fixed")


def test_order(evidence):
    """What fails comes first, then what is undecided, then the rest; the fewest tries first in each."""
    case = broken_then(3)
    case["frames"]["handshakes"] = [handshake("good", "ok"), handshake("bad", "failed")]
    case["before"] = {"status": "failed", "checks": [check("good", "failed"), check("bad", "failed")]}
    found = Case(evidence(case)).before_after
    states = [standing(row) for row in found.to_dict("records")]
    assert states == ["failed", *["undecided"] * 4, "as expected"]
    assert (found["subject"].iloc[0], found["subject"].iloc[-1]) == ("bad", "good")
    tries = found["after_tries"][1:5]
    assert list(tries) == sorted(tries)


def test_our_own_probes_feed_no_rate(evidence):
    """A probe that is refused must not make the fix look broken."""
    case = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    probe = requests("chat-00140-fix", "10:30:00", 503, 30) | {"probe_id": "p", "agent": "staging-e2e/1.4"}
    with_probe = json.loads(json.dumps(case))
    with_probe["frames"]["logs"].append(probe)
    own, other = (Case(replace(evidence(item), gaps=())).before_after for item in (case, with_probe))
    assert own[own["source"] == "requests"].equals(other[other["source"] == "requests"])
