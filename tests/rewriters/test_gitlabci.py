"""Pipelines of GitLab: what is claimed, which places there are, how files of any style get their jobs' secrets."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rewriters import Assignment, Reference, Refusal, Slot, Span, Unreadable, claimants, gitlabci
from rewriters._encode import decode
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
PATH = ".gitlab-ci.yml"
PIPELINE = """deploy:
  variables:
    TOKEN: {value}
    AFTER: x
  script:
    - ./deploy.sh
"""
TOKEN = "deploy.variables.TOKEN"


def slots(text: str | bytes, path: str = PATH) -> dict[str, Slot]:
    data = text.encode() if isinstance(text, str) else text
    found = gitlabci.slots(path, data)
    for slot in found:
        assert decode(slot.encoding, data[slot.span.start : slot.span.end]) == slot.value.reveal()
    return {slot.pointer: slot for slot in found}


def move(text: str, *pointers: str, part: bytes = b"", path: str = PATH) -> Report:
    found = slots(text, path)
    items = []
    for number, pointer in enumerate(pointers):
        at = found[pointer].value.reveal().find(part)
        span = Span(at, at + len(part)) if part else None
        items.append(Assignment(found[pointer], Reference(VAULT, f"secret-{number}"), span))
    report = check(gitlabci, {path: text.encode()}, items)
    assert not report.broken, report.broken
    return report


def refusals(report: Report) -> tuple[Refusal, ...]:
    return report.rewrites["gitlabci"].refusals


@pytest.mark.parametrize(
    "path",
    [PATH, "ci/deploy.gitlab-ci.yml", ".gitlab-ci/build.yaml", ".gitlab/ci/jobs/test.yml", "a/.gitlab-ci.test.yml"],
)
def test_pipelines_are_claimed_and_by_nobody_else(path: str) -> None:
    assert [rewriter.NAME for rewriter in claimants(path, PIPELINE.encode())] == ["gitlabci"]


@pytest.mark.parametrize("path", ["ci.yml", ".gitlab/agents/a/config.yaml", "gitlab.yml", ".gitlab-ci.json"])
def test_others_are_not(path: str) -> None:
    assert not gitlabci.claims(path, PIPELINE.encode())
    assert not gitlabci.claims(PATH, b"")
    assert not gitlabci.claims(".gitlab-ci/job.yml", b"apiVersion: batch/v1\nkind: Job\n")


@pytest.mark.parametrize("text", ["a: [", "- a", "a: 1\n---\nb: 1\n---\nc: 1\n", ""])
def test_what_is_no_pipeline_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        gitlabci.slots(PATH, text.encode())


def test_a_header_of_inputs_stands_before() -> None:
    text = "spec:\n  inputs:\n    token:\n      default: Gh5Rt8Wq\n---\n" + PIPELINE.format(value="Xw5Tq8Lz")
    assert "when the pipeline is made" in slots(text)["spec.inputs.token.default"].reason
    assert not refusals(move(text, TOKEN))


def test_bounds() -> None:
    with pytest.raises(Unreadable):
        gitlabci.slots(PATH, b"a: " + b"[" * 10_000)
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    text = "a0: &a0 [x]\n" + laughs + PIPELINE.format(value="x")
    assert TOKEN in slots(text)
    ring = "a:\n  extends: b\nb:\n  extends: a\n" + PIPELINE.format(value="Xw5Tq8Lz").replace("deploy:", "c:")
    assert not refusals(move(ring, "c.variables.TOKEN"))


TEXTS = st.text(alphabet="aZ09 '\"\\:#{}[],&*!|>%@`-?~=é🦊\n", min_size=1, max_size=24).filter(
    lambda text: text.strip()
)
STYLES = (None, "'", '"', "|", ">")


def dumped(value: str, style: str | None, place: str) -> str:
    """A pipeline with the value at a place, as PyYAML writes it."""
    tree: dict[str, object] = {"test": {"script": ["make"], "variables": {"A": "b"}}, ".hidden": {"stage": "x"}}
    if place == "pipeline":
        tree = {"variables": {"A": "b", "TOKEN": value}, **tree}
    elif place == "described":
        tree = {"variables": {"TOKEN": {"value": value, "description": "d"}}, **tree}
    elif place == "alone":
        tree["deploy"] = {"script": "deploy", "variables": {"TOKEN": value}}
    else:
        tree["deploy"] = {"variables": {"BEFORE": "1", "TOKEN": value, "AFTER": "2"}, "script": ["deploy"]}

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style if text == value else None)

    Dumper.add_representer(str, represent)
    return str(yaml.dump(tree, Dumper=Dumper, allow_unicode=True, width=60, sort_keys=False))


@given(
    TEXTS, st.sampled_from(STYLES), st.sampled_from(["pipeline", "described", "alone", "job"]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_values_of_any_style_become_secrets(value: str, style: str | None, place: str, crlf: bool, bom: bool) -> None:
    value = f"S3cr{value}"
    text = "# remark é\n" + dumped(value, style, place)
    if crlf:
        text = text.replace("\n", "\r\n")
    text = "\ufeff" * bom + text
    pointer = next(name for name, slot in slots(text).items() if slot.key == "TOKEN")
    report = move(text, pointer)
    assert not refusals(report)
    after = yaml.safe_load(report.after[PATH].decode("utf-8-sig"))
    jobs = [after[name] for name in ("test", "deploy") if name in after]
    having = jobs if place in ("pipeline", "described") else [after["deploy"]]
    assert all(job["secrets"]["TOKEN"]["azure_key_vault"]["name"] == "secret-0" for job in having)
    assert all("TOKEN" not in job.get("variables", {}) for job in jobs)


WORDS = st.text(alphabet="aZ09'\"\\#`;& =.é🦊", min_size=4, max_size=16)


@given(
    WORDS,
    st.sampled_from(["{}", "'{}'", '"{}"']),
    st.sampled_from(["deploy --token={}", "TOKEN={} deploy", "curl -u me:{} x"]),
)
@example("\\\\\\`", '"{}"', "deploy --token={}")  # the shell takes both backslashes away, and the backquote stays
def test_words_of_scripts_become_variables_or_are_refused(value: str, quotes: str, command: str) -> None:
    script = command.format(quotes.format(value))
    text = PIPELINE.format(value="x").replace("- ./deploy.sh", f"- |\n      set -e\n      {script}\n      exit")
    items = [
        Assignment(slot, Reference(VAULT, f"secret-{number}"))
        for number, slot in enumerate(slots(text).values())
        if ".script.0." in slot.pointer and slot.targets
    ]
    items = [item for item in items if not any(_within(other, item) for other in items)]
    report = check(gitlabci, {PATH: text.encode()}, items)
    assert not [broken for broken in report.broken if broken.promise != "gone"], report.broken


def _within(inner: Assignment, outer: Assignment) -> bool:
    return inner is not outer and outer.slot.span.covers(inner.slot.span)


def test_a_variable_and_a_script_share_a_secret() -> None:
    text = PIPELINE.format(value="Xw5Tq8Lz").replace("./deploy.sh", "deploy --token Xw5Tq8Lz")
    found = slots(text)
    items = [Assignment(found[name], Reference(VAULT, "one")) for name in (TOKEN, "deploy.script.0.token")]
    report = check(gitlabci, {PATH: text.encode()}, items)
    assert not report.broken
    assert '- deploy --token "$TOKEN"\n' in report.after[PATH].decode()


def test_a_version_is_named() -> None:
    text = PIPELINE.format(value="Xw5Tq8Lz")
    items = [Assignment(slots(text)[TOKEN], Reference(VAULT, "one", "0" * 32))]
    report = check(gitlabci, {PATH: text.encode()}, items)
    assert not report.broken
    assert f"        version: {'0' * 32}\n" in report.after[PATH].decode()


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("child:\n  extends: deploy\n  variables:\n    TOKEN: own\n", "extends this one"),
        ("other:\n  script:\n    - !reference [deploy, script]\n", "!reference"),
        ("other:\n  image: a/$TOKEN\n  script: x\n", "`image` takes"),
        ("other: {rules: [{if: '$TOKEN == \"a\"'}], script: x}\n", "`rules` takes"),
    ],
)
def test_what_others_take_of_a_job_stays(more: str, why: str) -> None:
    assert why in refusals(move(PIPELINE.format(value="Xw5Tq8Lz") + more, TOKEN))[0].reason


def test_a_job_reads_one_vault() -> None:
    text = PIPELINE.format(value="Xw5Tq8Lz\n    OTHER: Gh5Rt8Wq")
    found = slots(text)
    items = [
        Assignment(found[name], Reference(f"https://{vault}.vault.azure.net", "a"))
        for name, vault in ((TOKEN, "one"), ("deploy.variables.OTHER", "two"))
    ]
    report = check(gitlabci, {PATH: text.encode()}, items)
    assert not report.broken
    assert "another vault" in refusals(report)[0].reason


def test_variables_of_a_file_that_others_include_stay() -> None:
    text = "variables:\n  TOKEN: Xw5Tq8Lz\n" + PIPELINE.format(value="x").replace("TOKEN", "OTHER")
    assert "jobs of other files" in refusals(move(text, "variables.TOKEN", path="a.gitlab-ci.yml"))[0].reason


def test_aliases_are_refused() -> None:
    text = PIPELINE.format(value="&t Xw5Tq8Lz") + "other:\n  script: *t\n"
    assert "alias" in refusals(move(text, TOKEN))[0].reason
