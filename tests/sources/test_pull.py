"""A pull: the same frame whatever happens on the way, no page asked for twice, and what is missing said."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pandas as pd
import pytest
from google.cloud import run_v2

from incident.evidence import Evidence
from incident.findings import UsageError
from incident.scope import Parameters
from incident.sources.calls import Calls, Pace
from incident.sources.gather import gather
from incident.sources.pull_parts import KEY, PARTS, Plan
from incident.sources.pulling import parse_what, pull_to

STDERR, REQUESTS, SYSTEM = (
    "run.googleapis.com/stderr",
    "run.googleapis.com/requests",
    "run.googleapis.com/varlog/system",
)
SCOPE = {"project": "my-project", "region": "us-central1", "service": "chat",
         "start": "2025-09-07T10:00:00Z", "end": "2025-09-07T11:00:00Z"}  # fmt: skip
NOW = pd.Timestamp("2025-09-07T12:00:00Z")
CODES = grpc.StatusCode


def at(second: float) -> str:
    """A time in the window, to the nanosecond."""
    return (pd.Timestamp("2025-09-07T10:00:00Z") + pd.Timedelta(seconds=second)).isoformat().replace("+00:00", "Z")


def fill(google: Any, make: Any, many: int, page: int) -> Any:
    """A service that wrote so many lines in its hour, so many a page, two at each moment."""
    google.filters, google.page = True, page
    step = 3600 / many
    google.entries = [
        make.entry(STDERR, at(n // 2 * 2 * step), f"{n:04d}", text_payload=f"line {n}") for n in range(many)
    ]
    return google


@pytest.fixture
def busy(google: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A service with five pages of log, in windows of about two."""
    monkeypatch.setattr("incident.sources.pull_windows.PAGES_A_WINDOW", 2)
    return fill(google, make, 100, 20)


@pytest.fixture
def pull(google: Any) -> Callable[..., Plan]:
    """A pull from the stand-in whose retries take milliseconds."""

    def run(folder: Path, what: str = "logs,service,revisions,builds,iam", **given: str) -> Plan:
        calls = Calls(first_pause=0.001, longest_pause=0.002, pace=Pace(most=10_000))
        environ = {"INCIDENT_GCP_ENDPOINT": google.address}
        parameters = Parameters.read({"source": "cloud", **SCOPE, **given})
        return pull_to(folder, parameters, parse_what(what), environ=environ, now=lambda: NOW, calls=calls)

    return run


def read(folder: Path) -> Evidence:
    """The evidence of a pull."""
    return gather({"source": f"pull:{folder}"}, environ={}, outputs=folder)


def lines(folder: Path) -> list[str]:
    """The texts of the log, in their order."""
    return list(read(folder).logs["text"])


def kept(folder: Path) -> dict[str, int]:
    """The parts of a pull, with their inodes: a part that was written again has another."""
    return {part.name: part.stat().st_ino for part in (folder / PARTS).iterdir()}


def asked(google: Any) -> list[tuple[str, str]]:
    """The pages of the log that were asked for."""
    return [(request.filter, request.page_token) for request in google.requests("ListLogEntries")]


ALL = [f"line {n}" for n in range(100)]


