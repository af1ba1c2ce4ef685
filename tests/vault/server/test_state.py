"""Any sequence of operations against the simplest possible model of a vault."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rewriters import Plaintext
from secretscan.vault.server.errors import ServiceError
from secretscan.vault.server.faults import Delays
from secretscan.vault.server.records import Held, Update, VaultSettings, Write
from secretscan.vault.server.state import Vault, random_version_id

NAMES = st.sampled_from(["one", "ONE", "two", "Two"])
DELAY = 5.0


class Conversation(RuleBasedStateMachine):
    """The model: the values of each name in order, and which names are deleted. Time passes between operations."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.count = 0
        self.live: dict[str, list[bytes]] = {}
        self.deleted: dict[str, list[bytes]] = {}
        self.vault = Vault(
            "model",
            VaultSettings(),
            Delays(DELAY, DELAY, DELAY),
            clock=lambda: 1_800_000_000.0,
            stopwatch=lambda: self.elapsed,
            version_id=random_version_id,
        )

    def attempt(self, operation: Callable[[], object]) -> str:
        """The inner code of the refusal, or the code, or nothing."""
        self.elapsed += DELAY
        try:
            operation()
        except ServiceError as refusal:
            return refusal.inner or refusal.code
        return ""

    @rule(name=NAMES)
    def set(self, name: str) -> None:
        self.count += 1
        value = b"made up %d" % self.count
        refusal = self.attempt(lambda: self.vault.set(name, Write(Plaintext(value))))
        if name.lower() in self.deleted:
            assert refusal == "ObjectIsDeletedButRecoverable"
        else:
            assert refusal == ""
            self.live.setdefault(name.lower(), []).append(value)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        refusal = self.attempt(lambda: self.vault.delete(name))
        if name.lower() in self.live:
            assert refusal == ""
            self.deleted[name.lower()] = self.live.pop(name.lower())
        else:
            assert refusal == "SecretNotFound"

    @rule(name=NAMES)
    def delete_and_do_not_wait(self, name: str) -> None:
        if name.lower() not in self.live:
            return
        self.delete(name)
        again = Write(Plaintext(b"made up"))
        for operation in (
            lambda: self.vault.recover(name),
            lambda: self.vault.purge(name),
            lambda: self.vault.set(name, again),
        ):
            self.elapsed -= DELAY
            assert self.attempt(operation) == "ObjectIsBeingDeleted"

    @rule(name=NAMES)
    def recover(self, name: str) -> None:
        refusal = self.attempt(lambda: self.vault.recover(name))
        if name.lower() in self.deleted:
            assert refusal == ""
            self.live[name.lower()] = self.deleted.pop(name.lower())
        else:
            assert refusal == ("RequestNotAllowedOnNonDeletedObject" if name.lower() in self.live else "SecretNotFound")

    @rule(name=NAMES)
    def purge(self, name: str) -> None:
        refusal = self.attempt(lambda: self.vault.purge(name))
        assert refusal == ("" if name.lower() in self.deleted else "SecretNotFound")
        self.deleted.pop(name.lower(), None)

    @rule(name=NAMES)
    def update(self, name: str) -> None:
        refusal = self.attempt(lambda: self.vault.update(name, "", Update(tags=(("a", "b"),))))
        assert refusal == ("" if name.lower() in self.live else "SecretNotFound")

    @invariant()
    def lists_and_values_are_those_of_the_model(self) -> None:
        self.elapsed += DELAY
        assert [one.name.lower() for one in self.vault.list("", 25).items if isinstance(one, Held)] == sorted(self.live)
        for name, values in self.live.items():
            assert self.vault.get(name.upper()).version.value == Plaintext(values[-1])
            assert len(self.vault.list_versions(name, "", 25).items) == min(len(values), 25)
        kept = {one.name.lower(): (list(one.values), one.deleted) for one in self.vault.stored()}
        expected = {name: ([Plaintext(one) for one in values], False) for name, values in self.live.items()}
        expected |= {name: ([Plaintext(one) for one in values], True) for name, values in self.deleted.items()}
        assert kept == expected
        assert len(self.vault.list_deleted("", 25).items) == len(self.deleted)


Conversation.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestConversation = Conversation.TestCase
