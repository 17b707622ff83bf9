"""What a run knows: its frames, and its gaps, which are what is missing and what would mend it.

Decides which absences count as gaps: a call that was refused, an answer that was cut, an empty frame that no source
vouches for, a window too fresh to have settled, and silence where there must be entries. It cannot tell what the
missing evidence would have said; that is why nothing but `uncertain` may follow from a gap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from incident.findings import Gap
from incident.frames import ASKED_FOR, FRAMES, frame, keys, table, validated
from incident.scope import Scope, rfc3339

SETTLE_SECONDS = 60
"""Entries may arrive this long after their time; request entries of sockets later still, at the socket's end."""

QUIET_FACTOR = 10
"""A first silence this many times the longest later pause is no quiet hour: entries are missing."""

LEAST_SILENCE = pd.Timedelta("5min")


@dataclass(frozen=True)
class Query:
    """One question asked of a source, and what it cost; `seconds` is the wall time of all its calls.

    `gaps` are the reasons why something of its answer is missing. `purpose` is "sizing" where entries were only
    counted and not kept.
    """

    frame: str
    filter: str
    start: str
    end: str
    entries: int
    calls: int
    seconds: float
    gaps: tuple[str, ...] = ()
    purpose: str = ""


@dataclass(frozen=True)
class Evidence:
    """The frames of one run by name, redacted, with its scope and its gaps.

    `pulled` is when the sources were asked. `complete` names the frames that a source vouches for: one of these may
    be empty and still be whole. `before` is the part of an earlier run that this one is compared with, or None.
    `notes` are sentences the run must say, such as a time read as UTC because it named no zone.
    """

    scope: Scope
    pulled: pd.Timestamp
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    complete: frozenset[str] = frozenset()
    queries: tuple[Query, ...] = ()
    before: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Every frame is there and valid, from the moment that evidence exists."""
        whole = {name: validated(name, self.frames[name]) if name in self.frames else frame(name) for name in FRAMES}
        object.__setattr__(self, "frames", whole)

    def __getattr__(self, name: str) -> pd.DataFrame:
        """A frame by its name: `evidence.logs`."""
        if name in FRAMES and "frames" in self.__dict__:
            return self.frames[name]
        raise AttributeError(f"evidence has no frame {name!r}: use one of {', '.join(FRAMES)}")

    @cached_property
    def service_logs(self) -> pd.DataFrame:
        """The service's entries without what our own probes caused, oldest first: what any judgement reads."""
        service = self.logs["service_name"]
        own = self.logs[self.logs["probe_id"].isna() & (service.isna() | (service == self.scope.service))]
        if not own["timestamp"].is_monotonic_increasing:
            own = own.sort_values(["timestamp", "insert_id"], kind="stable")
        return own.reset_index(drop=True)

    @cached_property
    def endpoint_handshakes(self) -> pd.DataFrame:
        """The handshakes that judge the run: those of the endpoint, without the same checks at other places."""
        place = self.handshakes["place"]
        return self.handshakes[place.isna() | (place == "endpoint")].reset_index(drop=True)

    def gap(self, name: str) -> Gap | None:
        """The first gap of a frame, an unsettled tail last; None where the frame is whole."""
        found = sorted((gap for gap in self.gaps if gap.frame == name), key=lambda gap: gap.kind == "unsettled")
        return found[0] if found else None

    def cited(self, references: Iterable[tuple[str, tuple[str, ...]]], name: str = "logs") -> pd.DataFrame:
        """The rows of one frame that a finding cites, by the frame's key columns as text."""
        wanted = {key for frame_name, key in references if frame_name == name}
        last = FRAMES[name].key[-1]
        rows = self.frames[name]
        rows = rows[rows[last].astype("str").isin({key[-1] for key in wanted})]
        cited = pd.Series([key in wanted for _, key in keys(name, rows)], index=rows.index, dtype=bool)
        return rows[cited].reset_index(drop=True)

    def with_gaps(self) -> Evidence:
        """The same evidence with the gaps that follow from the frames themselves added."""
        return replace(self, gaps=tuple(dict.fromkeys((*self.gaps, *derived_gaps(self)))))

    def serving(self) -> list[str]:
        """The revisions that hold traffic now, by the service's own word, the largest share first."""
        now = self.traffic[(self.traffic["percent"].fillna(0) > 0) & self.traffic["revision_name"].notna()]
        return list(now.sort_values("percent", ascending=False, kind="stable")["revision_name"])


def derived_gaps(evidence: Evidence) -> list[Gap]:
    """The gaps that no call reported but the frames show: emptiness, a tail too fresh, silence, contradiction."""
    return [
        *_empty(evidence), *_unsettled(evidence), *_silent_start(evidence), *_silent_revisions(evidence),
        *_unknown_revisions(evidence),
    ]  # fmt: skip


def _empty(evidence: Evidence) -> Iterable[Gap]:
    reported = {gap.frame for gap in evidence.gaps if not _is_tail(gap)}
    for name in FRAMES:
        if name in ASKED_FOR:
            continue
        if evidence.frames[name].empty and name not in evidence.complete and name not in reported:
            yield Gap(name, f"no {name} came, and no source says that there are none", _look_again(name), "empty")


