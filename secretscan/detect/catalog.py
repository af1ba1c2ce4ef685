"""The rules as a page for people: `python -m secretscan.detect.catalog` prints docs/rules.md."""

from __future__ import annotations

import sys

from secretscan.detect.ruleset import Rule, load
from secretscan.detect.secret_file import RULE as SECRET_FILE

__all__ = ["describe", "render"]

_HEAD = """# Rules

Made from `secretscan/detect/rules/*.toml` by `python -m secretscan.detect.catalog`; a test compares the two.

A finding's `rule` is one of these. How they are used is in [detection.md](detection.md).

## By name and place

| rule | kind | confidence | what |
| --- | --- | --- | --- |
"""

_BY_NAME = (
    ("credential-by-name", "high or medium", "A slot whose name says credential and whose value bears it out."),
    ("secret-data", "high or medium", "A value in a place that the platform keeps for secret values."),
    ("registry-credential", "high or medium", "A credential of an image registry, in its own place."),
    ("storage-key", "high or medium", "The key of a storage volume."),
    ("default-of-variable", "high or medium", "The default of `${NAME:-default}`, in force where NAME is not set."),
    (SECRET_FILE.id, SECRET_FILE.confidence, SECRET_FILE.description),
)

_MOVED = "A place that a plan moved whole, around a credential."

_SCOPES = {"any": "everywhere", "text": "text files", "free": "text that no platform reads"}


def render() -> str:
    """The page, with a line break at its end."""
    lines = [f"| `{name}` | by the name | {confidence} | {what} |" for name, confidence, what in _BY_NAME]
    lines += ["", "## By text", ""]
    lines += ["| rule | kind | confidence | where | what |", "| --- | --- | --- | --- | --- |"]
    lines += map(_row, load())
    return _HEAD + "\n".join(lines) + "\n"


def describe(rule: str) -> str:
    """What a finding's rule says, as a sentence; empty for one that is not ours."""
    known = (
        {"plan": _MOVED} | {name: what for name, _, what in _BY_NAME} | {each.id: each.description for each in load()}
    )
    return known.get(rule, "")


def _row(rule: Rule) -> str:
    kind = "by the name" if rule.reader == "assignment" else rule.kind
    what = f"{rule.description} Source: {rule.source}."
    return f"| `{rule.id}` | {kind} | {rule.confidence} | {_SCOPES[rule.scope]} | {what} |"


if __name__ == "__main__":
    sys.stdout.write(render())
