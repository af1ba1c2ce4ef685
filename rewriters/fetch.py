"""The script that reads secrets from Azure Key Vault into the environment of the command that it starts.

Compose and `.env` files have no reference of their own to a vault: their files name an environment variable, and
somebody must set it before the start. This module writes that somebody, one script a folder, and reads it back, so
that a later run adds to it and the proof knows which variable is which secret. The script holds no value and prints
none.

Sources: POSIX.1-2024, shell command language 2.6.3 (command substitution removes all line feeds at the end, hence the
mark after the value); Azure CLI reference, `az keyvault secret show --id`; its `tsv` output writes a text as it is
and one line feed after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rewriters._api import Companion, Files, Reference, Variable

__all__ = ["NAMES", "RESERVED", "is_variable", "parse", "path_for", "script", "variables"]

_MARK = "# secretscan: fetch script 1"
NAMES = ("fetch-secrets.sh", "fetch-vault-secrets.sh", "fetch-vault-secrets-2.sh", "fetch-vault-secrets-3.sh")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ID = re.compile(
    r"(?P<vault>https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?)/secrets/(?P<name>[0-9A-Za-z-]{1,127})"
    r"(?:/(?P<version>[0-9A-Za-z]{1,64}))?\Z"
)
_LINE = re.compile(r"fetch +(?P<variable>\S+) +(?P<id>\S+)[ \t]*\Z")

RESERVED = frozenset(
    ("BASH_ENV", "CDPATH", "DISPLAY", "EDITOR", "ENV", "GID", "HOME", "HOSTNAME", "HTTPS_PROXY", "HTTP_PROXY", "IFS",
     "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD", "LOGNAME", "MAIL", "NO_PROXY", "OLDPWD", "OPTARG", "OPTIND",
     "PAGER", "PATH", "PPID", "PS1", "PS2", "PS4", "PWD", "SHELL", "SHLVL", "TERM", "TMPDIR", "TZ", "UID", "USER")
)  # fmt: skip
"""Variables that programs give a meaning of their own: a secret never takes such a name."""

_TEXT = """#!/bin/sh
{mark}
# Reads secrets from Azure Key Vault into the environment of one command, and starts it:
#     {usage} docker compose up -d
# Needs the Azure CLI, signed in as somebody who may read these secrets (role "Key Vault Secrets User").
# It holds no secret itself and prints none. One line "fetch VARIABLE SECRET-ID" for each secret.
set -eu

if [ "$#" -eq 0 ]; then
    printf 'usage: %s COMMAND [ARGUMENT ...]\\n' "$0" >&2
    exit 2
fi
if ! command -v az >/dev/null 2>&1; then
    printf '%s: the Azure CLI (az) is not installed\\n' "$0" >&2
    exit 127
fi

fetch() {{
    # A dot after the value keeps the line feeds at its end from being stripped; az adds one of its own.
    if ! value=$(az keyvault secret show --id "$2" --query value --output tsv </dev/null && printf .); then
        printf '%s: cannot read %s for %s: sign in with "az login", and check the role\\n' "$0" "$2" "$1" >&2
        exit 1
    fi
    value=${{value%.}}
    value=${{value%"$newline"}}
    if [ -z "$value" ]; then
        printf '%s: %s is empty, %s would be missing\\n' "$0" "$2" "$1" >&2
        exit 1
    fi
    export "$1=$value"
}}
newline='
'

{lines}
unset value newline
exec "$@"
"""


def is_variable(name: str) -> bool:
    """Whether a shell can set a variable of this name."""
    return _VARIABLE.match(name) is not None


def parse(data: bytes) -> tuple[Variable, ...]:
    """The variables that a script of ours sets, with an empty folder; none for any other file."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    if _MARK not in text[:200].splitlines():
        return ()
    found: dict[str, Variable] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or not is_variable(match["variable"]):
            continue
        identity = _ID.match(match["id"])
        if identity is not None:
            reference = Reference(identity["vault"], identity["name"], identity["version"] or "")
            found[match["variable"]] = Variable("", match["variable"], reference)
    return tuple(found.values())


def _ours(data: bytes) -> bool:
    return _MARK in data[:200].decode("utf-8", "replace").splitlines()


def _paths(folder: str) -> list[str]:
    return [f"{folder}/{name}" if folder else name for name in NAMES]


def path_for(folder: str, files: Files) -> str:
    """Where the script of this folder is, or is to be: never over a file that is not a script of ours.

    Raises `ValueError` when every name is taken by other files.
    """
    paths = _paths(folder)
    for path in paths:
        if path in files and _ours(files[path]):
            return path
    for path in paths:
        if path not in files:
            return path
    raise ValueError(f"no free name for the fetch script in {folder or 'the root'}: {', '.join(NAMES)} are taken")


def variables(folder: str, files: Files) -> Mapping[str, Reference]:
    """What the fetch script of this folder sets, by name; empty without one."""
    data = files.get(path_for(folder, files))
    return {} if data is None else {variable.name: variable.reference for variable in parse(data)}


def script(folder: str, wanted: Iterable[Variable], existing: Files | bytes | None) -> Companion:
    """The script of this folder that sets `wanted`, and all that the script already there sets.

    `existing` is all files by path, or the bytes of the folder's `fetch-secrets.sh` alone; a file of that name that
    is not a script of ours is left alone, and the script gets another name.
    Lines that people added to a script of ours stay: only new `fetch` lines are inserted, after the last one.
    Raises `ValueError` for a name that is no variable, for one variable with two secrets, and as `path_for`.
    """
    if existing is None or isinstance(existing, bytes):
        files: Files = {} if existing is None else {_paths(folder)[0]: existing}
    else:
        files = existing
    path = path_for(folder, files)
    there = files.get(path)
    known = variables(folder, files)
    new: dict[str, Reference] = {}
    for variable in wanted:
        if variable.folder != folder:
            raise ValueError(f"{variable.name} is a variable of another folder")
        if not is_variable(variable.name) or variable.name in RESERVED:
            raise ValueError(f"{variable.name} cannot be the variable of a secret")
        reference = new.setdefault(variable.name, variable.reference)
        if reference != variable.reference or known.get(variable.name, reference) != reference:
            raise ValueError(f"{variable.name} in {path} would stand for two secrets")
    lines = [_line(name, reference) for name, reference in sorted(new.items()) if name not in known]
    name = path.rsplit("/", 1)[-1]
    note = f"Run deployments of this folder through it (chmod +x {path}; ./{name} docker compose up -d)."
    if there is None:
        text = _TEXT.format(mark=_MARK, usage=f"./{name}", lines="\n".join(lines))
        return Companion(path, text.encode(), note)
    return Companion(path, _insert(there, lines), note)


def _line(name: str, reference: Reference) -> str:
    identity = f"{reference.vault_url.rstrip('/')}/secrets/{reference.name}"
    if reference.version:
        identity += f"/{reference.version}"
    if _ID.match(identity) is None:
        raise ValueError(f"{reference.name} in {reference.vault_url} is no name of a vault's secret")
    return f"fetch {name} {identity}"


def _insert(existing: bytes, lines: list[str]) -> bytes:
    if not lines:
        return existing
    added = "".join(f"{line}\n" for line in lines).encode()
    calls = list(re.finditer(rb"(?m)^fetch +\S+ +\S+[ \t]*(?:\n|\Z)", existing))
    start = re.search(rb"(?m)^(?:unset value newline|exec )", existing)
    at = calls[-1].end() if calls else start.start() if start else len(existing)
    before = existing[:at]
    if before and not before.endswith(b"\n"):
        before += b"\n"
    return before + added + existing[at:]
