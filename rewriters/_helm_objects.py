"""The manifests that a chart's templates hold: their places, read with each action as another text of the same length.

What the API makes of the objects is read by the same parts as plain manifests are (`_k8s_objects`). A text with an
action in it is no literal. Source: Helm documentation, "Chart Template Guide".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from rewriters._api import Slot, Unreadable
from rewriters._helm_files import NAME
from rewriters._helm_mask import Masked, masked, shown
from rewriters._helm_read import ACTION
from rewriters._k8s_objects import Manifest, Site
from rewriters._k8s_read import read
from rewriters.plaintext import Plaintext

__all__ = ["CONFIG", "INSIDE", "TARGETS", "Objects", "objects"]

TARGETS = ("external-secrets",)
CONFIG = "who reads a ConfigMap of a chart is known when its templates are rendered"
INSIDE = "a variable that is put together from a Secret would have to stand before this one in every rendering"


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """A template as it was read. `manifest` is of the masked text, which is as long; `slots` are of the file."""

    path: str
    data: bytes = field(repr=False)
    mask: Masked = field(repr=False)
    manifest: Manifest = field(repr=False)
    slots: tuple[Slot, ...] = field(repr=False)
    sites: dict[str, Site] = field(repr=False)

    def original(self, start: int, end: int) -> str:
        return self.data[start:end].decode("utf-8", "replace")


def objects(path: str, data: bytes) -> Objects:
    """The places of a template. Raises `Unreadable`."""
    mask = masked(data)
    try:
        manifest = read(path, mask.data, NAME)
    except Unreadable as error:
        raise Unreadable(f"with its actions left out this template is no YAML: {error.reason}", error.line) from None
    seen: Counter[str] = Counter()
    slots: list[Slot] = []
    sites: dict[str, Site] = {}
    for site in manifest.sites:
        slot = site.slot
        pointer = shown(slot.pointer)
        seen[pointer] += 1
        pointer += f"#{seen[pointer]}" if seen[pointer] > 1 else ""
        reason = slot.reason or {"config": CONFIG, "arg": INSIDE}.get(site.form, "")
        value, encoding = slot.value, slot.encoding
        if mask.touches(slot.literal):
            value, encoding, reason = Plaintext(data[slot.span.start : slot.span.end]), ("raw",), ACTION
        sites[pointer] = site
        slots.append(
            replace(
                slot,
                pointer=pointer,
                key=shown(slot.key),
                value=value,
                encoding=encoding,
                reason=reason,
                targets=() if reason else TARGETS,
                interpolates=False,
            )
        )
    return Objects(path, data, mask, manifest, tuple(slots), sites)
