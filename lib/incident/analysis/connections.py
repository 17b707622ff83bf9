"""Over which addresses and with which certificates the endpoint was reached: one row each, not one a handshake.

Reads the columns `addresses` and `tls` of `handshakes`. A record made before these were kept has neither, and then
nothing is known; where a handshake stopped before TLS, or its address has none, there is no certificate to show.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

ADDRESS_COLUMNS = ("place", "address", "port", "family", "tried", "connected", "median_s", "error")
TLS_FIELDS = (
    "version", "cipher", "alpn", "subject", "names", "issuer", "not_before", "not_after", "days_left", "trusted",
    "because",
)  # fmt: skip
TLS_COLUMNS = ("place", "checks", *TLS_FIELDS)


def addresses(handshakes: pd.DataFrame) -> pd.DataFrame:
    """One row a place and address, in the order they were first tried.

    Columns `place`, `address`, `port`, `family`, `tried` and `connected` (counts), `median_s` (seconds of those that
    connected, null where none did), `error` (the first one, empty where all connected).
    """
    tried = pd.DataFrame(_tried(handshakes), columns=["place", "address", "port", "family", "connect_s", "error"])
    if tried.empty:
        return pd.DataFrame(columns=list(ADDRESS_COLUMNS))
    tried["connect_s"] = pd.to_numeric(tried["connect_s"], errors="coerce").where(tried["error"] == "")
    groups = tried.groupby(["place", "address", "port", "family"], sort=False)
    made = groups.agg(
        tried=("error", "size"), connected=("error", lambda errors: int((errors == "").sum())),
        median_s=("connect_s", "median"), error=("error", lambda errors: next(filter(None, errors), "")),
    )  # fmt: skip
    return made.reset_index()[list(ADDRESS_COLUMNS)]


def certificates(handshakes: pd.DataFrame) -> pd.DataFrame:
    """One row a place and TLS session that differ in more than time, in the order they were first seen.

    Columns `place`, `checks` (how many had it), and the fields of `tls`; `days_left` is the least that was seen.
    """
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for row in handshakes.to_dict("records"):
        for tls in _documents([row["tls"]]):
            seen = {"place": _place(row), "checks": 0} | {name: tls.get(name) for name in TLS_FIELDS}
            same = tuple(json.dumps(seen[name], sort_keys=True) for name in seen if name != "days_left")
            kept = found.setdefault(same, seen)
            kept["checks"] += 1
            kept["days_left"] = min((kept["days_left"], seen["days_left"]), key=_days)
    return pd.DataFrame(list(found.values()), columns=list(TLS_COLUMNS))


def certificate_table(found: pd.DataFrame) -> pd.DataFrame:
    """TLS sessions as a table for people: a column a session, a row a fact, so that long names have room."""
    if found.empty:
        return pd.DataFrame()
    named = [f"{row.place} ({row.checks} of its checks)" for row in found.itertuples(index=False)]
    facts = found[list(TLS_FIELDS)].rename(columns={"because": "why not trusted"}).astype("object")
    return facts.T.set_axis(named, axis=1).reset_index(names="certificate")


def _tried(handshakes: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in handshakes.to_dict("records"):
        for address in _documents([row["addresses"]]):
            yield {
                "place": _place(row), "address": str(address.get("address")), "port": str(address.get("port")),
                "family": str(address.get("family")), "connect_s": address.get("connect_s"),
                "error": str(address.get("error") or ""),
            }  # fmt: skip


def _documents(texts: Iterable[object]) -> Iterator[Mapping[str, Any]]:
    """The JSON objects in some cells, alone or in lists; what is none is left out: an export is written by anybody."""
    for text in texts:
        try:
            read = json.loads(text) if isinstance(text, str) and text else None
        except ValueError:
            continue
        yield from (one for one in (read if isinstance(read, list) else [read]) if isinstance(one, dict))


def _place(row: Mapping[str, Any]) -> str:
    return row["place"] if isinstance(row["place"], str) else "endpoint"


def _days(left: object) -> float:
    return float(left) if isinstance(left, int | float) else float("inf")
