"""What a real git repository says of the revisions, and what it must not make us do."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from incident.evidence import Evidence
from incident.findings import Gap, UsageError
from incident.redact import Redactor
from incident.sources.definitions import module
from incident.sources.git import GitError, Repository, valid
from incident.sources.repo import checked_repository, with_repository

ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@x.de",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x.de",
}  # fmt: skip


def git(folder: Path, *words: str) -> str:
    """What the real git prints."""
    done = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, env=ENVIRON)
    return done.stdout.decode().strip()


def commit(folder: Path, files: dict[str, str | None]) -> str:
    """A commit with some files written, or removed where they are None; its id."""
    for name, text in files.items():
        file = folder / name
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x", "--allow-empty")
    return git(folder, "rev-parse", "HEAD")


BEFORE: dict[str, str | None] = {
    "backend/app/__init__.py": "", "backend/app/db.py": "import os\n\n\nclass DatabaseSessionManager:\n    pass\n",
    "backend/app/agents.py": "from app.db import DatabaseSessionManager\n", "README.md": "a\nb\nc\n",
}  # fmt: skip
AFTER: dict[str, str | None] = {
    "backend/app/agents.py": "x = 1\n", "README.md": None, "docs/README.md": "a\nb\nc\n", "backend/app/new.py": "y = 1\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A repository with two commits, and their ids."""
    folder = tmp_path_factory.mktemp("chat")
    git(folder, "init", "-q")
    return folder, commit(folder, BEFORE), commit(folder, AFTER)


def seen(evidence: Callable[[Any], Evidence], commits: list[str | None], text: str = "") -> Evidence:
    """Evidence of revisions of some commits, a minute apart, the last of which wrote a text."""
    revisions = [
        {"revision_name": f"chat-{n:05d}-abc", "create_time": f"10:{n:02d}:00", "commit": label}
        for n, label in enumerate(commits, 1)
    ]
    logs = [{"log": "stderr", "at": "10:30:00", "revision": revisions[-1]["revision_name"], "text": text or "hello"}]
    return evidence({"frames": {"revisions": revisions, "logs": logs}})


def read(found: Evidence, folder: Path) -> Evidence:
    """The same evidence with what the repository says."""
    return with_repository(found, checked_repository(str(folder), ENVIRON), Redactor(b"k"), lambda: 0.0)


def gaps(found: Evidence) -> dict[str, tuple[Gap, ...]]:
    """The gaps of the frames that a repository fills."""
    return {name: tuple(gap for gap in found.gaps if gap.frame == name) for name in ("files", "definitions")}


def test_the_files_between_two_revisions(evidence: Any, repository: tuple[Path, str, str]) -> None:
    """A move is one row with its old name, and a revision of the same commit changed no file."""
    folder, before, after = repository
    found = read(seen(evidence, [before, after, after]), folder)
    rows = found.frames["files"].fillna("").to_numpy().tolist()
    assert [row[2:] for row in rows] == [
        ["backend/app/agents.py", "M", ""], ["backend/app/new.py", "A", ""], ["docs/README.md", "R", "README.md"],
    ]  # fmt: skip
    assert {tuple(row[:2]) for row in rows} == {("chat-00002-abc", "chat-00001-abc")}
    assert gaps(found) == {"files": (), "definitions": ()}
    assert {"files", "definitions"} <= found.complete
    assert [(query.frame, query.filter, query.entries) for query in found.queries] == [
        ("files", "git diff-tree", 3), ("definitions", "git grep", 0),
    ]  # fmt: skip


def test_a_commit_may_be_short_and_the_folder_one_within(evidence: Any, repository: tuple[Path, str, str]) -> None:
    """A label may hold seven characters, and people give the folder that they stand in."""
    folder, before, after = repository
    text = "NameError: name 'DatabaseSessionManager' is not defined"
    found = read(seen(evidence, [before[:7].upper(), after[:7]], text), folder / "backend" / "app")
    assert len(found.frames["files"]) == 3
    assert found.frames["definitions"]["path"].to_list() == ["backend/app/db.py"]


