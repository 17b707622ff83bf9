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


@pytest.mark.slow
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
         "missing, how many is not known"),
        ("logs", "capped", "--max-entries 30 was reached: other request entries were not read"),
    ]  # fmt: skip
    assert plan.result["gaps"][0]["remedy"] == (
        "give a higher --max-entries (how many would be enough is not known), or a shorter window"
    )
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


def written(folder: Path) -> str:
    """All that lies in a pull's folder, as text."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != KEY]
    return "\n".join(
        pd.read_parquet(file).to_csv() if file.suffix == ".parquet" else file.read_text(errors="replace")
        for file in files
    )


def piece(make: Any, index: int, total: int = 2, **payload: Any) -> Any:
    """A part of one entry that was too large."""
    made = make.entry(STDERR, at(100), f"piece {index}", **payload)
    made.split.uid, made.split.index, made.split.total_splits = "u1", index, total
    return made


VALUE = "hunter-pelican-42x"


def with_variable(make: Any) -> list[Any]:
    """A revision that has the value in its environment."""
    return [make.revision(containers=[{"image": make.IMAGE, "env": [{"name": "DB_PASSWORD", "value": VALUE}]}])]


CUT = [
    ("start api_key=sk_live_A9b8", "C7d6E5f4G3h2J1k0 end", "C7d6E5f4", "start api_key=[redacted:", "] end"),
    ("at postgres://app:Tr0ub4dor", "-and-3@db/x end", "-and-3", "at postgres://app:[redacted:", "]@db/x end"),
    ("with hunter-pel", "ican-42x now", "ican-42x", "with [redacted:", "] now"),
]


@pytest.mark.parametrize("page", [1, 20])
@pytest.mark.parametrize(("first", "second", "rest", "begins", "ends"), CUT)
def test_a_secret_cut_by_a_split_entry(
    google: Any, make: Any, pull: Any, tmp_path: Path, first: str, second: str, rest: str, begins: str, ends: str,
    page: int,
) -> None:  # fmt: skip
    """Half a secret has no shape: parts are looked at as one text, on one page or two, by name, shape and value."""
    google.filters, google.page, google.revisions = True, page, with_variable(make)
    google.entries = [piece(make, 0, text_payload=first), piece(make, 1, text_payload=second)]
    result = pull(tmp_path / "p").result
    assert (result["gaps"], result["entries"]) == ([], 1)
    assert rest not in written(tmp_path / "p")
    [text] = lines(tmp_path / "p")
    assert text.startswith(begins)
    assert text.endswith(ends)


def test_a_secret_cut_in_a_document(google: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """A document's message is in two columns, and a secret that was cut is in neither."""
    google.entries = [piece(make, n, json_payload={"message": CUT[1][n]}) for n in (0, 1)]
    pull(tmp_path / "p")
    assert "-and-3" not in written(tmp_path / "p")


