"""The operations of the secrets API, and how a request names one of them.

Paths and permissions: the service's REST reference, which the SDK's generated client follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote_to_bytes


class Operation(Enum):
    """One operation. The value is its name in the request log and in the descriptions of faults."""

    SET = "set"
    GET = "get"
    UPDATE = "update"
    LIST = "list"
    LIST_VERSIONS = "list versions"
    DELETE = "delete"
    GET_DELETED = "get deleted"
    LIST_DELETED = "list deleted"
    RECOVER = "recover"
    PURGE = "purge"
    BACKUP = "backup"
    RESTORE = "restore"

    @property
    def permission(self) -> str:
        """The access policy's permission for it."""
        return _RIGHTS[self][0]

    @property
    def data_action(self) -> str:
        """The data action that a role must hold for it."""
        return "Microsoft.KeyVault/vaults/secrets/" + _RIGHTS[self][1]


_RIGHTS: Final = {
    Operation.SET: ("set", "setSecret/action"),
    Operation.GET: ("get", "getSecret/action"),
    Operation.UPDATE: ("set", "update/action"),
    Operation.LIST: ("list", "readMetadata/action"),
    Operation.LIST_VERSIONS: ("list", "readMetadata/action"),
    Operation.DELETE: ("delete", "delete"),
    Operation.GET_DELETED: ("get", "getSecret/action"),
    Operation.LIST_DELETED: ("list", "readMetadata/action"),
    Operation.RECOVER: ("recover", "recover/action"),
    Operation.PURGE: ("purge", "purge/action"),
    Operation.BACKUP: ("backup", "backup/action"),
    Operation.RESTORE: ("restore", "restore/action"),
}

EVERY: Final = frozenset(Operation)
WRITES: Final = frozenset({Operation.SET, Operation.UPDATE, Operation.DELETE, Operation.RECOVER, Operation.PURGE})
READS: Final = frozenset(
    {Operation.GET, Operation.LIST, Operation.LIST_VERSIONS, Operation.GET_DELETED, Operation.LIST_DELETED}
)


@dataclass(frozen=True, slots=True)
class Route:
    """A request's operation and its object. `name` and `version` are empty where the path has none."""

    operation: Operation
    name: str = ""
    version: str = ""


class UnknownPath(LookupError):
    """No operation has such a path. `args[0]` is its first segment."""


class WrongMethod(LookupError):
    """The path is known, but not with this method."""


def route(method: str, path: str) -> Route:
    """The operation that `method` and the still encoded `path` name. A trailing slash is an empty version.

    Raises `UnknownPath`, `WrongMethod`.
    """
    parts = [unquote_to_bytes(part).decode("utf-8", "replace") for part in path.removeprefix("/").split("/")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    match method, parts:
        case "GET", ["secrets"]:
            return Route(Operation.LIST)
        case "POST", ["secrets", "restore"]:
            return Route(Operation.RESTORE)
        case "GET", ["deletedsecrets"]:
            return Route(Operation.LIST_DELETED)
        case "GET", ["secrets", name, "versions"]:
            return Route(Operation.LIST_VERSIONS, name)
        case "POST", ["secrets", name, "backup"]:
            return Route(Operation.BACKUP, name)
        case "POST", ["deletedsecrets", name, "recover"]:
            return Route(Operation.RECOVER, name)
        case "PUT", ["secrets", name]:
            return Route(Operation.SET, name)
        case "GET", ["secrets", name, *version] if len(version) < 2:
            return Route(Operation.GET, name, "".join(version))
        case "PATCH", ["secrets", name, *version] if len(version) < 2:
            return Route(Operation.UPDATE, name, "".join(version))
        case "DELETE", ["secrets", name]:
            return Route(Operation.DELETE, name)
        case "GET", ["deletedsecrets", name]:
            return Route(Operation.GET_DELETED, name)
        case "DELETE", ["deletedsecrets", name]:
            return Route(Operation.PURGE, name)
    if parts[0] in ("secrets", "deletedsecrets") and len(parts) <= 3:
        raise WrongMethod(method)
    raise UnknownPath(parts[0])