def test_a_pull_is_evidence(busy: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """What is read of a pull is what a run would have got of the project: every frame, entry and nanosecond."""
    busy.entries.append(make.entry(STDERR, "2025-09-07T10:59:59.123456789Z", text_payload="last"))
    plan = pull(tmp_path / "p")
    assert plan.result["gaps"] == []
    evidence = read(tmp_path / "p")
    assert list(evidence.logs["text"]) == [*ALL, "last"]
    assert evidence.logs["timestamp"].iloc[-1].nanosecond == 789
    assert list(evidence.revisions["revision_name"]) == ["chat-00001-abc"]
    assert evidence.scope.identity == ("my-project", "us-central1", "chat")
    assert [gap.frame for gap in evidence.gaps] == ["handshakes"]
    assert {"logs", "audit", "service", "traffic", "revisions", "builds", "iam"} <= evidence.complete
    assert evidence.pulled == NOW


def test_windows_side_by_side_cost_half_a_page_each(busy: Any, pull: Any, tmp_path: Path) -> None:
    """Calls are what a pull costs: no sizing, and of each window its own number of pages rounded up."""
    pull(tmp_path / "p")
    evidence = read(tmp_path / "p")
    logs = [query for query in evidence.queries if query.frame == "logs"]
    assert len(logs) > 2, "it was divided"
    assert [query.calls for query in logs] == [1, *(-(-query.entries // 20) for query in logs[1:])]
    assert sum(query.calls for query in evidence.queries if query.frame in ("logs", "audit")) == len(asked(busy))
    assert not [query for query in evidence.queries if query.purpose]


def test_one_page_is_one_call(google: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """A quiet service's log costs a call a query, and none of them is for sizing."""
    google.filters, google.page = True, 1000
    google.entries = [make.entry(STDERR, at(n), text_payload=str(n)) for n in range(50)]
    pull(tmp_path / "p")
    assert len(asked(google)) == 3


@pytest.mark.parametrize(("code", "empty_pages"), [(CODES.UNAVAILABLE, False), (CODES.RESOURCE_EXHAUSTED, True)])
def test_every_third_call_fails(busy: Any, pull: Any, tmp_path: Path, code: Any, empty_pages: bool) -> None:
    """An API that is not well costs calls and no entry, and gives none twice."""
    busy.empty_pages = empty_pages
    busy.faults["ListLogEntries"] = [None, None, code] * 100
    assert pull(tmp_path / "p").result["gaps"] == []
    assert lines(tmp_path / "p") == ALL
    total = sum(query.calls for query in read(tmp_path / "p").queries if query.frame in ("logs", "audit"))
    assert total == len(asked(busy))


PULL = [sys.executable, "-m", "incident", "pull", *(f"--{name}={value}" for name, value in SCOPE.items())]


@pytest.mark.parametrize("call", [4, 12, 24])
def test_killed_and_gone_on_with(google: Any, make: Any, pull: Any, tmp_path: Path, call: int) -> None:
    """SIGKILL before the log is divided, among windows side by side, and at the end: no page is asked for again."""
    busy = fill(google, make, 220, 10)
    started: list[subprocess.Popen[bytes]] = []

    def kill(request: Any) -> None:
        if len(asked(busy)) == call and started:
            started[0].kill()

    busy.on_entries = kill
    environ = os.environ | {"INCIDENT_GCP_ENDPOINT": busy.address}
    started.append(subprocess.Popen([*PULL, "--to", tmp_path / "p"], env=environ, stderr=subprocess.DEVNULL))
    assert started[0].wait(60) == -signal.SIGKILL
    before, busy.asked, busy.on_entries = kept(tmp_path / "p"), [], None
    with pytest.raises(UsageError, match="is not finished: give its incident pull command again, which goes on"):
        read(tmp_path / "p")
    assert (tmp_path / "p" / KEY).stat().st_mode & 0o777 == 0o600
    assert pull(tmp_path / "p").result["gaps"] == []
    after = kept(tmp_path / "p")
    assert lines(tmp_path / "p") == [f"line {n}" for n in range(220)]
    assert before.items() <= after.items(), "no part was written again"
    assert len(before) >= call - 4
    assert len(asked(busy)) == len(after) - len(before)
    assert not (tmp_path / "p" / KEY).exists()


def test_a_finished_pull_asks_nothing(busy: Any, pull: Any, tmp_path: Path) -> None:
    """The same command once more on a whole pull costs no call."""
    pull(tmp_path / "p")
    busy.asked = []
    assert pull(tmp_path / "p").result["gaps"] == []
    assert busy.asked == []


def test_a_pull_with_gaps_is_gone_on_with(busy: Any, pull: Any, tmp_path: Path) -> None:
    """Whoever was granted the role gives the same command again: what had come before stays."""
    busy.faults["ListLogEntries"] = [None, None, None, *[CODES.PERMISSION_DENIED] * 40]
    plan = pull(tmp_path / "p")
    assert {(gap["frame"], gap["kind"]) for gap in plan.result["gaps"]} == {("logs", "refused")}
    assert 10 <= len(read(tmp_path / "p").logs) < 100
    before, busy.asked = kept(tmp_path / "p"), []
    busy.faults.clear()
    assert pull(tmp_path / "p").result["gaps"] == []
    assert lines(tmp_path / "p") == ALL
    assert before.items() <= kept(tmp_path / "p").items()


@pytest.mark.parametrize("how", ["refused", "old"])
def test_a_token_that_has_expired(busy: Any, pull: Any, tmp_path: Path, how: str, monkeypatch: Any) -> None:
    """A token lives 24 hours: after that the window is read on from its last entry, which then comes twice, once kept."""
    busy.page = 40  # too few pages to be divided
    busy.faults["ListLogEntries"] = [None, None, None, None, CODES.OUT_OF_RANGE]
    assert "entries after 2025-09-07T10:46:48Z are missing" in pull(tmp_path / "p").result["gaps"][0]["reason"]
    busy.asked = []
    if how == "old":
        monkeypatch.setattr("incident.sources.log_pages.TOKEN_LIFE", -1.0)
    else:
        busy.faults["ListLogEntries"] = [CODES.INVALID_ARGUMENT]
    assert pull(tmp_path / "p").result["gaps"] == []
    assert lines(tmp_path / "p") == ALL
    assert asked(busy)[0][1] == ("" if how == "old" else "80")


def test_another_scope_is_refused(busy: Any, pull: Any, tmp_path: Path) -> None:
    """Two services in one folder would be no service's evidence."""
    pull(tmp_path / "p", start="-3h", end="")
    pull(tmp_path / "p", start="-3h", end="")
    with pytest.raises(UsageError) as refused:
        pull(tmp_path / "p", start="-2h", end="")
    folder = str(tmp_path / "p")
    assert str(refused.value) == (
        f"{folder!r} holds a pull with --start '-3h', this one has '-2h': give the same, or --to another folder"
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letters.txt").touch()
    with pytest.raises(UsageError, match="holds other files: give --to a folder of its own"):
        pull(tmp_path / "other")


def mixed(make: Any) -> list[Any]:
    """Twelve entries of each kind, the useful ones last in each minute."""
    made = []
    for n in range(12):
        made += [make.request_entry(at(300 * n)), make.entry("run.googleapis.com/stdout", at(300 * n + 1))]
        made += [make.entry(STDERR, at(300 * n + 2), text_payload="plain"),
                 make.entry(SYSTEM, at(300 * n + 3), text_payload="exit", severity=400)]  # fmt: skip
    return made


def test_a_limit_loses_the_least_useful(google: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """Of a log that may not be read whole come errors first, then standard error; requests that went well last."""
    google.filters, google.page, google.entries = True, 10, mixed(make)
    plan = pull(tmp_path / "p", max_entries="30")
    logs = read(tmp_path / "p").logs
    counts = logs["log_name"].astype(str).str.rpartition("%2F")[2].value_counts().to_dict()
    assert counts == {"system": 12, "stderr": 12, "stdout": 6}
    stdout = logs[logs["log_name"].astype(str).str.endswith("stdout")]
    assert stdout["timestamp"].min() == pd.Timestamp(at(300 * 6 + 1)), "the newest were kept"
    assert [(gap["frame"], gap["kind"], gap["reason"]) for gap in plan.result["gaps"]] == [
        ("logs", "capped", "--max-entries 30 was reached: other entries of stdout before 2025-09-07T10:30:01Z are "
         "missing, about 6"),
        ("logs", "capped", "--max-entries 30 was reached: other request entries were not read"),
    ]  # fmt: skip
    assert plan.result["gaps"][0]["remedy"] == "give a higher --max-entries (at least 37), or a shorter window"
    assert "logs" not in plan.result["complete"]


def test_a_higher_limit_goes_on(google: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """The remedy of a limit is a higher one, and what was read before is not paid for again."""
    google.filters, google.page, google.entries = True, 10, mixed(make)
    pull(tmp_path / "p", max_calls="6")
    before, google.asked = kept(tmp_path / "p"), []
    assert len(before) == 6
    assert pull(tmp_path / "p", max_calls="100").result["gaps"] == []
    assert before.items() <= kept(tmp_path / "p").items()
    assert len(asked(google)) == len(kept(tmp_path / "p")) - 6
    assert len(read(tmp_path / "p").logs) == 48


def test_what_leaves_the_rest_out(busy: Any, pull: Any, tmp_path: Path) -> None:
    """What nobody asked for is no fault of the pull, and still nothing that a reading of it may call whole."""
    assert pull(tmp_path / "p", what="service,iam").result["gaps"] == []
    assert asked(busy) == []
    missing = {gap.frame: gap.kind for gap in read(tmp_path / "p").gaps if gap.frame != "handshakes"}
    assert missing == dict.fromkeys(("logs", "audit", "revisions", "builds"), "absent")
    with pytest.raises(UsageError, match="--what holds 'log': use logs, service, revisions, builds, iam, with commas"):
        parse_what("log")


SECRET = "staging_e2e_key_2024"


def test_no_secret_is_written(busy: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """What a revision's environment, or a later page, shows to be secret is in no file, and the key is gone."""
    env = [{"name": "E2E_OAUTH_SIMULATION_KEY", "value": SECRET}]
    busy.revisions = [make.revision(containers=[{"image": make.IMAGE, "env": env}])]
    busy.entries[0].text_payload = "early word hunter2hunter2x, and oauth " + SECRET
    busy.entries[99].text_payload = "API_PASSWORD=hunter2hunter2x"
    pull(tmp_path / "p")
    texts = lines(tmp_path / "p")
    assert texts[0].startswith("early word [redacted:")
    for file in (path for path in (tmp_path / "p").rglob("*") if path.is_file()):
        data = file.read_bytes() if file.suffix != ".parquet" else pd.read_parquet(file).to_csv().encode()
        assert SECRET.encode() not in data
        assert b"hunter2" not in data
        assert file.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "p" / KEY).exists()
    assert json.loads(read(tmp_path / "p").revisions["bypass"][0])


def test_tags_stay_the_same_after_a_kill(busy: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """One value in two sittings is one tag, or a key would seem to have changed."""
    busy.entries[0].text_payload = busy.entries[99].text_payload = "password=hunter2hunter2x"
    with pytest.raises(KeyboardInterrupt):
        pull_interrupted(busy, tmp_path / "p")
    pull(tmp_path / "p")
    first, *_, last = lines(tmp_path / "p")
    assert first == last
    assert "[redacted:" in first


def pull_interrupted(google: Any, folder: Path) -> None:
    """A pull that somebody ends after its second page of logs."""

    def tell(snapshot: Any) -> None:
        if snapshot.entries >= 40:
            raise KeyboardInterrupt

    environ = {"INCIDENT_GCP_ENDPOINT": google.address}
    parameters = Parameters.read({"source": "cloud", **SCOPE})
    pull_to(folder, parameters, environ=environ, now=lambda: NOW, tell=tell)


def test_a_service_without_an_answer(busy: Any, pull: Any, tmp_path: Path) -> None:
    """404 is not 403: nothing of the service is there, and its log may be there all the same."""
    busy.faults["GetService"] = CODES.NOT_FOUND
    busy.service = run_v2.Service()
    kinds = {gap["frame"]: gap["kind"] for gap in pull(tmp_path / "p").result["gaps"]}
    assert kinds["service"] == kinds["revisions"] == "absent"
    assert lines(tmp_path / "p") == ALL
