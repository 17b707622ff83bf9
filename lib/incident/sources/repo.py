"""What a repository says of the revisions' code: the files that changed between two images' commits, and definitions.

Decides which commits are compared: those of each two revisions that follow one another, as their labels or builds name
them. Reads a git repository on this machine, where `--repo` names one. It cannot tell what was built beside the commit:
a working tree that was not clean, a base image, a dependency.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from incident.evidence import Evidence, Query
from incident.findings import Gap, UsageError
from incident.frames import rows_frame
from incident.redact import Redactor
from incident.sources.definitions import definitions, missing_names
from incident.sources.git import COMMIT, GitError, Repository

MOST_PAIRS = 50
MOST_FILES = 2_000
FRAMES = ("files", "definitions")
NO_COMMIT = "deploy with --labels commit-sha=$(git rev-parse HEAD), or by Cloud Build, which sets it"

Row = dict[str, object]


@dataclass(frozen=True)
class Pair:
    """Two revisions that follow one another, and their commits."""

    revision: str
    commit: str
    previous: str
    previous_commit: str


def checked_repository(folder: str, environ: Mapping[str, str] = os.environ) -> Repository:
    """The repository that the parameter `repo` names; a `UsageError` where there is none."""
    try:
        return Repository.at(folder, environ)
    except GitError as error:
        raise UsageError(
            f"parameter 'repo' is {folder!r}: {error}; give the folder of the service's git repository"
        ) from error


def with_repository(
    evidence: Evidence, repository: Repository, redactor: Redactor, clock: Callable[[], float] = time.monotonic
) -> Evidence:
    """The evidence with the frames `files` and `definitions` from a repository, in place of what there was."""
    began = clock()
    gaps: dict[str, Gap] = {}
    rows = {"files": list(_files(evidence, repository, gaps)), "definitions": _defined(evidence, repository, gaps)}
    found = {name: redactor.frame(rows_frame(name, part)) for name, part in rows.items()}
    took = round(clock() - began, 6)
    reasons = {name: tuple(gap.reason for gap in gaps.values() if gap.frame == name) for name in FRAMES}
    asked = [
        Query(name, f"git {word}", "", "", len(rows[name]), 0, took if name == "files" else 0.0, reasons[name])
        for name, word in (("files", "diff-tree"), ("definitions", "grep"))
    ]
    kept = tuple(gap for gap in evidence.gaps if gap.frame not in FRAMES)
    return replace(
        evidence, frames={**evidence.frames, **found}, gaps=(*kept, *gaps.values()),
        complete=evidence.complete | ({*FRAMES} - {gap.frame for gap in gaps.values()}),
        queries=(*(query for query in evidence.queries if query.frame not in FRAMES), *asked),
    )  # fmt: skip


def pairs(evidence: Evidence) -> list[Pair]:
    """The revisions of the window, each with the one created before it, oldest first; the newest `MOST_PAIRS`."""
    ordered = evidence.revisions.sort_values(["create_time", "revision_name"], ignore_index=True)
    seen = set(evidence.logs["revision_name"].dropna()) | set(evidence.serving())
    matters = (ordered["create_time"] >= evidence.scope.start) | ordered["revision_name"].isin(seen)
    first = int(matters.to_numpy().argmax()) if matters.any() else max(0, len(ordered) - 2)
    rows = ordered.iloc[max(0, first - 1) :][["revision_name", "commit"]].astype("object").to_numpy().tolist()
    return [Pair(new[0], _commit(new[1]), old[0], _commit(old[1])) for old, new in pairwise(rows)][-MOST_PAIRS:]


def _commit(label: object) -> str:
    """A commit as a label says it, empty where it is none: its text is somebody else's."""
    text = label.lower() if isinstance(label, str) else ""
    return text if COMMIT.fullmatch(text) else ""


def _files(evidence: Evidence, repository: Repository, gaps: dict[str, Gap]) -> Iterator[Row]:
    for pair in pairs(evidence):
        if not (pair.commit and pair.previous_commit):
            unnamed = pair.previous if pair.commit else pair.revision
            reason = f"revision {unnamed} names no commit, so which files changed to or from it cannot be told"
            gaps.setdefault("unnamed", Gap("files", reason, NO_COMMIT, "absent"))
        elif pair.commit != pair.previous_commit:
            yield from _of_pair(pair, repository, gaps)


def _of_pair(pair: Pair, repository: Repository, gaps: dict[str, Gap]) -> Iterator[Row]:
    named = ((pair.previous, pair.previous_commit), (pair.revision, pair.commit))
    if missing := [(name, commit) for name, commit in named if not repository.has(commit)]:
        gaps.setdefault(missing[0][1], _not_there(*missing[0]))
        return
    try:
        found = repository.touched(pair.previous_commit, pair.commit)
    except GitError as error:
        gaps.setdefault("failed", Gap("files", f"git could not compare two commits: {error}", "run again", "partial"))
        return
    if len(found) > MOST_FILES:
        reason = f"{len(found)} files changed to {pair.revision}: the first {MOST_FILES} are kept"
        gaps.setdefault(
            "capped", Gap("files", reason, f"git diff --stat {pair.previous_commit} {pair.commit}", "capped")
        )
    for file in found[:MOST_FILES]:
        yield {
            "revision_name": pair.revision, "previous": pair.previous, "path": file.path, "change": file.change,
            "old_path": file.old_path or None,
        }  # fmt: skip


def _not_there(revision: str, commit: str, frame: str = "files") -> Gap:
    reason = f"commit {commit} of revision {revision} is not in the repository"
    return Gap(
        frame, reason, f"fetch it: git fetch origin {commit}; or give the repository that it was built from", "absent"
    )


def _defined(evidence: Evidence, repository: Repository, gaps: dict[str, Gap]) -> list[Row]:
    """The definitions of what is missing, as the code of the revision that lacks it has them.

    A name without one has an empty path.
    """
    rows: list[Row] = []
    for name, revision in missing_names(evidence.service_logs).items():
        try:
            commit = _commit_of(evidence, repository, revision)
            found = definitions(repository, commit, name)
        except _NoCommit as missing:
            gaps.setdefault("definitions", missing.gap)
            continue
        except GitError as error:
            reason = f"git could not look for {name}: {error}"
            gaps.setdefault("definitions", Gap("definitions", reason, "run again", "partial"))
            continue
        rows += [vars(one) | {"commit": commit} for one in found] or [{"name": name, "path": "", "commit": commit}]
    return rows


class _NoCommit(Exception):
    """There is no commit to look in; `gap` says why."""

    def __init__(self, gap: Gap) -> None:
        self.gap = gap


def _commit_of(evidence: Evidence, repository: Repository, revision: str) -> str:
    """The commit of one revision, else of the newest that names one."""
    ordered = evidence.revisions.sort_values(["create_time", "revision_name"])
    named = {row.revision_name: found for row in ordered.itertuples() if (found := _commit(row.commit))}
    if not named:
        raise _NoCommit(Gap("definitions", "no revision names its commit", NO_COMMIT, "absent"))
    name = revision if revision in named else list(named)[-1]
    if not repository.has(named[name]):
        raise _NoCommit(_not_there(name, named[name], "definitions"))
    return named[name]
