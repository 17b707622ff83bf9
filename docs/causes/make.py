"""Write a page for each cause from the docstring of its rule, and their table: `make causes`."""

from __future__ import annotations

import inspect
from pathlib import Path

from incident.causes import CAUSES
from incident.causes.rules import Rule

HERE = Path(__file__).parent
PARTS = ("Reads", "Says failed", "Ruled out by", "Cannot tell", "To mend it")
"""What every rule's docstring says, a paragraph each, in this order."""

HEAD = """# Causes

What the suite can find, each judged by a rule of its own from the frames that it reads. A cause is `failed` (found),
`uncertain` (it could not be decided, and what would settle it is said), `ok` (looked for with enough evidence, and not
there) or `skipped` (it does not apply). The pages are made from the rules' own docstrings by `make causes`.

| cause | what it is | reads |
|---|---|---|
"""


def main() -> None:
    """Write every page beside this file, and remove those whose cause is gone."""
    pages = {f"{rule.name}.md": page(rule) for rule in CAUSES} | {"README.md": table()}
    for old in set(HERE.glob("*.md")) - {HERE / name for name in pages}:
        old.unlink()
    for name, text in pages.items():
        (HERE / name).write_text(text, encoding="utf-8")


def table() -> str:
    """The table of all causes."""
    rows = (f"| [`{rule.name}`]({rule.name}.md) | {meaning(rule)} | {frames(rule)} |\n" for rule in CAUSES)
    return HEAD + "".join(rows)


def page(rule: Rule) -> str:
    """One cause's page."""
    parts = "\n\n".join(f"**{name}.** {text}" for name, text in paragraphs(rule).items())
    return f"# {rule.name}\n\n{meaning(rule)}\n\n{parts}\n\n**Frames.** {frames(rule)}\n"


def meaning(rule: Rule) -> str:
    """What a cause is, in a sentence."""
    return inspect.cleandoc(rule.judge.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def paragraphs(rule: Rule) -> dict[str, str]:
    """The parts of a rule's docstring by their names; a `ValueError` says which one is missing or out of place."""
    found = {}
    for paragraph in inspect.cleandoc(rule.judge.__doc__ or "").split("\n\n")[1:]:
        name, _, text = paragraph.partition(": ")
        found[name] = text
    if tuple(found) != PARTS:
        raise ValueError(f"the docstring of {rule.name} has {', '.join(found)}: give {', '.join(PARTS)}")
    return {name: text[:1].upper() + text[1:] for name, text in found.items()}


def frames(rule: Rule) -> str:
    """The frames that a rule reads."""
    return ", ".join(f"`{name}`" for name in rule.reads)


if __name__ == "__main__":
    main()
