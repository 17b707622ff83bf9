"""docs/connect.md: its commands, roles and words are those of the package."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from incident.cli.doctor import doctor
from incident.sources.calls import ACCESS, LOGIN
from incident.sources.doctor_access import APIS, PERMISSIONS, PRIVATE, ROLES, grant
from incident.sources.doctor_line import Line

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "connect.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith(("gcloud", "incident"))]


def test_the_login_is_the_one_that_gaps_name() -> None:
    """Two ways to log in would be one too many."""
    assert LOGIN in COMMANDS


def test_the_grants_are_those_that_the_doctor_prints() -> None:
    """Each role that a run needs, once, and no other."""
    grants = [line for line in COMMANDS if "add-iam-policy-binding" in line]
    roles = dict.fromkeys(access.role for access in ACCESS.values())
    assert sorted(grants) == sorted(grant("PROJECT", "MEMBER", role) for role in roles)


def test_the_table_of_permissions() -> None:
    """What each is good for is written in one place."""
    rows = re.findall(r"^\| `([\w.]+)` \| `([\w./]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(need.name, ROLES[need.name], need.costs) for need in PERMISSIONS]
    assert f"`{ROLES[PRIVATE]}` is not needed" in PAGE
    assert {access.permission for access in ACCESS.values()} == {need.name for need in PERMISSIONS if need.needed}


def test_the_apis() -> None:
    """Those that a run needs are enabled by one line; the doctor's own is named apart."""
    (line,) = (line for line in COMMANDS if "services enable" in line)
    enabled = {word for word in shlex.split(line) if word.endswith(".googleapis.com")}
    assert enabled == {name for name, (permission, *_) in APIS.items() if permission}
    assert set(APIS) - enabled == {"cloudresourcemanager.googleapis.com"}


def test_the_doctor_s_command() -> None:
    """The options on the page are there."""
    (line,) = (line for line in COMMANDS if line.startswith("incident doctor"))
    known = {name for parameter in doctor.params for name in parameter.opts}
    assert {word for word in shlex.split(line) if word.startswith("--")} <= known


def test_the_line_that_is_shown_is_printed() -> None:
    """It is taken from the output that is pinned."""
    shown = next(block for block in BLOCKS if block.startswith("x missing"))
    assert shown in (ROOT / "tests" / "sources" / "doctor" / "permission.txt").read_text(encoding="utf-8")


def test_the_keys_of_json() -> None:
    """A script is written from the page."""
    keys = re.search(r"`lines` with (.+?)\.", PAGE, re.DOTALL)
    assert keys
    assert re.findall(r"`(\w+)`", keys[1]) == list(Line("a", "ok", "b").as_json())


def test_every_link_leads_somewhere() -> None:
    """The page is read in a checkout."""
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
