"""Faults on order: what an embedded vault does wrong, so that a client's answer to it can be tested.

A rule says on which operations it acts (`on`, optionally only for the secret `name`), after how many matching calls it
starts (`skip`) and for how many it lasts (`times`; `None`: for ever). The first rule that is active decides.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from .errors import Denial
from .operations import EVERY, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a fault acts. See the module's docstring."""

    on: frozenset[Operation] = EVERY
    name: str | None = None
    skip: int = 0
    times: int | None = None

    def matches(self, operation: Operation, name: str) -> bool:
        """Whether the call is of the kind that this rule counts."""
        return operation in self.on and (self.name is None or self.name.lower() == name.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny(Rule):
    """403 for the reason `why`."""

    why: Denial = Denial.RBAC


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle(Rule):
    """429, with `Retry-After: retry_after` (seconds) if that is given; published real answers show none."""

    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(Rule):
    """Any other error status: 500, 503, 504; 409 for a parallel operation; 401 for a token that has run out."""

    status: int = 500
    retry_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Rule):
    """The connection ends without an answer; `carried_out` says whether the request took effect before."""

    carried_out: bool = True


@dataclass(frozen=True, slots=True)
class Delays:
    """How long the service is still at it after it has said yes, in seconds of the vault's stopwatch.

    After a delete the secret is in neither list and its name is taken (ObjectIsBeingDeleted); after a recover it is
    not there yet; after a purge its name is not free yet.
    """

    delete: float = 0.0
    recover: float = 0.0
    purge: float = 0.0


@dataclass(frozen=True, slots=True)
class WriteLimit:
    """At most `count` sets within any `seconds`; more get 429, which counts for nothing. The service: 300 within 10."""

    count: int = 300
    seconds: float = 10.0
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """All that a vault shall do wrong. `Faults()` is a vault at its best: at once, and never refusing without cause.

    `ragged_pages`: lists come in short pages with empty ones between, and an empty one last, as the service's do.
    `clock_skew`: seconds that the `Date` header runs ahead.
    """

    rules: tuple[Rule, ...] = ()
    delays: Delays = field(default_factory=Delays)
    write_limit: WriteLimit | None = None
    ragged_pages: bool = False
    clock_skew: float = 0.0


class FaultCounter:
    """Which fault strikes a call, counted over the life of a vault. Safe to call from many threads."""

    def __init__(self, faults: Faults) -> None:
        self._rules = faults.rules
        self._limit = faults.write_limit
        self._seen = [0] * len(faults.rules)
        self._sets: deque[float] = deque()
        self._lock = threading.Lock()

    def strike(self, operation: Operation, name: str, now: float) -> Rule | None:
        """The rule that acts on this call; counts the call for every rule that it matches."""
        struck: Rule | None = None
        with self._lock:
            for index, rule in enumerate(self._rules):
                if not rule.matches(operation, name):
                    continue
                turn = self._seen[index] - rule.skip
                self._seen[index] += 1
                if struck is None and turn >= 0 and (rule.times is None or turn < rule.times):
                    struck = rule
            if struck is None and operation is Operation.SET:
                struck = self._over_limit(now)
        return struck

    def _over_limit(self, now: float) -> Throttle | None:
        if self._limit is None:
            return None
        while self._sets and self._sets[0] <= now - self._limit.seconds:
            self._sets.popleft()
        if len(self._sets) >= self._limit.count:
            return Throttle(retry_after=self._limit.retry_after)
        self._sets.append(now)
        return None
