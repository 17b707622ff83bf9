"""A traceback is read for its exception and the innermost frame of the application's own code."""

import pytest

from incident.analysis.tracebacks import read_traceback

NAME_ERROR = """Traceback (most recent call last):
  File "/usr/local/lib/python3.11/importlib/__init__.py", line 126, in import_module
    return _bootstrap._gcd_import(name[level:], package, level)
  File "/srv/app/main.py", line 3, in <module>
    import registry
  File "/srv/app/agents/registry.py", line 9, in build
    DatabaseSessionManager()
NameError: name 'DatabaseSessionManager' is not defined"""

IN_A_LIBRARY = """Traceback (most recent call last):
  File "/srv/app/db.py", line 4, in connect
    psycopg.connect(url)
  File "/usr/lib/python3.11/site-packages/psycopg/connection.py", line 99, in connect
    raise ex
psycopg.OperationalError: connection refused"""

CHAINED = f"""{IN_A_LIBRARY}

The above exception was the direct cause of the following exception:

{NAME_ERROR}"""


@pytest.mark.parametrize(
    ("text", "title", "where"),
    [
        (NAME_ERROR, "NameError: DatabaseSessionManager", ("app/agents/registry.py", 9, "build")),
        (IN_A_LIBRARY, "OperationalError: connection refused", ("app/db.py", 4, "connect")),
        (CHAINED, "NameError: DatabaseSessionManager", ("app/agents/registry.py", 9, "build")),
        (NAME_ERROR.replace("\nNameError", "\nroom 7 opened\nNameError"), "NameError: DatabaseSessionManager", ("app/agents/registry.py", 9, "build")),
        ("noise before\n" + NAME_ERROR + "\nnoise after", "NameError: DatabaseSessionManager", ("app/agents/registry.py", 9, "build")),
        ("Traceback (most recent call last):\nModuleNotFoundError: No module named 'app.x'", "ModuleNotFoundError: app.x", ("", 0, "")),
        ('Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyboardInterrupt', "KeyboardInterrupt", ("a.py", 1, "f")),
    ],
)  # fmt: skip
def test_read_traceback(text, title, where):
    """The frame blamed is the application's, not the library's that raised; of a chain, the exception that ended it."""
    read = read_traceback(text)
    assert (read.title, (read.file, read.line, read.function)) == (title, where)


@pytest.mark.parametrize("text", ["", None, "Traceback (most recent call last):", "NameError: name 'x' is not defined"])
def test_no_traceback(text):
    """A header without an exception, or an exception's name in prose, is no traceback."""
    assert read_traceback(text) is None
