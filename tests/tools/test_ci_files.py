"""The published schemas of CI files and Compose, and actionlint: what was right before the rewrite is right after it.

Sources: the schemas that check-jsonschema ships; actionlint's documentation.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest
from tools.bench import SIDES, Bench, Case, cases

import rewriters

WORKFLOW = re.compile(r"(?:.*/)?\.github/workflows/[^/]+\.ya?ml\Z")
ACTION = re.compile(r"(?:.*/)?action\.ya?ml\Z")

SCHEMAS = {
    "github-workflows": ("githubactions", WORKFLOW, ()),
    "github-actions": ("githubactions", ACTION, ()),
    "gitlab-ci": ("gitlabci", None, ("--data-transform", "gitlab-ci")),
    "azure-pipelines": (
        "azurepipelines",
        None,
        ("--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"),
    ),
    "compose-spec": ("compose", None, ()),
}
"""Of each schema: the platform whose files it is for, which of them, and options that read its own YAML tags."""

WRONG_BEFORE = {
    "compose": {"compose/format-one"},  # Compose's first format has no `services`
    "githubactions": {"githubactions/action"},  # an action without a description, which GitHub runs all the same
}
"""Cases that the schemas do not take as they come."""


@cache
def found(platform: str) -> list[Case]:
    return cases(platform, *(["dotenv", "dockerfile", "bake"] if platform == "compose" else []))


def mine(case: Case, platform: str, pattern: re.Pattern[str] | None) -> list[str]:
    """The files of a case that a schema is for. Those that no rewriter can read are none of its."""
    rewriter = rewriters.by_name(platform)
    paths = [path for path, data in case.before.items() if rewriter.claims(path, data[: rewriters.HEAD])]
    return [path for path in paths if pattern is None or pattern.match(path)]


@pytest.mark.parametrize("schema", [name for name, (platform, *_) in SCHEMAS.items() if platform in rewriters.names()])
def test_rewritten_files_keep_to_the_published_schema(bench: Bench, schema: str) -> None:
    platform, pattern, options = SCHEMAS[schema]
    files: dict[str, list[str]] = {side: [] for side in SIDES}
    for case in found(platform):
        for side in SIDES:
            place = bench.lay(case.files(side), f"{side}/{case}")
            files[side] += [str(place / path) for path in mine(case, platform, pattern)]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *options]
    assert len(files["after"]) > 1, "no file to look at"
    wrong = {}
    for side in SIDES:
        done = bench.run([*command, "--output-format", "json", *files[side]])
        report = json.loads(done.stdout)
        assert not report.get("parse_errors"), report["parse_errors"]
        problems = {Path(error["filename"]).relative_to(bench.folder / side) for error in report["errors"]}
        wrong[side] = {"/".join(path.parts[:2]) for path in problems}
    assert wrong["before"] <= WRONG_BEFORE.get(platform, set()), "an odd case: say why it is one"
    assert wrong["after"] <= wrong["before"]


def test_actionlint_has_no_new_complaint(bench: Bench) -> None:
    """The types of expressions, the inputs of actions, and the contexts that a place may use."""
    command = [bench.program("actionlint"), "-shellcheck=", "-pyflakes=", "-format", "{{json .}}"]
    seen = 0
    for case in cases("githubactions"):
        said: dict[str, set[tuple[str, str]]] = {}
        for side in SIDES:
            place = bench.lay(case.files(side), f"{side}/{case}")
            paths = mine(case, "githubactions", WORKFLOW)
            seen += len(paths)
            complaints = json.loads(bench.run([*command, *paths], place).stdout) if paths else []
            said[side] = {(one["kind"], one["message"]) for one in complaints}
        assert {kind for kind, _ in said["before"]} <= {"credentials"}, f"{case}: an odd case"
        assert said["after"] <= said["before"], case
    assert seen > 10
