"""How long sockets lived: which ended at the request timeout, which can be counted yet, and which are alike."""

import json

import pandas as pd
import pytest

from incident.analysis.case import Case
from incident.analysis.durations import alike, came_back, clear_cuts, cut_shares, ends, lived_through, timeout_spans

OLD, NEW = "chat-00001-aaa", "chat-00002-bbb"
PULLED = pd.Timestamp("2025-09-07T12:00:00Z")


def socket(at, latency, revision=NEW, repeat=1, **more):
    """Sockets that opened one a second and lived equally long."""
    return {
        "log": "requests", "at": at, "revision": revision, "status": 101, "url": "https://chat/ws", "agent": "Chat/3",
        "repeat": repeat, "latency": latency,
    } | more  # fmt: skip


@pytest.fixture
def case(evidence):
    """A function from sockets to the case of a service that lowered its timeout from 3600 s to 300 s."""

    def made(*logs, limits=(3600.0, 300.0)):
        revisions = [
            {"revision_name": name, "create_time": at, "traffic_start_time": at, "ready": True,
             "settings": json.dumps({"timeout_s": limit}) if limit else None}
            for name, at, limit in zip((OLD, NEW), ("10:00:00", "10:10:00"), limits, strict=True)
        ]  # fmt: skip
        return Case(evidence({"frames": {"logs": list(logs), "revisions": revisions}}))

    return made


@pytest.mark.parametrize(("limit", "latency", "at_timeout"), [
    (300.0, 300.9, True), (300.0, 299.1, True), (300.0, 298.9, False), (300.0, 301.1, False),
    (2.0, 2.15, True), (2.0, 2.3, False), (None, 300.0, False),
])  # fmt: skip
def test_an_end_at_the_timeout(case, limit, latency, at_timeout):
    """A second is little beside minutes and much beside two seconds."""
    lives = case(socket("10:12:00", latency), limits=(3600.0, limit)).durations
    assert list(lives["at_timeout"]) == [at_timeout]


def test_the_share_is_of_those_that_stayed_and_whose_end_is_known(case):
    """Short visits and the newest sockets, of which only the short ones have ended, would make most of a few."""
    lives = case(
        socket("10:12:00", 300.2, repeat=12), socket("10:13:00", 20, repeat=50), socket("10:14:00", 200),
        socket("10:57:00", 170, repeat=40),
    ).durations  # fmt: skip
    shares = cut_shares(lives, pd.Timestamp("2025-09-07T11:00:00Z"))
    assert shares[["revision_name", "client", "timeout_s", "long", "cut"]].values.tolist() == [
        [NEW, "Chat", 300.0, 13, 12]
    ]
    assert len(clear_cuts(shares)) == 1
    assert cut_shares(lives, PULLED)["long"].to_list() == [53]


def test_the_longest_timeout_cuts_nobody(case):
    """There is no longer one to set."""
    lives = case(socket("10:12:00", 3600.2, repeat=12), limits=(3600.0, 3600.0)).durations
    shares = cut_shares(lives, PULLED)
    assert list(shares["cut"]) == [12]
    assert clear_cuts(shares).empty


def test_revisions_with_the_same_timeout_are_one_span(case):
    """A line that stops and begins again at the same height says that something changed."""
    at = [pd.Timestamp(f"2025-09-07T{time}Z") for time in ("10:00", "10:10", "10:20", "10:30")]
    bands = pd.DataFrame({"revision_name": [OLD, NEW, "unread"], "start": at[:3], "end": at[1:]})
    spans = timeout_spans(bands, case(limits=(300.0, 300.0)).evidence.revisions)
    assert spans.values.tolist() == [[at[0], at[2], 300.0]]
    assert timeout_spans(bands, case().evidence.revisions)["timeout_s"].to_list() == [3600.0, 300.0]


def test_ends_before_at_and_after(case):
    """A socket that outlived its timeout was not ended by it, and one without a known timeout counts nowhere."""
    logs = [socket("10:12:00", 20), socket("10:12:10", 300.2, repeat=3), socket("10:13:00", 400, repeat=2)]
    assert ends(case(*logs).durations) == (1, 3, 2)
    assert ends(case(*logs, limits=(None, None)).durations) == (0, 0, 0)


@pytest.mark.parametrize(("back_at", "agent", "expected"), [
    ("10:17:05", "Chat/3", (1, 1)), ("10:17:20", "Chat/3", (0, 1)), ("10:17:05", "Other/1", (0, 1)),
])  # fmt: skip
def test_a_client_that_came_back(case, back_at, agent, expected):
    """Whoever opens another socket within seconds had not left; an address alone may be many people's."""
    ip = {"http_request_remote_ip": "203.0.113.9"}
    found = case(socket("10:12:00", 300.2, **ip), socket(back_at, 5, agent=agent, **ip))
    cut = found.durations[found.durations["at_timeout"]]
    assert came_back(cut, found.opened, PULLED) == expected


def test_who_came_back_is_not_known_too_early_or_without_addresses(case):
    """The next socket may be open still, and then it has no entry."""
    ip = {"http_request_remote_ip": "203.0.113.9"}
    for found in (case(socket("10:12:00", 300.2)), case(socket("11:51:00", 300.2, **ip))):
        assert came_back(found.durations, found.opened, PULLED) == (0, 0)


def test_sockets_are_alike_where_most_of_a_client_lived_as_long(case):
    """A few equal lives among many are chance, and a visit of an instant says nothing of waiting."""
    few = [socket("10:12:00", 30, repeat=12), *(socket(f"10:2{n}:00", 40 + 20 * n, repeat=3) for n in range(5))]
    assert alike(case(*few).durations).empty
    assert len(alike(case(socket("10:12:00", 30, repeat=12), socket("10:13:00", 90, repeat=2)).durations)) == 12
    assert alike(case(socket("10:12:00", 0.1, repeat=12)).durations).empty


def test_what_lived_through_was_open_while_others_were_ended(case):
    """A long socket of the day before says nothing about what ends them today."""
    lives = case(
        socket("10:12:00", 60, agent="Early/1"), socket("10:20:00", 30, repeat=12), socket("10:20:05", 90, agent="Busy/1")
    ).durations  # fmt: skip
    assert list(lived_through(lives, lives[lives["client"] == "Chat"], 30.0)["client"]) == ["Busy"]
