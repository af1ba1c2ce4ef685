"""The edits that put references into one Compose file.

Sources: Compose specification, interpolation, secrets, build; Compose documentation: a secret from the environment
needs Compose 2.6, build secrets 2.5; Compose refuses such a secret in a `read_only` service.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from rewriters import fetch
from rewriters._api import Assignment, Refusal, Span
from rewriters._compose_files import EnvEntry, file_name
from rewriters._compose_interpolate import required, substitutions, varies
from rewriters._compose_layout import Entry, own, own_pair
from rewriters._compose_required import Requirements
from rewriters._compose_slots import ALTERNATIVES
from rewriters._compose_swarm import MAX_BYTES, external_name
from rewriters._encode import decode, locate
from rewriters._yaml import Scalar, Seq

__all__ = ["FileRewrite"]

_COMMENT = re.compile(rb"[|>][0-9+-]*[ \t]+(#[^\r\n]*)")


@dataclass(slots=True)
class FileRewrite(Requirements):
    """One file's edits, refusals and fulfilled requirements."""

    # --- assignments -------------------------------------------------------------------------------------------------

    def assign(self, item: Assignment) -> None:
        """Carry out one assignment or refuse it."""
        refused = self._assign(item)
        if refused is not None:
            self.refusals.append(Refusal(self.path, item.slot.pointer, *refused))

    def _assign(self, item: Assignment) -> tuple[str, str] | None:
        slot = item.slot
        scalar, flow = self._scalar_of(slot.span)
        if scalar is None or any(slot.span.touches(span) for span in self._taken):
            return "this place was moved already, or is not in the file any more", "scan the file again"
        if not slot.targets:
            if slot.place == "build":
                return (
                    slot.reason,
                    "list it below `build: secrets:` and mount it in the Dockerfile, then take it out of here",
                )
            return slot.reason, ALTERNATIVES.get(slot.reason, "do that, then move the value")
        if b"\0" in slot.value.reveal():
            return "an environment variable cannot hold a NUL byte", "mount it as a file that a fetch step writes"
        raw = self.data[slot.span.start : slot.span.end]
        text = decode(slot.encoding[:-1], raw)
        span = slot.span
        if item.part is None:
            if varies(text):
                return (
                    "the value is put together from variables, only literal text can move",
                    "move the default, or the literal part of the value",
                )
        else:
            inner = locate(("dollar",), text, item.part)
            found = locate(slot.encoding, raw, item.part)
            if inner is None or found is None:
                return "this part of the value has no bytes of its own", "write the value on one line, then move it"
            if any(inner.touches(other.span) for other in substitutions(text)):
                return "this part of the value is a variable", "move the default inside of it"
            span = Span(span.start + found.start, span.start + found.end)
        whole = self.data[scalar.span.start : scalar.span.end]
        if flow and scalar.style == "plain" and span != scalar.span and re.search(rb"[\"\\\\]", whole):
            return (
                "the text needs quotes there, in which its backslashes mean something else",
                "write it in double quotes",
            )
        entry = self._entries.get(scalar.literal.start)
        if item.part is None and entry is not None and self._as_file(item, entry):
            self._taken.append(slot.span)
            return None
        name = self.variables.name(self.folder, item.reference)
        reference = required(name, self.variables.script(self.folder))
        self._taken.append(span)
        self._put(scalar, flow, span, reference)
        if item.part is None:
            self._moved[slot.span.start] = item.reference
        if entry is not None and item.part is None:
            self._set.add((entry.service, entry.key, item.reference))
        return None

    def _scalar_of(self, span: Span) -> tuple[Scalar | None, bool]:
        at = bisect_right(self._starts, span.start) - 1
        scalar, flow = self._scalars[self._starts[at]] if at >= 0 else (None, False)
        return (scalar, flow) if scalar is not None and scalar.span.covers(span) else (None, False)

    def _put(self, scalar: Scalar, flow: bool, span: Span, text: bytes) -> None:
        """`text` in place of these bytes of the scalar, in its quoting."""
        edits = self._layouts[0]
        if scalar.style in ("literal", "folded") and span == scalar.span:
            comment = _COMMENT.match(self.data, scalar.literal.start, scalar.span.start)
            text += b" " + comment[1] if comment else b""
            if self.data[scalar.literal.end - 1 : scalar.literal.end] == b"\n":
                text += edits.eol
            edits.replace(scalar.literal, text)
        elif scalar.style == "plain" and flow:
            if span == scalar.span:
                edits.replace(span, b'"' + text + b'"')
                return
            edits.replace(span, text)
            self._quoted[scalar.literal.start] = scalar
        else:
            edits.replace(span, text)

    # --- files instead of variables ----------------------------------------------------------------------------------

    def _as_file(self, item: Assignment, entry: EnvEntry) -> bool:
        """Hand the value over as a secret's file, where the image is known to read one."""
        if item.slot.value.reveal().endswith((b"\n", b"\r")):
            return False  # these images drop what ends the file
        name = file_name(entry, self.path, self.files, self._kind)
        if not name:
            return False
        layout = self._layouts[0]
        known = self.variables.known(self.folder).values()
        swarm = ""
        if self._kind:
            ours = item.reference in fetch.variables(self.folder, self.files).values()
            swarm = external_name(item.reference, layout.document.root, self.files, ours=ours)
        if self._kind and (not swarm or len(item.slot.value.reveal()) > MAX_BYTES):
            return False
        if not layout.can_grow(entry.body, "secrets", (Seq,)) or item.slot.span.start != entry.value_start(self.data):
            return False
        same = {other for other in known if other.name == item.reference.name} - {item.reference}
        if swarm and (same or item.reference.name in self.ambiguous):
            return False  # of two secrets of one name, the swarm's would not say which it is
        variable = self.variables.name(self.folder, item.reference)
        secret = self._secret(item.reference.name, variable, swarm)
        if not secret:
            return False
        at = entry.key_node.span.end if entry.key_node is not None else item.slot.span.start - 1
        layout.replace(Span(at, at), name[len(entry.key) :].encode())
        layout.replace(item.slot.span, b"/run/secrets/" + secret.encode())
        self._list_secret(entry, secret)
        if not swarm:
            self.notes[f"{self.path}: a secret from the environment needs Docker Compose 2.6 or newer."] = None
        self._set.add((entry.service, entry.key, item.reference))
        return True

    def _list_secret(self, entry: EnvEntry, secret: str) -> None:
        pair = own_pair(entry.body, "secrets")
        node = own(pair[1]) if pair else None
        listed = {item.text for item in node.items if isinstance(item, Scalar)} if isinstance(node, Seq) else set()
        if secret not in listed:
            below = entry.environment
            self._layouts[0].add(entry.body, "secrets", Entry(secret.encode()), listed=True, below=below)
