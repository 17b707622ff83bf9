"""`incident drill`: an incident replayed on loopback."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from incident.cli.options import outputs_option


@click.command()
@click.argument("scenario", default="staging")
@click.option("--list", "as_list", is_flag=True, help="List the scenarios, and start nothing.")
@outputs_option
def drill(scenario: str, as_list: bool, outputs: Path) -> None:
    """Replay an incident on loopback: run the runbook while it is broken, and after its fix.

    \b
        incident drill
        incident drill staging --outputs outputs
        incident drill --list
    """
    from incident.drill.play import drill as play
    from incident.drill.scenario import load_scenario, scenario_names

    if as_list:
        click.echo("\n".join(f"{name:<12}{load_scenario(name).title}" for name in scenario_names()))
        return
    sys.exit(play(scenario, outputs))
