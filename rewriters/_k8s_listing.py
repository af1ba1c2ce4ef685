"""New files in the `resources` of a kustomization, in the style of its list.

Source: Kustomize reference, `resources`: only what a kustomization lists is applied, and no file from outside of its
folder.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from rewriters._api import Companion, Edit, Span
from rewriters._k8s_kustomize import Kustomization, Kustomizations
from rewriters._k8s_text import block, column, dash_of, flow, line_end, style_of, written_simply
from rewriters._k8s_vault import common
from rewriters._yaml import Map, Node, Scalar, Seq

__all__ = ["listed", "shared_folder"]


def shared_folder(kustomizations: Kustomizations, paths: Sequence[str]) -> str:
    """Where a file that these need stands, with a slash at the end: above them all, and not outside of the one
    kustomization that applies them."""
    folder = common(paths)
    homes = kustomizations.applying(paths)
    return folder if len(homes) != 1 or _relative(homes[0], folder) is not None else f"{homes[0].folder}/"


def listed(
    kustomizations: Kustomizations, companions: Sequence[tuple[Companion, list[str]]], edited: Collection[str]
) -> tuple[list[Edit], list[str]]:
    """The edits that list new files in the kustomizations that apply those which need them, and what is left to
    people. `edited` are files that change otherwise, too."""
    wanted: dict[str, list[str]] = {}
    homes: dict[str, Kustomization] = {}
    notes: list[str] = []
    for companion, paths in companions:
        applying = kustomizations.applying(paths)
        for home in applying:
            name = _relative(home, companion.path)
            if name is None:
                notes.append(
                    f"{home.path} cannot list {companion.path}, which is outside of its folder: apply it by itself"
                )
            elif companion.path not in home.resources:
                homes[home.path] = home
                wanted.setdefault(home.path, []).append(name)
        for path in paths if applying else ():
            for top in kustomizations.missing(path, applying):
                notes.append(f"{top} applies {path} without {companion.path}: apply that by itself there")
        alone = [path for path in paths if not kustomizations.knows(path)]
        if alone or not applying:
            notes.append(f"apply {companion.path} together with {', '.join(sorted(set(alone or paths)))}")
    edits: list[Edit] = []
    for path, names in wanted.items():
        edit = _listing(homes[path], names, path in edited)
        if edit is not None:
            edits.append(edit)
            notes.append(f"{path} lists {', '.join(names)} now")
        else:
            lines = ", ".join(f"- {name}" for name in names)
            notes.append(f"{path} has to list new files: add to its resources {lines}")
    return edits, notes


def _relative(kustomization: Kustomization, path: str) -> str | None:
    """How a kustomization names a file; `None` when it may not, since the file is outside of its folder."""
    folder = f"{kustomization.folder}/" if kustomization.folder else ""
    return path[len(folder) :] if path.startswith(folder) else None


def _listing(kustomization: Kustomization, names: Sequence[str], early: bool) -> Edit | None:
    """The edit that lists more files, after the last one; `None` where the text of the list does not allow it."""
    root, data, path = kustomization.root, kustomization.data, kustomization.path
    if root is None or not root.pairs or not written_simply(data, root):
        return None
    own = [(key, value) for key, value in root.pairs if isinstance(key, Scalar) and key.text == "resources"]
    if len(own) > 1 or (not own and root.get("resources") is not None):
        return None
    style = style_of(data, root)
    if not own:
        last = root.pairs[-1][1]
        if root.flow and early:
            return None
        if root.flow:
            quoted = any(isinstance(key, Scalar) and key.style == "double" for key, _ in root.pairs)
            return Edit(path, _at(last.end), f", {flow({'resources': list(names)}, quoted)[1:-1]}".encode())
        text = block({"resources": list(names)}, 0, style)
        if early or _ends_in_a_block(last):
            first = next((key for key, _ in root.pairs if _text(key) not in ("apiVersion", "kind")), None)
            return Edit(path, _at(first.start), (text + style.newline).encode()) if first else None
        return Edit(path, _at(line_end(data, root)), (style.newline + text).encode())
    key, node = own[0]
    if isinstance(node, Scalar) and not node.text and node.style == "plain" and not node.anchor and not root.flow:
        lines = block({"resources": list(names)}, 0, style).split(style.newline)[1:]
        at = data.index(b":", key.end) + 1
        return Edit(path, _at(at), "".join(style.newline + line for line in lines).encode())
    if not isinstance(node, Seq) or node.anchor or node.tag:
        return None
    if node.flow:
        text = ", ".join(_item(name, node.items[-1] if node.items else key) for name in names)
        return (
            Edit(path, _at(node.items[-1].end), f", {text}".encode()) if node.items else _first(path, data, node, text)
        )
    last = node.items[-1]
    if not isinstance(last, Scalar) or last.style in ("literal", "folded"):
        return None
    pad = " " * column(data, dash_of(data, node, len(node.items) - 1))
    text = "".join(f"{style.newline}{pad}- {_item(name, last)}" for name in names)
    return Edit(path, _at(line_end(data, last)), text.encode())


def _first(path: str, data: bytes, node: Seq, text: str) -> Edit:
    return Edit(path, _at(data.index(b"[", node.start) + 1), text.encode())


def _at(offset: int) -> Span:
    return Span(offset, offset)


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _item(name: str, like: Node) -> str:
    """A path as an item of a list, quoted like another text of it."""
    style = like.style if isinstance(like, Scalar) else ""
    if style == "single" and "'" not in name:
        return f"'{name}'"
    return json.dumps(name) if style == "double" else flow(name, quoted=False)


def _ends_in_a_block(node: Node) -> bool:
    while isinstance(node, Map | Seq) and not node.flow:
        node = node.pairs[-1][1] if isinstance(node, Map) else node.items[-1]
    return isinstance(node, Scalar) and node.style in ("literal", "folded")
