"""Further documents for a manifest: at its end, or in a file beside it where the end has to stay as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rewriters._api import Companion, Edit, Span
from rewriters._k8s_objects import Manifest, Object
from rewriters._k8s_text import Style, Tree, block, led, style_of
from rewriters._k8s_uses import pods
from rewriters._yaml import Map, newline

__all__ = ["added", "apart", "is_patch"]


def added(
    manifest: Manifest, made: Sequence[tuple[Object, Tree]], taken: set[str], folder: str = ""
) -> list[Edit | Companion]:
    """These documents, each with the object that needs it, added to the manifest. `taken` are paths in use; `folder`,
    with a slash at its end, is where they go instead if they can stand by themselves."""
    found: list[Edit | Companion] = []
    homes: dict[int, tuple[Map, str, list[Tree]]] = {}
    apart: list[tuple[Object, Tree]] = []
    for thing, tree in made:
        if thing.home is not None:
            homes.setdefault(id(thing.home[0]), (*thing.home, []))[2].append(tree)
        else:
            apart.append((thing, tree))
    for owner, key, trees in homes.values():
        found += led(manifest.path, manifest.data, owner, key, trees, style_of(manifest.data, owner))
    return [*found, _apart(manifest, apart, taken, folder)] if apart else found


def _apart(manifest: Manifest, made: Sequence[tuple[Object, Tree]], taken: set[str], folder: str) -> Edit | Companion:
    path, data = manifest.path, manifest.data
    style = style_of(data, made[0][0].root)
    texts = [block(tree, 0, style) for _, tree in made if isinstance(tree, dict)]
    json = path.lower().endswith(".json")
    if folder or json or _ends_in_a_block(manifest) or any(is_patch(thing) for thing, _ in made):
        stem = path.rsplit(".", 1)[0] + "-keyvault"
        if folder:
            stem = folder + stem.replace("/", "-")
        return apart(stem, [tree for _, tree in made], taken, Style(newline=style.newline) if json else style)
    line = newline(data).decode()
    lead = "" if data.endswith(b"\n") else line
    if data.rstrip().split(b"\n")[-1].strip() != b"---":
        lead += "---" + line
    text = lead + f"{line}---{line}".join(texts) + (line if data.endswith(b"\n") else "")
    return Edit(path, Span(len(data), len(data)), text.encode())


def apart(stem: str, trees: Sequence[Tree], taken: set[str], style: Style | None = None) -> Companion:
    """These documents in a file of their own, whose path is added to those `taken`."""
    style = style or Style()
    while f"{stem}.yaml" in taken:
        stem += "-2"
    taken.add(f"{stem}.yaml")
    texts = [block(tree, 0, style) for tree in trees if isinstance(tree, Mapping)]
    content = f"---{style.newline}".join(text + style.newline for text in texts)
    return Companion(f"{stem}.yaml", content.encode(), f"apply {stem}.yaml together with what reads its Secrets")


def _ends_in_a_block(manifest: Manifest) -> bool:
    """Whether a line break at the end of the file would belong to the text before it."""
    if manifest.data.endswith(b"\n"):
        return False
    last = max((thing.document.end for thing in manifest.objects), default=0)
    scalars = (site.scalar for site in manifest.sites if site.scalar.style in ("literal", "folded"))
    return any(scalar.end >= last for scalar in scalars)


def is_patch(thing: Object) -> bool:
    """Whether an object is a part of one: its containers lack the image, which the API asks for."""
    inside = [container for pod in pods(thing) if not pod.build for container in pod.containers]
    return bool(inside) and not any("image" in container.entries() for container in inside)
