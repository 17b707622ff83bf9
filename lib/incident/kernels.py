"""One notebook run by papermill in a kernel of this interpreter, and what of it ran.

Decides whether a notebook finished: from the exception, and from its cells, since papermill's own metadata says
`completed` after a timeout, a dead kernel and `sys.exit(0)` alike. A kernel may be started while something else is
waited for. Nothing is written to disk here: what a notebook holds has yet to be redacted. Cannot tell: whether what a
cell printed is right.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

CELL_TIMEOUT_SECONDS = 300
KERNEL_NAME = "python3"
ENGINE = "incident"
JOIN_SECONDS = 5.0

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Executed:
    """A notebook as nbformat 4 after its run, not redacted; `problem` says why it did not finish, None if it did."""

    notebook: Any
    problem: str | None


def in_background(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """The future result of a call in a thread of its own.

    Signals reach the main thread alone, so that an interruption lands where it is waited for, and in no library.
    """
    future: Future[T] = Future()

    def settle() -> None:
        try:
            future.set_result(call(*args, **kwargs))
        except BaseException as error:  # handed to who asks for the result
            future.set_exception(error)

    Thread(target=settle, daemon=True).start()
    return future


class Kernels:
    """The kernels of one run, each the leader of a process group; none outlives the `with` block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._running: list[AsyncKernelManager] = []
        self._closed = False

    def __enter__(self) -> Kernels:
        """The kernels, none yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End every kernel, also one that is being started in another thread right now."""
        with self._lock:
            self._closed = True
            for manager in self._running:
                _end(manager)
            self._running.clear()

    def start(self) -> AsyncKernelManager:
        """A new kernel of this very interpreter, whatever kernels the user has installed; quiet, without a history."""
        manager = AsyncKernelManager(kernel_name=KERNEL_NAME, kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        with self._lock:
            if self._closed:
                raise RuntimeError("no kernel is started once the run has ended")
            run_sync(manager.start_kernel)(
                extra_arguments=["--HistoryManager.enabled=False"],  # it would keep parameters in the home folder
                cwd=str(self._folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self._running.append(manager)
        return manager

    def end(self, manager: AsyncKernelManager) -> None:
        """End one kernel and what it started."""
        with self._lock:
            if manager in self._running:
                self._running.remove(manager)
                _end(manager)


def _end(manager: AsyncKernelManager) -> None:
    """Kill a kernel's process group, wait for its leader, and remove the file with its connection's key."""
    if (provisioner := manager.provisioner) is not None and (process := getattr(provisioner, "process", None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the kernel leads a session of its own
        process.wait()
    manager.cleanup_connection_file()


def execute(
    path: Path, parameters: Mapping[str, str], kernels: Kernels, kernel: AsyncKernelManager,
    timeout: float = CELL_TIMEOUT_SECONDS,
) -> Executed:  # fmt: skip
    """Run a notebook's cells in `kernel`, which ends with it; `timeout` is in seconds, for each cell.

    Whatever the cells do, the notebook comes back as far as it ran.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    _register_engine()
    source = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    ran: list[Any] = []
    problem = None
    try:
        papermill.execute_notebook(
            source, None, dict(parameters), engine_name=ENGINE, kernel_name=KERNEL_NAME, km=kernel, ran=ran,
            execution_timeout=timeout, progress_bar=False,
        )  # fmt: skip
    except PapermillExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    except CellTimeoutError:
        problem = f"a cell ran for more than {timeout:g} s"
    except DeadKernelError:
        problem = "its kernel died"
    finally:
        kernels.end(kernel)
    return Executed(ran[0] if ran else source, problem or unfinished(ran[0]))


def unfinished(notebook: Any) -> str | None:
    """Why a notebook that raised nothing is not finished all the same: `sys.exit(0)` ends it in silence.

    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> unfinished(new_notebook(cells=[new_code_cell("print(1)")]))
    '1 of 1 code cells did not run'
    >>> unfinished(new_notebook(cells=[new_code_cell("print(1)", execution_count=1)]))
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and _is_due(cell)]
    missed = sum(cell.execution_count is None for cell in cells)
    exits = [out for cell in cells for out in cell.outputs if out.output_type == "error"]
    if missed or exits:
        after = f" after {exits[0].ename}" if exits else ""
        return f"{missed} of {len(cells)} code cells did not run{after}"
    return None


def _is_due(cell: Any) -> bool:
    return bool(cell.source.strip()) and "skip-execution" not in cell.metadata.get("tags", [])


def _register_engine() -> None:
    """Make known to papermill an engine that takes a kernel which runs already, and hands out the notebook.

    An exception would keep the notebook otherwise; and nbclient ends no kernel that it did not start, nor its channels.
    """
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines

    class StartedKernel(Engine):  # type: ignore[misc]  # papermill has no types
        @classmethod
        def execute_managed_notebook(
            cls, nb_man: Any, kernel_name: str, *, km: AsyncKernelManager, ran: list[Any], start_timeout: int,
            execution_timeout: float, **options: Any,
        ) -> None:  # fmt: skip
            ran.append(nb_man.nb)
            PapermillNotebookClient(
                nb_man, km=km, kernel_name=kernel_name, timeout=execution_timeout, startup_timeout=start_timeout,
                shutdown_kernel="immediate", log=logging.getLogger("papermill"),
            ).execute(cleanup_kc=True)  # fmt: skip

    papermill_engines.register(ENGINE, StartedKernel)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what papermill and Jupyter log from people: what matters of it is said as a gap."""
    loggers = [logging.getLogger(name) for name in ("papermill", "traitlets")]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
