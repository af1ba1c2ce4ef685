"""`.env` files: what is a statement, who reads the file, and generated ones through all promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Assignment, Plaintext, Reference, Request, Span, Unreadable, dotenv
from rewriters.check import check

VAULT = "https://shop.vault.azure.net"
COMPOSE = b"services:\n  api:\n    image: x\n    env_file: a.env\n"


@pytest.mark.parametrize(
    ("path", "mine"),
    [
        (".env", True),
        ("a/.env.production.local", True),
        ("config.env", True),
        ("prod.env.example", True),
        ("env.startup.txt", True),
        ("env.txt", True),
        (".envrc", True),
        ("a/.envrc.local", True),
        (".flaskenv", True),
        (".env-staging", True),
        (".env_prod", True),
        (".env.defaults", True),
        (".envs/.local/.postgres", True),
        ("deploy/envs/prod", True),
        ("env/production", True),
        ("envfile", True),
        (".dev.vars", True),
        (".dev.vars.staging", True),
        (".envs/prod.yaml", False),
        ("envs/prod/values", False),
        ("environments.d/prod", False),
        (".environment", False),
        (".envoy", False),
        (".env.sh", False),
        (".env.ts", False),
        ("env.py", False),
        ("environment.txt", False),
        ("my.environment", False),
        (".env.json", False),
        ("values.yaml", False),
    ],
)
def test_claims_by_name(path: str, mine: bool) -> None:
    assert dotenv.claims(path, b"A=1\n") is mine


@pytest.mark.parametrize("head", [b"import os\n", b"", b"# notes\n", b"home = /usr/bin\n"[:4]])
def test_a_file_in_a_folder_of_environments_is_known_by_its_beginning(head: bytes) -> None:
    assert not dotenv.claims("env/production", head)
    assert dotenv.claims("env/production", b"\xef\xbb\xbf# notes\r\n\r\nexport A=1\r\n")


def test_a_script_is_not_claimed() -> None:
    assert not dotenv.claims("prod.env", b"#!/bin/sh\nA=1\n")


@pytest.mark.parametrize("head", [b'{"A": "1"}', b"\xef\xbb\xbf#!/bin/sh", b"\n{"])
def test_another_format_is_not_claimed(head: bytes) -> None:
    assert not dotenv.claims(".env-cmdrc", head)


def told(text: str) -> dict[str, str]:
    return {slot.pointer: slot.value.reveal().decode() for slot in dotenv.slots(".env", text.encode())}


def test_statements() -> None:
    text = """
# A=comment
A=1
 export B = two words # comment
