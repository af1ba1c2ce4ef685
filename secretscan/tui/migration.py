"""The migration that is being prepared: what was chosen so far, kept between its screens and between sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from secretscan import api
from secretscan.errors import SecretscanError
from secretscan.events import Cancellation, Listener
from secretscan.plan.saved import Saved
from secretscan.vault.auth import AUTHS, Auth
from secretscan.vault.choice import VaultChoice

if TYPE_CHECKING:
    from secretscan.plan.build import Draft
    from secretscan.plan.document import PlannedSecret
    from secretscan.run.apply import Applied
    from secretscan.run.preflight import Check
    from secretscan.tui.app import Options, ReviewApp
    from secretscan.tui.running import Running
    from secretscan.tui.screens.wizard import WizardScreen
    from secretscan.vault.identity import Identity
    from secretscan.vault.server.trial import TrialVault

__all__ = ["STEPS", "Migration", "SeenVault", "Step"]

Step = Literal["vault", "targets", "names", "preview", "preflight", "confirm", "run", "result"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)

_OFFERED: Final[tuple[Step, ...]] = ("vault", "targets", "names", "preview", "preflight", "confirm")
"""Steps at which the migration can be left and entered again; the others depend on the run."""


@dataclass(frozen=True, slots=True)
class SeenVault:
    """A vault that has answered: with its URL as it is checked, who is signed in, and what to know of it."""

    choice: VaultChoice
    identity: Identity
    notes: tuple[str, ...]


def _sign_in(options: Options) -> Saved:
    """What the command line and the settings say, as the first choices."""
    way: Auth = next((known for known in AUTHS if known == options.auth), "default")
    return replace(options.first, vault_url=options.vault_url.rstrip("/"), auth=way, descriptor=options.descriptor)


class Migration:
    """One for the whole session. `enter` opens the step at which it was left."""

    def __init__(self, root: Path, options: Options) -> None:
        self.root = root
        self.options = options
        self.saved = _sign_in(options)
        self.notes: list[str] = []
        """What a person should know on entering: of kept choices that could not be used."""
        self.step: Step = "vault"
        self.typed: VaultChoice | None = None
        """What stood in the fields of the first step when it was left, whether or not a vault answered to it."""
        self.draft: Draft | None = None
        self.identity: Identity | None = None
        self.vault_notes: tuple[str, ...] = ()
        self.checks: tuple[Check, ...] = ()
        self.running: Running | None = None
        self.trial: TrialVault | None = None
        self.secrets: dict[str, PlannedSecret] = {}
        """All that were planned in this session, in the order in which they first were: also those left out since."""
        self._seen: VaultChoice | None = None
        self._planned_from: Saved | None = None
        self._loaded = False
        self._unkept = ""

    # what was chosen

    @property
    def choice(self) -> VaultChoice:
        """The vault, and as whom."""
        return VaultChoice(self.saved.vault_url, self.saved.auth, self.saved.descriptor)

    @property
    def on_trial(self) -> bool:
        """Whether the chosen vault is the embedded one of this session."""
        return self.trial is not None and self.choice == self.trial.choice

    @property
    def signed_in(self) -> str:
        """As whom, as far as the sign-in told."""
        who = self.identity
        if self.saved.auth == "local":
            return "whoever holds the embedded vault's token"
        if who is None or not (who.name or who.object_id):
            return f"not named ({self.saved.auth})"
        return f"{who.name}, object {who.object_id}" if who.name and who.object_id else who.name or who.object_id

    @property
    def vault_known(self) -> bool:
        """Whether this choice of a vault has answered in this session."""
        return self._seen == self.choice

    @property
    def planned(self) -> bool:
        """Whether the draft is that of the choices as they are now."""
        return self.draft is not None and self._planned_from == replace(self.saved, plan=None)

    def choose(self, **changes: Any) -> None:
        """Takes other choices (fields of `Saved`), and keeps them."""
        changed = replace(self.saved, **changes)
        if changed != self.saved:
            self.saved = changed
            self.keep()

    def keep(self) -> None:
        """Writes the choices down. A folder that cannot be written to is noted once, and nothing else is lost."""
        try:
            api.save_review(self.root, self.saved)
        except SecretscanError as error:
            if not self._unkept:
                self._unkept = f"what you choose is kept until you end only: {error}"
                self.notes.append(self._unkept)

    def load(self) -> None:
        """Takes up the choices of an earlier session, once. What the command line names goes before."""
        if self._loaded:
            return
        self._loaded = True
        try:
            found = api.load_review(self.root)
        except SecretscanError as error:
            self.notes.append(f"the choices of an earlier session were not taken: {error}; you begin afresh")
            return
        if found is None:
            return
        if found.descriptor and not Path(found.descriptor).is_file():
            self.notes.append("the embedded vault of the earlier session has ended: choose a vault again")
            found = replace(found, vault_url="", auth="default", descriptor="", plan=None)
        # Which vault a file belongs to is for the settings to say, as they are now.
        found = replace(found, choices=replace(found.choices, share=self.options.first.choices.share))
        if self.saved.vault_url or self.saved.descriptor:
            found = replace(
                found, vault_url=self.saved.vault_url, auth=self.saved.auth, descriptor=self.saved.descriptor
            )
        elif found.plan is not None:
            plan = found.plan
            self.notes.append(
                f"your choices of earlier are here, with a plan of {plan.made}: {len(plan.secrets)} secrets in "
                f"{len(plan.files)} files; it is made anew, so that it fits the files as they are"
            )
        self.saved = found

    def begin_afresh(self) -> None:
        """Forgets everything that was chosen. Raises `SecretscanError` when the file cannot be removed."""
        api.forget_review(self.root)
        self.saved, self.draft, self.checks, self._seen, self.step = self.options.first, None, (), None, "vault"
        self.typed = None
        self.notes.clear()

    # work for jobs; none of it touches a screen

    def start_trial(self) -> TrialVault:
        """The embedded vault of this session, started when it is first asked for. Raises `ConfigurationError`."""
        if self.trial is None:
            # In the demo nobody looks for the vault of another time; elsewhere a name must not come twice.
            self.trial = api.trial_vault("shop-demo" if self.options.demo else f"trial-{token_hex(4)}")
        return self.trial

    def look(self, choice: VaultChoice, listener: Listener, cancellation: Cancellation) -> SeenVault:
        """Signs in and asks the vault one thing. Raises what the vault raises."""
        with choice.open(listener, cancellation) as vault:
            identity = vault.check()
            return SeenVault(VaultChoice(vault.url, choice.auth, choice.descriptor), identity, vault.notes)

    def seen(self, found: SeenVault) -> None:
        """The vault has answered: it is the chosen one now, and is offered again next time."""
        self.identity, self.vault_notes, self._seen = found.identity, found.notes, found.choice
        self.choose(vault_url=found.choice.url, auth=found.choice.auth, descriptor=found.choice.descriptor)
        with suppress(SecretscanError):
            api.remember_vault(found.choice.url, found.choice.auth, found.choice.descriptor)

    def make_plan(self, listener: Listener, cancellation: Cancellation) -> tuple[Saved, Draft]:
        """Plans by the choices as they are now. Raises what planning raises."""
        now = replace(self.saved, plan=None)
        choices = replace(now.choices, names=tuple((self._names_looked_at() | dict(now.choices.names)).items()))
        with self.choice.open(listener, cancellation) as vault:
            draft = api.plan(
                self.options.targets,
                vault.url,
                vault,
                settings=now.settings,
                placeholders=now.placeholders,
                prefix=now.prefix,
                choices=choices,
                listener=listener,
                cancellation=cancellation,
            )
        return now, draft

    def _names_looked_at(self) -> dict[str, str]:
        """The names of the plan before: they must not change because something else was left out. Those of another
        vault or with another beginning are proposed anew, and so is a name that was given up."""
        before, now = self._planned_from, self.saved
        if self.draft is None or before is None:
            return {}
        if (before.vault_url, before.prefix) != (now.vault_url, now.prefix):
            return {}
        given_up = dict(before.choices.names).keys() - dict(now.choices.names).keys()
        return {each.id: each.name for each in self.draft.plan.secrets if each.id not in given_up}

    def take_plan(self, made: tuple[Saved, Draft]) -> None:
        """The draft is the one to look at now."""
        self._planned_from, self.draft = made
        self.checks = ()
        self.secrets |= {each.id: each for each in self.draft.plan.secrets}
        self.choose(plan=self.draft.plan)

    def check(self, listener: Listener, cancellation: Cancellation) -> tuple[Identity, tuple[Check, ...]]:
        """Looks at everything that the run needs. Raises `UsageError` and `Cancelled`."""
        assert self.draft is not None  # noqa: S101 - there are no checks before a plan
        with self.choice.open(listener, cancellation) as vault:
            checks = api.preflight(self.draft.plan, vault, root=self.root, listener=listener, cancellation=cancellation)
            return vault.identity, checks

    def begin_run(self, app: ReviewApp) -> None:
        """Starts the run of the draft."""
        from secretscan.tui.running import Running

        assert self.draft is not None  # noqa: S101 - there is no run before a plan
        plan, choice, root = self.draft.plan, self.choice, self.root

        def work(listener: Listener, cancellation: Cancellation) -> Applied:
            with choice.open(listener, cancellation) as vault:
                return api.apply(plan, vault, root=root, listener=listener, cancellation=cancellation)

        self.running = Running(app, plan, choice, work)
        self.running.start()

    def finish(self) -> None:
        """The run is done and its result was seen: the next migration begins at the first step, with the same vault
        and settings."""
        self.running, self.draft, self.checks, self.step = None, None, (), "vault"
        self.choose(plan=None)

    # screens

    def enter(self, app: ReviewApp) -> None:
        """Opens the step at which the migration was left, or the first one."""
        self.load()
        app.push_screen(self.screen(self._open_step()))

    def _open_step(self) -> Step:
        if self.running is not None:
            return "result" if self.running.done is not None else "run"
        if self.step not in _OFFERED or (self.step != "vault" and not self.vault_known):
            return "vault"
        if self.step not in ("vault", "targets") and self.draft is None:
            return "targets"
        if self.step in ("preflight", "confirm"):
            # Time has passed: what was checked then may have changed.
            return "preflight" if self.planned else "preview"
        return self.step

    def screen(self, step: Step) -> WizardScreen:
        """The screen of a step."""
        from secretscan.tui.screens.confirm import ConfirmScreen
        from secretscan.tui.screens.names import NamesScreen
        from secretscan.tui.screens.preflight import PreflightScreen
        from secretscan.tui.screens.preview import PreviewScreen
        from secretscan.tui.screens.result import ResultScreen
        from secretscan.tui.screens.run import RunScreen
        from secretscan.tui.screens.targets import TargetsScreen
        from secretscan.tui.screens.vault import VaultScreen

        self.step = step
        screens: dict[Step, type[WizardScreen]] = {
            "vault": VaultScreen,
            "targets": TargetsScreen,
            "names": NamesScreen,
            "preview": PreviewScreen,
            "preflight": PreflightScreen,
            "confirm": ConfirmScreen,
            "run": RunScreen,
            "result": ResultScreen,
        }
        return screens[step]()

    def waiting(self) -> str:
        """What of it waits for somebody who is not looking at it, or `""`."""
        if self.running is not None:
            if self.running.active:
                return "a run is under way: M shows it"
            return "" if self.running.done is not None else "a run is not finished: M goes on with it"
        if (step := self._open_step()) == "vault":
            return ""
        from secretscan.tui.screens.wizard import TITLES

        return f"a migration waits at {TITLES[step]}: M goes on with it"

    # the end

    def would_lose(self) -> str:
        """What ending now would lose for ever, or `""`: an embedded vault that holds moved values."""
        if self.options.demo:
            return ""  # its folder goes, too
        if self.trial is None or not (needed := self._needs_trial()):
            return ""
        return (
            f"The embedded vault forgets everything when this ends, and {needed} of this folder refer to it: their "
            "values would be lost for ever. Undo the run first (U on the result, or under Runs)."
        )

    def _needs_trial(self) -> str:
        """The files that refer to the embedded vault: `3 files`, or `""`."""
        assert self.trial is not None  # noqa: S101 - asked only then
        url = self.trial.choice.url
        files = sum(run.files for run in api.status(self.root).runs if run.vault_url == url and run.state != "undone")
        return f"{files} file{'s' * (files != 1)}" if files else ""

    def take_back(self) -> Iterator[str]:
        """Undoes what was moved into the embedded vault, as that ends and nobody could be asked: the only other copies
        of the values would go with it. Yields what was done, and what could not be."""
        trial = self.trial
        if trial is None or not self.would_lose():
            return
        for run in reversed(api.run_history(self.root)):
            if run.vault_url != trial.choice.url or run.state == "undone":
                continue
            try:
                with trial.choice.open() as vault:
                    undone = api.undo(self.root, run.id, vault)
            except SecretscanError as error:
                yield f"run {run.id} could not be taken back, and its values were in the embedded vault: {error}"
                continue
            yield f"the embedded vault has ended, so run {run.id} was taken back: {len(undone.restored)} files restored"
            for kept in undone.kept:
                yield f"{kept.path} is left as it is, and refers to the embedded vault: {kept.reason}"

    def close(self) -> None:
        """Ends the embedded vault, if there is one."""
        if self.trial is not None:
            self.trial.close()

    def parting_words(self) -> Iterator[str]:
        """What to say on the terminal after the end: how to go on."""
        running = self.running
        if running is not None and running.done is None and running.begun:
            yield "a run is not finished: start 'secretscan review' again to go on with it"
        elif self.draft is not None and running is None:
            yield "the migration is kept: start 'secretscan review' again and press M to go on with it"
