"""The parts of the report that a team files, as blocks: each with what it was computed from, or why it is empty.

Reads a `Postmortem`. It adds nothing to it; what only people know stays a heading without words.
"""

from __future__ import annotations

import re

from incident.analysis.postmortem import Postmortem
from incident.analysis.report_part import Part
from incident.report.blocks import Block, Computed, Facts, Grid, Items, Paragraph, Section
from incident.sentences import capitalised


def part(told: Part) -> Section:
    """One part under its own title."""
    shown: Block = Grid(told.columns, told.rows) if told.rows else Paragraph(f"{capitalised(told.empty)}.")
    anchor = re.sub(r"\W+", "-", told.title.lower()).strip("-")
    return Section(told.title, anchor, [shown, Computed(f"{capitalised(told.source)}.")])


def dated(story: Postmortem) -> Facts:
    """Whether the report is active or final and why, its date, and when there will be more to say."""
    status = f"{story.status}: {story.because}"
    return Facts([("Report status", status), ("Date", story.date), ("Next update", story.next_update)])


def people(story: Postmortem) -> Section:
    """What no evidence says, which only people can fill."""
    where = "No evidence says these; people write them in postmortem.md, beside the incident's runs:"
    return Section("What must people fill in?", "people", [Paragraph(where), Items(story.blanks)])
