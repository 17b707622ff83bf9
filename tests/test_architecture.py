"""Imports point inward, and the places that may touch the network are few."""

import ast
from pathlib import Path

import pytest

LIB = Path(__file__).parents[1] / "lib"
LAYERS = [
    {"incident", "scope", "frames", "evidence", "findings"}
    | {"redact", "walks", "detectors", "handshake", "http1", "platform", "masks"},
    {"sources"},
    {"analysis"},
    {"causes"},
    {"answer"},
    {"cells", "sentences", "tables", "doctor_table", "metrics", "charts"},
    {"report"},
    {"archive", "written"},
    {"runbook", "runner", "kernels"},
    {"drill"},
    {"cli", "__main__"},
]
"""From the inside out. A module imports from its own layer and from those before it; `incident` is the package itself."""

LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
NETWORK = {"asyncio", "grpc", "http", "requests", "socket", "ssl", "urllib.request", "websockets"}
MAY_TOUCH_IT = {"sources", "drill"}
MODULES = sorted(
    file for file in (LIB / "incident").rglob("*.py") if "images" not in file.parts and not file.is_symlink()
)


def part(module):
    """The part of the package that a dotted name belongs to: `incident.sources.cloud` is in `sources`."""
    return [*module.removesuffix(".__init__").split("."), "incident"][1]


def imported(file):
    """The modules that a file imports anywhere in it, whole names."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = node.module == "incident"
            yield from (f"incident.{alias.name}" if inner else node.module for alias in node.names)


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(LIB)))
def test_imports_point_inward(file):
    """A cause that could read the network, or a source that could judge, would soon do so."""
    own = part(".".join(file.relative_to(LIB).with_suffix("").parts))
    assert own in LEVEL, f"{own} has no place in LAYERS"
    outward = [
        name for name in imported(file) if name.startswith("incident.") and LEVEL.get(part(name), 0) > LEVEL[own]
    ]
    assert outward == []


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(LIB)))
def test_the_network_is_touched_in_few_places(file):
    """Whoever audits what leaves the machine reads two folders."""
    own = part(".".join(file.relative_to(LIB).with_suffix("").parts))
    touched = {name for name in imported(file) if name in NETWORK or name.split(".")[0] in NETWORK - {"http", "urllib"}}
    pure = {"websockets.client", "websockets.frames", "websockets.exceptions", "websockets.protocol", "websockets.uri",
            "websockets.http11", "websockets.datastructures", "websockets.headers", "websockets.extensions",
            "websockets.typing", "websockets.utils"}  # fmt: skip
    assert own in MAY_TOUCH_IT or touched <= pure
