"""A log bucket's linked BigQuery dataset by name, and bytes as people write them.

Decides: which names may stand in SQL. Reads text alone. Cannot tell: whether there is such a dataset.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from incident.findings import UsageError
from incident.scope import PROJECT

LINKED: Final = re.compile(rf"analytics:({PROJECT})\.([A-Za-z0-9_]{{1,1024}})")
VIEW: Final = "_AllLogs"
UNITS: Final = {"": 1} | {
    f"{prefix}{unit}": base**power
    for power, prefix in enumerate("KMGT", 1)
    for unit, base in (("B", 1000), ("iB", 1024))
}


@dataclass(frozen=True)
class Linked:
    """A linked dataset, by names that may stand in SQL.

    >>> Linked.of("analytics:my-project.chat_logs").table
    '`my-project.chat_logs._AllLogs`'
    """

    project: str
    dataset: str

    @classmethod
    def of(cls, source: str) -> Linked:
        """The dataset that a source names; any other form is a `UsageError`."""
        if found := LINKED.fullmatch(source):
            return cls(found[1], found[2])
        raise UsageError(
            f"parameter 'source' is {source!r}: name a log bucket's linked dataset as analytics:PROJECT.DATASET, "
            "the dataset's name being letters, digits and _"
        )

    @property
    def view(self) -> str:
        """The name of its view."""
        return f"{self.project}.{self.dataset}.{VIEW}"

    @property
    def table(self) -> str:
        """Its view as SQL names it."""
        return f"`{self.view}`"


def bytes_of(text: str) -> int:
    """A number of bytes, plain or with a unit; the form has been checked.

    >>> bytes_of("10GB"), bytes_of("1GiB"), bytes_of("500")
    (10000000000, 1073741824, 500)
    """
    digits = re.match(r"\d+", text)
    assert digits is not None
    unit: int = UNITS[text[digits.end() :]]
    return int(digits[0]) * unit


def in_words(number: int) -> str:
    """Bytes in a unit that a person reads and `bytes_of` takes, rounded up.

    >>> in_words(12_345_678_901), in_words(999)
    ('12.4GB', '999 bytes')
    """
    unit = next((unit for unit in ("TB", "GB", "MB", "KB") if number >= UNITS[unit]), "")
    return f"{math.ceil(number / UNITS[unit] * 10) / 10:g}{unit}" if unit else f"{number} bytes"


def enough(number: int) -> str:
    """The bound to give for so many bytes, a whole number of a unit.

    >>> enough(12_345_678_901), enough(1_500_000), enough(10)
    ('13GB', '1500KB', '10')
    """
    unit = next((unit for unit in ("TB", "GB", "MB", "KB") if number >= 10 * UNITS[unit]), "")
    unit = {"": "KB" if number >= UNITS["KB"] else ""}.get(unit, unit)
    return f"{math.ceil(number / UNITS[unit])}{unit}"
