import pyarrow as pa
import pytest

from incident.analysis.merging import COMPARED, VALUES, merged

NAMES = ["ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal", "ida", "jim"]


def groups(*lines):
    return sorted(set(merged(pa.array(lines, pa.string())).to_pylist()))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], []),
        ([""], [""]),
        (["--", "- -"], ["- -", "--"]),
        ([f"user {name} is gone" for name in NAMES[:VALUES]], ["user * is gone"]),
        (
            [f"user {name} is gone" for name in NAMES[: VALUES - 1]],
            [f"user {name} is gone" for name in NAMES[: VALUES - 1]],
        ),
        ([f"user={name}, it left" for name in NAMES], ["user=*, it left"]),
        ([f"user {name}" for name in NAMES], sorted(f"user {name}" for name in NAMES)),
        ([f"{name} {name[::-1]}" for name in NAMES], sorted(f"{name} {name[::-1]}" for name in NAMES)),
        (["port * is gone", "port ann-* is gone"], ["port * is gone"]),
        (["failed with *", "failed with timeout"], ["failed with *", "failed with timeout"]),
        (["the owner=* left", "the owner=ann left"], ["the owner=* left"]),
        (["ann is gone", "ann is gone now"], ["ann is gone", "ann is gone now"]),
        (["\0 user ann is gone", "user ann is gone"], ["\0 user ann is gone", "user ann is gone"]),
    ],
)
def test_where_words_vary(lines, expected):
    """Few different words may be few different bugs; many in one place, all else being equal, are a value."""
    assert groups(*lines) == expected


def test_places_that_vary_together():
    """Two names that change together never leave all else equal, so each place must show the more words."""
    lines = [f"user {name} has left the room {name[::-1]}" for name in NAMES]
    assert groups(*lines) == ["user * has left the room *"]
    assert groups(*lines[:-1]) == sorted(lines[:-1])


def test_more_names_than_words():
    """Where more is taken out than is left, what is left is no sentence."""
    lines = [f"{name}{end} {end}{name} {name[::-1]}{end} met there" for name in NAMES for end in "xy"]
    assert groups(*lines) == sorted(lines)
    assert groups(*(f"all of {line} in peace" for line in lines)) == ["all of * * * met there in peace"]


def test_one_sentence_among_many():
    """Words of ten lines are many in their sentence, and few among a hundred other sentences of that length."""
    others = [
        " ".join(word * 2 + chr(97 + number // 10) + chr(97 + number % 10) for word in "ghijklm")
        for number in range(90)
    ]
    lines = [f"peer {name} did join some hall {name[::-1]}" for name in NAMES]
    assert groups(*others, *lines) == sorted([*others, "peer * did join some hall *"])


def test_a_name_that_comes_twice():
    """A name of several lines is as much a name as those of one line: none is left over."""
    pairs = [
        (left, right) for number, left in enumerate(NAMES * 3) for right in [NAMES[number % 7] + "x" * (number // 10)]
    ]
    lines = {f"user {left} has left the room {right}" for left, right in pairs}
    assert groups(*lines) == ["user * has left the room *"]


def test_sentences_of_one_length():
    """Five different sentences are five different bugs, though each word is new."""
    lines = [
        "cannot load the user",
        "could save no order",
        "must parse a date",
        "never found some room",
        "will send this mail",
    ]
    assert groups(*lines) == sorted(lines)


def test_the_message_of_a_logger():
    """Quotes do not make a value of a sentence: `msg` holds what the line is about."""
    said = ["queue is full", "disk is slow", "cache was cold", "peer has left", "lease ran out", "token went stale"]
    lines = [f'level=error msg="{words}"' for words in said]
    assert groups(*lines) == sorted(lines)


def test_the_end_of_a_long_line():
    """What follows the words that are compared must be equal as it stands."""
    start = "word " * (COMPARED - 1)
    assert groups(*(f"{start}{name} end" for name in NAMES)) == [f"{start}* end"]
    assert len(groups(*(f"{start}word {name}" for name in NAMES))) == len(NAMES)


def test_order():
    """Answers stand where their lines stand, whatever group they share."""
    lines = [f"user {name} is gone" for name in NAMES]
    lines.insert(3, "no such room")
    answers = merged(pa.array(lines, pa.large_string())).to_pylist()
    assert answers == ["user * is gone"] * 3 + ["no such room"] + ["user * is gone"] * 7
