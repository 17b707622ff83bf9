"""`incident pull`: a service's evidence to Parquet, resumable."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from incident.cli.group import interrupt, interrupted_by
from incident.cli.options import given, some_options

if TYPE_CHECKING:
    from incident.sources.pull_parts import Plan

EVERYTHING = "logs,service,revisions,builds,iam"


@click.command()
@click.option("--to", "folder", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where it is kept.")
@click.option("--what", default=EVERYTHING, metavar="NAMES", show_default=True, help="What to pull.")
@some_options("project", "region", "service", "start", "end", "max_entries", "max_calls")
@click.option("--json", "as_json", is_flag=True, help="Print what came, as JSON alone.")
def pull(folder: Path, what: str, as_json: bool, **options: tuple[str, ...]) -> None:
    """Pull a service's evidence to a folder, and go on where it was ended.

    Read it with --source pull:DIR. The same command goes on with a pull that
    was interrupted, or that has gaps, and asks for no page twice.

    \b
        incident pull --to chat --project my-project --region us-central1 \\
            --service chat --start 2025-09-07T08:00Z --end 2025-09-07T12:00Z

    Exit code: 0 whole, 4 with gaps, 1 the folder cannot be written, 2 wrong
    usage, 130 interrupted.
    """
    from incident.cli.pull_progress import Progress
    from incident.scope import Parameters
    from incident.sources.pulling import parse_what, pull_to

    parameters = Parameters.read({"source": "cloud", **given(options)})
    try:
        with interrupted_by(say_and_interrupt), Progress(sys.stderr) as progress:
            plan = pull_to(folder, parameters, parse_what(what), tell=progress.tell)
    except KeyboardInterrupt:
        click.echo(f"incident: interrupted: what came is kept in {str(folder)!r}, the same command goes on", err=True)
        sys.exit(130)
    document = summary(plan)
    click.echo(json.dumps(document, indent=1) if as_json else words(document, folder))
    sys.exit(4 if document["gaps"] else 0)


def say_and_interrupt(number: int, frame: Any) -> None:
    """Say at once, when somebody ends the pull, what is waited for: a call that is under way cannot be recalled."""
    from incident.sources.calls import Calls

    line = f"incident: interrupted: waiting for calls that are under way, {Calls.timeout:.0f} s at most\n"
    os.write(2, (("\n" if os.isatty(2) else "") + line).encode())  # not `print`: it may have been interrupted
    interrupt(number, frame)


def summary(plan: Plan) -> dict[str, Any]:
    """What a finished pull has to say of itself, schema 1."""
    queries = plan.result["queries"]
    return {
        "schema": 1,
        "scope": plan.scope.as_json(),
        "entries": plan.result["entries"],
        "calls": sum(query["calls"] for query in queries),
        "gaps": plan.result["gaps"],
        "queries": queries,
    }


def words(document: dict[str, Any], folder: Path) -> str:
    """The same for people: one line, and two for each gap."""
    from incident.sentences import safe

    gaps = document["gaps"]
    state = f"with {len(gaps)} gap{'' if len(gaps) == 1 else 's'}" if gaps else "whole"
    came = f"pulled {document['entries']:,} entries with {document['calls']:,} calls"
    lines = [safe(f"{came}, {state}: pull:{folder}")]
    for gap in gaps:
        lines += [safe(f"gap on {gap['frame']}: {gap['reason']}"), f"    to mend it: {safe(gap['remedy'])}"]
    return "\n".join(lines)
