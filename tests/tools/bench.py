"""A case before and after its rewrite on disk, its values in the embedded vault, and the programs that read both."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import rewriters
from rewriters import Assignment, Files, Plaintext, Reference, Rewriter
from secretscan.vault.server import EmbeddedVault

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
SIDES = ("before", "after")

AZ = """#!{python} -IS
import json, os, sys, urllib.request
if sys.argv[1:4] != ["keyvault", "secret", "show"] or sys.argv[4:9:2] != ["--id", "--query", "--output"]:
    sys.exit("az: these words are not known here")
address = sys.argv[5] + "?api-version=7.6"
request = urllib.request.Request(address, headers={{"Authorization": "Bearer " + os.environ["TOKEN"]}})
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["value"])
"""
"""Does what `az keyvault secret show --id ID --query value --output tsv` does, against the embedded vault."""


@cache
def walker() -> ModuleType:
    """`tests/test_cases.py`, which knows how a case is written."""
    name = "secretscan_cases_of_tools"
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / "test_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Case:
    """One folder of `fixtures/<platform>/`."""

    folder: Path

    def __str__(self) -> str:
        return f"{self.folder.parent.name}/{self.folder.name}"

    @cached_property
    def facts(self) -> Any:
        return walker().load(self.folder / "case.toml")

    @property
    def rewriter(self) -> Rewriter:
        return rewriters.by_name(self.folder.parent.name)

    @cached_property
    def before(self) -> dict[str, bytes]:
        return dict(walker().tree(self.folder / "in"))

    @cached_property
    def after(self) -> dict[str, bytes]:
        out = self.folder / "out"
        return self.before | (walker().tree(out) if out.is_dir() else {})

    def files(self, side: str) -> dict[str, bytes]:
        return self.before if side == "before" else self.after

    @cached_property
    def assignments(self) -> tuple[Assignment, ...]:
        return tuple(walker().assignment(self.rewriter, self.before, move) for move in self.facts.move)

    @cached_property
    def values(self) -> dict[Reference, bytes]:
        """What `secretscan apply` would have put into the vault."""
        result = {}
        for item in self.assignments:
            value = item.slot.value.reveal()
            part = value if item.part is None else value[item.part.start : item.part.end]
            result[Reference(item.reference.vault_url, item.reference.name)] = part
        return result


def cases(*platforms: str) -> list[Case]:
    """The cases of these platforms; `out/` is what the rewriter makes of `in/`, which `tests/test_cases.py` holds."""
    known = [name for name in platforms if (FIXTURES / name).is_dir()]
    return [Case(folder) for name in known for folder in sorted((FIXTURES / name).iterdir()) if folder.is_dir()]


def program(tools: Path, name: str) -> str:
    """The path of a tool. Skips the test when it is not built."""
    place = tools / name
    if not place.exists():
        pytest.skip(f"{name} is not built: make test-tools builds it")
    return str(place)


class Bench:
    """The programs, a folder to lay files out in, and the vault."""

    def __init__(self, tools: Path, vault: EmbeddedVault, folder: Path) -> None:
        self.tools = tools
        self.vault = vault
        self.folder = folder

    def program(self, name: str) -> str:
        return program(self.tools, name)

    def store(self, case: Case) -> None:
        """The values of a case, in the vault."""
        with self.vault.client() as client:
            for reference, value in case.values.items():
                client.put(reference.name, Plaintext(value), replace=True)

    def lookup(self, reference: Reference) -> Plaintext:
        """The value of a reference, from the vault. Others than the embedded vault's stand for themselves."""
        if reference.vault_url.rstrip("/") != self.vault.azure_url():
            return Plaintext(f"\0{reference.vault_url}/{reference.name}".encode())
        with self.vault.client() as client:
            return client.read(Reference(self.vault.azure_url(), reference.name, reference.version))

    def secrets(self, case: Case) -> dict[str, str]:
        """Names of the case's secrets and their values, as the vault hands them out."""
        return {item.name: self.lookup(item).reveal().decode() for item in case.values}

    def lay(self, files: Files, name: str) -> Path:
        """The files in a folder of their own."""
        place = self.folder / name
        for path, data in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(data)
            if data.startswith(b"#!"):
                (place / path).chmod(0o755)
        return place

    def run(
        self, command: Sequence[str | Path], place: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in a folder, with no variables of this process but the path."""
        home = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        words = [str(word) for word in command]
        return subprocess.run(
            words, cwd=place or self.folder, env=home | dict(env or {}), capture_output=True, check=False, timeout=120
        )

    def asked(self, *command: str | Path, place: Path | None = None, env: Mapping[str, str] | None = None) -> Any:
        """What a program that succeeds prints, as JSON."""
        done = self.run(command, place, env)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def to_vault(self) -> dict[str, str]:
        """The environment in which a program reaches the embedded vault under its real name."""
        return {
            "HTTPS_PROXY": self.vault.proxy_url,
            "SSL_CERT_FILE": str(self.vault.ca_file),
            "TOKEN": self.vault.token,
        }

    def fetched(self, folder: Path) -> dict[str, str]:
        """What the fetch script of a folder sets, run by a shell against the vault; nothing when there is none."""
        script = next((folder / name for name in rewriters.fetch.NAMES if (folder / name).is_file()), None)
        if script is None:
            return {}
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        (programs / "az").write_text(AZ.format(python=sys.executable))
        (programs / "az").chmod(0o755)
        env = self.to_vault() | {"PATH": f"{programs}:{os.environ['PATH']}"}
        before = self._environment([], folder, env)
        now = self._environment(["sh", str(script)], folder, env)
        return {name: value for name, value in now.items() if before.get(name) != value}

    def _environment(self, prefix: list[str], folder: Path, env: dict[str, str]) -> dict[str, str]:
        done = self.run([*prefix, "env", "-0"], folder, env)
        assert done.returncode == 0, done.stderr.decode()
        pairs = (entry.partition("=") for entry in done.stdout.decode().split("\0") if entry)
        return {name: value for name, _, value in pairs}
