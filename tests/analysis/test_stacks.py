"""Stack traces of four languages: what is read of real ones, and that a bug has one identity and no other bug has it."""

import time
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.analysis.tracebacks import read_traceback

TEXTS = Path(__file__).parent / "tracebacks"
LANGUAGES = ["python", "node", "go", "java"]


def texts(name):
    """(label, note, text) of each text in one file of the truth set."""
    for part in f"\n{(TEXTS / f'{name}.txt').read_text(encoding='utf-8')}".split("\n=== ")[1:]:
        head, _, text = part.partition("\n")
        yield *head.partition(" | ")[::2], text


KNOWN = [(language, *known) for language in LANGUAGES for known in texts(language)]
PIECES = [
    *(line for *_, text in KNOWN[::9] for line in text.split("\n")[:12]),
    "Traceback (most recent call last):", "  + Exception Group Traceback (most recent call last):", "    | ",
    "  +-+---------------- 1 ----------------", "goroutine 1 [running]:", "panic(", "\tat a.b(C.java:1)", "\tat a(",
    "    at f (/a.js:1:2)", "  [cause]: Error: x", "  [errors]: [", "Wrapped by: a.B: x", "\t... 99999 more",
    "Suppressed: a.B", "/a.js:1", "^", "Node.js v20", "", "\ud800", "\0", "main.f", "\t/a.go:1",
]  # fmt: skip


def test_one_bug_has_one_identity():
    """Groups are counted and followed over revisions: a bug that is split looks new, one that is merged hides."""
    said = [read_traceback(text).identity for *_, text in KNOWN]
    counts, wrong = Counter(), []
    for one, other in combinations(range(len(KNOWN)), 2):
        same, together = KNOWN[one][:2] == KNOWN[other][:2], said[one] == said[other]
        counts[same, together] += 1
        if same != together:
            wrong.append(
                f"{'split' if same else 'merged'}: {KNOWN[one][:3]} {KNOWN[other][:3]}: {said[one]} {said[other]}"
            )
    right = counts[True, True]
    precision, recall = right / (right + counts[False, True]), right / (right + counts[True, False])
    told = "\n".join([f"{len(KNOWN)} texts, precision {precision:.3f}, recall {recall:.3f}", *wrong])
    assert min(precision, recall) > 0.95, told


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("python", "walk recurses through a comprehension"), ("python", "enter and leave recurse"),
        ("java", "Config reads no limit"), ("go", "Sweep reads through nil"), ("node", "refresh fails"),
    ],
)  # fmt: skip
def test_a_rule_of_its_own_holds(language, label):
    """Comprehensions, circles, class initialisers, goroutines and causes have few texts each, so the totals hide them."""
    assert len({read_traceback(text).identity for known, _, text in texts(language) if known == label}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_real_texts_are_read(language):
    """A trace that is not read is an error line like any other, and nothing says what to mend."""
    unread = [
        (label, note)
        for label, note, text in texts(language)
        if getattr(read_traceback(text), "language", "") != language
    ]
    assert unread == []


@pytest.mark.parametrize(("label", "text"), [(label, text) for label, _, text in texts("none")])
def test_look_alikes_are_none(label, text):
    """A line of prose taken for a trace is an exception that never was."""
    assert read_traceback(text) is None, label


@pytest.mark.parametrize(
    ("language", "label", "title", "where"),
    [
        ("python", "undefined DatabaseSessionManager in initialize", "NameError: DatabaseSessionManager", ("app/agents/registry.py", 6, "initialize")),
        ("python", "forward finds the room gone", "RoomGone: room r-1 is gone", ("app/chat/hub.py", 26, "forward")),
        ("python", "syntax of agents/broken.py", "SyntaxError: '{' was never closed", ("app/agents/broken.py", 2, "<module>")),
        ("python", "raw_group cannot take its port", "OSError: port 80 taken", ("app/chat/hub.py", 91, "raw_group")),
        ("node", "undefined sessionManager", "ReferenceError: sessionManager", ("app/lib/hub.js", 19, "undefinedName")),
        ("node", "refresh fails", "Error: refresh 1 failed", ("app/lib/hub.js", 26, "refresh")),
        ("node", "no module vector-client-x", "Error: vector-client-x", ("app/main.js", 4, "start")),
        ("node", "syntax of lib/broken.js", "SyntaxError: Unexpected token '='", ("app/lib/broken.js", 2, "<module>")),
        ("node", "a string is thrown in start", "Uncaught: boom 1", ("app/main.js", 5, "<module>")),
        ("go", "First of no members", "panic: runtime error: index out of range [1] with length 0", ("app/hub/hub.go", 19, "example.com/acme/chat/hub.(*Hub).First")),
        ("go", "Writes at once to a map", "fatal error: concurrent map writes", ("app/hub/hub.go", 43, "example.com/acme/chat/hub.(*Hub).Writes.func1")),
        ("go", "Marshal panics inside of encoding/json", "panic: cannot marshal", ("app/hub/hub.go", 55, "example.com/acme/chat/hub.bad.MarshalJSON")),
        ("go", "a query's rows are closed in a driver", "panic: runtime error: index out of range [3] with length 3", ("app/store/rooms.go", 52, "example.com/acme/chat/store.(*Store).Rooms")),
        ("node", "dial is refused", "Error: connect ECONNREFUSED 127.0.0.1:1", ("node:net", 1611, "TCPConnectWrap.afterConnect")),
        ("java", "conn is broken", "IllegalStateException: conn 1 is broken", ("com/acme/chat/Hub.java", 24, "Hub$Conn.use")),
        ("java", "no class SessionManager", "ClassNotFoundException: com.acme.chat.SessionManager", ("com/acme/chat/Hub.java", 21, "Hub.session")),
        ("java", "Config reads no limit", 'NumberFormatException: For input string: "none"', ("com/acme/chat/Config.java", 2, "Config.<clinit>")),
    ],
)  # fmt: skip
def test_what_is_said(language, label, title, where):
    """Whoever reads the finding goes to this line: of a chain it is the exception that counts, and own code."""
    read = next(read_traceback(text) for known, _, text in texts(language) if known == label)
    assert (read.title, (read.file, read.line, read.function)) == (title, where)


def test_frames_are_own_and_innermost_first():
    """A library's frames are the same for all its users, and none of them can mend it."""
    text = next(text for label, _, text in texts("java") if label == "parse reads no number")
    assert read_traceback(text).frames == (
        ("com/acme/chat/Hub.java", "Hub.parse"), ("com/acme/chat/Main.java", "Main.start"), ("com/acme/chat/Main.java", "Main.main"),
    )  # fmt: skip


def test_identity_without_frames_is_the_masked_message():
    """Without a place only the words are left, and they hold values."""
    first, second, other = (
        read_traceback(f"Traceback (most recent call last):\nOSError: {said}").identity
        for said in ("port 80 is taken", "port 8080 is taken", "no port")
    )
    assert first == second != other


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=30)), max_size=25).map("\n".join))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_it_raise(text):
    """Texts are whatever a client made an application log."""
    read = read_traceback(text)
    assert read is None or (read.exception and read.identity and len(read.frames) <= 5)


