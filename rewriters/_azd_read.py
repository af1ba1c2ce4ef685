"""The places of azd's files: the variables of an environment, its settings, and the texts of `azure.yaml`.

Sources: Azure/azure-dev, schemas/v1.0/azure.yaml.json; pkg/environment; pkg/config (`vault://` stands for a text that
azd keeps on the machine of its user).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from rewriters._api import Place, Slot, Unreadable
from rewriters._azd_env import variables
from rewriters._json import read as read_json
from rewriters._yaml import Map, Node, Scalar, Seq, documents, join
from rewriters.plaintext import Plaintext

__all__ = ["CONFIG", "HELD", "SCRIPT", "SUBSTITUTED", "TARGET", "is_script", "leaves", "project_map", "read"]

TARGET = "akvs"
MAX_PLACES = 50_000

CONFIG = "azd hands on what stands here as it is, and takes no reference to a vault"
HELD = "azd keeps this value on the machine of its user, and what stands here only names it"
SUBSTITUTED = "azd substitutes variables here, and hands on a reference to a vault as the text that it is"
SCRIPT = "azd hands a script to its shell as it stands"

_HELD = re.compile(r"vault://[0-9a-fA-F-]{36}/[0-9a-fA-F-]{36}\Z")
_WORDS = frozenset(("true", "false", "null", ""))
_NAMES = frozenset(
    ("name", "template", "resourceGroup", "provider", "module", "host", "language", "project", "dist", "path",
     "context", "platform", "shell", "kind", "dir", "type", "uses", "dependsOn", "variables", "azd", "backend",
     "deploymentPath", "namespace", "apiVersion", "version", "chart", "defaultEnvironment")
)  # fmt: skip
_FREE = frozenset(("env", "config", "environment"))
"""Maps whose keys are a user's own; elsewhere no value stands under `_NAMES`, nor under a hook's `secrets`."""


def read(path: str, data: bytes) -> tuple[Slot, ...]:
    """In the order of their spans. Raises `Unreadable`."""
    if path.endswith("/.env"):
        found = _variables(path, data)
    elif path.endswith(".json"):
        found = _config(path, data)
    else:
        found = _project(path, data)
    count: dict[str, int] = {}
    slots: list[Slot] = []
    for slot in found:
        many = count[slot.pointer] = count.get(slot.pointer, 0) + 1
        slots.append(slot if many == 1 else replace(slot, pointer=f"{slot.pointer}~{many}"))
        if len(slots) > MAX_PLACES:
            raise Unreadable(f"more than {MAX_PLACES} values")
    return tuple(sorted(slots, key=lambda item: (item.span, item.pointer)))


def _variables(path: str, data: bytes) -> Iterator[Slot]:
    for item in variables(data):
        yield Slot(
            "azd", path, item.key, item.key, Plaintext(item.value), item.span, item.literal, item.encoding, "env",
            () if item.odd else (TARGET,), item.odd,
        )  # fmt: skip


def _config(path: str, data: bytes) -> Iterator[Slot]:
    root = read_json(data)
    if not isinstance(root, Map):
        raise Unreadable("not a map of settings", 1)
    for steps, node in leaves(root):
        key = str(steps[-1])
        if node.text not in _WORDS and key not in _NAMES:
            yield _slot(path, steps, node, "config", HELD if _HELD.match(node.text) else CONFIG)


def _project(path: str, data: bytes) -> Iterator[Slot]:
    for steps, node in leaves(project_map(data)):
        if node.text in _WORDS:
            continue
        if is_script(steps):
            yield _slot(path, steps, node, "arg", SCRIPT)
            continue
        own = next((at for at, step in enumerate(steps) if step in _FREE), len(steps))
        named = next((step for step in reversed(steps) if isinstance(step, str)), "")
        if own < len(steps) - 1 or not (named in _NAMES or "secrets" in steps or "workflows" in steps[:1]):
            place: Place = "env" if steps[own : own + 1] == ("env",) else "other"
            yield _slot(path, steps, node, "build" if "buildArgs" in steps else place, SUBSTITUTED)


def _slot(path: str, steps: tuple[str | int, ...], node: Scalar, place: Place, reason: str) -> Slot:
    key = next((step for step in reversed(steps) if isinstance(step, str)), "")
    value = node.text.encode("utf-8", "surrogatepass")
    return Slot(
        "azd", path, join(*steps), "" if place == "arg" else key, Plaintext(value), node.span, node.literal,
        node.encoding, place, (), reason,
    )  # fmt: skip


def is_script(steps: tuple[str | int, ...]) -> bool:
    """Whether a text of `azure.yaml` is what a hook runs."""
    return "hooks" in steps and steps[-1] == "run"


def project_map(data: bytes) -> Map:
    """`azure.yaml`. Raises `Unreadable`."""
    found = documents(data)
    root = found[0].root if found else None
    if not isinstance(root, Map):
        raise Unreadable("not a map of settings", 1)
    return root


def leaves(root: Node) -> Iterator[tuple[tuple[str | int, ...], Scalar]]:
    """Each text under its steps; one that an alias repeats is there once."""
    todo: list[tuple[tuple[str | int, ...], Node]] = [((), root)]
    while todo:
        steps, node = todo.pop()
        if isinstance(node, Map):
            todo += reversed([((*steps, key.text), value) for key, value in node.pairs if isinstance(key, Scalar)])
        elif isinstance(node, Seq):
            todo += reversed([((*steps, index), item) for index, item in enumerate(node.items)])
        elif isinstance(node, Scalar) and steps:
            yield steps, node
