"""Which lets end-to-end tests in, a header or the environment, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from incident.sentences.words import Sentence, capitalised, safe

if TYPE_CHECKING:
    from incident.analysis.detection import Detection

LEADS: Final = {
    "header": "The header decides",
    "environment": "The environment decides, not a header",
    "neither": "Neither a header nor the environment lets a test in",
    "nothing": "Nothing decides: everybody is let in",
    "unknown": "Not decided whether a header or the environment lets tests in",
}


def which_decides(found: Detection) -> Sentence:
    """Which of the two decides, by which handshakes and variables, then what to know beside it.

    >>> from incident.analysis.detection import Detection
    >>> which_decides(Detection("neither", "every handshake was refused, with a test header and without"))
    Neither a header nor the environment lets a test in: every handshake was refused, with a test header and without.
    """
    lines = [f"{LEADS[found.decides]}: {found.because}.", *(f"{capitalised(note)}." for note in found.notes)]
    return Sentence("\n".join(map(safe, lines)))
