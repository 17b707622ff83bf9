"""The pages in `docs/causes/` are what the rules say of themselves."""

import importlib.util
from pathlib import Path

import pytest

from incident.causes import CAUSES

FOLDER = Path(__file__).parents[2] / "docs" / "causes"


@pytest.fixture(scope="module")
def make():
    """The script that writes the pages."""
    spec = importlib.util.spec_from_file_location("make_causes", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rule", CAUSES, ids=lambda rule: rule.name)
def test_each_page_is_the_rules_own_docstring(make, rule):
    """A page that says other than the rule decides misleads at 3 a.m.; `make causes` writes it again."""
    assert (FOLDER / f"{rule.name}.md").read_text(encoding="utf-8") == make.page(rule)


def test_the_table_holds_every_cause_and_no_other_page(make):
    """A cause that was renamed must not leave its old page behind."""
    assert (FOLDER / "README.md").read_text(encoding="utf-8") == make.table()
    assert {page.stem for page in FOLDER.glob("*.md")} == {rule.name for rule in CAUSES} | {"README"}
