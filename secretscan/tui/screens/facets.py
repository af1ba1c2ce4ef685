"""The facets as a box, for terminals that have no room for them beside the list."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from secretscan.review.query import Facet
from secretscan.review.view import View
from secretscan.tui.actions import bindings
from secretscan.tui.screens.base import Dialog
from secretscan.tui.widgets.facets import Facets

__all__ = ["FacetDialog"]


class FacetDialog(Dialog[tuple[Facet, str]]):
    """Returns the facet and the value that was chosen."""

    BINDINGS = bindings("dialog")
    ABOUT: ClassVar[str] = "Enter puts the value into the filter, or takes it out again. Those with a * are in it."

    def __init__(self, view: View, text: str) -> None:
        """`text` is the filter as it is."""
        super().__init__()
        self.view = view
        self.text = text

    def body(self) -> ComposeResult:
        with Vertical(classes="box tall"):
            yield Static("Show only", classes="heading", markup=False)
            yield Facets(self.view, self.text, id="facet-list")

    def on_facets_chosen(self, event: Facets.Chosen) -> None:
        self.dismiss((event.facet, event.value))
