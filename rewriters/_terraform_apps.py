"""References that Azure itself resolves: secrets of Container Apps, settings of App Service and Functions.

Sources: azurerm documents: `azurerm_container_app` (`secret` with `key_vault_secret_id` and `identity`, a resource id
or `System`; `env` with `secret_name`), `azurerm_linux_web_app` (`key_vault_reference_identity_id`); App Service,
Key Vault references (the whole value is the reference; the system-assigned identity unless another is named).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rewriters._api import Reference, Span
from rewriters._hcl import Block, Group
from rewriters._hcl_edit import Editor, quoted
from rewriters._hcl_places import Place
from rewriters._terraform_blocks import No, uri

__all__ = ["Apps"]

_IDENTITY = re.compile(
    r"/subscriptions/[^/\s'\"]+/resourceGroups/[^/\s'\"]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/"
    r"[^/\s'\"]+\Z",
    re.IGNORECASE,
)
_SAY = (
    "name it with --identity /subscriptions/.../resourceGroups/.../providers/Microsoft.ManagedIdentity/"
    "userAssignedIdentities/NAME, or add an identity block"
)


class Apps:
    """The edits in apps. One for a rewrite; an app that several secrets move in gets its identity once."""

    def __init__(self, editor: Callable[[str], Editor], identity: str, notes: dict[str, None]) -> None:
        self.editor, self.wanted, self.notes = editor, identity, notes
        self._identities: dict[tuple[str, int], str] = {}
        self._secrets: dict[tuple[str, int], dict[str, Reference]] = {}
        self._names: dict[tuple[str, int], set[str]] = {}
        self._referring: set[tuple[str, int]] = set()

    def move(self, kind: str, path: str, reference: Reference, place: Place) -> None:
        app = place.blocks[0]
        if kind == "app-setting":
            self.setting(path, app, reference, place)
        elif kind == "app-env":
            self.variable(path, app, reference, place)
        else:
            self.secret(path, app, reference, place)
        self.notes[
            f"{path}: the identity of {'.'.join(app.labels)} needs the role Key Vault Secrets User for the secrets, "
            "before the secret is referred to."
        ] = None

    # --- Container Apps ---------------------------------------------------------------------------------------------

    def secret(self, path: str, app: Block, reference: Reference, place: Place) -> None:
        body = place.blocks[-1].body
        if body.get("key_vault_secret_id") is not None:
            raise No("a reference to the vault stands beside the value already, and wins", "delete the value")
        pairs = [("key_vault_secret_id", quoted(uri(reference)))]
        if body.get("identity") is None:
            pairs.insert(0, ("identity", self.identity(path, app)))
        self.editor(path).instead(body, place.attribute, pairs)

    def variable(self, path: str, app: Block, reference: Reference, place: Place) -> None:
        """The variable names a secret of the app, which leads to the vault."""
        if place.blocks[-1].body.get("secret_name") is not None:
            raise No("the variable names a secret beside its value", "delete the value")
        identity = self.identity(path, app)
        name = self.known(path, app, reference)
        if not name:
            name = self.named(path, app, reference)
            pairs = [("name", quoted(name)), ("identity", identity), ("key_vault_secret_id", quoted(uri(reference)))]
            editor = self.editor(path)
            width = max(len(key) for key, _ in pairs)
            lines = ["secret {", *(f"{editor.unit(app)}{key:<{width}} = {value}" for key, value in pairs), "}"]
            there = app.body.of("secret")
            if there:
                editor.below(there[-1], ["", *lines])
            else:
                editor.into(app, ["", *lines])
        self.editor(path).instead(place.blocks[-1].body, place.attribute, [("secret_name", quoted(name))])

    def known(self, path: str, app: Block, reference: Reference) -> str:
        for name, other in self._secrets.get((path, app.span.start), {}).items():
            if other == reference:
                return name
        for block in app.body.of("secret"):
            if block.body.text("key_vault_secret_id").rstrip("/").lower() == uri(reference).lower():
                return block.body.text("name")
        return ""

    def named(self, path: str, app: Block, reference: Reference) -> str:
        """A free name in the app: small letters, digits and hyphens."""
        key = (path, app.span.start)
        taken = self._names.setdefault(key, {block.body.text("name") for block in app.body.of("secret")})
        base = reference.name.lower().strip("-")[:60] or "secret"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        self._secrets.setdefault(key, {})[name] = reference
        return name

    # --- App Service and Functions ----------------------------------------------------------------------------------

    def setting(self, path: str, app: Block, reference: Reference, place: Place) -> None:
        identity = self.identity(path, app)
        slash = "" if reference.version else "/"
        text = f"@Microsoft.KeyVault(SecretUri={uri(reference)}{slash})"
        key = (path, app.span.start)
        if (
            identity != '"System"'
            and key not in self._referring
            and app.body.get("key_vault_reference_identity_id") is None
        ):
            self.editor(path).into(app, ["", f"key_vault_reference_identity_id = {identity}"])
        self._referring.add(key)
        self.editor(path).put(place.text.literal, quoted(text))

    # --- identities -------------------------------------------------------------------------------------------------

    def identity(self, path: str, app: Block) -> str:
        """The expression of the identity that reads the vault, `"System"` for that of the app itself."""
        key = (path, app.span.start)
        if key not in self._identities:
            self._identities[key] = self._find(path, app)
        return self._identities[key]

    def _find(self, path: str, app: Block) -> str:
        blocks = app.body.of("identity")
        if len(blocks) > 1 or any(block.labels == ("identity",) for block in app.body.of("dynamic")):
            raise No("which identity the app has is made by an expression", "write its identity block out")
        ids = blocks[0].body.get("identity_ids") if blocks else None
        if self.wanted:
            return self._given(path, app, blocks[0] if blocks else None)
        if not blocks:
            raise No("the app has no identity that could read the vault", _SAY)
        if ids is not None:
            if not isinstance(ids.value, Group) or ids.value.kind != "list":
                raise No("which identities the app has is made by an expression", _SAY)
            inner = self.editor(path).data[ids.value.literal.start + 1 : ids.value.literal.end - 1].decode()
            items = [item.strip() for item in inner.split(",") if item.strip()]
            if len(items) == 1 and not re.search(r"[#\n(]|//|/\*", items[0]):
                return items[0]
            if items:
                raise No("the app has several identities, and nothing says which one reads the vault", _SAY)
        if "systemassigned" in blocks[0].body.text("type").lower():
            self.notes[
                f"{path}: {'.'.join(app.labels)} reads the vault with its own identity, which exists only once the app "
                "does: create the app and the role assignment before the reference."
            ] = None
            return '"System"'
        raise No("the app has no identity that could read the vault", _SAY)

    def _given(self, path: str, app: Block, block: Block | None) -> str:
        if not _IDENTITY.match(self.wanted):
            raise No("the identity that was given is no resource id of a user-assigned identity", _SAY)
        editor, text = self.editor(path), quoted(self.wanted)
        if block is None:
            unit = editor.unit(app)
            lines = ["identity {", f'{unit}type         = "UserAssigned"', f"{unit}identity_ids = [{text}]", "}"]
            editor.into(app, ["", *lines])
            return text
        kind, ids = block.body.get("type"), block.body.get("identity_ids")
        said = block.body.text("type")
        if (
            kind is None
            or not said
            or (ids is not None and not (isinstance(ids.value, Group) and ids.value.kind == "list"))
        ):
            raise No("which identities the app has is made by an expression", "write its identity block out")
        if ids is not None:
            literal = ids.value.literal
            inner = editor.data[literal.start + 1 : literal.end - 1]
            if self.wanted.lower().encode() in inner.lower():
                return text
            if b"\n" in inner:
                raise No("the list of identities is written over several lines", "add the identity to it by hand")
            at = literal.end - 1
            editor.put(Span(at, at), f", {text}" if inner.strip() else text)
        else:
            editor.open(block)
            editor.after(block.body, kind, [("identity_ids", f"[{text}]")])
        if "userassigned" not in said.lower():
            editor.put(kind.value.literal, '"SystemAssigned, UserAssigned"')
        return text
