"""Each text rule finds its own examples and leaves its negatives alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from secretscan.detect import plugins
from secretscan.detect.assignments import Syntax
from secretscan.detect.catalog import render
from secretscan.detect.ruleset import Rule, compiled, load
from secretscan.detect.text import TextRules

RULES = load()
Expand = Callable[[str], str]


def _cases(name: str) -> list[object]:
    return [
        pytest.param(rule, text, id=f"{rule.id}-{number}")
        for rule in RULES
        for number, text in enumerate(getattr(rule, name))
    ]


@pytest.mark.parametrize(("rule", "text"), _cases("examples"))
def test_example_is_found(rule: Rule, text: str, expand: Expand) -> None:
    for around in ("{}", "\n# x\n{}\n", "  {} "):
        data = around.replace("{}", expand(text)).encode()
        found = TextRules().find(data, Syntax.SETTINGS)
        assert rule.id in {hit.rule.id for hit in found}
        assert len({hit.span for hit in found}) == len(found)


@pytest.mark.parametrize(("rule", "text"), _cases("negatives"))
def test_negative_is_not_found(rule: Rule, text: str, expand: Expand) -> None:
    found = TextRules().find(expand(text).encode(), Syntax.SETTINGS)
    assert rule.id not in {hit.rule.id for hit in found}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_complete(rule: Rule) -> None:
    assert rule.triggers
    assert bool(rule.pattern) + bool(rule.plugin) + bool(rule.reader) == 1
    assert rule.description.endswith(".")
    assert rule.source
    assert rule.kind in ("password", "token", "api-key", "private-key", "connection-string", "registry", "other")
    assert rule.confidence in ("high", "medium", "low")
    assert rule.scope in ("any", "text", "free")
    if rule.pattern:
        assert "secret" in compiled(rule.pattern).groupindex
        assert rule.examples
        assert rule.negatives
    if rule.plugin:
        assert rule.plugin in plugins.MODULES


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_page_lists_these_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "rules.md"
    assert page.read_text("utf-8") == render(), "run: python -m secretscan.detect.catalog > docs/rules.md"