@pytest.mark.parametrize(
    ("commits", "reason", "remedy", "kind"),
    [
        (["BEFORE", None], "revision chat-00002-abc names no commit, so which files changed to or from it cannot be told",
         "deploy with --labels commit-sha=$(git rev-parse HEAD), or by Cloud Build, which sets it", "absent"),
        (["--output=/tmp/x", "AFTER"], "revision chat-00001-abc names no commit, so which files changed to or from it cannot be told",
         "deploy with --labels commit-sha=$(git rev-parse HEAD), or by Cloud Build, which sets it", "absent"),
        (["BEFORE", "c0ffee1"], "commit c0ffee1 of revision chat-00002-abc is not in the repository",
         "fetch it: git fetch origin c0ffee1; or give the repository that it was built from", "absent"),
    ],
    ids=["no label", "a label that is an option", "another repository"],
)  # fmt: skip
def test_what_cannot_be_compared_is_a_gap(
    evidence: Any, repository: tuple[Path, str, str], commits: list[str | None], reason: str, remedy: str, kind: str
) -> None:
    """A commit that is not there is said with what fetches it; one that is no commit never reaches git."""
    folder, before, after = repository
    named = [{"BEFORE": before, "AFTER": after}.get(label or "", label) for label in commits]
    found = read(seen(evidence, named), folder)
    assert found.frames["files"].empty
    assert gaps(found)["files"] == (Gap("files", reason, remedy, kind),)


