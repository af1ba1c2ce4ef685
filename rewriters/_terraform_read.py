"""Where the values of a Terraform file stand, and what can become of each place.

Sources: Terraform language, blocks (which arguments take no expression), state, "Sensitive data"; azurerm documents for
`azurerm_container_app`, `azurerm_linux_web_app` and their like; azurerm backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rewriters import _api
from rewriters._api import Slot, Unreadable
from rewriters._hcl import Body, Text
from rewriters._hcl import opens as opens_template
from rewriters._hcl import read as read_hcl
from rewriters._hcl_places import MAX_PLACES, Place, places, pointer_of, unique
from rewriters._json import read as read_json
from rewriters._yaml import Map, Node, Scalar, Seq
from rewriters.plaintext import Plaintext

__all__ = ["REASONS", "TARGETS", "Kind", "Site", "folder_of", "is_state", "is_variables", "read", "sites"]

Kind = Literal[
    "", "app-secret", "app-env", "app-setting", "data", "ephemeral", "provider", "default", "values", "backend",
]  # fmt: skip

TARGETS: dict[str, tuple[str, ...]] = {
    "app-secret": ("key-vault-reference",), "app-env": ("key-vault-reference",),
    "app-setting": ("key-vault-reference",), "data": ("data-source", "variable"), "ephemeral": ("ephemeral",),
    "provider": ("ephemeral", "variable"), "default": ("variable",), "values": ("variable",),
    "backend": ("environment",),
}  # fmt: skip

REASONS: dict[str, tuple[str, str]] = {
    "state": (
        "it is Terraform's state, which Terraform alone writes",
        "rotate the secret, and keep the state in a remote backend that encrypts it and lets few people read it",
    ),
    "constant": ("Terraform takes no reference here", "move the value to an argument that takes expressions"),
    "nested": (
        "it is a part of a variable that holds more, and TF_VAR_… sets a variable as a whole",
        "give the secret a variable of its own",
    ),
    "each": (
        "for_each takes no sensitive value",
        "iterate over names, and read the secrets by them with azurerm_key_vault_secret",
    ),
    "backend": (
        "a backend takes no reference, and has no environment variable for this argument",
        "leave it out, and give it with terraform init -backend-config=FILE",
    ),
    "template": (
        "the value is put together from others here",
        "move the part that is the secret, or the whole by hand",
    ),
    "stray": ("it stands in no block", "put it where Terraform reads it"),
}

WEB_APPS = frozenset(
    f"azurerm_{name}{slot}"
    for name in ("linux_web_app", "windows_web_app", "linux_function_app", "windows_function_app", "app_service",
                 "function_app", "function_app_flex_consumption", "logic_app_standard")
    for slot in ("", "_slot")
)  # fmt: skip
CONTAINER_APPS = frozenset(("azurerm_container_app", "azurerm_container_app_job"))
BACKEND_VARIABLES = {"access_key": "ARM_ACCESS_KEY", "sas_token": "ARM_SAS_TOKEN", "client_secret": "ARM_CLIENT_SECRET"}

_CONSTANT_BLOCKS = frozenset(("terraform", "moved", "import", "removed", "lifecycle", "validation", "timeouts"))
_CONSTANT_ARGUMENTS = frozenset(
    ("depends_on", "provider", "providers", "source", "version", "alias", "when", "on_failure", "type")
)
_WRAPS = frozenset(("merge", "tomap"))


@dataclass(frozen=True, slots=True)
class Site:
    """A place with its slot; `place` in HCL, `owner` with the pair's `index` in JSON."""

    slot: Slot
    kind: Kind
    refused: str
    place: Place | None = None
    owner: Map | None = None
    index: int = 0
    template: bool = False


def folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def is_state(path: str) -> bool:
    return path.lower().endswith((".tfstate", ".tfstate.backup"))


def is_variables(path: str) -> bool:
    return path.lower().endswith((".tfvars", ".tfvars.json"))


