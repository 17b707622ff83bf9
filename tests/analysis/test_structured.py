"""What structured loggers write, by the names of their own fields."""

import json

import pandas as pd
import pytest

from incident.analysis.structured import LONGEST_DOCUMENT, structured


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"level": 50, "time": 1, "pid": 7, "name": "chat", "msg": "lost"}, ("lost", "chat", True)),  # pino
        ({"level": 30, "msg": "joined"}, ("joined", "", False)),
        ({"level": 60, "err": {"type": "Error", "message": "no room"}}, ("no room", "", True)),
        ({"level": "error", "message": "lost", "service": "chat"}, ("lost", "", True)),  # winston
        ({"level": "error", "ts": 1.5, "logger": "db", "caller": "a.go:1", "msg": "lost"}, ("lost", "db", True)),  # zap
        ({"level": "ERROR", "msg": "lost"}, ("lost", "", True)),  # slog
        ({"event": "lost", "level": "critical", "logger": "app"}, ("lost", "app", True)),  # structlog
        ({"message": "lost", "levelname": "ERROR", "name": "app"}, ("lost", "app", True)),  # python-json-logger
        ({"message": "lost", "level": "ERROR", "logger_name": "a.B"}, ("lost", "a.B", True)),  # logback
        ({"message": "lost", "level": "WARN", "loggerName": "a.B"}, ("lost", "a.B", False)),  # log4j
        ({"severity": "INFO", "level": "error", "message": "x"}, ("x", "", False)),  # Google's own name counts first
        ({"error": "lost", "level": "fatal"}, ("lost", "", True)),
        ({"message": "", "msg": "x", "level": True}, ("x", "", False)),
        ({"message": {"nested": 1}, "logger": 7}, ("", "", False)),
        ({"name": "a\x1b[31mb", "msg": "x"}, ("x", "a\ufffd[31mb", False)),
    ],
)
def test_documents(document, said):
    """Each logger names the same things differently, and a team's logs must not depend on its choice."""
    assert tuple(structured(pd.Series([json.dumps(document)]))[["message", "logger", "severe"]].iloc[0]) == said


@pytest.mark.parametrize("text", [None, "", "{", "[1]", "7", '{"msg": "' + "x" * LONGEST_DOCUMENT + '"}'])
def test_what_is_no_such_document_says_nothing(text):
    """A payload is somebody else's text, and what cannot be read must neither stop a run nor be made up."""
    assert tuple(structured(pd.Series([text, "{}"], dtype="str", index=[5, 9])).loc[5]) == ("", "", "", False)


STACK = "Error: lost\n    at join (/app/rooms.js:3:1)"


@pytest.mark.parametrize(
    "document",
    [
        {"msg": "lost", "err": {"type": "Error", "message": "lost", "stack": STACK}},  # pino
        {"message": "lost", "stack": STACK},  # winston
        {"msg": "lost", "stacktrace": STACK},  # zap
        {"message": "lost", "exc_info": STACK},  # python-json-logger
        {"event": "lost", "exception": STACK},  # structlog
        {"message": "lost", "stack_trace": STACK},  # logback
        {"message": "lost", "exception": {"stacktrace": STACK}},  # log4j
        {"message": "lost", "stack": ["a"], "error": {"stackTrace": STACK}},
    ],
)
def test_stack_traces(document):
    """A stack trace beside the message is the one that says where it broke."""
    assert structured(pd.Series([json.dumps(document)])).loc[0, "stack"] == STACK
