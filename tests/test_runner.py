"""A run from its plan to its folder: real papermill, real kernels, and a world of its own in place of the cloud."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from incident import archive, report, runner
from incident.findings import SourceError, UsageError
from incident.runbook import load_runbook, plan

RECORD = Path(__file__).with_name("incident.yaml")
SECRET = "staging_e2e_key_2024"
BEHAVIOUR = {
    "1-finishes": ["import os, sys; print(sys.executable, service, run_dir, os.path.isdir(run_dir + '/evidence'))",
                   f"print('{{\"E2E_OAUTH_SIMULATION_KEY\": \"{SECRET}\"}}'); os.path.realpath(run_dir)"],
    "2-fails": ["1/0", "print('not reached')"],
    "3-exits-zero": ["import sys; sys.exit(0)", "print('not reached')"],
    "4-dies": ["import os; os._exit(9)"],
    "5-times-out": ["import time; time.sleep(60)"],
}  # fmt: skip


def write_notebooks(folder: Path, cells: dict[str, list[str]]) -> Path:
    """Notebooks with a parameters cell and these cells after it."""
    folder.mkdir()
    for name, sources in cells.items():
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
        first = nbformat.v4.new_code_cell("service = ''\nrun_dir = ''", metadata={"tags": ["parameters"]})
        notebook.cells = [first, *map(nbformat.v4.new_code_cell, sources)]
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


@pytest.fixture
def start(tmp_path, evidence):
    """A function that runs a runbook of some notebooks on recorded evidence; it gives what `run` gives."""

    def run(names, steps=None, told=lambda text: None, left_out=(), **cells):
        page = replace(load_runbook("websocket-outage"), notebooks=tuple(names), left_out=tuple(left_out))
        parameters = plan(page, [("project", "my-project"), ("region", "us-central1"), ("service", "chat")])
        notebooks = write_notebooks(tmp_path / "notebooks", cells or BEHAVIOUR)
        fakes = runner.Steps(
            check=lambda parameters, environ, **options: None,
            gather=lambda parameters, **options: evidence(RECORD),
            notebooks=notebooks, cell_timeout=3,
        )  # fmt: skip
        steps = replace(fakes, **(steps or {}))
        return runner.run(page, parameters, outputs=tmp_path / "outputs", say=told, progress=told, steps=steps)

    return run


def children() -> list[str]:
    """The processes that this one started and that still run."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [pid for file in found for pid in file.read_text().split()]


@pytest.mark.slow
def test_a_notebook_is_judged_by_what_ran(start, tmp_path):
    """papermill's own metadata says `completed` for most of these, so only what ran can be believed."""
    before = children()
    finished = start([name.split("-", 1)[1] for name in BEHAVIOUR])
    assert [gap.reason for gap in finished.broken] == [
        "fails did not finish: ZeroDivisionError: division by zero",
        "exits-zero did not finish: 1 of 4 code cells did not run after SystemExit",
        "dies did not finish: its kernel died",
        "times-out did not finish: a cell ran for more than 3 s",
    ]
    assert finished.exit_code == 1
    assert finished.broken[0].as_json() == {
        "frame": "notebooks", "reason": "fails did not finish: ZeroDivisionError: division by zero",
        "remedy": "open notebooks/2-fails.ipynb of the run, then run again", "kind": "partial",
    }  # fmt: skip
    assert children() == before

    summary = archive.read_summary(finished.folder)
    assert [gap["frame"] for gap in summary["gaps"]][-4:] == ["notebooks"] * 4
    assert list(summary)[:8] == ["schema", "run_id", "incident", "runbook", "scope", "started", "finished", "status"]
    assert summary["status"] == "ok"
    assert archive.is_whole(finished.folder)
    assert {file.stem for file in (finished.folder / "notebooks").iterdir()} == set(BEHAVIOUR)

    manifest = json.loads((finished.folder / "manifest.json").read_text())
    assert manifest["runbook"] == "websocket-outage"
    assert manifest["parameters"]["service"] == "chat"
    assert manifest["gaps"] == summary["gaps"]
    assert {"python", "incident", "papermill"} <= set(manifest["versions"])
    check_the_first(finished.folder, tmp_path)


