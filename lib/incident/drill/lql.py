"""The part of the Logging query language that our sources send, and a strict refusal of everything else.

A filter is comparisons of known fields, in parentheses or not, joined by AND, OR or a new line (which is AND); OR
binds tighter than AND, the reverse of Python (docs.cloud.google.com/logging/docs/view/logging-query-language). Strings
compare without regard to case. It cannot do substring, regular expression, negation or comments: they raise
`FilterError`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from incident import platform
from incident.drill.entries import nanoseconds

Predicate = Callable[[Any], bool]

MAX_FILTER = 20_000
"""Characters that a filter may have (docs.cloud.google.com/logging/quotas)."""


class FilterError(ValueError):
    """The filter is not one that is understood here; the message names the piece."""


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}

_TOKEN = re.compile(
    r"""(?P<newline>[ \t\r]*\n\s*)|(?P<space>[ \t\r]+)|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<operator>>=|<=|=(?!~)|>|<)
    |(?P<open>\()|(?P<close>\))|(?P<word>[A-Za-z_][\w.\-]*)""",
    re.VERBOSE,
)

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def parse_time(text: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time with up to nine digits of a second.

    >>> parse_time("1970-01-01T00:00:01.000000002Z")
    1000000002
    """
    if not (match := _TIME.fullmatch(text)):
        raise FilterError(f'"{text}" is not an RFC 3339 time')
    try:
        moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    except ValueError as error:
        raise FilterError(f'"{text}" is not an RFC 3339 time') from error
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


def parse_severity(text: str) -> int:
    """A severity's number."""
    if text.upper() not in platform.SEVERITIES:
        raise FilterError(f"{text!r} is not a severity: use one of {', '.join(platform.SEVERITIES)}")
    return platform.SEVERITIES[text.upper()]


@dataclass(frozen=True)
class Field:
    """How a field is read from an entry, how a value in a filter is read, and whether it has an order."""

    read: Callable[[Any], Any]
    value: Callable[[str], Any] = str.casefold
    ordered: bool = False


LOG_FIELDS: Mapping[str, Field] = {
    "resource.type": Field(lambda entry: entry.resource.type.casefold()),
    "logName": Field(lambda entry: entry.log_name.casefold()),
    "insertId": Field(lambda entry: entry.insert_id.casefold()),
    "severity": Field(lambda entry: entry.severity, parse_severity, ordered=True),
    "timestamp": Field(lambda entry: nanoseconds(entry.timestamp), parse_time, ordered=True),
    "receiveTimestamp": Field(lambda entry: nanoseconds(entry.receive_timestamp), parse_time, ordered=True),
    "resource.labels.service_name": Field(lambda entry: entry.resource.labels.get("service_name", "").casefold()),
    "resource.labels.revision_name": Field(lambda entry: entry.resource.labels.get("revision_name", "").casefold()),
    "resource.labels.location": Field(lambda entry: entry.resource.labels.get("location", "").casefold()),
    "resource.labels.project_id": Field(lambda entry: entry.resource.labels.get("project_id", "").casefold()),
    "resource.labels.method": Field(lambda entry: entry.resource.labels.get("method", "").casefold()),
    "trace": Field(lambda entry: entry.trace.casefold()),
    "httpRequest.userAgent": Field(lambda entry: entry.http_request.user_agent.casefold()),
}
"""What a filter of log entries may name."""


def parse(text: str, known: Mapping[str, Field] = LOG_FIELDS) -> Predicate:
    """The predicate that a filter describes; an empty filter takes everything.

    Raises `FilterError` with the offending piece.

    >>> parse('severity>=ERROR OR severity:INFO')
    Traceback (most recent call last):
    incident.drill.lql.FilterError: unexpected ':INFO' at position 27
    """
    if len(text) > MAX_FILTER:
        raise FilterError(f"the filter has {len(text)} characters, at most {MAX_FILTER} are allowed")
    return _Parser(_tokens(text), known).whole()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str

    @property
    def joins(self) -> bool:
        return self.kind == "word" and self.text in ("AND", "OR")


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        if not (match := _TOKEN.match(text, at)):
            raise FilterError(f"unexpected {text[at : at + 20]!r} at position {at}")
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match[0]))
        at = match.end()
    return _lines_joined(tokens)


def _lines_joined(tokens: list[_Token]) -> list[_Token]:
    """A new line between two comparisons is AND; anywhere else it is a space."""
    joined: list[_Token] = []
    for token, after in zip(tokens, [*tokens[1:], None], strict=False):
        if token.kind != "newline":
            joined.append(token)
        elif joined and after and joined[-1].kind in ("text", "word", "close") and not joined[-1].joins:
            joined += [] if after.joins or after.kind == "close" else [_Token("word", "AND")]
    return joined


class _Parser:
    """Recursive descent: `filter := any (AND any)*`, `any := term (OR term)*`, `term := ( filter ) | comparison`."""

    def __init__(self, tokens: list[_Token], known: Mapping[str, Field]) -> None:
        self._tokens, self._known = tokens, known

    def whole(self) -> Predicate:
        if not self._tokens:
            return lambda entry: True
        predicate = self._all()
        if self._tokens:
            raise FilterError(f"unexpected {self._tokens[0].text!r}")
        return predicate

    def _all(self) -> Predicate:
        predicates = [self._any()]
        while self._accept("word", "AND"):
            predicates.append(self._any())
        return lambda entry: all(predicate(entry) for predicate in predicates)

    def _any(self) -> Predicate:
        predicates = [self._term()]
        while self._accept("word", "OR"):
            predicates.append(self._term())
        return lambda entry: any(predicate(entry) for predicate in predicates)

    def _term(self) -> Predicate:
        if not self._accept("open"):
            return self._comparison()
        predicate = self._all()
        self._expect("close", "a closing parenthesis")
        return predicate

    def _comparison(self) -> Predicate:
        name = self._expect("word", "a field").text
        if name not in self._known:
            raise FilterError(f"field {name!r} is not known: use one of {', '.join(self._known)}")
        field, sign = self._known[name], self._expect("operator", f"a comparison after {name!r}").text
        if sign != "=" and not field.ordered:
            raise FilterError(f"{name!r} cannot be compared with {sign!r}")
        values, compare = [field.value(text) for text in self._values(name)], OPERATORS[sign]
        return lambda entry: any(compare(field.read(entry), value) for value in values)

    def _values(self, name: str) -> list[str]:
        if not self._accept("open"):
            return [self._value(name)]
        values = [self._value(name)]
        while self._accept("word", "OR"):
            values.append(self._value(name))
        self._expect("close", f"OR or a closing parenthesis after the values of {name!r}")
        return values

    def _value(self, name: str) -> str:
        if name == "severity" and (word := self._accept("word")):
            return word.text
        return re.sub(r"\\(.)", r"\1", self._expect("text", f"a quoted value for {name!r}").text[1:-1])

    def _accept(self, kind: str, text: str | None = None) -> _Token | None:
        if self._tokens and self._tokens[0].kind == kind and text in (None, self._tokens[0].text):
            return self._tokens.pop(0)
        return None

    def _expect(self, kind: str, words: str) -> _Token:
        if token := self._accept(kind):
            return token
        raise FilterError(f"expected {words}, found {self._tokens[0].text if self._tokens else 'the end'!r}")
