"""Everything that is computed from one run's evidence, once, for the causes, the sentences and the charts to read.

Each part is a frame, made by a function of its own that a notebook may call alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from incident.analysis.before_after import before_after
from incident.analysis.candidate import Fix, fix
from incident.analysis.changes import in_play, missing_revisions, revision_changes, short_name
from incident.analysis.checks import checks, positive_sign
from incident.analysis.durations import durations
from incident.analysis.effects import ENOUGH, change_effects
from incident.analysis.errors import error_entries, error_groups
from incident.analysis.onset import Incident, incident
from incident.analysis.outside import outside_changes, short_title, times
from incident.analysis.requests import SWITCHING_PROTOCOLS, kind_counts, requests, settled
from incident.analysis.sequence import error_sequence
from incident.analysis.stretches import crossed, first_and_last, outside_effects
from incident.evidence import Evidence
from incident.findings import Check, PositiveSign


@dataclass(frozen=True)
class Case:
    """The evidence of a run and what follows from it; nothing here reads anything but the evidence."""

    evidence: Evidence
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, computed once for this case: for what a layer outside this one works out of it."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    @cached_property
    def requests(self) -> pd.DataFrame:
        """Request entries of the service's own clients: see `analysis.requests.requests`."""
        return requests(self.evidence.service_logs, self.evidence.scope)

    @cached_property
    def settled_requests(self) -> pd.DataFrame:
        """The requests that rates may be counted from: see `analysis.requests.settled`."""
        failed = self.evidence.endpoint_handshakes[self.evidence.endpoint_handshakes["status"] == "failed"]
        alone = self.serving[0] if len(self.serving) == 1 else ""
        refusing = set(failed["revision_name"].fillna(alone))
        return self.requests[settled(self.requests, self.evidence.pulled, refusing)]

    @cached_property
    def failed_requests(self) -> pd.DataFrame:
        """The requests that failed, whoever failed them."""
        return self.requests[self.requests["failed"]]

    @cached_property
    def opened(self) -> pd.DataFrame:
        """The requests that became sockets."""
        return self.requests[self.requests["http_request_status"] == SWITCHING_PROTOCOLS]

    @cached_property
    def durations(self) -> pd.DataFrame:
        """How long sockets lived: see `analysis.durations.durations`."""
        return durations(self.opened, self.evidence.revisions)

    @cached_property
    def entries(self) -> pd.DataFrame:
        """The entries that are errors: see `analysis.errors.error_entries`."""
        return error_entries(self.evidence.service_logs, self.requests)

    @cached_property
    def groups(self) -> pd.DataFrame:
        """The error groups: see `analysis.errors.error_groups`."""
        return error_groups(self.entries)

    @cached_property
    def incident(self) -> Incident | None:
        """When requests failed beyond the usual: see `analysis.onset.incident`."""
        return incident(self.settled_requests)

    @cached_property
    def sequence(self) -> pd.DataFrame:
        """The groups in their order: see `analysis.sequence.error_sequence`."""
        return error_sequence(self.entries, self.groups, self.settled_requests, self.incident)

    @cached_property
    def revisions(self) -> pd.DataFrame:
        """The revisions that can matter to the window: see `analysis.changes.in_play`."""
        seen = {*self.evidence.service_logs["revision_name"].dropna(), *self.serving}
        return in_play(self.evidence.revisions, self.evidence.scope.start, seen)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """What each revision changed and did: see `revision_changes`, `change_effects` and `crossed`."""
        changed = revision_changes(self.revisions, self.evidence.audit)
        first, last = first_and_last(self.settled_requests, self._turns)
        judged = change_effects(changed, kind_counts(first), kind_counts(last))
        return judged.assign(confounded=judged["confounded"] | crossed(judged, self._outside, first, last))

    @cached_property
    def _turns(self) -> list[pd.Timestamp]:
        """When something changed that no revision did: outside revisions, and where the incident begins and ends."""
        outside = times(self._outside)
        if self.incident is None:
            return outside
        failed = self.failed_requests
        began = failed.loc[failed["ended"] == self.incident.start, "timestamp"].min()
        return [*outside, began, self.incident.end]

    @cached_property
    def outside_changes(self) -> pd.DataFrame:
        """What was changed outside revisions, and did: see `outside_changes` and `outside_effects`."""
        return outside_effects(self._outside, self.settled_requests, self.changes["time"])

    @cached_property
    def _outside(self) -> pd.DataFrame:
        return outside_changes(self.evidence.audit, self.evidence.revisions)

    @cached_property
    def all_changes(self) -> pd.DataFrame:
        """Both sorts of changes by time, with `title`: the revision's number, or what was changed without one.

        `revision_name` is null for a change outside revisions.
        """
        revisions = self.changes.assign(title=self.changes["revision_name"].map(short_name))
        outside = self.outside_changes.assign(title=self.outside_changes["fields"].map(short_title))
        both = [part for part in (revisions, outside) if len(part)]
        if not both:
            return revisions
        return pd.concat(both, ignore_index=True).sort_values("time", kind="stable", ignore_index=True)

    @cached_property
    def fix(self) -> Fix:
        """The fix, as far as it has come: see `analysis.candidate.fix`."""
        return fix(self)

    @cached_property
    def after_fix(self) -> pd.DataFrame:
        """The requests that revisions serving now answered, other than those that the fix replaces, since these began.

        A revision that traffic went back to counts from there on, and not with what it answered before the fault.
        """
        replaced = self.fix.replaces
        serving = [name for name in self.serving if name not in replaced]
        began = self.requests.loc[self.requests["revision_name"].isin(replaced), "timestamp"].min()
        own = self.requests[self.requests["revision_name"].isin(serving)]
        return own if pd.isna(began) else own[own["timestamp"] > began]

    @cached_property
    def before_after(self) -> pd.DataFrame:
        """Each check and each rate before the fix against after it: see `analysis.before_after.before_after`."""
        return before_after(self)

    @cached_property
    def missing_revisions(self) -> list[str]:
        """Revision numbers that do not exist."""
        return missing_revisions(self.revisions)

    @cached_property
    def checks(self) -> list[Check]:
        """The checks of the run: see `analysis.checks.checks`."""
        return checks(self.evidence, self.entries, self.positive_sign)

    @cached_property
    def positive_sign(self) -> PositiveSign | None:
        """What shows that the service works, or None."""
        return positive_sign(self.evidence, self.requests)

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

    def settings_of(self, names: Sequence[str]) -> dict[str, Any]:
        """The settings of the newest of some revisions; none where it is not known."""
        known = self.evidence.revisions.set_index("revision_name")["settings"]
        text = known.get(names[-1]) if names else None
        return dict(json.loads(text)) if isinstance(text, str) and text else {}

    def mended_by(self, affected: Sequence[str], kinds: Iterable[str]) -> str | None:
        """The first change after the affected revisions that fixed one of some kinds of requests.

        A fixing revision exists before traffic moves to it, and the old one fails until then: age decides, not time.
        """
        wanted = set(kinds)
        order = self.age_order({*affected, *self.changes["revision_name"]})
        newest = max((order.index(name) for name in affected), default=-1)
        for change in self.changes[self.changes["effect"] == "fixed"].itertuples():
            if order.index(change.revision_name) > newest and wanted & set(change.on):
                return str(change.revision_name)
        return None

    def introduced_by(self, affected: Sequence[str], onset: pd.Timestamp, kinds: Iterable[str]) -> str | None:
        """The oldest affected revision, where it is a change that can explain the onset.

        It cannot where the window shows nothing before it, or where it had answered enough of the same requests well
        before the fault began: then nothing that was deployed explains it. The same are those of the kinds that fail,
        where an older revision answered enough of them well, and all handshakes otherwise.
        """
        oldest = self.changes[self.changes["revision_name"].isin(affected[:1])]
        if oldest.empty or not oldest["previous"].isin(self.evidence.service_logs["revision_name"].astype("str")).all():
            return None
        good, wanted = self.requests[~self.requests["failed"]], set(kinds)
        is_own = good["revision_name"] == affected[0]
        of_kinds = good["request_kind"].isin(wanted)
        worked_before = good.loc[of_kinds & ~is_own & (good["timestamp"] < onset), "weight"].sum() >= ENOUGH
        same = of_kinds if worked_before else of_kinds | good["websocket"]
        before = good.loc[is_own & same & (good["timestamp"] < onset), "weight"].sum()
        return None if before >= ENOUGH else str(affected[0])
