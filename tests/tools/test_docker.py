"""BuildKit and buildx themselves: what they make of Dockerfiles and Bake files before the rewrite and after it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tools.bench import Bench, Case, cases

import rewriters
from rewriters import by_name

_PLAIN = re.compile(r"""["'\\]|\s+""")


def dockerfiles(case: Case) -> list[str]:
    claims = by_name("dockerfile").claims
    return [path for path, data in case.before.items() if claims(path, data[: rewriters.HEAD])]


def pairs(items: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (item.partition("=") for item in items or ())}


def filled(text: str, values: Mapping[str, str]) -> str:
    """A command with the values of its secrets put in, without quotes and the spaces between its words."""
    for name, value in values.items():
        text = re.sub(rf"\$(?:{name}\b|\{{{name}\}})", lambda _, value=value: value, text)
    return _PLAIN.sub(" ", text).replace(" ", "")


def moved_variables(case: Case) -> set[str]:
    """Variables and arguments that the case takes out of its Dockerfiles."""
    return {move.pointer.split(".")[-1] for move in case.facts.move if {"ENV", "ARG"} & set(move.pointer.split("."))}


def stages(bench: Bench, case: Case) -> Iterator[tuple[str, Any, Any]]:
    """Each stage of each Dockerfile, as BuildKit has it before and after."""
    read = {}
    for side in ("before", "after"):
        place = bench.lay(case.files(side), side)
        read[side] = bench.asked(bench.program("dockerfile"), *dockerfiles(case), place=place)
    for path, before in read["before"].items():
        after = read["after"][path]
        assert "error" not in after or "error" in before, f"{path}: BuildKit read it before: {after['error']}"
        assert [one["name"] for one in before.get("stages", ())] == [one["name"] for one in after.get("stages", ())]
        both = list(zip(before.get("stages", ()), after.get("stages", ()), strict=True))
        for old, new in both:
            yield f"{path} {old['name']}", old, new | {"last": new is both[-1][1]}


@pytest.mark.parametrize(
    "case", [case for case in cases("dockerfile", "bake", "compose") if dockerfiles(case)], ids=str
)
def test_buildkit_builds_with_the_same_environment(bench: Bench, case: Case) -> None:
    bench.store(case)
    secrets = bench.secrets(case)
    deployed = {need.name: secrets[need.secret] for need in case.facts.requires_out if need.kind == "runtime-variable"}
    moved = moved_variables(case)
    for name, old, new in stages(bench, case):
        same_image(name, old["config"], new["config"], deployed, set() if new["last"] else moved)
        assert len(old["runs"]) == len(new["runs"]), name
        for before, after in zip(old["runs"], new["runs"], strict=True):
            same_command(name, before, after, secrets, moved)


def same_image(
    name: str, old: dict[str, Any], new: dict[str, Any], deployed: Mapping[str, str], build_only: set[str]
) -> None:
    """The image's own variables and commands: what it no longer sets is set by whoever runs it, if somebody does."""
    was, now = pairs(old.pop("Env")), pairs(new.pop("Env"))
    was = {key: value for key, value in was.items() if key in now or key not in build_only}
    assert was == now | {key: value for key, value in deployed.items() if key in was}, name
    for key in ("Cmd", "Entrypoint"):
        texts = [filled("\0".join(config.pop(key, None) or ()), was | dict(deployed)) for config in (old, new)]
        assert texts[0] == texts[1], f"{name} {key}"
    checks = [config.pop("Healthcheck", None) or {} for config in (old, new)]
    texts = [filled("\0".join(check.pop("Test", ())), was | dict(deployed)) for check in checks]
    assert texts[0] == texts[1], f"{name}: health check"
    assert checks[0] == checks[1], f"{name}: health check"
    assert old == new, name


def same_command(
    name: str, before: dict[str, Any], after: dict[str, Any], secrets: Mapping[str, str], moved: set[str]
) -> None:
    """One RUN: its environment with the secrets that it mounts, and its words with their values."""
    was, now = pairs(before["env"]), pairs(after["env"])
    mounted = {one["env"]: secrets[one["id"]] for one in after["secrets"] if one["id"] in secrets and one["env"]}
    assert all(one["required"] for one in after["secrets"] if one["id"] in secrets), f"{name}: it may silently be empty"
    text = " ".join(after["args"])
    for key, value in was.items():
        if key in moved and key not in now and key not in mounted:
            assert not re.search(rf"\${key}\b|\${{{key}\b", text), f"{name}: {key} is used, and no longer there"
        else:
            assert (now | mounted).get(key) == value, f"{name}: another {key}"
    assert filled("\0".join(before["args"]), was) == filled("\0".join(after["args"]), now | mounted), name
    assert all(one in after["secrets"] for one in before["secrets"]), f"{name}: a secret is gone"
    new = [one for one in after["secrets"] if one not in before["secrets"]]
    assert all(one["id"] in secrets for one in new), f"{name}: another secret"


@pytest.mark.parametrize("case", cases("bake"), ids=str)
def test_buildx_hands_builds_the_same(bench: Bench, case: Case) -> None:
    """The targets as buildx resolves them, with the variables that the fetch script reads from the vault."""
    bench.store(case)
    read: dict[str, Any] = {}
    for side in ("before", "after"):
        place = bench.lay(case.files(side), side)
        files = sorted(path for path in place.iterdir() if path.name.startswith("docker-bake"))
        # An override is read last, as buildx does.
        files.sort(key=lambda path: ".override." in path.name)
        done = bench.run([bench.program("bake"), *files], place, bench.fetched(place))
        if done.returncode and side == "before":
            assert case.before == case.after, done.stderr.decode()
            return
        assert done.returncode == 0, done.stderr.decode()
        read[side] = json.loads(done.stdout), bench.fetched(place)
    (before, _), (after, env) = read["before"], read["after"]
    assert before.keys() == after.keys()
    for name in before:
        same_target(name, before[name], after[name], env)


def same_target(name: str, before: dict[str, Any], after: dict[str, Any], env: Mapping[str, str]) -> None:
    """A target of buildx. What was an argument may be a secret of the build instead."""
    had, has = before.pop("secret", []), after.pop("secret", [])
    given = {env[secret["env"]] for secret in has if secret not in had}
    was, now = before.pop("args", {}), after.pop("args", {})
    assert now.items() <= was.items(), name
    assert {value for key, value in was.items() if key not in now} <= given, name
    assert all(secret in has for secret in had), name
    assert before == after, name
