"""Where a repository defines the names that a traceback says are missing, and how such a module is imported.

Decides which lines define a name at the top of a Python module, and by which dotted name that module goes: the one by
which the repository's own files import it most often; else by the packages it lies in. Reads a commit, not the working
tree. It cannot tell a name that is made at run time, nor one that comes with a dependency.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath

import pandas as pd

from incident.sources.git import Repository

MISSING = re.compile(
    r"name '(?P<name>[A-Za-z_]\w{0,99})' is not defined|cannot import name '(?P<imported>[A-Za-z_]\w{0,99})'", re.ASCII
)
"""What Python's NameError and ImportError say, since 3.0."""

MOST_NAMES = 20
MOST_PLACES = 20
"""More missing names, or more definitions of one, are not looked for: several are as undecided as many."""

END = "([^A-Za-z0-9_]|$)"


@dataclass(frozen=True)
class Definition:
    """A definition at the top of a module; `module` is empty where the file cannot be imported by a name."""

    name: str
    path: str
    line: int
    module: str


def missing_names(logs: pd.DataFrame) -> dict[str, str]:
    """The names that log entries say are missing, each with the revision that lacked it last, or an empty text."""
    found: dict[str, str] = {}
    for column in ("text", "json_payload"):
        texts = logs[column].fillna("")
        likely = texts.str.contains("is not defined", regex=False) | texts.str.contains(
            "cannot import name", regex=False
        )
        told = logs.loc[likely, [column, "revision_name"]].astype("object").drop_duplicates()
        for text, revision in told.itertuples(index=False):
            for named in MISSING.finditer(text[:100_000]):
                found[named["name"] or named["imported"]] = revision if isinstance(revision, str) else ""
    return dict(list(found.items())[:MOST_NAMES])


def definitions(repository: Repository, commit: str, name: str) -> list[Definition]:
    """Each definition of a name at the top of a module of one commit, by path and line."""
    pattern = f"^(class|def|async +def) +{name}{END}|^{name} *(:|=([^=]|$))"
    places: dict[str, list[int]] = {}
    for path, line, _ in repository.grep(commit, pattern):
        places.setdefault(path, []).append(line)
    found = []
    for path, lines in sorted(places.items())[:MOST_PLACES]:
        at = [line for line in lines if line in known] if (known := _defined(repository, commit, path, name)) else lines
        if known is not None and at:
            found.append((path, at[0]))
    return [Definition(name, path, line, module(repository, commit, path)) for path, line in found]


def module(repository: Repository, commit: str, path: str) -> str:
    """The dotted name by which a file of a commit is imported; empty where it has none, as `my-app/db.py`."""
    names = _dotted(path)
    if not names:
        return ""
    imported = _imports(repository, commit, names)
    if imported:
        return max(names, key=lambda name: (imported[name], len(name)))
    parents = [str(parent) for parent in PurePosixPath(path).parents if str(parent) != "."]
    has = repository.files(commit, [f"{parent}/__init__.py" for parent in parents]) if parents else set()
    depth = sum(1 for _ in takewhile(lambda parent: f"{parent}/__init__.py" in has, parents))
    is_package = PurePosixPath(path).name == "__init__.py"
    wanted = depth + (0 if is_package else 1)
    if depth:
        return next((name for name in names if name.count(".") + 1 == wanted), "")
    return names[0].removeprefix("src.")


def _dotted(path: str) -> list[str]:
    """The dotted names that a path can be imported by, the longest first; a folder that is no name ends them.

    >>> _dotted("my-app/app/db.py"), _dotted("app/__init__.py"), _dotted("app/my-db.py")
    (['app.db', 'db'], ['app'], [])
    """
    parts = list(PurePosixPath(path).with_suffix("").parts)
    parts = parts[:-1] if parts[-1:] == ["__init__"] else parts
    valid = list(takewhile(lambda part: part.isidentifier() and part.isascii(), reversed(parts)))[::-1]
    return [".".join(valid[start:]) for start in range(len(valid))]


def _imports(repository: Repository, commit: str, names: Iterable[str]) -> Counter[str]:
    """How often each of some modules is imported in a commit."""
    either = "|".join(name.replace(".", "[.]") for name in names)
    found: Counter[str] = Counter()
    for _, _, text in repository.grep(commit, f"^ *(from|import) +({either})([^A-Za-z0-9_.]|$)"):
        if named := re.match(r"\s*(?:from|import)\s+([\w.]{1,300})", text):
            found[named[1]] += 1
    return found


def _defined(repository: Repository, commit: str, path: str, name: str) -> set[int] | None:
    """The lines at which a module's own statements define a name; empty where it cannot be read as Python of today.

    None where it can, and defines no such thing: the line stood in a text.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(repository.file(commit, path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {line for found, line in _names(tree.body) if found == name} or None


def _names(body: Iterable[ast.stmt]) -> Iterator[tuple[str, int]]:
    for step in body:
        if isinstance(step, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield step.name, step.lineno
        targets: list[ast.expr] = []
        if isinstance(step, ast.Assign):
            targets = step.targets
        elif isinstance(step, ast.AnnAssign) and step.value is not None:
            targets = [step.target]
        yield from ((target.id, target.lineno) for target in targets if isinstance(target, ast.Name))
