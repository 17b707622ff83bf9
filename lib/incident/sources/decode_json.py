"""A protobuf Struct as JSON text: sorted names, whole numbers without the ".0" that a Struct's doubles bring.

Decides how a value is written that JSON does not have: a number that is none is a text, "NaN", "Infinity" or
"-Infinity", as protobuf's own JSON writes a double; a value without a kind is null. Written directly, since going
through dictionaries costs half of the time again. Source: protobuf.dev/programming-guides/json.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring as quoted
from typing import Any

from google.protobuf.struct_pb2 import Struct


def struct_text(struct: Struct) -> str:
    """A Struct as one line of JSON.

    >>> made = Struct()
    >>> made.update({"n": 3, "deep": {"share": 0.5, "none": None}, "all": ["é", True, float("inf")]})
    >>> print(struct_text(made))
    {"all": ["é", true, "Infinity"], "deep": {"none": null, "share": 0.5}, "n": 3}
    """
    fields = struct.fields
    return "{" + ", ".join([f"{quoted(name)}: {_text(fields[name])}" for name in sorted(fields)]) + "}"


def _text(value: Any) -> str:
    return WRITTEN[value.WhichOneof("kind")](value)


def _number(number: float) -> str:
    if number.is_integer():
        return str(int(number))
    if number - number == 0:
        return repr(number)
    return '"NaN"' if number != number else '"Infinity"' if number > 0 else '"-Infinity"'


WRITTEN: dict[str | None, Callable[[Any], str]] = {
    "string_value": lambda value: quoted(value.string_value),
    "number_value": lambda value: _number(value.number_value),
    "bool_value": lambda value: "true" if value.bool_value else "false",
    "struct_value": lambda value: struct_text(value.struct_value),
    "list_value": lambda value: "[" + ", ".join([_text(part) for part in value.list_value.values]) + "]",
    "null_value": lambda value: "null",
    None: lambda value: "null",
}
"""How a value of each kind is written."""
