"""The facts that rewriters exchange with their callers, and the four questions that a rewriter answers.

A rewriter is a module of this folder with the names of the `Rewriter` protocol at module level. It does no I/O and
imports nothing of `secretscan`: files come as bytes under their path relative to one root, with `/` between folders.
All spans are byte offsets into the file as it stands on disk, byte order mark included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from rewriters.plaintext import Plaintext

Files = Mapping[str, bytes]
"""Path relative to the root, with forward slashes, to the file's bytes."""

Place = Literal["env", "arg", "secret", "config", "registry", "volume", "build", "file", "other"]
"""What kind of place a slot is, for judging its value: `env` an environment variable; `arg` a command-line argument;
`secret` a place that the platform itself reserves for secret values (Kubernetes `Secret` data, ACI `secureValue`);
`config` a configuration text or file content; `registry` a credential of an image registry; `volume` a storage key;
`build` a build argument; `file` the name of a file that goes along whole, with the credentials in it; `other` any
other text of the manifest (a URL in a probe, a label)."""


class Unreadable(Exception):
    """A file that a rewriter claims cannot be read as its format says.

    `reason` says why without quoting the file (which may hold a value); `line` is 1-based, 0 when not known.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of byte offsets."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def covers(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end

    def touches(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a manifest that can hold a value.

    `pointer` is unique in the file (`services.db.environment.POSTGRES_PASSWORD`; for Kubernetes the object comes
    first: `Secret/shop-db.data.password`). `key` is the name that says what the value is (variable, flag, data key),
    empty when there is none. `value` is decoded through all of `encoding`. `span` holds exactly the encoded value,
    without quotes or block header; `literal` also holds those. `encoding` is the chain of codecs
    (`rewriters._encode`) from the file's bytes inwards: `("yaml-double", "base64")`. `targets` names the kinds of
    reference that this place can take; when there are none, `reason` says why. `interpolates` says that the platform
    substitutes a variable inside a longer text here, so that a part of the value can be replaced alone.
    """

    platform: str
    path: str
    pointer: str
    key: str
    value: Plaintext
    span: Span
    literal: Span
    encoding: tuple[str, ...]
    place: Place
    targets: tuple[str, ...] = ()
    reason: str = ""
    interpolates: bool = False


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A secret in a vault: `https://NAME.vault.azure.net` (no slash at the end), its name, and a version or `""`."""

    vault_url: str
    name: str
    version: str = ""

    @property
    def vault_name(self) -> str:
        """The first label of the vault's host name, which is what several platforms ask for."""
        return self.vault_url.split("://", 1)[-1].split("/", 1)[0].split(":", 1)[0].split(".", 1)[0]

    @property
    def variable(self) -> str:
        """The environment variable that carries this secret where a platform reads its values from the environment."""
        return self.name.upper().replace("-", "_")


