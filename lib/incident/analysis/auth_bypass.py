"""auth-bypass-closed: whether what lets end-to-end tests in lets nobody in to production.

Decides by two things. The door: what the probe's handshakes with and without a test header came to. The environment:
what the test variables of the revisions that serve amount to, in the words that `sources.bypass` found before the
values were redacted. Reads `endpoint_handshakes`, `revisions` and `service`. Cannot tell: who refused, so a door that
Cloud Run's own access control closed counts as closed; what the application does with a variable; whether a key is
known to others. No key is ever tried.

How the two combine, the worst first:

- failed: a test header was accepted where a handshake without one was refused, or a key of a test variable is
  guessable, whoever has tried it.
- skipped: nothing was probed at all (a recorded source without handshakes), and nothing above was found.
- uncertain: a test variable is switched on, though the probe's headers were refused: its name does not say what it
  lets in; or either of the two is not known.
- ok: the test headers were refused, and of the test variables, if there are any, none is on and no key guessable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from incident.analysis.changes import short_name
from incident.analysis.detection import answers, deed, joined, listed
from incident.evidence import Evidence
from incident.findings import Check, Status
from incident.sources.bypass import GUESSABLE, NOT_GUESSABLE, NOT_KNOWN, OFF_WORD, SWITCHED_ON, bypass_variables

PRODUCTION = re.compile(r"(?:^|[-_.\s])(?:prod|production|live)(?:$|[-_.\s])")
EXPECTED = "test headers are refused"

FINE = frozenset({OFF_WORD, NOT_GUESSABLE})


class Known(NamedTuple):
    """What one of the two things came to, and the words for it."""

    state: str
    words: str


def auth_bypass_closed(evidence: Evidence) -> Check:
    """The check `auth-bypass-closed`; `skipped`, with its reason, where the service is not production.

    Its kind is `log`: it is judged from what was gathered, and counted apart from the handshakes.
    """
    names = [evidence.scope.service, *map(str, _labels(evidence.service))]
    if not any(PRODUCTION.search(name) for name in names):
        because = "the service is not named or labelled production"
        return Check("auth-bypass-closed", "log", EXPECTED, "", "skipped", because)
    at_door, inside = door(evidence), environment(evidence)
    status, because = judged(at_door, inside)
    observed = {"open": "a test header was accepted", "closed": "test headers were refused"}.get(at_door.state, "")
    return Check("auth-bypass-closed", "log", EXPECTED, observed, status, because)


def judged(at_door: Known, inside: Known) -> tuple[Status, str]:
    """The status and its reason, by the order of the module's docstring."""
    if at_door.state == "open" or inside.state == "guessable":
        found = [known.words for known in (at_door, inside) if known.state in ("open", "guessable", "on")]
        return "failed", "; ".join(found)
    if at_door.state == "not tried" and inside.state != "on":
        return "skipped", at_door.words
    doubts = [known.words for known in (inside, at_door) if known.state not in ("closed", "clean")]
    if doubts:
        return "uncertain", "; ".join(doubts)
    return "ok", f"{at_door.words}; {inside.words}"


def door(evidence: Evidence) -> Known:
    """`open`, `closed`, `unknown`, or `not tried`: what handshakes with and without a test header came to."""
    if evidence.endpoint_handshakes.empty:
        gap = evidence.gap("handshakes")
        return Known("not tried", gap.reason if gap else "no handshake was tried")
    found = answers(evidence.endpoint_handshakes)
    if found.reason or found.bare is None:
        return Known("unknown", found.reason)
    without = deed("a handshake without a header", found.bare.seen)
    if found.bare.came == "accepted":
        return Known("unknown", f"{without} too, so the probe cannot tell what a test header lets in")
    any_value = ", a wrong value of it was accepted too" if found.takes_any_value else ""
    words = f"{listed(found.headed('accepted', 'refused', 'other'))}{any_value}, {without}"
    if found.headed("accepted") or found.takes_any_value:
        return Known("open", words)
    return Known("unknown" if found.headed("other") else "closed", words)


def environment(evidence: Evidence) -> Known:
    """`guessable`, `on`, `unknown` or `clean`: the worst that the test variables of the serving revisions amount to."""
    rows = {row["revision_name"]: row for row in evidence.revisions.to_dict("records")}
    found = [_worst(name, facts(rows[name]) if name in rows else None) for name in evidence.serving()]
    found = found or [Known("unknown", "which revision serves now is not known")]
    return min(found, key=lambda known: ("guessable", "on", "unknown", "clean").index(known.state))


def facts(revision: Mapping[str, object]) -> dict[str, str] | None:
    """The words for each test variable of a revision; `not known` where no value was seen; None without environment.

    A recording from before values were judged has the variables' names alone.
    """
    if isinstance(judged_before := revision["bypass"], str):
        return dict(json.loads(judged_before))
    if not isinstance(names := revision["environment"], str):
        return None
    return dict.fromkeys(bypass_variables(json.loads(names)), NOT_KNOWN)


def _worst(revision_name: str, found: Mapping[str, str] | None) -> Known:
    where = f"on {short_name(revision_name)}"
    if found is None:
        return Known("unknown", f"the environment {where} is not known")
    by_state = {
        "guessable": {name: words for name, words in found.items() if words.startswith(GUESSABLE)},
        "on": {name: words for name, words in found.items() if words == SWITCHED_ON},
        "unknown": {name: words for name, words in found.items() if words not in FINE},
    }
    for state, some in by_state.items():
        if some:
            return Known(state, f"{where}, {_told(some)}")
    names = joined(sorted(found))
    return Known("clean", f"{where}, no key is guessable and no switch is on ({names})" if found else _none(where))


def _none(where: str) -> str:
    return f"{where}, no test variable is set"


def _told(found: Mapping[str, str]) -> str:
    """Variables by the word for them: `the value of E2E_KEY is guessable (short)`."""
    by_words: dict[str, list[str]] = {}
    for name, words in sorted(found.items()):
        by_words.setdefault(words, []).append(name)
    told = []
    for words, names in by_words.items():
        kind, _, reasons = words.partition(": ")
        told.append(f"the value of {joined(names)} is {kind}{f' ({reasons})' if reasons else ''}")
    return ", ".join(told)


def _labels(service: pd.DataFrame) -> list[object]:
    return [value for text in service["labels"].dropna() for value in json.loads(text).values()]
