import re

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incident.analysis.lines import constant_part
from incident.masks import LONGEST_LINE, PREMASK

PIECES = [
    "2025-09-07", "10:00:01,123", "T", "Z", " ", "  ", "\n", "\t", "[", "]", "(", ")", "*", "ERROR", "INFO", ":", "-", "|", ".", "/",
    "\\", "@", "http://", "a.b.com", "deadbeef", "0x", "f", "12", "7", "ms", "KB", "<", ">", '"', "'", "=", "true", "Mon", "Sep", "user",
    "[redacted:", "é", "\u2003", "\v", "\0", "_", ",", ";", "+", "~", "%", "?", "org", "be", "UTC", "2025", "::", "٣", "A://", "0",
]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=16).map("".join))


def premask(text):
    """The patterns as another engine reads them: `$` is the end of the text, and classes are ASCII."""
    text = text[:LONGEST_LINE]
    for pattern, replacement in PREMASK:
        text = re.sub(pattern.replace("$", r"\Z"), replacement, text, flags=re.ASCII)
    return text


def as_re2(text):
    """The patterns as RE2 reads them."""
    cut = pc.utf8_slice_codeunits(pa.array([text], pa.string()), 0, LONGEST_LINE)
    for pattern, replacement in PREMASK:
        cut = pc.replace_substring_regex(cut, pattern, replacement)
    return cut[0].as_py()


@pytest.mark.parametrize(("pattern", "replacement"), PREMASK)
def test_syntax_that_every_engine_reads(pattern, replacement):
    """BigQuery's REGEXP_REPLACE refuses lookaround and backreferences, and engines differ on what else is here."""
    assert not re.search(r"\(\?[=!<P]|\(\?>|\\[1-9sSdDwWzZ]", pattern)
    assert re.compile(pattern).groups >= len(re.findall(r"\\\d", replacement))


@given(TEXTS)
def test_two_engines_read_the_patterns_alike(text):
    """What SQL reduces in the cloud, and what is masked here, must be the same lines."""
    assert premask(text) == as_re2(text)


@example("a.com0")
@example(";0000/00/00AA://0")
@example("/0:0/@")
@example("ERR0")
@given(TEXTS)
def test_twice_is_once(text):
    """What was masked in SQL is masked here again, and must not change."""
    once = as_re2(text)
    assert as_re2(once) == once


@given(TEXTS)
def test_masked_before(text):
    """Log Analytics reduces lines by the patterns alone; what is made of them here must be what it is without that."""
    assert constant_part(premask(text)) == constant_part(text)


@given(TEXTS)
def test_no_digit_is_left(text):
    """A number that stays makes a group of each of its values."""
    assert not re.search("[0-9]", as_re2(text))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("2025-09-07T10:00:01.123456Z ERROR [7] lost", "lost"),
        ("[2025-09-07 10:00:01 +0000] [7] [INFO] Booting worker", "Booting worker"),
        ("7 ERROR: lost", "* ERROR: lost"),
        ("at Sun Sep  7 10:00:01 2025 it", "at * it"),
        ("at Sun, 07 Sep 2025 10:00:01 GMT it", "at * it"),
        ("at [07/Sep/2025:10:00:01 +0000] it", "at [*] it"),
        ("on 2025/09/07 10:00 it", "on * it"),
        ("Sep 7 10:00:01 POST took long", "* POST took long"),
        ("Maybe 5 of them", "Maybe * of them"),
        ("see https://a.example/b?c=d, then", "see *, then"),
        ("to ann@example.com:", "to *:"),
        ("open /srv/app/main.py: denied", "open *: denied"),
        ("open C:\\app\\main.py: denied", "open *: denied"),
        ("GET /ws and/or TCP/IP", "GET /ws and/or TCP/IP"),
        ("GET /rooms/general?user=ann HTTP/1.1", "GET * HTTP/*"),
        ("resolve chat.example.com.", "resolve *."),
        ("resolve chat-7gq2x.a.run.app now", "resolve * now"),
        ("org.apache.log4j.Logger said", "org.apache.log*.Logger said"),
        ("from 10.0.0.1:443 and fe80::1:2 and 00:1a:2b:3c:4d:5e", "from * and * and *"),
        ("id 6f9619ff-8b86-d011-b42d-00c04fc964ff gone", "id * gone"),
        ("trace deadbeefcafe at 0xFF of a.B@1a2b", "trace * at * of a.B@*"),
        ("blk_-160899 attempt_14_0007_m_01 x7f9k2 worker31 jk2_init()", "blk_* attempt_* * worker* jk*_init()"),
        ("took 31 ms, 1.5s, <1 sec, 12.5%, 512MiB, -3", "took *, *, *, *, *, *"),
        ("ready=true owner=None", "ready=* owner=*"),
        ("key [redacted:1a2b3c4d5e] used", "key * used"),
        ("GET * of BLOCK*", "GET * of BLOCK*"),
    ],
)  # fmt: skip
def test_what_varies(text, part):
    """Times, addresses, ids and quantities vary between two lines of one bug; words, versions' names and paths' ends do not."""
    assert as_re2(text) == part


def test_a_line_without_end():
    """A line of 256 KB is a client's to write, and ours to read in no time."""
    assert as_re2("z" * 262_144) == "z" * LONGEST_LINE
