"""Options that several commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

SCOPE_OPTIONS = {
    "project": ("PROJECT", "The project's id."),
    "region": ("REGION", "Such as us-central1."),
    "service": ("SERVICE", "The Cloud Run service."),
    "start": ("TIME", "ISO 8601, or relative: -2h, -30m."),
    "end": ("TIME", "The same; the window is half-open."),
    "endpoint": ("URL", "What to probe; the service's own URL unless given."),
    "matrix": ("NAME", "The handshakes to try, by name or file."),
    "before": ("RUN", "The run to compare with."),
    "source": ("SOURCE", "cloud (unless given), export:DIR, sample:NAME, run:RUN."),
    "incident": ("NAME", "Keep the run under this name, not the runbook's."),
}


def scope_options(command: Any) -> Any:
    """The options that set a parameter; each may be given once, which `plan` says, so click lets more pass."""
    for name, (metavar, words) in reversed(SCOPE_OPTIONS.items()):
        command = click.option(f"--{name}", name, multiple=True, metavar=metavar, help=words)(command)
    return command


outputs_option = click.option(
    "--outputs", default="outputs", show_default=True, metavar="DIR", type=click.Path(path_type=Path),
    help="Where runs are kept.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary alone, as JSON.")
