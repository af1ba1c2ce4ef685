"""Names for the secrets of a plan, checked against what the vault holds: an equal value is adopted, never doubled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rewriters import Plaintext
from secretscan.plan.names import Proposed, Wanted, propose
from secretscan.vault.facts import Held

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

    `known` are names that this root's inventory remembers for the same vault.
    """

    def __init__(self, vault: Vault | None, prefix: str, known: Mapping[str, str]) -> None:
        """Asks the vault for its names, deleted ones included. Raises what the vault raises."""
        self._vault = vault
        self._prefix = prefix
        self._known = known
        self._existing = (*vault.names(), *vault.deleted_names()) if vault else ()
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
        versions: dict[tuple[str, str], str] = {}

        def holds(id_: str, name: str) -> bool:
            if self._vault is None:
                return False
            held = self._vault.current(name)
            if isinstance(held, Held) and held.value == values[id_] and not held.managed:
                versions[id_, name] = held.version
                return True
            return False

        asked = {each.id for each in wanted}
        keep = [Proposed(named.id, named.name) for named in self._given.values()]
        keep += [Proposed(id_, name) for id_, name in self._known.items() if id_ in asked]
        for made in propose(wanted, prefix=self._prefix, existing=self._existing, holds=holds, keep=keep):
            held = next((name for id_, name in versions if id_ == made.id and name.lower() == made.name.lower()), None)
            version = versions.get((made.id, held), "") if held else ""
            self._given[made.id] = Named(made.id, held or made.name, version)
