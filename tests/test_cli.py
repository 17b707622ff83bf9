"""The command line as a person and a scheduler meet it: real processes, exit codes, what is printed and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from incident import archive
from incident.answer import summary
from incident.archive import RunFolder
from incident.cli import main
from incident.evidence import save
from incident.scope import rfc3339

RECORD = Path(__file__).with_name("incident.yaml")
ONE_NOTEBOOK = """---
title: One notebook
symptom: none
notebooks: [does-it-connect]
reviewed: 2026-11-24
---
"""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command and group."""
    found = [path]
    for name, command in group.commands.items():
        found += commands(command, (*path, name)) if isinstance(command, click.Group) else [(*path, name)]
    return found


@pytest.fixture
def recorded(tmp_path, evidence):
    """A folder of outputs that holds one whole run, to read as a source."""
    held = evidence(RECORD)
    run = RunFolder(tmp_path / "outputs", "earlier", "20250907T110000Z-3f2a")
    save(held, run.make() / "evidence")
    head = {"run_id": run.run_id, "incident": run.incident, "runbook": "websocket-outage"}
    times = dict.fromkeys(("started", "finished"), rfc3339(held.pulled))
    archive.write_json(run.building / "summary.json", summary(held) | head | times)
    archive.seal(run.building, {})
    archive.publish(run)
    return run.outputs


@pytest.fixture
def page(tmp_path):
    """A page with one packaged notebook: a kernel takes seconds."""
    path = tmp_path / "one-notebook.md"
    path.write_text(ONE_NOTEBOOK)
    return path


