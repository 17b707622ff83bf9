"""What a run must say of itself: what its probe passed by, could not trust and sent, and which times it took for UTC.

Reads parameters and the environment; asks nobody. It cannot tell what a proxy does on the way.
"""

from __future__ import annotations

from collections.abc import Mapping

from incident.scope import Parameters, without_zone
from incident.sources.matrices import announcement, load_matrix
from incident.sources.target import parse_target, proxies
from incident.sources.trust import trust_note


def probe_notes(parameters: Parameters, endpoint: str, environ: Mapping[str, str]) -> list[str]:
    """What a live probe of the endpoint passed by, could not trust, and sent to it."""
    if not endpoint or not (parameters.live or parameters.endpoint):
        return []
    target = parse_target(endpoint)
    notes = (
        proxies(environ, target), trust_note(environ) if target.secure else "",
        announcement(load_matrix(parameters.matrix), endpoint),
    )  # fmt: skip
    return list(filter(None, notes))


def zone_notes(parameters: Parameters) -> list[str]:
    """Which times named no zone, and were read as UTC."""
    return [
        f"parameter '{name}' is {getattr(parameters, name)!r}: it names no time zone and was read as UTC"
        for name in without_zone(parameters)
    ]
