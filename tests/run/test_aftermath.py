"""What is left after a run is listed with commands that a shell takes as they are meant, and that hold no value."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rewriters import Settings
from secretscan import api
from secretscan.plan.document import Plan
from secretscan.run.aftermath import FollowUp
from secretscan.vault.choice import VaultChoice

URL = "https://shop.vault.azure.net"
CASES = Path(__file__).resolve().parents[2] / "fixtures"

_FAKE = """#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done >> "$LOG"
[ "$1 $2" = "keyvault show" ] && echo /vault-id
exit 0
"""


def offline(root: Path) -> Plan:
    return api.plan([str(root)], URL, None).plan


def of(kind: str, left: tuple[FollowUp, ...]) -> list[FollowUp]:
    return [each for each in left if each.kind == kind]


def ran(command: str, tmp_path: Path, *programs: str) -> list[str]:
    """The words that the programs of a command got, run by a shell in which they only write these down."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    log = tmp_path / "log"
    log.write_text("")
    for name in programs:
        (folder / name).write_text(_FAKE)
        (folder / name).chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "LOG": str(log)}
    subprocess.run(["sh", "-euc", command], check=True, cwd=tmp_path, env=environment, capture_output=True)
    return log.read_text().splitlines()


def test_what_is_left_of_the_shop(shop: Path, local: Any, tmp_path: Path) -> None:
    plan = offline(shop)
    done = api.apply(plan, local.vault)
    left = api.aftermath(plan, done)
    assert not of("proof", left) + of("refused", left) + of("elsewhere", left)
    names = [secret.name for secret in plan.secrets]
    assert [shlex.split(each.command)[7] for each in of("rotate", left)] == names
    assert all("--file" in each.command and "--value" not in each.command for each in of("rotate", left))
    assert any("ServiceAccount" in each.text for each in of("note", left))
    assert any("git history" in each.text for each in of("note", left))
    commands = [each.command for each in of("apply", left)]
    assert [command.split()[0] for command in commands] == ["kubectl", "kubectl", "az", "cd", "cd"]
    assert commands[0].endswith("k8s/secret-store.yaml")
    assert commands[1].endswith("k8s/database.yaml")
    assert re.search(
        r"/api && \./fetch-secrets\.sh docker build --secret id=shop-npm-token,env=\w+ -f Dockerf", commands[3]
    )
    assert commands[4].endswith("shop && ./fetch-secrets.sh docker compose up -d")
    (undo,) = of("undo", left)
    assert shlex.split(undo.command) == ["secretscan", "undo", done.run, "--root", str(shop)]


