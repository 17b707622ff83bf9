"""Rows of the charts' tables: a revision with the counts beside its change, a handshake in a reader's order."""

import json

import pandas as pd
import pytest

from incident.analysis.case import Case
from incident.analysis.rows import check_table, handshake_rows, revision_rows, short_image
from incident.frames import rows_frame


@pytest.fixture
def rows(evidence):
    """The rows of the incident that the project was born from."""
    case = Case(evidence(INCIDENT))
    drawn = revision_rows(
        case.evidence.revisions, case.changes, case.requests, case.missing_revisions, case.evidence.builds
    )
    return drawn.set_index("number")


INCIDENT = {
    "frames": {
        "revisions": [
            {"revision_name": "chat-00136-aaa", "create_time": "10:00:00", "commit": "aaaaaaabbb", "environment": "{}"},
            {"revision_name": "chat-00138-bbb", "create_time": "10:03:00", "commit": "ccccccc", "build_id": "b1"},
        ],
        "builds": [{"build_id": "b1", "start_time": "10:01:00", "finish_time": "10:02:00"}],
        "logs": [
            {"log": "requests", "at": "10:00:05", "revision": "chat-00136-aaa", "status": 101,
             "url": "https://chat/ws", "agent": "Chat/3", "repeat": 30},
            {"log": "requests", "at": "10:03:05", "revision": "chat-00138-bbb", "status": 503,
             "url": "https://chat/ws", "agent": "Chat/3", "repeat": 12},
        ],
    },
}  # fmt: skip


def test_a_missing_number_has_its_row_in_its_place(rows):
    """A revision that never came to be is part of the story, between those that did."""
    assert list(rows.index) == ["00136", "00137", "00138"]
    assert list(rows["state"]) == ["before", "missing", "broke"]


def test_the_counts_that_decided_stand_beside_the_change(rows):
    """An effect without its counts is an opinion."""
    broke = rows.loc["00138"]
    assert (broke["failed_before"], broke["failed"]) == ((0, 30), (12, 12))
    assert (broke["opened_before"], broke["opened"]) == ((30, 30), (0, 12))
    assert (broke["previous_image"], broke["image"], broke["count"]) == ("aaaaaaa", "ccccccc", 12)
    assert broke["build_end"] - broke["build_start"] == pd.Timedelta("1min")


def test_a_build_stands_with_the_first_revision_that_used_it(evidence):
    """A change of variables takes the image that is there: it was not built for it."""
    names = ["chat-00136-aaa", "chat-00137-bbb"]
    revisions = [{"revision_name": n, "create_time": f"10:0{k}:00", "build_id": "b1"} for k, n in enumerate(names)]
    case = Case(evidence({"frames": {"revisions": revisions, "builds": INCIDENT["frames"]["builds"]}}))
    drawn = revision_rows(case.evidence.revisions, case.changes, case.requests, [], case.evidence.builds)
    assert list(drawn["build_start"].notna()) == [True, False]


@pytest.mark.parametrize(("commit", "digest", "image", "short"), [
    ("0123456789", "sha256:aa", "r/chat", "0123456"),
    (None, "sha256:0123456789", "r/chat", "0123456"),
    (None, None, "region-docker.pkg.dev/p/r/chat:v3", "chat:v3"),
    (None, None, None, ""),
])  # fmt: skip
def test_an_image_is_called_by_the_best_name_it_has(commit, digest, image, short):
    """A commit can be looked up by people, a digest only by machines."""
    assert short_image({"commit": commit, "image_digest": digest, "image": image}) == short


def test_handshakes_that_failed_come_first():
    """The eye starts at the top; what is as expected may be below the fold."""
    given = [("a", "ok"), ("b", "skipped"), ("c", "failed"), ("d", "uncertain"), ("e", "failed")]
    drawn = handshake_rows(rows_frame("handshakes", [{"probe_id": n, "name": n, "status": s} for n, s in given]))
    assert list(zip(drawn["name"], drawn["rank"], strict=True)) == [
        ("c", 0), ("e", 0), ("b", 1), ("d", 1), ("a", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("fields", "code"), [
    ({"http_status": 403}, "403"), ({"http_status": 101, "close_code": 1011}, "close 1011"), ({}, "none"),
])  # fmt: skip
def test_the_code_is_the_last_thing_said(fields, code):
    """A socket that opened and was closed failed by its close, not by its 101."""
    assert handshake_rows(rows_frame("handshakes", [{"probe_id": "a", **fields}]))["code"].item() == code


@pytest.mark.parametrize(("timings", "without"), [
    ({"connect_s": 0.1, "tls_s": None, "status_s": 0.1}, True),
    ({"connect_s": 0.1, "tls_s": 0.1, "status_s": 0.1}, False),
    ({"connect_s": 0.1, "tls_s": None, "status_s": None}, False),
])  # fmt: skip
def test_plain_sockets_pass_no_tls(timings, without):
    """A stage that does not exist was neither passed nor failed."""
    drawn = handshake_rows(rows_frame("handshakes", [{"probe_id": "a", "timings": json.dumps(timings)}]))
    assert drawn["without_tls"].item() == without


def test_what_was_expected_stands_beside_what_came():
    """Who compares two columns must not search them; what every row says is left out."""
    because = "answered 403 Forbidden; only 101 opens a WebSocket"
    given = {"kind": "websocket", "verdict": "refused", "http_status": 403, "stage": "status", "because": because}
    made = [{"probe_id": "a", "name": "a", "expected": "403", "status": "ok", "attempts": 1, **given},
            {"probe_id": "b", "name": "b", "expected": "accepted", "status": "failed", "attempts": 1,
             "sent": '["X-Test-Type"]', **given}]  # fmt: skip
    assert check_table(rows_frame("handshakes", made)).fillna("").to_dict("records") == [
        {"check": "b", "expected": "accepted", "observed": "refused 403", "status": "failed", "stopped at": "status",
         "headers sent": "X-Test-Type", "why": "answered 403 Forbidden"},
        {"check": "a", "expected": "403", "observed": "refused 403", "status": "ok", "stopped at": "",
         "headers sent": "", "why": "answered 403 Forbidden"},
    ]  # fmt: skip


@pytest.mark.parametrize("sent", [None, "", "{", "7", '{"X-Test-Type": 1}'])
def test_headers_that_were_not_kept_have_no_column(sent):
    """Older records have none, and an export is written by anybody."""
    assert "headers sent" not in check_table(rows_frame("handshakes", [{"probe_id": "a", "sent": sent}]))
