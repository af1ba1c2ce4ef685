"""What Helm gets as values, references looked up. Read with ruamel.yaml.

Helm is not run: which templates read a value, and what they make of it, is not said here. Sources: Helm documentation,
"Values Files"; helmfile, `pkg/state/state.go`; vals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rewriters._api import Address, Delivery, Files, Lookup, Unreadable
from rewriters._helm_existing import Values
from rewriters._helm_files import is_template_text
from rewriters._helm_mask import Masked, masked
from rewriters._helm_project import Project
from rewriters._helm_vals import expanded
from rewriters._k8s_uses import nearest
from rewriters._yaml import documents, join
from rewriters.plaintext import Plaintext

__all__ = ["effective"]

MAX_DELIVERIES = 200_000

Steps = tuple[str | int, ...]


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The values of each file. Raises `Unreadable`, and what `lookup` raises."""
    project = Project(files)
    values = Values(project)
    secrets = _Secrets(files, lookup)
    found: dict[Address, Plaintext] = {}
    for path, what in sorted(project.roles.items()):
        if what not in ("values", "helmfile"):
            continue
        ways = {naming.how for naming in project.named(path)}
        try:
            leaves = list(_leaves(path, files[path], what))
        except Unreadable:
            continue  # it hands over nothing; whoever asks for its slots is told why
        taken = _taken_over(values, path, secrets) if what == "values" and not is_template_text(path) else {}
        for steps, value in leaves:
            name = ".".join(map(str, steps))
            if name in taken:
                given = taken[name]
                if given is not None:
                    found[Address(path, f"{path}#values", "object", join(*steps))] = given
                continue
            looked_up = _is_given(steps) if what == "helmfile" else "state" not in ways
            text = expanded(value, lookup) if looked_up else value
            found[Address(path, f"{path}#values", "object", join(*steps) if steps else "#")] = Plaintext(text)
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    objects = _of_templates(project, files, lookup)
    return (*(Delivery(address, value) for address, value in found.items()), *objects)


def _of_templates(project: Project, files: Files, lookup: Lookup) -> list[Delivery]:
    """What the objects of templates hand over, their actions taken for texts of their own."""
    from rewriters._k8s_effective import effective as of_objects

    templates: dict[str, bytes] = {}
    for path, what in project.roles.items():
        if what == "template":
            try:
                data = masked(files[path]).data
                documents(data)
            except Unreadable:
                continue
            templates[path] = data
    if not templates:
        return []
    found = of_objects({**files, **templates}, lookup, "kubernetes")
    return [delivery for delivery in found if delivery.address.path in templates]


def _taken_over(values: Values, path: str, secrets: _Secrets) -> dict[str, Plaintext | None]:
    """The values of a file that a chart takes from an existing Secret, with what that holds; nothing for its name."""
    found: dict[str, Plaintext | None] = {}
    for folder in values.folders(path):
        lookup = values.lookup(folder, path)
        for binding in values.bindings(folder, path):
            found[binding.existing] = None
            name = lookup(binding.existing)
            for place, keys in binding.keys.items() if name else ():
                given = secrets.value(path, name or "", keys)
                if given is not None or place not in binding.optional:
                    unknown = Plaintext(f"(Secret {name} {' '.join(keys)})".encode())
                    found[place] = given if given is not None else unknown
    return found


