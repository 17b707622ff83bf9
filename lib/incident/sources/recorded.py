"""Evidence that was recorded before: a packaged sample, or the evidence of an archived run.

Decides which folder a name means, and which part of a recording a window keeps. Reads whole runs only: one without
`manifest.json` was interrupted and proves nothing. It cannot tell whether a run's files were changed since; `runs
verify` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from incident.evidence import SETTLE_SECONDS, Evidence, load
from incident.findings import UsageError
from incident.scope import Parameters, Scope, moment, rfc3339

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
EVIDENCE = "evidence"
DERIVED = frozenset({"empty", "unsettled", "silent"})
"""Kinds of gap that follow from the frames, and so are found anew where a window cuts them."""

PATHS = ("websocket_path", "health_path")
"""Paths that a recording has of its own; one that is given beside it, and is no default, counts instead."""

ONE_NANOSECOND = pd.Timedelta(1, unit="ns")


def samples() -> Path:
    """The folder of the packaged samples."""
    return Path(str(files("incident") / "samples"))


def sample_folder(name: str, folder: Path) -> Path:
    """The evidence of a sample in `folder`; the name is one of those there, and never a path."""
    known = sorted(file.parent.parent.name for file in folder.glob(f"*/{EVIDENCE}/evidence.json"))
    if name not in known:
        there = f"use one of {', '.join(known)}" if known else "this installation has none"
        raise UsageError(f"sample {name!r} is not known: {there}")
    return folder / name / EVIDENCE


def runs(outputs: Path) -> list[Path]:
    """The folders of the whole runs under a folder of outputs, newest last."""
    found = (file.parent for file in outputs.glob("*/*/manifest.json"))
    return sorted((run for run in found if RUN_ID.fullmatch(run.name)), key=lambda run: (run.name, run.parent.name))


def find_run(outputs: Path, name: str, incident: str | None = None) -> Path:
    """The folder of one whole run: by its id, a unique beginning of it, `latest`, or a path to it.

    `incident` narrows the search to that incident's runs. A name that means no run, or several, is a `UsageError`.
    """
    if "/" in name or name.startswith("."):
        return _run_at(Path(name))
    known = [run for run in runs(outputs) if incident in (None, "", run.parent.name)]
    matching = known[-1:] if name == "latest" else [run for run in known if run.name.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(f"run {name!r} means {len(matching)} runs: give more of its id, {_listed(matching)}")
    there = f"use latest, or {_listed(known)}" if known else f"there is no whole run under {str(outputs)!r}"
    raise UsageError(f"run {name!r} is not known: {there}")


def _run_at(path: Path) -> Path:
    if not (path / "manifest.json").is_file():
        raise UsageError(f"run {str(path)!r} is no whole run: it has no manifest.json; give a run's id or its folder")
    return path


def _listed(found: list[Path], most: int = 5) -> str:
    newest = [run.name for run in reversed(found)]
    return ", ".join(newest[:most]) + (f" and {len(newest) - most} older" if len(newest) > most else "")


def run_summary(run: Path) -> dict[str, Any]:
    """A run's `summary.json`; one that cannot be read is a `UsageError`, since another run can be named."""
    try:
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        summary = None
    if not isinstance(summary, dict) or not isinstance(summary.get("scope"), dict):
        raise UsageError(f"run {run.name!r} has no summary.json that can be read: name another run")
    return summary


def recorded(parameters: Parameters, outputs: Path) -> Evidence:
    """The evidence that `sample:NAME`, `run:RUN` or `pull:DIR` names, cut to the window of the parameters.

    Relative times count from the newest entry; an empty start or end is the recording's own. A project, region or
    service that is given and is not the recording's is a `UsageError`.
    """
    evidence = _held(parameters.source, outputs)
    for name, held in zip(("project", "region", "service"), evidence.scope.identity, strict=True):
        if (given := getattr(parameters, name)) not in ("", held):
            raise UsageError(f"parameter '{name}' is {given!r}: {parameters.source} holds {held!r}; leave it empty")
    given = {name: getattr(parameters, name) for name in PATHS}
    paths = {name: path for name, path in given.items() if path != getattr(Parameters, name)}
    return cut(replace(evidence, scope=replace(evidence.scope, **paths)), parameters)


def _held(source: str, outputs: Path) -> Evidence:
    kind, name = source.split(":", 1)
    if kind == "pull":
        from incident.sources.pulled import pulled  # a second of imports that no other recording needs

        return pulled(Path(name))
    return load(_folder(kind, name, outputs))


def _folder(kind: str, name: str, outputs: Path) -> Path:
    if kind == "sample":
        return sample_folder(name, samples())
    folder = find_run(outputs, name) / EVIDENCE
    if not (folder / "evidence.json").is_file():
        raise UsageError(f"run {name!r} holds no evidence/evidence.json: name another run")
    return folder


def cut(evidence: Evidence, parameters: Parameters) -> Evidence:
    """The entries of a recording inside a window, half-open; what the window reaches beyond it is said in a note."""
    held = evidence.scope
    wanted = _window(parameters, held, newest(evidence) + ONE_NANOSECOND)
    start, end = max(wanted.start, held.start), min(wanted.end, held.end)
    if start >= end:
        raise UsageError(f"the window {_span(wanted)} lies outside {parameters.source}, which holds {_span(held)}")
    if (start, end) == (held.start, held.end) and wanted == held:
        return evidence
    scope = replace(held, start=start, end=end)
    beyond = wanted.start < held.start or wanted.end > held.end
    named = parameters.kept().source
    note = [f"{named} holds {_span(held)}: the window {_span(wanted)} was cut to it"] if beyond else []
    return _within(evidence, scope, note) if scope != held else replace(evidence, notes=(*evidence.notes, *note))


def newest(evidence: Evidence) -> pd.Timestamp:
    """The time of the newest entry, or of the last moment of the window where there is no entry."""
    times = [time for name in ("logs", "audit") if pd.notna(time := evidence.frames[name]["timestamp"].max())]
    return max(times, default=evidence.scope.end - ONE_NANOSECOND)


def _window(parameters: Parameters, held: Scope, reference: pd.Timestamp) -> Scope:
    start = moment("start", parameters.start, reference) if parameters.start else held.start
    end = moment("end", parameters.end, reference) if parameters.end else held.end
    return replace(held, start=start, end=end)


def _within(evidence: Evidence, scope: Scope, notes: Iterable[str]) -> Evidence:
    frames = dict(evidence.frames)
    for name in ("logs", "audit"):
        times = frames[name]["timestamp"]
        frames[name] = frames[name][(times >= scope.start) & (times < scope.end)].reset_index(drop=True)
    is_settled = evidence.pulled >= scope.end + pd.Timedelta(seconds=SETTLE_SECONDS)
    derived = DERIVED if is_settled else DERIVED - {"unsettled"}  # its remedy is the recording's own
    gaps = tuple(gap for gap in evidence.gaps if gap.frame not in ("logs", "audit") or gap.kind not in derived)
    complete = evidence.complete - ({"logs"} if frames["logs"].empty else set())
    notes = (*evidence.notes, *notes)
    return replace(evidence, scope=scope, frames=frames, gaps=gaps, complete=complete, notes=notes)


def _span(scope: Scope) -> str:
    return f"{rfc3339(scope.start)} to {rfc3339(scope.end)}"