def check_the_first(folder: Path, tmp_path: Path) -> None:
    """What the first notebook saw and printed: this interpreter, the run, no secret and no path of this machine."""
    text = (folder / "notebooks" / "1-finishes.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    assert notebook.cells[2].outputs[0].text.split()[1:] == ["chat", "..", "True"]
    assert SECRET not in text
    assert "[redacted:" in text
    assert str(tmp_path) not in text
    assert "path" not in " ".join(notebook.metadata.papermill)


def test_the_verdict_is_told_before_the_notebooks_run(start, evidence):
    """Who waits for an answer at 3 a.m. gets the probe's first, then the cause, then the rest."""
    told: list[str] = []

    def gather(parameters, *, on_probe, **options):
        row = {"name": "health", "kind": "http", "expected": "200", "http_status": 200, "status": "ok", "timings": {}}
        on_probe([row, row])
        return evidence(RECORD)

    finished = start(["quick"], {"gather": gather}, told.append, **{"1-quick": ["1"]})
    assert finished.exit_code == 0
    first_words = [text.split()[0] for text in told]
    assert first_words == ["run", "check", "OK", "notebook"]
    assert "startup-exception" in told[2]


def test_wrong_usage_leaves_nothing(start, tmp_path):
    """A mistake at the keyboard must cost no kernel and leave no folder."""

    def check(parameters, environ, **options):
        raise UsageError("parameter 'start' is wrong")

    with pytest.raises(UsageError):
        start(["fails"], {"check": check})
    assert not (tmp_path / "outputs").exists()


def test_a_broken_source_leaves_nothing(start, tmp_path):
    """A run without evidence is no run; its kernel, started ahead, ends with it."""
    before = children()

    def gather(parameters, **options):
        raise SourceError("an answer that cannot be read")

    with pytest.raises(SourceError):
        start(["fails"], {"gather": gather})
    assert not (tmp_path / "outputs").exists()
    assert children() == before


@pytest.mark.slow
def test_two_runs_of_one_second_do_not_meet(start, tmp_path):
    """Two people may start the same runbook in the same folder at once."""
    now = pd.Timestamp("2025-09-07T10:15:00Z")
    tokens = iter(["aaaa", "bbbb"])
    steps = {"now": lambda: now, "token": lambda size: next(tokens)}
    first = start([], steps)
    (tmp_path / "notebooks").rename(tmp_path / "done")
    second = start([], steps)
    assert (first.folder.name[-4:], second.folder.name[-4:]) == ("aaaa", "bbbb")
    assert threading.active_count() < 10


def test_the_report_is_kept_in_both_forms(start):
    """It is sealed with the run, with what was left out: what was told to people is what can be read years later."""
    finished = start([], left_out=["why", "postmortem"])
    assert finished.summary["notes"][-1] == (
        "notebooks left out: why, postmortem; to run them on this evidence: incident run websocket-outage "
        f"--source run:{finished.summary['run_id']} --notebooks why,postmortem"
    )
    html, text = ((finished.folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert finished.summary["run_id"] in html
    assert text.startswith("# chat: OK: no handshake was tried\n")
    assert archive.is_whole(finished.folder)


def test_a_report_that_cannot_be_made_is_a_gap(start, monkeypatch):
    """A mistake in the report must not cost the run, nor pass unseen."""

    def fails(*_):
        raise ValueError("no words")

    monkeypatch.setattr(report, "report_html", fails)
    finished = start([])
    assert [gap.reason for gap in finished.broken] == ["report.html could not be made: ValueError: no words"]
    assert archive.read_summary(finished.folder)["gaps"][-1]["frame"] == "report"
    assert (finished.folder / "report.md").exists()
    assert finished.exit_code == 1
