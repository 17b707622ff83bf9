"""The handshakes of a run in words: what is not as expected, what the log has of them, how the endpoint was reached.

Decides the words only; what refused, what was seen and which addresses were tried is computed in `analysis`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from incident.analysis.both_sides import LAYER_WORDS, both_sides, of_the_endpoint
from incident.analysis.connections import addresses, certificates
from incident.analysis.rows import in_brief
from incident.sentences.summaries import gap
from incident.sentences.words import Sentence, capitalised, counted, number, safe

if TYPE_CHECKING:
    import pandas as pd

    from incident.evidence import Evidence

FEW_DAYS = 14
"""A certificate that ends this soon is told; most are renewed thirty days before."""

NAMED = 7
"""So many checks are named before a line only counts them."""


def handshakes(evidence: Evidence) -> Sentence:
    """How many handshakes came out as expected, and each kind of those that did not: what came, and from which layer.

    Checks that were to come to the same and came to the same are one line.
    """
    rows = of_the_endpoint(both_sides(evidence))
    if rows.empty:
        missing = evidence.gap("handshakes")
        why = [f"Gap in {gap(missing.as_json())}."] if missing else []
        return _lines(["No handshake was tried, so nothing here shows what the endpoint does now.", *why])
    failing = rows[rows["status"] != "ok"]
    head = f"{len(rows) - len(failing)} of {len(rows)} handshakes came out as expected."
    return _lines([head, *_grouped(failing, _what_came, len(rows))])


def in_the_log(evidence: Evidence) -> Sentence:
    """How many handshakes the service's own log has, on which revision; of the others why not, and until when."""
    rows = both_sides(evidence)
    if rows.empty:
        return _lines(["No handshake was tried, so there is none to look for in the log."])
    seen = rows[rows["seen"] == "seen"]
    lines = [f"The service’s own log has {len(seen)} of {counted(len(rows), 'handshake')}{_where(seen)}."]
    said = seen[seen["platform_says"] != ""]
    lines += _grouped(said, lambda row: f"the platform says: {_ended(row['platform_says'])}", len(rows))
    changed = seen[(seen["http_status"] != seen["log_status"]).fillna(False).astype(bool)]
    lines += _grouped(changed, lambda row: f"{row['log_because']}.", len(rows))
    absent = rows[rows["seen"] != "seen"]
    return _lines([*lines, *_grouped(absent, lambda row: f"{row['seen']}; {row['log_because']}.", len(rows))])


def connection(evidence: Evidence) -> Sentence:
    """Which addresses answered and which did not, the certificate and how long it is valid, and the run's notes."""
    rows = evidence.handshakes
    if rows.empty:
        return _lines(["No handshake was tried, so no address was connected to.", *evidence.notes])
    tried = [_address(row) for row in addresses(rows).to_dict("records")]
    sessions = [_session(row) for row in certificates(rows).to_dict("records")]
    none = ["Which addresses were tried is not in this record."] if not tried else []
    return _lines([*tried, *none, *(sessions or [_without_tls(rows["url"])]), *evidence.notes])


def _what_came(row: dict[str, Any]) -> str:
    on = f" on {number(row['revision_name'])}" if isinstance(row["revision_name"], str) else ""
    by = f"Refused by {LAYER_WORDS[row['refused_by']]}" if row["refused_by"] else f"Answered{on}" if on else ""
    because = in_brief(row["because"]) or row["observed"]
    return f"expected {row['expected']}; {because}. {by}{on if row['refused_by'] else ''}{'.' if by else ''}".rstrip()


def _grouped(rows: pd.DataFrame, words: Callable[[dict[str, Any]], str], tried: int) -> list[str]:
    """A line for each thing that was said, with the names of the checks it was said of, `tried` being all of them."""
    said: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        said.setdefault(words(row), []).append(_named(row))
    return [f"{f'All {tried}' if len(names) == tried > 1 else _names(names)}: {text}" for text, names in said.items()]


def _named(row: dict[str, Any]) -> str:
    """A check by its name, with its place where that is not the endpoint."""
    place = row["place"] if isinstance(row["place"], str) else "endpoint"
    return str(row["name"]) if place == "endpoint" else f"{row['name']} ({place})"


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _where(seen: pd.DataFrame) -> str:
    """How they were matched, on which revisions and on how many instances."""
    if seen.empty:
        return ""
    matched = " or ".join(sorted(set(seen["matched"]), reverse=True))
    revisions = ", ".join(number(name) for name in seen["revision_name"].dropna().unique())
    instances = seen["instance_id"].dropna().nunique()
    on = f", answered by {revisions} on {counted(instances, 'instance')}" if revisions and instances else ""
    return f", found by their {matched}{on}"


def _ended(text: str) -> str:
    """The first sentence of a text of the platform's; a link to its page follows, which is in the log."""
    return f"{safe(text).split('. ')[0].removesuffix('.')}."


def _address(row: dict[str, Any]) -> str:
    took = "" if row["median_s"] != row["median_s"] else f", in {row['median_s'] * 1000:.1f} ms at the median"
    error = f"; {row['error']}" if row["error"] else ""
    where = f"{row['address']} port {row['port']} ({row['family']})"
    return f"{row['place']}: {where} connected in {row['connected']} of {row['tried']} tries{took}{error}."


def _session(row: dict[str, Any]) -> str:
    """A TLS session: what was agreed, whose certificate, until when, and whether it is trusted."""
    agreed = ", ".join(str(value) for value in (row["version"], row["cipher"], row["alpn"]) if value)
    left = row["days_left"]
    known = isinstance(left, int | float) and left == left
    soon = f"; only {left:.0f} days are left" if known and 0 <= left < FEW_DAYS else ""
    until = f", valid until {row['not_after']}{soon}" if row["not_after"] else ""
    trust = {False: f" It is not trusted: {row['because']}.", None: f" {capitalised(str(row['because']))}."}
    whose = f"certificate of {row['subject']} by {row['issuer']}" if row["subject"] else "no certificate could be read"
    return f"{row['place']}: {agreed or 'no TLS session'}; {whose}{until}.{trust.get(row['trusted'], '')}"


def _without_tls(urls: Iterable[object]) -> str:
    secure = any(str(url).startswith(("wss:", "https:")) for url in urls)
    return "No certificate was kept or reached." if secure else "No TLS: the address is plain ws or http."


def _lines(lines: Iterable[str]) -> Sentence:
    return Sentence("\n".join(map(safe, lines)))
