"""A runbook's page, and the plan it comes to: which notebooks, in which order, with which parameters.

Reads a Markdown page whose front matter is for the runner and whose prose is for people. The command line beats the
page, which beats the notebooks' defaults. Cannot tell: whether the page's advice is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from incident.findings import UsageError
from incident.scope import Parameters

KEYS = ("title", "symptom", "notebooks", "parameters", "needs", "reviewed")
NECESSARY = ("title", "symptom", "notebooks", "reviewed")
FRONT_MATTER = re.compile(r"---\n(?P<matter>.*?\n)---\n(?P<prose>.*)", re.DOTALL)
NUMBERED = re.compile(r"\d+-(?P<name>.+)")
LARGEST_PAGE = 256 * 1024
COMMAND_DEFAULTS = {"source": "cloud"}
"""Where neither the command line nor the page says it: a run looks at the present, a notebook alone at the sample."""


@dataclass(frozen=True)
class Runbook:
    """A page: what the runner needs of its front matter, and the prose that people read.

    `notebooks` are names without numbers, in the order they run. `needs` are the roles that a live run takes,
    `left_out` the notebooks that this run was told not to run.
    """

    name: str
    title: str
    symptom: str
    notebooks: tuple[str, ...]
    reviewed: date
    prose: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class _Page(yaml.BaseLoader):  # type: ignore[misc]  # yaml has no types
    """YAML whose scalars are all text, as parameters are; no aliases, which can grow without end; no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [name for name in names if names.count(name) > 1]:
            raise yaml.YAMLError(f"{twice[0]!r} is there twice")
        return super().construct_mapping(node, deep)


def package_folder(name: str) -> Path:
    """A folder of the package's own data: `runbooks`, `notebooks`."""
    return Path(str(files("incident") / name))


def load_runbook(name_or_path: str, folder: Path | None = None) -> Runbook:
    """A runbook by its name in the package, or a page by its path, which has a `/` or ends in `.md`.

    A name is never looked up in the working directory. A page whose front matter is not exactly as it has to be is
    a `UsageError`.

    >>> load_runbook("websocket-outage").notebooks
    ('what-failed', 'what-changed', 'does-it-connect', 'why', 'is-it-fixed', 'postmortem')
    """
    if "/" in name_or_path or name_or_path.endswith(".md"):
        return read_page(Path(name_or_path))
    folder = folder or package_folder("runbooks")
    known = sorted(page.stem for page in folder.glob("*.md"))
    if name_or_path not in known:
        raise UsageError(f"runbook {name_or_path!r} is not known: use {', '.join(known)}, or a path such as ./page.md")
    return read_page(folder / f"{name_or_path}.md")


def read_page(path: Path) -> Runbook:
    """The runbook on one page."""
    text = _page_text(path)
    if not (match := FRONT_MATTER.fullmatch(text)):
        raise UsageError(f"runbook {path.name!r} has no front matter: begin with ---, {', '.join(KEYS)}, and ---")
    try:
        matter = yaml.load(match["matter"], _Page)  # a BaseLoader: it makes nothing but text, lists and mappings
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise UsageError(f"runbook {path.name!r}: its front matter is not YAML that is read here: {why}") from error
    return _runbook(path, matter, match["prose"])


def _page_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_PAGE:
            raise UsageError(f"runbook {path.name!r} is larger than {LARGEST_PAGE // 1024} KiB: it is no page")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"runbook {str(path)!r} cannot be read: {why}") from error


def _runbook(path: Path, matter: Any, prose: str) -> Runbook:
    where = f"runbook {path.name!r}"
    if not isinstance(matter, dict):
        raise UsageError(f"{where}: its front matter is no mapping: give {', '.join(KEYS)}")
    if unknown := [key for key in matter if key not in KEYS]:
        raise UsageError(f"{where}: key {unknown[0]!r} is not known: use {', '.join(KEYS)}")
    if missing := [key for key in NECESSARY if key not in matter]:
        raise UsageError(f"{where}: key {missing[0]!r} is missing: give {', '.join(NECESSARY)}")
    parameters = matter.get("parameters", {})
    if not isinstance(parameters, dict):
        raise UsageError(f"{where}: 'parameters' is {parameters!r}: give a mapping such as {{start: -2h}}")
    Parameters.read(parameters)
    return Runbook(
        path.stem, _text(where, matter, "title"), _text(where, matter, "symptom"), _names(where, matter, "notebooks"),
        _date(where, matter["reviewed"]), prose, parameters, _names(where, matter, "needs"),
    )  # fmt: skip


