"""Reading a JSON file a value at a time, in every form and cut anywhere."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.sources import file_texts, json_files
from incident.sources.file_texts import Unreadable
from incident.sources.json_files import Refused, parts, values

HELD: list[Any] = [{"a": 'x]},{[\\" \N{GRINNING FACE}'}, {"b": [1, {"c": None}], "d": -1.5e3}, {}]
ARRAY = json.dumps(HELD, indent=2)
LINES = "".join(json.dumps(value) + "\r\n" for value in HELD)


def read(file: Path, content: bytes) -> list[Any]:
    file.write_bytes(content)
    return list(values(file))


def taken(file: Path, content: bytes) -> tuple[list[Any], str]:
    """The values that came, and the words of what ended them, empty where nothing was wrong."""
    file.write_bytes(content)
    came: list[Any] = []
    try:
        came.extend(values(file))
    except Unreadable as error:
        return came, str(error)
    return came, ""


@pytest.mark.parametrize("chunk", [4, 5, 7, 1 << 18])
@pytest.mark.parametrize(
    "content",
    [
        ARRAY.encode(), LINES.encode(), f"{json.dumps(HELD[:1])}\n{json.dumps(HELD[1:])}".encode(),
        b"\xef\xbb\xbf" + ARRAY.encode(), ARRAY.encode("utf-16"), gzip.compress(ARRAY.encode(), mtime=0),
        gzip.compress(LINES[:40].encode(), mtime=0) + gzip.compress(LINES[40:].encode(), mtime=0),
        gzip.compress(LINES[:40].encode(), mtime=0) + bytes(9) + gzip.compress(LINES[40:].encode(), mtime=0) + bytes(600),
        b" \n[\n]\n" + ARRAY.encode(),
    ],
)  # fmt: skip
def test_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, chunk: int) -> None:
    """Where a read ends has no meaning, and a bracket in a text is no bracket."""
    monkeypatch.setattr(file_texts, "CHUNK", chunk)
    assert read(tmp_path / "a.json", content) == HELD


@pytest.mark.parametrize("content", [ARRAY.encode(), LINES.encode(), gzip.compress(ARRAY.encode(), mtime=0)])
def test_cut_anywhere(tmp_path: Path, content: bytes) -> None:
    """Whatever byte is the last: whole values before it, never a wrong one, and never the claim to be whole."""
    for end in range(2, len(content.rstrip())):
        came, words = taken(tmp_path / "a.json", content[:end])
        between_lines = content[:1] == b"{" and content[:end].rstrip().endswith(b"}")  # leaves no trace in a file
        assert words.startswith("was cut") or (between_lines and not words)
        assert came == HELD[: len(came)]


def test_cut_in_a_word(tmp_path: Path) -> None:
    """What a number, a word or an escape leaves when it is cut is no mistake of another kind."""
    for text in ('{"a": -', '{"a": -1.', '{"a": 1e', '{"a": tru', '{"a": "\\', '{"a": "\\u00', '{"a": 1,', "{"):
        with pytest.raises(Unreadable, match="was cut: the value at character 0 has no end"):
            read(tmp_path / "a.json", text.encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"[", "was cut: its list has no end"),
        (b"[{}", "was cut: its list has no end"),
        (b'[{"a": "b', "was cut: the value at character 1 has no end"),
        (b'{"a": {} "b": 1}' + b" " * 100, "is not JSON at character 9"),
        (b"ERROR: (gcloud) denied", "is not JSON at character 0"),
        (b"[{}] trailing words", "is not JSON at character 5"),
        (b"[[{}]]", "is not a list of objects: '[' at character 1"),
        (b"{}]", "is not a list of objects: ']' at character 2"),
        (b"<html><body>Sign in</body></html>", "is not JSON at character 0"),
        (b"[" + b'{"a":' * 100_000, "is nested too deeply at character 1"),
        (b"\x1f\x8b\x08\x00nonsense that is no data", "is damaged: its gzip data cannot be unpacked"),
        (gzip.compress(b"[{}]" * 50, mtime=0)[:-4], "was cut: its gzip data has no end"),
    ],
)
def test_what_is_wrong(tmp_path: Path, content: bytes, words: str) -> None:
    """The words follow the file's name, and show none of what is in it."""
    with pytest.raises(Unreadable) as refused:
        read(tmp_path / "a.json", content)
    assert str(refused.value) == words


def test_what_came_before_a_mistake_is_kept(tmp_path: Path) -> None:
    """Half of an export is worth reading, if it is said to be half."""
    (tmp_path / "a.json").write_bytes(b'[{"a": 1}, {"a": 2}, {"a": oops}]')
    found = values(tmp_path / "a.json")
    assert [next(found), next(found)] == [{"a": 1}, {"a": 2}]
    with pytest.raises(Unreadable, match="is not JSON at character 27"):
        next(found)


def test_no_file(tmp_path: Path) -> None:
    """A folder, or nothing, in a file's place."""
    for path, words in ((tmp_path, "is a directory, where a file is due"), (tmp_path / "none", "is no file")):
        with pytest.raises(Unreadable, match=words):
            list(values(path))


