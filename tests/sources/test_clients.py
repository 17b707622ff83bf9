"""Where the official clients connect, and what happens without credentials."""

from typing import Any
from unittest.mock import Mock

import pytest
from google.auth.exceptions import DefaultCredentialsError

from incident.findings import UsageError
from incident.scope import Scope
from incident.sources import cloud
from incident.sources.calls import LOGIN, Calls, failure
from incident.sources.clients import Clients, check_endpoint


@pytest.mark.parametrize("address", ["127.0.0.1:8085", "127.8.8.8:1", "localhost:65535", "[::1]:8085", ""])
def test_loopback_is_allowed(address: str) -> None:
    """Every way to write this machine is one."""
    assert check_endpoint({"INCIDENT_GCP_ENDPOINT": address}) == address


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.5:8085", "logging.googleapis.com:443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000",
        "127.0.0.1:x", "127.0.0.1@evil.example:80", "127.0.0.1:80/x", "127.0.0.1.evil.example:80", "http://127.0.0.1:80",
        "dns:///127.0.0.1:80", "0.0.0.0:80", "[::ffff:10.0.0.5]:80", " 127.0.0.1:80", "localhost:80,10.0.0.5:80",
    ],
)  # fmt: skip
def test_all_else_is_refused(address: str) -> None:
    """A plaintext connection to another machine would carry a project's logs past everyone on the way."""
    with pytest.raises(UsageError) as refused:
        check_endpoint({"INCIDENT_GCP_ENDPOINT": address})
    assert str(refused.value) == (
        f"INCIDENT_GCP_ENDPOINT is {address!r}: only a stand-in on loopback is allowed, such as 127.0.0.1:8085; "
        "unset it to use Google Cloud"
    )


def test_a_proxy_of_the_environment_is_not_used(google: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """gRPC sends even loopback through `http_proxy`, so a stand-in would be out of reach behind a company's proxy."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:9")
    pull = cloud.Pull(make.SCOPE, Clients(google.address))
    assert cloud.ask_service(pull) == "https://chat-x.a.run.app"


def test_no_credentials(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a login nothing crashes: each frame says that it was not read, and the command that mends it."""
    searches = []

    def none(**_: Any) -> Any:
        searches.append(1)
        raise DefaultCredentialsError("none")

    monkeypatch.setattr("google.auth.default", none)
    pulled = cloud.pull(make.SCOPE, Clients(), pulled=make.END)
    assert {gap.frame for gap in pulled.gaps} == {
        "service", "traffic", "revisions", "iam", "builds", "audit", "logs",
    }  # fmt: skip
    asked = [gap for gap in pulled.gaps if gap.frame != "builds"]
    assert {(gap.kind, gap.remedy) for gap in asked} == {("refused", LOGIN)}
    assert pulled.gaps[-1].reason == "reading logs of project 'my-project' needs a login: there are no credentials"
    assert pulled.complete == frozenset()
    assert len(searches) == 1, "the search asks a metadata server and takes seconds"


def test_a_login_that_has_expired(make: Any) -> None:
    """gRPC reports a login that has run out as UNAVAILABLE; waiting would not help, logging in does."""
    from google.api_core.exceptions import ServiceUnavailable

    scope: Scope = make.SCOPE
    error = ServiceUnavailable("Getting metadata from plugin failed with error: Reauthentication is needed.")
    calls = Calls(budget=0.05, first_pause=0.001)
    with pytest.raises(ServiceUnavailable):
        calls.make(Mock(side_effect=error), None)
    assert calls.made == 1
    gap = failure("logs", scope, error)
    assert (gap.kind, gap.remedy) == ("refused", LOGIN)
    assert gap.reason == "reading logs of project 'my-project' needs a login: the one there is not valid"


def test_an_api_that_is_not_enabled(make: Any) -> None:
    """A project without the API answers 403 too; no grant mends that."""
    from google.api_core.exceptions import PermissionDenied
    from google.rpc.error_details_pb2 import ErrorInfo

    error = PermissionDenied("disabled", error_info=ErrorInfo(reason="SERVICE_DISABLED"))
    gap = failure("builds", make.SCOPE, error)
    assert gap.reason.endswith("was refused (403): cloudbuild.googleapis.com is not enabled")
    assert gap.remedy == "gcloud services enable cloudbuild.googleapis.com --project=my-project"
