"""The one place that makes Google's official clients.

Decides where they connect: to Google with the caller's own credentials, or, where `INCIDENT_GCP_ENDPOINT` is set, to
a plaintext stand-in on loopback with none. Missing credentials are found when a client is first asked for, once, so
that each API can say what their absence costs. It cannot tell whether the credentials are allowed to read anything.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from incident.findings import UsageError

if TYPE_CHECKING:
    from google.cloud.bigquery import Client as BigQueryClient
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
    from google.cloud.resourcemanager_v3 import ProjectsClient
    from google.cloud.run_v2 import RevisionsClient, ServicesClient

ENDPOINT = "INCIDENT_GCP_ENDPOINT"
BIGQUERY = "BIGQUERY_EMULATOR_HOST"
"""The official client's own variable: BigQuery is REST, and has an emulator of its own."""

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
CHANNEL_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1))
"""No proxy of the environment for loopback; a page of 1,000 entries can be far larger than gRPC's 4 MB."""


def check_endpoint(environ: Mapping[str, str]) -> str:
    """The stand-in's address in `environ`, or an empty text; any address but loopback is a `UsageError`.

    A plaintext connection to another machine would carry a project's logs for everyone on the way to read.

    >>> check_endpoint({"INCIDENT_GCP_ENDPOINT": "127.0.0.1:8085"})
    '127.0.0.1:8085'
    >>> check_endpoint({"INCIDENT_GCP_ENDPOINT": "logging.googleapis.com:443"})
    Traceback (most recent call last):
    incident.findings.UsageError: INCIDENT_GCP_ENDPOINT is 'logging.googleapis.com:443': only a stand-in on loopback ...
    """
    return _checked(environ, ENDPOINT, "127.0.0.1:8085")


def check_bigquery(environ: Mapping[str, str]) -> str:
    """The address of BigQuery's emulator in `environ`, as `check_endpoint` has it.

    >>> check_bigquery({"BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:9050"})
    'http://127.0.0.1:9050'
    """
    return _checked(environ, BIGQUERY, "http://127.0.0.1:9050")


def _checked(environ: Mapping[str, str], name: str, example: str) -> str:
    address = environ.get(name, "")
    if address and not _is_loopback(address.removeprefix(example.partition("127")[0])):
        raise UsageError(
            f"{name} is {address!r}: only a stand-in on loopback is allowed, such as {example}; "
            "unset it to use Google Cloud"
        )
    return address


def _is_loopback(address: str) -> bool:
    try:
        parts = urlsplit(f"//{address}")
        host, whole = parts.hostname or "", parts.port and parts.netloc == address and "@" not in address
        return bool(whole) and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


@dataclass
class Clients:
    """The official clients, each made when it is first used; `endpoint` is a stand-in's address or empty, and
    `bigquery_endpoint` that of BigQuery's emulator.

    Without credentials each raises `google.auth.exceptions.DefaultCredentialsError`, after one search for all.
    """

    endpoint: str = ""
    bigquery_endpoint: str = ""
    _no_credentials: Exception | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Clients:
        """The clients that an environment asks for."""
        return cls(check_endpoint(environ), check_bigquery(environ))

    @cached_property
    def logging(self) -> LoggingServiceV2Client:
        """Cloud Logging, by the generated client, which adds no filter of its own and keeps nanoseconds.

        Its `list_log_entries` answers with a `decode.Page`.
        """
        from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

        from incident.sources.decode import Transport

        return self._make(LoggingServiceV2Client, Transport)  # type: ignore[no-any-return]

    @cached_property
    def services(self) -> ServicesClient:
        """Cloud Run's services."""
        from google.cloud.run_v2 import ServicesClient

        return self._make(ServicesClient)  # type: ignore[no-any-return]

    @cached_property
    def revisions(self) -> RevisionsClient:
        """Cloud Run's revisions."""
        from google.cloud.run_v2 import RevisionsClient

        return self._make(RevisionsClient)  # type: ignore[no-any-return]

    @cached_property
    def builds(self) -> CloudBuildClient:
        """Cloud Build."""
        from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

        return self._make(CloudBuildClient)  # type: ignore[no-any-return]

    @cached_property
    def projects(self) -> ProjectsClient:
        """The Resource Manager, which says which permissions the caller has on a project."""
        from google.cloud.resourcemanager_v3 import ProjectsClient

        return self._make(ProjectsClient)  # type: ignore[no-any-return]

    def bigquery(self, project: str) -> BigQueryClient:
        """BigQuery, where a project's queries count."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.bigquery import Client

        if not self.bigquery_endpoint:
            return Client(project, credentials=self.credentials)
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        emulator = {"api_endpoint": self.bigquery_endpoint}
        return Client(project, credentials=nobody, client_options=emulator)

    def _make(self, client: Any, transport: Any = None) -> Any:
        transport = transport or client.get_transport_class("grpc")
        if not self.endpoint:
            return client(credentials=self.credentials, transport=transport)
        return client(transport=transport(channel=self._channel))

    @cached_property
    def _channel(self) -> Any:
        import grpc

        return grpc.insecure_channel(self.endpoint, options=CHANNEL_OPTIONS)

    @cached_property
    def credentials(self) -> Any:
        """The caller's own credentials, as google-auth finds them; not to be shown, as it holds a token."""
        import google.auth
        from google.auth.exceptions import DefaultCredentialsError

        if self._no_credentials:  # the search asks a metadata server and may take seconds: once is enough
            raise self._no_credentials
        try:
            return google.auth.default(scopes=SCOPES)[0]
        except DefaultCredentialsError as error:
            self._no_credentials = error
            raise

    def close(self) -> None:
        """Close the stand-in's channel; Google's own clients share no channel to close."""
        if "_channel" in self.__dict__:
            self._channel.close()
