"""`incident doctor` as a person and a scheduler meet it: exit codes, JSON, wrong usage, and a machine with nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from incident.cli.doctor import EXIT_CODES, doctor
from incident.drill.entries import LogStore
from incident.drill.google_apis import GoogleApis
from incident.drill.scenario import load_scenario
from incident.drill.service import Service
from incident.findings import UsageError
from incident.sources import doctor as examined
from incident.sources.doctor_line import Line

PROCESS = [sys.executable, "-c", "from incident.cli.doctor import doctor; doctor()"]
NAMED = ("--project", "drill-project", "--region", "us-central1", "--service", "chat-backend-staging")


def lines(*statuses: str) -> list[Line]:
    """Lines of these statuses."""
    return [Line(f"line {number}", status, "because") for number, status in enumerate(statuses)]


@pytest.mark.parametrize(("statuses", "code"), [
    (["ok"], 0), (["ok", "missing", "uncertain"], 3), (["ok", "uncertain"], 4), (["ok", "skipped"], 4),
])  # fmt: skip
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, statuses: list[str], code: int) -> None:
    """What could not be looked at is not all there; what is missing goes before it."""
    monkeypatch.setattr(examined, "examine", lambda _: lines(*statuses))
    ran = CliRunner().invoke(doctor, [])
    assert (ran.exit_code, ran.stderr) == (code, "")
    assert set(EXIT_CODES.values()) == {0, 3, 4}


def test_json_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script reads the statuses and the commands, and which scope they are for."""
    monkeypatch.setattr(examined, "examine", lambda _: lines("ok", "missing"))
    ran = CliRunner().invoke(
        doctor, [*NAMED, "--start", "2025-09-07T10:00:00Z", "--end", "2025-09-07T11:00:00Z", "--json"]
    )
    document = json.loads(ran.stdout)
    assert (ran.exit_code, document["schema"], document["status"]) == (3, 1, "missing")
    assert document["scope"]["region"] == "us-central1"
    assert document["scope"]["start"] == "2025-09-07T10:00:00Z"
    assert document["lines"][1] == {
        "name": "line 1", "status": "missing", "because": "because", "lets": "", "costs": "", "command": "",
        "advice": "", "needed": True,
    }  # fmt: skip


@pytest.mark.parametrize(("words", "message"), [
    (["--region", "us-central1"],
     "a service is named by --project, --region and --service: give all three, or --project alone"),
    (["--region", "us-central1", "--service", "chat"],
     "a service is named by --project, --region and --service: give all three, or --project alone"),
    (["--project", "my-project", "--project", "other"],
     "parameter 'project' is given twice, as 'my-project' and as 'other': keep one"),
    (["--start", "-2hours"], "parameter 'start' is '-2hours': give an ISO 8601 time or a relative one such as -2h, -30m, now"),
    (["--health-path", "health"],
     "parameter 'health_path' is 'health': a path starts with / and has no query, such as /health"),
])  # fmt: skip
def test_wrong_usage(words: list[str], message: str) -> None:
    """Found before anything is asked, in the words of the other commands."""
    ran = CliRunner().invoke(doctor, words)
    assert isinstance(ran.exception, UsageError)
    assert (str(ran.exception), ran.stdout) == (message, "")


def test_help_fits_and_can_be_copied() -> None:
    """Help is read on the narrowest terminal there is, and says what each exit code means."""
    text = CliRunner().invoke(doctor, ["--help"]).stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "    incident doctor --project my-project" in text
    assert "Exit code: 0 all there, 3 something is missing, 4 nothing is missing but" in text


def test_a_machine_with_nothing(tmp_path: Path) -> None:
    """As `env -i` leaves it: it says that there are no credentials, and ends within seconds, with no traceback."""
    ran = subprocess.run(
        PROCESS, env={"HOME": str(tmp_path), "NO_GCE_CHECK": "true", "PATH": os.environ["PATH"]}, cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    said = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (3, "")
    assert said[0] == "x missing   credentials: there are none: GOOGLE_APPLICATION_CREDENTIALS,"
    assert "            run      gcloud auth application-default login" in said
    assert "- skipped   project: none was named" in said
    assert not (tmp_path / "outputs").exists()


def test_against_the_stand_in(tmp_path: Path) -> None:
    """The process as a whole, with one thing missing: a service without a revision is not there."""
    with GoogleApis(LogStore(), Service(load_scenario("staging"))) as apis:
        environ = os.environ | {"INCIDENT_GCP_ENDPOINT": apis.address, "JUPYTER_DATA_DIR": str(tmp_path)}
        ran = subprocess.run(
            [*PROCESS, *NAMED, "--json"], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (3, "")
    missing = [line for line in json.loads(ran.stdout)["lines"] if line["status"] == "missing"]
    assert [(line["name"], line["command"]) for line in missing] == [
        ("service", "gcloud run services list --project=drill-project"),
    ]  # fmt: skip