def read(path: str, data: bytes) -> list[Site]:
    """In the order of their spans. Raises `Unreadable`."""
    if path.lower().endswith(".json") or is_state(path):
        found = list(_json_sites(path, data))
    else:
        found = list(sites(path, data, read_hcl(data)))
    return sorted(found, key=lambda site: (site.slot.span, site.slot.pointer))


# --- HCL -----------------------------------------------------------------------------------------------------------


def sites(path: str, data: bytes, body: Body) -> Iterator[Site]:
    for place in places(body):
        kind, refused = _values(place) if is_variables(path) else _classed(place)
        if kind and place.text.template and kind in ("default", "values", "backend"):
            kind, refused = "", "template"
        elif kind in ("app-secret", "app-env", "app-setting") and place.text.template:
            kind = "data"  # a reference of Azure's stands for a whole value; Terraform puts parts in
        reason = place.text.odd or (REASONS[refused][0] if not kind else "")
        if reason:
            kind = ""
        text = place.text
        yield Site(
            _slot(path, place.pointer, place.key, text.text, text, kind, reason, _place(place, kind)),
            kind, refused, place, template=text.template,
        )  # fmt: skip


def _slot(
    path: str, pointer: str, key: str, value: bytes, text: Text | Scalar, kind: Kind, reason: str, place: _api.Place
) -> Slot:
    encoding = text.encoding
    return Slot(
        "terraform", path, pointer, key, Plaintext(value), text.span, text.literal, encoding, place,
        TARGETS.get(kind, ()), reason, kind in ("data", "ephemeral", "provider"),
    )  # fmt: skip


def _values(place: Place) -> tuple[Kind, str]:
    if place.blocks:
        return "", "stray"
    return ("", "nested") if place.path else ("values", "")


def _classed(place: Place) -> tuple[Kind, str]:
    """What can become of a text of a configuration."""
    kinds = [block.kind for block in place.blocks]
    name = place.attribute.name
    if not kinds:
        return "", "stray"
    if kinds[0] == "variable":
        if kinds != ["variable"] or name != "default":
            return "", "constant"
        return ("", "nested") if place.path else ("default", "")
    if kinds[:2] == ["terraform", "backend"]:
        known = place.blocks[1].labels == ("azurerm",) and len(kinds) == 2 and not place.path
        return ("backend", "") if known and name in BACKEND_VARIABLES else ("", "backend")
    if not _CONSTANT_BLOCKS.isdisjoint(kinds):
        return "", "constant"
    if name in ("for_each", "count"):
        return "", "each"
    if name in _CONSTANT_ARGUMENTS and (len(kinds) == 1 or kinds[-1] in ("provisioner", "dynamic")):
        return "", "constant"
    if kinds[0] == "provider":
        return "provider", ""
    if kinds[0] == "ephemeral" or not {"provisioner", "connection"}.isdisjoint(kinds):
        return "ephemeral", ""
    if kinds[0] == "resource":
        return _of_resource(place, kinds), ""
    return "data", ""


def _of_resource(place: Place, kinds: list[str]) -> Kind:
    labels, name = place.blocks[0].labels, place.attribute.name
    resource = labels[0] if labels else ""
    if resource in CONTAINER_APPS and name == "value" and not place.path:
        if kinds == ["resource", "secret"]:
            return "app-secret"
        if kinds[:2] == ["resource", "template"] and kinds[2:] in (["container", "env"], ["init_container", "env"]):
            return "app-env"
    if resource in WEB_APPS:
        wrapped = all(step in _WRAPS or step.isdigit() for step in place.path[:-1])
        if kinds == ["resource"] and name == "app_settings" and place.path and wrapped:
            return "app-setting"
        if kinds == ["resource", "connection_string"] and name == "value" and not place.path:
            return "app-setting"
    return "ephemeral" if name.endswith("_wo") else "data"


