"""The report that a team files: every part of the hand-written one, computed, and nothing invented."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from incident.analysis.case import Case
from incident.analysis.postmortem import BLANKS, postmortem
from incident.causes import judged
from incident.evidence import load

RECORD = Path(__file__).parents[1] / "incident.yaml"
SAMPLES = Path(str(files("incident") / "samples"))
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


@pytest.fixture(scope="module")
def stories():
    """The reports of the two samples, broken and fixed."""
    cases = [Case(load(SAMPLES / name / "evidence")) for name in ("staging", "staging-fixed")]
    return [postmortem(case, judged(case)) for case in cases]


def column(part, name):
    """One column of a part."""
    return list(part.frame()[name])


def test_each_part_has_rows_or_a_reason_and_says_what_it_is_from(stories):
    """A number that nobody can trace is not believed at a review."""
    for story in stories:
        for part in story.parts():
            assert bool(part.rows) != bool(part.empty), part.title
            assert part.source, part.title
            assert all(
                len(row) == len(part.columns) and all(isinstance(cell, str) for cell in row) for row in part.rows
            )


def test_status_and_next_update(stories):
    """A report is final only once everything is done; until then it says when there will be news."""
    broken, fixed = stories
    assert broken.status == fixed.status == "active"
    assert re.fullmatch(TIME, broken.date)
    assert re.fullmatch("when build [0-9a-f-]{36} ends", broken.next_update)
    assert re.fullmatch(f"{TIME}, when what is open can be known", fixed.next_update)


def test_final_once_it_held(evidence):
    """Nothing fails, the fix is effective, older than the request timeout, and a second instance opened sockets, too."""
    case = yaml_case()
    again = {"log": "requests", "at": "10:20:00", "revision": "chat-00140-fix", "instance": "again", "status": 101}
    case["frames"]["logs"].append(again | {"url": "https://chat/ws", "agent": "Chat/3", "repeat": 20})
    case["frames"]["handshakes"] = [{"probe_id": "p", "name": "x", "verdict": "accepted", "status": "ok"}]
    found = Case(evidence(case))
    story = postmortem(found, judged(found))
    assert (story.status, story.next_update) == ("final", "none: nothing is open")
    assert column(story.next_steps, "step") == ["document"]


def yaml_case():
    """The recorded incident, with what a fix needs to be judged: readiness, a start of traffic and a timeout."""
    import yaml

    case = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    fix = case["frames"]["revisions"][-1]
    fix |= {"ready": True, "traffic_start_time": "10:04:05", "settings": '{"timeout_s": 300.0}', "build_id": "b"}
    case["frames"]["builds"] = [
        {"build_id": "b", "status": "SUCCESS", "digest": "sha256:cc", "finish_time": "10:03:50"}
    ]
    return case


def test_root_cause(stories):
    """Primary and secondary, and the change that brought it and the one that mended it."""
    for story, state in zip(stories, ["active", f"ended {TIME}, mended by 00140"], strict=True):
        assert column(story.root_cause, "rank") == ["primary", "secondary"]
        assert column(story.root_cause, "cause") == ["startup-exception", "app-refused"]
        assert re.fullmatch(state, column(story.root_cause, "state")[0])
        assert column(story.root_cause, "introduced by")[0] == "00139"


def test_solutions_and_whether_they_are_live(stories):
    """A variable stays set in later revisions; a build that no revision uses is not live."""
    broken, fixed = stories
    assert list(zip(column(broken.solutions, "live"), column(broken.solutions, "effect"), strict=True)) == [
        ("yes", "none"), ("yes", "none"), ("no", "none yet"),
    ]  # fmt: skip
    assert column(fixed.solutions, "effect") == ["none", "none", "fixed"]


def test_tests_before_and_after(stories):
    """While the fix is not live this run is the one before; then 0 of 7 becomes 7 of 7."""
    broken, fixed = stories
    assert broken.tests.rows[1] == ("health and handshakes together", "0 of 7", "not tried")
    assert fixed.tests.rows[:3] == (
        ("health", "failed: 503", "ok: 200"),
        ("health and handshakes together", "0 of 7", "7 of 7"),
        ("clean-startup", "failed: 44 × NameError: DatabaseSessionManager, 44 × Container called exit(3)",
         "ok: none in 1750 entries"),
    )  # fmt: skip


def test_revisions_deployment_and_files(stories):
    """A missing number is said; files are not known, and the reason is."""
    broken, _ = stories
    assert column(broken.revisions, "outcome")[3] == "00138 does not exist: it never came to be, or it was deleted"
    assert column(broken.deployment, "component") == ["environment variables", "code", "build", "service health"]
    assert column(broken.deployment, "state") == ["4 set", "live", "WORKING", "failed"]
    assert broken.files_changed.empty == (
        "no repository was given, so files cannot be listed; the commits are 4be1c0a → 9c2f47d → e05b8d3"
    )


def test_next_steps_and_lessons(stories):
    """What is open follows from the steps of the fix, and a lesson from changes that had no effect."""
    broken, fixed = stories
    assert column(broken.next_steps, "step") == [
        "wait for the build", "deploy", "validate the start-up", "run the tests: incident run again",
        "see that it holds", "document",
    ]  # fmt: skip
    assert column(fixed.next_steps, "step") == ["see that it holds", "document"]
    assert broken.lessons.rows[0] == (
        "environment variables alone were insufficient",
        "2 changes of environment variables had no effect: 00136, 00137",
    )


def test_no_impact_is_invented(stories):
    """What only people know is a blank, whatever the evidence looks like."""
    for story in stories:
        assert story.blanks == BLANKS
        text = " ".join(cell for part in story.parts() for row in part.rows for cell in row).lower()
        assert not [word for word in ("impact", "revenue", "customer", "users were") if word in text]


def test_no_evidence_is_no_story(evidence):
    """Every part says why it is empty, and nothing is called final while logs are missing."""
    case = Case(evidence({"not_vouched": ["logs", "revisions", "traffic", "builds", "handshakes"]}))
    story = postmortem(case, judged(case))
    assert story.status == "active"
    assert story.next_steps.empty == "nothing is known to be broken"
    assert story.revisions.empty == "no revision is known"
