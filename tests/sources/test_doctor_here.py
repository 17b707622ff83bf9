"""What this machine lacks: kernels, packages, a folder to write to."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from incident.sources.doctor_here import kernel_line, kernel_lines, lack, numbers, outputs_line, packages_line
from incident.sources.doctor_line import Line


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Installs a kernel of the user's own, which Jupyter finds first."""

    def install(name: str, interpreter: str) -> Line:
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": [interpreter, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "x"}
        (folder / "kernel.json").write_text(json.dumps(spec | {"language": "python"}))
        return kernel_line(name)

    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    return install


def script(folder: Path, line: str) -> str:
    """An interpreter that does one thing."""
    path = folder / "other-python"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def test_the_kernel_that_notebooks_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the notebooks, so that a renamed one is looked for by its new name."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert [(line.name, line.status, line.because) for line in kernel_lines()] == [
        ("kernel python3", "ok", "this Python")
    ]


def test_a_kernel_that_is_not_there() -> None:
    """The command installs it into this environment, for no other."""
    line = kernel_line("nosuch")
    assert (line.status, line.because) == ("missing", "Jupyter finds none of this name")
    assert line.command == f"{sys.executable} -m ipykernel install --sys-prefix --name=nosuch"


@pytest.mark.parametrize(("does", "status", "because"), [
    ("exit 1", "missing", "Jupyter finds {}, which does not import incident"),
    ("exit 0", "ok", "{} imports incident"),
])  # fmt: skip
def test_a_kernel_of_another_python(tmp_path: Path, kernel: object, does: str, status: str, because: str) -> None:
    """A kernel of the same name in the user's folder goes before ours, and fails at the first import."""
    other = script(tmp_path, does)
    line = kernel("python3", other)  # type: ignore[operator]
    assert (line.status, line.because) == (status, because.format(other))
    if status == "missing":
        install = f"{sys.executable} -m ipykernel install --sys-prefix --name=python3"
        assert line.command == f"jupyter kernelspec remove python3 && {install}"


def test_a_kernel_whose_python_is_gone(tmp_path: Path, kernel: object) -> None:
    """An environment that was deleted leaves its kernel behind."""
    line = kernel("old", str(tmp_path / "gone"))  # type: ignore[operator]
    assert line.status == "missing"


def test_packages() -> None:
    """Each that is missing or old is named, and one command brings them all."""

    def installed(name: str) -> str:
        if name == "papermill":
            raise PackageNotFoundError(name)
        return "2.3.1"

    line = packages_line(["pandas>=3.0", "papermill>=2.6", "tqdm>=2.3; extra == 'x'", "click>=2.3.1"], installed)
    assert (line.status, line.because) == ("missing", "pandas 2.3.1 is older than 3.0; papermill is not installed")
    assert line.command == f"{sys.executable} -m pip install 'pandas>=3.0' 'papermill>=2.6'"
    assert packages_line().status == "ok"


@pytest.mark.parametrize(("there", "least", "enough"), [
    ("3.10", "3.9", True), ("3.0", "3", True), ("3", "3.0.0", True), ("2.99", "3.0", False), ("3.1rc1", "3.1", True),
    ("unknown", "1", False),
])  # fmt: skip
def test_versions(there: str, least: str, enough: bool) -> None:
    """3.10 is newer than 3.9."""
    assert (lack("x", least, lambda _: there) == "") is enough
    assert numbers("") == []


def test_outputs(tmp_path: Path) -> None:
    """A file is really written, and nothing is left of it."""
    assert outputs_line(tmp_path).because == f"{tmp_path} can be written"
    assert outputs_line(tmp_path / "a" / "b").because == f"{tmp_path}/a/b can be made by the first run"
    assert list(tmp_path.iterdir()) == []


def test_outputs_in_a_file(tmp_path: Path) -> None:
    """What cannot be written is found before a run, not at its end."""
    (tmp_path / "file").touch()
    line = outputs_line(tmp_path / "file" / "runs")
    assert (line.status, line.because) == ("missing", f"{tmp_path}/file/runs cannot be written: not a directory")
    assert line.advice == "give --outputs DIR, a folder that can be written to"
