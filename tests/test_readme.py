"""What the README shows and claims is what the package prints and does."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from incident.answer import summary
from incident.cli import main
from incident.evidence import load
from incident.sentences import verdict

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_verdict_is_shown_as_it_is_printed():
    """The first screen shows what the packaged sample, recorded from the drill, comes to today."""
    shown = next(block for block in BLOCKS if block.startswith("FAILED"))
    sample = files("incident") / "samples" / "staging" / "evidence"
    assert verdict(summary(load(Path(str(sample))))).startswith(shown.rstrip())


def test_the_first_screen_has_both_commands_and_the_verdict():
    """Whoever opens the page decides within a screen whether to go on."""
    first = "\n".join(README.splitlines()[:45])
    for needed in ("make drill", "make test", "FAILED", "gcloud run services update-traffic"):
        assert needed in first


def test_every_target_of_make_exists():
    """A command on the page that fails is worse than none."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)(?=[ `)\n])", "\n".join(BLOCKS) + README)) - {"or"} <= targets


@pytest.mark.parametrize(
    "line", [line for block in BLOCKS for line in block.splitlines() if ".venv/bin/incident" in line]
)
def test_every_incident_command_is_one(line):
    """The commands and the options that the page names are there."""
    words = line.split(".venv/bin/incident ", 1)[1].split()
    command = main.commands[words[0]]
    known = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_every_link_leads_somewhere():
    """Relative links only: the page is read in a checkout."""
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_notebooks_named_are_those_there():
    """A notebook that is not listed is not found."""
    assert sorted(set(re.findall(r"\(notebooks/([\w-]+)\.ipynb\)", README))) == sorted(
        file.stem for file in (ROOT / "notebooks").glob("*.ipynb")
    )