def _text(where: str, matter: Mapping[str, Any], key: str) -> str:
    if isinstance(value := matter[key], str) and value:
        return value
    raise UsageError(f"{where}: {key!r} is {value!r}: give a text")


def _names(where: str, matter: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = matter.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise UsageError(f"{where}: {key!r} is {value!r}: give a list such as [one, two]")
    if twice := [name for name in value if value.count(name) > 1]:
        raise UsageError(f"{where}: {key!r} holds {twice[0]!r} twice: keep one")
    return tuple(value)


def _date(where: str, text: Any) -> date:
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: 'reviewed' is {text!r}: give a date such as 2026-03-14") from error


def assignments(given: Iterable[str]) -> list[tuple[str, str]]:
    """The names and values of `-p NAME=VALUE`.

    >>> assignments(["service=chat", "websocket_path=/ws?x=1"])
    [('service', 'chat'), ('websocket_path', '/ws?x=1')]
    """
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"-p {text!r} sets nothing: give NAME=VALUE, such as -p service=chat")
        pairs.append((name, value))
    return pairs


def plan(runbook: Runbook, command_line: Iterable[tuple[str, str]], overrides: Iterable[str] = ()) -> Parameters:
    """The parameters of a run: the command line's beat the page's, which beat the defaults.

    `command_line` holds the options by their parameter's name, `overrides` the texts of `-p`. The same name given
    twice, and `run_dir`, which is the run's own to say, are a `UsageError`.
    """
    given: dict[str, str] = {}
    for name, value in (*command_line, *assignments(overrides)):
        if name in given:
            raise UsageError(f"parameter {name!r} is given twice, as {given[name]!r} and as {value!r}: keep one")
        given[name] = value
    if "run_dir" in {**runbook.parameters, **given}:
        raise UsageError("parameter 'run_dir' is set by the run itself: leave it out; --outputs DIR says where runs go")
    return Parameters.read({**COMMAND_DEFAULTS, "incident": runbook.name, **runbook.parameters, **given})


def chosen(runbook: Runbook, notebooks: str) -> Runbook:
    """The runbook with only some of its notebooks: `all`, `none`, or names with commas, in the runbook's own order.

    A name that the runbook does not have is a `UsageError`.

    >>> chosen(load_runbook("websocket-outage"), "why,what-failed").notebooks
    ('what-failed', 'why')
    """
    if notebooks in ("all", "none"):
        names = list(runbook.notebooks) if notebooks == "all" else []
    else:
        names = notebooks.split(",")
    if unknown := [name for name in names if name not in runbook.notebooks]:
        known = ", ".join(runbook.notebooks)
        raise UsageError(f"--notebooks: {unknown[0]!r} is not in {runbook.name}: use all, none, or some of {known}")
    run, left = ([name for name in runbook.notebooks if (name in names) is wanted] for wanted in (True, False))
    return replace(runbook, notebooks=tuple(run), left_out=tuple(left))


def notebook_paths(runbook: Runbook, folder: Path | None = None) -> dict[str, Path]:
    """The files of a runbook's notebooks by their names, in the order they run; an unknown one is a `UsageError`."""
    pages = sorted((folder or package_folder("notebooks")).glob("*.ipynb"))
    known = {match["name"]: page for page in pages if (match := NUMBERED.fullmatch(page.stem))}
    if unknown := [name for name in runbook.notebooks if name not in known]:
        raise UsageError(f"runbook {runbook.name!r}: notebook {unknown[0]!r} is not known: use {', '.join(known)}")
    return {name: known[name] for name in runbook.notebooks}
