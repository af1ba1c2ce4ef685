"""Settings from options, variables and files: which goes before which, what is refused, and whom a file is believed."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
from pathlib import Path

import pytest

from secretscan import api
from secretscan.cli import main
from secretscan.cli.configuration import KEYS, Configured, add_key, add_references, configured
from secretscan.errors import ConfigurationError, UsageError
from secretscan.plan.document import Plan
from secretscan.vault.auth import connect
from secretscan.vault.server import EmbeddedVault
from secretscan.vault.server.serve import describe

SHOP = Path(__file__).parents[2] / "fixtures" / "shop"
URL = "https://one.vault.azure.net"
OTHER = "https://two.vault.azure.net"


class Terminal(io.StringIO):
    """A standard input at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETSCAN_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def read(root: Path, *words: str) -> Configured:
    parser = argparse.ArgumentParser()
    add_key(parser, "vault")
    add_key(parser, "auth")
    parser.add_argument("--local")
    add_references(parser)
    return configured(parser.parse_args(words), root)


def write(folder: Path, text: str, name: str = ".secretscan.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_option_before_variable_before_file_before_default(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(root).text("kubernetes-target") == "auto"
    assert read(root).text("connection-strings") == "parts"
    write(root, 'kubernetes-target = "akv2k8s"\nplaceholders = true\nprefix = "file"\n')
    assert read(root).text("kubernetes-target") == "akv2k8s"
    assert read(root).on("placeholders")
    monkeypatch.setenv("SECRETSCAN_KUBERNETES_TARGET", "secrets-store-csi")
    monkeypatch.setenv("SECRETSCAN_PLACEHOLDERS", "no")
    assert read(root).text("kubernetes-target") == "secrets-store-csi"
    assert not read(root).on("placeholders")
    assert read(root, "--kubernetes-target", "external-secrets").text("kubernetes-target") == "external-secrets"
    assert read(root, "--placeholders").on("placeholders")
    assert read(root, "--prefix", "").text("prefix") == "", "an empty option is one"


@pytest.mark.parametrize("name", ["--no-placeholders", "--no-pin-versions", "--no-marathon-secrets"])
def test_what_a_file_turns_on_an_option_turns_off(root: Path, name: str) -> None:
    key = name.removeprefix("--no-")
    write(root, f"{key} = true\n")
    assert read(root).on(key)
    assert not read(root, name).on(key)


def test_the_nearest_file_within_the_repository(tmp_path: Path) -> None:
    write(tmp_path, 'prefix = "outside"\n')
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    write(tmp_path / "repo", '[tool.secretscan]\nprefix = "project"\n', "pyproject.toml")
    (tmp_path / "repo" / "deploy" / "test").mkdir(parents=True)
    below = tmp_path / "repo" / "deploy" / "test"
    assert read(below).text("prefix") == "project"
    write(tmp_path / "repo", 'prefix = "own"\n')
    assert read(below).text("prefix") == "own", "our own file goes before the project's"
    write(below.parent, "[tool.other]\nx = 1\n", "pyproject.toml")
    assert read(below).text("prefix") == "own", "a project without our table says nothing"
    write(below, 'prefix = "near"\n')
    assert read(below).text("prefix") == "near"
    assert read(tmp_path / "repo").text("prefix") == "own"


def test_without_a_repository_only_the_root_counts(tmp_path: Path) -> None:
    write(tmp_path, 'prefix = "above"\n')
    (tmp_path / "root" / "deploy").mkdir(parents=True)
    assert read(tmp_path / "root" / "deploy").text("prefix") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prefiks = 'a'", "did you mean prefix"),
        ("entirely-else = 1", "there are vault, auth"),
        ("prefix = 1", "a text"),
        ('prefix = "a\\u001b[0m"', "a text"),
        ("placeholders = 'yes'", "true or false"),
        ("kubernetes-target = 'vault'", "external-secrets"),
        ("auth = 'local'", "managed-identity"),
        ("vaults = 'https://x'", "a table"),
        ("[vaults]\n'a/**' = 1", "no vault"),
        ("[vaults]\n'a/**' = 'http://x'", "no vault"),
        ("[vaults]\n'../a' = 'https://x.vault.azure.net'", "fits no file"),
        ("[vaults]\n'/a' = 'https://x.vault.azure.net'", "fits no file"),
        ("prefix = ", "not TOML"),
        ("a = " + "[" * 100_000, "not TOML"),
        ("[tool.secretscan]\nprefix = 'a'", "no setting tool"),
    ],
)
def test_what_is_wrong_is_said_with_the_place(root: Path, text: str, said: str) -> None:
    file = write(root, text)
    with pytest.raises(ConfigurationError) as error:
        read(root)
    shown = "\n".join(error.value.lines())
    assert said in shown
    assert str(file) in shown
    assert "\x1b" not in shown


def test_a_variable_that_is_wrong_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETSCAN_PLACEHOLDERS", "perhaps")
    with pytest.raises(ConfigurationError, match="SECRETSCAN_PLACEHOLDERS"):
        read(root)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "huge", "bytes"])
def test_a_file_that_is_no_plain_text_is_not_read(root: Path, tmp_path: Path, kind: str) -> None:
    place = root / ".secretscan.toml"
    if kind == "link":
        place.symlink_to(write(tmp_path, "prefix = 'a'", "elsewhere.toml"))
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    elif kind == "huge":
        place.write_bytes(b"#" * (2 << 20))
    else:
        place.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError):
        read(root)


