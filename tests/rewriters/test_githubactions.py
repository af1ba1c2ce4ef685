"""Workflows and actions: what is claimed, which places there are, how files of any style get their steps."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Slot, Span, Unreadable, githubactions
from rewriters._encode import decode
from rewriters._githubactions_fetch import Fetched, fetched, script
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
PATH = ".github/workflows/deploy.yml"
WORKFLOW = """on: push
permissions:
  contents: read
jobs:
  release:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - env:
          TOKEN: {value}
        run: deploy
"""
TOKEN = "jobs.release.steps.1.env.TOKEN"


def slots(text: str | bytes, path: str = PATH) -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = githubactions.slots(path, data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
    return {slot.pointer: slot for slot in found}


def move(text: str, *pointers: str, part: bytes = b"") -> Report:
    found = slots(text)
    items = []
    for number, pointer in enumerate(pointers):
        at = found[pointer].value.reveal().find(part)
        span = Span(at, at + len(part)) if part else None
        items.append(Assignment(found[pointer], Reference(VAULT, f"secret-{number}"), span))
    report = check(githubactions, {PATH: text.encode()}, items)
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["githubactions"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------


def test_claims_workflows_and_actions() -> None:
    assert githubactions.claims(".github/workflows/a.yml", b"")
    assert githubactions.claims("shop/.github/workflows/a.yaml", b"x")
    assert githubactions.claims("action.yml", b"\xef\xbb\xbfname: a\nruns:\n  using: composite\n")
    assert githubactions.claims(".github/actions/deploy/action.yaml", b"inputs:\n  a: {}\nruns: {}\n")


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/a.json",
        ".github/dependabot.yml",
        "workflows/a.yml",
        ".github/workflows/x/a.yml",
        "reaction.yml",
    ],
)
def test_leaves_other_files_alone(path: str) -> None:
    assert not githubactions.claims(path, b"runs: {}\n")


def test_an_action_says_that_it_is_one() -> None:
    assert not githubactions.claims("action.yml", b"kind: Action\nspec: {}\n")


# --- slots ------------------------------------------------------------------------------------------------------------


def test_places_that_take_nothing_say_why() -> None:
    text = WORKFLOW.format(value="x") + "    services:\n      db: {image: a, env: {P: b}}\n"
    found = slots(text)
    assert found["jobs.release.services.db.env.P"].reason
    assert found[TOKEN].targets == ("expression",)
    assert found["jobs.release.steps.1.run"].interpolates


@pytest.mark.parametrize("number", ["0777", "1e3", "1.10", "0x1F", "yes", "2024-01-01"])
def test_what_yaml_spells_anew_has_to_be_quoted_first(number: str) -> None:
    assert bool(slots(WORKFLOW.format(value=number))[TOKEN].targets) == (number == "yes")
    assert slots(WORKFLOW.format(value=f"'{number}'"))[TOKEN].targets


@pytest.mark.parametrize("text", ["a: [", "- a", "jobs: 1", "name: x", "on: push\njobs: {}\n---\na: 1\n", ""])
def test_what_is_no_workflow_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        githubactions.slots(PATH, text.encode())


def test_bounds() -> None:
    with pytest.raises(Unreadable):
        githubactions.slots(PATH, b"jobs: " + b"[" * 10_000)
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = "a0: &a0 [x]\n" + laughs + WORKFLOW.format(value="x")
    assert TOKEN in slots(text)
    assert githubactions.effective({PATH: text.encode()}, lambda reference: slots(text)[TOKEN].value)


# --- rewriting --------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[],&*!|>%@`-?~$=é🦊\n", min_size=1, max_size=24).filter(
    lambda text: text.strip()
)
STYLES = (None, "'", '"', "|", ">")
HEADS = (
    "", "permissions: write-all\n", "permissions: {contents: read}\n", "permissions:\n  id-token: none # not yet\n",
    "env:\n  A: b\n  # remark\n  C: d\n",
)  # fmt: skip


def dumped(value: str, style: str | None, place: str) -> str:
    """A workflow with the value at a place, as PyYAML writes it."""
    job = {"runs-on": "ubuntu-latest", "steps": [{"uses": "actions/checkout@v4"}, {"run": "deploy", "env": {"B": "c"}}]}
    tree: dict[str, object] = {"jobs": {"release": job}}
    if place == "job":
        job["env"] = {"BEFORE": "1", "TOKEN": value}
    elif place == "with":
        job["steps"] = [{"uses": "some/action@v1", "with": {"before": "1", "TOKEN": value}}]
    elif place == "workflow":
        tree = {"env": {"TOKEN": value}, **tree}
    else:
        job["steps"] = [{"uses": "actions/checkout@v4"}, {"env": {"TOKEN": value, "AFTER": "2"}, "run": "deploy"}]

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style if text == value else None)

    Dumper.add_representer(str, represent)
    return str(yaml.dump(tree, Dumper=Dumper, allow_unicode=True, width=60, sort_keys=False))


@given(
    TEXTS, st.sampled_from(STYLES), st.sampled_from(["job", "with", "workflow", "step"]), st.sampled_from(HEADS),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_values_of_any_style_become_references(
    value: str, style: str | None, place: str, head: str, crlf: bool, bom: bool
) -> None:
    value = f"S3cr{value}"
    text = dumped(value, style, place)
    if not (place == "workflow" and head.startswith("env")):
        text = head + text
    text = "# remark é\n" + text
    if crlf:
        text = text.replace("\n", "\r\n")
    text = "\ufeff" * bom + text
    pointer = next(name for name, slot in slots(text).items() if slot.key == "TOKEN")
    if "${{" in value:
        return
    report = move(text, pointer)
    assert not refusals(report)
    after = yaml.safe_load(report.after[PATH].decode("utf-8-sig"))
    steps = after["jobs"]["release"]["steps"]
    assert [step.get("uses", "")[:11] for step in steps].count("azure/login") == 1
    permissions = after["jobs"]["release"].get("permissions", after.get("permissions"))
    assert permissions == "write-all" or permissions["id-token"] == "write"


WORDS = st.text(alphabet="aZ09'\"\\$#`;& =.é🦊", min_size=4, max_size=16)


@given(
    WORDS,
    st.sampled_from(["{}", "'{}'", '"{}"']),
    st.sampled_from(["deploy --token={}", "TOKEN={} deploy", "curl -u me:{} x"]),
)
@example("000\\", "{}", "deploy --token={}")  # the backslash takes the next line along
def test_words_of_scripts_become_variables_or_are_refused(value: str, quotes: str, command: str) -> None:
    script_ = command.format(quotes.format(value))
    text = WORKFLOW.format(value="x").replace(
        "run: deploy", f"run: |\n          set -e\n          {script_}\n          exit"
    )
    items = [
        Assignment(slot, Reference(VAULT, f"secret-{number}"))
        for number, slot in enumerate(slots(text).values())
        if ".run." in slot.pointer and slot.targets
    ]
    # A word within another one (a command's in backquotes) is moved by itself, or not at all.
    items = [item for item in items if not any(_within(other, item) for other in items)]
    report = check(githubactions, {PATH: text.encode()}, items)
    assert not [broken for broken in report.broken if broken.promise != "gone"], report.broken


def _within(inner: Assignment, outer: Assignment) -> bool:
    return inner is not outer and outer.slot.span.covers(inner.slot.span)


def test_a_part_of_a_script_becomes_a_variable() -> None:
    text = WORKFLOW.format(value="x").replace("run: deploy", "run: deploy --url https://me:Xw5Tq8Lz@host/")
    after = move(text, "jobs.release.steps.1.run.url", part=b"Xw5Tq8Lz").after[PATH].decode()
    assert 'deploy --url https://me:"$SECRET_0"@host/' in after
    assert "          SECRET_0: ${{ steps.key-vault.outputs.secret-0 }}\n" in after


def test_comments_and_other_shells_are_refused() -> None:
    text = WORKFLOW.format(value="x").replace(
        "run: deploy", "run: |\n          # old: Xw5Tq8Lz-marble\n          deploy"
    )
    assert refusals(move(text, "jobs.release.steps.1.run", part=b"Xw5Tq8Lz-marble"))
    for shell in ("pwsh", "python", "cmd"):
        found = slots(WORKFLOW.format(value="x") + f"        shell: {shell}\n")
        assert not found["jobs.release.steps.1.run"].targets


def test_aliases_are_refused() -> None:
    text = WORKFLOW.format(value="&t Xw5Tq8Lz") + "          OTHER: *t\n".replace("OTHER", "").replace(" : *t", "")
    text = text.replace("run: deploy", "name: *t\n        run: deploy")
    assert "alias" in refusals(move(text, TOKEN))[0].reason


def test_the_step_of_the_login_cannot_read_the_vault() -> None:
    text = WORKFLOW.format(value="x").replace(
        "uses: actions/checkout@v4", "uses: azure/login@v2\n        with:\n          creds: Xw5Tq8Lz"
    )
    assert "signs in" in refusals(move(text, "jobs.release.steps.0.with.creds"))[0].reason


@pytest.mark.parametrize("value", ["a\r\nb", "a\0b"])
def test_values_that_do_not_pass_are_refused(value: str) -> None:
    coded = value.replace("\r", "\\r").replace("\n", "\\n").replace("\0", "\\0")
    assert refusals(move(WORKFLOW.format(value=f'"S3cr{coded}"'), TOKEN))


# --- the step ---------------------------------------------------------------------------------------------------------


@given(st.text(alphabet="aZ09 '\"\\:#%$`\n\té🦊=<-", min_size=1, max_size=40))
@pytest.mark.slow
def test_the_script_hands_over_any_value(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    folder = tmp_path_factory.mktemp("step")
    check_script(folder, value)


@pytest.mark.parametrize("value", ["plain", "two\nlines\n\n", " 50%25 off$x`y`\n", "EOF-1\n\n  é🦊 \\n"])
def test_the_script_hands_over_values(tmp_path: Path, value: str) -> None:
    check_script(tmp_path, value)


def check_script(folder: Path, value: str) -> None:
    """Runs the step's script with bash, a made-up `az` and files in the place of GitHub's."""
    (folder / "value").write_text(value, "utf-8")
    az = folder / "az"
    az.write_text(f'#!/bin/sh\ncat "{folder}/value"\necho\n')
    az.chmod(0o755)
    lines = script([Fetched("ENV", "TOKEN", Reference(VAULT, "a")), Fetched("OUTPUT", "b", Reference(VAULT, "b"))])
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "GITHUB_ENV": f"{folder}/env",
        "GITHUB_OUTPUT": f"{folder}/out",
        "RUNNER_OS": "Linux",
    }
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", "\n".join(lines)],
        env=environment, capture_output=True, check=True,
    )  # fmt: skip
    for name, file in (("TOKEN", "env"), ("b", "out")):
        first, _, rest = (folder / file).read_bytes().decode().partition("\n")
        end = first.removeprefix(f"{name}<<")
        assert rest == f"{value}\n{end}\n"
    masks = [line.removeprefix("::add-mask::").replace("%25", "%") for line in done.stdout.decode().splitlines()]
    assert masks == [line for line in value.split("\n") if line] * 2


def test_a_script_of_ours_is_read_back() -> None:
    wanted = [Fetched("ENV", "TOKEN", Reference(VAULT, "a", "0" * 32)), Fetched("OUTPUT", "b", Reference(VAULT, "b"))]
    assert list(fetched("\n".join(script(wanted)))) == wanted
    assert not list(fetched("echo fetch"))


def test_no_other_platform_claims_these_files() -> None:
    from rewriters import claimants

    for path, text in ((PATH, WORKFLOW), ("action.yml", "name: a\nruns:\n  using: composite\n  steps: []\n")):
        assert [rewriter.NAME for rewriter in claimants(path, text.encode())] == ["githubactions"]
