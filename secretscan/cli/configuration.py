"""Settings of a migration: each a key of a file, a variable of the environment and an option of the command line.

    # .secretscan.toml beside what is scanned or above it, or [tool.secretscan] of a pyproject.toml
    vault = "https://shop-test.vault.azure.net"
    kubernetes-target = "secrets-store-csi"

    [vaults]
    "deploy/production/**" = "https://shop-production.vault.azure.net"

An option goes before a variable (`SECRETSCAN_KUBERNETES_TARGET`), that before the file, and that before the default. A
file that lies in the tree may come with somebody else's change, so it is not believed where it would name a vault
while nobody looks; one that the user names with `--config` is.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from secretscan.errors import ConfigurationError, UsageError, printable
from secretscan.inventory.folder import read_plain
from secretscan.plan.share import Share, fault

__all__ = ["AUTH", "KEYS", "Configured", "add_key", "add_references", "configured"]

FILE: Final = ".secretscan.toml"
_PROJECT: Final = "pyproject.toml"
_MOST_BYTES: Final = 1 << 20
AUTH: Final = ("default", "cli", "environment", "managed-identity", "workload")


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `words` are all that it may be, if there are but few; a `switch` is on or off."""

    help: str
    kind: Literal["text", "switch"] = "text"
    words: tuple[str, ...] = ()
    metavar: str | None = None
    default: str = ""


_VAULT: Final[Mapping[str, Key]] = {
    "vault": Key("https://NAME.vault.azure.net", metavar="URL"),
    "auth": Key("how to sign in to Azure (default: default)", words=AUTH),
}
_REFERENCES: Final[Mapping[str, Key]] = {
    "prefix": Key("how names in the vault begin (default: the folder's name)"),
    "placeholders": Key("move placeholders such as 'changeme' too", "switch"),
    "pin-versions": Key("references name the version that is stored, not whatever is current", "switch"),
    "connection-strings": Key(
        "as parts where the platform can put them together, or always whole (default: parts)",
        words=("parts", "whole"),
        default="parts",
    ),
    "identity": Key("resource id of the managed identity for ACI", metavar="ID"),
    "vault-id": Key("resource id of the vault, for ARM templates", metavar="ID"),
    "client-id": Key("client id of the workload identity for Kubernetes"),
    "tenant-id": Key("tenant of the vault, for the Secrets Store CSI driver"),
    "kubernetes-target": Key(
        "what reads the vault in the cluster (default: what the manifests use, else external-secrets)",
        words=("auto", "external-secrets", "secrets-store-csi", "akv2k8s"),
        default="auto",
    ),
    "companions": Key("folder for new Kubernetes objects (default: with what needs them)", metavar="FOLDER"),
    "secret-store": Key("an existing External Secrets store", metavar="NAME"),
    "service-connection": Key("service connection of Azure Pipelines that reads the vault", metavar="NAME"),
    "marathon-secrets": Key("Marathon has a secrets plugin, and its store gets the secrets", "switch"),
}
KEYS: Final = {**_VAULT, **_REFERENCES}
_TABLE: Final = "vaults"


def add_key(parser: argparse._ActionsContainer, name: str) -> None:
    """The option of a setting. Not given, it is `None`."""
    key = KEYS[name]
    if key.kind == "switch":
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=key.help)
    elif key.words:
        parser.add_argument(f"--{name}", choices=key.words, help=key.help)
    else:
        parser.add_argument(f"--{name}", metavar=key.metavar, help=key.help)


def add_references(parser: argparse.ArgumentParser) -> None:
    """The options of all that a person may choose about references, and of the file that chooses."""
    group = parser.add_argument_group("references")
    for name in _REFERENCES:
        add_key(group, name)
    group.add_argument(
        "--vault-for",
        metavar="PATTERN=URL",
        action="append",
        help="the vault for files whose path fits, such as 'deploy/production/**=URL'; can be given again",
    )
    group.add_argument(
        "--config", metavar="FILE", help=f"settings of yours, read instead of the {FILE} beside what is scanned"
    )


@dataclass(frozen=True, slots=True)
class Configured:
    """The settings by name (`""` or `False` where nothing sets them), and where the vaults were named."""

    values: Mapping[str, str | bool]
    rules: tuple[tuple[str, str], ...] = ()
    folder: str = ""
    notes: tuple[str, ...] = ()
    found: str = ""
    """The file of the tree that names a vault which is used, or `""`."""
    _named: tuple[str, ...] = field(default=(), repr=False)

    def text(self, name: str) -> str:
        return str(self.values[name])

    def on(self, name: str) -> bool:
        return bool(self.values[name])

    def share(self, default: str) -> Share | None:
        """Which file's values go where, `None` when all go to one vault."""
        return Share(default, self.rules, self.folder) if self.rules else None

    def need_person(self, *, unattended: bool) -> None:
        """Raises `UsageError` if a vault comes from a file in the tree while nobody looks."""
        if self.found and (unattended or not sys.stdin.isatty()):
            raise UsageError(
                "a vault that the scanned folder itself names is used only while a person looks",
                where=self.found,
                why="whoever can change that folder could name a vault of their own",
                next_step=f"name it with {' '.join(self._named)}; or give --config with a file that is yours",
            )


