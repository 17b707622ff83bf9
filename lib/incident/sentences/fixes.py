"""Whether it is fixed, what the comparison shows, and the report's head, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from incident.sentences.words import Sentence, capitalised, counted, safe

if TYPE_CHECKING:
    import pandas as pd

    from incident.analysis.case import Case
    from incident.analysis.postmortem import Postmortem


def is_fixed(case: Case, steps: pd.DataFrame) -> Sentence:
    """Whether it is fixed, as far as the evidence goes; `steps` are those of `fix_status`."""
    if steps.empty:
        return Sentence(safe(_no_fix(case)))
    still_open = steps[steps["state"] != "done"]
    if still_open.empty:
        return Sentence(safe(f"Fixed, and it holds: {steps['detail'].iloc[-1]}."))
    first = next((row for row in still_open.itertuples() if row.state == "failed"), next(still_open.itertuples()))
    lead = {"failed": "Not fixed", "unknown": "Not decided"}.get(first.state, "Not fixed yet")
    if first.step == "holds" and first.state != "failed":
        lead = "Fixed so far; whether it holds is not decided"
    done = ", ".join(steps.loc[steps["state"] == "done", "step"])
    lines = [f"{lead}. {capitalised(first.step)}, {first.state}: {first.detail}.", f"Done: {done or 'no step'}."]
    return Sentence("\n".join(map(safe, lines)))


def before_after(case: Case) -> Sentence:
    """What the comparison with the time before the fix comes to, and what is missing for a conclusion."""
    found, run = case.before_after, (case.evidence.before or {}).get("run_id")
    against = f"Compared with run {run}" if run else "Checks have no earlier run to be compared with"
    lines = [f"{against}: {', '.join(_counts(found)) or 'nothing was tried'}."]
    missing = found[found["missing"].notna()]
    lines += [f"{row.subject}: {counted(row.missing, 'more request')} would decide it." for row in missing.itertuples()]
    return Sentence("\n".join(map(safe, lines)))


def postmortem(story: Postmortem) -> Sentence:
    """The head of the report: its status and why, its date, when the next update can be given."""
    lines = [
        f"{capitalised(story.status)}, by evidence of {story.date}: {story.because}.",
        f"Next update: {story.next_update}.",
    ]
    return Sentence("\n".join(map(safe, lines)))


def written(words: Mapping[str, str]) -> Sentence:
    """What people wrote under each heading of `postmortem.md`, a blank being said to be one."""
    lines = [f"{heading}: {text or 'nobody has filled this in yet'}" for heading, text in words.items()]
    return Sentence("\n".join(map(safe, lines)))


def _no_fix(case: Case) -> str:
    failing = [check.check for check in case.checks if check.status == "failed"]
    gaps = [f"{frame}: {gap.reason}" for frame in ("logs", "revisions") if (gap := case.evidence.gap(frame))]
    missing = f" This evidence has gaps, though: {'; '.join(gaps)}." if gaps else ""
    if failing:
        return f"Not decided: {', '.join(failing)} fails, and no revision is known that a fix would replace.{missing}"
    return f"Nothing is known to be broken, so there is no fix to follow.{missing}"


def _counts(found: pd.DataFrame) -> list[str]:
    """How many checks and kinds of request came to each effect, in the order of the rows."""
    import pandas as pd  # which a probe must not wait for

    from incident.analysis.before_after import standing

    nouns = {"checks": "check", "requests": "kind of request"}
    single = found[(found["source"] == "requests") | (found[["before_tries", "after_tries"]].max(axis=1) <= 1)]
    failing = pd.Series([standing(row) == "failed" for row in single.to_dict("records")], single.index, dtype=bool)
    words = single["effect"].map(WORDS).mask(failing, "failing now")
    counts = single.groupby(["source", words], sort=False).size()
    return [f"{_counted(count, nouns[source])} {word}" for (source, word), count in counts.items()]


WORDS = {
    "fixed": "fixed", "broke": "broken", "none": "as before", "unknown": "undecided", "not tried": "not tried since",
}  # fmt: skip
"""What a subject came to, by its effect."""


def _counted(count: int, noun: str) -> str:
    return counted(count, noun) if " of " not in noun or count == 1 else f"{count:,} {noun.replace('kind', 'kinds', 1)}"
