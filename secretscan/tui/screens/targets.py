"""The second step: what the references look like, by what reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final, Literal

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Label, Static

from secretscan import api
from secretscan.errors import printable
from secretscan.events import Cancellation, Listener
from secretscan.tui.actions import bindings
from secretscan.tui.migration import Step
from secretscan.tui.screens.wizard import WizardScreen
from secretscan.tui.widgets.choice import Choice
from secretscan.tui.widgets.rows import Rows

__all__ = ["TargetsScreen"]

Target = Literal["auto", "external-secrets", "secrets-store-csi", "akv2k8s"]

_TARGETS: Final[dict[Target, str]] = {
    "auto": "what the manifests use already, else External Secrets",
    "external-secrets": "External Secrets",
    "secrets-store-csi": "Secrets Store CSI driver",
    "akv2k8s": "akv2k8s",
}
_ABOUT: Final = {
    "kubernetes": "Kubernetes: what reads the vault in the cluster?",
    "aci": "Container Instances: which identity of the group reads the vault?",
    "compose": "Compose: values become variables, which a fetch script reads from the vault.",
    "dotenv": ".env: values become variables, which a fetch script reads from the vault.",
    "dockerfile": "Dockerfiles: the build mounts its secrets; other values come as variables.",
}
"""In the order of the screen."""


class TargetsScreen(WizardScreen):
    """Only fields that matter for what was found."""

    STEP: ClassVar[Step] = "targets"
    SCOPE: ClassVar[str] = "targets"
    ABOUT: ClassVar[str] = (
        "What stands in the files instead of the values, for each platform that was found here. All of it may stay "
        "empty: then it is found in the files, or the place stays as it is and the preview says what was missing."
    )
    BINDINGS = [*bindings("wizard"), *bindings("targets")]  # noqa: RUF012

    def content(self) -> ComposeResult:
        saved = self.migration.saved
        chosen, pinned, whole = saved.settings, saved.choices.pinned, saved.choices.whole_texts
        with VerticalScroll(id="form", can_focus=False):
            with Horizontal(classes="line"):
                yield Label("Names begin with", classes="name wide")
                yield Input(saved.prefix, id="prefix", compact=True, placeholder=printable(self.migration.root.name))
            yield Label("Placeholders such as 'changeme'", classes="field heading")
            yield Choice(["stay as they are", "move too"], int(saved.placeholders), id="placeholders")
            with VerticalScroll(id="kubernetes", classes="platform", can_focus=False):
                yield Static(_ABOUT["kubernetes"], classes="field heading", markup=False)
                ways: list[Target] = list(_TARGETS)
                yield Choice(list(_TARGETS.values()), ways.index(chosen.kubernetes_target), id="target")
                yield from _field("secret-store", "Secret store", chosen.secret_store, "an existing one: Kind/name")
                yield from _field("client-id", "Client id", chosen.client_id, "of the workload identity")
                yield from _field("tenant-id", "Tenant id", chosen.tenant_id, "of the vault")
            with VerticalScroll(id="aci", classes="platform", can_focus=False):
                yield Static(_ABOUT["aci"], classes="field heading", markup=False)
                yield from _field("identity", "Identity", chosen.identity, "/subscriptions/…: a user-assigned one")
            for platform in ("compose", "dotenv", "dockerfile"):
                yield Static(_ABOUT[platform], id=platform, classes="field platform", markup=False)
            yield Label("References lead to", classes="field heading")
            yield Choice(["what is current in the vault", "the version that is stored"], int(pinned), id="versions")
            yield Label("Connection strings", classes="field heading")
            yield Choice(["in parts where the platform can join them", "whole"], int(whole), id="texts")

    def on_mount(self) -> None:
        for each in self.query(".platform"):
            each.display = False
        self.query_one("#prefix").focus()
        self.work("looking which platforms are here", self._platforms, self._show_platforms)

    def _platforms(self, listener: Listener, cancellation: Cancellation) -> frozenset[str]:
        found: set[str] = set()
        for batch in api.sightings(self.migration.root):
            cancellation.check()
            found.update(item.platform for item in batch)
        return frozenset(found)

    def _show_platforms(self, found: frozenset[str]) -> None:
        """All of them when nothing is known, as without an inventory."""
        for platform in _ABOUT:
            self.query_one(f"#{platform}").display = platform in found or not found & set(_ABOUT)
        self._show_target()
        self.say("^n reads the files and makes a plan; nothing is changed by it")

    @on(Rows.Moved, "#target")
    def _show_target(self) -> None:
        """Only what the chosen target asks for."""
        target = list(_TARGETS)[self.query_one("#target", Choice).cursor]
        for name, shown in (
            ("secret-store", target in ("auto", "external-secrets")),
            ("client-id", target != "akv2k8s"),
            ("tenant-id", target in ("auto", "secrets-store-csi")),
        ):
            self.query_one(f"#{name}-line").display = shown

    @on(Rows.Chosen)
    @on(Input.Submitted)
    def _to_the_next(self) -> None:
        self.focus_next()

    def _take(self) -> None:
        def text(name: str) -> str:
            return self.query_one(f"#{name}", Input).value.strip()

        saved = self.migration.saved
        self.migration.choose(
            prefix=text("prefix"),
            placeholders=bool(self.query_one("#placeholders", Choice).cursor),
            choices=replace(
                saved.choices,
                pinned=bool(self.query_one("#versions", Choice).cursor),
                whole_texts=bool(self.query_one("#texts", Choice).cursor),
            ),
            settings=replace(
                saved.settings,
                identity=text("identity"),
                client_id=text("client-id"),
                tenant_id=text("tenant-id"),
                secret_store=text("secret-store"),
                kubernetes_target=list(_TARGETS)[self.query_one("#target", Choice).cursor],
            ),
        )

    def action_next(self) -> None:
        self._take()
        self.plan("names")

    def action_back(self) -> None:
        if not self.busy:
            self._take()
        super().action_back()

    def action_leave(self) -> None:
        self._take()
        super().action_leave()


def _field(name: str, label: str, value: str, placeholder: str) -> ComposeResult:
    with Horizontal(classes="line", id=f"{name}-line"):
        yield Label(label, classes="name")
        yield Input(value, id=name, compact=True, placeholder=placeholder)
