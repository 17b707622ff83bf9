"""Places and the log's side in words: whole lines, since they are what is read at 3 a.m."""

from typing import Any

import pandas as pd
import pytest

from incident.analysis.places import COLUMNS
from incident.sentences.places import places

OWN = {
    "name": "x-test-type", "place": "service", "url": "https://chat-x.a.run.app", "observed": "accepted", "status": "ok",
    "revision_name": "chat-00139-rap", "than_place": "endpoint", "than_url": "https://chat.example.com",
    "than_observed": "refused 426", "than_status": "failed", "than_revision_name": "chat-00139-rap",
    "difference": "upgrade", "ingress": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}  # fmt: skip
TAG = OWN | {
    "place": "tag:canary",
    "revision_name": "chat-00140-vix",
    "than_observed": "refused 403",
    "difference": "mends",
}
BETWEEN = "something between them (load balancer, CDN, proxy)"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (OWN, "The service's own URL accepts x-test-type and https://chat.example.com refuses it with 426: "
              f"{BETWEEN} does not pass the upgrade."),
        (OWN | {"than_observed": "refused 403", "difference": "header"},
         "The service's own URL accepts x-test-type and https://chat.example.com refuses it with 403: "
         f"{BETWEEN} passes the upgrade, and not the header that the check sends."),
        (OWN | {"than_observed": "no answer at tls", "difference": "front"},
         "The service's own URL accepts x-test-type and https://chat.example.com gives no answer at tls to it: "
         "the service answers, so what is before it (name, certificate, load balancer) does not."),
        (OWN | {"observed": "refused 404", "than_observed": "accepted", "difference": "closed"},
         "The service's own URL refuses x-test-type with 404 and https://chat.example.com accepts it: "
         "its ingress setting, INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER, keeps this side out, as it is meant to."),
        (OWN | {"name": "health", "observed": "200", "than_observed": "502", "difference": "between"},
         "The service's own URL answers health with 200 and https://chat.example.com answers it with 502: "
         f"{BETWEEN} answers by itself, or changes the request."),
        (OWN | {"difference": "same"},
         "The service's own URL answers as https://chat.example.com does: x-test-type."),
        (TAG, "Tag canary (00140) accepts x-test-type and the serving 00139 refuses it with 403: "
              "moving traffic to it would mend this check."),
        (TAG | {"observed": "accepted, closed 4401", "than_observed": "accepted", "difference": "breaks",
                "than_revision_name": ""},
         "Tag canary (00140) accepts x-test-type, then closed 4401 and the service accepts it: "
         "moving traffic to it would break this check."),
        (TAG | {"observed": "broken: upgrade", "revision_name": "", "difference": "differs"},
         "Tag canary breaks the rule upgrade on x-test-type and the serving 00139 refuses it with 403: "
         "the revisions differ."),
        (TAG | {"difference": "same"}, "Tag canary (00140) answers as the serving 00139 does: x-test-type."),
    ],
)  # fmt: skip
def test_a_difference(row: dict[str, Any], line: str) -> None:
    """Both places, what each does, and what that shows."""
    assert str(places(pd.DataFrame([row], columns=COLUMNS))) == line


def test_only_one_place() -> None:
    """Nothing compared is said, with what would make it possible."""
    assert str(places(pd.DataFrame(columns=COLUMNS))) == (
        "Only the endpoint was tried: a tag with a URL of its own, or a service whose own URL is another, would "
        "show whether a revision or something before the service makes the difference."
    )


def test_hostile_names_stay_on_their_line() -> None:
    """A tag's URL and a status come from the other side."""
    said = places(pd.DataFrame([OWN | {"than_url": "https://a\x1b[31m\n<b>"}], columns=COLUMNS))
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1
    assert "<b>" not in said._repr_html_()
