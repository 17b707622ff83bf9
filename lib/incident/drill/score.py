"""How well a run did, against what is true: the right cause, the right revision, the right order, nobody innocent.

Reads a run's summary and the truth that a scenario states: `primary`, the name of the active primary cause, or `none`;
`introduced_by`, the revision that brought it, or null; `also`, other causes that are true and active; `order`, pieces
of titles in the order in which their errors first appeared. Everything else that a summary blames is innocent: a cause
that is failed and active beside these, and a change that is said to have broken something beside the one that did. It
cannot tell whether the words around a finding are right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ASKED = ("cause", "revision", "order", "innocent")
"""What a run is scored by."""


@dataclass(frozen=True)
class Score:
    """One run's score: for each of ASKED, an empty text where it is right, else what is wrong."""

    run: str
    wrong: Mapping[str, str]

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())

    def line(self) -> str:
        """The score on a line.

        >>> Score("x", dict.fromkeys(ASKED, "")).line()
        'x: cause ok, revision ok, order ok, innocent ok'
        """
        return f"{self.run}: " + ", ".join(f"{name} {self.wrong[name] or 'ok'}" for name in ASKED)


def score(run: str, truth: Mapping[str, Any], summary: Mapping[str, Any]) -> Score:
    """The score of a run's summary against the truth."""
    active = [cause for cause in summary["causes"] if cause["status"] == "failed" and cause["active"]]
    first = active[0] if active else {"cause": "none", "introduced_by": None}
    return Score(
        run,
        {
            "cause": _unlike(truth["primary"], first["cause"]),
            "revision": _unlike(truth.get("introduced_by"), first["introduced_by"]),
            "order": _order(truth.get("order", []), [row["title"] for row in summary["error_sequence"]]),
            "innocent": _innocent(truth, active, summary["changes"]),
        },
    )


def _unlike(wanted: Any, found: Any) -> str:
    return "" if wanted == found else f"WRONG ({found}, not {wanted})"


def _order(wanted: Sequence[str], titles: Sequence[str]) -> str:
    """Wrong where a piece is in no title, or first appears before the one that comes before it."""
    places = [next((at for at, title in enumerate(titles) if piece in title), -1) for piece in wanted]
    if -1 in places:
        return f"WRONG (no error {wanted[places.index(-1)]!r})"
    return "" if places == sorted(places) else f"WRONG ({' before '.join(titles[at] for at in sorted(places))})"


def _innocent(
    truth: Mapping[str, Any], active: Sequence[Mapping[str, Any]], changes: Sequence[Mapping[str, Any]]
) -> str:
    """Who is blamed and did nothing."""
    guilty = {truth["primary"], *truth.get("also", [])}
    blamed = [cause["cause"] for cause in active if cause["cause"] not in guilty]
    brought = {truth.get("introduced_by"), *truth.get("broke", [])}
    broke = [change["revision"] for change in changes if change["effect"] == "broke" and change["revision"]]
    blamed += [name for name in broke if name not in brought and not _is_past(name, truth)]
    return f"WRONG ({', '.join(blamed)})" if blamed else ""


def _is_past(revision: str, truth: Mapping[str, Any]) -> bool:
    """Whether nothing is active any more: then what broke once has been mended, and is no longer blamed."""
    return bool(revision) and truth["primary"] == "none"
