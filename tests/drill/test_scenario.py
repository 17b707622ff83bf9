"""Scenario files: what a mistake in one is told."""

import pytest

from incident.drill.scenario import load_scenario, parse_scenario, scenario_names
from incident.drill.steps import Deploy, Run
from incident.findings import UsageError

RIGHT = """
title: t
project: p
region: r
service: s
images: {a: [base]}
requests: {ping: {kind: http, path: /health, user_agent: u}}
steps:
- build: {image: a, commit: c}
- deploy: {revision: s-00001-abc, image: a, by: me}
- requests: {counts: {ping: 1}, expect: {ping: 200}}
- pause: 0.5
"""


def test_staging_is_the_incident(staging):
    """The numbers of the revisions, the missing one among them, are the story that the runs must find."""
    deploys = [step for step in staging.steps if isinstance(step, Deploy)]
    assert [step.revision.split("-")[-2] for step in deploys] == ["00135", "00136", "00137", "00139", "00140"]
    assert [step.image for step in deploys][:3] == ["baseline"] * 3
    assert len({step.by for step in deploys}) == len(deploys)
    assert [step.exit for step in staging.steps if isinstance(step, Run)] == [3, 0]


def test_staging_has_enough_requests_to_rule_an_effect_out(staging):
    """0 of n against 0 of n fits in ±10 points only from n = 43 on, so `none` needs that many."""
    counts = [step.counts for step in staging.steps if hasattr(step, "counts")]
    assert all(min(count.values()) >= 43 for count in counts if count["health"] != 12)


def test_a_revision_with_a_tag():
    """A revision that takes no traffic is reached by its tag; what takes all of it needs none."""
    text = RIGHT.replace("by: me}", "by: me, tag: canary, traffic: false}")
    deploys = [step for given in (RIGHT, text) for step in parse_scenario(given, "x").steps if isinstance(step, Deploy)]
    assert [(step.tag, step.traffic) for step in deploys] == [("", True), ("canary", False)]


