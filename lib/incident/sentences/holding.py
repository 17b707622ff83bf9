"""Whether a fix holds, in words: the state, what was seen of it, and when and how to look again.

Decides the words only; `analysis.holds` judges. Cannot tell anything that is not in the case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from incident.sentences.words import Sentence, safe

if TYPE_CHECKING:
    from incident.analysis.case import Case

LEADS = {
    "holds": "It holds", "not yet": "Whether it holds cannot be judged yet", "broke again": "It broke again",
    "fails": "It does not work", "unknown": "Whether it holds cannot be told from this evidence",
}  # fmt: skip


def holds(case: Case) -> Sentence:
    """Whether the fix holds, and, where that is open, when to look again and with which command."""
    from incident.analysis.holds import holds as judged  # pandas, which a probe must not wait for

    if not case.fix.replaces:
        return Sentence("Nothing is known to be broken, so there is no fix that could hold.")
    found = judged(case)
    lines = [f"{LEADS[found.state]}: {found.because}."]
    at_once = ":" if found.remedy.startswith("incident ") else ""
    lines += [f"Look again{at_once} {found.remedy}"] if found.remedy else []
    return Sentence("\n".join(map(safe, lines)))
