"""The command line: parse, call, print, exit.

A module a command; each imports what it needs when it runs, so that a probe never waits for pandas or a cloud client.
"""

from incident.cli.doctor import doctor
from incident.cli.drill import drill
from incident.cli.group import main
from incident.cli.probe import probe
from incident.cli.pull import pull
from incident.cli.run import run
from incident.cli.runs import runs

for command in (probe, run, pull, runs, doctor, drill):
    main.add_command(command)

__all__ = ["main"]