# --- vaults ----------------------------------------------------------------------------------------------------------


def test_a_vault_of_the_tree_needs_somebody_who_looks(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, f'vault = "{URL}"\n')
    with pytest.raises(UsageError, match="while a person looks"):
        read(root).need_person(unattended=False)
    monkeypatch.setattr(sys, "stdin", Terminal())
    read(root).need_person(unattended=False)
    with pytest.raises(UsageError, match="while a person looks"):
        read(root).need_person(unattended=True)
    read(root, "--vault", URL).need_person(unattended=True)
    monkeypatch.setenv("SECRETSCAN_VAULT", URL)
    read(root).need_person(unattended=True)


def test_a_pattern_of_the_tree_needs_somebody_too(root: Path) -> None:
    write(root, f'[vaults]\n"prod/**" = "{OTHER}"\n')
    with pytest.raises(UsageError) as error:
        read(root, "--vault", URL).need_person(unattended=True)
    assert f"--vault-for=prod/**={OTHER}" in "\n".join(error.value.lines())
    read(root, "--vault", URL, "--vault-for", f"prod/**={OTHER}").need_person(unattended=True)


def test_a_file_that_was_named_is_believed(root: Path, tmp_path: Path) -> None:
    write(root, 'vault = "https://evil.vault.azure.net"\nprefix = "evil"\n')
    mine = write(tmp_path, f'vault = "{URL}"\n', "mine.toml")
    config = read(root, "--config", str(mine))
    config.need_person(unattended=True)
    assert config.text("vault") == URL
    assert config.text("prefix") == "", "the other is not read at all"


def test_the_embedded_vault_takes_the_place_of_all(root: Path) -> None:
    write(root, f'vault = "{URL}"\n[vaults]\n"prod/**" = "{OTHER}"\n')
    config = read(root, "--local", "vault.json")
    config.need_person(unattended=True)
    assert config.text("vault") == "" and not config.rules
    assert "not used" in config.notes[0]


def test_patterns_are_seen_from_their_file(tmp_path: Path) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "deploy").mkdir()
    write(tmp_path / "repo", f'[vaults]\n"deploy/prod/**" = "{OTHER}"\n')
    share = read(tmp_path / "repo" / "deploy").share(URL)
    assert share is not None
    assert share.of("prod/compose.yaml") == OTHER
    assert share.of("test/compose.yaml") == URL


def test_unattended_commands_name_the_vault_themselves(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(SHOP, root, dirs_exist_ok=True)
    write(root, f'vault = "{URL}"\n')
    monkeypatch.chdir(root)
    for words in (["plan", "--offline"], ["migrate", "--yes"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "while a person looks" in said and f"--vault {URL}" in said
    monkeypatch.setattr(sys, "stdin", Terminal())
    assert main(["plan", "--offline"]) in (0, 1)
    assert ".secretscan.toml names" in capsys.readouterr().err
    assert main(["migrate", "--yes"]) == 2


# --- a vault for each environment ------------------------------------------------------------------------------------

COMPOSE = """\
services:
  api:
    image: shop/api
    environment:
      API_TOKEN: {token}
      DB_PASSWORD: Xw5Tq8LzRk2Yv7Np
"""


@pytest.fixture
def environments(root: Path) -> Path:
    for name, token in (("test", "Hq3Zt8VbNw5Xc2Kd"), ("prod", "Jm7Rp4LsYg9Fh6Td")):
        write(root / name, COMPOSE.format(token=token), "compose.yaml")
    return root


def test_each_environment_goes_into_its_vault_and_comes_back(
    environments: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in environments.rglob("*.yaml")}
    with EmbeddedVault(("one", "two")) as server:
        descriptor = tmp_path / "vault.json"
        describe(descriptor, server)
        words = [str(environments), "--vault", URL, "--vault-for", f"prod/**={OTHER}", "--local", str(descriptor)]
        assert main(["plan", *words, "--output", str(tmp_path / "plan.json")]) == 0
        plans = {name: Plan.from_text((tmp_path / f"plan.{name}.json").read_text(), "here") for name in ("one", "two")}
        assert {move.path for move in plans["one"].moves} == {"test/compose.yaml"}
        assert {move.path for move in plans["two"].moves} == {"prod/compose.yaml"}
        assert {left.mark for plan in plans.values() for left in plan.left} == {"other-vault"}
        assert "stays as it is" not in capsys.readouterr().out
        assert main(["migrate", *words, "--yes"]) == 0
        for url, folder in ((URL, "test"), (OTHER, "prod")):
            with connect(url, "local", descriptor=descriptor) as vault:
                assert len(vault.names()) == 2, "the shared value is in both"
            script = (environments / folder / "fetch-secrets.sh").read_text()
            assert url in script
        for run in reversed(api.status(environments).runs):
            assert main(["undo", run.id, "--root", str(environments), "--local", str(descriptor)]) == 0
    assert {path: path.read_bytes() for path in environments.rglob("*.yaml")} == before


def test_the_page_names_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text("utf-8")
    for name in KEYS:
        assert f"| `{name}` | `SECRETSCAN_{name.upper().replace('-', '_')}` |" in page


@pytest.mark.parametrize("folder", ["/etc", "../other", "a/../..", "a\\b"])
def test_companions_stay_below_the_root(root: Path, folder: str) -> None:
    with pytest.raises(ConfigurationError, match="not below the scanned one"):
        read(root, "--companions", folder)