def test_a_large_file_is_never_in_memory(tmp_path: Path) -> None:
    """An export of some gigabytes is read with the memory of a few entries."""
    entry = json.dumps({"textPayload": "x" * 1000})
    with (tmp_path / "a.json").open("w") as file:
        file.write("[" + ",\n".join([entry] * 20_000) + "]")
    tracemalloc.start()
    assert sum(1 for _ in values(tmp_path / "a.json")) == 20_000
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


TRICKS = ["}, {", "} {", "},\n  {", "}{", "}\n{", '"', "\\", "]", "\N{GRINNING FACE}", "a"]
"""Texts that look like the end of a value, as far as a text may."""

documents = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(TRICKS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TRICKS), inner, max_size=2),
    max_leaves=8,
)
entries = st.lists(st.dictionaries(st.sampled_from(TRICKS), documents, max_size=3), min_size=1, max_size=12)
FORMS = {
    "indented": lambda held: json.dumps(held, indent=2), "compact": lambda held: json.dumps(held, separators=(",", ":")),
    "spaced": lambda held: json.dumps(held, ensure_ascii=False), "lines": lambda held: "\r\n".join(map(json.dumps, held)),
    "joined": lambda held: "".join(map(json.dumps, held)),
    "apart": lambda held: " ".join(map(json.dumps, held)), "arrays": lambda held: json.dumps(held) + json.dumps(held[:0]),
    "long lines": lambda held: "\n".join(json.dumps(value, indent=1) for value in held),
}  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(held=entries, form=st.sampled_from(sorted(FORMS)), chunk=st.integers(1, 200), at_once=st.integers(1, 6))
def test_many_at_once_are_the_same_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: list[Any], form: str, chunk: int, at_once: int
) -> None:
    """Where values may end is guessed: a wrong guess must cost time, and never a value."""
    monkeypatch.setattr(file_texts, "CHUNK", chunk)
    monkeypatch.setattr(json_files, "AT_ONCE", at_once)
    (tmp_path / "a.json").write_text(FORMS[form](held), encoding="utf-8", newline="")
    found = parts(tmp_path / "a.json", msgspec.json.Decoder(list[Any]).decode, list, (msgspec.MsgspecError,))
    assert [value for part in found for value in part] == held


@pytest.mark.parametrize("between", ["}{", "} {", "},{", "}\n{", "},\n{"])
def test_a_text_with_what_stands_between_values(tmp_path: Path, between: str) -> None:
    """Between lines a comma is put in before they are read at once: never into a text that happens to look so."""
    held = [{"n": 0}, {"n": 1}, {"text": between}, {"n": [{}, {}]}, {"n": 2}, {"n": 3}]
    content = between[1:-1].join(map(json.dumps, held))
    assert read(tmp_path / "a.json", (f"[{content}]" if "," in between else content).encode()) == held


def test_most_values_are_read_at_once(tmp_path: Path) -> None:
    """One value at a time is several times as slow: that must stay the exception, in each form that tools write."""
    held = [{"number": number, "errorGroups": [{"id": "a"}, {"id": "b"}]} for number in range(10_000)]
    for form in ("indented", "compact", "spaced", "lines", "long lines"):
        (tmp_path / "a.json").write_text(FORMS[form](held), encoding="utf-8", newline="")
        found = list(
            json_files.pieces(tmp_path / "a.json", msgspec.json.Decoder(list[Any]).decode, (msgspec.MsgspecError,))
        )
        assert [value for piece in found for value in piece.values] == held
        assert sum(len(piece.values) == 1 for piece in found) < 10, form


def whole(found: list[int]) -> list[int]:
    """The values, if none of them is 13 or 66."""
    if {13, 66} & set(found):
        raise ValueError("unlucky")
    return found


@pytest.mark.parametrize("chunk", [40, 1 << 18])
def test_what_is_refused_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """A value of a wrong kind, or one that nothing can be made of, comes in its place, and all others are kept."""
    monkeypatch.setattr(file_texts, "CHUNK", chunk)
    held = [{"n": number if number != 50 else "fifty"} for number in range(100)]
    (tmp_path / "a.json").write_text(json.dumps(held, indent=2))
    decode = msgspec.json.Decoder(list[dict[str, int]]).decode
    refusals = (msgspec.MsgspecError, ValueError)
    found = list(parts(tmp_path / "a.json", decode, lambda part: whole([each["n"] for each in part]), refusals))
    texts = [
        json.loads(part.text) if isinstance(part, Refused) else [{"n": number} for number in part] for part in found
    ]
    assert [text for text in texts if isinstance(text, dict)] == [held[13], held[50], held[66]]
    assert [value for text in texts for value in ([text] if isinstance(text, dict) else text)] == held


def test_a_value_without_end_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A string that is never closed is given up at a bound, not held until memory is full."""
    monkeypatch.setattr(json_files, "LONGEST", 1 << 20)
    with pytest.raises(Unreadable, match="is not JSON at character 0"):
        read(tmp_path / "a.json", b'"' + b"x" * (1 << 23))
