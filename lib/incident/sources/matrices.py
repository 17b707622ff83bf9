"""Matrices of checks: a YAML file read strictly, and its checks run one after the other.

Decides: whether a file is a matrix, with the line of what is wrong; the worst status of its rows. Reads: a YAML file by
a safe loader, then the endpoint. Cannot tell: anything about a check that it did not run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from incident.findings import UsageError, worst
from incident.sources.checks import Check, Row
from incident.sources.endpoint import HERE, Control, Surroundings, attempt, run
from incident.sources.target import parse_target

FILE_BYTES: Final = 65536
INTRUSIVE_PAUSE_S: Final = 1.0
MATRIX_FIELDS: Final = ("checks", "intrusive")
WEBSOCKET_FIELDS: Final = ("origin", "subprotocols", "send", "expect_message", "hold", "connections")
FIELDS: Final = {
    "websocket": ("name", "kind", "path", "headers", "expect", *WEBSOCKET_FIELDS),
    "http": ("name", "kind", "path", "headers", "expect", "body_contains"),
}
PLACEHOLDERS: Final = {"websocket": "{websocket_path}", "http": "{health_path}"}


@dataclass(frozen=True)
class Matrix:
    """Checks in the order they run. `intrusive` ones run at one a second, and only when asked for by name."""

    name: str
    checks: tuple[Check, ...]
    intrusive: bool = False


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


def load_matrix(name_or_path: str) -> Matrix:
    """A packaged matrix by name, or a file by its path (with a slash, or ending in .yaml).

    Raises `UsageError` with the line of the mistake and what is allowed there.

    >>> [check.name for check in load_matrix("e2e").checks][:2]
    ['health', 'no-header-refused']
    """
    try:
        return parse_matrix(*read_matrix(name_or_path))
    except Mistake as mistake:
        raise UsageError(f"matrix {name_or_path!r}, {mistake}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"matrix {name_or_path!r}, line {line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"matrix {name_or_path!r}: not YAML: {str(error).splitlines()[0]}") from None


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
    checks = tuple(parse_check(item) for item in sequence(fields["checks"], "checks"))
    names = [check.name for check in checks]
    for item, check in zip(sequence(fields["checks"], "checks"), checks, strict=True):
        if names.count(check.name) > 1:
            raise Mistake(item, f"the name {check.name!r} is given twice: give each check its own")
    return Matrix(name, checks, "intrusive" in fields and flag(fields["intrusive"], "intrusive"))


def parse_check(node: yaml.Node) -> Check:
    """One check from its mapping."""
    kind = kind_of(node)
    fields = mapping(node, FIELDS[kind], f"a check of kind {kind}")
    if "name" not in fields:
        raise Mistake(node, "a check has no name: give it one, such as x-test-type")
    values: dict[str, Any] = {"path": PLACEHOLDERS[kind]}
    values |= {key: READERS.get(key, text_of)(value, key) for key, value in fields.items()}
    if not re.fullmatch(r"(/|\{websocket_path\}|\{health_path\})[^{}]*", values["path"]):
        raise Mistake(node, f"path is {values['path']!r}: begin it with /, {{websocket_path}} or {{health_path}}")
    try:
        return Check(**values)
    except UsageError as error:
        raise Mistake(node, str(error)) from None


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


def mapping(node: yaml.Node, allowed: Iterable[str] | None, what: str) -> dict[str, yaml.Node]:
    """The fields of a mapping, each known and given once."""
    fields: dict[str, yaml.Node] = {}
    for key, value in pairs(node, what):
        if allowed is not None and key.value not in allowed:
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
    """Names to values."""
    return {name: text_of(value, f"{what}'s {name}") for name, value in mapping(node, None, what).items()}


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


READERS: Final[dict[str, Any]] = {
    "headers": headers_of,
    "subprotocols": texts_of,
    "hold": number_of,
    "connections": count_of,
}


def run_matrix(
    endpoint: str,
    matrix: Matrix,
    *,
    websocket_path: str = "/ws",
    health_path: str = "/health",
    here: Surroundings = HERE,
) -> list[Row]:
    """The rows of a matrix's checks, in order, one at a time: RFC 6455 4.1 allows one connection that is connecting.

    `endpoint` is the base that the checks' paths are added to; raises `UsageError` before anything is sent.
    """
    paths = {"{websocket_path}": path_parameter("websocket_path", websocket_path)}
    paths["{health_path}"] = path_parameter("health_path", health_path)
    targets = [parse_target(endpoint, placed(check.path, paths), check.kind) for check in matrix.checks]

    async def rows() -> list[Row]:
        control = Control(here)
        done: list[Row] = []
        for target, check in zip(targets, matrix.checks, strict=True):
            if matrix.intrusive and done:
                await asyncio.sleep(INTRUSIVE_PAUSE_S)
            done.append(await attempt(target, check, here, control))
        return done

    return run(rows())


def path_parameter(name: str, path: str) -> str:
    """A path that begins with a slash."""
    if not path.startswith("/"):
        raise UsageError(f"parameter {name!r} is {path!r}: begin it with a slash, such as /ws")
    return path


def placed(path: str, paths: dict[str, str]) -> str:
    """A check's path with its placeholder filled."""
    for name, value in paths.items():
        path = path.replace(name, value)
    return path


def probe_document(rows: list[Row]) -> dict[str, Any]:
    """What `incident probe --json` prints: schema 1, the worst status of the rows, and the rows.

    >>> probe_document([{"status": "ok"}, {"status": "uncertain"}])["status"]
    'uncertain'
    """
    return {"schema": 1, "status": worst(row["status"] for row in rows), "handshakes": rows}
