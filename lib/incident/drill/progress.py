"""How far a drill has come, on standard error: a bar on a terminal, a line a step elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm


class Progress:
    """Counts `steps` steps on `stream`."""

    def __init__(self, steps: int, stream: TextIO) -> None:
        layout = "{n_fmt}/{total_fmt} |{bar:20}| {elapsed} {desc}"
        self._stream, self._steps, self._begun = stream, steps, 0
        self._bar = tqdm(total=steps, file=stream, bar_format=layout, leave=False) if stream.isatty() else None

    @contextmanager
    def step(self, words: str, *, shares_terminal: bool = False) -> Iterator[None]:
        """Say what is done now, and count it when it is done.

        With `shares_terminal` the bar makes room: what is done writes to the terminal by itself.
        """
        self._begun += 1
        if self._bar is None or shares_terminal:
            self._clear()
            print(f"[{self._begun}/{self._steps}] {words}", file=self._stream, flush=True)
        else:
            self._bar.set_description_str(words)
        yield
        if self._bar is not None:
            self._bar.update(1)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def _clear(self) -> None:
        if self._bar is not None:
            self._bar.clear()
