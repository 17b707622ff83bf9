"""The house rules that a reader relies on: what the README, the lock, the notebooks and the decisions promise."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from incident.scope import Parameters

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ABOUT_THE_INCIDENT = re.compile(r"\d")


def dependency_names():
    """The names of the packages that this one needs at run time."""
    return [re.match(r"[\w.-]+", line)[0] for line in PROJECT["project"]["dependencies"]]


def cells(file, kind):
    """The cells of one kind in a notebook."""
    return [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def tracked(*patterns):
    """The files under version control; where there is no checkout, every file that a checkout would hold."""
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_conda_environment_does_not_drift():
    """Two lists of dependencies drift; environment.yml has Python and this package, and nothing else."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["dependencies"] == [
        f"python {PROJECT['project']['requires-python']}",
        "pip",
        {"pip": ["--editable ."]},
    ]


def test_the_lock_holds_every_dependency_with_hashes_and_no_address():
    """The lock is what is installed: complete, pinned, and free of anyone's registry."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    wanted = [*dependency_names(), *(re.match(r"[\w.-]+", line)[0] for line in PROJECT["dependency-groups"]["dev"])]
    assert [name for name in wanted if name not in pinned] == []
    assert "://" not in lock
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", lock, flags=re.MULTILINE)[1:]
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_each_dependency_has_its_reason():
    """A dependency without a reason is one nobody dares to remove."""
    reasons = (ROOT / "docs/decisions/0001-dependencies.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w.-]+)` \|", reasons, re.MULTILINE) == sorted(dependency_names())


def test_each_import_is_declared():
    """What another package happens to bring may leave with its next release."""
    modules = [file for file in (ROOT / "lib/incident").rglob("*.py") if "images" not in file.parts]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in modules]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    roots = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"incident", "google"}
    brought = packages_distributions()
    missing = {
        name for name in roots if not {d.lower().replace("_", "-") for d in brought[name]} & set(dependency_names())
    }
    assert missing == set()


@pytest.mark.parametrize("kind", ["notebooks", "runbooks"])
def test_package_data_is_found_through_the_package(kind):
    """Never through the working directory: a scheduler starts anywhere."""
    there = {entry.name for entry in (files("incident") / kind).iterdir()}
    assert {file.name for file in (ROOT / kind).iterdir() if not file.name.startswith(".")} <= there


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_read_as_documents(file):
    """At most six lines a cell and no plumbing; what Markdown says of an incident would go stale."""
    for cell in cells(file, "code"):
        source = "".join(cell["source"])
        tree = ast.parse(source)
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        assert "parameters" in cell["metadata"].get("tags", []) or len(source.splitlines()) <= 6, source
        assert not [
            node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.For | ast.Try | ast.While)
        ]
    for cell in cells(file, "markdown"):
        prose = re.sub(r"\]\([^)]*\)", "", "".join(cell["source"]))
        assert not ABOUT_THE_INCIDENT.search(prose), prose


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_take_the_same_parameters(file):
    """The same names in every notebook, all text, defaulting to the packaged sample."""
    cell = next(cell for cell in cells(file, "code") if "parameters" in cell["metadata"].get("tags", []))
    assigned = {step.targets[0].id: step.value.value for step in ast.parse("".join(cell["source"])).body}
    assert tuple(assigned) == Parameters.names()
    assert Parameters.read(assigned) == Parameters()


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_have_stable_ids_and_a_kernel(file):
    """jupyter-scheduler needs the kernel's name; random ids would make every save a change."""
    notebook = json.loads(file.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]+", name) for name in ids)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_notebooks_link_to_each_other(file):
    """A link to what answers next must lead somewhere."""
    linked = re.findall(r"\]\(([^)]+\.ipynb)\)", "".join("".join(cell["source"]) for cell in cells(file, "markdown")))
    assert linked
    assert [name for name in linked if not (ROOT / "notebooks" / name).exists()] == []


def test_no_machine_s_paths_and_no_registry():
    """The repository is read on other machines than it was written on."""
    machine = re.compile(r"/work/|/root/|/home/\w|--(?:extra-)?index-url|tool\.uv\.index")
    own = Path(__file__).name
    found = [
        file.name for file in tracked() if file.name != own and machine.search(file.read_text("utf-8", errors="ignore"))
    ]
    assert found == []


def test_the_places_that_users_were_promised():
    """Six places at the top, by these names."""
    for name in ("notebooks", "runbooks", "lib", "environment.yml", "outputs", "README.md"):
        assert (ROOT / name).exists(), name
