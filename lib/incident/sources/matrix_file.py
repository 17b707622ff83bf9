"""A matrix's file: YAML read strictly, each mistake with its line.

Decides: whether a text is a matrix, and what is wrong with it at which line. Reads: a packaged file by its name, or a
file by its path, by a safe loader. Cannot tell: whether the endpoint has the paths that are in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from incident.findings import UsageError
from incident.sources.checks import Check, check_header
from incident.sources.matrices import OWN_ORIGIN, Matrix

__all__ = ["Matrix", "load", "matrix_names"]

FILE_BYTES: Final = 65536
MATRIX_FIELDS: Final = ("checks", "intrusive")
WEBSOCKET_FIELDS: Final = ("origin", "subprotocols", "send", "expect_message", "hold", "connections")
FIELDS: Final = {
    "websocket": ("name", "kind", "path", "headers", "id_token", "expect", *WEBSOCKET_FIELDS),
    "http": ("name", "kind", "path", "headers", "id_token", "expect", "body_contains"),
}
DEFAULT_PATHS: Final = {"websocket": "{websocket_path}", "http": "{health_path}"}
PATH_BEGINNINGS: Final = ("{websocket_path}", "{health_path}", "{other_case}")
"""What a path may begin with instead of a slash: a path of the run, or the WebSocket's with its case swapped."""


class Mistake(Exception):
    """What is wrong in a file, and at which line."""

    def __init__(self, node: yaml.Node, problem: str) -> None:
        """Keep the line, counted from 1."""
        super().__init__(f"line {node.start_mark.line + 1}: {problem}")


def matrix_names() -> list[str]:
    """The names of the packaged matrices."""
    return sorted(path.name.removesuffix(".yaml") for path in packaged().iterdir() if path.name.endswith(".yaml"))


def packaged() -> Any:
    """The folder of the packaged matrices."""
    return files("incident") / "runbooks" / "matrices"


