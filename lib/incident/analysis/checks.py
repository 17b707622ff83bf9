"""The checks of a run: each handshake that was tried, and what the logs say of the serving revision's start.

Reads `handshakes`, error entries, and the earlier run that this one is compared with. A check that could not be
carried out is `uncertain`; one that does not apply is `skipped` and says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pandas as pd

from incident import platform
from incident.analysis.auth_bypass import auth_bypass_closed
from incident.analysis.effects import ENOUGH
from incident.analysis.searching import found_in
from incident.evidence import Evidence
from incident.findings import Check, PositiveSign, Status
from incident.handshake import observed

ENDS = (
    platform.CONTAINER_EXIT, platform.CONTAINER_SIGNAL, platform.UNCAUGHT_SIGNAL, platform.MEMORY_LIMIT,
    platform.STARTUP_PROBE_FAILED,
)  # fmt: skip
"""What the platform says when an instance ends, or does not begin."""

END_TO_END: tuple[tuple[str, Literal["http", "websocket"], str], ...] = (
    ("health", "http", "200"), ("no-header-refused", "websocket", "403"), ("x-test-type", "websocket", "accepted"),
    ("x-e2e-test", "websocket", "accepted"), ("message-returns", "websocket", "accepted"),
    ("held-open", "websocket", "accepted"), ("second-connection", "websocket", "accepted"),
)  # fmt: skip
"""The checks of the matrix `e2e`, which a test keeps the same as its file."""


def checks(evidence: Evidence, entries: pd.DataFrame, sign: PositiveSign | None) -> list[Check]:
    """Every check of the run: the handshakes in the order they were tried, then those that read the logs.

    `entries` are the error entries, `sign` what shows that the service works.
    """
    tried = [_handshake(row) for row in evidence.endpoint_handshakes.to_dict("records")]
    found = [*(tried or _not_tried(evidence)), clean_startup(evidence, entries, sign), auth_bypass_closed(evidence)]
    before = {check["check"]: check["observed"] for check in (evidence.before or {}).get("checks", [])}
    return [replace(check, before=before.get(check.check)) for check in found]


def positive_sign(evidence: Evidence, requested: pd.DataFrame) -> PositiveSign | None:
    """What shows that the service works: a handshake the probe saw accepted; where none was tried, an opened socket.

    A socket counts only on a revision that serves now, and not when enough handshakes after it all failed.
    """
    tried = evidence.endpoint_handshakes
    tried = tried[tried["status"] != "skipped"]
    if len(tried):
        accepted, wanted = (tried["verdict"] == "accepted").sum(), tried["expected"].isin(["accepted", "101"]).sum()
        words = f"{accepted} of {wanted} handshakes that should be accepted were"
        return PositiveSign(words, probed=True) if accepted else None
    handshakes = requested[requested["websocket"] & requested["revision_name"].isin(evidence.serving())]
    opened = handshakes[~handshakes["failed"]]
    later = handshakes["timestamp"] > opened["timestamp"].max()
    if opened.empty or handshakes.loc[later, "weight"].sum() >= ENOUGH:
        return None
    return PositiveSign(f"{int(opened['weight'].sum())} sockets opened on the serving revision", probed=False)


def clean_startup(evidence: Evidence, entries: pd.DataFrame, sign: PositiveSign | None) -> Check:
    """`clean-startup`: no exit and no traceback on the serving revision since it took traffic."""
    serving = evidence.serving()
    expected = "no exit, no traceback"
    if not serving:
        return Check("clean-startup", "log", expected, "", "uncertain", "which revision serves now is not known")
    ended = found_in(entries["text"], *ENDS)
    faults = entries[((entries["kind"] == "exception") | ended) & entries["revision_name"].isin(serving)]
    faults = faults[faults["timestamp"] >= _took_traffic(evidence.revisions, serving)]
    if len(faults):
        counts = faults.groupby("title", sort=False)["weight"].sum().sort_values(ascending=False, kind="stable")
        counted = ", ".join(f"{count} × {title}" for title, count in counts.items())
        where = ", ".join(name for name in serving if name in set(faults["revision_name"]))
        return Check("clean-startup", "log", expected, counted, "failed", f"on {where}")
    gap = evidence.gap("logs")
    if gap and not gap.excused_by(sign):
        return Check("clean-startup", "log", expected, "", "uncertain", gap.reason)
    return Check("clean-startup", "log", expected, "none", "ok", f"none in {len(evidence.service_logs)} entries")


def _handshake(row: Mapping[str, Any]) -> Check:
    known = {name: None if pd.isna(value) else value for name, value in row.items()}
    status: Status = known["status"] if known["status"] in ("failed", "ok", "skipped") else "uncertain"
    kind: Literal["http", "websocket"] = "http" if known["kind"] == "http" else "websocket"
    seen = "" if status == "skipped" else observed(known)
    return Check(str(known["name"]), kind, known["expected"] or "", seen, status, known["because"] or "")


def _not_tried(evidence: Evidence) -> list[Check]:
    """The end-to-end checks, skipped, where a source has no handshakes: nothing was tried, and nothing is passed."""
    gap = evidence.gap("handshakes")
    because = gap.reason if gap else "no handshake was tried"
    return [Check(name, kind, expected, "", "skipped", because) for name, kind, expected in END_TO_END]


def _took_traffic(revisions: pd.DataFrame, serving: Sequence[str]) -> pd.Timestamp:
    times = revisions.loc[revisions["revision_name"].isin(serving), "traffic_start_time"].dropna()
    return times.min() if len(times) else pd.Timestamp(0, tz="UTC")