HOSTILE = [
    "\tat a(", "\tat a.b(C.java:1)\n", "    at a (", "    at f (/a.js:1:2)\n", "a.A: x\n\tat a.b(C.java:1)\n", "goroutine 1 [running]:\n", "main.f(0x1)\n\t/a.go:1\n",
    "main.f\n\t/a.go:1\n", "a.", "A: ", "Traceback (most recent call last):\n", '  File "a", line 1, in f\n', "  +-+---------------- 1 ----------------\n",
    "    | Exception Group Traceback (most recent call last):\n", "[cause]: Error: x\n    at f (/a.js:1:2)\n", "panic: a [recovered]\n", "((((", "^\n", "\n",
    "Error: a\n    at f (/a.js:1:2)\n", "Suppressed: a.B\n\tat a.b(C.java:1)\n", "Caused by: a.B\n\tat a.b(C.java:1)\n\t... 99999 more\n",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
@pytest.mark.parametrize("ahead", ["", "Traceback (most recent call last):\n", "panic: x\n\ngoroutine 1 [running]:\n", "Error: x\n    at f (/a.js:1:2)\n", "a.B: x\n\tat a.b(C.java:1)\n"], ids=["none", *LANGUAGES])  # fmt: skip
def test_long_texts_take_their_length_in_time(ahead, piece):
    """One client must not stop the reading of all logs: four times the text, at most about four times the time."""
    spent = []
    for length in (30_000, 120_000):
        text = ahead + piece * (length // len(piece))
        times = []
        for _ in range(2):
            began = time.process_time()
            read_traceback(text)
            times.append(time.process_time() - began)
        spent.append(min(times))
    assert all(longer < 10 * max(shorter, 0.01) for shorter, longer in pairwise(spent)), spent
    began = time.process_time()
    read_traceback(ahead + piece * (2**20 // len(piece)))
    assert time.process_time() - began < 5
