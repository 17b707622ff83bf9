"""The same check at other places than the endpoint, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from incident.sentences.words import Sentence, capitalised, number, safe

if TYPE_CHECKING:
    import pandas as pd

BETWEEN = "something between them (load balancer, CDN, proxy)"

SHOWS = {
    "upgrade": f"{BETWEEN} does not pass the upgrade",
    "header": f"{BETWEEN} passes the upgrade, and not the header that the check sends",
    "between": f"{BETWEEN} answers by itself, or changes the request",
    "front": "the service answers, so what is before it (name, certificate, load balancer) does not",
    "elsewhere": f"the endpoint does not lead to this service, or {BETWEEN} adds what the service asks for",
    "mends": "moving traffic to it would mend this check",
    "breaks": "moving traffic to it would break this check",
    "differs": "the revisions differ",
    "no answer": "nothing can be compared",
}
"""What each difference of `analysis.places` shows; `closed` names the ingress setting."""


def places(compared: pd.DataFrame) -> Sentence:
    """One line a difference, and one for each place that answers as the endpoint does; `compared` is of `places`."""
    if compared.empty:
        return Sentence(
            "Only the endpoint was tried: a tag with a URL of its own, or a service whose own URL is another, would "
            "show whether a revision or something before the service makes the difference."
        )
    lines = [_line(row) for row in compared.to_dict("records") if row["difference"] != "same"]
    same = compared[compared["difference"] == "same"]
    for _, rows in same.groupby("place", sort=False):
        lines.append(_same_line(rows.to_dict("records")))
    return Sentence("\n".join(safe(f"{capitalised(line)}.") for line in lines))


def _line(row: Mapping[str, Any]) -> str:
    this, that = does(row["observed"], row["name"]), does(row["than_observed"], "it")
    return f"{_who(row)} {this} and {_than(row)} {that}: {_shows(row)}"


def _same_line(rows: list[dict[str, Any]]) -> str:
    names = ", ".join(row["name"] for row in rows)
    return f"{_who(rows[0])} answers as {_than(rows[0])} does: {names}"


def _shows(row: Mapping[str, Any]) -> str:
    if row["difference"] == "closed":
        return f"its ingress setting, {row['ingress']}, keeps this side out, as it is meant to"
    return SHOWS[row["difference"]]


def _who(row: Mapping[str, Any]) -> str:
    if row["place"] == "service":
        return "the service's own URL"
    revision = f" ({number(row['revision_name'])})" if row["revision_name"] else ""
    return f"tag {row['place'].removeprefix('tag:')}{revision}"


def _than(row: Mapping[str, Any]) -> str:
    if row["place"] == "service":
        return str(row["than_url"])
    return f"the serving {number(row['than_revision_name'])}" if row["than_revision_name"] else "the service"


def does(observed: str, check: str) -> str:
    """What a place does with a check, from what was observed there.

    >>> does("refused 426", "x-test-type"), does("accepted, closed 4401", "it"), does("200", "health")
    ('refuses x-test-type with 426', 'accepts it, then closed 4401', 'answers health with 200')
    """
    word, _, rest = observed.partition(" ")
    if word.rstrip(",") == "accepted":
        return f"accepts {check}" + (f", then {rest}" if rest else "")
    if word == "refused":
        return f"refuses {check} with {rest}"
    if word == "broken:":
        return f"breaks the rule {rest} on {check}"
    return f"gives {observed} to {check}" if observed.startswith("no answer") else f"answers {check} with {observed}"