def configured(args: argparse.Namespace, root: Path) -> Configured:
    """The settings for what is below `root`. Raises `ConfigurationError` for a file or a variable that is wrong."""
    given, trusted = getattr(args, "config", None), True
    if given:
        file, table = Path(given), _read(Path(given), given)
    else:
        trusted = False
        file, table = _look(root)
    values: dict[str, str | bool] = {}
    by_file: set[str] = set()
    for name, key in KEYS.items():
        option = getattr(args, name.replace("-", "_"), None)
        variable = "SECRETSCAN_" + name.upper().replace("-", "_")
        if option is not None:
            values[name] = option
        elif os.environ.get(variable):
            values[name] = _of_variable(os.environ[variable], key, variable)
        elif name in table:
            values[name] = _checked(table[name], key, f"{file}: {name}")
            by_file.add(name)
        else:
            values[name] = key.default if key.kind == "text" else False
    if (folder := values["companions"]) and (fault(str(folder)) or "\\" in str(folder)):
        raise ConfigurationError(
            "the folder for companions is not below the scanned one",
            where=printable(str(folder)),
            next_step="name it as seen from the scanned folder, such as deploy/vault",
        )
    local = bool(getattr(args, "local", None))
    rules, folder, notes = _rules(args), "", []
    in_file = _checked_rules(table.get(_TABLE, {}), str(file))
    if not rules and in_file and not local:
        rules, folder = in_file, _way(file.parent, root)
        by_file.add(_TABLE)
    if local and (in_file or "vault" in by_file):
        notes.append(f"{printable(str(file))}: the vaults there are not used, since --local names one")
        by_file -= {"vault", _TABLE}
        values["vault"] = getattr(args, "vault", None) or ""
    named = [f"--vault {values['vault']}"] if "vault" in by_file else []
    named += [f"'--vault-for={pattern}={url}'" for pattern, url in rules] if _TABLE in by_file else []
    found = "" if trusted or not named else printable(str(file))
    return Configured(values, rules, folder, tuple(notes), found, tuple(map(printable, named)))


def _way(above: Path, root: Path) -> str:
    """From the folder of a file down to the root: patterns are seen from the file."""
    root, above = root.resolve(), above.resolve()
    return "" if root == above or not root.is_relative_to(above) else f"{root.relative_to(above).as_posix()}/"


def _look(root: Path) -> tuple[Path, Mapping[str, Any]]:
    """The file beside the root, or else the nearest above it within the same repository, and its settings."""
    root = root.resolve()
    way = [root, *root.parents]
    top = next((at for at, folder in enumerate(way) if os.path.lexists(folder / ".git")), 0)
    for folder in way[: top + 1]:
        for name in (FILE, _PROJECT):
            file = folder / name
            if os.path.lexists(file):
                table = _read(file, str(file))
                if name == FILE or table:
                    return file, table
    return root / FILE, {}


def _read(file: Path, shown: str) -> Mapping[str, Any]:
    """The settings in a file: of a pyproject.toml those of our table. Raises `ConfigurationError`."""
    try:
        body = tomllib.loads(read_plain(file, _MOST_BYTES).decode("utf-8"))
    except OSError as error:
        why = error.strerror or str(error.args[-1])
        raise ConfigurationError("the settings cannot be read", where=printable(shown), why=why) from None
    except (ValueError, RecursionError):
        raise ConfigurationError("the settings cannot be read", where=printable(shown), why="it is not TOML") from None
    if file.name == _PROJECT:
        tool = body.get("tool", {})
        body = tool.get("secretscan", {}) if isinstance(tool, dict) else {}
        if not isinstance(body, dict):
            raise ConfigurationError("tool.secretscan is not a table", where=printable(shown))
    known = [*KEYS, _TABLE]
    for name in body:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ConfigurationError(
                f"there is no setting {printable(name, 40)}",
                where=printable(shown),
                next_step=f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}",
            )
    return body


def _checked(raw: object, key: Key, where: str) -> str | bool:
    if key.kind == "switch":
        if isinstance(raw, bool):
            return raw
        raise ConfigurationError("this setting is true or false", where=printable(where))
    if not isinstance(raw, str) or not raw.isprintable():
        raise ConfigurationError("this setting is a text on one line", where=printable(where))
    if key.words and raw not in key.words:
        raise ConfigurationError("this is none of the words it may be", where=printable(where), next_step=_one_of(key))
    return raw


def _of_variable(raw: str, key: Key, name: str) -> str | bool:
    if key.kind == "switch":
        word = raw.lower()
        if word in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            return word in ("1", "true", "yes", "on")
        raise ConfigurationError("this setting is true or false", where=name)
    return _checked(raw, key, name)


def _one_of(key: Key) -> str:
    return f"it may be {', '.join(key.words)}"


def _rules(args: argparse.Namespace) -> tuple[tuple[str, str], ...]:
    given: Sequence[str] = getattr(args, "vault_for", None) or ()
    pairs = (each.rpartition("=") for each in given)
    return tuple(_rule(pattern, url, f"--vault-for {pattern}") for pattern, _, url in pairs)


def _checked_rules(raw: object, file: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, dict):
        raise ConfigurationError("this setting is a table of patterns and vaults", where=printable(f"{file}: {_TABLE}"))
    return tuple(_rule(pattern, url, f"{file}: {_TABLE}.{pattern}") for pattern, url in raw.items())


def _rule(pattern: str, url: object, where: str) -> tuple[str, str]:
    if not isinstance(url, str) or not url.startswith("https://"):
        raise ConfigurationError(
            "this is no vault for a pattern", where=printable(where), next_step="write it as PATTERN=https://NAME..."
        )
    if why := fault(pattern):
        raise ConfigurationError("this pattern fits no file", where=printable(where), why=why)
    return pattern, url.rstrip("/")