def _unsettled(evidence: Evidence, settle: int = SETTLE_SECONDS) -> Iterable[Gap]:
    settled = evidence.scope.end + pd.Timedelta(seconds=settle)
    if evidence.pulled < settled and evidence.gap("logs") is None:
        reason = f"entries of the window's last moments may still arrive: it settles at {rfc3339(settled)}"
        yield Gap("logs", reason, f"run again after {rfc3339(settled)}", "unsettled")


def _silent_start(evidence: Evidence) -> Iterable[Gap]:
    times = evidence.logs["timestamp"].sort_values()
    if len(times) < 2 or _is_capped(evidence):
        return
    began = max([evidence.scope.start, *evidence.service["create_time"].dropna()])
    silence, pause = times.iloc[0] - began, times.diff().max()
    if silence > max(QUIET_FACTOR * pause, LEAST_SILENCE):
        reason = f"nothing was logged from {rfc3339(began)} to {rfc3339(times.iloc[0])}, in a service never quiet after"
        yield Gap("logs", reason, "check the retention of the log bucket, or start the window later", "silent")


def _silent_revisions(evidence: Evidence) -> Iterable[Gap]:
    """A revision that held traffic in the window must have left an entry that is not our own."""
    seen = set(evidence.service_logs["revision_name"].dropna())
    reported = any(gap.frame == "logs" and not _is_tail(gap) for gap in evidence.gaps)
    for name in dict.fromkeys([*evidence.serving(), *_held_traffic(evidence)]):
        if name not in seen and not (reported and evidence.logs.empty) and not _is_capped(evidence):
            reason = f"revision {name} held traffic and left no entry in the window"
            yield Gap("logs", reason, "widen the window, or check the log bucket's exclusion filters", "silent")


def _unknown_revisions(evidence: Evidence) -> Iterable[Gap]:
    """A revision that holds traffic must be among the revisions, whatever their list claims of itself."""
    known = set(evidence.revisions["revision_name"])
    if not any(gap.frame == "revisions" for gap in evidence.gaps):
        for name in evidence.serving():
            if name not in known:
                reason = f"revision {name} holds traffic and is not among the revisions that came"
                yield Gap("revisions", reason, "list the revisions again, without a limit", "partial")


def _is_tail(gap: Gap) -> bool:
    """Whether only a log's last moments are missing, which excuses nothing else."""
    return gap.frame == "logs" and gap.kind == "unsettled"


def _is_capped(evidence: Evidence) -> bool:
    """Whether entries are missing because of a limit, which says so itself."""
    return any(gap.frame == "logs" and gap.kind == "capped" for gap in evidence.gaps)


def _held_traffic(evidence: Evidence) -> list[str]:
    known = evidence.revisions[evidence.revisions["traffic_start_time"].notna()]
    until = known["traffic_end_time"].fillna(evidence.scope.end)
    inside = (known["traffic_start_time"] < evidence.scope.end) & (until > evidence.scope.start)
    return list(known.loc[inside, "revision_name"])


def _look_again(name: str) -> str:
    where = "widen the window, or check --project, --region and --service"
    return {"handshakes": "give --endpoint URL to probe the live service", "iam": "grant roles/run.viewer"}.get(
        name, where
    )


def save(evidence: Evidence, folder: Path) -> None:
    """Write one Parquet file a frame, and beside them what the frames alone do not say."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in evidence.frames.items():
        pq.write_table(table(name, data), folder / f"{name}.parquet", compression="zstd")
    (folder / "evidence.json").write_text(json.dumps(_described(evidence), indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Evidence:
    """The evidence that `save` wrote, with its types; frames that a later version added are empty."""
    saved = json.loads((folder / "evidence.json").read_text(encoding="utf-8"))
    files = {name: folder / f"{name}.parquet" for name in FRAMES}
    return Evidence(
        scope=Scope.from_json(saved["scope"]),
        pulled=pd.Timestamp(saved["pulled"]),
        frames={name: _read_frame(name, file) for name, file in files.items() if file.exists()},
        gaps=tuple(Gap(**gap) for gap in saved["gaps"]),
        complete=frozenset(saved["complete"]),
        queries=tuple(Query(**{**query, "gaps": tuple(query.get("gaps", ()))}) for query in saved["queries"]),
        before=saved["before"],
        notes=tuple(saved["notes"]),
    )


def _read_frame(name: str, file: Path) -> pd.DataFrame:
    schema = FRAMES[name].schema_of(pq.read_schema(file).names)
    return frame(name, pq.read_table(file, schema=schema).to_batches())


def _described(evidence: Evidence) -> dict[str, Any]:
    return {
        "schema": 1,
        "scope": evidence.scope.as_json(),
        "pulled": rfc3339(evidence.pulled),
        "gaps": [gap.as_json() for gap in evidence.gaps],
        "complete": sorted(evidence.complete),
        "queries": [asdict(query) for query in evidence.queries],
        "before": evidence.before,
        "notes": list(evidence.notes),
    }
