"""Compose files: generated ones and real ones through all promises, and what hostile ones cost."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import (
    Assignment,
    Plaintext,
    Reference,
    Request,
    Requirement,
    Slot,
    Span,
    Unreadable,
    Variable,
    compose,
    dotenv,
    fetch,
)
from rewriters.check import Report, check

VAULT = "https://shop.vault.azure.net"
REAL = Path(__file__).parents[2].parent / "shared" / "devset" / "real"
NAMES = re.compile(r"pass|secret|token|key|pwd|auth", re.IGNORECASE)


def moved(files: dict[str, bytes], wanted: re.Pattern[str] = NAMES) -> list[Assignment]:
    """All slots with a telling key and a literal value, one name for each value."""
    names: dict[bytes, str] = {}
    found: list[Assignment] = []
    for rewriter in (compose, dotenv):
        for path, data in files.items():
            if not rewriter.claims(path, data[:4096]):
                continue
            for slot in rewriter.slots(path, data):
                value = slot.value.reveal()
                if value and b"${" not in value and wanted.search(slot.key):
                    name = names.setdefault(value, f"moved-{len(names)}")
                    found.append(Assignment(slot, Reference(VAULT, name)))
    return found


def checked(files: dict[str, bytes], assignments: list[Assignment]) -> Report:
    report = check(compose, files, [item for item in assignments if item.slot.platform == "compose"])
    assert not report.broken, "\n".join(map(str, report.broken))
    return report


@pytest.mark.parametrize(
    ("path", "head", "mine"),
    [
        ("compose.yaml", b"", True),
        ("a/docker-compose.override.yml", b"", True),
        ("docker-compose-prod.yaml", b"", True),
        ("stack.yml", b"version: '3'\n\nservices:\n\n  # one\n  db:\n    image: x\n", True),
        ("stack.yml", b"services:\r\n  db:\r\n    build: .\r\n", True),
        ("x.yaml", b"services:\n  a: {image: x}\n", True),
        ("x.yaml", b"services:\n    a: &a\n        ports: []\n        image: x\n", True),
        ("values.yaml", b"services:\n  a:\n    image: x\n", False),
        ("x.yaml", b"services:\n  a:\n    image:\n      repository: x\n", False),
        ("x.yaml", b"services:\n  a:\n    deep:\n      image: x\n", False),
        ("services.yaml", b"services:\n  _defaults:\n    autowire: true\n", False),
        (".gitlab-ci.yml", b"services:\n  - postgres:12\nimage: x\n", False),
        ("deploy.yaml", b"apiVersion: v1\nkind: Service\n", False),
        ("composer.json", b"{}", False),
        ("compose.py", b"", False),
    ],
)
def test_claims(path: str, head: bytes, mine: bool) -> None:
    assert compose.claims(path, head) is mine


def slots_of(text: str) -> dict[str, Slot]:
    return {slot.pointer: slot for slot in compose.slots("compose.yaml", text.encode())}


def test_places_keys_and_pointers() -> None:
    slots = slots_of(
        """
x-app: &app
  environment: &env
    ONE: first
x-list: &list
  - TWO=second
services:
  a:
    <<: *app
    command: ["--pass", "third", "-p=fourth"]
    build: {context: "https://u:fifth@git.example.com/x", args: [SIX=sixth]}
  b:
    environment: *list
    healthcheck: {test: "cli -a seventh"}
    labels: {eight: eighth}
    extra_hosts: ["nine:10.0.0.9"]
