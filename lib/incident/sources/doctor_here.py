"""What this machine lacks: a kernel that imports the package, packages that are new enough, a folder to write to.

Decides: from Jupyter's kernels as JupyterLab and papermill find them, the packages that are installed beside what this
one declares, and a file that is written and removed. Cannot tell: the kernels of another Jupyter, such as a server's.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.resources import files
from pathlib import Path
from typing import Final

from incident.http1 import printable
from incident.sources.doctor_line import Line, Need

IMPORT_S: Final = 8.0
REQUIREMENT: Final = re.compile(r"([\w.-]+)\s*>=\s*([\w.]+)")
OUR_OWN: Final = re.compile(r"python(3(\.\d+)?)?")
"""What Jupyter takes for its own interpreter (jupyter_client `KernelManager.format_kernel_cmd`)."""

KERNEL: Final = (
    "the notebooks run in JupyterLab",
    "JupyterLab and papermill cannot run the notebooks; `incident run` can",
)
PACKAGES: Final = Need("packages", "a run finds what it imports", "a run may fail in its middle")
OUTPUTS: Final = Need("outputs", "runs are kept", "no run can be kept")


def kernel_lines() -> list[Line]:
    """A line for each kernel that the packaged notebooks name."""
    notebooks = (files("incident") / "notebooks").iterdir()
    read = [json.loads(path.read_text("utf-8")) for path in notebooks if path.name.endswith(".ipynb")]
    return [kernel_line(name) for name in sorted({each["metadata"]["kernelspec"]["name"] for each in read})]


def kernel_line(name: str) -> Line:
    """Whether the kernel of that name, as Jupyter finds it, imports this package."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    need = Need(f"kernel {name}", *KERNEL)
    command = shlex.join([sys.executable, "-m", "ipykernel", "install", "--sys-prefix", f"--name={name}"])
    try:
        found = KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel:
        return need.line("missing", "Jupyter finds none of this name", command)
    if OUR_OWN.fullmatch(found.argv[0]) or Path(found.argv[0]) == Path(sys.executable):
        return need.line("ok", "this Python")
    if not imports(found.argv[0]):
        other = shlex.join(["jupyter", "kernelspec", "remove", name])
        because = f"Jupyter finds {printable(found.argv[0])}, which does not import incident"
        return need.line("missing", because, f"{other} && {command}")
    return need.line("ok", f"{printable(found.argv[0])} imports incident")


def imports(interpreter: str) -> bool:
    """Whether another Python has this package, asked in a process of its own."""
    words = [interpreter, "-c", "import incident"]
    try:
        return subprocess.run(words, capture_output=True, timeout=IMPORT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def packages_line(declared: Iterable[str] | None = None, installed: Callable[[str], str] = version) -> Line:
    """Whether every package that this one declares is there and as new as it has to be."""
    wanted = [match.groups() for text in declared or requires("incident") or [] if (match := REQUIREMENT.match(text))]
    lacking = [words for name, least in wanted if (words := lack(name, least, installed))]
    if not lacking:
        return PACKAGES.line("ok", f"{len(wanted)} are there, as new as needed")
    specs = [f"{name}>={least}" for name, least in wanted if lack(name, least, installed)]
    return PACKAGES.line("missing", "; ".join(lacking), shlex.join([sys.executable, "-m", "pip", "install", *specs]))


def lack(name: str, least: str, installed: Callable[[str], str]) -> str:
    """What is wrong with a package, in words; empty where nothing is.

    >>> lack("pandas", "3.0", lambda name: "2.3.1")
    'pandas 2.3.1 is older than 3.0'
    """
    try:
        there = installed(name)
    except PackageNotFoundError:
        return f"{name} is not installed"
    return f"{name} {printable(there)} is older than {least}" if numbers(there) < numbers(least) else ""


def numbers(text: str) -> list[int]:
    """The release of a version, as numbers without trailing zeros.

    >>> numbers("3.0.1rc1"), numbers("3.0") == numbers("3")
    ([3, 0, 1], True)
    """
    release = [int(part) for part in re.match(r"\d*(?:\.\d+)*", text)[0].split(".") if part]  # type: ignore[index]
    while release and not release[-1]:
        release.pop()
    return release


def outputs_line(folder: Path) -> Line:
    """Whether a file can be written where runs are kept, or where that folder would be made."""
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        because = f"{printable(str(folder))} cannot be written: {(error.strerror or 'no reason was given').lower()}"
        return OUTPUTS.line("missing", because, advice="give --outputs DIR, a folder that can be written to")
    there = "can be written" if folder.exists() else "can be made by the first run"
    return OUTPUTS.line("ok", f"{printable(str(folder))} {there}")
