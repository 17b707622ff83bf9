"""Everything that is computed from one run's evidence, once, for the causes, the sentences and the charts to read.

Each part is a frame, made by a function of its own that a notebook may call alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from incident.analysis.changes import missing_revisions, revision_changes
from incident.analysis.checks import checks, positive_sign
from incident.analysis.effects import change_effects
from incident.analysis.errors import error_entries, error_groups
from incident.analysis.requests import SWITCHING_PROTOCOLS, kind_counts, requests
from incident.analysis.sequence import error_sequence
from incident.evidence import Evidence
from incident.findings import Check, PositiveSign


@dataclass(frozen=True)
class Case:
    """The evidence of a run and what follows from it; nothing here reads anything but the evidence."""

    evidence: Evidence

    @cached_property
    def requests(self) -> pd.DataFrame:
        """Request entries of the service's own clients: see `analysis.requests.requests`."""
        return requests(self.evidence.service_logs, self.evidence.scope)

    @cached_property
    def opened(self) -> pd.DataFrame:
        """The requests that became sockets."""
        return self.requests[self.requests["http_request_status"] == SWITCHING_PROTOCOLS]

    @cached_property
    def entries(self) -> pd.DataFrame:
        """The entries that are errors: see `analysis.errors.error_entries`."""
        return error_entries(self.evidence.service_logs, self.evidence.scope)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """The error groups: see `analysis.errors.error_groups`."""
        return error_groups(self.entries)

    @cached_property
    def sequence(self) -> pd.DataFrame:
        """The groups in their order: see `analysis.sequence.error_sequence`."""
        return error_sequence(self.entries, self.groups, self.evidence.scope)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """What each revision changed and did: see `revision_changes` and `change_effects`."""
        changed = revision_changes(self.evidence.revisions, self.evidence.audit)
        return change_effects(changed, kind_counts(self.requests))

    @cached_property
    def missing_revisions(self) -> list[str]:
        """Revision numbers that do not exist."""
        return missing_revisions(self.evidence.revisions)

    @cached_property
    def checks(self) -> list[Check]:
        """The checks of the run: see `analysis.checks.checks`."""
        return checks(self.evidence, self.entries, self.opened)

    @cached_property
    def positive_sign(self) -> PositiveSign | None:
        """What shows that the service works, or None."""
        return positive_sign(self.evidence, self.opened)

    @cached_property
    def serving(self) -> list[str]:
        """The revisions that hold traffic now; where the service does not say, the one that answered last."""
        named = self.evidence.serving()
        answered = self.requests["revision_name"].dropna()
        return named or [str(name) for name in answered.tail(1)]

    def age_order(self, names: Iterable[str]) -> tuple[str, ...]:
        """Some revisions, oldest first; names that the frame does not know come last, by name."""
        known = list(self.evidence.revisions.sort_values("create_time")["revision_name"])
        return tuple(sorted(set(names), key=lambda n: (known.index(n) if n in known else len(known), n)))

    def mended_by(self, after: pd.Timestamp, kinds: Iterable[str]) -> str | None:
        """The first change after a time that fixed one of some kinds of requests."""
        wanted = set(kinds)
        fixed = self.changes[(self.changes["effect"] == "fixed") & (self.changes["time"] >= after)]
        mended = fixed[[bool(wanted & set(on)) for on in fixed["on"]]]
        return str(mended["revision_name"].iloc[0]) if len(mended) else None

    def introduced_by(self, revisions: tuple[str, ...]) -> str | None:
        """The oldest of some revisions, where it is a change and the window shows one before it without the fault."""
        oldest = revisions[:1]
        changed = self.changes[self.changes["revision_name"].isin(oldest)]
        earlier = changed["previous"].isin(self.evidence.service_logs["revision_name"].astype("str"))
        return str(changed["revision_name"].iloc[0]) if len(changed) and earlier.all() else None