C='single # "x" \\n'
D="double \\"x\\" \\n \\$y"
E: colon
F=
A=again
not a statement
=none
G=a#b
LAST="two
lines\""""
    assert told(text) == {
        "A": "1",
        "B": "two words",
        "C": 'single # "x" \\n',
        "D": 'double "x" \n $y',
        "E": "colon",
        "F": "",
        "A~2": "again",
        "G": "a#b",
        "LAST": "two\nlines",
    }


@pytest.mark.parametrize("text", ["A=$(cat x)", "A=`id`", 'A="a"b', 'A="unclosed', 'A="\\0a"', 'A="$$\\$"'])
def test_what_readers_take_differently_is_not_offered(text: str) -> None:
    (slot,) = dotenv.slots(".env", text.encode())
    assert not slot.targets and slot.reason


@pytest.mark.parametrize("data", [b"\xff\xfeA\0=\0", b"A=\0\n"])
def test_what_is_no_text_cannot_be_read(data: bytes) -> None:
    with pytest.raises(Unreadable):
        dotenv.slots(".env", data)


_values = st.text(st.sampled_from("abcXYZ019-_.:/@#%&*!?,;+= '\"\\$é漢\n"), min_size=1, max_size=20)


def _written(style: str, value: str) -> str:
    if style == "double":
        for char, name in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("$", "\\$")):
            value = value.replace(char, name)
        return f'"{value}"'
    return f"'{value}'"


@settings(max_examples=100, deadline=None)
@given(
    entries=st.lists(st.tuples(st.sampled_from(["single", "double", "plain"]), _values), min_size=1, max_size=4),
    name=st.sampled_from(["a.env", ".env.local"]),
    export=st.booleans(),
    eol=st.sampled_from(["\n", "\r\n"]),
    end=st.booleans(),
)
def test_generated_files(entries: list[tuple[str, str]], name: str, export: bool, eol: str, end: bool) -> None:
    lines = []
    for number, (style, value) in enumerate(entries):
        if style == "plain" or (style == "single" and ("'" in value or "\\" in value or "\n" in value)):
            text = "".join(char for char in value if char.isalnum()) or "x"
        else:
            text = _written(style, value)
        lines.append(f"{'export ' * export}KEY{number}={text}")
    files = {name: (eol.join(lines) + eol * end).encode(), "compose.yaml": COMPOSE}
    assignments = [
        Assignment(slot, Reference(VAULT, f"moved-{slot.key.lower()}")) for slot in dotenv.slots(name, files[name])
    ]
    assert len(assignments) == len(entries)
    report = check(dotenv, files, assignments)
    assert not report.broken, "\n".join(map(str, report.broken))
    assert not report.not_undoable
    # Readers that are not known do not agree on what a dollar sign means outside of single quotes.
    unclear = [line for line in lines if "$" in line and not line.endswith("'")]
    assert report.refused == (len(unclear) if name == ".env.local" else 0)


def test_a_part_moves_only_where_compose_puts_variables_in() -> None:
    for name, count in (("a.env", 0), ("b.env", 1)):
        files = {name: b"URL=redis://u:Quokka-71@cache\n", "compose.yaml": COMPOSE}
        (slot,) = dotenv.slots(name, files[name])
        at = slot.value.reveal().index(b"Quokka-71")
        report = check(dotenv, files, [Assignment(slot, Reference(VAULT, "cache"), Span(at, at + 9))])
        assert not report.broken
        assert report.refused == count
        if not count:
            assert report.after[name] == b"URL=redis://u:${CACHE:?run ./fetch-secrets.sh}@cache\n"


def test_a_nul_byte_is_refused() -> None:
    files = {"a.env": b"A=x\n", "compose.yaml": COMPOSE}
    (slot,) = dotenv.slots("a.env", files["a.env"])
    slot = replace(slot, value=Plaintext(b"a\0b"))
    done = dotenv.rewrite(Request(files, (Assignment(slot, Reference(VAULT, "a")),)))
    assert [refusal.pointer for refusal in done.refusals] == ["A"] and not done.edits


def test_a_broken_compose_file_beside_it_does_not_stop_it() -> None:
    files = {".env": b"A=Quokka-71\n", "compose.yaml": b"services: {a: [\n"}
    (slot,) = dotenv.slots(".env", files[".env"])
    done = dotenv.rewrite(Request(files, (Assignment(slot, Reference(VAULT, "a")),)))
    assert len(done.edits) == 1


# --- docker run -------------------------------------------------------------------------------------------------------

RUN = b'{"runArgs": ["--env-file", "a.env"]}'


@pytest.mark.parametrize(
    ("path", "text", "read"),
    [
        ("devcontainer.json", '{"runArgs": ["--env-file", "api/a.env"]}', True),
        (".devcontainer/devcontainer.json", '{"runArgs": ["--env-file=${localWorkspaceFolder}/api/a.env"]}', True),
        (".devcontainer/x/devcontainer.json", '{"runArgs": ["--env-file", "./api/a.env"]}', True),
        (".devcontainer/devcontainer.json", '{"runArgs": ["--env-file", "../api/a.env"]}', False),
        (".devcontainer/devcontainer.json", '{"runArgs": ["--env-file", "${localEnv:HOME}/a.env"]}', False),
        (".github/workflows/a.yml", "- run: docker run -d --env-file api/a.env x", True),
        (".github/workflows/a.yml", '- run: |\n    podman create \\\n      --env-file="api/a.env" x', True),
        (".github/workflows/a.yml", "- run: docker compose --env-file api/a.env up", False),
        (".github/workflows/a.yml", "- run: docker run x; node --env-file api/a.env x", False),
        ("notes.md", "docker run --env-file api/a.env x", False),
    ],
)
def test_who_gives_a_file_to_docker(path: str, text: str, read: bool) -> None:
    files = {"api/a.env": b"A=Quokka-71\n", path: text.encode()}
    (slot,) = dotenv.slots("api/a.env", files["api/a.env"])
    report = check(dotenv, files, [Assignment(slot, Reference(VAULT, "a"))])
    assert not report.broken
    assert report.after["api/a.env"] == (
        b"A\n" if read else b"# A is read from the vault by fetch-secrets.sh (secret a)\n"
    )


@given(
    entries=st.lists(
        st.tuples(_values, st.sampled_from(["", "'", '"']), st.sampled_from(["", " ", " # note", "\t"])),
        min_size=1,
        max_size=4,
    ),
    eol=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
def test_generated_files_for_docker(entries: list[tuple[str, str, str]], eol: str, bom: bool) -> None:
    lines = [f"KEY{at}={quote}{value.strip() or 'x'}{quote}{rest}" for at, (value, quote, rest) in enumerate(entries)]
    data = (b"\xef\xbb\xbf" if bom else b"") + eol.join([*lines, ""]).encode()
    files = {"a.env": data, "devcontainer.json": RUN}
    slots = dotenv.slots("a.env", data)
    report = check(dotenv, files, [Assignment(slot, Reference(VAULT, f"m-{slot.pointer}")) for slot in slots])
    assert not report.broken, "\n".join(map(str, report.broken))
    assert not report.not_undoable


# --- direnv -----------------------------------------------------------------------------------------------------------


def told_by_direnv(text: str) -> dict[str, str]:
    return {slot.pointer: slot.value.reveal().decode() for slot in dotenv.slots(".envrc", text.encode())}


def test_assignments_of_a_script() -> None:
    text = """use nix
