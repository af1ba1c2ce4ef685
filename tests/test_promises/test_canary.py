"""Promise 1: planted values, searched for in everything that any command writes, in every spelling.

Every command of `cli.COMMANDS` is run in every output format; the test fails for a command that it does not run. The
values are made anew for each run, so none of them can be in an allow-list by accident.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from rewriters import Plaintext
from secretscan.cli import COMMANDS
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.inventory.ids import load_ids
from secretscan.inventory.marks import Mark, add
from secretscan.vault.server import EmbeddedVault


@dataclass
class Output:
    """What was written, and by whom."""

    texts: dict[str, bytes] = field(default_factory=dict)
    ran: set[tuple[str, ...]] = field(default_factory=set)


@pytest.fixture
def values() -> list[str]:
    """A password, one that every encoding changes, and a token."""
    return [
        "Kq" + secrets.token_urlsafe(18),
        'p"ä/+&=%' + secrets.token_hex(10) + "\\<",
        secrets.token_hex(24),
    ]


def spellings(value: str) -> Iterator[bytes]:
    """Plain, base64 at each of the three alignments, URL-encoded, JSON-escaped both ways, and hexadecimal."""
    raw = value.encode()
    yield raw
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw).decode()
        yield coded[-(-shift * 8 // 6) : (shift + len(raw)) * 8 // 6].encode()
    yield quote(value, safe="").encode()
    yield json.dumps(value)[1:-1].encode()
    yield json.dumps(value, ensure_ascii=False)[1:-1].encode()
    yield raw.hex().encode()


def plant(root: Path, values: list[str]) -> None:
    """The values in all five platforms, and at places where nothing can be done about them."""
    password, odd, token = values
    quoted = json.dumps(odd, ensure_ascii=False)
    (root / "compose.yaml").write_text(
        "services:\n  db:\n    image: postgres:16\n    environment:\n"
        f"      POSTGRES_PASSWORD: {password}\n      ADMIN_PASSWORD: {quoted.replace('$', '$$')}\n"
        f"      DATABASE_URL: postgres://app:{password}@db/app\n    labels:\n      api.token: {token}\n"
    )
    (root / ".env").write_text(f"API_TOKEN={token}\nDB_PASSWORD={password}\n")
    (root / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\ndata:\n"
        f"  password: {base64.b64encode(password.encode()).decode()}\n"
        f"  admin-password: {base64.b64encode(odd.encode()).decode()}\n"
    )
    (root / "Dockerfile").write_text(f"FROM alpine\nARG API_TOKEN={token}\nRUN fetch --token=$API_TOKEN\n")
    (root / "aci.yaml").write_text(
        "apiVersion: '2023-05-01'\nname: app\ntype: Microsoft.ContainerInstance/containerGroups\nproperties:\n"
        "  osType: Linux\n  containers:\n  - name: app\n    properties:\n      image: alpine\n"
        f"      environmentVariables:\n      - name: DB_PASSWORD\n        secureValue: {password}\n"
    )
    (root / "broken.yaml").write_text(f"services:\n  db:\n   environment: {{POSTGRES_PASSWORD: {password}\n")
    (root / "notes.txt").write_text(f"the password={password} and the token: {token}\n")


def plant_marks(root: Path, state: Path, values: list[str]) -> None:
    """An ignore file whose authors quoted the values: where a reason stands, and where no entry is."""
    password, odd, token = values
    ids = load_ids(str(state))
    (root / "accepted.env").write_text(f"SIGNING_TOKEN={token}\n")
    reason = f"{token} and {password}, or {base64.b64encode(odd.encode()).decode()}"
    mark = Mark("accepted", ids.secret(Plaintext(token.encode())), "accepted.env", reason, token, "", ids.fingerprint())
    add(root, [mark])
    with (root / IGNORE_FILE).open("a") as file:
        file.write(f"{password}\n{{{json.dumps(odd)}: 1}}\n")


def written(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


@pytest.fixture
def output(tmp_path: Path, values: list[str]) -> Output:
    """Runs everything there is to run on a tree with the values planted."""
    root, state, scratch = tmp_path / "tree", tmp_path / "state", tmp_path / "scratch"
    for folder in (root, state, scratch):
        folder.mkdir()
    plant(root, values)
    plant_marks(root, state, values)
    originals = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    seen = Output()
    environment = {
        **os.environ,
        "SECRETSCAN_STATE_DIR": str(state),
        "TMPDIR": str(scratch),
        "XDG_CACHE_HOME": str(scratch),
    }

    def command(*words: str, where: Path = root) -> int:
        done = subprocess.run(
            [sys.executable, "-m", "secretscan", *words],
            cwd=where,
            env=environment,
            capture_output=True,
            timeout=120,
            check=False,
        )
        name = " ".join(words)
        assert b"Traceback" not in done.stderr, name
        assert b"internal error" not in done.stderr, done.stderr.decode()
        seen.texts[f"{name} (standard output)"] = done.stdout
        seen.texts[f"{name} (standard error)"] = done.stderr
        seen.ran.add(words[:1])
        for folder in (state, scratch, root):
            for path, data in written(folder).items():
                if originals.get(Path(path)) != data:
                    seen.texts[f"{path} after {name}"] = data
        return done.returncode

    with EmbeddedVault(("canary",)) as server:
        descriptor = tmp_path / "vault.json"
        descriptor.touch(mode=0o600)
        descriptor.write_text(
            json.dumps(
                {
                    "azure_url": server.azure_url("canary"),
                    "proxy": server.proxy_url,
                    "ca_file": str(server.ca_file),
                    "token": server.token,
                }
            )
        )
        url, local = server.azure_url("canary"), ("--local", str(descriptor))
        plan = str(scratch / "plan.json")
        for form in ("text", "jsonl"):
            assert command("scan", "--format", form) == 1
            assert command("scan", "--format", form, "--output", str(scratch / form)) == 1
            command("inventory", "--format", form)
        assert command("scan", str(root / "nothing-here")) == 2
        assert command("plan", "--vault", url, "--offline") == 1
        assert b"marked as accepted: *** and ***" in seen.texts[f"plan --vault {url} --offline (standard output)"]
        assert command("plan", "--vault", url, *local, "--output", plan, "--roles", f"{plan}.bicep") == 1
        assert command("apply", plan, *local) == 0
        run = next((root / ".secretscan" / "runs").iterdir()).name
        command("status")
        command("inventory")
        assert command("prove", run, *local) == 0
        # A file that changes under a run, and a vault that is gone, are where messages quote most easily.
        genuine = originals[root / ".env"]
        originals[root / ".env"] += b"# more\n"
        (root / ".env").write_bytes(originals[root / ".env"])
        assert command("prove", run, *local) == 3
        assert command("undo", run, *local) == 3
        originals[root / ".env"] = genuine
        (root / ".env").write_bytes(genuine)
        assert command("undo", run, *local, "--delete-from-vault") == 0
        assert command("migrate", "--vault", url, *local, "--yes") != 2
    command("plan", "--vault", url, *local)
    command("migrate", "--vault", "https://127.0.0.1:1", "--yes", "--auth", "cli")
    command("vault", "serve", "--name", "-")
    command("review")  # without a terminal; its screens have a search of their own (test_canary_tui)
    command("demo")
    return seen


def test_no_value_leaves(output: Output, values: list[str]) -> None:
    assert {words[0] for words in output.ran} == set(COMMANDS)
    leaks = [
        where
        for where, text in output.texts.items()
        for value in values
        if any(form in text for form in spellings(value))
    ]
    # Places that were not rewritten keep their values, in the user's own files: those are not output.
    assert not leaks


def test_the_search_finds_every_spelling(values: list[str]) -> None:
    for value in values:
        for text in (
            value,
            base64.b64encode(b"ab" + value.encode()).decode(),
            quote(value, safe=""),
            json.dumps(value),
        ):
            assert any(form in text.encode() for form in spellings(value))
