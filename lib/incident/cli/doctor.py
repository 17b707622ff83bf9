"""`incident doctor`: what a run on a project needs, and what of it is missing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from incident.cli.options import given, outputs_option, some_options
from incident.findings import UsageError

EXIT_CODES = {"ok": 0, "missing": 3, "uncertain": 4}


@click.command()
@some_options("project", "region", "service", "start", "end", "endpoint")
@click.option("--health-path", multiple=True, metavar="PATH", help="Where the health check is; /health unless given.")
@outputs_option
@click.option("--json", "as_json", is_flag=True, help="Print the lines as JSON alone.")
def doctor(outputs: Path, as_json: bool, **options: tuple[str, ...]) -> None:
    """Say what is there for a run, what is missing, and the command that mends it.

    Looks at credentials, network, clock, APIs, permissions, quota, the service,
    its endpoint, Jupyter's kernel, packages and the outputs folder. Reads only.
    Without --project it looks at what it can.

    \b
        incident doctor --project my-project --region us-central1 --service chat
        incident doctor

    Exit code: 0 all there, 3 something is missing, 4 nothing is missing but
    something could not be looked at, 2 wrong usage.
    """
    from incident.doctor_table import doctor_table
    from incident.sources.doctor import examine, status_of

    asked = examination(options, outputs)
    lines = examine(asked)
    rows, status = [line.as_json() for line in lines], status_of(lines)
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    document = {"schema": 1, "status": status, "scope": asked.scope.as_json(), "lines": rows}
    click.echo(json.dumps(document, indent=2) if as_json else doctor_table(rows, color=color))
    sys.exit(EXIT_CODES[status])


def examination(options: dict[str, tuple[str, ...]], outputs: Path) -> Any:
    """What the command line asks to examine, with the clock and the environment of this process."""
    import pandas as pd

    from incident.scope import Parameters, scope
    from incident.sources.doctor import Examination

    asked = given(options)
    if ("region" in asked) != ("service" in asked) or ("service" in asked and "project" not in asked):
        raise UsageError("a service is named by --project, --region and --service: give all three, or --project alone")
    parameters = Parameters.read({"source": "cloud", **asked})
    return Examination(parameters, scope(parameters, pd.Timestamp.now("UTC")), outputs)
