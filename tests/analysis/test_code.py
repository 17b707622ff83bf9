"""What a repository says of the code: files that a deploy changed, and the import that would mend a missing name."""

import pytest

from incident import sentences
from incident.analysis.case import Case
from incident.analysis.code import changed_files, is_same_file, mends
from incident.causes.startup import startup_exception
from incident.evidence import Query

TRACEBACK = """Traceback (most recent call last):
  File "/app/app/agents.py", line 9, in build
    DatabaseSessionManager()
NameError: name 'DatabaseSessionManager' is not defined"""
EXIT = "Container called exit(3)."
FILES = [
    {"revision_name": "chat-00139-aaa", "previous": "chat-00137-bbb", "path": path, "change": change}
    for path, change in (("README.md", "M"), ("backend/app/agents.py", "M"), ("backend/app/new.py", "A"))
]
ONE = {
    "name": "DatabaseSessionManager", "path": "backend/app/db.py", "line": 4, "module": "app.db", "commit": "c0ffee1234",
}  # fmt: skip


@pytest.fixture
def case(evidence):
    """A case in which a NameError ends instances, with what a repository says."""

    def make(files=(), definitions=(), *, asked=True):
        rows = [
            {"log": "stderr", "at": "10:00:00", "revision": "chat-00139-aaa", "instance": "i", "text": TRACEBACK},
            {"log": "varlog%2Fsystem", "at": "10:00:01", "revision": "chat-00139-aaa", "instance": "i", "text": EXIT},
        ]
        revisions = [
            {"revision_name": "chat-00137-bbb", "create_time": "09:00:00"},
            {"revision_name": "chat-00139-aaa", "create_time": "09:59:00"},
        ]
        frames = {"logs": rows, "revisions": revisions, "files": list(files), "definitions": list(definitions)}
        read = evidence({"frames": frames})
        if asked:
            query = Query("files", "git diff-tree", "", "", len(files), 0, 0.1, ())
            object.__setattr__(read, "queries", (query,))
        return Case(read)

    return make


def test_files_of_a_traceback_come_first(case):
    """Of forty files that a deploy changed, the one that the traceback names is the one to open."""
    found = changed_files(case(FILES))
    assert list(found["path"]) == ["backend/app/agents.py", "README.md", "backend/app/new.py"]
    assert list(found["in_traceback"]) == [True, False, False]
    assert changed_files(case(FILES), "chat-00137-bbb").empty


@pytest.mark.parametrize(
    ("definitions", "line", "because"),
    [
        (
            [ONE],
            "from app.db import DatabaseSessionManager",
            "from app.db import DatabaseSessionManager in app/app/agents.py: DatabaseSessionManager is defined once in the "
            "repository at c0ffee1, in backend/app/db.py:4",
        ),
        (
            [ONE, ONE | {"path": "old/db.py", "line": 9}],
            "",
            "DatabaseSessionManager is defined 2 times at c0ffee1: backend/app/db.py:4, old/db.py:9; which one is meant "
            "cannot be told",
        ),
        (
            [ONE | {"path": "", "line": None, "module": None}],
            "",
            "DatabaseSessionManager is defined at the top of no Python module of the repository at c0ffee1",
        ),
        (
            [ONE | {"path": "backend/app/agents.py"}],
            "",
            "DatabaseSessionManager is defined in backend/app/agents.py:4, the very file that lacks it: it is used too "
            "early",
        ),
        (
            [ONE | {"path": "my-app/db.py", "module": ""}],
            "",
            "DatabaseSessionManager is defined once, in my-app/db.py:4, which no import can name",
        ),
    ],
)
def test_what_would_mend_a_missing_name(case, definitions, line, because):
    """An import is proposed where exactly one definition is found, and where not, why not."""
    made = case(FILES, definitions)
    (row,) = mends(made).to_dict("records")
    assert (row["import_line"], row["because"]) == (line, because)
    assert because in startup_exception.judge(made).remedy


def test_without_a_repository(case):
    """Nothing that was not looked at may read as nothing found."""
    made = case(asked=False)
    assert (changed_files(made).empty, mends(made).empty) == (True, True)
    words = "No repository was given: --repo DIR names the files that each deploy changed."
    assert str(sentences.repository(made)) == words
    assert "in the repository" not in startup_exception.judge(made).remedy


def test_the_repository_in_words(case):
    """The notebook's sentence must do for whoever reads nothing else."""
    assert str(sentences.repository(case(FILES, [ONE]))).split("\n") == [
        "00139: 3 files changed, of which a traceback names backend/app/agents.py.",
        "To mend it: from app.db import DatabaseSessionManager in app/app/agents.py: DatabaseSessionManager is defined once in "
        "the repository at c0ffee1, in backend/app/db.py:4.",
    ]
    assert str(sentences.repository(case())) == "No file changed between the commits of the revisions."


@pytest.mark.parametrize(
    ("path", "file", "same"), [("a/b.py", "b.py", True), ("b.py", "a/b.py", True), ("ab.py", "b.py", False)]
)
def test_one_file_in_two_folders(path, file, same):
    """An image has the repository's folders in another place."""
    assert is_same_file(path, file) is same
