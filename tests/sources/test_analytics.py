"""What is asked of a linked dataset, what it may cost, and what a refusal leaves: by a BigQuery on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest

from incident.evidence import Evidence, load, save
from incident.scope import Parameters
from incident.sources import analytics, analytics_jobs
from incident.sources.analytics_rows import shared
from incident.sources.analytics_sql import ROW, reduction
from incident.sources.clients import Clients
from incident.sources.cloud import Pull
from incident.sources.gather import gather

SOURCE = "analytics:linked-project.chat_logs"
VIEW = "linked-project.chat_logs._AllLogs"
NUMBERS = {"number", "entry_count", "all_groups", "all_entries", "status", "latency_s", "latency_ns"}
TIMES = {"timestamp", "receive_timestamp"}
FIELDS = ["number", "entry_count", "all_groups", "all_entries", *ROW]


def kind_of(name: str) -> str:
    """The type of a field of the answer."""
    return "INTEGER" if name in NUMBERS else "TIMESTAMP" if name in TIMES else "STRING"


class BigQuery:
    """Speaks as much of BigQuery's REST as a query needs; `error` is what a job is refused with, `rows` what comes."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.bytes = 1_500_000_000
        self.error: tuple[int, str, str] | None = None
        self.refuse_from = 0
        self.url = ""

    def insert(self, job: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """A new job."""
        self.jobs.append(job)
        if self.error and len(self.jobs) > self.refuse_from:
            code, reason, message = self.error
            return code, {
                "error": {"code": code, "message": message, "errors": [{"reason": reason, "message": message}]}
            }
        statistics = {"query": {"totalBytesProcessed": str(self.bytes)}, "totalBytesProcessed": str(self.bytes)}
        reference = job.get("jobReference", {}) | {"projectId": "linked-project", "location": "EU"}
        status = {"state": "DONE"}
        return 200, job | {"id": "x", "jobReference": reference, "status": status, "statistics": statistics}

    def results(self) -> dict[str, Any]:
        """The answer of a job."""
        schema = {"fields": [{"name": name, "type": kind_of(name)} for name in FIELDS]}
        cells = [
            {"f": [{"v": None if row.get(name) is None else str(row[name])} for name in FIELDS]} for row in self.rows
        ]
        return {
            "jobComplete": True, "schema": schema, "rows": cells, "totalRows": str(len(cells)),
            "jobReference": {"projectId": "linked-project", "jobId": "x", "location": "EU"},
        }  # fmt: skip

    def parameters(self) -> dict[str, Any]:
        """The parameters of the last job by name."""
        given = self.jobs[-1]["configuration"]["query"]["queryParameters"]
        return {one["name"]: one["parameterValue"] for one in given}


def row(number: int, count: int, second: int, **fields: Any) -> dict[str, Any]:
    """A row of the reduction, one of two groups and `count` entries."""
    at = int(pd.Timestamp(f"2025-09-07T10:00:{second:02d}.000001Z").value / 1000)
    return {
        "number": number, "entry_count": count, "all_groups": 2, "all_entries": 8, "timestamp": at,
        "log_name": "projects/my-project/logs/run.googleapis.com%2Fstderr", "insert_id": f"i{second}",
        "revision_name": "chat-00001-abc", "severity": "DEFAULT", "labels": '{"instanceId":"00ab"}',
    } | fields  # fmt: skip


@pytest.fixture
def bigquery() -> Iterator[BigQuery]:
    """A running one."""
    held = BigQuery()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            held.asked.append(f"POST {urlsplit(self.path).path}")
            self.answer(*held.insert(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def do_GET(self) -> None:
            held.asked.append(f"GET {urlsplit(self.path).path}")
            self.answer(200, held.results())

        def log_message(self, *_: Any) -> None:
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    yield held
    server.shutdown()
    server.server_close()


def pulled(bigquery: BigQuery, make: Any, **changes: str) -> tuple[pd.DataFrame, Pull]:
    """The frame `logs` that comes, and the pull with its gaps."""
    pull = Pull(make.SCOPE, Clients(bigquery_endpoint=bigquery.url))
    logs = analytics.asking(Parameters.read({"source": SOURCE} | changes))(pull, [], 0.0)
    return logs, pull


def test_a_dry_run_comes_first(bigquery: BigQuery, make: Any) -> None:
    """What it will cost is known before it costs, and BigQuery itself holds the bound."""
    bigquery.rows = [row(1, 8, 1, all_groups=1)]
    _, pull = pulled(bigquery, make, max_bytes_billed="2GB")
    dry, paid = (job["configuration"] for job in bigquery.jobs)
    assert dry["dryRun"] is True
    assert "dryRun" not in paid
    assert paid["query"]["maximumBytesBilled"] == "2000000000"
    assert dry["query"]["query"] == paid["query"]["query"]
    assert [job["configuration"]["query"]["useQueryCache"] for job in bigquery.jobs] == [False, False]
    assert pull.notes == [
        f"{VIEW}: a dry run said that the query scans 1.5GB, and at most 2GB may be billed; 8 entries came as 1 rows"
    ]
    [query] = pull.queries
    assert (query.frame, query.filter, query.entries) == ("logs", f"SQL, from {VIEW}, in 120 stretches", 8)


def test_the_bound_without_an_option(bigquery: BigQuery, make: Any) -> None:
    """A run by somebody who has not read of it must have an end, too."""
    pulled(bigquery, make)
    assert bigquery.jobs[1]["configuration"]["query"]["maximumBytesBilled"] == str(10 * 2**30)


def test_above_the_bound_nothing_is_run(bigquery: BigQuery, make: Any) -> None:
    """The gap has the figure, and the option that would be enough for it."""
    logs, pull = pulled(bigquery, make, max_bytes_billed="1GiB")
    assert logs.empty
    [job] = bigquery.jobs
    assert job["configuration"]["dryRun"] is True
    [gap] = pull.gaps
    assert gap.reason == f"nothing was asked of {VIEW}: the query would scan 1.5GB, and at most 1.1GB may be billed"
    assert gap.remedy == "give --max-bytes-billed 1500MB, or a later --start"
    assert (gap.frame, gap.kind) == ("logs", "refused")
    assert "logs" not in pull.complete


GRANT = "gcloud projects add-iam-policy-binding linked-project --member=MEMBER --role={0} --condition=None"
WHO = "MEMBER, which is user:EMAIL or serviceAccount:EMAIL"


@pytest.mark.parametrize(
    ("error", "kind", "reason", "remedy"),
    [
        (
            (403, "accessDenied", "Access Denied: Project linked-project: User does not have bigquery.jobs.create permission in project linked-project."),
            "refused", f"asking {VIEW} was refused (403): bigquery.jobs.create is needed",
            f"grant roles/bigquery.jobUser to {WHO}: {GRANT.format('roles/bigquery.jobUser')}",
        ),
        (
            (403, "accessDenied", f"Access Denied: Table {VIEW}: User does not have permission to query table {VIEW}, or perhaps it does not exist."),
            "refused", f"asking {VIEW} was refused (403): bigquery.tables.getData is needed",
            f"grant roles/bigquery.dataViewer to {WHO}: {GRANT.format('roles/bigquery.dataViewer')}",
        ),
        (
            (403, "accessNotConfigured", "BigQuery API has not been used in project 1 before or it is disabled."),
            "refused", f"asking {VIEW} was refused (403): bigquery.googleapis.com is not enabled",
            "gcloud services enable bigquery.googleapis.com --project=linked-project",
        ),
        (
            (403, "quotaExceeded", "Quota exceeded: too many bytes today"),
            "refused", f"asking {VIEW} was refused (403): Quota exceeded: too many bytes today",
            "no grant mends it: ask who administers the project, with these words",
        ),
        (
            (404, "notFound", "Not found: Dataset linked-project:chat_logs was not found in location EU"),
            "absent",
            f"asking {VIEW}: it was not found (404): Not found: Dataset linked-project:chat_logs was not found in location EU",
            "name the linked dataset of the log bucket: bq ls --project_id=linked-project; "
            "gcloud logging links create chat_logs --bucket=BUCKET --location=LOCATION --project=linked-project",
        ),
        (
            (400, "invalidQuery", "Unrecognized name: labels at [5:3]"),
            "partial", f"asking {VIEW} failed (400): Unrecognized name: labels at [5:3]",
            "a fault of the query, which trying again does not mend: report it with the filter that the manifest has",
        ),
        (
            (400, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 10. 20 or higher required."),
            "refused", f"asking {VIEW} was refused: it bills more than 10.8GB",
            "give a later --start, or a higher --max-bytes-billed",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("refuse_from", [0, 1])
def test_what_a_refusal_says(
    bigquery: BigQuery, make: Any, error: Any, kind: str, reason: str, remedy: str, refuse_from: int
) -> None:
    """Never an empty answer: what was refused, by whom, and the command that mends it, at the dry run or after it."""
    bigquery.error, bigquery.refuse_from = error, refuse_from
    logs, pull = pulled(bigquery, make)
    assert logs.empty
    [gap] = pull.gaps
    assert (gap.kind, gap.remedy) == (kind, remedy)
    assert gap.reason == reason
    assert pull.queries[0].gaps == (gap.reason,)


def test_no_answer_has_an_end(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official client tries for ten minutes what nobody answers; people wait for this."""
    monkeypatch.setattr(analytics_jobs, "RETRY_SECONDS", 0.5)
    pull = Pull(make.SCOPE, Clients(bigquery_endpoint="http://127.0.0.1:1"))
    analytics.asking(Parameters.read({"source": SOURCE}))(pull, [], 0.0)
    [gap] = pull.gaps
    assert (gap.kind, gap.remedy) == ("partial", "run again once BigQuery answers")


def test_values_are_parameters(bigquery: BigQuery, make: Any) -> None:
    """A name from outside that stood in the SQL could end it and begin another."""
    pulled(bigquery, make)
    sql, given = bigquery.jobs[-1]["configuration"]["query"]["query"], bigquery.parameters()
    assert given["service"] == {"value": "chat"}
    assert given["start"]["value"] == "2025-09-07 10:00:00+00:00"
    assert given["log_names"]["arrayValues"][0]["value"].startswith("projects/my-project/logs/run.")
    for name, used in (("my-project", 0), ("us-central1", 0), ("'chat'", 0), (f"`{VIEW}`", 1), ("@service", 1)):
        assert sql.count(name) == used, name


def test_rows_are_entries_again(bigquery: BigQuery, make: Any, tmp_path: Path) -> None:
    """Each row once, by its share of the group; kept by an archive; times to the nanosecond's type."""
    first, last = row(1, 5, 1, text_payload="lost 1"), row(1, 5, 9, text_payload="lost 9")
    request = row(
        2, 3, 4, request_method="GET", request_url="https://c/ws?t=1", status=101, latency_s=3, latency_ns=786648988,
        user_agent="e2e/1", log_name="projects/my-project/logs/run.googleapis.com%2Frequests",
    )  # fmt: skip
    bigquery.rows = [first, last, first, request]
    logs, _ = pulled(bigquery, make)
    assert list(logs["entry_count"]) == [3, 3, 2]
    assert list(logs["text"].fillna("")) == ["lost 1", "", "lost 9"]
    assert logs["timestamp"][0] == pd.Timestamp("2025-09-07T10:00:01.000001Z")
    assert logs["http_request_latency"][1] == 3.786648988
    assert list(logs["instance_id"]) == ["00ab"] * 3
    evidence = Evidence(make.SCOPE, make.END, {"logs": logs})
    save(evidence, tmp_path)
    pd.testing.assert_series_equal(load(tmp_path).logs["entry_count"], logs["entry_count"])


def test_fewer_stretches_where_groups_are_many(bigquery: BigQuery, make: Any) -> None:
    """What was left out is asked for in a coarser way, as long as the bound affords it; then it is a gap."""
    bigquery.rows = [row(1, 5, 1)]
    _, pull = pulled(bigquery, make, max_bytes_billed="4GB")
    assert [job["configuration"].get("dryRun", False) for job in bigquery.jobs] == [True, False, True, False, True]
    assert [job["configuration"]["query"].get("maximumBytesBilled") for job in bigquery.jobs[1::2]] == [
        "4000000000",
        "2500000000",
    ]
    [gap] = pull.gaps
    assert gap.kind == "capped"
    assert (
        gap.reason
        == "1 groups, the least useful, were left out of the 50,000 rows that may come: 3 entries are missing"
    )
    assert gap.remedy == "give --max-entries 6, or a later --start"


def test_a_whole_run(bigquery: BigQuery, google: Any, tmp_path: Path) -> None:
    """All else is asked as of `cloud`; the log's entries come from the dataset alone."""
    bigquery.rows = [row(1, 8, 1, text_payload="up", all_groups=1)]
    environ = {"INCIDENT_GCP_ENDPOINT": google.address, "BIGQUERY_EMULATOR_HOST": bigquery.url}
    google.service.uri = ""
    scope = {"project": "my-project", "region": "us-central1", "service": "chat", "source": SOURCE,
             "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z"}  # fmt: skip
    now = pd.Timestamp("2025-09-07T12:00:00Z")
    evidence = gather(scope, now=lambda: now, environ=environ, outputs=tmp_path)
    assert list(evidence.logs["text"]) == ["up"]
    assert len(evidence.revisions) == 1
    assert any(note.startswith(VIEW) for note in evidence.notes)
    asked = [request.filter for request in google.requests("ListLogEntries")]
    assert len(asked) == 2
    assert all("stderr" not in text for text in asked)
    assert {query.frame for query in evidence.queries} >= {"logs", "audit", "service", "revisions", "builds", "iam"}
    assert bigquery.asked[0] == "POST /bigquery/v2/projects/linked-project/jobs"


def test_shares_add_up() -> None:
    """Whatever came of a group stands for all of it."""
    rows = [
        row(number, count, second) for number, count, seconds in ((1, 7, (1, 2, 3)), (2, 1, (4,))) for second in seconds
    ]
    assert [count for _, count in shared([*rows, *rows])] == [3, 2, 2, 1]


def test_no_pattern_breaks_out_of_the_sql() -> None:
    """Patterns hold quotes and backslashes; an odd one would end its literal."""
    sql = reduction("`p.d._AllLogs`", 120, 3600, 100)
    held = sql.replace("\\\\", "").replace('\\"', "")
    assert held.count('"') % 2 == 0
    assert held.count("(") - held.count(")") == sum(
        part.count("(") - part.count(")") for part in held.split('"')[1::2]
    ), "outside of literals each bracket is closed"


@pytest.mark.parametrize(("seconds", "nanos"), [(-1, 0), (10**9, 0), (0, -5), (None, None)])
def test_a_latency_that_is_none(bigquery: BigQuery, make: Any, seconds: int | None, nanos: int | None) -> None:
    """One odd value must not cost the whole log."""
    bigquery.rows = [row(1, 1, 1, status=200, latency_s=seconds, latency_ns=nanos, all_groups=1)]
    logs, _ = pulled(bigquery, make)
    assert logs["http_request_latency"].isna().all()
    assert list(logs["http_request_status"]) == [200]
