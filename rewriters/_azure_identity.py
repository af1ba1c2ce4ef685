"""The identity of an Azure resource in YAML that reads a vault: which one it is, and how it comes into the file.

Source: Azure REST API specification, common types, `ManagedServiceIdentity`, which container groups, container apps
and jobs share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rewriters._aci_edit import Editor
from rewriters._api import Assignment, Reference, Span
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, follow, stops

__all__ = [
    "SAY_IDENTITY",
    "IdentityEditor",
    "No",
    "aliases",
    "is_identity",
    "is_text",
    "maps",
    "secret_uri",
    "whole_text",
]

_IDENTITY = re.compile(
    r"/subscriptions/[^/\s'\"]+/resourceGroups/[^/\s'\"]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/"
    r"[^/\s'\"]+\Z",
    re.IGNORECASE,
)
SAY_IDENTITY = (
    "name it with --identity /subscriptions/.../resourceGroups/.../providers/Microsoft.ManagedIdentity/"
    "userAssignedIdentities/NAME"
)


class No(Exception):
    """Why an assignment cannot be carried out."""

    def __init__(self, reason: str, alternative: str, needs: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason, self.alternative, self.needs = reason, alternative, needs


def secret_uri(reference: Reference) -> str:
    version = f"/{reference.version}" if reference.version else ""
    return f"{reference.vault_url.rstrip('/')}/secrets/{reference.name}{version}"


def is_identity(text: str) -> bool:
    """Whether a text is the resource id of a user-assigned identity."""
    return _IDENTITY.match(text) is not None


def whole_text(item: Assignment) -> None:
    """Raises `No` for a part of a value, and for a value that no vault holds as it is."""
    if item.part is not None:
        raise No("a reference stands for a whole value here", "move the whole text")
    value = item.slot.value.reveal()
    if b"\0" in value or not is_text(value):
        raise No(
            "the value is no UTF-8 text, which is all that Key Vault holds",
            "store the value base64-encoded, and have the program decode it",
        )


def is_text(value: bytes) -> bool:
    """Whether these bytes are UTF-8, which is all that Key Vault holds."""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def maps(node: Node | None) -> Iterator[Map]:
    """The maps of a list, aliases followed."""
    for item in node.items if isinstance(node, Seq) else ():
        target = follow(item)
        if isinstance(target, Map):
            yield target


def aliases(root: Node) -> Iterator[Alias]:
    """Every alias that is written in a tree."""
    todo: list[Node] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, Alias):
            yield node
        elif isinstance(node, Map):
            todo += (part for pair in node.pairs for part in pair)
        elif isinstance(node, Seq):
            todo += node.items


class IdentityEditor(Editor):
    """Collects the edits of one resource's file. `what` is its word in messages; a new `identity` goes in front of the
    first of the keys `before`."""

    what = "group"
    before: tuple[str, ...] = ("properties",)

    def __init__(self, path: str, data: bytes, root: Map, wanted: str) -> None:
        super().__init__(path, data)
        self.root, self.wanted_identity = root, wanted
        self.identity = ""

    def identities(self) -> tuple[Map | None, Map | None]:
        """The maps `identity` and `userAssignedIdentities`."""
        identity = self.root.get("identity")
        if not isinstance(identity, Map):
            return None, None
        assigned = identity.get("userAssignedIdentities")
        return identity, assigned if isinstance(assigned, Map) else None

    def find_identity(self, readers: set[str]) -> None:
        """Chooses the identity that reads the secrets, knowing which ones do already; raises `No` when none can be
        told."""
        assigned = self.identities()[1]
        there = list(assigned.entries()) if assigned is not None else []
        if self.wanted_identity:
            if not is_identity(self.wanted_identity):
                raise No("the identity that was given is no resource id of a user-assigned identity", SAY_IDENTITY)
            same = [name for name in there if name.lower() == self.wanted_identity.lower()]
            self.identity = same[0] if same else self.wanted_identity
            return
        chosen = there if len(there) == 1 else [name for name in there if name in readers]
        if len(chosen) != 1:
            raise No(
                f"the {self.what} has several user-assigned identities, and nothing says which one reads the vault"
                if there
                else f"the {self.what} has no user-assigned identity that could read the vault",
                SAY_IDENTITY,
            )
        if not is_identity(chosen[0]):
            raise No(f"the {self.what}'s identity is no resource id of a user-assigned identity", SAY_IDENTITY)
        self.identity = chosen[0]

    def add_identity(self) -> None:
        identity, assigned = self.identities()
        if assigned is not None and self.identity in assigned.entries():
            return
        entry = f"{self.identity}: {{}}"
        inline = f'"{self.identity}": {{}}'
        if assigned is not None and not assigned.flow:
            self.block_lines(assigned.pairs[0][0], [entry])
            return
        if assigned is not None:
            self.flow_pair(assigned, inline)
            return
        if identity is None:
            self._new_identity(entry, inline)
            return
        kind = identity.get("type")
        if isinstance(kind, Scalar) and "userassigned" not in kind.text.lower():
            text = "SystemAssigned, UserAssigned" if kind.text.lower() == "systemassigned" else "UserAssigned"
            if kind.style in ("single", "double"):
                self.edit(kind.span, text)
            else:
                at = Span(kind.literal.start, stops(self.data, kind))
                self.edit(at, f"'{text}'" if identity.flow and "," in text else text)
        missing = "" if isinstance(kind, Scalar) else "type: UserAssigned"
        if identity.flow:
            self.flow_pair(identity, ", ".join(filter(None, (missing, f'"userAssignedIdentities": {{{inline}}}'))))
            return
        lines = [missing] if missing else []
        empty = identity.entries().get("userAssignedIdentities")
        if empty is None:
            self.block_lines(identity.pairs[0][0], [*lines, "userAssignedIdentities:", f"  {entry}"])
            return
        if lines:
            self.block_lines(identity.pairs[0][0], lines)
        self.fill(empty[0], empty[1], f"{{{inline}}}")

    def _new_identity(self, entry: str, inline: str) -> None:
        found = self.root.entries().get("identity")
        if found is not None:
            self.fill(found[0], found[1], f'{{"type": "UserAssigned", "userAssignedIdentities": {{{inline}}}}}')
            return
        if self.root.flow:
            self.flow_pair(self.root, f'"identity": {{"type": "UserAssigned", "userAssignedIdentities": {{{inline}}}}}')
            return
        key = next(pair[0] for pair in self.root.pairs if isinstance(pair[0], Scalar) and pair[0].text in self.before)
        self.block_lines(key, ["identity:", "  type: UserAssigned", "  userAssignedIdentities:", f"    {entry}"])
