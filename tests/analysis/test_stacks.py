"""Stack traces of four languages: which of them are one bug, by a truth set of real ones."""

import re
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.analysis.rejoining import rejoined
from incident.analysis.tracebacks import read_traceback
from incident.frames import rows_frame

FOLDER = Path(__file__).parent / "tracebacks"
LANGUAGES = ("python", "node", "go", "java")
LEAST = 0.95


def texts(language):
    """Bug, how it came about, and text of each stack trace."""
    parts = re.split(r"^#### ", (FOLDER / f"{language}.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    heads = [part.partition("\n") for part in parts]
    return [(*head.split(" | ", 1), text.strip("\n")) for head, _, text in heads]


TRUTH = [(language, *row) for language in LANGUAGES for row in texts(language)]


def wrong(truth, found):
    """How many pairs are rightly one, the pairs that are one by mistake, and those that are not and should be."""
    right, mixed, split = 0, [], []
    for one, other in combinations(range(len(truth)), 2):
        is_one, was_one = truth[one] == truth[other], found[one] == found[other]
        right += is_one and was_one
        if is_one != was_one:
            (split if is_one else mixed).append((one, other))
    return right, mixed, split


def test_the_truth_set_is_large_enough():
    """Few texts, or few of one language, would prove little."""
    assert len(TRUTH) >= 60
    assert min(sum(row[0] == language for row in TRUTH) for language in LANGUAGES) >= 15


def test_precision_and_recall():
    """A changed line number, value or folder is the same bug; another place, type or name is another."""
    found = [read_traceback(text).identity for *_, text in TRUTH]
    right, mixed, split = wrong([bug for _, bug, _, _ in TRUTH], found)
    told = [
        f"{kind}: {TRUTH[a][1:3]} {TRUTH[b][1:3]}"
        for kind, pairs in (("mixed", mixed), ("split", split))
        for a, b in pairs
    ]
    precision, recall = right / (right + len(mixed)), right / (right + len(split))
    print(f"{len(TRUTH)} texts, {len({row[1] for row in TRUTH})} bugs: precision {precision:.3f}, recall {recall:.3f}")
    assert (precision > LEAST, recall > LEAST) == (True, True), "\n".join(told)


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row[1]}-{row[2]}")
def test_each_is_read_as_its_own_language(row):
    """A stack trace that is not read is a line among others, and its bug has no place in the code."""
    assert read_traceback(row[3]).language == row[0]


@pytest.mark.parametrize("text", (FOLDER / "not-stacks.txt").read_text(encoding="utf-8").strip().split("\n\n"))
def test_what_is_none(text):
    """Prose that looks like one must not be blamed for an outage."""
    assert read_traceback(text) is None


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row[1]}-{row[2]}")
def test_line_by_line_is_the_same_bug(row):
    """A runtime that flushes each line sends each as an entry, and other requests write in between."""
    lines = row[3].split("\n")
    entries = [
        line for at, line in enumerate(lines) for line in ([line] if at % 3 else [line, 'INFO: "GET /health" 200'])
    ]
    start = pd.Timestamp("2025-09-07T10:00:00Z")
    rows = [
        {"log_name": "stderr", "instance_id": "a", "text": line, "timestamp": start + pd.Timedelta(at, unit="us")}
        for at, line in enumerate(entries)
    ]
    joined = [text for text in rejoined(rows_frame("logs", rows))["text"] if "\n" in text]
    assert [read_traceback(text).identity for text in joined] == [read_traceback(row[3]).identity]


@pytest.mark.parametrize(
    ("bug", "title"),
    [
        ("py-registry", "NameError: DatabaseSessionManager"),
        ("py-group-one", "KeyError: 'lobby'"),
        ("py-wrapped", "PoolError: no connection for room lobby"),
        ("js-missing", "ReferenceError: notDefined"),
        ("js-required", "Error: ./nosuch-module"),
        ("go-first", "panic: runtime error: index out of range [0] with length 0"),
        ("java-parse", 'NumberFormatException: For input string: "lobby"'),
        ("java-wrapped", "ConnectException: Connection refused"),
    ],
)
def test_titles(bug, title):
    """At 3 a.m. the type and what it is about must do."""
    text = next(text for _, name, _, text in TRUTH if name == bug)
    assert read_traceback(text).title == title


@given(st.text(alphabet="at (:)\n\t.Errorx1|+-{}[]\"' ", max_size=300))
def test_no_text_makes_it_fail(text):
    """Whatever a service writes, the run goes on."""
    read_traceback(f"Error: x\n    at {text}")
    read_traceback(f"Traceback (most recent call last):\n{text}")
    read_traceback(f"panic: x\n\ngoroutine 1 [running]:\n{text}")


@pytest.mark.parametrize(
    "line",
    [
        "\tat a(", "    at a (b:1", 'File "', "  | ", "panic: ", "Caused by: ", "main.f(", "a.", "\t\t\t", "  +-+", "A: ",
        "goroutine 1 [", "Traceback (most recent call last):", "x" * 5000, "a.b.C$d.e(F.java:1)", " " * 5000,
    ],
)  # fmt: skip
def test_hostile_texts_take_no_time(line):
    """An entry may hold 256 KiB that somebody made to be slow to read; ten times as much must take about ten times as long."""
    import time

    def took(count):
        began = time.process_time()
        read_traceback("Error: x\ngoroutine 1 [running]:\n" + "\n".join([line] * count))
        return time.process_time() - began

    count = 20_000 // max(1, len(line) // 4)
    assert took(count) < 20 * took(count // 10) + 0.5
