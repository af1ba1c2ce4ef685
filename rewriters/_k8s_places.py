"""Every place of one object that can hold a value.

Sources: the Kubernetes API reference (Secret v1, ConfigMap v1, PodSpec v1); OpenShift API (`build/v1`, `route/v1`,
`template/v1`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Protocol

from rewriters import _encode
from rewriters._api import Place, Slot, Unreadable
from rewriters._k8s_claims import ACTION
from rewriters._k8s_objects import CONTAINERS, STRATEGIES, Form, Object, Site, labelled, text_at
from rewriters._k8s_reasons import REASONS
from rewriters._options import option, setting
from rewriters._yaml import Alias, Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["TEMPLATE", "Walk"]

TARGETS = ("external-secrets", "secrets-store-csi", "akv2k8s")
TEMPLATE = "it is a template: the text before rendering is not a manifest"
_NAMES_ONLY = (
    frozenset(
        ("secretKeyRef", "configMapKeyRef", "secretRef", "configMapRef", "fieldRef", "resourceFieldRef", "remoteRef")
    )
    | {"secretStoreRef", "secretName", "serviceAccountName", "serviceAccount", "apiVersion", "kind"}
    | {"secretReference", "sourceSecret", "pushSecret", "pullSecret", "externalCertificate"}
)
"""Fields that the API defines as names of something: no value can stand there."""
_NAMES_OF = {
    "ExternalSecret": (("spec", "data"), ("spec", "target", "name")),
    "SecretProviderClass": (("spec", "parameters"), ("spec", "secretObjects")),
    "SealedSecret": (("spec", "encryptedData"),),
    "AzureKeyVaultSecret": (("spec", "vault"), ("spec", "output")),
}
"""The same by kind: what a reference to a vault consists of, and what is encrypted."""
_HOOKS = frozenset(("livenessProbe", "readinessProbe", "startupProbe", "lifecycle"))
_VOLUME = frozenset(("csi", "flexVolume", "azureFile", "azureDisk", "volumeAttributes"))
_TYPED = re.compile(r"(?i:true|false|null|~)\Z|[-+]?[0-9]+\Z")
"""Plain scalars that are no text: no field of the API that could hold a credential takes them."""
_LINE = re.compile(r"[^\r\n]{1,4096}\n?\Z")

Steps = tuple[str | int, ...]


class Reader(Protocol):
    """What gathers the places of a file."""

    data: bytes
    platform: str
    aliases: list[tuple[Alias, Object]]
    repeated: bool

    def add(self, site: Site) -> None: ...


class Walk:
    """The places of one object."""

    def __init__(self, reader: Reader, thing: Object) -> None:
        self.reader = reader
        self.object = thing

    def any(self, node: Node, steps: Steps, why: str, owner: Map | Seq, container: Map | None) -> None:
        if isinstance(node, Scalar):
            key = steps[-1]
            if not isinstance(key, str):
                key = next((step for step in reversed(steps) if isinstance(step, str)), "")
            self.other(node, steps, key, why, owner)
        elif isinstance(node, Map):
            self.map(node, steps, why, container)
        elif isinstance(node, Seq):
            self.seq(node, steps, why, container)
        else:
            self.reader.aliases.append((node, self.object))

    def map(self, node: Map, steps: Steps, why: str, container: Map | None) -> None:
        names = [key.text for key, _ in node.pairs if isinstance(key, Scalar) and key.text != "<<"]
        if len(set(names)) < len(names):
            self.reader.repeated = True
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                if isinstance(key, Map) and key.flow:
                    raise Unreadable(TEMPLATE, self.reader.data.count(b"\n", 0, key.start) + 1)
                continue
            name, inner = key.text, (*steps, key.text)
            if not steps and self._data(name, value):
                continue
            if name in _NAMES_ONLY or inner in _NAMES_OF.get(self.object.kind, ()):
                self._aliases(value)
            elif isinstance(value, Seq) and name in CONTAINERS:
                self._containers(value, inner)
            elif self._build(name, value, steps, node):
                continue
            elif isinstance(value, Seq) and name == "env":
                self._env(value, inner, node if node is container else None)
            elif isinstance(value, Seq) and name in ("command", "args"):
                self._arguments(value, inner, why, node if node is container else None)
            else:
                self.any(value, inner, _why(self.object.kind, name, steps, why), node, None)

    def seq(self, node: Seq, steps: Steps, why: str, container: Map | None) -> None:
        for label, item in labelled(node):
            self.any(item, (*steps, label), why, node, container)

    def _aliases(self, node: Node) -> None:
        if isinstance(node, Alias):
            self.reader.aliases.append((node, self.object))
        elif isinstance(node, Map):
            for key, value in node.pairs:
                self._aliases(key)
                self._aliases(value)
        elif isinstance(node, Seq):
            for item in node.items:
                self._aliases(item)

    # --- the places that the API knows -------------------------------------------------------------------------------

    def _data(self, name: str, value: Node) -> bool:
        """The data of a Secret or ConfigMap; whether that is what it was."""
        kinds = {"Secret": ("data", "stringData"), "ConfigMap": ("data", "binaryData")}.get(self.object.kind, ())
        if name not in kinds or not isinstance(value, Map) or "/" in self.object.api:
            return False
        names = [key.text for key, _ in value.pairs if isinstance(key, Scalar)]
        self.reader.repeated |= len(set(names)) < len(names)
        for key, item in value.pairs:
            if not isinstance(item, Scalar) or not isinstance(key, Scalar):
                self._aliases(item)
            elif item.text:
                self._datum(name, key, item, value)
        return True

    def _datum(self, block: str, key: Scalar, item: Scalar, owner: Map) -> None:
        secret = self.object.kind == "Secret"
        encoding, value, reason = item.encoding, item.text.encode(), ""
        if block in ("data", "binaryData") and (secret or block == "binaryData"):
            chain = (*item.encoding, _base64(item.text))
            try:
                value = _encode.decode(chain, self.reader.data[item.span.start : item.span.end])
                encoding = chain
            except _encode.Undecodable:
                parameter = self.object.templated and "${" in item.text
                reason = REASONS["parameter" if parameter else "base64"]
        if not value:
            return
        if not reason and not _is_text(value):
            reason = REASONS["utf8"]
        if block == "binaryData":
            reason = REASONS["binaryData"]
        place: Place = "config"
        if secret:
            place = "registry" if key.text in (".dockerconfigjson", ".dockercfg") else "secret"
        elif _LINE.match(item.text):
            place = "env"
        form: Form = "config" if not secret else "data" if block == "data" else "stringData"
        slot = self._slot((block, key.text), key.text, value, item, encoding, place, reason)
        self.reader.add(Site(slot, self.object, item, form, owner, (key, item)))

    def _build(self, name: str, value: Node, steps: Steps, owner: Map) -> bool:
        """The places of a BuildConfig that others do not have; whether it was one."""
        if self.object.kind != "BuildConfig":
            return False
        if steps[:2] == ("spec", "strategy") and len(steps) == 3 and isinstance(value, Seq):
            if name in ("env", "buildArgs"):
                takes = name == "env" and steps[2] in STRATEGIES
                why = REASONS["buildArgs" if name == "buildArgs" else "env"]
                self._env(value, (*steps, name), owner if takes else None, why)
                return True
        elif steps[:2] == ("spec", "triggers") and len(steps) == 4 and name == "secret" and isinstance(value, Scalar):
            if value.text:
                text = value.text.encode()
                slot = self._slot((*steps, name), name, text, value, value.encoding, "secret", "")
                key = next(key for key, item in owner.pairs if item is value)
                assert isinstance(key, Scalar)  # noqa: S101 - its text is the name
                self.reader.add(Site(slot, self.object, value, "webhook", owner, (key, value)))
            return True
        return False

    def parameters(self, node: Seq) -> None:
        """The parameters of a template."""
        for label, item in labelled(node):
            if not isinstance(item, Map):
                self._aliases(item)
                continue
            names = [key.text for key, _ in item.pairs if isinstance(key, Scalar)]
            self.reader.repeated |= len(set(names)) < len(names)
            name = text_at(item, "name")
            for key, value in item.pairs:
                inner = ("parameters", label, _text(key))
                if isinstance(key, Scalar) and key.text == "value" and isinstance(value, Scalar):
                    if value.text:
                        text = value.text.encode()
                        slot = self._slot(inner, name, text, value, value.encoding, "env", "")
                        slot = replace(slot, targets=("fetch-script",))
                        self.reader.add(Site(slot, self.object, value, "parameter", item, (key, value)))
                elif _text(key) in ("name", "generate"):
                    self._aliases(value)
                else:
                    self.any(value, inner, "field", item, None)

    def _containers(self, node: Seq, steps: Steps) -> None:
        for label, item in labelled(node):
            self.any(item, (*steps, label), "field", node, item if isinstance(item, Map) else None)

    def _env(self, node: Seq, steps: Steps, container: Map | None, why: str = REASONS["env"]) -> None:
        for label, item in labelled(node):
            if not isinstance(item, Map):
                self.any(item, (*steps, label), "env", node, None)
                continue
            name = text_at(item, "name")
            for key, value in item.pairs:
                if isinstance(key, Scalar) and key.text == "value" and isinstance(value, Scalar):
                    if value.text:
                        inner = (*steps, label, "value")
                        site = self._expanded(inner, name, value, "env", "" if container else why)
                        self.reader.add(Site(site, self.object, value, "env", item, (key, value), container))
                elif not (isinstance(key, Scalar) and key.text == "name" and isinstance(value, Scalar)):
                    self.any(value, (*steps, label, _text(key)), "field", item, None)

    def _arguments(self, node: Seq, steps: Steps, why: str, container: Map | None) -> None:
        reason = "" if container else REASONS["probe" if why == "probe" else "field"]
        flag = ""
        for index, item in enumerate(node.items):
            if not isinstance(item, Scalar):
                self.any(item, (*steps, index), why, node, None)
                flag = ""
                continue
            alone, given = option(item.text), setting(item.text)
            key = alone or (given[0] if given and item.text.startswith("-") else flag or (given[0] if given else ""))
            if item.text:
                slot = self._expanded((*steps, index), key, item, "arg", reason)
                self.reader.add(Site(slot, self.object, item, "arg", node, None, container))
            flag = alone

    def _expanded(self, steps: Steps, key: str, item: Scalar, place: Place, reason: str) -> Slot:
        """A slot in whose text the kubelet expands `$(NAME)` and takes `$$` for `$`."""
        encoding, value = item.encoding, item.text.encode()
        if "$$" in item.text and "$" not in item.text.replace("$$", ""):
            encoding, value = (*encoding, "dollar"), value.replace(b"$$", b"$")
        return self._slot(steps, key, value, item, encoding, place, reason, interpolates=not reason)

    def other(self, item: Scalar, steps: Steps, key: str, why: str, owner: Map | Seq) -> None:
        typed = item.style == "plain" and _TYPED.match(item.text)
        if (
            item.text
            and not typed
            and not item.text.startswith("ENC[")
            and steps[:2] not in (("metadata", "name"), ("metadata", "namespace"))
        ):
            place: Place = "arg" if why == "probe" and "command" in steps else "volume" if why == "volume" else "other"
            slot = self._slot(steps, key, item.text.encode(), item, item.encoding, place, REASONS[why])
            self.reader.add(Site(slot, self.object, item, "other", owner))

    def _slot(
        self,
        steps: Steps,
        key: str,
        value: bytes,
        item: Scalar,
        encoding: tuple[str, ...],
        place: Place,
        reason: str,
        interpolates: bool = False,
    ) -> Slot:
        if "{{" in item.text and item.style not in ("literal", "folded") and ACTION.search(item.text.encode()):
            raise Unreadable(TEMPLATE, self.reader.data.count(b"\n", 0, item.span.start) + 1)
        pointer = f"{self.object.pointer}.{join(*steps)}"
        return Slot(
            self.reader.platform, self.object.path, pointer, key, Plaintext(value), item.span, item.literal,
            encoding, place, () if reason else TARGETS, reason, interpolates,
        )  # fmt: skip


def _why(kind: str, name: str, steps: Steps, why: str) -> str:
    if steps[-1:] == ("metadata",) and name in ("annotations", "labels"):
        return name
    if why == "annotations":
        return "applied" if name == "kubectl.kubernetes.io/last-applied-configuration" else why
    if (kind, steps) == ("BuildConfig", ("spec", "source", "git")) and name in ("uri", "httpProxy", "httpsProxy"):
        return "git"
    if (kind, steps, name) == ("Route", ("spec", "tls"), "key"):
        return "route"
    return "probe" if name in _HOOKS else "volume" if name in _VOLUME else why


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in value


def _base64(text: str) -> str:
    """The codec with the wrapping of this text."""
    if not set(text) & {"\n", "\r"}:
        return "base64"
    tail = text.endswith("\n")
    lines = text.split("\n")
    width = len(lines[0]) if len(lines) - tail > 1 else 0
    return f"base64:{width or ''}{'n' if tail else ''}"