def load(name_or_path: str) -> Matrix:
    """What `matrices.load_matrix` gives."""
    try:
        return parse_matrix(*read_matrix(name_or_path))
    except Mistake as mistake:
        raise UsageError(f"matrix {name_or_path!r}, {mistake}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"matrix {name_or_path!r}, line {line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"matrix {name_or_path!r}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise UsageError(f"matrix {name_or_path!r} cannot be read: its lists are nested too deep") from None


def read_matrix(name_or_path: str) -> tuple[str, str]:
    """The name and the text of a matrix."""
    is_path = "/" in name_or_path or name_or_path.endswith(".yaml")
    if not is_path and name_or_path not in matrix_names():
        names = ", ".join(matrix_names())
        raise UsageError(f"matrix {name_or_path!r} is not known: use one of {names}, or a path to a .yaml")
    source = Path(name_or_path) if is_path else packaged() / f"{name_or_path}.yaml"
    try:
        data: bytes = source.read_bytes()
        text = data.decode()
    except OSError as error:
        raise UsageError(f"matrix {name_or_path!r} cannot be read ({error.strerror}): give a .yaml file") from None
    except UnicodeDecodeError:
        raise UsageError(f"matrix {name_or_path!r} is not UTF-8: save it as UTF-8 text") from None
    if len(data) > FILE_BYTES:
        raise UsageError(f"matrix {name_or_path!r} has {len(data)} bytes: at most {FILE_BYTES} are read; split it")
    return Path(name_or_path).stem, text


def parse_matrix(name: str, text: str) -> Matrix:
    """A matrix from its YAML; only the tree of nodes is used, so that a value is the text that was written."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        raise UsageError(f"matrix {name!r} is empty: give it a list named checks")
    fields = mapping(node, MATRIX_FIELDS, "a matrix")
    if "checks" not in fields:
        raise Mistake(node, "a matrix has a list named checks, and here is none")
    items = sequence(fields["checks"], "checks")
    parsed = [parse_check(item) for item in items]
    names = [check.name for check, _ in parsed]
    for at, given in enumerate(names):
        if given in names[:at]:
            raise Mistake(items[at], f"the name {given!r} is given twice: give each check its own")
    return Matrix(
        name,
        tuple(check for check, _ in parsed),
        "intrusive" in fields and flag(fields["intrusive"], "intrusive"),
        {check.name: wanted for check, wanted in parsed if wanted is not None},
    )


def parse_check(node: yaml.Node) -> tuple[Check, bool | None]:
    """One check from its mapping, and what it says of an ID token."""
    kind = kind_of(node)
    fields = mapping(node, FIELDS[kind], f"a check of kind {kind}")
    if "name" not in fields:
        raise Mistake(node, "a check has no name: give it one, such as x-test-type")
    values: dict[str, Any] = {"path": DEFAULT_PATHS[kind]}
    values |= {key: READERS.get(key, text_of)(value, key) for key, value in fields.items()}
    check_placeholders(fields, values)
    id_token = values.pop("id_token", None)
    for part, held in parts(fields, values):
        try:
            Check(**{"kind": kind, **held})
        except UsageError as error:
            raise Mistake(part, str(error)) from None
    return Check(**values), id_token


def check_placeholders(fields: Mapping[str, yaml.Node], values: Mapping[str, Any]) -> None:
    """Refuse a path or an origin with braces that nothing will fill."""
    path, origin = values["path"], values.get("origin", "")
    beginnings = "|".join(map(re.escape, ("/", *PATH_BEGINNINGS)))
    if not re.fullmatch(rf"({beginnings})[^{{}}]*", path):
        allowed = f"{', '.join(PATH_BEGINNINGS[:-1])} or {PATH_BEGINNINGS[-1]}"
        raise Mistake(fields["path"], f"path is {path!r}: begin it with /, {allowed}")
    if origin != OWN_ORIGIN and ("{" in origin or "}" in origin):
        allowed = f"an origin such as https://app.example, null or {OWN_ORIGIN}"
        raise Mistake(fields["origin"], f"origin is {origin!r}: give {allowed}")


def parts(fields: Mapping[str, yaml.Node], values: Mapping[str, Any]) -> Iterator[tuple[yaml.Node, dict[str, Any]]]:
    """What a check is made of, each with the line it stands on: its fields, and the members of a list."""
    for key in (name for name in fields if name in values):
        if isinstance(values[key], tuple):
            yield from ((node, {key: (text,)}) for node, text in zip(fields[key].value, values[key], strict=True))
        else:
            yield fields[key], {key: values[key]}


def kind_of(node: yaml.Node) -> str:
    """`websocket` unless the check says otherwise; it decides which fields there are."""
    found = [value for key, value in pairs(node, "a check") if key.value == "kind"]
    kind = text_of(found[0], "kind") if found else "websocket"
    if kind not in FIELDS:
        raise Mistake(found[0], f"kind is {kind!r}: use one of {', '.join(FIELDS)}")
    return kind


def pairs(node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """The keys and values of a mapping."""
    if not isinstance(node, yaml.MappingNode):
        raise Mistake(node, f"{what} is a mapping of fields to values, and this is none")
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Mistake(key, f"a key of {what} is a word, and this is none")
    return list(node.value)


def mapping(node: yaml.Node, allowed: Iterable[str], what: str) -> dict[str, yaml.Node]:
    """The fields of a mapping, each known and given once."""
    fields: dict[str, yaml.Node] = {}
    for key, value in pairs(node, what):
        if key.value not in allowed:
            raise Mistake(key, f"{key.value!r} is not a field of {what}: use one of {', '.join(allowed)}")
        if key.value in fields:
            raise Mistake(key, f"{key.value!r} is given twice: keep one")
        fields[key.value] = value
    return fields


def sequence(node: yaml.Node, what: str) -> list[yaml.Node]:
    """The members of a list that has some."""
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise Mistake(node, f"{what} is a list with at least one member (a line with a dash), and this is none")
    return list(node.value)


def text_of(node: yaml.Node, what: str) -> str:
    """A value as it was written: `true` in a header is the text true."""
    if not isinstance(node, yaml.ScalarNode) or (node.tag == "tag:yaml.org,2002:null"):
        raise Mistake(node, f"{what} is a text or a number, and this is none")
    return str(node.value)


def texts_of(node: yaml.Node, what: str) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(text_of(item, what) for item in sequence(node, what))


def headers_of(node: yaml.Node, what: str) -> dict[str, str]:
    """Names to values, each name once, however it is written (RFC 9110 5.1: it has no case)."""
    headers: dict[str, str] = {}
    for key, value in pairs(node, what):
        try:
            check_header(key.value, "")  # before any message shows the name
            text = text_of(value, f"the value of header {key.value!r}")
            check_header(key.value, text)
        except UsageError as error:
            raise Mistake(key, str(error)) from None
        if key.value.lower() in (known.lower() for known in headers):
            raise Mistake(key, f"header {key.value!r} is given twice: keep one")
        headers[key.value] = text
    return headers


def number_of(node: yaml.Node, what: str) -> float:
    """Seconds."""
    text = text_of(node, what)
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise Mistake(node, f"{what} is {text!r}: give seconds, such as 1 or 0.5")
    return float(text)


def count_of(node: yaml.Node, what: str) -> int:
    """A whole number."""
    text = text_of(node, what)
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII):
        raise Mistake(node, f"{what} is {text!r}: give a whole number, such as 2")
    return int(text)


def flag(node: yaml.Node, what: str) -> bool:
    """`true` or `false`."""
    text = text_of(node, what)
    if text not in ("true", "false"):
        raise Mistake(node, f"{what} is {text!r}: give true or false")
    return text == "true"


def wants_token(node: yaml.Node, what: str) -> bool:
    """The same, for a field into which somebody may have pasted the token."""
    if text_of(node, what) not in ("true", "false"):
        raise Mistake(node, f"{what} is neither true nor false: a token itself belongs into no file; give --id-token")
    return flag(node, what)


READERS: Final[dict[str, Any]] = {
    "headers": headers_of,
    "subprotocols": texts_of,
    "hold": number_of,
    "connections": count_of,
    "id_token": wants_token,
}