@dataclass(frozen=True, slots=True)
class Assignment:
    """This slot, or the `part` of its decoded value (byte offsets), is to become `reference`.

    A caller gives a `part` only for a slot that `interpolates`.
    """

    slot: Slot
    reference: Reference
    part: Span | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace these bytes of this file. An empty span inserts."""

    path: str
    span: Span
    replacement: bytes


@dataclass(frozen=True, slots=True)
class Companion:
    """A new file that a reference needs beside it. It never holds a value."""

    path: str
    content: bytes
    note: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An assignment that cannot be carried out: why, and the nearest honest alternative.

    `needs` lists pointers of the same file whose values would have to move along for this one to be possible; a
    caller may assign them and ask again.
    """

    path: str
    pointer: str
    reason: str
    alternative: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a rewrite of one file needs from another platform's file.

    `runtime-variable`: whoever runs the image built from the Dockerfile `path` must set the variable `name` to the
    secret. `build-secret`: whoever builds it must pass the secret under the build secret id `name`.
    `generated-key`: whatever makes a Secret of the file of variables `path` must take its key `name` from the secret.
    """

    kind: Literal["runtime-variable", "build-secret", "generated-key"]
    path: str
    name: str
    reference: Reference


@dataclass(frozen=True, slots=True, order=True)
class Variable:
    """A rewritten file of `folder` reads `name` from the environment of the command that deploys it.

    `rewriters.fetch` turns all variables of a folder into one script that reads them from the vault.
    """

    folder: str
    name: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may choose about references. Empty means: find it in the files, or refuse and say what is needed."""

    identity: str = ""
    """Resource id of the user-assigned managed identity that reads the vault (`/subscriptions/.../NAME`)."""
    client_id: str = ""
    """Client id of that identity, for the Kubernetes targets."""
    tenant_id: str = ""
    kubernetes_target: Literal["auto", "external-secrets", "secrets-store-csi", "akv2k8s"] = "auto"
    secret_store: str = ""
    """Name of an existing External Secrets store, `Kind/name` or `name`."""
    marathon_secrets: bool = False
    """Whether a plugin of Marathon delivers secrets, from a store into which people copy those of the vault."""
    companions: str = ""
    """Folder for new objects of Kubernetes that no kustomization or chart applies from a place of its own; empty: with
    what needs them."""
    service_connection: str = ""
    """Name of the service connection with which Azure Pipelines signs in to Azure."""
    vault_id: str = ""
    """Resource id of the vault (`/subscriptions/.../vaults/NAME`), for what the deployment itself reads."""


@dataclass(frozen=True, slots=True)
class Request:
    """All claimed files of one root, and what is to move. Assignments are of the asked rewriter's slots only."""

    files: Files
    assignments: tuple[Assignment, ...]
    settings: Settings = field(default_factory=Settings)
    requirements: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The answer: every assignment is either done by `edits` or named in `refusals`, never both, never neither.

    `requires` are conditions on other platforms' files; `provides` repeats those of the request's requirements that
    this rewriter's files fulfil after the edits. `notes` are preconditions for people: one sentence each.
    """

    edits: tuple[Edit, ...] = ()
    companions: tuple[Companion, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    requires: tuple[Requirement, ...] = ()
    provides: tuple[Requirement, ...] = ()
    variables: tuple[Variable, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where the platform hands something to a workload.

    `subject` names the workload and the file (`deploy/api.yaml#Deployment/api/containers/api`), `channel` is how
    (`env`, `file`, `arg`, `build`, `registry`, `object`), `name` which one.
    """

    path: str
    subject: str
    channel: Literal["env", "file", "arg", "build", "registry", "object"]
    name: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What the platform would hand over at an address, with every reference that the files themselves settle resolved.

    What only the machine that deploys can know (a variable of its environment that no fetch script of the files
    provides) stays in the value as it is written.
    """

    address: Address
    value: Plaintext


Lookup = Callable[[Reference], Plaintext]
"""Reads a secret from the vault. Raises `LookupError` when it is not there."""


class Rewriter(Protocol):
    """The module-level names of a platform's file. Its docstring's second line names the vendor's document."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module constant
        """The platform's name: that of the file, of the fixtures' folder and of the page in `docs/platforms`."""
        ...

    def claims(self, path: str, head: bytes) -> bool:
        """Whether this file is of the platform, by its path and its first 4096 bytes. Cheap, never raises."""
        ...

    def slots(self, path: str, data: bytes) -> tuple[Slot, ...]:
        """All places of the file that can hold a value, in the order of their spans; also those that hold a reference
        or nothing secret: judging is the caller's. Raises `Unreadable`."""
        ...

    def rewrite(self, request: Request) -> Rewrite:
        """The edits that put the references there. Without assignments (and requirements) there are none."""
        ...

    def effective(self, files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
        """What the platform hands the workloads of these files, read with another parser than `slots` where there is
        one. Raises `Unreadable`, and what `lookup` raises."""
        ...