def test_right_scenario_is_read():
    """The table below changes one thing at a time in a file that is right."""
    scenario = parse_scenario(RIGHT, "x")
    assert scenario.requests["ping"].message == "hello"
    assert scenario.steps[-1].seconds == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title: t", "title: t\ncolour: red",
         "scenario x: 'colour' is not known: use name, title, project, region, service, images, requests, steps, "
         "environment, settings, notebooks"),
        ("title: t\n", "", "scenario x: title missing: give name, title, project, region, service, images, requests, "
         "steps, environment, settings, notebooks"),
        ("title: t", "title: 5", "scenario x.title: 5 is not text: put it in quotes"),
        ("title: t", "title: [", "scenario x: not YAML, line 4: expected ',' or ']', but got ':'"),
        ("service: s", "service: ../s",
         "scenario x: '../s' is not a name: use small letters, digits and hyphens"),
        ("[base]", "[../base]",
         "scenario x: images.a: '../base' is not a name: use small letters, digits and hyphens"),
        ("by: me}", "by: me, tag: ../x}",
         "scenario x: steps[1]: '../x' is not a name: use small letters, digits and hyphens"),
        ("[base]", "[]", "scenario x: images.a: [] is not a list of names"),
        ("kind: http", "kind: ftp", "scenario x: requests.ping.kind: 'ftp' is not websocket or http"),
        ("image: a, by", "image: b, by", "scenario x: steps[1]: image 'b' is not defined: use one of a"),
        ("{ping: 200}", "{pong: 200}",
         "scenario x: steps[2]: kind of request 'pong' is not defined: use one of ping"),
        ("- pause: 0.5", "- wait: 1",
         "scenario x: steps[3]: ['wait'] is not a step: begin with one of build, finish_build, deploy, policy, "
         "ingress, traffic, dependency, proxy, endpoint, requests, sockets, log_fault, pause, run"),
        ("- pause: 0.5", "- pause: soon", "scenario x: steps[3].pause.seconds: 'soon' is not a number from 0"),
        ("commit: c", "commit: c, at: x",
         "scenario x: steps[0].build: 'at' is not known: use image, commit, finish"),
        ("service: s", "service: s\nenvironment: {A: 1}",
         "scenario x: environment.A: 1 is not text: put it in quotes"),
        ("service: s", "service: s\nsettings: {timeout: -1}",
         "scenario x: settings.timeout: -1 is not a number from 0"),
        ("service: s", "service: s\nsettings: {memory: lots}",
         "scenario x: settings: memory 'lots' is not a quantity: give one such as 512Mi"),
        ("by: me}", "by: me, settings: {memory: 1Q}}",
         "scenario x: steps[1].deploy.settings: memory '1Q' is not a quantity: give one such as 512Mi"),
        ("by: me}", "by: me, settings: {port: high}}",
         "scenario x: steps[1].deploy.settings.port: 'high' is not a whole number from 0"),
        ("by: me}", "by: me, settings: {command: serve}}",
         "scenario x: steps[1].deploy.settings.command: 'serve' is not a list of texts"),
        ("by: me}", "by: me, secrets: {KEY: {readable: false}}}",
         "scenario x: steps[1].deploy.secrets.KEY: secret missing: give secret, and readable: false to deny it"),
        ("by: me}", "by: me, pull: slow}", "scenario x: steps[1].deploy.pull: 'slow' is not ok or denied or missing"),
        ("- pause: 0.5", "- endpoint: {path: socket}",
         "scenario x: steps[3].endpoint.path: 'socket' is not a path: begin with /"),
        ("- pause: 0.5", "- log_fault: {method: ListLogEntries}",
         "scenario x: steps[3].log_fault: give method and code, or none: true"),
        ("- pause: 0.5", "- log_fault: {method: ListLogEntries, code: BUSY}",
         "scenario x: steps[3].log_fault.code: 'BUSY' is not PERMISSION_DENIED or UNAUTHENTICATED or RESOURCE_EXHAUSTED or "
         "UNAVAILABLE or INTERNAL"),
        ("- pause: 0.5", "- sockets: {kind: pong, count: 1, hold: 1}",
         "scenario x: steps[3]: kind of request 'pong' is not defined: use one of ping"),
        ("- pause: 0.5", "- sockets: {kind: ping, count: 1, hold: 1, expect: {after: [1]}}",
         "scenario x: steps[3].sockets.expect.after: [1] is not two numbers: give the least and the most seconds"),
        ("- pause: 0.5", "- sockets: {kind: ping, count: 1, hold: 1, meanwhile: true, expect: {ended_by: client}}",
         "scenario x: steps[3].sockets.expect: how sockets end is not known while they are held meanwhile: take one of "
         "both away"),
        ("- pause: 0.5", "- proxy: {host_tls: old}", "scenario x: steps[3].proxy.host_tls: 'old' is not expired"),
        ("- pause: 0.5", "- dependency: {name: ../x, state: up}",
         "scenario x: steps[3]: '../x' is not a name: use small letters, digits and hyphens"),
        ("- pause: 0.5", "- ingress: {to: nobody, by: me}", "scenario x: steps[3].ingress.to: 'nobody' is not all or internal"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old, new, message):
    """A scenario is written by hand: the message must say where, what is there, and what may be."""
    assert old in RIGHT
    with pytest.raises(UsageError) as told:
        parse_scenario(RIGHT.replace(old, new), "x")
    assert str(told.value) == message


@pytest.mark.parametrize("text", ["", "- a", "steps"])
def test_no_mapping_is_refused(text):
    """An empty file is a mistake too."""
    with pytest.raises(UsageError, match="is not a mapping: give keys and values"):
        parse_scenario(text, "x")


@pytest.mark.parametrize("name", ["nosuch", "../scenarios/staging", "", "staging.yaml"])
def test_unknown_scenario_names_the_known_ones(name):
    """A name is looked up among the packaged ones and never made into a path."""
    with pytest.raises(UsageError) as told:
        load_scenario(name)
    assert str(told.value) == f"scenario {name!r} is not known: use one of {', '.join(scenario_names())}"
