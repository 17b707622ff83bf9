"""The summary in schema 1: what schedulers and archived runs rely on."""

import json
from pathlib import Path

import yaml

from incident.answer import summary
from incident.causes import CAUSES
from incident.sentences import answer, paragraph, verdict

INCIDENT = Path(__file__).parent / "incident.yaml"


def test_keys_of_schema_1(evidence):
    """Within schema 1 keys may be added, never renamed or removed."""
    found = summary(evidence(INCIDENT))
    assert found["schema"] == 1
    assert {"scope", "status", "gaps", "causes", "checks", "error_sequence", "changes", "last_good"} <= set(found)
    assert {
        "cause",
        "status",
        "active",
        "introduced_by",
        "revisions",
        "started",
        "ended",
        "mended_by",
        "because",
        "evidence",
        "remedy",
    } <= set(found["causes"][0])
    assert {
        "order",
        "group",
        "title",
        "first_seen_time",
        "last_seen_time",
        "count",
        "revisions",
        "follows",
        "background",
    } <= set(found["error_sequence"][0])
    assert {"time", "revision", "by", "kinds", "fields", "effect", "confounded", "on"} <= set(found["changes"][0])
    assert {"check", "kind", "expected", "before", "observed", "status", "because"} <= set(found["checks"][0])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_every_cause_once(evidence):
    """A reader looks for the cause that is not there, too."""
    found = summary(evidence(INCIDENT))
    assert sorted(cause["cause"] for cause in found["causes"]) == sorted(rule.name for rule in CAUSES)


def test_the_incident(evidence):
    """The story that this project was born from, computed."""
    found = summary(evidence(INCIDENT))
    assert [(change["revision"], change["effect"]) for change in found["changes"]] == [
        ("chat-00136-env", "none"),
        ("chat-00139-new", "broke"),
        ("chat-00140-fix", "fixed"),
    ]
    assert found["missing_revisions"] == ["chat-00137", "chat-00138"]
    assert found["status"] == "ok"
    assert found["last_good"] == {
        "revision": "chat-00140-fix",
        "because": "00140: 100 sockets opened on it, the last at 2025-09-07 10:04:54 UTC",
        "remedy": "",
    }


def test_the_way_back(evidence):
    """The line goes to a revision that worked, never to the one that serves and fails, nor to one that broke it."""
    case = yaml.safe_load(INCIDENT.read_text(encoding="utf-8"))
    case["frames"]["traffic"] = [{"time": "10:03:00", "revision_name": "chat-00139-new", "percent": 100}]
    case["frames"]["logs"] = [row for row in case["frames"]["logs"] if row["revision"] != "chat-00140-fix"]
    case["frames"]["logs"].append(
        {
            "log": "requests",
            "at": "10:03:01",
            "revision": "chat-00139-new",
            "instance": "i139",
            "status": 101,
            "url": "https://chat/ws",
            "agent": "Chat/3",
        }
    )
    found = summary(evidence(case))
    assert found["last_good"]["revision"] == "chat-00136-env"
    assert (
        found["last_good"]["remedy"]
        == "gcloud run services update-traffic chat --to-revisions chat-00136-env=100 --region us-central1 --project my-project"
    )
    assert found["last_good"]["remedy"] in verdict(found)


def test_no_good_revision(evidence):
    """Where nothing ever worked, no revision is recommended."""
    assert summary(evidence({"frames": {}}))["last_good"] is None


def test_the_same_evidence_gives_the_same_summary(evidence):
    """Replay, years later, depends on it."""
    assert summary(evidence(INCIDENT)) == summary(evidence(INCIDENT))


def test_nothing_known_is_uncertain(evidence):
    """Missing evidence is never ok, and the answer says what is missing."""
    found = summary(evidence({"frames": {}, "not_vouched": ["logs", "revisions", "handshakes", "service"]}))
    assert found["status"] == "uncertain"
    assert {cause["status"] for cause in found["causes"]} == {"uncertain"}
    assert (
        str(answer(found))
        == "UNCERTAIN: logs: no logs came, and no source says that there are none.\nNo handshake was tried."
    )


def test_hostile_text_does_not_move_the_cursor(evidence):
    """A log line is whatever an attacker sent; the terminal and the notebook show it as text."""
    text = 'Traceback (most recent call last):\n  File "/srv/app/a.py", line 1, in f\nNameError: \x1b[2J<script>alert(1)</script>\u202e'
    rows = [
        {"log": "stderr", "at": "10:00:00", "text": text},
        {"log": "varlog%2Fsystem", "at": "10:00:01", "severity": "WARNING", "text": "Container called exit(1)."},
    ]
    read = evidence({"frames": {"logs": [{"revision": "chat-00001-aaa", "instance": "a"} | row for row in rows]}})
    found = summary(read)
    for words in (verdict(found), paragraph(found)):
        assert not [letter for letter in words if not (letter.isprintable() or letter == "\n")]
    assert "<script>" not in answer(found)._repr_html_()
    assert "&lt;script&gt;" in answer(found)._repr_html_()


def test_the_terminal_s_verdict_fits_80_columns(evidence):
    """Commands alone may be longer: they are there to be copied."""
    lines = verdict(summary(evidence(INCIDENT))).splitlines()
    assert [line for line in lines if len(line) > 80 and "gcloud" not in line] == []
    assert lines[0] == "OK  chat (us-central1), 2025-09-07 10:00:00 to 11:00:00 UTC"