def test_a_cut_secret_is_not_joined_again(
    google: Any, make: Any, pull: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that an older version wrote holds both halves: what reads it does not put them together."""
    monkeypatch.setattr("incident.sources.pull_reading.Reading._redact_splits", lambda self: None)
    google.entries = [piece(make, 0, text_payload=CUT[1][0]), piece(make, 1, text_payload=CUT[1][1])]
    pull(tmp_path / "p")
    assert "-and-3" in written(tmp_path / "p")
    [text] = lines(tmp_path / "p")
    assert "-and-3" not in text
    assert text.startswith("at postgres://app:[redacted:")


@pytest.mark.parametrize("what", ["logs", "logs,service"])
def test_the_log_alone_is_redacted_by_the_revisions(
    google: Any, make: Any, pull: Any, tmp_path: Path, what: str
) -> None:
    """Without the revisions nothing says that a variable's value in the log is one: they are asked for, and not kept."""
    google.revisions = with_variable(make)
    google.entries = [make.entry(STDERR, at(5), text_payload=f"connecting with {VALUE} now")]
    plan = pull(tmp_path / "p", what=what)
    assert plan.result["gaps"] == []
    assert "revisions" not in plan.result["complete"]
    assert VALUE not in written(tmp_path / "p")
    evidence = read(tmp_path / "p")
    assert evidence.revisions.empty
    assert evidence.gap("revisions").reason == "revisions was not pulled: --what left it out"


@pytest.mark.parametrize("what", ["logs", "logs,service,revisions,builds,iam"])
def test_revisions_that_are_refused(google: Any, make: Any, pull: Any, tmp_path: Path, what: str) -> None:
    """A log that nothing could be told of as secret is said to be one; once mended, the value is gone."""
    google.revisions, google.faults["ListRevisions"] = with_variable(make), CODES.PERMISSION_DENIED
    google.entries = [make.entry(STDERR, at(5), text_payload=f"connecting with {VALUE} now")]
    [reason] = [gap["reason"] for gap in pull(tmp_path / "p", what=what).result["gaps"] if gap["frame"] == "revisions"]
    assert reason.endswith("; values of its environment variables in the log could not be recognised as secrets")
    google.faults.clear()
    assert pull(tmp_path / "p", what=what).result["gaps"] == []
    assert VALUE not in written(tmp_path / "p")


def pull_told(google: Any, folder: Path, tell: Any) -> Plan:
    """A pull whose every page is told to a function of the test's."""
    parameters = Parameters.read({"source": "cloud", **SCOPE})
    environ = {"INCIDENT_GCP_ENDPOINT": google.address}
    return pull_to(folder, parameters, environ=environ, now=lambda: NOW, tell=tell)


def test_a_secret_that_is_learned_late_is_in_no_older_part(busy: Any, tmp_path: Path) -> None:
    """Whoever kills a pull leaves what is on the disk: with the page that shows a secret, no older part holds it."""
    busy.entries[0].text_payload, busy.entries[99].text_payload = "a word, hunter2hunter2x", "password=hunter2hunter2x"
    seen: list[tuple[bool, bool]] = []

    def tell(snapshot: Any) -> None:
        text = written(tmp_path / "p" / PARTS)
        seen.append(("password=[redacted:" in text, "hunter2" in text))

    pull_told(busy, tmp_path / "p", tell)
    assert (False, True) in seen, "it was there until it was known to be one"
    assert (True, False) in seen
    assert (True, True) not in seen


def test_an_interruption_leaves_no_secret(
    google: Any, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where looking back would cost too much it waits for the end, and an interruption is one."""
    monkeypatch.setattr("incident.sources.pull_reading.LOOKING_BACK", -1.0)
    google.filters, google.page = True, 1
    google.entries = [make.entry(STDERR, at(n), f"{n}", text_payload=text) for n, text in enumerate(
        ["a word, hunter2hunter2x", "password=hunter2hunter2x", "more"])]  # fmt: skip
    before = []

    def tell(snapshot: Any) -> None:
        if "password=" in (text := written(tmp_path / "p" / PARTS)):
            before.append("hunter2" in text)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_told(google, tmp_path / "p", tell)
    assert before[0]
    assert "hunter2" not in written(tmp_path / "p")


@pytest.mark.parametrize("how", ["gap", "limit"])
def test_tags_stay_the_same_while_there_are_gaps(busy: Any, pull: Any, tmp_path: Path, how: str) -> None:
    """A pull that is mended is one pull: one value is one tag, and the key goes when nothing is missing."""
    for entry in busy.entries:
        entry.text_payload = "password=hunter2hunter2x"
    if how == "gap":
        busy.faults["ListLogEntries"] = [None, None, None, *[CODES.PERMISSION_DENIED] * 40]
    assert pull(tmp_path / "p", **({"max_entries": "40"} if how == "limit" else {})).result["gaps"]
    assert (tmp_path / "p" / KEY).stat().st_mode & 0o777 == 0o600
    busy.faults.clear()
    assert pull(tmp_path / "p", **({"max_entries": "1000"} if how == "limit" else {})).result["gaps"] == []
    assert len(lines(tmp_path / "p")) == 100
    assert len(set(lines(tmp_path / "p"))) == 1
    assert not (tmp_path / "p" / KEY).exists()


def traffic_of(revision: str) -> run_v2.Service:
    """A service whose traffic is one revision's."""
    statuses = [{"revision": revision, "percent": 100}]
    return run_v2.Service(name="projects/my-project/locations/us-central1/services/chat", traffic_statuses=statuses)


def pull_at(google: Any, folder: Path, now: pd.Timestamp) -> Plan:
    """A pull at a time of the test's."""
    calls = Calls(first_pause=0.001, longest_pause=0.002, pace=Pace(most=10_000))
    environ = {"INCIDENT_GCP_ENDPOINT": google.address}
    return pull_to(folder, Parameters.read({"source": "cloud", **SCOPE}), environ=environ, now=lambda: now, calls=calls)


def test_what_is_asked_today_is_of_today(busy: Any, make: Any, tmp_path: Path) -> None:
    """A mend three days later says who serves three days later, and a reader is told of both times."""
    busy.service, busy.faults["ListBuilds"] = traffic_of("chat-00001-abc"), CODES.PERMISSION_DENIED
    pull_at(busy, tmp_path / "p", NOW)
    assert read(tmp_path / "p").notes == ()
    busy.service, later = traffic_of("chat-00002-new"), NOW + pd.Timedelta("3D")
    busy.revisions = [make.revision("chat-00002-new", "2025-09-09T09:00:00Z"), make.revision()]
    busy.faults.clear()
    pull_at(busy, tmp_path / "p", later)
    evidence = read(tmp_path / "p")
    assert evidence.serving() == ["chat-00002-new"]
    assert set(evidence.traffic["time"]) == {later}
    assert evidence.pulled == later
    assert evidence.notes == (
        "the pull had more than one sitting: the log was read from 2025-09-07T12:00:00Z on, "
        "the service and its revisions are as of 2025-09-10T12:00:00Z",
    )


def test_a_log_that_was_read_early_stays_of_its_time(busy: Any, tmp_path: Path) -> None:
    """Long sockets of the window's end were not in the log yet: a later mend must not make them seem never to end."""
    early, busy.faults["ListBuilds"] = pd.Timestamp("2025-09-07T11:00:30Z"), CODES.PERMISSION_DENIED
    pull_at(busy, tmp_path / "p", early)
    busy.faults.clear()
    pull_at(busy, tmp_path / "p", NOW)
    evidence = read(tmp_path / "p")
    assert evidence.pulled == early
    assert set(evidence.traffic["time"]) <= {NOW}
    [gap] = [gap for gap in evidence.gaps if gap.frame == "logs"]
    assert (gap.kind, gap.remedy) == ("unsettled", "pull to another folder after 2025-09-07T11:01:00Z")
    assert "logs" in evidence.complete


def test_a_split_entry_without_a_part(google: Any, make: Any, pull: Any, tmp_path: Path) -> None:
    """A pull that lacks half an entry is not whole, and its own command would not mend it."""
    google.entries = [piece(make, 0, text_payload="AAA")]
    [gap] = pull(tmp_path / "p").result["gaps"]
    assert gap["reason"] == "1 of 1 entries that were too large and were split came without some of their parts"
    assert gap["remedy"] == "pull to another folder, with a --start and an --end that lie a minute further out"
    evidence = read(tmp_path / "p")
    assert [dict(gap) for gap in [held.as_json() for held in evidence.gaps] if gap["frame"] == "logs"] == [gap]
    assert lines(tmp_path / "p") == ["AAA[…]"]


def test_a_remedy_of_a_pull_names_the_pull(google: Any, pull: Any, tmp_path: Path) -> None:
    """To run again on the same folder asks nobody anything."""
    google.service.reconciling = True
    pull(tmp_path / "p")
    gap = read(tmp_path / "p").gap("traffic")
    assert gap.remedy == "give the incident pull command again once the deploy has ended"


def test_an_entry_counts_once(busy: Any, pull: Any, tmp_path: Path) -> None:
    """Each window begins with the last entry of another one: what came twice is one entry."""
    plan = pull(tmp_path / "p")
    assert plan.result["entries"] == len(read(tmp_path / "p").logs) == 100
    assert sum(query["entries"] for query in plan.result["queries"] if query["frame"] == "logs") > 100
