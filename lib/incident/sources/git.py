"""Reading a git repository on this machine, and nothing else: no hook, no filter, no network, no write.

Decides how git is called so that neither the repository's own configuration nor a name in it can make it do more:
plumbing commands, settings given on the command line, every transport forbidden, an environment without git's own
variables, a time limit, and a commit that is hexadecimal before git sees it. Reads what git prints. It cannot tell
whether the repository is the one that an image was built from; that its commits are in it is all there is.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incident.http1 import printable

COMMIT = re.compile(r"[0-9a-f]{7,64}")
SECONDS = 20.0
SETTINGS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.quotePath=false", "protocol.allow=never")
"""No program of the repository's runs, paths come as they are, and a missing object is not fetched."""

QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
PYTHON = ":(top,glob)**/*.py"
LONGEST_FILE = 1_000_000

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


class GitError(Exception):
    """What git said where it did not do what was asked."""


@dataclass(frozen=True)
class Touched:
    """A file that differs between two commits: `change` is A, M, D, R, C or T; `old_path` its name before a move."""

    change: str
    path: str
    old_path: str = ""


@dataclass(frozen=True)
class Repository:
    """A repository at `folder`, read through the `git` of this machine."""

    folder: Path
    environ: Mapping[str, str]
    run: Run = subprocess.run

    @classmethod
    def at(cls, folder: str, environ: Mapping[str, str] = os.environ) -> Repository:
        """The repository that a folder is in; `GitError` where it is in none, or there is no git."""
        found = cls(Path(folder), environ)
        found.git("rev-parse", "--git-dir")
        return found

    def has(self, commit: str) -> bool:
        """Whether a commit is in the repository, by its whole id or a unique beginning of it."""
        try:
            self.git("cat-file", "-e", f"{valid(commit)}^{{commit}}")
        except GitError:
            return False
        return True

    def touched(self, before: str, after: str) -> list[Touched]:
        """The files that differ between two commits, in git's order; a file that was moved is one row."""
        words = ("diff-tree", "-r", "-M", "--no-commit-id", "--name-status", "-z", "--no-ext-diff", "--no-textconv")
        return list(_touched(self.git(*words, valid(before), valid(after), "--").split(b"\0")))

    def grep(self, commit: str, pattern: str) -> list[tuple[str, int, str]]:
        """Path, line number and text of the lines of Python files that an extended regular expression matches."""
        words = ("grep", "-n", "-z", "-I", "-E", "--no-color", "--full-name", "--no-textconv", "-e", pattern)
        try:
            found = self.git(*words, valid(commit), "--", PYTHON)
        except GitError as error:
            if str(error):
                raise
            return []  # git grep ends with 1, and says nothing, where nothing matches
        return list(_lines(found))

    def file(self, commit: str, path: str) -> bytes:
        """A file as it was in a commit, empty where it is too large to be somebody's code."""
        name = f"{valid(commit)}:{path}"
        size = int(self.git("cat-file", "-s", name))
        return self.git("cat-file", "blob", name) if size <= LONGEST_FILE else b""

    def files(self, commit: str, paths: list[str]) -> set[str]:
        """Those of some paths that a commit has."""
        words = ("--literal-pathspecs", "ls-tree", "--name-only", "--full-tree", "-z")
        return set(map(_text, self.git(*words, valid(commit), "--", *paths).split(b"\0"))) - {""}

    def git(self, *words: str) -> bytes:
        """What git prints; `GitError` with its first line where it fails."""
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        own = {name: value for name, value in self.environ.items() if not name.startswith("GIT_")}
        command = ["git", "--no-pager", "-C", str(self.folder), *settings, *words]
        options: dict[str, Any] = {"env": own | QUIET, "stdin": subprocess.DEVNULL, "capture_output": True}
        try:
            done = self.run(command, timeout=SECONDS, **options)
        except FileNotFoundError as error:
            raise GitError("git was not found on PATH") from error
        except (subprocess.TimeoutExpired, OSError, ValueError) as error:
            raise GitError(f"git {words[0]} failed: {_brief(error)}") from error
        if done.returncode:
            raise GitError(printable(_text(done.stderr).strip().partition("\n")[0], 300))
        return done.stdout


def valid(commit: str) -> str:
    """A commit's id; `GitError` where it is none: a label is somebody else's text, and may look like an option.

    >>> valid("c0ffee1")
    'c0ffee1'
    """
    if not COMMIT.fullmatch(commit):
        raise GitError(f"{printable(commit, 80)!r} is no commit id: 7 to 64 of 0-9 and a-f")
    return commit


def _touched(parts: list[bytes]) -> Iterator[Touched]:
    words = iter(map(_text, parts))
    for change in words:
        if not change:
            return
        path = next(words, "")
        is_move = change[0] in "RC"
        yield Touched(change[0], next(words, "") if is_move else path, path if is_move else "")


def _lines(printed: bytes) -> Iterator[tuple[str, int, str]]:
    """Lines as `git grep -n -z` prints them: `COMMIT:path NUL number NUL text`."""
    for found in re.finditer(rb"[0-9a-f]{7,64}:([^\0]{1,4096})\0(\d{1,9})\0([^\n]*)\n", printed):
        yield _text(found[1]), int(found[2]), _text(found[3])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _brief(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {error.timeout:g} s"
    return printable(str(error), 200)
