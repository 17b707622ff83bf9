"""The same check at other places than the endpoint, and what a difference between two of them shows.

Reads `handshakes` of every place, the traffic's tags and the service's ingress. The service's own URL is compared with
the endpoint: what one accepts and the other does not is the work of something between them. A tag's URL is compared
with the service's own URL, or with the endpoint where that is the same: there the revision makes the difference.
Cannot tell: which of several proxies it is; a difference that comes and goes, since each place was tried once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from incident.evidence import Evidence
from incident.handshake import observed

Row = dict[str, Any]

ENDPOINT, SERVICE, TAG = "endpoint", "service", "tag:"
SAME, UPGRADE, HEADER, BETWEEN, FRONT = "same", "upgrade", "header", "between", "front"
CLOSED, ELSEWHERE, MENDS, BREAKS, DIFFERS, NO_ANSWER = "closed", "elsewhere", "mends", "breaks", "differs", "no answer"
INGRESS_ALL = "INGRESS_TRAFFIC_ALL"

COLUMNS = [
    "name", "place", "url", "observed", "status", "revision_name",
    "than_place", "than_url", "than_observed", "than_status", "than_revision_name", "difference", "ingress",
]  # fmt: skip


def places(evidence: Evidence) -> pd.DataFrame:
    """One row a check at another place, in the order they were tried: COLUMNS, all text; empty where there is none.

    `than_…` is the place that it is compared with; `url` is scheme and host alone. `revision_name` is the tag's, or the
    one revision that serves. `difference` is what the two answers show:

    - `same`: both gave the same answer.
    - `upgrade`: the service's own URL accepts, the endpoint does not, and a plain request gets the same answer at both.
    - `header`: as `upgrade`, but the endpoint refuses as the service refuses who sends no header.
    - `between`: the two answers differ in another way: something between them answers.
    - `front`: the endpoint gives no answer at all, the service's own URL does.
    - `closed`: the service's own URL does not let this side in, by its ingress setting.
    - `elsewhere`: the endpoint accepts and the service's own URL, open to all, does not.
    - `mends`, `breaks`: the tag's revision passes the check and the serving one does not; or the reverse.
    - `differs`: the tag's revision answers otherwise, and neither or both pass.
    - `no answer`: the other place gave none, so nothing is compared.
    """
    rows = [row for row in evidence.handshakes.to_dict("records") if _place(row) != ENDPOINT]
    known = {(_place(row), row["name"]): row for row in evidence.handshakes.to_dict("records")}
    compared = [_compared(row, known, evidence) for row in rows if _base(row, known)]
    return pd.DataFrame(compared, columns=COLUMNS).astype("str").fillna("")


Known = Mapping[tuple[str, str], Mapping[str, Any]]


def _place(row: Mapping[str, Any]) -> str:
    return row["place"] if isinstance(row["place"], str) else ENDPOINT


def _base(row: Mapping[str, Any], known: Known) -> Mapping[str, Any] | None:
    """The row that another place's is compared with: the service's own URL for a tag, where it was tried."""
    own = known.get((SERVICE, row["name"])) if _place(row).startswith(TAG) else None
    return own or known.get((ENDPOINT, row["name"]))


def _compared(row: Mapping[str, Any], known: Known, evidence: Evidence) -> Row:
    base, serving = _base(row, known), evidence.serving()
    assert base is not None
    alone = serving[0] if len(serving) == 1 else ""
    tagged = dict(zip(evidence.traffic["tag"], evidence.traffic["revision_name"], strict=True))
    ingress = next(iter(evidence.service["ingress"].dropna()), "")
    is_tag = _place(row).startswith(TAG)
    told = {"name": row["name"], "ingress": ingress}
    told |= _of(row, "") | {"revision_name": tagged.get(_place(row).removeprefix(TAG), "") if is_tag else alone}
    told |= _of(base, "than_") | {"than_revision_name": alone}
    return told | {"difference": _of_tag(row, base) if is_tag else _of_service(row, base, known, ingress)}


def _of(row: Mapping[str, Any], prefix: str) -> Row:
    fields = {"place": _place(row), "url": _origin(row["url"]), "observed": seen(row), "status": row["status"]}
    return {prefix + name: value for name, value in fields.items()}


def _origin(url: str) -> str:
    """Scheme and host, as people write them.

    >>> _origin("wss://chat.example.com/ws")
    'https://chat.example.com'
    """
    parts = urlsplit(url)
    return f"{'https' if parts.scheme in ('https', 'wss') else 'http'}://{parts.netloc}"


def seen(row: Mapping[str, Any]) -> str:
    """What the probe saw, in few words: see `handshake.observed`."""
    return observed({name: None if pd.isna(value) else value for name, value in row.items()})


def _answered(row: Mapping[str, Any]) -> bool:
    return not seen(row).startswith("no answer")


def _of_tag(row: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    if not _answered(row):
        return NO_ANSWER
    if seen(row) == seen(base):
        return SAME
    passed, passes = base["status"] == "ok", row["status"] == "ok"
    return DIFFERS if passes == passed else MENDS if passes else BREAKS


def _of_service(row: Mapping[str, Any], base: Mapping[str, Any], known: Known, ingress: str) -> str:
    if not _answered(row):
        return NO_ANSWER
    if seen(row) == seen(base):
        return SAME
    if not _answered(base):
        return FRONT
    if _accepts(row) and not _accepts(base) and row["kind"] == "websocket":
        return _lost(base, known)
    if _accepts(base) and not _accepts(row):
        return ELSEWHERE if ingress in ("", INGRESS_ALL) else CLOSED
    return BETWEEN


def _lost(base: Mapping[str, Any], known: Known) -> str:
    """What is lost on the way to the service, where its own URL accepts a handshake that the endpoint does not."""
    at_service = [row for (place, _), row in known.items() if place == SERVICE]
    refusals = {seen(row) for row in at_service if row["kind"] == "websocket" and not _accepts(row)}
    if seen(base) in refusals:
        return HEADER
    return UPGRADE if _plain_passes(at_service, known) else BETWEEN


def _plain_passes(at_service: Sequence[Mapping[str, Any]], known: Known) -> bool:
    """Whether every plain request that was tried at both gets the same answer; false where none was."""
    plain = [(row, known.get((ENDPOINT, row["name"]))) for row in at_service if row["kind"] == "http"]
    return bool(plain) and all(there is not None and seen(row) == seen(there) for row, there in plain)


def _accepts(row: Mapping[str, Any]) -> bool:
    if row["kind"] == "http":
        return not pd.isna(row["http_status"]) and row["http_status"] < 400
    return bool(row["verdict"] == "accepted" and pd.isna(row["close_code"]))
