"""The fetch script: run by real shells against a stand-in for `az`, and read back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewriters import Reference, Variable, fetch

VAULT = "https://shop.vault.azure.net"
SHELLS = [shell for shell in ("dash", "bash", "sh") if shutil.which(shell)]
AZ = """#!/bin/sh
[ "$1 $2 $3 $4" = "keyvault secret show --id" ] || { echo "az: usage" >&2; exit 2; }
[ "$6 $7 $8 $9" = "--query value --output tsv" ] || { echo "az: usage" >&2; exit 2; }
place="$STORE/$(printf %s "${5#https://}" | tr / _)"
[ -f "$place" ] || { echo "ERROR: (SecretNotFound)" >&2; exit 3; }
cat "$place"
echo
"""
SHOW = "import os, sys; sys.stdout.buffer.write(os.environb[sys.argv[1].encode()])"


def variable(name: str, secret: str, version: str = "", folder: str = "") -> Variable:
    return Variable(folder, name, Reference(VAULT, secret, version))


class Machine:
    """A folder with a script, and a vault that the stand-in for `az` reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.bin = folder / "bin"
        for place in (self.store, self.bin):
            place.mkdir()
        self.put_az(AZ)

    def put_az(self, text: str) -> None:
        (self.bin / "az").write_text(text)
        (self.bin / "az").chmod(0o755)

    def keep(self, secret: str, value: bytes) -> None:
        (self.store / f"shop.vault.azure.net_secrets_{secret}").write_bytes(value)

    def run(self, shell: str, content: bytes, *command: str) -> subprocess.CompletedProcess[bytes]:
        script = self.folder / "fetch-secrets.sh"
        script.write_bytes(content)
        path = f"{self.bin}:{os.environ['PATH']}"
        env = {"PATH": path, "STORE": str(self.store), "KEPT": "as it was"}
        return subprocess.run([shell, str(script), *command], capture_output=True, env=env, check=False, timeout=60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.one_of(
        st.sampled_from(["two\nlines\n\n", "$HOME `id` \\n \"q\" 'q'", " tab\there ", "=", ".\n", "-n"]),
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=60),
    )
)
def test_the_command_gets_the_value_byte_for_byte(machine: Machine, shell: str, value: str) -> None:
    machine.keep("db-password", value.encode())
    content = fetch.script("", [variable("DB_PASSWORD", "db-password")], None).content
    done = machine.run(shell, content, sys.executable, "-c", SHOW, "DB_PASSWORD")
    assert (done.returncode, done.stdout, done.stderr) == (0, value.encode(), b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_keeps_its_arguments_status_and_environment(machine: Machine, shell: str) -> None:
    machine.keep("db-password", b"Quokka-71")
    content = fetch.script("", [variable("DB_PASSWORD", "db-password")], None).content
    program = "import os, sys; print(sys.argv[1:], os.environ['KEPT'], 'value' in os.environ); sys.exit(7)"
    done = machine.run(shell, content, sys.executable, "-c", program, "a b", "", "*")
    assert done.returncode == 7
    assert done.stdout.decode() == "['a b', '', '*'] as it was False\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_secret_stops_it_before_the_command(machine: Machine, shell: str) -> None:
    machine.keep("db-password", b"Quokka-71")
    wanted = [variable("DB_PASSWORD", "db-password"), variable("TOKEN", "gone")]
    done = machine.run(shell, fetch.script("", wanted, None).content, "touch", str(machine.folder / "started"))
    assert done.returncode == 1
    assert b"TOKEN" in done.stderr and b"secrets/gone" in done.stderr
    assert b"Quokka" not in done.stdout + done.stderr
    assert not (machine.folder / "started").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_an_empty_secret_stops_it(machine: Machine, shell: str) -> None:
    machine.keep("db-password", b"")
    done = machine.run(shell, fetch.script("", [variable("DB_PASSWORD", "db-password")], None).content, "true")
    assert done.returncode == 1 and b"is empty" in done.stderr


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_command_it_says_how_to_use_it(machine: Machine, shell: str) -> None:
    done = machine.run(shell, fetch.script("", [variable("DB_PASSWORD", "db-password")], None).content)
    assert done.returncode == 2 and b"usage" in done.stderr


def test_it_asks_for_the_version_that_is_named(machine: Machine) -> None:
    machine.keep("db-password_4f", b"old")
    machine.keep("db-password", b"new")
    content = fetch.script("", [variable("DB_PASSWORD", "db-password", "4f")], None).content
    done = machine.run(SHELLS[0], content, sys.executable, "-c", SHOW, "DB_PASSWORD")
    assert done.stdout == b"old"


_names = st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True).filter(lambda name: name not in fetch.RESERVED)
_secrets = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(_names, st.tuples(_secrets, st.sampled_from(["", "0a1b2c"])), min_size=1, max_size=8), st.data())
def test_what_is_written_is_read_back_and_merged(entries: dict[str, tuple[str, str]], data: st.DataObject) -> None:
    wanted = [variable(name, secret, version) for name, (secret, version) in sorted(entries.items())]
    cut = data.draw(st.integers(0, len(wanted)))
    first = fetch.script("", wanted[:cut], None).content if cut else None
    merged = fetch.script("", wanted, first)
    assert merged.path == "fetch-secrets.sh"
    assert set(fetch.parse(merged.content)) == set(wanted)
    assert fetch.script("", wanted, merged.content) == merged


def test_lines_of_people_stay() -> None:
    first = fetch.script("", [variable("B", "b")], None).content
    edited = first.replace(b"exec ", b"echo ready >&2\nexec ").replace(b"fetch B", b"# the database\nfetch B")
    merged = fetch.script("", [variable("A", "a")], edited).content
    added = b"fetch A https://shop.vault.azure.net/secrets/a\n"
    assert merged.replace(added, b"") == edited
    assert merged.count(added) == 1


def test_a_foreign_file_is_left_alone() -> None:
    foreign = b"#!/bin/sh\nfetch A https://shop.vault.azure.net/secrets/a\n"
    assert fetch.parse(foreign) == ()
    assert (
        fetch.script("deploy", [variable("A", "a", folder="deploy")], foreign).path == "deploy/fetch-vault-secrets.sh"
    )
    files = {f"deploy/{name}": foreign for name in fetch.NAMES}
    with pytest.raises(ValueError, match="no free name"):
        fetch.path_for("deploy", files)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([variable("A", "a"), variable("A", "b")], "two secrets"),
        ([variable("A;id", "a")], "cannot be the variable"),
        ([variable("PATH", "a")], "cannot be the variable"),
        ([variable("A", "a$(id)")], "no name"),
        ([variable("A", "a", "v 1")], "no name"),
        ([variable("A", "a", folder="elsewhere")], "another folder"),
        ([Variable("", "A", Reference("https://x.net/;id", "a"))], "no name"),
    ],
)
def test_nothing_but_names_gets_into_the_script(wanted: list[Variable], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fetch.script("", wanted, None)
