"""Evidence that is hurt, one frame at a time, and what must then be true of every answer."""

from dataclasses import replace

from incident.answer import summary
from incident.causes import CAUSES
from incident.findings import Gap
from incident.frames import frame

FRAMES = ("logs", "revisions", "service", "traffic", "builds", "audit", "iam", "handshakes")
READS = {rule.name: rule.reads for rule in CAUSES}


def hurt(evidence):
    """Each way in which a frame may be hurt, as (frame, how, the evidence that is left)."""
    for name in FRAMES:
        rows = evidence.frames[name]
        if rows.empty:
            continue
        half = len(rows) // 2
        refused = Gap(name, "permission denied", "grant it", "refused")
        capped = Gap(name, "stopped at 1 call", "raise the limit", "capped")
        yield name, "removed", _with(evidence, name, frame(name))
        yield name, "emptied", _with(evidence, name, frame(name), vouched=True)
        yield name, "refused", _with(evidence, name, frame(name), refused)
        yield name, "cut at its end", _with(evidence, name, rows.iloc[:half], capped)
        yield name, "cut at its start", _with(evidence, name, rows.iloc[half:], capped)


def _with(evidence, name, rows, *gaps, vouched=False):
    complete = evidence.complete | {name} if vouched else evidence.complete - {name}
    frames = {**evidence.frames, name: rows.reset_index(drop=True)}
    return replace(evidence, frames=frames, complete=complete, gaps=(*evidence.gaps, *gaps)).with_gaps()


def faults(evidence):
    """What is wrong with the answers on hurt evidence; an empty list where nothing is.

    A run is not ok where logs or revisions are hurt; no cause is found that was not found on the whole evidence; and a
    cause that reads what is missing is not ruled out, unless a source says that there is nothing.
    """
    known = {cause["cause"] for cause in summary(evidence)["causes"] if cause["status"] == "failed"}
    found = []
    for name, how, left in hurt(evidence):
        answer = summary(left)
        matters = name in ("logs", "revisions")
        if matters and answer["status"] == "ok":
            found.append(f"{name} {how}: the run is ok")
        for cause in answer["causes"]:
            said = f"{name} {how}: {cause['cause']} is {cause['status']}: {cause['because'][:80]}"
            is_new = cause["status"] == "failed" and cause["cause"] not in known
            is_cleared = cause["status"] in ("ok", "skipped") and name in READS[cause["cause"]]
            if is_new or (is_cleared and (matters or how != "emptied")):
                found.append(said)
    return found
