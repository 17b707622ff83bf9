"""What a revision changed, by field."""

import pandas as pd
import pytest

from incident.analysis.changes import in_play, missing_revisions, revision_changes, short_name
from incident.frames import frame, rows_frame

T = pd.Timestamp("2025-09-07T10:00:00Z")


def revision(number, minutes=None, **fields):
    """A revision of chat, made some minutes after ten."""
    made = T + pd.Timedelta(number if minutes is None else minutes, unit="min")
    return {"revision_name": f"chat-{number:05d}-abc", "create_time": made, "image_digest": "sha256:a"} | fields


def changed(*rows, audit=None):
    """The changes between some revisions."""
    return revision_changes(rows_frame("revisions", rows), frame("audit") if audit is None else audit)


@pytest.mark.parametrize(
    ("before", "after", "kinds", "fields"),
    [
        ({}, {}, [], []),
        ({}, {"image_digest": "sha256:b"}, ["image"], ["image"]),
        ({"commit": "c1"}, {"commit": "c2", "image_digest": "sha256:b"}, ["image", "code"], ["image", "commit"]),
        ({}, {"environment": '{"A": "t1"}'}, ["environment"], ["env.A added"]),
        ({"environment": '{"A": "t1", "B": "t"}'}, {"environment": '{"A": "t2", "B": "t"}'}, ["environment"], ["env.A changed"]),
        ({"environment": '{"A": "t1"}'}, {"environment": "{}"}, ["environment"], ["env.A removed"]),
        ({}, {"environment": '{"A": {"secret": "s", "version": "1"}}'}, ["secret"], ["env.A added"]),
        ({"settings": '{"timeout_s": 300}'}, {"settings": '{"timeout_s": 3600}'}, ["settings"], ["timeout_s changed"]),
    ],
)  # fmt: skip
def test_fields(before, after, kinds, fields):
    """Each difference is named by its field, never by its value."""
    made = changed(revision(1, **before), revision(2, **after)).iloc[0]
    assert (made["kinds"], made["fields"]) == (kinds, fields)


def test_order_is_by_creation():
    """Names that people give do not sort; creation does."""
    made = changed(revision(3, 1), revision(1, 2), revision(2, 3))
    assert list(made["previous"]) == ["chat-00003-abc", "chat-00001-abc"]


def call(seconds, email):
    """Somebody's call to change the service, some seconds after ten."""
    method = "google.cloud.run.v1.Services.ReplaceService"
    return {"timestamp": T + pd.Timedelta(seconds, unit="s"), "method_name": method, "principal_email": email}


@pytest.mark.parametrize(
    ("calls", "by"),
    [
        ([call(119, "ada")], "ada"),
        ([call(61, "ada"), call(119, "bob")], "bob"),
        ([call(119, "ada"), call(121, "bob")], "ada"),
        ([call(121, "bob"), call(121.5, "cy")], "bob"),
        ([call(30, "ada")], "creator"),
        ([], "creator"),
    ],
)
def test_by_is_the_caller_of_the_change(calls, by):
    """The audit entry names who deployed, the next deploy's caller never; the revision's own creator is second best."""
    made = changed(revision(1), revision(2, creator="creator"), audit=rows_frame("audit", calls))
    assert list(made["by"]) == [by]


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["chat-00137-abc", "chat-00139-abc", "chat-00140-abc"], ["chat-00138"]),
        (["chat-00137-abc"], []),
        (["blue", "green"], []),
        ([], []),
    ],
)
def test_missing_revisions(names, missing):
    """A number that no revision bears is said: a deploy failed there, or a revision was deleted."""
    assert missing_revisions(pd.DataFrame({"revision_name": names})) == missing


def test_short_name():
    """A service whose own name ends in digits keeps its revision's number apart."""
    assert short_name("chat-12345-00139-xyz") == "00139"


@pytest.mark.parametrize(
    ("start", "seen", "kept"),
    [
        (3.5, [], [3, 4, 5]),
        (3.5, ["chat-00002-abc"], [1, 2, 3, 4, 5]),
        (9, ["chat-00005-abc"], [4, 5]),
        (9, [], [4, 5]),
    ],
)
def test_in_play(start, seen, kept):
    """A service with a thousand revisions would bury the two that matter; the first is compared with the one before."""
    revisions = rows_frame("revisions", [revision(number) for number in (1, 2, 3, 4, 5)])
    made = in_play(revisions, T + pd.Timedelta(start, unit="min"), seen)
    assert [int(short_name(name)) for name in made["revision_name"]] == kept