def test_the_readers_get_the_secrets_that_they_read(shop: Path, local: Any) -> None:
    """The image's variable goes to the deployments, in which it has no place that moved."""
    (shop / "k8s" / "database.yaml").unlink()
    plan = offline(shop)
    granted = {each.text.split(" needs ")[0]: each.command for each in of("grant", api.aftermath(plan))}
    (group,) = [command for who, command in granted.items() if "aci/group.yaml" in who]
    (builder,) = [command for who, command in granted.items() if "api/fetch-secrets.sh" in who]
    (starter,) = [command for who, command in granted.items() if who == "whoever starts fetch-secrets.sh"]
    assert "shop-registry-password" in group
    assert "shop-npm-token" not in group
    assert "shop-npm-token" in builder
    assert "shop-registry-password" not in builder + starter
    assert "shop-session-secret" in starter
    assert any("userAssignedIdentities/shop-worker" in who for who in granted)
    assert not any("cluster" in who for who in granted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", sorted(each.parent for each in CASES.glob("*/*/case.toml")), ids=lambda case: str(case.relative_to(CASES))
)
def test_every_secret_has_somebody_who_reads_it(case: Path, tmp_path: Path) -> None:
    settings = tomllib.loads((case / "case.toml").read_text("utf-8")).get("settings", {})
    shutil.copytree(case / "in", tmp_path / "in")
    plan = api.plan([str(tmp_path / "in")], URL, None, settings=Settings(**settings)).plan
    grants = of("grant", api.aftermath(plan))
    granted = {name for grant in grants for name in re.findall(r"[0-9A-Za-z-]+", grant.command)}
    assert {secret.name for secret in plan.secrets} <= granted


def test_a_grant_is_for_each_secret_and_no_more(shop: Path, tmp_path: Path) -> None:
    plan = offline(shop)
    for grant in of("grant", api.aftermath(plan)):
        words = ran(grant.command, tmp_path, "az")
        scopes = [word for word in words if word.startswith("/vault-id")]
        named = re.search(r"for (\d+) secrets?", grant.text)
        assert named is not None
        assert len(scopes) == int(named.group(1)) > 0
        assert {scope.removeprefix("/vault-id/secrets/") for scope in scopes} <= {each.name for each in plan.secrets}
        assert words.count("Key Vault Secrets User") == len(scopes)


@pytest.mark.parametrize("name", ["it's; touch owned", "$(touch owned)", "-f", "two  words", "a&b"])
def test_paths_are_quoted(shop: Path, local: Any, tmp_path: Path, name: str) -> None:
    root = tmp_path / "roots" / name
    root.parent.mkdir()
    shop.rename(root)
    plan = offline(root)
    done = api.apply(plan, local.vault)
    left = api.aftermath(plan, done, choice=VaultChoice(URL, "cli"))
    for each in of("apply", left):
        command = each.command.replace("./fetch-secrets.sh", "true")
        ran(command, tmp_path, "kubectl", "az", "docker")
    words = ran(of("undo", left)[0].command, tmp_path, "secretscan")
    assert words == ["undo", done.run, "--root", str(root), "--auth", "cli"]
    words = ran(of("apply", left)[0].command, tmp_path, "kubectl")
    assert words == ["apply", "-f", str(root / "k8s" / "secret-store.yaml")]
    assert not list(tmp_path.rglob("owned"))


def test_a_path_that_cannot_be_shown_gets_no_command(shop: Path) -> None:
    (shop / "aci").rename(shop / "a\x1b]0;ci")
    left = api.aftermath(offline(shop))
    assert [each.command for each in of("apply", left) if "a\\x1b]0;ci" in each.text] == [""]
    assert all((each.text + each.command).isprintable() for each in left)


def test_before_the_run_it_tells_what_will_be_left(shop: Path) -> None:
    plan = offline(shop)
    left = api.aftermath(plan)
    assert not of("undo", left) + of("elsewhere", left) + of("proof", left)
    assert of("rotate", left) and of("grant", left) and of("apply", left)
    assert not (shop / ".secretscan" / "runs").exists()


def test_what_stays_is_said_with_its_alternative(shop: Path) -> None:
    (shop / "compose.yaml").write_text(
        "services:\n  api:\n    image: shop\n    build:\n      context: .\n      args:\n"
        "        API_TOKEN: 'gX7pQ2wR9tY4uI6oP1aS3dF5'\n"
    )
    plan = offline(shop)
    (refused,) = [each for each in of("refused", api.aftermath(plan)) if each.text.startswith("compose.yaml")]
    (left,) = [each for each in plan.left if each.path == "compose.yaml"]
    assert left.reason in refused.text
    assert left.alternative in refused.text
    assert refused.command == ""


def test_other_places_of_a_moved_value_and_a_proof_that_does_not_hold(shop: Path, local: Any) -> None:
    value = next(line for line in (shop / ".env").read_text().splitlines() if line.startswith("SESSION_SECRET="))
    (shop / "notes.md").write_text(f"use {value} here\n")
    plan = offline(shop)
    done = api.apply(plan, local.vault)
    left = api.aftermath(plan, done)
    assert [each.text.split(":")[0] for each in of("elsewhere", left)] == ["notes.md"]
    from dataclasses import replace

    from secretscan.prove.proof import Leftover

    broken = replace(done, proof=replace(done.proof, leftovers=(Leftover(".env", "SESSION_SECRET", 3),)))
    assert api.aftermath(plan, broken)[0] == FollowUp(
        "proof", "the value is still there: .env:3 SESSION_SECRET; undo the run, or mend it"
    )
    assert value.partition("=")[2] not in repr(left)


def test_the_azure_cli_knows_no_embedded_vault(shop: Path, local: Any) -> None:
    plan = offline(shop)
    done = api.apply(plan, local.vault)
    choice = VaultChoice(URL, "local", "/tmp/my vault.json")
    left = api.aftermath(plan, done, choice=choice)
    assert not any(each.command for each in of("rotate", left) + of("grant", left))
    assert any("forgets everything" in each.text for each in of("note", left))
    assert shlex.split(of("undo", left)[0].command)[-2:] == ["--local", "/tmp/my vault.json"]
    for url in ("https://localhost:9443", "https://vault.example.org"):
        elsewhere = api.plan([str(shop)], url, None).plan
        assert not any(each.command for each in of("rotate", api.aftermath(elsewhere)))


def test_files_under_a_kustomization_are_not_applied_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))
    root = tmp_path / "tree"
    shutil.copytree(CASES / "kubernetes" / "kustomization-lists" / "in", root)
    plan = offline(root)
    assert plan.moves
    applied = of("apply", api.aftermath(plan))
    assert applied
    assert not any(each.command for each in applied)
