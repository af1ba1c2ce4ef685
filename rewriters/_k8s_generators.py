"""The places of a kustomization: the literals of its generators, and what else it holds of text.

Sources: Kustomize reference; `api/kv` of Kustomize (a literal is `KEY=value`, whose value loses one pair of quotes
around it).
"""

from __future__ import annotations

from rewriters import _encode
from rewriters._api import Place, Slot, Span
from rewriters._k8s_objects import Form, Manifest, Object, Site, labelled, text_at
from rewriters._k8s_reasons import REASONS
from rewriters._yaml import Alias, Document, Map, Node, Scalar, Seq, join
from rewriters.plaintext import Plaintext

__all__ = ["GENERATORS", "NAMES", "is_kustomization", "kustomization", "literal"]

NAMES = frozenset(("kustomization.yaml", "kustomization.yml", "Kustomization"))
GENERATORS = {"secretGenerator": "Secret", "configMapGenerator": "ConfigMap"}
TARGETS = ("external-secrets", "akv2k8s")
MAX_SLOTS = 20_000

_NAMES_ONLY = frozenset(
    ("apiVersion", "kind", "metadata", "resources", "bases", "components", "crds", "generators", "transformers",
     "validators", "configurations", "openapi", "namespace", "namePrefix", "nameSuffix", "images", "replicas", "vars",
     "replacements", "sortOptions", "buildMetadata", "name", "target", "files", "envs", "env", "behavior", "type",
     "path", "literals")
)  # fmt: skip
"""Fields that name something. An address among them may still hold a login."""
_PATCHES = frozenset(("patch", "patches", "patchesStrategicMerge", "patchesJson6902"))
Steps = tuple[str | int, ...]


def is_kustomization(path: str, documents: tuple[Document, ...]) -> bool:
    """Whether a file is Kustomize's own, and not an object of another API under its name."""
    if path.rpartition("/")[2] not in NAMES:
        return False
    apis = {text_at(document.root, "apiVersion").partition("/")[0] for document in documents}
    return apis <= {"", "kustomize.config.k8s.io"}


def literal(text: str) -> tuple[str, Span] | None:
    """The key of a generator's literal, and where in its UTF-8 the value stands."""
    key, sign, value = text.partition("=")
    if not key or not sign:
        return None
    start, end = len(key.encode()) + 1, len(text.encode())
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        start, end = start + 1, end - 1
    return key, Span(start, end)


def kustomization(path: str, data: bytes, documents: tuple[Document, ...], platform: str) -> Manifest:
    """The places of a kustomization; none of one that is not one document."""
    root = documents[0].root if len(documents) == 1 else None
    if not isinstance(root, Map):
        return Manifest(path, data, (), (), (), False)
    own = Object(path, "", "Kustomization", "", "", "", root, documents[0])
    reader = _Reader(path, data, own, platform)
    reader.map(root, ())
    sites = sorted(reader.sites, key=lambda site: (site.slot.span, site.slot.literal))
    return Manifest(path, data, (), tuple(sites), tuple(reader.aliases), reader.repeated, own)


