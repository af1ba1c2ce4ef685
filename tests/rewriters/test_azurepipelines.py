"""Pipelines: what is claimed, which places there are, how files of any style get the task that reads the vault."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Settings, Slot, Span, Unreadable, azurepipelines, claimants
from rewriters._encode import decode
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
PATH = "azure-pipelines.yml"
SETTINGS = Settings(service_connection="shop-production")
PIPELINE = """pool:
  vmImage: ubuntu-latest
steps:
- checkout: self
- script: deploy
  env:
    TOKEN: {value}
"""
TOKEN = "steps.1.env.TOKEN"


def slots(text: str | bytes, path: str = PATH) -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = azurepipelines.slots(path, data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
    return {slot.pointer: slot for slot in found}


def move(text: str, *pointers: str, part: bytes = b"", vault: str = VAULT) -> Report:
    found = slots(text)
    items = []
    for number, pointer in enumerate(pointers):
        at = found[pointer].value.reveal().find(part)
        span = Span(at, at + len(part)) if part else None
        items.append(Assignment(found[pointer], Reference(vault, f"secret-{number}"), span))
    report = check(azurepipelines, {PATH: text.encode()}, items, settings=SETTINGS)
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["azurepipelines"].refusals


# --- claims -----------------------------------------------------------------------------------------------------------

TASKS = "steps:\n- task: Docker@2\n  inputs: {command: login}\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (PATH, PIPELINE),
        ("azure-pipelines.release.yaml", PIPELINE),
        ("src/azure-pipeline.yml", "trigger: none\nextends: {template: a.yml}\n"),
        (".azure-pipelines/build.yml", "\ufeffjobs:\n- job: a\n"),
        ("azure-pipelines/templates/steps.yml", "parameters: []\nsteps: []\n"),
        (".azuredevops/pipelines/ci.yml", PIPELINE),
        ("build/steps.yml", TASKS),
        ("build/stages.yml", "stages:\n- stage: a\n  jobs:\n  - job: b\n    steps:\n    - task: 'Bash@3'\n"),
    ],
)
def test_pipelines_are_claimed_and_by_nobody_else(path: str, text: str) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, text.encode())] == ["azurepipelines"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("azure-pipelines.yml", "a: 1\n"),
        ("azure-pipelines/values.yaml", "replicas: 1\n"),
        ("azure-pipelines/job.yaml", "apiVersion: batch/v1\nkind: Job\nparameters: 1\n"),
        (".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    steps:\n    - task: Bash@3\n"),
        ("build.yml", PIPELINE),
        (".circleci/config.yml", "jobs:\n  a:\n    steps:\n    - run: x\n"),
        ("steps.json", TASKS),
    ],
)
def test_others_are_not(path: str, text: str) -> None:
    assert not azurepipelines.claims(path, text.encode())


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "posix"),
    [("ubuntu-latest", True), ("macOS-14", True), ("windows-latest", False), ("$(image)", False), ("", False)],
)
def test_a_script_is_for_the_shell_of_its_agent(image: str, posix: bool) -> None:
    text = PIPELINE.format(value="x").replace("ubuntu-latest", image or "''")
    assert bool(slots(text)["steps.1.script"].targets) is posix
    assert slots(text.replace("script:", "bash:"))["steps.1.bash"].targets


@pytest.mark.parametrize("number", ["0777", "1e3", "1.10", "yes", "2024-01-01"])
def test_what_yaml_spells_anew_has_to_be_quoted_first(number: str) -> None:
    assert bool(slots(PIPELINE.format(value=number))[TOKEN].targets) == (number == "yes")
    assert slots(PIPELINE.format(value=f"'{number}'"))[TOKEN].targets


@pytest.mark.parametrize("text", ["a: [", "- a", "steps: []\n---\na: 1\n", ""])
def test_what_is_no_pipeline_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        azurepipelines.slots(PATH, text.encode())


def test_bounds() -> None:
    with pytest.raises(Unreadable):
        azurepipelines.slots(PATH, b"jobs: " + b"[" * 10_000)
    doubled = "".join(f"  v{n}: $(v{n + 1})$(v{n + 1})\n" for n in range(49))
    text = f"variables:\n{doubled}  v49: x\n{PIPELINE.format(value='x')}"
    with pytest.raises(Unreadable, match="name each other"):
        azurepipelines.effective({PATH: text.encode()}, lambda reference: slots(text)[TOKEN].value)
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert TOKEN in slots("a0: &a0 [x]\n" + laughs + PIPELINE.format(value="x"))


# --- rewriting --------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[],&*!|>%@`-?~$=é🦊\n", min_size=1, max_size=24).filter(
    lambda text: text.strip()
)
STYLES = (None, "'", '"', "|", ">")


def dumped(value: str, style: str | None, place: str) -> str:
    """A pipeline with the value at a place, as PyYAML writes it."""
    steps: list[dict[str, object]] = [{"checkout": "self"}, {"bash": "deploy", "env": {"B": "c"}}]
    tree: dict[str, object] = {"jobs": [{"job": "release", "steps": steps}]}
    if place == "list":
        tree["variables"] = [{"name": "A", "value": "b"}, {"name": "TOKEN", "value": value}]
    elif place == "map":
        tree["variables"] = {"A": "b", "TOKEN": value}
    elif place == "job":
        tree = {"jobs": [{"job": "release", "variables": {"TOKEN": value}, "steps": [*steps, {"task": "A@1"}]}]}
    elif place == "input":
        steps.append({"task": "A@1", "inputs": {"before": "1", "TOKEN": value}})
    else:
        steps.append({"bash": "other", "env": {"TOKEN": value, "AFTER": "2"}})

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style if text == value else None)

    Dumper.add_representer(str, represent)
    return str(yaml.dump(tree, Dumper=Dumper, allow_unicode=True, width=60, sort_keys=False))


@given(
    TEXTS, st.sampled_from(STYLES), st.sampled_from(["list", "map", "job", "input", "step"]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_values_of_any_style_become_references(
    value: str, style: str | None, place: str, crlf: bool, bom: bool
) -> None:
    value = f"S3cr{value}"
    text = "# remark é\n" + dumped(value, style, place)
    if crlf:
        text = text.replace("\n", "\r\n")
    text = "\ufeff" * bom + text
    pointer = next(name for name, slot in slots(text).items() if slot.key == "TOKEN")
    if any(mark in value for mark in ("${{", "$[", "$(")):
        return
    report = move(text, pointer)
    assert not refusals(report)
    after = yaml.safe_load(report.after[PATH].decode("utf-8-sig"))
    steps = after["jobs"][0]["steps"]
    assert [step.get("task") for step in steps].count("AzureKeyVault@2") == 1
    if place in ("list", "map", "job"):
        assert all(step["env"]["TOKEN"] == "$(TOKEN)" for step in steps if "bash" in step)


WORDS = st.text(alphabet="aZ09'\"\\$#`;& =.é🦊", min_size=4, max_size=16)


@given(
    WORDS,
    st.sampled_from(["{}", "'{}'", '"{}"']),
    st.sampled_from(["deploy --token={}", "TOKEN={} deploy", "curl -u me:{} x"]),
)
def test_words_of_scripts_become_variables_or_are_refused(value: str, quotes: str, command: str) -> None:
    script = command.format(quotes.format(value))
    text = PIPELINE.format(value="x").replace("script: deploy", f"script: |\n    set -e\n    {script}\n    exit")
    items = [
        Assignment(slot, Reference(VAULT, f"secret-{number}"))
        for number, slot in enumerate(slots(text).values())
        if ".script." in slot.pointer and slot.targets
    ]
    # A word within another one (a command's in backquotes) is moved by itself, or not at all.
    items = [item for item in items if not any(_within(other, item) for other in items)]
    report = check(azurepipelines, {PATH: text.encode()}, items, settings=SETTINGS)
    assert not [broken for broken in report.broken if broken.promise != "gone"], report.broken


def _within(inner: Assignment, outer: Assignment) -> bool:
    return inner is not outer and outer.slot.span.covers(inner.slot.span)


def test_a_part_of_a_variable_moves() -> None:
    text = "variables:\n  URL: https://me:Xw5Tq8Lz@host/\n" + PIPELINE.format(value="x")
    after = move(text, "variables.URL", part=b"Xw5Tq8Lz").after[PATH].decode()
    assert "URL: https://me:$(secret-0)@host/\n" in after
    assert "    URL: $(URL)\n" in after


def test_what_the_task_cannot_read_is_refused() -> None:
    text = PIPELINE.format(value="Xw5Tq8Lz")
    assert "cloud" in refusals(move(text, TOKEN, vault="https://shop.vault.azure.cn"))[0].reason
    pinned = [Assignment(slots(text)[TOKEN], Reference(VAULT, "a", "0" * 32))]
    report = check(azurepipelines, {PATH: text.encode()}, pinned, settings=SETTINGS)
    assert "no version" in refusals(report)[0].reason


@pytest.mark.parametrize("more", ["- template: a.yml\n", "- ${{ if true }}:\n  - bash: x\n"])
def test_a_variable_that_a_template_may_read_stays(more: str) -> None:
    text = "variables:\n  TOKEN: Xw5Tq8Lz\n" + PIPELINE.format(value="x") + more
    assert "template" in refusals(move(text, "variables.TOKEN"))[0].reason


@pytest.mark.parametrize("use", ["condition: eq(variables.token, 'a')", "condition: eq(variables['TOKEN'], 'a')"])
def test_a_variable_that_an_expression_takes_stays(use: str) -> None:
    text = "variables:\n  TOKEN: Xw5Tq8Lz\n" + PIPELINE.format(value="x") + f"  {use}\n"
    assert "expression" in refusals(move(text, "variables.TOKEN"))[0].reason


def test_one_task_a_vault_and_none_that_would_take_the_others_names() -> None:
    text = PIPELINE.format(value="Xw5Tq8Lz\n    OTHER: Gh5Rt8Wq")
    found = slots(text)
    for names, tasks in ((("a", "b"), 2), (("a", "a"), 1)):
        items = [
            Assignment(found[pointer], Reference(f"https://{vault}.vault.azure.net", name))
            for pointer, vault, name in zip((TOKEN, "steps.1.env.OTHER"), ("one", "two"), names, strict=True)
        ]
        report = check(azurepipelines, {PATH: text.encode()}, items, settings=SETTINGS)
        assert not report.broken
        assert report.after[PATH].count(b"AzureKeyVault@2") == tasks
        assert len(refusals(report)) == 2 - tasks


def test_aliases_are_refused() -> None:
    text = PIPELINE.format(value="&t Xw5Tq8Lz") + "- bash: *t\n"
    assert "alias" in refusals(move(text, TOKEN))[0].reason


@pytest.mark.parametrize("value", ["a\\r\\nb", "a\\0b"])
def test_values_that_do_not_pass_are_refused(value: str) -> None:
    assert refusals(move(PIPELINE.format(value=f'"S3cr{value}"'), TOKEN))
