"""Findings and frames in words, for a notebook, a terminal and a chat; every number in them was computed elsewhere.

Decides the words only. Cannot tell anything that is not in what it is given: what is missing is said to be missing.
"""

from __future__ import annotations

from incident.sentences.code import compared, repository
from incident.sentences.detection import which_decides
from incident.sentences.fixes import before_after, is_fixed, postmortem, written
from incident.sentences.frames import (
    error_sequence,
    follows_words,
    log_checks,
    revisions,
    ruled_out,
    searched,
    unchecked,
)
from incident.sentences.handshakes import connection, handshakes, in_the_log
from incident.sentences.holding import holds
from incident.sentences.places import places
from incident.sentences.summaries import answer, cause, checks_passed, gap, missing_revision, paragraph, verdict
from incident.sentences.words import Sentence, capitalised, clock, counted, safe, window

__all__ = [
    "Sentence", "answer", "before_after", "capitalised", "cause", "checks_passed", "clock", "compared",
    "connection", "counted", "error_sequence", "follows_words", "gap", "handshakes", "holds", "in_the_log",
    "is_fixed", "log_checks", "missing_revision", "paragraph", "places", "postmortem", "repository", "revisions",
    "ruled_out", "safe", "searched", "unchecked", "verdict", "which_decides", "window", "written",
]  # fmt: skip
