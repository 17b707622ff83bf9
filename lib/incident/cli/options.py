"""Options that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from incident.findings import UsageError

SCOPE_OPTIONS = {
    "project": ("PROJECT", "The project's id."),
    "region": ("REGION", "Such as us-central1."),
    "service": ("SERVICE", "The Cloud Run service."),
    "start": ("TIME", "ISO 8601, or relative: -2h, -30m."),
    "end": ("TIME", "The same; the window is half-open."),
    "endpoint": ("URL", "What to probe; the service's own URL unless given."),
    "matrix": ("NAME", "The handshakes to try, by name or file."),
    "before": ("RUN", "The run to compare with."),
    "source": ("SOURCE", "cloud (default), analytics:PROJECT.DATASET, export:DIR, pull:DIR, sample:NAME, run:RUN."),
    "incident": ("NAME", "Keep the run under this name, not the runbook's."),
    "max_entries": ("N", "Read at most N log entries, the most useful first."),
    "max_calls": ("N", "Make at most N calls to Cloud Logging, the same way."),
    "repo": ("DIR", "The service's git repository: which files each deploy changed."),
    "compare_to": ("PROJECT/REGION/SERVICE", "Say what differs from another service, live sources only."),
    "max_bytes_billed": ("BYTES", "Scan at most so much of a linked dataset, such as 10GB; 10GiB unless given."),
}


def scope_options(command: Any) -> Any:
    """The options that set a parameter; each may be given once, which `plan` says, so click lets more pass."""
    return some_options(*SCOPE_OPTIONS)(command)


def some_options(*names: str) -> Callable[[Any], Any]:
    """Some of these options, with the same words everywhere; `given` reads them."""

    def decorated(command: Any) -> Any:
        for name in reversed(names):
            metavar, words = SCOPE_OPTIONS[name]
            option = f"--{name.replace('_', '-')}"
            command = click.option(option, name, multiple=True, metavar=metavar, help=words)(command)
        return command

    return decorated


def given(options: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The values of such options by their parameter's name; one that is given twice is a `UsageError`."""
    for name, values in options.items():
        if len(values) > 1:
            raise UsageError(f"parameter {name!r} is given twice, as {values[0]!r} and as {values[1]!r}: keep one")
    return {name: values[0] for name, values in options.items() if values}


outputs_option = click.option(
    "--outputs", default="outputs", show_default=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Where runs are kept.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary alone, as JSON.")
