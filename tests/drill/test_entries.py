"""Log entries and their store."""

from threading import Thread

import pytest

from incident import platform
from incident.drill.entries import (
    ContainerLines,
    LogStore,
    Origin,
    Served,
    container_entry,
    nanoseconds,
    request_entry,
    system_entry,
)

ORIGIN = Origin("p", "r", "chat", "chat-00001-abc", {"commit-sha": "c0ffee"}, "00ab", "chat-1")


def line(text, time_ns):
    return container_entry(ORIGIN, platform.STDERR, text, "DEFAULT", time_ns)


def test_store_orders_by_time_then_insert_id():
    """A request's entry is written last and dated first, and two of one time must page the same way twice."""
    store = LogStore(clock=lambda: 9)
    for text, time_ns in (("late", 5), ("tie, first in", 1), ("tie, second in", 1)):
        store.add(line(text, time_ns))
    assert [entry.text_payload for entry in store] == ["tie, first in", "tie, second in", "late"]
    assert {nanoseconds(entry.receive_timestamp) for entry in store} == {9}


def test_store_takes_entries_from_many_threads():
    """Readers of Google's APIs run on threads of their own while instances write."""
    store = LogStore()
    threads = [Thread(target=lambda: [store.add(line("x", n)) for n in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        list(store)
    assert len({entry.insert_id for entry in store}) == 800


def test_request_entry_has_googles_form():
    """The rules read these fields by these names; an opened socket is DEFAULT and its entry is dated at its start."""
    served = Served("GET", "http://h/ws?token=t", "HTTP/1.1", 1_000_000_001, "a" * 32, "b" * 16, True, status=101)
    served.latency_ns, served.request_size = 2_500_000_000, 300
    entry = request_entry(ORIGIN.at(container=""), served)
    assert entry.log_name == "projects/p/logs/run.googleapis.com%2Frequests"
    assert (entry.severity, entry.trace, entry.span_id) == (0, f"projects/p/traces/{'a' * 32}", "b" * 16)
    assert (entry.timestamp.seconds, entry.timestamp.nanos) == (1, 1)
    assert (entry.http_request.latency.seconds, entry.http_request.latency.nanos) == (2, 500_000_000)
    assert dict(entry.labels) == {"commit-sha": "c0ffee", "instanceId": "00ab"}
    assert dict(entry.resource.labels) == {
        "project_id": "p", "location": "r", "service_name": "chat", "revision_name": "chat-00001-abc",
        "configuration_name": "chat",
    }  # fmt: skip


def test_system_entry_names_its_container():
    """Only the platform's own lines carry the container's name."""
    entry = system_entry(ORIGIN, platform.CONTAINER_EXIT, 1, code=3)
    assert (entry.text_payload, entry.severity) == ("Container called exit(3).", 400)
    assert entry.labels["container_name"] == "chat-1"


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (["up", "", "  indented"], [("up", "DEFAULT"), ("  indented", "DEFAULT")]),
        (["Traceback (most recent call last):", "  a", "", "E: 1", "next"],
         [("Traceback (most recent call last):\n  a\n\nE: 1", "ERROR"), ("next", "DEFAULT")]),
        (["Traceback (most recent call last):", "  a"], [("Traceback (most recent call last):\n  a", "ERROR")]),
    ],
)  # fmt: skip
def test_a_traceback_is_one_entry(lines, texts):
    """Cloud Run writes a traceback as one ERROR entry and a plain line as DEFAULT; a cut one is not lost."""
    reader = ContainerLines()
    told = [reader.feed(text) for text in lines] + [reader.end()]
    assert [text for text in told if text] == texts
