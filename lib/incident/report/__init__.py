"""The report of a run in two forms: `report.html` to read, `report.md` for a pull request or a chat.

Reads a case and the summary made from it; judges nothing, and asks nobody for anything. The same case and summary give
the same bytes. A chart that cannot be drawn is said in its place, and costs nobody the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incident.analysis.case import Case
from incident.analysis.postmortem import Postmortem, postmortem
from incident.causes import judged
from incident.report import html, markdown, parts
from incident.report.blocks import Block, Excerpt, Paragraph, Section
from incident.report.computed import how
from incident.report.head import facts, headline, origin, primary, way_back
from incident.report.pictures import Drawn, drawn
from incident.report.story import dated, part, people

__all__ = ["report_html", "report_markdown"]


def report_html(case: Case, summary: Mapping[str, Any], charts: Mapping[str, Drawn | str] | None = None) -> str:
    """One HTML file: the answer in its first screen, then what shows it, what is missing, how it was computed.

    It needs no network and no script, and its policy allows neither. `summary` is that of `incident.answer.summary`
    or of a run's `summary.json`, made from the same case; `charts` are
    those of `pictures.drawn`, where they are drawn already.
    """
    story = postmortem(case, judged(case))
    sections = [
        parts.sequence(case, summary), parts.changes(case, summary), parts.handshakes(case, summary),
        parts.causes(case, summary), parts.before_after(case), part(story.solutions), part(story.deployment),
        part(story.next_steps), part(story.lessons), part(story.files_changed), people(story), parts.gaps(summary),
        how(case.evidence),
    ]  # fmt: skip
    head = html.head(
        summary["status"], headline(summary), origin(summary), [facts(summary), *way_back(summary), dated(story)]
    )
    return html.page(headline(summary), head, sections, drawn(case) if charts is None else charts)


def report_markdown(case: Case, summary: Mapping[str, Any]) -> str:
    """The same answer as Markdown, with the parts of the report that a team files, in their order.

    Text of the other side's stays text wherever Markdown is read: see `report.markdown`.
    """
    story = postmortem(case, judged(case))
    title = f"{summary['scope']['service']}: {headline(summary)}"
    lead = [Paragraph(f"{origin(summary)}."), dated(story), facts(summary), *way_back(summary)]
    return markdown.document(title, lead, [*_filed(case, summary, story), parts.gaps(summary), how(case.evidence)])


def _filed(case: Case, summary: Mapping[str, Any], story: Postmortem) -> list[Section]:
    """The parts in the order that people file them, the primary cause with its traceback."""
    first = primary(summary)
    text = parts.traceback(case, first) if first else ""
    cause = part(story.root_cause)
    shown: list[Block] = [Excerpt(text)] if text else []
    return [
        Section(cause.title, cause.anchor, [*cause.blocks, *shown]), part(story.error_sequence), part(story.solutions),
        part(story.deployment), part(story.tests), part(story.files_changed), part(story.revisions),
        part(story.next_steps), part(story.lessons), people(story),
    ]  # fmt: skip
