"""What the repository says of the code, and what differs from another service, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incident.sentences.summaries import gap
from incident.sentences.words import Sentence, counted, number, safe

if TYPE_CHECKING:
    from incident.analysis.case import Case
    from incident.evidence import Evidence


def repository(case: Case) -> Sentence:
    """How many files each deploy changed, which of them a traceback names, and what would mend a missing name."""
    from incident.analysis.code import changed_files, mends  # pandas, which a probe must not wait for

    if not _was_asked(case.evidence, "files"):
        return Sentence("No repository was given: --repo DIR names the files that each deploy changed.")
    files = changed_files(case)
    lines = [
        f"{number(name)}: {counted(len(rows), 'file')} changed{_blamed(list(rows.loc[rows['in_traceback'], 'path']))}."
        for name, rows in files.groupby("revision_name", sort=False)
    ]
    lines += [f"To mend it: {row['because']}." for row in mends(case).to_dict("records")]
    lines += _gaps(case.evidence, "files", "definitions")
    return Sentence("\n".join(map(safe, lines)) or "No file changed between the commits of the revisions.")


def compared(case: Case) -> Sentence:
    """How many things differ from the other service, by their kind."""
    from incident.analysis.compare import compared as differences

    if not _was_asked(case.evidence, "compared"):
        return Sentence("No other service was named: --compare-to PROJECT/REGION/SERVICE says what differs from it.")
    found = differences(case)
    others = ", ".join(case.evidence.compared["service_name"])
    counts = ", ".join(f"{count} of {kind}" for kind, count in found["kind"].value_counts(sort=False).items())
    said = f"{counted(len(found), 'difference')} from {others}: {counts}." if len(found) else ""
    gaps = _gaps(case.evidence, "compared")
    nothing = "" if gaps else f"Nothing differs from {others}."
    return Sentence("\n".join(map(safe, filter(None, [said or nothing, *gaps]))))


def _was_asked(evidence: Evidence, name: str) -> bool:
    return any(query.frame == name for query in evidence.queries)


def _blamed(paths: list[str]) -> str:
    return f", of which a traceback names {', '.join(paths)}" if paths else ""


def _gaps(evidence: Evidence, *names: str) -> list[str]:
    return [f"Gap in {gap(missing.as_json())}." for missing in evidence.gaps if missing.frame in names]
