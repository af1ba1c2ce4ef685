"""Swarm stacks: which files are some, and the external secrets that they take in place of variables.

Sources: docker/cli `cli/compose/convert/compose.go` (of a secret's sources only `file` and `external` are read) and
`config_schema_v3.5.json` (`name`); docker/docs pull request 24812; swarmkit `manager/controlapi/secret.go` (names,
sizes); Compose `pkg/compose/secrets.go` (refuses external secrets).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from rewriters._api import Files, Reference
from rewriters._yaml import Map, Node, Scalar, follow

__all__ = ["MAX_BYTES", "Kind", "base_name", "external_name", "kind_of", "recorded"]

Kind = Literal["", "maybe", "stack"]
"""`stack` only goes to a swarm; a `maybe` has settings that only a swarm heeds, but Compose may run it as well."""

MAX_BYTES = 500 * 1024 - 1
_FILE = re.compile(r"stack|swarm", re.IGNORECASE)
_FOLDER = re.compile(r"(?:.*/)?(?:swarm|stacks?)/[^/]+\Z", re.IGNORECASE)
_DEPLOY = frozenset(("endpoint_mode", "placement", "rollback_config", "update_config"))
_VERSION = re.compile(r"3(?:\.([0-9]{1,2}))?\Z")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?\Z")
_NUMBER = re.compile(r"-v[1-9][0-9]{0,8}\Z")


def _member(node: Node | None, name: str) -> Scalar | Map | None:
    target = follow(node) if node is not None else None
    found = target.get(name) if isinstance(target, Map) else None
    return found if isinstance(found, Scalar | Map) else None


def _external(node: Node) -> bool:
    found = _member(node, "external")
    return isinstance(found, Map) or (isinstance(found, Scalar) and found.text.lower() in ("true", "yes", "on"))


def kind_of(path: str, root: Node) -> Kind:
    """By the file's name, by secrets and configs that a swarm keeps, by settings that only a swarm heeds, by the
    folder's name."""
    if _FILE.search(path.rsplit("/", 1)[-1]):
        return "stack"
    for kind in ("secrets", "configs"):
        objects = _member(root, kind)
        if isinstance(objects, Map) and any(_external(value) for _, value in objects.pairs):
            return "stack"
    services = _member(root, "services")
    for _, body in services.pairs if isinstance(services, Map) else ():
        deploy = _member(body, "deploy")
        if isinstance(deploy, Map) and not _DEPLOY.isdisjoint(deploy.entries()):
            return "maybe"
    return "maybe" if _FOLDER.match(path) else ""


def _takes_names(root: Node) -> bool:
    """Whether the file's version knows `name:` of a secret: 3.5 and later, and files without one."""
    version = _member(root, "version")
    if version is None:
        return True
    match = _VERSION.match(version.text) if isinstance(version, Scalar) else None
    return match is not None and int(match[1] or "0") >= 5


def external_name(reference: Reference, root: Node, files: Files, *, ours: bool) -> str:
    """The swarm's name for a vault secret; empty when a swarm, or this file, takes none.

    A swarm's secrets never change, so their names count. `ours` says that the fetch script there already accounts for
    this secret: then the last number that the files use is that of its value. Else that one may be anybody's.
    """
    pattern = re.compile(rb"(?<![A-Za-z0-9_.-])%b-v([1-9][0-9]{0,8})(?![A-Za-z0-9_.-])" % reference.name.encode())
    texts = (data for path, data in files.items() if path.lower().endswith((".yml", ".yaml")))
    last = max((int(number) for data in texts for number in pattern.findall(data)), default=0)
    name = f"{reference.name}-v{last if ours and last else last + 1}"
    return name if _takes_names(root) and _NAME.match(name) else ""


def base_name(name: str) -> str:
    """The vault secret's name in a name that counts; empty for any other."""
    match = _NUMBER.search(name)
    return name[: match.start()] if match else ""


def recorded(name: str, known: Iterable[tuple[str, Reference]]) -> tuple[str, Reference] | None:
    """The variable and secret of the folder's fetch script from which a swarm's secret of this name is made, if there
    is just one."""
    base = base_name(name)
    found = [item for item in known if base and item[1].name == base]
    return found[0] if len(found) == 1 else None
