"""Whether the service is there, and in which region it is where it is not in the one that was named.

Decides: from the answer to a call for it, and from the services of each other region, since the Admin API lists those
of one region alone (proto of run_v2 ListServicesRequest: no `-` for the location). Cannot tell: a service that was
deleted from one that never was; a region that is younger than the list here.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import Any, Final

from google.api_core import exceptions
from google.cloud.run_v2.types import ListServicesRequest

from incident.http1 import printable
from incident.scope import Scope
from incident.sources.admin import short
from incident.sources.clients import Clients
from incident.sources.doctor_access import ALL_S, brief, call
from incident.sources.doctor_line import Line, Need, together

REGIONS: Final = tuple(
    """
    africa-south1 asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-south2
    asia-southeast1 asia-southeast2 australia-southeast1 australia-southeast2 europe-central2 europe-north1
    europe-southwest1 europe-west1 europe-west10 europe-west12 europe-west2 europe-west3 europe-west4 europe-west6
    europe-west8 europe-west9 me-central1 me-central2 me-west1 northamerica-northeast1 northamerica-northeast2
    southamerica-east1 southamerica-west1 us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 us-west3
    us-west4
    """.split()
)
"""Where Cloud Run is (cloud.google.com/run/docs/locations, read 2026-11-24 in a stored copy)."""

SHOWN: Final = 5
NEED: Final = Need(
    "service", "everything else can be read of it", "nothing can be read of it: no revision, no URL, no log of its name"
)


def service_line(clients: Clients, scope: Scope, said: Any) -> Line:
    """The line of the service; `said` is the answer to a call for it, or its error."""
    where = f"{scope.service} in {scope.region}"
    if isinstance(said, exceptions.NotFound):
        return _elsewhere(clients, scope)
    if isinstance(said, Exception):
        return NEED.line("uncertain", f"{where} could not be asked for: {brief(said)}", advice="mend what is above")
    if not said.uri:
        return NEED.line("ok", f"{where} is there, and has no URL: no revision of it was ever ready")
    return NEED.line("ok", f"{where} is there, at {printable(said.uri)}")


def _elsewhere(clients: Clients, scope: Scope) -> Line:
    """A service that is not where it was looked for: where else it is, or what else is there."""
    said = together({region: partial(_names, clients, scope.project, region) for region in _regions(scope)}, ALL_S)
    found = [region for region, names in said.items() if isinstance(names, list) and scope.service in names]
    unanswered = [region for region, names in said.items() if isinstance(names, Exception)]
    lost = f"; {len(unanswered)} of {len(said)} regions did not answer" if unanswered else ""
    because = f"{scope.service} is not in {scope.region}"
    if found:
        named = {"project": scope.project, "region": found[0], "service": scope.service}
        command = shlex.join(["incident", "doctor", *(f"--{name}={value}" for name, value in named.items())])
        return NEED.line("missing", f"{because}; it is in {', '.join(found)}{lost}", command)
    command = f"gcloud run services list --project={scope.project}"
    if len(unanswered) == len(said):
        return NEED.line("missing", f"{because}, and no other region could be asked", command)
    return NEED.line("missing", f"{because} or in any other region{lost}{_beside(said[scope.region])}", command)


def _regions(scope: Scope) -> list[str]:
    """The region that was named first, then all others."""
    return list(dict.fromkeys([scope.region, *REGIONS]))


def _names(clients: Clients, project: str, region: str) -> list[str]:
    """The services of a region, by name."""
    request = ListServicesRequest(parent=f"projects/{project}/locations/{region}")
    return [short(service.name) for service in call(clients.services.list_services, request)]


def _beside(names: list[str] | Exception) -> str:
    """What is in the region that was named, for a name that was mistyped."""
    if not isinstance(names, list) or not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"; there: {printable(', '.join(names[:SHOWN]), 300)}{more}"