def test_more_files_than_are_kept(evidence: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vendored tree of a hundred thousand files is cut, and the cut is said."""
    monkeypatch.setattr("incident.sources.repo.MOST_FILES", 2)
    git(tmp_path, "init", "-q")
    before, after = commit(tmp_path, {"a": "1"}), commit(tmp_path, {"b": "1", "c": "2", "d": "3"})
    found = read(seen(evidence, [before, after]), tmp_path)
    assert found.frames["files"]["path"].to_list() == ["b", "c"]
    assert [gap.reason for gap in gaps(found)["files"]] == ["3 files changed to chat-00002-abc: the first 2 are kept"]


MANAGER = "class DatabaseSessionManager: ...\n"


@pytest.mark.parametrize(
    ("files", "places"),
    [
        ({"app/db.py": MANAGER}, [("app/db.py", 1, "app.db")]),
        ({"app/db.py": "\n\nDatabaseSessionManager = object\n"}, [("app/db.py", 3, "app.db")]),
        ({"app/db.py": "DatabaseSessionManager: type = object\n"}, [("app/db.py", 1, "app.db")]),
        ({"app/db.py": "async def DatabaseSessionManager(): ...\n"}, [("app/db.py", 1, "app.db")]),
        ({"app/db.py": MANAGER, "app/old.py": MANAGER}, [("app/db.py", 1, "app.db"), ("app/old.py", 1, "app.old")]),
        ({"app/db.py": '"""\n' + MANAGER + '"""\n'}, [("", None, None)]),
        ({"app/db.py": "class Other:\n    " + MANAGER}, [("", None, None)]),
        ({"app/db.py": "DatabaseSessionManager == 1\nDatabaseSessionManagers = 1\n"}, [("", None, None)]),
        ({"app/db.js": MANAGER}, [("", None, None)]),
        ({"app/db.py": MANAGER + "this is no Python\n"}, [("app/db.py", 1, "app.db")]),
        ({"src/app/db.py": MANAGER}, [("src/app/db.py", 1, "app.db")]),
        ({"back/app/__init__.py": "", "back/app/db.py": MANAGER}, [("back/app/db.py", 1, "app.db")]),
        ({"back/app/db.py": MANAGER, "back/main.py": "from app.db import get\n"}, [("back/app/db.py", 1, "app.db")]),
        ({"app/__init__.py": MANAGER}, [("app/__init__.py", 1, "app")]),
        ({"my-app/db.py": MANAGER}, [("my-app/db.py", 1, "db")]),
        ({"app/my-db.py": MANAGER}, [("app/my-db.py", 1, "")]),
        ({"a b/\u00e9\n'x/db.py": MANAGER}, [("a b/\u00e9\n'x/db.py", 1, "db")]),
        ({"-x/--output=y.py": MANAGER, ":(top)z.py": "q = 1\n"}, [("-x/--output=y.py", 1, "")]),
    ],
)  # fmt: skip
def test_definitions(
    evidence: Any, tmp_path: Path, files: dict[str, str | None], places: list[tuple[Any, ...]]
) -> None:
    """What stands in a text, a class or another language is no definition that an import would find."""
    git(tmp_path, "init", "-q")
    last = commit(tmp_path, files)
    text = "Traceback\nNameError: name 'DatabaseSessionManager' is not defined. Did you mean: 'Database'?"
    rows = read(seen(evidence, [last], text), tmp_path).frames["definitions"].astype("object")
    rows = rows.where(rows.notna(), None)[["name", "path", "line", "module", "commit"]].to_numpy().tolist()
    assert [tuple(row) for row in rows] == [("DatabaseSessionManager", *place, last) for place in places]


def test_the_name_is_looked_for_in_the_code_that_lacks_it(evidence: Any, tmp_path: Path) -> None:
    """The fix defines it elsewhere, which says nothing of the revision that failed."""
    git(tmp_path, "init", "-q")
    first, fixed = (
        commit(tmp_path, {"app/old.py": MANAGER}),
        commit(tmp_path, {"app/old.py": None, "app/db.py": MANAGER}),
    )
    lacking = seen(evidence, [first, fixed], "ImportError: cannot import name 'DatabaseSessionManager' from 'app'")
    logs = lacking.logs.assign(revision_name=lacking.logs["revision_name"].cat.rename_categories(["chat-00001-abc"]))
    found = read(
        evidence({"frames": {}}).__class__(**{**vars(lacking), "frames": {**lacking.frames, "logs": logs}}), tmp_path
    )
    assert found.frames["definitions"]["path"].to_list() == ["app/old.py"]


def test_a_hostile_repository_runs_nothing(evidence: Any, tmp_path: Path) -> None:
    """Configuration, hooks, attributes and a promise to fetch are the repository's own, and none is followed."""
    git(tmp_path, "init", "-q")
    before, after = commit(tmp_path, {"app/a.py": "a = 1\n"}), commit(tmp_path, {"app/a.py": "b = 2\n"})
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n", encoding="utf-8")
    trap.chmod(0o755)
    for name in (
        "diff.external",
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "diff.x.textconv",
        "diff.x.command",
    ):
        git(tmp_path, "config", name, str(trap))
    git(tmp_path, "config", "remote.origin.url", f"ext::{trap}")
    git(tmp_path, "config", "remote.origin.promisor", "true")
    git(tmp_path, "config", "protocol.ext.allow", "always")
    git(tmp_path, "config", "core.repositoryformatversion", "1")
    git(tmp_path, "config", "extensions.partialClone", "origin")
    (tmp_path / ".git" / "info" / "attributes").write_text("*.py diff=x\n", encoding="utf-8")
    found = read(seen(evidence, [before, after, "c0ffee11" * 5], "NameError: name 'b' is not defined"), tmp_path)
    assert len(found.frames["files"]) == 1
    assert not (tmp_path / "sprung").exists()


def test_git_s_own_variables_do_not_lead_elsewhere(repository: tuple[Path, str, str], tmp_path: Path) -> None:
    """Run from a hook of another repository, git would read that one."""
    folder, before, _ = repository
    git(tmp_path, "init", "-q")
    assert Repository.at(str(folder), ENVIRON | {"GIT_DIR": str(tmp_path / ".git")}).has(before)


@pytest.mark.parametrize("text", ["", "HEAD", "main", "c0ffee", "c0ffee1 ", "c0ffee1\n", "--all", "C0FFEE1", "a" * 65])
def test_only_a_commit_s_id_reaches_git(text: str) -> None:
    """A branch would be another commit tomorrow, and an option would be obeyed."""
    with pytest.raises(GitError, match=r"is no commit id: 7 to 64 of 0-9 and a-f$"):
        valid(text)


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    """Found before anything is asked, with what to give."""
    with pytest.raises(UsageError) as refused:
        checked_repository(str(tmp_path), ENVIRON | {"GIT_CEILING_DIRECTORIES": str(tmp_path)})
    assert str(refused.value) == (
        f"parameter 'repo' is {str(tmp_path)!r}: fatal: not a git repository (or any of the parent directories): .git; "
        "give the folder of the service's git repository"
    )


def test_no_git(tmp_path: Path) -> None:
    """A machine without git says that, and not that the folder is wrong."""
    with pytest.raises(UsageError, match="git was not found on PATH"):
        checked_repository(str(tmp_path), {"PATH": str(tmp_path)})


def test_git_that_hangs_is_given_up(repository: tuple[Path, str, str]) -> None:
    """A repository on a dead file system does not hold the run up for ever."""

    def hang(command: list[str], timeout: float, **_: Any) -> Any:
        raise subprocess.TimeoutExpired(command, timeout)

    with pytest.raises(GitError, match=r"^git rev-parse failed: it took longer than 20 s$"):
        Repository(repository[0], ENVIRON, hang).git("rev-parse")


def test_the_module_is_what_the_repository_calls_it(tmp_path: Path) -> None:
    """Where files are imported by two names, the one that most use is what the next line should use."""
    git(tmp_path, "init", "-q")
    last = commit(
        tmp_path,
        {"app/db.py": MANAGER, "a.py": "import db\n", "b.py": "from app.db import x\n", "c.py": "import app.db as z\n"},
    )
    assert module(Repository(tmp_path, ENVIRON), last, "app/db.py") == "app.db"