class _Secrets:
    """The Secrets that manifests among the files make, by name."""

    def __init__(self, files: Files, lookup: Lookup) -> None:
        self._files, self._lookup = files, lookup
        self._known: dict[str, list[_Held]] | None = None

    def value(self, path: str, name: str, keys: tuple[str, ...]) -> Plaintext | None:
        """What a Secret holds under keys that have to be the same; `None` when that is not known."""
        if self._known is None:
            self._known = self._read()
        held = nearest(path, self._known.get(name, ()))
        each = [held.content[key] for key in keys if key in held.content] if held is not None else []
        return each[0] if len(each) == len(keys) and all(value == each[0] for value in each) else None

    def _read(self) -> dict[str, list[_Held]]:
        from rewriters import kubernetes

        found: dict[tuple[str, str], _Held] = {}
        for delivery in kubernetes.effective(self._files, self._lookup):
            address = delivery.address
            if address.channel == "object" and "#Secret/" in address.subject:
                name = address.subject.rpartition("/")[2]
                held = found.setdefault((address.path, address.subject), _Held(address.path, name, {}))
                held.content[address.name] = delivery.value
        result: dict[str, list[_Held]] = {}
        for held in found.values():
            result.setdefault(held.name, []).append(held)
        return result


@dataclass(frozen=True, slots=True)
class _Held:
    path: str
    name: str
    content: dict[str, Plaintext] = field(repr=False)


def _is_given(steps: Steps) -> bool:
    """Whether helmfile looks references up at this path of a helmfile."""
    inner = steps[1:] if steps and str(steps[0]).startswith("#") else steps
    return len(inner) > 3 and inner[0] in ("releases", "templates") and inner[2] in (
        "values", "valuesTemplate", "set", "setString", "setTemplate",
    )  # fmt: skip


def _leaves(path: str, data: bytes, what: str) -> Iterator[tuple[Steps, bytes]]:
    """The texts of a file by path, aliases followed; of texts with actions, the bytes that stand there."""
    rendered = is_template_text(path) or (what == "helmfile" and b"{{" in data)
    mask = masked(data) if rendered else Masked(data, ())
    documents(mask.data)  # bounds the depth before a reader that recurses
    roots = composed(mask.data)
    count = 0
    for number, root in enumerate(roots):
        todo: list[tuple[Any, Steps]] = [(root, (f"#{number + 1}",) if number else ())]
        while todo:
            node, steps = todo.pop()
            count += 1
            if count > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
            kind = getattr(node, "id", "")
            if kind == "mapping":
                todo += [(value, (*steps, name)) for name, value in pairs(node).items()]
            elif kind == "sequence":
                todo += [(item, (*steps, label)) for label, item in zip(_labels(node.value), node.value, strict=True)]
            elif kind == "scalar":
                yield steps, str(node.value).encode("utf-8", "surrogatepass")


def composed(data: bytes) -> list[Any]:
    """The documents' nodes: texts as they are written, no type guessed. Raises `Unreadable`."""
    try:
        return [node for node in YAML(typ="safe", pure=True).compose_all(StringIO(data.decode("utf-8-sig"))) if node]
    except (YAMLError, RecursionError, ValueError):
        raise Unreadable("ruamel.yaml cannot read it") from None


def pairs(node: Any) -> dict[str, Any]:
    """A mapping's nodes by key, merges applied; of keys that stand twice the last one counts."""
    own: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    todo = [(node, own)]
    seen: set[int] = set()
    while todo:
        current, target = todo.pop(0)
        if getattr(current, "id", "") != "mapping" or id(current) in seen:
            continue
        seen.add(id(current))
        for key, value in current.value:
            if key.tag == "tag:yaml.org,2002:merge":
                todo += ((source, merged) for source in (value.value if value.id == "sequence" else [value]))
            elif key.id == "scalar":
                if target is own:
                    own[key.value] = value
                else:
                    merged.setdefault(key.value, value)
    return {**merged, **own}


def _labels(items: list[Any]) -> list[str | int]:
    """The items by `name` where each has one of its own, else by number."""
    names = [_name(item) if item.id == "mapping" else "" for item in items]
    return list(names) if all(names) and len(set(names)) == len(names) else list(range(len(items)))


def _name(item: Any) -> str:
    found = (value for key, value in item.value[:32] if key.id == "scalar" and key.value == "name")
    name: Any = next(found, None)
    return str(name.value) if getattr(name, "id", "") == "scalar" else ""
