"""Every packaged scenario, played for real: the runs find what was planted, and blame nobody innocent."""

import pytest
from tests.hurt import faults

from incident.causes import CAUSES
from incident.drill.play import drill
from incident.drill.scenario import load_scenario, scenario_names
from incident.drill.steps import Run
from incident.evidence import load

NOT_ON_LOOPBACK = {"dns-failure"}
"""Causes that loopback cannot truly produce: it has no names."""

BY_ANOTHER_SCENARIO = {"startup-exception", "app-refused"}
"""Causes that the scenario `staging` shows."""


def runs(name):
    return [step for step in load_scenario(name).steps if isinstance(step, Run)]


@pytest.mark.parametrize("name", sorted(set(scenario_names()) - {"staging"}))
def test_every_run_says_what_is_true(name):
    """A run without a score could blame anybody and pass."""
    assert all({"primary"} <= set(run.score) for run in runs(name))
    assert load_scenario(name).notebooks == "none", "kernels would make a drill last a minute"


def test_every_cause_that_loopback_can_produce_has_a_scenario():
    """A rule that was never tried on a live incident is a guess."""
    shown = {run.score["primary"] for name in scenario_names() for run in runs(name) if run.score}
    assert {rule.name for rule in CAUSES} - shown == NOT_ON_LOOPBACK | BY_ANOTHER_SCENARIO


@pytest.fixture(scope="module", params=sorted(set(scenario_names()) - {"staging"}))
def played(request, tmp_path_factory):
    """A scenario that was played once: its exit code, and the evidence that its runs left."""
    outputs = tmp_path_factory.mktemp(request.param)
    return drill(request.param, outputs), sorted(outputs.glob("*/*/evidence"))


@pytest.mark.slow
def test_the_runs_find_what_was_planted(played):
    """The right cause, the right revision, the right order, and nothing innocent blamed, on a live incident."""
    ended, folders = played
    assert ended == 0
    assert folders


@pytest.mark.slow
def test_missing_evidence_is_never_an_all_clear(played):
    """Each frame of each run hurt in each way: no run ok, nobody newly blamed, nothing ruled out that was not read."""
    _, folders = played
    assert [fault for folder in folders for fault in faults(load(folder))] == []
