"""Stack traces that came line by line are whole again, and other threads' lines stay."""

from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incident.analysis.rejoin import rejoined
from incident.analysis.tracebacks import read_traceback
from incident.frames import rows_frame

TEXTS = Path(__file__).parent / "tracebacks"
START = pd.Timestamp("2025-03-04T10:00:00Z")
ACCESS = 'INFO:     10.0.0.1:50412 - "GET /healthz HTTP/1.1" 200 OK'
NAME_ERROR = """Traceback (most recent call last):
  File "/srv/app/main.py", line 3, in <module>
    import registry
  File "/srv/app/agents/registry.py", line 9, in build
    DatabaseSessionManager()
NameError: name 'DatabaseSessionManager' is not defined"""
CHAINED = f"""Traceback (most recent call last):
  File "/srv/app/db.py", line 4, in connect
    open(url)
psycopg.OperationalError: connection refused

During handling of the above exception, another exception occurred:

{NAME_ERROR}"""
JAVA = """Exception in thread "main" java.lang.IllegalStateException: closed
\tat com.acme.Hub.send(Hub.java:12)
\tat com.acme.Main.main(Main.java:3)
Caused by: java.io.IOException: reset
\tat com.acme.Net.write(Net.java:7)
\t... 2 more"""
NODE = """/app/hub.js:11
  deliver(room) { return rooms.get(room).push(1); }
                                        ^

TypeError: Cannot read properties of undefined (reading 'push')
    at deliver (/app/hub.js:11:55)
    at start (/app/main.js:7:41) {
  code: 'NO_ROOM'
}

Node.js v20.20.2"""
GO = """panic: first [recovered]
\tpanic: second
[signal SIGSEGV: segmentation violation code=0x1 addr=0x18 pc=0x654008]

goroutine 1 [running]:
main.(*server).run(0xc00009a018, {0x7ffcbe2a98f0, 0x7}, 0x1)
\t/app/main.go:21 +0x316
created by main.main
\t/app/main.go:60 +0x2e7
exit status 2"""
WHOLE = [NAME_ERROR, CHAINED, JAVA, NODE, GO]
MANY = 20_000
NAMES = ["python", "chained", "java", "node", "go"]
NOT_REJOINED = {"a string is thrown in start", "load finds the room not stored", "store finds the room full"}
"""Texts of the truth set without a line by which a trace could be found."""


def entries(lines, instance="a", step="1ms", log="e"):
    """A row a line."""
    return [
        {"log_name": log, "instance_id": instance, "timestamp": START + at * pd.Timedelta(step), "text": line}
        for at, line in enumerate(lines)
    ]


def texts(rows):
    """What is left of these rows' texts."""
    return [text if isinstance(text, str) else None for text in rejoined(rows_frame("logs", rows))["text"]]


@pytest.mark.parametrize("text", WHOLE, ids=NAMES)
def test_lines_are_rejoined_within_their_instance(text):
    """A runtime that flushes line by line interleaves instances; each trace must come out whole."""
    pairs = zip(entries(text.split("\n"), "a"), entries(text.split("\n"), "b"), strict=True)
    assert texts([row for pair in pairs for row in pair]) == [text, text]


@pytest.mark.parametrize("text", WHOLE, ids=NAMES)
def test_lines_of_other_threads_stay(text):
    """A request that ends meanwhile is an entry of its own, and no part of the trace."""
    lines = text.split("\n")
    cut = next(at for at, line in enumerate(lines) if line.startswith((" ", "\t")) and at > 3)
    assert texts(entries([ACCESS, *lines[:cut], ACCESS, *lines[cut:], ACCESS])) == [ACCESS, text, ACCESS, ACCESS]


@pytest.mark.parametrize("text", WHOLE, ids=NAMES)
def test_two_in_a_row_are_two(text):
    """A second failure is counted, not swallowed by the first."""
    assert texts(entries([*text.split("\n"), *text.split("\n")])) == [text, text]


@pytest.mark.parametrize("text", WHOLE, ids=NAMES)
def test_order_of_time_counts(text):
    """An export need not be in the order of time."""
    assert texts(entries(text.split("\n"))[::-1]) == [text]


def test_whole_tracebacks_stay_as_they_are():
    """Cloud Run delivers most traces as one entry: nothing is to be joined, and nothing copied."""
    logs = rows_frame("logs", entries(WHOLE))
    assert rejoined(logs) is logs


@pytest.mark.parametrize(
    "rows",
    [
        entries(NAME_ERROR.split("\n"), instance=None),
        entries(["    at 10:00 (local time) the room opens", ACCESS]),
        entries([ACCESS, "\tat com.acme.Hub.send(Hub.java:12)", "\tat com.acme.Hub.main(Hub.java:3)"]),
        entries(["goroutine 7 [running]:", "main.main()"]),
        entries(JAVA.split("\n")[:2], step="3s"),
        entries([JAVA.split("\n")[0]]) + entries(JAVA.split("\n")[1:2], "b"),
        entries([JAVA.split("\n")[0]]) + entries(JAVA.split("\n")[1:2], log="f"),
        entries([]),
    ],
    ids=["no-instance", "prose", "no-exception", "no-panic", "late", "other-instance", "other-log", "empty"],
)
def test_what_does_not_belong_together_stays_apart(rows):
    """Lines joined by mistake make an exception that never was, and hide what they said."""
    assert texts(rows) == [row["text"] for row in rows]


def test_entries_without_text_are_no_lines():
    """An entry with a JSON payload alone, between two lines, is not of the trace."""
    rows = entries(JAVA.split("\n"))
    rows.insert(2, {**rows[1], "text": None})
    assert texts(rows) == [JAVA, None]


@pytest.mark.parametrize("language", ["python", "node", "go", "java"])
def test_real_traces_say_the_same_line_by_line(language):
    """What an entry says must not depend on how it was flushed: the bug has one identity."""
    wrong = []
    for part in f"\n{(TEXTS / f'{language}.txt').read_text(encoding='utf-8')}".split("\n=== ")[1:]:
        head, _, text = part.partition("\n")
        read = [found.identity for made in texts(entries(text.split("\n"))) if (found := read_traceback(made))]
        if read != [read_traceback(text).identity] and head.partition(" | ")[0] not in NOT_REJOINED:
            wrong.append((head, read))
    assert wrong == []


def test_index_and_other_columns_are_kept():
    """Users join by index, and the first line's time is the trace's."""
    rows = [*entries([ACCESS]), *entries(JAVA.split("\n"), "b")]
    logs = rows_frame("logs", rows)
    logs.index = np.arange(len(rows)) * 10
    made = rejoined(logs)
    assert list(made.index) == [0, 10]
    assert made["text"].dtype == logs["text"].dtype
    assert logs["text"].iloc[1] != JAVA


@pytest.mark.parametrize(
    "line", ["\tat a.b(C.java:1)", "goroutine 1 [running]:", "Traceback (most recent call last):", "Error: x", "  x"]
)
def test_many_lines_take_their_number_in_time(line):
    """A log of nothing but such lines must not stop the reading."""
    mixed = [text for pair in zip_longest([line] * MANY, [ACCESS] * (MANY // 7)) for text in pair if text]
    logs = rows_frame("logs", entries(mixed, step="1us"))
    began = pd.Timestamp.now()
    rejoined(logs)
    assert pd.Timestamp.now() - began < pd.Timedelta("4s")