export A=1 B='two # words' # comment
C="a \\"b\\" \\
c"
D=x E=y command F=z
export -r G=a'b'"c"
if true; then export H=1; fi
PATH_add bin
dotenv .env
export I
A=2
"""
    assert told_by_direnv(text) == {
        "A": "1",
        "B": "two # words",
        "C": 'a "b" c',
        "D": "x",
        "E": "y",
        "G": "abc",
        "H": "1",
        "A~2": "2",
    }


@given(
    entries=st.lists(st.tuples(_values, st.sampled_from(["single", "double"]), st.booleans()), min_size=1, max_size=4),
    eol=st.sampled_from(["\n", "\r\n"]),
)
def test_generated_scripts_stay(entries: list[tuple[str, str, bool]], eol: str) -> None:
    lines = []
    held = {}
    for at, (value, style, export) in enumerate(entries):
        value = value.replace("\n", " ")
        if style == "single":
            value = value.replace("'", "")
            text = f"'{value}'"
        else:
            value = "".join(char for char in value if char not in "$`")
            text = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines.append(f"{'export ' * export}KEY{at}={text}")
        held[f"KEY{at}"] = Plaintext(value.encode())
    data = eol.join([*lines, ""]).encode()
    slots = dotenv.slots(".envrc", data)
    assert {slot.pointer: slot.value for slot in slots} == held
    report = check(dotenv, {".envrc": data}, [Assignment(slot, Reference(VAULT, f"m-{slot.key}")) for slot in slots])
    assert not report.broken, "\n".join(map(str, report.broken))
    assert report.after == {".envrc": data}
    assert report.refused == len(slots)
    assert {item.address.name: item.value for item in dotenv.effective({".envrc": data}, _none)} == held


@given(st.binary(max_size=60))
def test_any_script_is_read_or_said_to_be_unreadable(data: bytes) -> None:
    try:
        slots = dotenv.slots(".envrc", data)
    except Unreadable:
        return
    report = check(
        dotenv, {".envrc": data}, [Assignment(slot, Reference(VAULT, f"m-{at}")) for at, slot in enumerate(slots)]
    )
    assert not report.broken, "\n".join(map(str, report.broken))


def test_a_long_script_costs_no_more_than_its_size() -> None:
    assert len(dotenv.slots(".envrc", b"export A=1 \\\n B='x y'; C=2\n" * 5000)) == 15_000


def _none(reference: Reference) -> Plaintext:
    raise LookupError(reference.name)