def invoke(*words: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it printed on standard output and on standard error."""
    result = CliRunner().invoke(main, list(words))
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("words", commands(main), ids=" ".join)
def test_each_command_has_help_that_fits(words):
    """Help is read on the narrowest terminal there is, and its example is copied."""
    code, out, _ = invoke(*words, "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert not words or words == ("runs",) or f"    incident {' '.join(words)} " in out


@pytest.mark.parametrize(("words", "message"), [
    (["-p", "serivce=x"], "parameter 'serivce' is not known: did you mean 'service'? use one of project, region, "
     "service, start, end, endpoint, websocket_path, health_path, matrix, source, before, incident, run_dir, max_entries, "
     "max_calls, repo, compare_to, max_bytes_billed"),
    (["--start", "-2hours"],
     "parameter 'start' is '-2hours': give an ISO 8601 time or a relative one such as -2h, -30m, now"),
    (["--service", "a", "-p", "service=b"], "parameter 'service' is given twice, as 'a' and as 'b': keep one"),
    (["--service", "a", "--service", "b"], "parameter 'service' is given twice, as 'a' and as 'b': keep one"),
    ([], "parameter 'project' is empty: source 'cloud' needs it, give --project VALUE"),
])  # fmt: skip
def test_wrong_usage_is_one_message_and_nothing_else(tmp_path, words, message):
    """Whoever mistypes at 3 a.m. needs the one line that says what to type, and no half run in the archive."""
    outputs = tmp_path / "outputs"
    code, out, err = invoke("run", "websocket-outage", *words, "--outputs", str(outputs))
    assert (code, out, err) == (2, "", f"incident: {message}\n")
    assert not outputs.exists()


def test_runs_list_and_show(recorded):
    """The archive is found again by its list, and a run's answer by any name of the run."""
    code, out, _ = invoke("runs", "list", "--outputs", str(recorded))
    assert (code, out.splitlines()[1].strip()) == (0, "earlier")
    assert "20250907T110000Z-3f2a" in out
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = invoke("runs", "show", "2025", "--text", "--outputs", str(recorded))
    assert (code, out.count("\n")) == (0, 1)
    assert "startup-exception" in out
    code, out, _ = invoke("runs", "show", "latest", "--json", "--outputs", str(recorded))
    assert (code, json.loads(out)["run_id"]) == (0, "20250907T110000Z-3f2a")
    assert invoke("runs", "show", "latest", "--outputs", str(recorded))[1].startswith("OK  chat")


@pytest.mark.parametrize(("words", "message"), [
    (["latest", "--text", "--json"], "--text and --json exclude each other: give one of them"),
    (["1999"], "run '1999' is not known: use latest, or 20250907T110000Z-3f2a"),
])  # fmt: skip
def test_runs_show_refuses(recorded, words, message):
    """A run that is not there is named beside those that are."""
    assert invoke("runs", "show", *words, "--outputs", str(recorded)) == (2, "", f"incident: {message}\n")


def command(page: Path, outputs: Path, *words: str) -> list[str]:
    """A run on the record, in a process of its own."""
    given = ["--source", "run:latest", "--outputs", str(outputs), *words]
    return [sys.executable, "-m", "incident", "run", str(page), *given]


def test_json_is_alone_on_standard_output(page, recorded):
    """A script reads standard output, a person standard error; neither gets the other's, or any noise of a kernel."""
    ran = subprocess.run(command(page, recorded, "--json"), capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(ran.stdout)["runbook"] == "one-notebook"
    lines = ran.stderr.splitlines()
    assert (ran.returncode, json.loads(ran.stdout)["gaps"]) == (0, []), ran.stderr
    assert lines[0].startswith("run 2")
    assert lines[-1].startswith("kept: ")
    assert "notebook 1 of 1: does-it-connect" in lines
    assert "Traceback" not in ran.stderr
    assert "kernel" not in ran.stderr.lower()
    assert "papermill" not in ran.stderr
    assert archive.is_whole(Path(lines[-1].removeprefix("kept: ")))


def marked(mark: str) -> list[int]:
    """The processes with this mark in their environment: what a run started, and what that started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it has ended meanwhile, or is not ours to look at
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("number", "line", "later"), [
    (signal.SIGINT, "run ", 0), (signal.SIGTERM, "run ", 0.3),
    (signal.SIGTERM, "notebook 1", 0), (signal.SIGINT, "notebook 1", 1.5),
])  # fmt: skip
def test_an_interruption_leaves_nothing(page, recorded, number, line, later):
    """At any moment: no process, no folder under construction, nothing new that passes for a run, exit 130."""
    mark = uuid.uuid4().hex
    before = sorted(recorded.rglob("*"))
    child = subprocess.Popen(
        command(page, recorded), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"INCIDENT_TEST_MARK": mark},
    )  # fmt: skip
    assert child.stderr is not None
    while not child.stderr.readline().startswith(line):
        assert child.poll() is None
    time.sleep(later)
    child.send_signal(number)
    rest = child.communicate(timeout=30)[1]
    assert (child.returncode, rest.splitlines()[-1]) == (130, "incident: interrupted")
    assert "Traceback" not in rest
    assert marked(mark) == []
    assert sorted(recorded.rglob("*")) == before


def test_the_scenarios_fit_a_terminal():
    """Whoever wants to practise reads the list first, in a terminal of 80 columns."""
    code, out, _ = invoke("drill", "--list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    names = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert names == sorted(names)
    assert "staging" in names


def test_a_run_without_charts(tmp_path):
    """Whoever waits for the end of a run may do without pictures; that they are missing is said, and is no gap."""
    words = ("--source", "sample:staging", "--notebooks", "none", "--no-charts", "--outputs", str(tmp_path))
    code, _, _ = invoke("run", "websocket-outage", *words)
    (folder,) = (file.parent for file in tmp_path.glob("*/*/summary.json"))
    told = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert code == 3
    assert list((folder / "charts").iterdir()) == []
    again = f"incident run websocket-outage --source run:{told['run_id']} --notebooks none"
    assert told["notes"][-1] == f"charts left out; to draw them from this evidence: {again}"
    assert not [gap for gap in told["gaps"] if gap["frame"] == "charts"]
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "The chart error-sequence was left out. The table has the same numbers." in report