class _Reader:
    """One pass over the nodes, whose depth the reader of YAML bounds."""

    def __init__(self, path: str, data: bytes, thing: Object, platform: str) -> None:
        self.path = path
        self.data = data
        self.object = thing
        self.platform = platform
        self.sites: list[Site] = []
        self.aliases: list[tuple[Alias, Object]] = []
        self.pointers: set[str] = set()
        self.repeated = False

    def map(self, node: Map, steps: Steps) -> None:
        names = [key.text for key, _ in node.pairs if isinstance(key, Scalar) and key.text != "<<"]
        self.repeated |= len(set(names)) < len(names)
        for key, value in node.pairs:
            name = key.text if isinstance(key, Scalar) else ""
            if not steps and name in GENERATORS and isinstance(value, Seq):
                for label, item in labelled(value):
                    self.generator(item, (name, label))
            else:
                self.any(value, (*steps, name), node)

    def any(self, node: Node, steps: Steps, owner: Map | Seq) -> None:
        if isinstance(node, Alias):
            self.aliases.append((node, self.object))
        elif isinstance(node, Map):
            self.map(node, steps)
        elif isinstance(node, Seq):
            for label, item in labelled(node):
                self.any(item, (*steps, label), node)
        else:
            self.text(node, steps, owner)

    def text(self, node: Scalar, steps: Steps, owner: Map | Seq) -> None:
        key = next((step for step in reversed(steps) if isinstance(step, str)), "")
        named = key in _NAMES_ONLY or steps[0] in _NAMES_ONLY
        if not node.text or (named and not ("://" in node.text and "@" in node.text)):
            return
        patch = key in _PATCHES and "\n" in node.text
        if key in _PATCHES and not patch:
            return  # the path of one
        why = "patch" if patch else "annotations" if "commonAnnotations" in steps else "field"
        place: Place = "config" if patch else "other"
        self.add(Slot(
            self.platform, self.path, join(*steps), "" if patch else key, Plaintext(node.text.encode()), node.span,
            node.literal, node.encoding, place, (), REASONS[why],
        ), node, "other", owner, None)  # fmt: skip

    def generator(self, node: Node, steps: Steps) -> None:
        if not isinstance(node, Map):
            if isinstance(node, Alias):
                self.aliases.append((node, self.object))
            return
        names = [key.text for key, _ in node.pairs if isinstance(key, Scalar)]
        self.repeated |= len(set(names)) < len(names)
        for key, value in node.pairs:
            name = key.text if isinstance(key, Scalar) else ""
            if name == "literals" and isinstance(value, Seq):
                for index, item in enumerate(value.items):
                    if isinstance(item, Scalar):
                        self.literal(item, index, steps, value, node)
                    elif isinstance(item, Alias):
                        self.aliases.append((item, self.object))
            elif name == "files" and isinstance(value, Seq):
                for index, item in enumerate(value.items):
                    if isinstance(item, Scalar):
                        self.file(item, (*steps, name, index), value)
                    elif isinstance(item, Alias):
                        self.aliases.append((item, self.object))
            else:
                self.any(value, (*steps, name), node)

    def file(self, item: Scalar, steps: Steps, owner: Seq) -> None:
        """`KEY=path` or `path`: the name of a file that goes along whole."""
        key, sign, _ = item.text.partition("=")
        text = item.text.encode()
        part = Span(len(key.encode()) + 1 if sign else 0, len(text))
        here = _encode.locate(item.encoding, self.data[item.span.start : item.span.end], part)
        if here and part:
            span = Span(item.span.start + here.start, item.span.start + here.end)
            if _reads(item.encoding, self.data[span.start : span.end], text[part.start :]):
                self.add(Slot(
                    self.platform, self.path, join(*steps), "", Plaintext(text[part.start :]), span, span,
                    item.encoding, "file", (), REASONS["packed"],
                ), item, "other", owner, None)  # fmt: skip

    def literal(self, item: Scalar, index: int, steps: Steps, owner: Seq, entry: Map) -> None:
        found = literal(item.text)
        if found is None or not found[1]:
            return
        key, part = found
        secret = steps[0] == "secretGenerator"
        raw, value = self.data[item.span.start : item.span.end], item.text.encode()[part.start : part.end]
        here = _encode.locate(item.encoding, raw, part)
        span = Span(item.span.start + here.start, item.span.start + here.end) if here is not None else item.span
        reason = "" if secret else REASONS["generated"]
        if here is None or not _reads(item.encoding, self.data[span.start : span.end], value):
            span, value, reason = item.span, item.text.encode(), REASONS["apart"]
        place: Place = "secret" if secret else "env" if b"\n" not in value else "config"
        pointer = join(*steps, "literals", key)
        if pointer in self.pointers:
            self.repeated, pointer = True, join(*steps, "literals", key, index)
        self.add(Slot(
            self.platform, self.path, pointer, key, Plaintext(value), span, span, item.encoding, place,
            () if reason else TARGETS, reason,
        ), item, "generator", owner, entry)  # fmt: skip

    def add(self, slot: Slot, item: Scalar, form: Form, owner: Map | Seq, entry: Map | None) -> None:
        if slot.pointer in self.pointers or len(self.sites) >= MAX_SLOTS:
            self.repeated |= slot.pointer in self.pointers
            return
        self.pointers.add(slot.pointer)
        self.sites.append(Site(slot, self.object, item, form, owner, None, entry))


def _reads(encoding: tuple[str, ...], raw: bytes, value: bytes) -> bool:
    try:
        return _encode.decode(encoding, raw) == value
    except _encode.Undecodable:
        return False
