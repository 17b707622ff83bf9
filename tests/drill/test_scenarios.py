"""Every packaged scenario, played for real: the runs find what was planted, and blame nobody innocent."""

import pytest

from incident.causes import CAUSES
from incident.drill.play import drill
from incident.drill.scenario import load_scenario, scenario_names
from incident.drill.steps import Run

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


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(scenario_names()) - {"staging"}))
def test_the_runs_find_what_was_planted(name, tmp_path, capsys):
    """The right cause, the right revision, the right order, and nothing innocent blamed, on a live incident."""
    ended = drill(name, tmp_path)
    assert ended == 0, capsys.readouterr().out
