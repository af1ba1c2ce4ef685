"""The readers of a ConfigMap, switched to the Secret that some of its keys move to.

Source: Kubernetes API reference, EnvFromSource v1 (later sources win), ConfigMapVolumeSource v1, SecretVolumeSource v1.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rewriters._api import Edit, Span
from rewriters._k8s_objects import Manifest, Object, follow, text_at
from rewriters._k8s_text import Tree, block, column, flow, line_end, style_of
from rewriters._k8s_uses import Use, mentions, nearest, uses
from rewriters._k8s_vault import Unfit, same_namespace
from rewriters._yaml import Map, Scalar, Seq

__all__ = ["Readers"]

_BY_HAND = "move the value into a Secret by hand and let the pods read it from there"


class Readers:
    """Everything in the given files that reads a ConfigMap. Raises `Unfit` unless all of it is known."""

    def __init__(self, manifests: Mapping[str, Manifest], thing: Object) -> None:
        self.manifests = manifests
        self.config = thing
        objects = [item for manifest in manifests.values() for item in manifest.objects]
        same = [
            item
            for item in objects
            if item.kind == "ConfigMap" and item.name == thing.name and same_namespace(item.namespace, thing.namespace)
        ]
        found = uses(objects, "ConfigMap", thing.name, thing.namespace)
        meant = [nearest(use.pod.object.path, same) for use in found]
        self.uses = [use for use, item in zip(found, meant, strict=True) if item is thing]
        if any(item is None for item in meant):
            raise Unfit("several ConfigMaps of this name are equally near to a pod that reads one", _BY_HAND)
        if not self.uses:
            raise Unfit("nothing in the given files reads this ConfigMap, so its readers are not known", _BY_HAND)
        if any(mentions(item, thing.name) for item in objects):
            raise Unfit("an object of another kind names this ConfigMap", _BY_HAND)
        if any(not any(item is other for other in meant) for item in same):
            raise Unfit("another file changes this ConfigMap", _BY_HAND)

    def switched(self, secret: str, keys: Collection[str]) -> list[Edit]:
        """The edits that let every reader take these keys from a Secret. Raises `Unfit`."""
        data = self.config.root.get("data")
        names = {key.text for key, _ in data.pairs if isinstance(key, Scalar)} if isinstance(data, Map) else set()
        seen: set[int] = set()
        edits: list[Edit] = []
        for use in self.uses:
            if id(use.ref) not in seen:
                seen.add(id(use.ref))
                edits += self._switched(use, secret, keys, every=names <= set(keys))
        return edits

    def _switched(self, use: Use, secret: str, keys: Collection[str], every: bool) -> list[Edit]:
        manifest = self.manifests[use.pod.object.path]
        head = next((key for key, value in use.holder.pairs if value is use.ref and isinstance(key, Scalar)), None)
        label = next(
            (pair for pair in use.ref.pairs if isinstance(pair[0], Scalar) and pair[0].text == "name"), (None, None)
        )
        if head is None or not isinstance(label[0], Scalar) or not isinstance(label[1], Scalar) or label[1].anchor:
            raise Unfit("a pod reads this ConfigMap through an alias", "write the reference out in the pod")
        rename = Edit(manifest.path, label[1].span, secret.encode())
        if use.how == "envFrom":
            return [self._beside(manifest, use, secret)]
        if use.how == "env":
            wanted = text_at(use.ref, "key") in keys
            return [Edit(manifest.path, head.span, b"secretKeyRef"), rename] if wanted else []
        items = use.ref.get("items")
        listed = {text_at(follow(item), "key") for item in items.items} if isinstance(items, Seq) else None
        if listed is not None and not listed & set(keys):
            return []
        if not (every if listed is None else listed <= set(keys)):
            raise Unfit(
                "a pod mounts this ConfigMap as files, with keys that would stay beside the ones that move",
                "split the ConfigMap, or let the pod mount both in a projected volume",
            )
        edits = [Edit(manifest.path, head.span, b"secret"), rename]
        if use.how == "volume":
            edits.append(Edit(manifest.path, label[0].span, b"secretName"))
        return edits

    def _beside(self, manifest: Manifest, use: Use, secret: str) -> Edit:
        """Right after the ConfigMap the Secret is read too, so that the order of precedence stays."""
        if not any(entry is use.holder for entry in use.items.items):
            raise Unfit("a pod reads this ConfigMap through an alias", "write the reference out in the pod")
        data = manifest.data
        item: dict[str, Tree] = {"prefix": text_at(use.holder, "prefix")} if text_at(use.holder, "prefix") else {}
        item["secretRef"] = {"name": secret}
        if use.items.flow:
            quoted = any(isinstance(key, Scalar) and key.style == "double" for key, _ in use.holder.pairs)
            return Edit(manifest.path, Span(use.holder.end, use.holder.end), f", {flow(item, quoted)}".encode())
        style = style_of(data, use.pod.object.root)
        pad = column(data, data.rindex(b"-", 0, use.holder.start))
        lines = block({"": [item]}, pad - style.dash, style).split(style.newline)[1:]
        at = line_end(data, use.holder)
        return Edit(manifest.path, Span(at, at), "".join(style.newline + line for line in lines).encode())
