"""What the repository says of the code: the files that each revision changed, and the import that would mend a name.

Reads the frames `files` and `definitions`, which are there where `--repo` named a repository, and the tracebacks of
the errors. A file of a traceback is one of the repository where the ends of their paths are the same. It cannot tell
which of several definitions was meant, nor whether a changed file is the reason; that it was touched is all there is.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import pandas as pd

from incident.analysis.tracebacks import missing_name, read_traceback

if TYPE_CHECKING:
    from incident.analysis.case import Case

FILE_COLUMNS = ("revision_name", "previous", "path", "change", "old_path", "in_traceback")
MEND_COLUMNS = ("name", "file", "import_line", "where", "count", "because")
MOST_SHOWN = 5
SHARED = 2
"""So many last parts of two paths are the same where they are one file: an image has other folders above."""


def changed_files(case: Case, revision_name: str | None = None) -> pd.DataFrame:
    """The files that revisions changed, of one or of all, with the columns of FILE_COLUMNS.

    `change` is git's letter: A added, M changed, D deleted, R moved, from `old_path`. `in_traceback` is whether a
    traceback in the window names the file; those come first within a revision, then by path.
    """
    files = case.evidence.files
    if revision_name is not None:
        files = files[files["revision_name"] == revision_name]
    raising = _raising_files(case)
    named = files["path"].map(lambda path: any(is_same_file(path, file) for file in raising)).astype("bool")
    order = {name: at for at, name in enumerate(case.evidence.revisions.sort_values("create_time")["revision_name"])}
    ordered = files.assign(in_traceback=named, age=files["revision_name"].map(order), rank=~named)
    return ordered.sort_values(["age", "rank", "path"], ignore_index=True)[list(FILE_COLUMNS)]


def mends(case: Case) -> pd.DataFrame:
    """What would mend each name that a traceback lacks, with the columns of MEND_COLUMNS, in order of the names.

    `file` is the file that lacks it, `import_line` the import where exactly one definition is found, else empty;
    `where` the definitions as path:line, `count` how many there are, `because` all of it in words. Empty where no
    repository was given.
    """
    lacking = _lacking(case)
    rows = []
    for name, found in case.evidence.definitions.groupby("name", sort=True):
        there = found[found["path"].fillna("") != ""].sort_values(["path", "line"])
        rows.append(_mend(str(name), lacking.get(str(name), ""), there, str(found["commit"].iloc[0])[:7]))
    return pd.DataFrame(rows, columns=list(MEND_COLUMNS))


def is_same_file(path: str, file: str) -> bool:
    """Whether a file of the repository is a traceback's, which knows it from another folder: the ends are the same.

    >>> is_same_file("backend/app/db.py", "app/db.py"), is_same_file("app/db.py", "/srv/app/db.py")
    (True, True)
    >>> is_same_file("app/db.py", "other/db.py"), is_same_file("db.py", "app/mydb.py")
    (False, False)
    """
    parts = [name.strip("/").split("/")[::-1] for name in (path, file)]
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(*parts, strict=False))))
    return shared >= min(SHARED, *map(len, parts))


def _mend(name: str, file: str, there: pd.DataFrame, commit: str) -> dict[str, object]:
    where = [f"{row.path}:{row.line}" for row in there.itertuples()]
    row: dict[str, object] = {"name": name, "file": file, "import_line": "", "where": where, "count": len(there)}
    if len(there) != 1:
        return row | {"because": _undecided(name, where, commit)}
    one = there.iloc[0]
    if file and is_same_file(one["path"], file):
        return row | {"because": f"{name} is defined in {where[0]}, the very file that lacks it: it is used too early"}
    if not one["module"]:
        return row | {"because": f"{name} is defined once, in {where[0]}, which no import can name"}
    line = f"from {one['module']} import {name}"
    lacks = f" in {file}" if file else ""
    because = f"{line}{lacks}: {name} is defined once in the repository at {commit}, in {where[0]}"
    return row | {"import_line": line, "because": because}


def _undecided(name: str, where: list[str], commit: str) -> str:
    if not where:
        return f"{name} is defined at the top of no Python module of the repository at {commit}"
    more = f" and {len(where) - MOST_SHOWN} more" if len(where) > MOST_SHOWN else ""
    places = ", ".join(where[:MOST_SHOWN]) + more
    return f"{name} is defined {len(where)} times at {commit}: {places}; which one is meant cannot be told"


def _raising_files(case: Case) -> set[str]:
    """The files of the application that the tracebacks in the window name."""
    found: set[str] = set()
    for traceback in map(read_traceback, _exceptions(case)):
        if traceback is not None:
            found |= {traceback.file, *(file for file, _ in traceback.frames)}
    return found - {""}


def _lacking(case: Case) -> dict[str, str]:
    """The file that lacks each missing name, as the last traceback says."""
    read = [traceback for traceback in map(read_traceback, _exceptions(case)) if traceback is not None]
    return {name: traceback.file for traceback in read if (name := missing_name(traceback.message))}


def _exceptions(case: Case) -> list[str]:
    """The texts of the exceptions, each once."""
    return list(case.entries.loc[case.entries["kind"] == "exception", "text"].dropna().drop_duplicates())