configs: {c: {content: tenth}}
secrets: {s: {environment: ELEVEN}}
"""
    )
    told = {pointer: (slot.place, slot.key, slot.value.reveal().decode()) for pointer, slot in slots.items()}
    assert told == {
        "x-app.environment.ONE": ("env", "ONE", "first"),
        "x-list.TWO": ("env", "TWO", "second"),
        "services.a.command.0": ("arg", "", "--pass"),
        "services.a.command.1": ("arg", "pass", "third"),
        "services.a.command.2": ("arg", "p", "fourth"),
        "services.a.build.context": ("other", "context", "https://u:fifth@git.example.com/x"),
        "services.a.build.args.SIX": ("build", "SIX", "sixth"),
        "services.b.healthcheck.test.0": ("arg", "", "cli"),
        "services.b.healthcheck.test.1": ("arg", "", "-a"),
        "services.b.healthcheck.test.2": ("arg", "a", "seventh"),
        "services.b.labels.eight": ("other", "eight", "eighth"),
        "services.b.extra_hosts.0": ("other", "extra_hosts", "nine:10.0.0.9"),
        "configs.c.content": ("config", "content", "tenth"),
        "secrets.s.environment": ("other", "environment", "ELEVEN"),
    }
    assert not slots["secrets.s.environment"].targets and not slots["services.a.build.args.SIX"].targets
    assert slots["services.b.labels.eight"].interpolates


def test_a_broken_file_says_where() -> None:
    with pytest.raises(Unreadable) as caught:
        compose.slots("compose.yaml", b"services:\n  a: [1,\n  b: {\n")
    assert caught.value.line >= 2


def _scalar(style: str, value: str) -> str:
    text = value.replace("$", "$$")
    if style == "single":
        return "'" + text.replace("'", "''") + "'"
    if style == "double":
        return json.dumps(text, ensure_ascii=False)
    return text


_values = st.text(
    st.sampled_from("abcXYZ0189-_.:/@#%&*!?,;+=$'\"\\ {}[]()|<>~^`éß漢"), min_size=1, max_size=24
).map(str.strip).filter(bool)  # fmt: skip
_plain = st.from_regex(r"[A-Za-z][A-Za-z0-9_./@$-]{3,20}[A-Za-z]", fullmatch=True).filter(
    lambda text: text.lower() not in ("true", "false", "null")
)
_entries = st.lists(
    st.one_of(st.tuples(st.sampled_from(["single", "double"]), _values), st.tuples(st.just("plain"), _plain)),
    min_size=1,
    max_size=4,
)
_images = st.sampled_from(["postgres:17", "registry.example.com/api:1", "mysql", "${IMAGE}", "grafana/grafana"])
_keys = ["POSTGRES_PASSWORD", "MYSQL_ROOT_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD", "TOKEN"]


@settings(max_examples=80, deadline=None)
@given(
    services=st.lists(
        st.tuples(_images, st.sampled_from(["map", "list", "flow-map", "flow-list"]), _entries), max_size=3
    ),
    eol=st.sampled_from(["\n", "\r\n"]),
    tail=st.sampled_from(["", "\n", "\n\n# end\n"]),
    secrets=st.sampled_from(["", "\nsecrets:\n  old:\n    file: ./x", "\nsecrets:", "\nsecrets: {}"]),
    indent=st.sampled_from([2, 4]),
)
def test_generated_files(
    services: list[tuple[str, str, list[tuple[str, str]]]], eol: str, tail: str, secrets: str, indent: int
) -> None:
    pad = " " * indent
    lines = ["name: generated", "services:"]
    for number, (image, shape, entries) in enumerate(services):
        lines += [f"{pad}s{number}:", f"{pad * 2}image: {image}"]
        pairs = [(key, style, value) for key, (style, value) in zip(_keys, entries, strict=False)]
        if shape == "map":
            lines += [f"{pad * 2}environment:", *(f"{pad * 3}{k}: {_scalar(s, v)}" for k, s, v in pairs)]
        elif shape == "list":
            lines += [f"{pad * 2}environment:", *(f"{pad * 2}- {_scalar(s, f'{k}={v}')}" for k, s, v in pairs)]
        elif shape == "flow-map":
            lines.append(f"{pad * 2}environment: {{" + ", ".join(f"{k}: {_scalar(s, v)}" for k, s, v in pairs) + "}")
        else:
            lines.append(f"{pad * 2}environment: [" + ", ".join(_scalar(s, f"{k}={v}") for k, s, v in pairs) + "]")
    if not services:
        lines.append(f"{pad}s: {{image: x}}")
    files = {"compose.yaml": (eol.join(lines) + secrets.replace("\n", eol) + tail.replace("\n", eol)).encode()}
    assignments = moved(files, re.compile("|".join(_keys)))
    report = checked(files, assignments)
    assert not report.refused
    assert not report.not_undoable


@settings(max_examples=60, deadline=None)
@given(before=_values, secret=_plain, after=_values, style=st.sampled_from(["single", "double"]))
def test_parts_of_values(before: str, secret: str, after: str, style: str) -> None:
    value = f"{before}<{secret}>{after}"
    text = f"services:\n  a:\n    image: x\n    environment:\n      URL: {_scalar(style, value)}\n"
    files = {"compose.yaml": text.encode()}
    slot = slots_of(text)["services.a.environment.URL"]
    at = slot.value.reveal().index(f"<{secret}>".encode()) + 1
    part = Span(at, at + len(secret.encode()))
    report = checked(files, [Assignment(slot, Reference(VAULT, "part"), part)])
    assert not report.refused


@pytest.mark.skipif(not REAL.is_dir(), reason="the development data set is not beside the project")
@pytest.mark.parametrize("folder", sorted(REAL.glob("*")) or [REAL], ids=lambda folder: folder.name)
def test_real_files(folder: Path) -> None:
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }
    assignments = moved(files)
    report = checked(files, assignments)
    other = check(dotenv, files, [item for item in assignments if item.slot.platform == "dotenv"])
    assert not other.broken, "\n".join(map(str, other.broken))
    assert not report.unreadable and not other.unreadable


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x]\nb: &b [*a,*a]\n" + "".join(f"k{n}: &k{n} [*b,*b,*b]\n" for n in range(50)),
        "services:\n  a:\n    image: x\n    command: " + "${A:-" * 20000,
        "services:\n  a:\n    image: x\n    command: '" + '"' * 50000 + "'",
        "services:\n  a:\n    image: x\n    environment:\n      A: '" + "${A-" * 15000 + "}" * 15000 + "'",
        "x: &x {a: 1}\nservices:\n" + "".join(f"  s{n}: {{<<: *x, image: i}}\n" for n in range(3000)),
    ],
    ids=["aliases", "unclosed", "quotes", "nested", "merges"],
)
def test_hostile_files_cost_little(text: str) -> None:
    start = time.process_time()
    files = {"compose.yaml": text.encode()}
    slots = compose.slots("compose.yaml", files["compose.yaml"])
    assignments = tuple(Assignment(slot, Reference(VAULT, "x")) for slot in slots[:20])
    compose.rewrite(Request(files, assignments))
    try:
        compose.effective(files, lambda reference: slots[0].value)
    except Unreadable as error:
        assert "alias" in error.reason
    assert time.process_time() - start < 10


def test_aliases_that_multiply_are_refused_by_the_proof() -> None:
    levels = "".join(f"  l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    text = f"x-a:\n  l0: &l0 [a]\n{levels}services:\n  a:\n    image: x\n    cap_add: *l8\n"
    with pytest.raises(Unreadable, match="aliases"):
        compose.effective({"compose.yaml": text.encode()}, lambda reference: pytest.fail(reference.name))


def test_a_secret_is_looked_up_only_when_its_variable_is_read() -> None:
    wanted = [
        Variable("", "USED", Reference(VAULT, "used")),
        Variable("", "UNUSED", Reference("https://x.example", "x")),
    ]
    files = {
        "compose.yaml": b"services:\n  a:\n    image: x\n    environment: {A: '${USED}', B: '${OTHER:-b}'}\n",
        ".env": b"C=${USED}-c\n",
        "fetch-secrets.sh": fetch.script("", wanted, None).content,
    }
    asked: list[str] = []

    def lookup(reference: Reference) -> Plaintext:
        asked.append(reference.name)
        if reference.name != "used":
            raise LookupError
        return Plaintext(b"value-1")

    for rewriter in (compose, dotenv):
        told = {item.address.name: item.value.reveal() for item in rewriter.effective(files, lookup)}
        assert told.items() <= {"A": b"value-1", "B": b"${OTHER:-b}", "C": b"value-1-c", "image": b"x"}.items()
    assert set(asked) == {"used"}


# --- swarms -----------------------------------------------------------------------------------------------------------

_odd = st.text(st.sampled_from("abcXYZ019-_.:/@#%&*!?,;=$'\"\\ {}[]|>~`é漢🐙"), min_size=1, max_size=20).map(
    lambda text: f"q{text}q"
)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(_odd, min_size=1, max_size=3, unique=True),
    style=st.sampled_from(["single", "double"]),
    anchor=st.sampled_from(["", "&kept "]),
    comment=st.sampled_from(["", "  # rotate: 'yearly'"]),
    version=st.sampled_from(["", 'version: "3.8"\n', "version: '3.1'\n"]),
    tail=st.sampled_from(["", "secrets:\n  moved-0: {external: true}\n", "secrets:\n  x:\n    external: true\n"]),
    path=st.sampled_from(["docker-stack.yml", "compose.yaml", "swarm/app.yaml"]),
    deploy=st.sampled_from(["", "    deploy:\n      placement: {constraints: [node.role == manager]}\n"]),
    eol=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_generated_stacks(
    values: list[str],
    style: str,
    anchor: str,
    comment: str,
    version: str,
    tail: str,
    path: str,
    deploy: str,
    eol: str,
    mark: bytes,
) -> None:
    text = f"{version}x-common: &common\n  restart: always\nservices:\n"
    for number, value in enumerate(values):
        text += f"  s{number}:\n    <<: *common\n    image: postgres:17\n{deploy}    environment:\n"
        text += f"      POSTGRES_PASSWORD: {anchor if not number else ''}{_scalar(style, value)}{comment}\n"
    files = {path: mark + (text + tail).replace("\n", eol).encode()}
    report = checked(files, moved(files, re.compile("POSTGRES_PASSWORD")))
    assert not report.refused
    assert not report.not_undoable
    swarm = path != "compose.yaml" or "external" in tail or bool(deploy)
    made = report.after[path]
    assert not (swarm and b"environment: MOVED" in made), "a swarm takes no secret from the environment"
    assert b"external" not in made.replace(tail.replace("\n", eol).encode(), b"") or path != "compose.yaml" or tail
    assert made.startswith(mark) and made.count(b"# rotate") == len(values) * bool(comment)


@pytest.mark.parametrize("name", ["docker-stack.yml", "compose.yaml"])
def test_a_build_secret_is_not_put_into_a_stack(name: str) -> None:
    files = {name: b"services:\n  a:\n    build: .\nsecrets:\n  t: {external: true}\n"}
    need = Requirement("build-secret", "Dockerfile", "npm", Reference(VAULT, "npm"))
    done = compose.rewrite(Request(files, (), requirements=(need,)))
    assert not done.edits and not done.provides
    assert any("by hand" in note for note in done.notes)


def test_two_vault_secrets_of_one_name_stay_variables() -> None:
    text = "".join(
        f"  s{n}:\n    image: postgres:17\n    environment:\n      POSTGRES_PASSWORD: quokka-{n}\n" for n in range(2)
    )
    files = {"docker-stack.yml": f"services:\n{text}".encode()}
    slots = [slot for slot in compose.slots("docker-stack.yml", files["docker-stack.yml"]) if "PASS" in slot.key]
    items = [
        Assignment(slot, Reference(f"https://{at}.vault.azure.net", "pw"))
        for slot, at in zip(slots, ("one", "two"), strict=True)
    ]
    assert checked(files, items).after["docker-stack.yml"].count(b"${") == 2
