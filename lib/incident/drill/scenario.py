"""A scenario: the service, its images, the requests made of it, and what happens, step by step, from a data file.

Reads one YAML file by a safe loader and refuses every key, kind and name that it does not know. It cannot tell whether
the incident it plants is one that the runbook can find: the `expect` of its runs says so, and `play` judges.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import yaml

from incident.drill.memory import limit_bytes
from incident.drill.steps import (
    STEPS,
    Build,
    Dependency,
    Deploy,
    Ending,
    Endpoint,
    FinishBuild,
    LogFault,
    RequestKind,
    Requests,
    Settings,
    Sockets,
    Step,
)
from incident.findings import UsageError

T = TypeVar("T")

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
"""What a scenario, an image, a layer, a service and a revision may be called; nothing else becomes part of a path."""


@dataclass(frozen=True)
class Scenario:
    """What happens, and to which service. `images` gives each image its layers, the first beneath the others.

    `notebooks` is which of them its runs make, as `incident run --notebooks` takes it.
    """

    name: str
    title: str
    project: str
    region: str
    service: str
    images: Mapping[str, Sequence[str]]
    requests: Mapping[str, RequestKind]
    steps: Sequence[Step]
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    notebooks: str = "all"


def scenario_names() -> list[str]:
    """The names of the packaged scenarios, sorted.

    >>> "staging" in scenario_names()
    True
    """
    return sorted(file.name.removesuffix(".yaml") for file in _folder().iterdir() if file.name.endswith(".yaml"))


def load_scenario(name: str) -> Scenario:
    """The packaged scenario of that name; `UsageError` where there is none or its file has a mistake.

    >>> load_scenario("staging").service
    'chat-backend-staging'
    """
    if name not in scenario_names():
        raise UsageError(f"scenario {name!r} is not known: use one of {', '.join(scenario_names())}")
    return parse_scenario((_folder() / f"{name}.yaml").read_text(encoding="utf-8"), name)


def parse_scenario(text: str, name: str) -> Scenario:
    """The scenario that a file's text describes; `name` is the file's, without its suffix."""
    where = f"scenario {name}"
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UsageError(f"{where}: not YAML, line {line}: {error.problem}") from error
    values = _mapping(document, where)
    _read_part(values, "images", where, _each(_names))
    _read_part(values, "requests", where, _each(partial(_build, RequestKind)))
    _read_part(values, "settings", where, partial(_build, Settings))
    _read_part(values, "environment", where, _texts)
    steps = enumerate(_list(values, "steps", where))
    values["steps"] = [_step(step, f"{where}: steps[{index}]") for index, step in steps]
    scenario = _build(Scenario, {"name": name, **values}, where)
    _check_names(scenario, where)
    return scenario


def _folder() -> Traversable:
    return resources.files("incident.drill") / "scenarios"


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where}: {_short(value)} is not a mapping: give keys and values")
    return dict(value)


def _list(values: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = values.get(key)
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where}: {key!r} is {_short(value)}: give a list with at least one item")
    return value


def _names(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where}: {_short(value)} is not a list of names")
    return tuple(_name(item, where) for item in value)


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise UsageError(f"{where}: {_short(value)} is not a name: use small letters, digits and hyphens")
    return value


def _texts(value: Any, where: str) -> dict[str, str]:
    for key, text in _mapping(value, where).items():
        if not isinstance(text, str):
            raise UsageError(f"{where}.{key}: {_short(text)} is not text: put it in quotes")
    return dict(value)


def _read_part(values: dict[str, Any], key: str, where: str, read: Callable[[Any, str], Any]) -> None:
    if key in values:
        values[key] = read(values[key], f"{where}: {key}")


def _each(read: Callable[[Any, str], Any]) -> Callable[[Any, str], dict[str, Any]]:
    return lambda value, where: {key: read(item, f"{where}.{key}") for key, item in _mapping(value, where).items()}


def _step(value: Any, where: str) -> Step:
    step = _mapping(value, where)
    if len(step) != 1 or (word := next(iter(step))) not in STEPS:
        raise UsageError(f"{where}: {_short(list(step))} is not a step: begin with one of {', '.join(STEPS)}")
    details = {"seconds": step[word]} if word == "pause" else step[word]
    return _build(STEPS[word], details, f"{where}.{word}")


def _build(cls: type[T], value: Any, where: str) -> T:
    """An instance of a dataclass from a mapping, every key known, every required one there, every type right."""
    values, known = _mapping(value, where), {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(known)):
        raise UsageError(f"{where}: {unknown[0]!r} is not known: use {', '.join(known)}")
    try:
        made = cls(**values)
    except TypeError as error:
        missing = [name for name in known if f"'{name}'" in str(error)]
        raise UsageError(f"{where}: {', '.join(missing)} missing: give {', '.join(known)}") from error
    for name, item in known.items():
        _check_type(getattr(made, name), str(item.type), f"{where}.{name}")
    return made


_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text: put it in quotes"),
    "int": (lambda value: type(value) is int and value >= 0, "a whole number from 0"),
    "float": (lambda value: type(value) in (int, float) and value >= 0, "a number from 0"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "Sequence[str]": (lambda value: _is_list(value, str), "a list of texts"),
    "Sequence[float]": (lambda value: _is_list(value, (int, float)), "a list of numbers"),
    "Mapping[str, str]": (lambda value: _is_mapping(value, str), "a mapping of names to texts"),
    "Mapping[str, int]": (lambda value: _is_mapping(value, int), "a mapping of names to whole numbers"),
    "Mapping[str, Any]": (lambda value: _is_mapping(value, object), "a mapping"),
    "Mapping[str, Mapping[str, Any]]": (lambda value: _is_mapping(value, Mapping), "a mapping of names to mappings"),
}


def _is_mapping(value: Any, of: type) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) and isinstance(v, of) for key, v in value.items())


def _is_list(value: Any, of: type | tuple[type, ...]) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, of) for item in value)


def _check_type(value: Any, annotation: str, where: str) -> None:
    fits, words = _TYPES.get(annotation, (lambda _: True, ""))  # others were built and checked already
    if annotation.startswith("Literal["):
        allowed = ast.literal_eval(annotation.removeprefix("Literal"))
        fits, words = allowed.__contains__, " or ".join(filter(None, allowed))
    if not fits(value):
        raise UsageError(f"{where}: {_short(value)} is not {words}")


def _check_names(scenario: Scenario, where: str) -> None:
    """Every image and kind of request that a step names is defined, and names are fit to be one."""
    for name in (scenario.name, scenario.project, scenario.region, scenario.service, *scenario.images):
        _name(name, where)
    _memory(scenario.settings, f"{where}: settings")
    for index, step in enumerate(scenario.steps):
        _check_step(scenario, step, f"{where}: steps[{index}]")


def _check_step(scenario: Scenario, step: Step, at: str) -> None:
    match step:
        case Build() | FinishBuild():
            _known("image", [step.image], scenario.images, at)
        case Deploy():
            _check_deploy(scenario, step, at)
        case Requests():
            _known("kind of request", [*step.counts, *step.expect], scenario.requests, at)
        case Sockets():
            _known("kind of request", [step.kind], scenario.requests, at)
            _check_ending(step, f"{at}.sockets.expect")
        case Dependency():
            _name(step.name, at)
        case Endpoint() if not step.path.startswith("/"):
            raise UsageError(f"{at}.endpoint.path: {_short(step.path)} is not a path: begin with /")
        case LogFault() if step.none == bool(step.method and step.code):
            raise UsageError(f"{at}.log_fault: give method and code, or none: true")


def _check_deploy(scenario: Scenario, step: Deploy, at: str) -> None:
    _name(step.revision, at)
    if step.tag:
        _name(step.tag, at)
    _known("image", [step.image], scenario.images, at)
    _memory(_build(Settings, {**step.settings}, f"{at}.deploy.settings"), f"{at}.deploy.settings")
    for name, secret in step.secrets.items():
        if not isinstance(secret.get("secret"), str):
            raise UsageError(f"{at}.deploy.secrets.{name}: secret missing: give secret, and readable: false to deny it")


def _check_ending(step: Sockets, at: str) -> None:
    ending = _build(Ending, {**step.expect}, at)
    if step.meanwhile and step.expect:
        raise UsageError(f"{at}: how sockets end is not known while they are held meanwhile: take one of both away")
    if len(ending.after) not in (0, 2):
        raise UsageError(f"{at}.after: {_short(ending.after)} is not two numbers: give the least and the most seconds")


def _memory(settings: Settings, at: str) -> None:
    try:
        limit_bytes(settings.memory)
    except ValueError as error:
        raise UsageError(f"{at}: {error}") from error


def _known(what: str, names: Sequence[str], among: Mapping[str, Any], where: str) -> None:
    for name in names:
        if name not in among:
            raise UsageError(f"{where}: {what} {name!r} is not defined: use one of {', '.join(among)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
