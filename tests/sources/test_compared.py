"""Another service beside the one that fails: what is asked of it, what is kept, and what it refuses."""

from pathlib import Path
from typing import Any

import grpc
import pandas as pd
import pytest
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from incident import Case, gather
from incident.analysis.compare import compared
from incident.evidence import Evidence
from incident.findings import UsageError

OTHER = "prod-project/us-central1/chat"
OTHER_NAME = "projects/prod-project/locations/us-central1/services/chat"
SECRET = "postgres://chat:hunter2@db/chat"
NOW = pd.Timestamp("2025-09-07T11:05:00Z")
LIVE = {
    "source": "cloud", "project": "my-project", "region": "us-central1", "service": "chat",
    "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z",
}  # fmt: skip


def serving(name: str, full_name: str) -> run_v2.Service:
    """A service whose traffic is all on one revision."""
    share = {"revision": name, "percent": 100, "type_": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"}
    return run_v2.Service(name=full_name, traffic_statuses=[share])


def with_variables(made: run_v2.Revision, **variables: str) -> run_v2.Revision:
    """A revision with environment variables."""
    made.containers[0].env = [run_v2.EnvVar(name=name, value=value) for name, value in variables.items()]
    return made


@pytest.fixture
def run(google: Any, make: Any, tmp_path: Path) -> Any:
    """Gathers the evidence of staging beside production."""
    google.service = serving("chat-00001-abc", make.NAME)
    google.revisions = [with_variables(make.revision(), DATABASE_URL=SECRET, MODE="staging", ONLY_HERE="1")]
    other = type(google)(service=serving("chat-00042-xyz", OTHER_NAME))
    other.revisions = [
        with_variables(make.revision(name, "2025-08-01T09:00:00Z"), DATABASE_URL=SECRET, MODE="production")
        for name in ("chat-00041-old", "chat-00042-xyz")
    ]
    other.policy = policy_pb2.Policy(bindings=[{"role": "roles/run.invoker", "members": ["allUsers"]}])
    google.others[OTHER_NAME] = other

    def gathered(name: str = OTHER) -> Evidence:
        environ = {"INCIDENT_GCP_ENDPOINT": google.address}
        return gather(LIVE | {"compare_to": name}, now=lambda: NOW, environ=environ, outputs=tmp_path)

    return gathered


def test_the_revision_that_serves_there(run: Any, google: Any) -> None:
    """What nobody asks any more is no difference, and nothing of the other service's logs is read."""
    (row,) = run().compared.to_dict("records")
    assert (row["service_name"], row["revision_name"]) == (OTHER, "chat-00042-xyz")
    assert row["members"] == '{"roles/run.invoker": ["allUsers"]}'
    assert not [request for request in google.requests("ListLogEntries") if "prod-project" in str(request)]


def test_equal_values_are_equal_and_none_is_kept(run: Any) -> None:
    """A secret is the same in both, which is all that may be said of it."""
    evidence = run()
    rows = compared(Case(evidence))
    variables = rows[rows["kind"] == "environment"]
    assert [tuple(row[1:]) for row in variables.itertuples(index=False)] == [
        ("MODE", "one value", "another value"), ("ONLY_HERE", "set", "not set"),
    ]  # fmt: skip
    assert not any("hunter2" in frame.to_csv() for frame in evidence.frames.values())


@pytest.mark.parametrize(("method", "column"), [("GetIamPolicy", "members"), ("ListRevisions", "revision_name")])
def test_what_is_refused_there_is_a_gap_of_the_comparison_alone(
    run: Any, google: Any, method: str, column: str
) -> None:
    """Production is often closed to whoever looks after staging; staging's own answer must not suffer."""
    google.others[OTHER_NAME].faults[method] = grpc.StatusCode.PERMISSION_DENIED
    evidence = run()
    assert pd.isna(evidence.compared[column].iloc[0])
    assert {gap.frame for gap in evidence.gaps if gap.kind == "refused"} == {"compared"}
    assert "compared" not in evidence.complete


def test_a_service_that_is_not_there(run: Any, google: Any) -> None:
    """A name that was mistyped must not read as a service that is the same."""
    google.others[OTHER_NAME].faults["GetService"] = grpc.StatusCode.NOT_FOUND
    evidence = run()
    assert evidence.compared.empty
    assert evidence.gap("compared") is not None


@pytest.mark.parametrize("name", ["chat", "a/b", "p/r/s/t", "my-project/us-central1/chat", "../x/y"])
def test_a_name_that_is_none(run: Any, name: str) -> None:
    """What is no other service is refused before anything is asked."""
    with pytest.raises(UsageError, match="parameter 'compare_to' is "):
        run(name)
