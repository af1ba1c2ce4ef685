"""The inventory as text for people and as lines of JSON for machines; neither holds a value."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from secretscan.errors import printable
from secretscan.inventory.store import OccurrenceRow, SecretRow

__all__ = ["jsonl", "text"]


def text(secrets: Sequence[SecretRow], occurrences: Sequence[OccurrenceRow]) -> Iterator[str]:
    """Secrets, each with its places."""
    places = _by_secret(occurrences)
    for secret in secrets:
        where = f"  {secret.vault_url}/secrets/{secret.name}" if secret.name else ""
        yield printable(f"{secret.id[:8]}  {secret.state}  {secret.strength} {secret.kind}{where}") + "\n"
        first, last = _day(secret.first_seen), _day(secret.last_seen)
        yield f"    first seen {first}, last seen {last}" + ("; exposed: rotate it\n" if secret.burnt else "\n")
        for place in places.get(secret.id, ()):
            name = place.pointer or place.key or place.rule
            yield printable(f"    {place.state}  {place.path}:{place.line}  {name}") + "\n"


def jsonl(secrets: Sequence[SecretRow], occurrences: Sequence[OccurrenceRow]) -> Iterator[str]:
    """One secret a line, its places in `occurrences`. Times are seconds since 1970."""
    places = _by_secret(occurrences)
    for secret in secrets:
        here = [asdict(item) for item in places.get(secret.id, ())]
        yield json.dumps({**asdict(secret), "burnt": secret.burnt, "occurrences": here}) + "\n"


def _by_secret(occurrences: Sequence[OccurrenceRow]) -> dict[str, list[OccurrenceRow]]:
    result: dict[str, list[OccurrenceRow]] = {}
    for item in occurrences:
        result.setdefault(item.secret, []).append(item)
    return result


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
