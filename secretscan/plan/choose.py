"""Names for the secrets of a plan, checked against what the vault holds: an equal value is adopted, never doubled."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewriters import Plaintext
from secretscan.errors import UsageError
from secretscan.plan.names import Proposed, Wanted, fault, propose
from secretscan.vault.facts import Absent, Deleted, Disabled, Held

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["Named", "Names"]


@dataclass(frozen=True, slots=True)
class Named:
    """A secret's name; `version` is set when the vault holds the equal value under it already."""

    id: str
    name: str
    version: str = ""


class Names:
    """Gives names for one plan. A name once given stays while it is needed, whatever is asked for later.

    `known` are names that this root's inventory remembers for the same vault. `chosen` are a person's choices: a
    secret gets exactly that name. While it cannot, another one stands in, since the secret may turn out not to move at
    all; `as_chosen` then tells.
    """

    def __init__(
        self, vault: Vault | None, prefix: str, known: Mapping[str, str], chosen: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Asks the vault for its names, deleted ones included. Raises what the vault raises, and `UsageError` for a
        chosen name that no secret may have."""
        self._vault = vault
        self._prefix = prefix
        self._known = known
        self._chosen = dict(chosen)
        for name in self._chosen.values():
            if why := fault(name):
                raise _unusable(name, why)
        self.existing = (*vault.names(), *vault.deleted_names()) if vault else ()
        self._folded = {name.lower() for name in self.existing}
        self._given: dict[str, Named] = {}

    def __getitem__(self, id_: str) -> Named:
        return self._given[id_]

    def __contains__(self, id_: object) -> bool:
        return id_ in self._given

    def release(self, needed: Collection[str]) -> None:
        """Frees the names of all secrets but these: of parts, say, that now move with the whole text around them."""
        self._given = {id_: named for id_, named in self._given.items() if id_ in needed}

    def give(self, wanted: Sequence[Wanted], values: Mapping[str, Plaintext]) -> None:
        """Names all of these secrets. Raises what the vault raises."""
        rest: list[Wanted] = []
        for each in wanted:
            name = self._chosen.get(each.id)
            found = self._exactly(each.id, name, values[each.id]) if name else None
            if isinstance(found, Named):
                self._given[each.id] = found
            else:
                rest.append(each)
        versions: dict[tuple[str, str], str] = {}

        def holds(id_: str, name: str) -> bool:
            if self._vault is None:
                return False
            held = self._vault.current(name)
            if isinstance(held, Held) and held.value == values[id_] and not held.managed:
                versions[id_, name] = held.version
                return True
            return False

        asked = {each.id for each in rest}
        keep = [Proposed(named.id, named.name) for named in self._given.values()]
        # A chosen name is nobody else's, also before the one that is to have it comes up, or while it cannot.
        keep += [Proposed("", name) for name in self._chosen.values()]
        keep += [Proposed(id_, name) for id_, name in self._known.items() if id_ in asked]
        for made in propose(rest, prefix=self._prefix, existing=self.existing, holds=holds, keep=keep):
            held = next((name for id_, name in versions if id_ == made.id and name.lower() == made.name.lower()), None)
            version = versions.get((made.id, held), "") if held else ""
            self._given[made.id] = Named(made.id, held or made.name, version)

    def as_chosen(self, values: Mapping[str, Plaintext]) -> bool:
        """Whether the secrets of these values, which are all that still need names, have the names chosen for them.

        If not, those that can have theirs by now have none, to be named again. Raises `UsageError` for the first one
        that cannot, and what the vault raises.
        """
        self.release(values)
        again: list[str] = []
        for id_, name in self._chosen.items():
            if id_ in self._given and self._given[id_].name != name:
                found = self._exactly(id_, name, values[id_])
                if not isinstance(found, Named):
                    raise _unusable(name, found)
                again.append(id_)
        for id_ in again:
            del self._given[id_]
        return not again

    def _exactly(self, id_: str, name: str, value: Plaintext) -> Named | str:
        """The chosen name, or why it cannot be had."""
        folded = name.lower()
        if any(other.id != id_ and other.name.lower() == folded for other in self._given.values()):
            return "it was chosen for another secret of this plan too"
        if self._vault is None or folded not in self._folded:
            return Named(id_, name)
        held = self._vault.current(name)
        if isinstance(held, Absent):
            return Named(id_, name)
        if isinstance(held, Deleted):
            return "a deleted secret of this name can still be recovered in the vault"
        if isinstance(held, Disabled):
            return "the vault holds a secret of this name that is disabled, so its value cannot be compared"
        if held.managed:
            return "a certificate of the vault has this name"
        return Named(id_, name, held.version) if held.value == value else "the vault holds another value under it"


def _unusable(name: str, why: str) -> UsageError:
    return UsageError(
        "the name chosen for a secret cannot be used", where=name, why=why, next_step="choose another name for it"
    )
