"""Of which service an export is: what the parameters say, and what its files say where they do not.

Decides: project, region and service, if exactly one of each fits. Reads `service.json`, `revisions.json`, and
`logs.json` only where these do not say enough. Builds are not asked: a project of their own often makes them. Cannot
tell: the project's id from resources in v1 form, which carry its number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from incident.findings import UsageError
from incident.http1 import printable
from incident.scope import Parameters
from incident.sources import rest
from incident.sources.export_files import file_of, folder_of
from incident.sources.file_texts import Unreadable
from incident.sources.json_files import Refused, parts, values
from incident.sources.rest import UNREADABLE, Identity

IDENTITY = ("service", "region", "project")
"""The parts of an identity, the one that narrows most first."""


def fits(said: Identity, known: Identity) -> bool:
    """Whether two identities may be the same one: no part that both say differs."""
    return all(one in ("", other) or not other for one, other in zip(said, known, strict=True))


def service_of(parameters: Parameters) -> tuple[Identity, list[str]]:
    """The one service that an export is asked for, and the note that says what was read from its files.

    A part that no parameter gives is what `service.json` says, else `revisions.json`, else the entries. Where these
    say none or several, and where they contradict a parameter, it is a `UsageError`.
    """
    folder, given = folder_of(parameters.source), _given(parameters)
    known = given
    for kind in ("service", "revisions", "logs"):
        if kind != "logs" or not all(known):
            held = identities(folder, kind)
            _check_given(given, held, parameters.source, kind)
            known = _narrowed(known, [said for said in held if fits(said, known)], kind)
    for name in IDENTITY:
        if not getattr(known, name):
            words = f"parameter '{name}' is empty, and no file of {parameters.source} says it"
            raise UsageError(f"{words}: give --{name} VALUE")
    read = [name for name in IDENTITY if not getattr(given, name)]
    Parameters.read(asdict(parameters) | known._asdict())
    named = ", ".join(f"{name} {getattr(known, name)!r}" for name in read)
    return known, [f"{named}: read from the files of {parameters.kept().source}"] if read else []


def _given(parameters: Parameters) -> Identity:
    return Identity(parameters.project, parameters.region, parameters.service)


class Origin(msgspec.Struct, rename="camel", gc=False, kw_only=True):
    """The fields of a log entry that say of which service it is."""

    log_name: str
    resource: msgspec.Raw = msgspec.Raw()


def identities(folder: Path, kind: str) -> list[Identity]:
    """The services that a file's values are of, each once, sorted; what cannot be read is of none."""
    found: set[Identity | None] = set()
    file = file_of(folder, kind)
    try:
        for value in (_origins(file) if kind == "logs" else values(file)) if file else ():
            try:
                found.add(rest.identity(value))
            except UNREADABLE:
                continue
    except Unreadable:
        pass
    return sorted(identity for identity in found if identity)


def _origins(file: Path) -> Iterator[Any]:
    """Log entries without what does not say of which service they are; of those that are alike, some."""
    decode = msgspec.json.Decoder(list[Origin]).decode
    for part in parts(
        file, decode, lambda found: {(each.log_name, bytes(each.resource)) for each in found}, UNREADABLE
    ):
        if isinstance(part, Refused):
            yield json.loads(part.text)
        else:
            yield from ({"logName": log, "resource": json.loads(resource or "{}")} for log, resource in part)


def _check_given(given: Identity, held: Sequence[Identity], source: str, kind: str) -> None:
    for name in IDENTITY:
        said = sorted({getattr(identity, name) for identity in held} - {""})
        if (wanted := getattr(given, name)) and said and wanted not in said:
            raise UsageError(f"parameter '{name}' is {wanted!r}: {kind}.json of {source} holds {_listed(said)}")


def _narrowed(known: Identity, held: Sequence[Identity], kind: str) -> Identity:
    """What is known, and what one file says beside it."""
    for name in IDENTITY:
        said = sorted({getattr(identity, name) for identity in held if fits(identity, known)} - {""})
        if getattr(known, name) or not said:
            continue
        if len(said) > 1:
            raise UsageError(f"parameter '{name}' is empty, and {kind}.json holds {_listed(said)}: give --{name} VALUE")
        known = known._replace(**{name: said[0]})
    return known


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(printable(repr(name)) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
