"""Which of many values stand in a text.

A tree can hold ten thousand values, and every kept text, preview and made file is searched for all of them. So the
forms are looked up by how they begin, in time that goes with the text and not with the number of values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from rewriters import Plaintext, Span
from rewriters._undo import traces

__all__ = ["Traces"]

_HEAD = 8
"""Bytes by which a form is looked up; a shorter one by all of its bytes."""
_FEW = 16
"""A text with so many bytes for each form is searched form by form, which is the faster way then."""


class Traces:
    """The forms in which values would be seen in a text, by key. Printing it shows nothing of them."""

    __slots__ = ("__forms", "__heads", "__rank", "__widths")

    def __init__(self, forms: Mapping[str, Iterable[bytes]]) -> None:
        self.__forms: list[tuple[bytes, str]] = []
        self.__heads: dict[bytes, list[tuple[bytes, str]]] = {}
        self.__rank = {key: rank for rank, key in enumerate(forms)}
        for key, each in forms.items():
            for form in each:
                if form:
                    self.__forms.append((form, key))
                    self.__heads.setdefault(form[:_HEAD], []).append((form, key))
        self.__widths = sorted({len(head) for head in self.__heads})

    @staticmethod
    def of(values: Mapping[str, Plaintext]) -> Traces:
        """The forms of values by their ids: plain, base64, URL-encoded and JSON-escaped; none for a value that stands
        in ordinary text by chance (`rewriters._undo.traces`)."""
        return Traces({key: traces(value) for key, value in values.items()})

    def within(self, *texts: bytes) -> tuple[str, ...]:
        """The keys of which a form stands in one of the texts, in the order in which they were given."""
        found: set[str] = set()
        for text in texts:
            found.update(self._within(text))
        return tuple(sorted(found, key=self.__rank.__getitem__))

    def _within(self, text: bytes) -> Iterator[str]:
        if len(self.__forms) * _FEW < len(text):
            yield from (key for form, key in self.__forms if form in text)
            return
        for width in self.__widths:
            for at in range(len(text) - width + 1):
                for form, key in self.__heads.get(text[at : at + width], ()):
                    if text.startswith(form, at):
                        yield key

    def spans(self, text: bytes) -> list[Span]:
        """The places of all forms in the text, in no order; they may overlap."""
        found: list[Span] = []
        if len(self.__forms) * _FEW < len(text):
            for form, _ in self.__forms:
                at = text.find(form)
                while at >= 0:
                    found.append(Span(at, at + len(form)))
                    at = text.find(form, at + 1)
            return found
        for width in self.__widths:
            for at in range(len(text) - width + 1):
                for form, _ in self.__heads.get(text[at : at + width], ()):
                    if text.startswith(form, at):
                        found.append(Span(at, at + len(form)))
        return found

    def lines(self, text: bytes) -> dict[str, list[int]]:
        """The lines, from 1, on which a form of each value begins."""
        seen = set(self.within(text))
        if not seen:
            return {}
        breaks = [at for at, byte in enumerate(text) if byte == 10]
        found: dict[str, set[int]] = {}
        for form, key in self.__forms:
            if key in seen:
                at = text.find(form)
                while at >= 0:
                    found.setdefault(key, set()).add(bisect_left(breaks, at) + 1)
                    at = text.find(form, at + 1)
        return {key: sorted(lines) for key, lines in found.items()}

    def blot(self, text: bytes, mask: bytes) -> bytes:
        """The text with every form in it replaced, longer ones first. It keeps as many lines as it had."""
        seen = set(self.within(text))
        for form, _ in sorted((each for each in self.__forms if each[1] in seen), key=lambda each: -len(each[0])):
            text = text.replace(form, mask + b"\n" * form.count(b"\n"))
        return text

    def __repr__(self) -> str:
        return f"Traces({len(self.__rank)})"
