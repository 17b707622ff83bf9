"""Runbook notebooks that say why a Cloud Run service's WebSockets fail, and whether the fix holds.

The names below are what a notebook uses; each is imported when it is first asked for, so that a probe from the
command line does not wait for pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

PUBLIC = {
    "Case": "incident.analysis.case",
    "Evidence": "incident.evidence",
    "Table": "incident.tables",
    "gather": "incident.sources.gather",
    "fix_status": "incident.analysis.fix",
    "notebook_parameters": "incident.scope",
    "postmortem": "incident.analysis.postmortem",
    "summary": "incident.answer",
    "what_changed": "incident.analysis.what_changed",
}

__all__ = [
    "Case", "Evidence", "Table", "causes", "charts", "fix_status", "gather", "notebook_parameters", "postmortem",
    "sentences", "summary", "what_changed", "written",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    if name in __all__:
        return import_module(f"incident.{name}")
    raise AttributeError(f"module 'incident' has no attribute {name!r}")
