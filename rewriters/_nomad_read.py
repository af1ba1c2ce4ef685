"""The places of a Nomad job, and the change that a person may make instead of each.

Sources: Nomad documents, job specification: `env`, `template` (`env = true`, `nomadVar`), `config`, `artifact`; Nomad
variables (`nomad/jobs/JOB` is readable by the job itself).
"""

from __future__ import annotations

from collections.abc import Iterator

from rewriters import _api
from rewriters._api import Address, Delivery, Files, Reference, Slot, Unreadable
from rewriters._hcl import read
from rewriters._hcl_places import Place, places
from rewriters._hcl_values import Evaluator, Section, Value, parse, plain
from rewriters.plaintext import Plaintext

__all__ = ["answer", "effective", "slots"]

REASON = "Nomad has no reference to Azure Key Vault"
MAX_DELIVERIES = 100_000
MAX_DEPTH = 100


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """In the order of their spans. Raises `Unreadable`."""
    found = [_slot(path, place) for place in places(read(data))]
    return tuple(sorted(found, key=lambda slot: (slot.span, slot.pointer)))


def _slot(path: str, place: Place) -> Slot:
    text = place.text
    reason = text.odd or REASON
    return Slot(
        "nomad", path, place.pointer, place.key, Plaintext(text.text), text.span, text.literal, text.encoding,
        _place(place), (), reason,
    )  # fmt: skip


def _place(place: Place) -> _api.Place:
    kinds = {block.kind for block in place.blocks}
    if "env" in kinds or place.attribute.name == "env":
        return "env"
    if "auth" in kinds and place.attribute.name == "password":
        return "registry"
    if place.attribute.name in ("args", "command", "entrypoint"):
        return "arg"
    return "config"


def answer(slot: Slot, reference: Reference) -> tuple[str, str]:
    """Reason and alternative."""
    copied = (
        f"copy the secret into a Nomad variable (nomad var put nomad/jobs/JOB, key {reference.name.replace('-', '_')})"
    )
    if slot.place == "env":
        change = (
            'replace the entry of env by template { destination = "secrets/vault.env", env = true, data = … } that '
            f"sets {slot.key} with nomadVar"
        )
    elif slot.place == "arg":
        change = "have a template with env = true set a variable, and the command read it"
    elif slot.place == "registry":
        change = "take the registry's credential from the client's configuration (auth.config or a credential helper)"
    else:
        change = "write the place with a template that reads it with nomadVar"
    return REASON, f"{copied}, and {change}"


def effective(files: Files) -> tuple[Delivery, ...]:
    """The deliveries of these files. Raises `Unreadable`."""
    found: dict[Address, Plaintext] = {}
    for path, data in sorted(files.items()):
        evaluator = Evaluator(lambda steps: None)
        for name, value in _section(parse(data), "", evaluator, 0):
            address = Address(path, path, "object", name)
            number = 1
            while address in found:
                number += 1
                address = Address(path, path, "object", f"{name}~{number}")
            found[address] = Plaintext(value.encode("utf-8", "surrogatepass"))
            if len(found) > MAX_DELIVERIES:
                raise Unreadable(f"more than {MAX_DELIVERIES} values")
    return tuple(Delivery(address, value) for address, value in found.items())


def _section(section: Section, prefix: str, evaluator: Evaluator, depth: int) -> Iterator[tuple[str, str]]:
    for name, tokens in section.attributes.items():
        yield from _leaves(evaluator.value(tokens), prefix + name, 0)
    for index, block in enumerate(section.blocks):
        step = "/".join((block.kind, *(block.labels or (str(index),))))
        yield from _section(block, f"{prefix}{step}/", evaluator, depth + 1)


def _leaves(value: Value, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < MAX_DEPTH:
        for key, item in value.items():
            yield from _leaves(item, f"{name}/{key}", depth + 1)
    elif isinstance(value, list) and depth < MAX_DEPTH:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{name}/{index}", depth + 1)
    else:
        yield name, plain(value)