def _place(place: Place, kind: Kind) -> _api.Place:
    """What kind of place it is for judging the value."""
    names = {place.attribute.name, *(block.kind for block in place.blocks)}
    if kind in ("app-env", "app-setting") or names & {"environment_variables", "app_settings", "env"}:
        return "env"
    if kind == "app-secret" or "secure_environment_variables" in names:
        return "secret"
    if "image_registry_credential" in names and place.attribute.name == "password":
        return "registry"
    if place.attribute.name == "storage_account_key":
        return "volume"
    if place.attribute.name in ("command", "commands", "args") and place.path:
        return "arg"
    return "config"


# --- JSON ----------------------------------------------------------------------------------------------------------


def _json_sites(path: str, data: bytes) -> Iterator[Site]:
    root = read_json(data)
    if not isinstance(root, Map):
        raise Unreadable("the document is no object")
    seen: Counter[str] = Counter()
    count = 0
    todo: list[tuple[Node, tuple[str, ...], Map | None, int]] = [(root, (), None, 0)]
    while todo:
        node, steps, owner, index = todo.pop()
        if isinstance(node, Map):
            todo += (
                (value, (*steps, key.text), node, at)
                for at, (key, value) in enumerate(node.pairs)
                if isinstance(key, Scalar)
            )
        elif isinstance(node, Seq):
            todo += ((item, (*steps, _named(item) or str(at)), None, 0) for at, item in enumerate(node.items))
        elif isinstance(node, Scalar) and node.style == "double":
            count += 1
            if count > MAX_PLACES:
                raise Unreadable(f"more than {MAX_PLACES} texts")
            if not steps or (is_state(path) and not _is_state_value(steps)):
                continue
            yield _json_site(path, node, steps, owner, index, unique(pointer_of(steps), seen))


def _named(node: Node) -> str:
    name = node.get("name") if isinstance(node, Map) else None
    return name.text if isinstance(name, Scalar) and name.style == "double" else ""


def _is_state_value(steps: tuple[str, ...]) -> bool:
    return steps[0] == "outputs" or "attributes" in steps


def _json_site(path: str, node: Scalar, steps: tuple[str, ...], owner: Map | None, index: int, pointer: str) -> Site:
    words = tuple(step for step in steps if not step.isdigit())
    kind: Kind = "data"
    refused = ""
    if is_state(path):
        kind, refused = "", "state"
    elif is_variables(path):
        kind, refused = ("values", "") if len(steps) == 1 else ("", "nested")
    elif words[0] == "variable":
        kind, refused = ("default", "") if words[2:] == ("default",) and len(steps) == 3 else ("", "constant")
    elif words[:2] == ("terraform", "backend"):
        known = words[2:3] == ("azurerm",) and words[-1] in BACKEND_VARIABLES and owner is not None
        kind, refused = ("backend", "") if known else ("", "backend")
    elif words[0] in _CONSTANT_BLOCKS or "lifecycle" in words or words[-1] in ("depends_on", "source", "version", "//"):
        kind, refused = "", "constant"
    elif words[-1] in ("for_each", "count"):
        kind, refused = "", "each"
    elif words[0] == "provider":
        kind = "provider"
    elif words[0] == "ephemeral" or words[-1].endswith("_wo") or not {"provisioner", "connection"}.isdisjoint(words):
        kind = "ephemeral"
    elif words[0] not in ("resource", "data", "module", "locals", "output"):
        kind, refused = "", "stray"
    template = kind in ("data", "ephemeral", "provider")
    opens = opens_template(node.text.encode("utf-8", "surrogatepass"))
    encoding = (*node.encoding, "hcl-text") if template and not opens else node.encoding
    value = node.text
    if template and not opens:
        value = value.replace("$${", "${").replace("%%{", "%{")
    raw = value.encode("utf-8", "surrogatepass")
    scalar = Scalar(value, node.span, node.literal, node.style, encoding, start=node.start)
    key = words[-2] if words[-1] == "default" and len(words) > 1 else words[-1] if words else ""
    reason = "" if kind else REASONS[refused][0]
    place: _api.Place = "env" if {"app_settings", "environment_variables"} & set(words) else "config"
    return Site(
        _slot(path, pointer, key, raw, scalar, kind, reason, place),
        kind,
        refused,
        None,
        owner,
        index,
        template and opens,
    )
