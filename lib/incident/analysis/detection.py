"""What lets an end-to-end test in: a header of its handshake, or a variable of the revision's environment.

Decides: which of the two, from handshakes that differ in nothing but a header (the matrices `headers` and `e2e`), and
from what earlier changes of such variables did. Reads: `endpoint_handshakes`, `revisions`, and the changes with their
effects. Cannot tell: who refused, the application or something before it; what a variable would do that nobody changed
within the window.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from incident.analysis.changes import short_name
from incident.findings import Key
from incident.frames import keys
from incident.handshake import observed
from incident.sources.bypass import bypass_variables

if TYPE_CHECKING:
    from incident.analysis.case import Case

WITHOUT_HEADER: Final = ("no-header", "no-header-refused")
WITH_HEADER: Final = ("x-test-type", "x-e2e-test", "both-headers", "other-case")
WRONG_VALUE: Final = "wrong-value"
"""The checks of the matrices `headers` and `e2e` whose handshakes differ in nothing but a header."""

REFUSALS: Final = frozenset({401, 403})
REFUSING_CLOSES: Final = frozenset({1008, 3000, 3003, 4401, 4403})
"""Policy violation (RFC 6455 7.4.1), unauthorized and forbidden (IANA's registry), and what many use for the same."""

Decider = Literal["header", "environment", "neither", "nothing", "unknown"]


@dataclass(frozen=True)
class Answer:
    """What a check came to: `accepted`, `refused`, or `other` where it was neither, and what was seen in few words."""

    check: str
    came: str
    seen: str


@dataclass(frozen=True)
class Answers:
    """The answers to handshakes that differ in a header, in the order they were tried; `evidence` names their rows."""

    rows: tuple[Answer, ...] = ()
    evidence: tuple[tuple[str, Key], ...] = ()

    def headed(self, *came: str) -> list[Answer]:
        """The answers to a test header that came to one of these."""
        return [answer for answer in self.rows if answer.check in WITH_HEADER and answer.came in came]

    @property
    def bare(self) -> Answer | None:
        """The answer to the handshake without a header, the last one; None where none was tried."""
        return next((answer for answer in reversed(self.rows) if answer.check in WITHOUT_HEADER), None)

    @property
    def takes_any_value(self) -> bool:
        """Whether a wrong value of the header was accepted too."""
        return Answer(WRONG_VALUE, "accepted", "accepted") in self.rows

    @property
    def reason(self) -> str:
        """Why nothing follows from these answers; empty where something does."""
        tried = self.headed("accepted", "refused", "other")
        if not self.bare or not tried:
            missing = "with a test header" if self.bare else "without a header"
            return f"no handshake {missing} was tried: run the matrix headers or e2e"
        if self.bare.came == "other" or not self.headed("accepted", "refused"):
            return f"{listed([self.bare, *tried])}, which does not show who is let in"
        return ""


@dataclass(frozen=True)
class Variable:
    """A variable of the serving revision whose name speaks of a test, and what its changes did.

    `changed` are the revisions' numbers, oldest first; `effect` is that of the changes: broke or fixed where one did,
    else unknown where one could not be judged, else none; empty where no change of it is known.
    """

    name: str
    effect: str = ""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Detection:
    """What decides: `header`, `environment`, `neither` (all are refused), `nothing` (all are let in), or `unknown`.

    `because` is the sentence for it, without its capital and its stop; `notes` are sentences beside it. `evidence`
    names the rows that it rests on as (frame, key columns as text).
    """

    decides: Decider
    because: str
    notes: tuple[str, ...] = ()
    evidence: tuple[tuple[str, Key], ...] = field(default=(), repr=False)


def detection(case: Case) -> Detection:
    """What decides on the serving revision; see `decided` for the rule."""
    found = answers(case.evidence.endpoint_handshakes)
    serving = case.serving[0] if case.serving else ""
    return decided(found, variables(case.evidence.revisions, case.changes, serving), serving)


def answers(handshakes: pd.DataFrame) -> Answers:
    """The answers to the handshakes of WITHOUT_HEADER, WITH_HEADER and WRONG_VALUE; a skipped one was not tried."""
    tried = handshakes[(handshakes["kind"] == "websocket") & (handshakes["status"] != "skipped")]
    tried = tried[tried["name"].isin([*WITHOUT_HEADER, *WITH_HEADER, WRONG_VALUE])]
    rows = [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in tried.to_dict("records")
    ]
    found = tuple(Answer(str(row["name"]), _came(row), observed(row)) for row in rows)
    return Answers(found, keys("handshakes", tried))


def decided(found: Answers, known: Sequence[Variable], revision_name: str) -> Detection:
    """What decides, from the answers and the variables of the serving revision.

    - A handshake without a header was refused (401, 403, or a close that says the same) and one that differs from it
      by a header alone was let in: `header`.
    - All are answered alike, and a change of a variable alone fixed or broke requests: `environment`.
    - All refused: `neither`. All let in: `nothing`, if no variable is set or each was seen to change nothing.
    - Else `unknown`, with its reason.
    """
    decides, because = _decided(found, known)
    evidence = found.evidence + ((("revisions", (revision_name,)),) if known else ())
    words = "; ".join(filter(None, [because, variable_words(known, short_name(revision_name))]))
    return Detection(decides, words, _notes(found, decides), evidence)


def _decided(found: Answers, known: Sequence[Variable]) -> tuple[Decider, str]:
    bare, accepted, others = found.bare, found.headed("accepted"), found.headed("refused", "other")
    if found.reason or bare is None:
        return "unknown", found.reason
    without = deed("a handshake without a header", bare.seen)
    if bare.came == "refused" and accepted:
        return "header", f"{listed([*accepted, *others])}, {without}"
    if found.headed("other") or (bare.came == "accepted" and others):
        return "unknown", f"the answers do not agree: {listed([*accepted, *others])}, {without}"
    return _alike(bare.came, known)


def _alike(bare: str, known: Sequence[Variable]) -> tuple[Decider, str]:
    """What decides where a header makes no difference."""
    alike = f"every handshake was {bare}, with a test header and without"
    if any(variable.effect in ("broke", "fixed") for variable in known):
        return "environment", alike
    if bare == "refused":
        return "neither", alike
    if all(variable.effect == "none" for variable in known):
        return "nothing", alike
    return "unknown", f"{alike}, and what the variables do was not measured"


def variables(revisions: pd.DataFrame, changes: pd.DataFrame, revision_name: str) -> list[Variable]:
    """The variables of one revision whose name speaks of a test, with what their changes did up to it."""
    own = revisions.loc[revisions["revision_name"] == revision_name, "environment"].dropna()
    environment = json.loads(own.iloc[0]) if len(own) else {}
    return [_variable(name, changes.to_dict("records")) for name in bypass_variables(environment)]


def _variable(name: str, changes: Iterable[Mapping[str, Any]]) -> Variable:
    """A variable with its changes; one that came with an image, or a setting, shows nothing of its own effect."""
    own = [change for change in changes if any(field.split(" ")[0] == f"env.{name}" for field in change["fields"])]
    effects = {_effect(change) for change in own}
    effect = next((effect for effect in ("broke", "fixed", "unknown", "none") if effect in effects), "")
    return Variable(name, effect, tuple(short_name(change["revision_name"]) for change in own))


def _effect(change: Mapping[str, Any]) -> str:
    alone = set(change["kinds"]) <= {"environment", "secret"} and not change["confounded"]
    return str(change["effect"]) if alone else "unknown"


EFFECTS: Final = {
    "none": "changed nothing", "fixed": "fixed requests", "broke": "broke requests",
    "unknown": "had an effect that cannot be told", "": "did not change within the window",
}  # fmt: skip


def variable_words(known: Sequence[Variable], revision: str) -> str:
    """The variables and what their changes did, those of one effect together.

    >>> variable_words([Variable("E2E_TEST_ENV", "none", ("00136",)), Variable("E2E_KEY", "none", ("00136",))], "00137")
    'the variables E2E_TEST_ENV and E2E_KEY are set on 00137 and changed nothing in 00136'
    """
    if not known:
        return ""
    names = joined([variable.name for variable in known])
    first = f"the variable{'s' if len(known) > 1 else ''} {names} {'are' if len(known) > 1 else 'is'} set on {revision}"
    parts = [[variable for variable in known if variable.effect == effect] for effect in EFFECTS]
    told = [(joined([variable.name for variable in part]), _effect_words(part)) for part in parts if part]
    if len(told) == 1:
        return f"{first} and {told[0][1]}"
    return f"{first}: {', '.join(f'{names} {words}' for names, words in told)}"


def _effect_words(part: Sequence[Variable]) -> str:
    numbers = sorted({number for variable in part for number in variable.changed})
    return EFFECTS[part[0].effect] + (f" in {joined(numbers)}" if numbers else "")


def _notes(found: Answers, decides: Decider) -> tuple[str, ...]:
    if decides == "header" and found.takes_any_value:
        return ("a wrong value of the header was accepted too: that it is there decides, not its value",)
    return ()


def _came(row: Mapping[str, Any]) -> str:
    """`accepted`, `refused`, or `other`: an answer of neither sort, or none."""
    if row["verdict"] == "accepted" and row["close_code"] is None:
        return "accepted"
    refused = row["verdict"] == "refused" and row["http_status"] in REFUSALS
    closed = row["verdict"] == "accepted" and row["close_code"] in REFUSING_CLOSES
    return "refused" if refused or closed else "other"


def listed(found: Iterable[Answer]) -> str:
    """What checks came to, those of one answer together.

    >>> listed([Answer("x-test-type", "accepted", "accepted"), Answer("x-e2e-test", "refused", "refused 403")])
    'x-test-type was accepted, x-e2e-test was refused with 403'
    """
    by_words: dict[str, list[str]] = {}
    for answer in found:
        by_words.setdefault(answer.seen, []).append(answer.check)
    return ", ".join(
        deed(joined(names), seen, "was" if len(names) == 1 else "were") for seen, names in by_words.items()
    )


def deed(who: str, seen: str, verb: str = "was") -> str:
    """What was seen of something, as a clause.

    >>> deed("x-test-type", "no answer at connect"), deed("x-e2e-test", "refused 403")
    ('x-test-type gave no answer at connect', 'x-e2e-test was refused with 403')
    """
    if seen.startswith("no answer"):
        return f"{who} gave {seen}"
    return f"{who} {verb} {seen.replace('refused ', 'refused with ', 1)}"


def joined(names: Sequence[str]) -> str:
    """Names as prose lists them.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
