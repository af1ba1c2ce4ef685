"""Patterns of paths: against a slow reading of what they mean, and in bounded time."""

from __future__ import annotations

import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretscan.plan.share import Share, fault

ONE, TWO = "https://one.vault.azure.net", "https://two.vault.azure.net"


def fits(pattern: str, path: str) -> bool:
    return Share(ONE, ((pattern, TWO),)).of(path) == TWO


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("deploy/prod/**", "deploy/prod/api/compose.yaml", True),
        ("deploy/prod", "deploy/prod/api/compose.yaml", True),
        ("deploy/prod/", "deploy/prod/compose.yaml", True),
        ("deploy/prod", "deploy/production/compose.yaml", False),
        ("deploy/prod*", "deploy/production/compose.yaml", True),
        ("**/prod/**", "prod/compose.yaml", True),
        ("**/prod/**", "a/b/prod/compose.yaml", True),
        ("**/*.prod.yaml", "a/b/values.prod.yaml", True),
        ("**/*.prod.yaml", "values.prod.yaml", True),
        ("*.prod.yaml", "a/values.prod.yaml", False),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/b/b/c", False),
        ("a/**/c", "a/c", True),
        ("a/?/c", "a/b/c", True),
        ("a/?/c", "a/bb/c", False),
        ("a.yaml", "aXyaml", False),
        ("[ab].yaml", "a.yaml", False),
        ("Prod", "prod", False),
    ],
)
def test_what_patterns_mean(pattern: str, path: str, expected: bool) -> None:
    assert fits(pattern, path) is expected


def test_the_first_that_fits_decides() -> None:
    share = Share(ONE, (("prod/test", ONE), ("prod", TWO)))
    assert share.of("prod/test/a") == ONE
    assert share.of("prod/a") == TWO
    assert share.urls() == (ONE, TWO)


@given(
    st.lists(st.sampled_from(["**", "*", "a", "ab", "a*", "*b", "?", "a?b", "*a*"]), min_size=1, max_size=5),
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_as_a_slow_reading_says(pattern: list[str], steps: list[str]) -> None:
    @cache
    def text(p: str, t: str) -> bool:
        if not p:
            return not t
        if p[0] == "*":
            return text(p[1:], t) or bool(t and text(p, t[1:]))
        return bool(t) and p[0] in ("?", t[0]) and text(p[1:], t[1:])

    def way(p: tuple[str, ...], s: tuple[str, ...]) -> bool:
        if not p:
            return True
        if p[0] == "**":
            return way(p[1:], s) or bool(s and way(p, s[1:]))
        return bool(s) and text(p[0], s[0]) and way(p[1:], s[1:])

    assert fits("/".join(pattern), "/".join(steps)) is way(tuple(pattern), tuple(steps))


def test_no_pattern_takes_long() -> None:
    started = time.process_time()
    assert not fits("*a" * 200 + "b", "a" * 4000)
    assert not fits("/".join(["**", "*"] * 100 + ["b"]), "/".join("a" * 300))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("pattern", ["", "/", "/a", "../a", "a/../b", "./a"])
def test_what_is_no_pattern(pattern: str) -> None:
    assert fault(pattern)
