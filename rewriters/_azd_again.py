"""`azure.yaml` read a second time, with ruamel.yaml: what its hooks run and are given, and its texts with variables.

Sources: Azure/azure-dev, schemas/v1.0/azure.yaml.json; hooks_config.go (one hook or a list of them), hooks_manager.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rewriters._api import Unreadable
from rewriters._azure_tree import items, load, mapping, text_of

__all__ = ["Hook", "hooks", "texts"]

MAX_NODES = 200_000


@dataclass(frozen=True, slots=True)
class Hook:
    """What runs, and which variable is given the value of which."""

    name: str
    script: str
    given: dict[str, str]


def hooks(data: bytes) -> Iterator[Hook]:
    """Raises `Unreadable`."""
    top = mapping(load(data))
    holders = [("", top)]
    holders += [(f"services/{name}/", mapping(node)) for name, node in mapping(top.get("services")).items()]
    layers = items(mapping(top.get("infra")).get("layers"))
    holders += [(f"layers/{at}/", mapping(node)) for at, node in enumerate(layers)]
    for before, holder in holders:
        for name, node in mapping(holder.get("hooks")).items():
            for at, item in enumerate(items(node) or [node]):
                hook = mapping(item)
                for machine, part in (
                    ("", hook),
                    ("/windows", mapping(hook.get("windows"))),
                    ("/posix", mapping(hook.get("posix"))),
                ):
                    if "run" in part:
                        pairs = {key: text_of(value) for key, value in mapping(part.get("secrets")).items()}
                        given = {key: value for key, value in pairs.items() if value is not None}
                        yield Hook(f"{before}{name}/{at}{machine}", text_of(part["run"]) or "", given)


def texts(data: bytes) -> Iterator[tuple[str, str]]:
    """The texts with variables under their names, but for scripts and what `secrets` says. Raises `Unreadable`."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), load(data))]
    budget = MAX_NODES
    while todo:
        budget -= 1
        if budget < 0:
            raise Unreadable("aliases repeat too much")
        steps, node = todo.pop()
        text = text_of(node)
        if text is None:
            todo += (((*steps, key), value) for key, value in mapping(node).items())
            todo += (((*steps, str(at)), item) for at, item in enumerate(items(node)))
        elif "${" in text and "secrets" not in steps and not ("hooks" in steps and steps[-1] == "run"):
            yield "/".join(steps), text
