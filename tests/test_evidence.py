"""What counts as a gap, and what an archive keeps of evidence."""

import pyarrow.parquet as pq
import pytest

from incident.evidence import load, save
from incident.findings import Gap

LOG = {"log": "requests", "at": "10:59:00", "revision": "chat-00001-aaa", "status": 101, "url": "https://chat/ws"}


def gaps(read, frame="logs"):
    """The gaps on one frame, as (kind, reason)."""
    return [(gap.kind, gap.reason) for gap in read.gaps if gap.frame == frame]


def test_an_empty_frame_is_a_gap_unless_vouched_for(evidence):
    """No row may mean no event or no access: only the source knows."""
    assert gaps(evidence({"frames": {}, "not_vouched": ["builds"]}), "builds") == [
        ("empty", "no builds came, and no source says that there are none")
    ]
    assert gaps(evidence({"frames": {}}), "builds") == []


def test_a_refused_frame_is_not_called_empty_too(evidence):
    """403 stays a refusal from end to end; a second gap would hide the first one's remedy."""
    refused = {"frame": "iam", "reason": "403", "remedy": "grant", "kind": "refused"}
    read = evidence({"frames": {}, "not_vouched": ["iam"], "gaps": [refused]})
    assert gaps(read, "iam") == [("refused", "403")]


def test_the_endpoint_alone_judges(evidence):
    """The same check at a tag or at another URL decides nothing; a recording that names no place is the endpoint's."""
    rows = [{"probe_id": str(place), "place": place} for place in (None, "endpoint", "service", "tag:canary")]
    read = evidence({"frames": {"handshakes": rows}})
    assert list(read.endpoint_handshakes["probe_id"]) == ["None", "endpoint"]
    assert len(read.handshakes) == 4


def test_a_recording_without_later_columns(evidence, tmp_path):
    """Within a schema columns are only added: an older run's file lacks some, and they are null."""
    rows = {"handshakes": [{"probe_id": "1f", "name": "x", "place": "service"}], "revisions": [{"revision_name": "r"}]}
    save(evidence({"frames": rows}), tmp_path)
    for name, later in (("handshakes", ["place", "addresses", "tls", "sent"]), ("revisions", ["bypass"])):
        file = tmp_path / f"{name}.parquet"
        pq.write_table(pq.read_table(file).drop_columns(later), file)
    read = load(tmp_path)
    assert list(read.endpoint_handshakes["name"]) == ["x"]
    assert read.handshakes[["place", "addresses", "tls", "sent"]].isna().all(axis=None)
    assert read.revisions["bypass"].isna().all()


@pytest.mark.parametrize(("pulled", "kinds"), [("11:00:59", ["unsettled"]), ("11:01:00", [])])
def test_the_tail_settles_a_minute_after_the_window(evidence, pulled, kinds):
    """Judged by the time of the pull: an archived run must not become settled by waiting."""
    assert [kind for kind, _ in gaps(evidence({"pulled": pulled, "frames": {"logs": [LOG]}}))] == kinds


def test_silence_of_a_serving_revision(evidence):
    """A revision that held traffic and left no entry means lost entries, not peace."""
    read = evidence(
        {
            "frames": {
                "logs": [LOG],
                "traffic": [{"time": "10:00:00", "revision_name": "chat-00002-bbb", "percent": 100}],
            }
        }
    )
    assert gaps(read) == [("silent", "revision chat-00002-bbb held traffic and left no entry in the window")]


def test_a_fresh_tail_excuses_no_silence(evidence):
    """Entries of the last minute that may still come are no reason for a revision to have left none at all."""
    traffic = [{"time": "10:00:00", "revision_name": "chat-00002-bbb", "percent": 100}]
    unsettled = {"frame": "logs", "reason": "a tail", "remedy": "wait", "kind": "unsettled"}
    read = evidence({"frames": {"traffic": traffic}, "gaps": [unsettled], "not_vouched": ["logs"]})
    assert [kind for kind, _ in gaps(read)] == ["unsettled", "empty", "silent"]
    assert read.gap("logs").kind == "empty"


def test_a_revision_that_holds_traffic_is_one(evidence):
    """A list of revisions without the one that serves is not whole, whatever it claims of itself."""
    traffic = [{"time": "10:00:00", "revision_name": "chat-00002-bbb", "percent": 100}]
    assert gaps(evidence({"frames": {"traffic": traffic}}), "revisions") == [
        ("partial", "revision chat-00002-bbb holds traffic and is not among the revisions that came")
    ]


def test_silence_before_a_busy_time(evidence):
    """A service that logs each second was not quiet for half an hour before."""
    busy = {"frames": {"logs": [{**LOG, "at": "10:30:00", "repeat": 100}]}}
    assert gaps(evidence(busy)) == [
        (
            "silent",
            "nothing was logged from 2025-09-07T10:00:00Z to 2025-09-07T10:30:00Z, in a service never quiet after",
        )
    ]


def test_silence_before_the_service_existed(evidence):
    """A service made in the middle of the window has no entries before, and none are missing."""
    made = {
        "service": [{"service_name": "chat", "create_time": "10:29:00"}],
        "logs": [{**LOG, "at": "10:30:00", "repeat": 100}],
    }
    assert gaps(evidence({"frames": made})) == []


def test_a_quiet_service_may_begin_late(evidence):
    """Two entries an hour prove no silence."""
    assert gaps(evidence({"frames": {"logs": [{**LOG, "at": "10:40:00"}, {**LOG, "at": "10:59:00"}]}})) == []


def test_the_worst_gap_of_a_frame_comes_first(evidence):
    """A remedy of `run again later` must not hide that the call was refused."""
    both = [
        {"frame": "logs", "reason": "tail", "remedy": "wait", "kind": "unsettled"},
        {"frame": "logs", "reason": "403", "remedy": "grant", "kind": "refused"},
    ]
    assert evidence({"frames": {}, "gaps": both}).gap("logs") == Gap("logs", "403", "grant", "refused")


def test_our_own_probes_are_no_evidence(evidence):
    """A matrix that expects refusals must not make the service look broken."""
    read = evidence({"frames": {"logs": [LOG, {**LOG, "status": 403, "probe_id": "p1"}]}})
    assert list(read.service_logs["http_request_status"]) == [101]
    assert len(read.logs) == 2


def test_serving_by_the_service_s_own_word(evidence):
    """Tags without traffic serve nobody."""
    rows = [
        {"time": "10:00:00", "revision_name": name, "percent": share}
        for name, share in (("a", 10), ("b", 90), ("c", None))
    ]
    assert evidence({"frames": {"traffic": rows}}).serving() == ["b", "a"]


def test_saved_evidence_is_the_same(evidence, tmp_path):
    """Years later the archive gives the same frames, gaps and window."""
    read = evidence({"frames": {"logs": [LOG]}, "before": {"run_id": "x", "checks": []}, "pulled": "11:00:01"})
    save(read, tmp_path / "evidence")
    again = load(tmp_path / "evidence")
    assert again.frames["logs"].equals(read.frames["logs"])
    assert (again.scope, again.gaps, again.complete, again.before) == (
        read.scope,
        read.gaps,
        read.complete,
        read.before,
    )


def test_an_unknown_frame_is_named(evidence):
    """A typing error in a notebook gets the names there are."""
    with pytest.raises(AttributeError, match="evidence has no frame 'log': use one of logs, audit, revisions"):
        _ = evidence({"frames": {}}).log
