"""Each cause against its evidence: found, looked for in vain, and not decidable. A case is a file in `cases/`."""

from pathlib import Path

import pytest
import yaml

from incident.analysis.case import Case
from incident.causes import CAUSES, cause_table, judged

CASES = sorted((Path(__file__).parent / "cases").glob("*/*.yaml"))


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_cause(file, evidence):
    """Each file says why its evidence must be read as it expects."""
    case = yaml.safe_load(file.read_text(encoding="utf-8"))
    found = next(rule for rule in CAUSES if rule.name == file.parent.name).judge(Case(evidence(case)))
    assert {name: getattr(found, name) for name in case["expect"]} == case["expect"], case["why"]


@pytest.mark.parametrize("rule", CAUSES, ids=lambda rule: rule.name)
def test_every_cause_has_its_three_cases(rule):
    """A cause whose silence was never tested would one day say ok for want of evidence."""
    stems = {file.stem.split("-")[0] for file in CASES if file.parent.name == rule.name}
    assert {"failed", "ok", "uncertain"} <= stems


def test_evidence_rows_are_in_the_frame(evidence):
    """A finding cites rows that anyone can look up in the archived frame."""
    read = evidence(Path(__file__).parents[1] / "incident.yaml")
    for finding in (finding for finding in judged(Case(read)) if finding.status == "failed"):
        cited = read.cited(finding.evidence)
        assert len(cited) == len(set(finding.evidence))
        assert not cited.empty


def test_primary_cause_after_the_fix(evidence):
    """A cause that has stopped keeps its finding, its end, and the change that mended it."""
    found = {f.cause: f for f in judged(Case(evidence(Path(__file__).parents[1] / "incident.yaml")))}
    startup = found["startup-exception"]
    assert (startup.status, startup.active, startup.introduced_by) == ("failed", False, "chat-00139-new")
    assert (startup.mended_by, startup.ended) == ("chat-00140-fix", "2025-09-07T10:03:16.1Z")
    refused = found["app-refused"]
    assert (refused.active, refused.introduced_by, refused.mended_by) == (False, None, "chat-00140-fix")


def test_the_table_holds_every_cause(evidence):
    """The notebook shows each registered cause once, whatever came of it."""
    table = cause_table(judged(Case(evidence({"frames": {}}))))
    assert sorted(table["cause"]) == sorted(rule.name for rule in CAUSES)
    assert set(table["status"]) == {"ok"}, "every frame is vouched for as complete and empty"
