"""The text rules, as data: `rules/*.toml`, one table `[[rule]]` each. docs/rules.md lists them.

A rule says by what its candidates are looked for and what confirms one:

- `literals` (texts, whatever their case) or `triggers` (regular expressions with an end of fixed width, without
  look-around): the engine looks for all of them at once over raw bytes.
- `pattern`, a regular expression whose group `secret` is the credential, run on a few hundred bytes around a candidate;
  or `plugin`, the name of a detect-secrets class that says it; or `reader`, a function of ours in `text`.

`back` and `reach` bound the window: so many bytes before and after the end of what the engine found. `distinct` is how
many different characters the credential has at least. `scope` says where a rule is of use: `any` bytes, `text` (not
in binary files), or `free` text only, which no platform claims.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, cast

from secretscan.model import Confidence, Kind

__all__ = ["MOST_BACK", "MOST_REACH", "Rule", "compiled", "load"]

MOST_BACK = 1024
MOST_REACH = 8192
"""Bounds of `back` and `reach` in bytes: windows of a large file overlap by as much."""

Scope = Literal["any", "text", "free"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `examples` and `negatives` are texts with generators in braces (tests/detect says which)."""

    id: str
    kind: Kind
    confidence: Confidence
    description: str
    source: str
    triggers: tuple[bytes, ...]
    pattern: bytes = b""
    plugin: str = ""
    reader: str = ""
    needs: tuple[bytes, ...] = ()
    """Texts in small letters of which one at least is in the window: asked before the regular expression is."""
    back: int = 96
    reach: int = 512
    distinct: int = 6
    scope: Scope = "text"
    generic: bool = False
    """Whether the rule knows no vendor's form, so that its candidates are judged by their names and looks."""
    weak: bool = False
    """Whether a guessable value is believed, as in a connection string; elsewhere it would be an example."""
    random: bool = False
    """Whether the value has to look generated."""
    multiple: bool = False
    """Whether there may be several credentials in one window of a candidate."""
    examples: tuple[str, ...] = field(default=(), repr=False)
    negatives: tuple[str, ...] = field(default=(), repr=False)


@cache
def compiled(pattern: bytes) -> re.Pattern[bytes]:
    """The regular expression of a rule. Most files need few, and compiling all takes longer than reading a file."""
    return re.compile(pattern)


@cache
def load() -> tuple[Rule, ...]:
    """All rules, by file and place in it."""
    import tomllib
    from importlib.resources import files

    rules: list[Rule] = []
    folder = files(__package__) / "rules"
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".toml"):
            rules += map(_rule, tomllib.loads(entry.read_text("utf-8"))["rule"])
    return tuple(rules)


def _rule(table: dict[str, object]) -> Rule:
    literals = cast(list[str], table.pop("literals", []))
    triggers = cast(list[str], table.pop("triggers", []))
    pattern = cast(str, table.pop("pattern", ""))
    for name in ("examples", "negatives"):
        table[name] = tuple(cast(list[str], table.get(name, [])))
    needs = cast(list[str], table.pop("needs", []))
    rule = Rule(
        needs=tuple(need.encode() for need in needs),
        triggers=(*(re.escape(literal).encode() for literal in literals), *(trigger.encode() for trigger in triggers)),
        pattern=pattern.encode(),
        **cast(dict[str, str], table),  # type: ignore[arg-type]  # the tests check every field of every rule
    )
    if rule.back > MOST_BACK or rule.reach > MOST_REACH:
        raise ValueError(f"rule {rule.id}: its window is too large")
    return rule
