"""What is kept of an earlier run is what a later one compares itself with."""

import json
from pathlib import Path

from incident.answer import summary
from incident.scope import Parameters
from incident.sources.gather import earlier

RECORD = Path(__file__).parents[1] / "incident.yaml"


def test_who_served_and_how_many_failed_are_kept(tmp_path, evidence):
    """After the fix a short window holds none of the failing requests: their counts must come from the run before."""
    found = summary(evidence(RECORD))
    run = tmp_path / "staging" / "20250907T101500Z-3f2a"
    run.mkdir(parents=True)
    (run / "manifest.json").write_text("{}", encoding="utf-8")
    text = json.dumps({"run_id": run.name, "finished": "2025-09-07T10:16:00Z", **found})
    (run / "summary.json").write_text(text, encoding="utf-8")
    kept = earlier(Parameters(before="latest"), tmp_path, ("my-project", "us-central1", "chat"))
    assert kept["serving"] == ["chat-00140-fix"]
    failed = {"revision": "chat-00139-new", "kind": "GET /ws by Chat", "count": 12, "failed": 12}
    assert failed in kept["requests"]
    assert set(kept) == {"run_id", "status", "finished", "checks", "serving", "requests"}
