"""Playing a scenario, and what becomes of it when it is interrupted."""

import asyncio
import io
import json
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from incident.drill import play
from incident.drill.play import RunPlan, drill, play_scenario
from incident.drill.scenario import parse_scenario
from incident.findings import UsageError

SMALL = """
title: a small incident
project: drill-project
region: us-central1
service: chat
images: {baseline: [base]}
requests:
  user: {kind: websocket, path: "/ws?token=u7f3a9c21e5", user_agent: u}
  stranger: {kind: websocket, path: /ws, user_agent: s}
  health: {kind: http, path: /health, user_agent: h}
steps:
- build: {image: baseline, commit: c0ffee}
- deploy: {revision: chat-00001-abc, image: baseline, by: ada@example.com}
- requests: {counts: {user: 3, stranger: 2, health: 2}, expect: {user: 101, stranger: 403, health: 200}}
- run: {name: now, exit: 3, expect: {status: failed}}
"""


def leaves(summary, code):
    """A run that leaves a summary and ends with a code."""

    async def run(plan):
        folder = plan.folder / "20250907T101500Z-3f2a"
        folder.mkdir(parents=True)
        (folder / "summary.json").write_text(json.dumps(summary))
        return code

    return run


def played(tmp_path, run, text=SMALL):
    told = io.StringIO()
    code = play_scenario(parse_scenario(text, "small"), tmp_path, run=run, stderr=told)
    return code, told.getvalue()


def test_found(tmp_path, capsys):
    """0 says that the clients saw the incident and that the run found it; each step is a line."""
    code, told = played(tmp_path, leaves({"status": "failed"}, 3))
    assert told.splitlines() == [
        "[1/4] building baseline",
        "[2/4] deploying chat-00001-abc",
        "[3/4] 7 requests",
        "[4/4] running the runbook now",
    ]
    assert capsys.readouterr().out.splitlines() == [
        "drill small: the runs found exactly what was planted",
        "runs:",
        f"  {tmp_path}/drill-small/20250907T101500Z-3f2a",
        "next: incident runs show 20250907T101500Z-3f2a",
    ]
    assert code == 0


def test_not_found(tmp_path, capsys):
    """3 comes with every difference, what was expected and what was found; the clients' own are among them."""
    code, _ = played(tmp_path, leaves({"status": "ok"}, 0), SMALL.replace("stranger: 403", "stranger: 101"))
    assert capsys.readouterr().out.splitlines()[:4] == [
        "drill small: not what was planted, 3 differences:",
        "  requests to chat-00001-abc: stranger: expected 101 for all, found 403 2 times",
        "  run now: exit: expected 3, found 0",
        "  run now: status: expected 'failed', found 'ok'",
    ]
    assert code == 3


@pytest.mark.parametrize("code", [1, 2, -9])
def test_a_run_that_broke_is_not_a_verdict(tmp_path, code):
    """A crash must not be counted as `not found`, nor as found where its summary happens to fit."""
    ended, told = played(tmp_path, leaves({"status": "failed"}, code))
    assert ended == 1
    assert f"ended with {code}, and left 1 runs" in told


def test_a_run_that_left_nothing_broke(tmp_path):
    """Without a folder there is nothing to judge, whatever the code says."""

    async def run(plan):
        return 3

    ended, told = played(tmp_path, run)
    assert ended == 1
    assert "the drill broke: `incident run websocket-outage --project drill-project" in told


def test_an_interrupted_run_interrupts_the_drill(tmp_path):
    """130 goes up as it is."""
    assert played(tmp_path, leaves({}, 130))[0] == 130


@pytest.mark.parametrize(
    ("codes", "ended", "said"),
    [
        ([0, 0], 0, ["a                          1.0 s  found", "b                          1.0 s  found"]),
        (
            [3, 0],
            3,
            ["a                          1.0 s  NOT what was planted", "b                          1.0 s  found"],
        ),
        ([0, 1], 1, ["a                          1.0 s  found", "b                          1.0 s  BROKE"]),
        ([130, 0], 130, []),
    ],
)
def test_all_of_them(monkeypatch, tmp_path, capsys, codes, ended, said):
    """One scenario that is not found must show at the end of all, and an interruption ends them all."""
    left, clock = iter(codes), count(0.0)
    monkeypatch.setattr(play, "drill", lambda *_, **__: next(left))
    assert play.drill_all(["a", "b"], tmp_path, clock=lambda: next(clock)) == ended
    assert capsys.readouterr().out.splitlines() == said


def test_unknown_scenario():
    """Found before anything starts."""
    with pytest.raises(UsageError, match="scenario 'nosuch' is not known"):
        drill("nosuch", Path("outputs"))


def test_arguments_and_environment_of_a_run():
    """The command that a user could type, and where Google's clients are sent."""
    plan = RunPlan(
        parse_scenario(SMALL, "small"), datetime(2025, 9, 7, 1, 2, 3, 4, UTC), "http://127.0.0.1:1", "127.0.0.1:2",
        Path("/o"),
    )  # fmt: skip
    assert " ".join(plan.arguments()) == (
        "run websocket-outage --project drill-project --region us-central1 --service chat "
        "--start 2025-09-07T01:02:03.000004Z --end now --endpoint http://127.0.0.1:1 --source cloud "
        "--incident drill-small --outputs /o --notebooks all"
    )
    assert plan.environment({"A": "1"}) == {"A": "1", "INCIDENT_GCP_ENDPOINT": "127.0.0.1:2"}


def test_a_command_gets_its_exit_code_through():
    """The run's own code is what is judged."""
    assert asyncio.run(play.run_command([sys.executable, "-c", "raise SystemExit(4)"], {})) == 4


SCRIPT = """
import os, sys
from pathlib import Path
from incident.drill.play import play_scenario, run_command
from incident.drill.scenario import parse_scenario

RUN = "import time; print('run is up', flush=True); time.sleep(60)"

async def run(plan):
    return await run_command([sys.executable, "-c", RUN], plan.environment(os.environ))

sys.exit(play_scenario(parse_scenario(sys.argv[2], "small"), Path(sys.argv[1]), run=run, stderr=sys.stderr))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "after", "delay"),
    [
        (signal.SIGINT, "[2/4]", 0.02),
        (signal.SIGTERM, "[3/4]", 0.01),
        (signal.SIGINT, "run is up", 0.1),
        (signal.SIGTERM, "run is up", 0),
    ],
)
def test_interrupted_at_any_moment_leaves_no_process(marked, tmp_path, number, after, delay):
    """Instances, the front end and the run under way all end with the drill, and nothing is left in its place."""
    mark = str(tmp_path / "mark")
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path / "outputs"), SMALL]
    environment = {"PYTHONPATH": mark, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            told = next(line for line in process.stdout if after in line)
            assert after in told
            time.sleep(delay)
            process.send_signal(number)
            last = process.stdout.read().splitlines()[-1]
            assert process.wait(10) == 130
        finally:
            process.kill()
    assert last == "interrupted: every process of the drill has ended"
    assert marked(mark) == []
    assert [path.name for path in tmp_path.iterdir()] == []
