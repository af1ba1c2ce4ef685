"""Builds the plan: names, references, edits, companions; what stays and why; and checks that it can be undone.

Rewriters are asked until nothing changes any more: a refusal takes a place out, a place that needs its neighbours
takes them along, and what an image no longer sets must be set by whoever runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import rewriters
from rewriters import (
    Assignment,
    Edit,
    Refusal,
    Request,
    Requirement,
    Rewrite,
    Settings,
    Slot,
    splice,
)
from secretscan.detect.survey import Survey
from secretscan.errors import SecretscanError
from secretscan.events import Cancellation, Listener, Progress
from secretscan.inventory.ids import Ids
from secretscan.inventory.marks import Marks
from secretscan.plan.assemble import Draft, Undelivered, assemble
from secretscan.plan.candidates import Candidate, candidates, carried, widened
from secretscan.plan.choices import EMPTY, Choices
from secretscan.plan.choose import Names
from secretscan.plan.kept import drop_irreversible
from secretscan.plan.names import Wanted
from secretscan.plan.reach import drop_reaching
from secretscan.plan.taken_in import taken_in
from secretscan.plan.work import Work
from secretscan.vault.limits import unstorable

if TYPE_CHECKING:
    from secretscan.vault.client import Vault

__all__ = ["Draft", "build"]

_ROUNDS = 50
_BY_HAND = "move it by hand, then rotate the value"
_UNMET = {
    "runtime-variable": (
        "the image would need {name} from its environment when it runs, and no manifest here that runs it sets that",
        "build the image in a Compose service here, which is then given {name}; or move it by hand",
    ),
    "generated-key": (
        "the Secret that a kustomization makes of this file cannot have {name} filled by an operator, together with "
        "what else moves out of it",
        "move the generator's literals first and plan again, or move it by hand",
    ),
}
"""What is said of a place whose requirement of another platform's file nobody fulfils."""


def build(
    survey: Survey,
    vault: Vault | None,
    vault_url: str,
    settings: Settings,
    ids: Ids,
    listener: Listener,
    cancellation: Cancellation,
    *,
    placeholders: bool = False,
    prefix: str = "",
    known: Mapping[str, str] | None = None,
    choices: Choices = EMPTY,
    marks: Marks | None = None,
    root: str,
) -> Draft:
    """The plan for everything found. Without a vault (`None`) all values are planned as new, and applying checks.

    `known` are names that the inventory remembers for this vault, by secret id; what `marks` say stays. Raises what the
    vault raises, `UsageError` for a chosen name that cannot be used, and `Cancelled`.
    """
    found, left = candidates(
        survey.findings,
        ids,
        placeholders=placeholders,
        whole_texts=choices.whole_texts,
        elsewhere=_elsewhere(choices, vault_url),
        marks=marks,
    )
    left = taken_in(left, survey, settings, vault_url)
    listener(Progress("plan", 0, 3, "names"))
    names = Names(vault if found else None, prefix or survey.root.folder.name, known or {}, choices.names)
    work = Work(survey, settings, vault_url, ids, names, found, left, choices)
    work.heed_choices()
    _name(work)
    listener(Progress("plan", 1, 3, "edits"))
    for _ in range(_ROUNDS):
        cancellation.check()
        if _round(work, cancellation):
            continue
        if not names.as_chosen(work.values()):
            _name(work)
            continue
        listener(Progress("plan", 2, 3, "check"))
        try:
            draft = assemble(work, root)
        except Undelivered as error:
            # One odd file must not keep all the others from moving; what is wrong with it is a mistake of ours.
            if not work.drop(
                lambda item, error=error: item.slot.path in error.paths,  # type: ignore[misc]
                f"a check of the result failed for this file: {error.why}",
                f"{_BY_HAND}; please report this",
            ):
                raise
            continue
        listener(Progress("plan", 3, 3))
        return draft
    raise SecretscanError(
        "the rewriters do not agree on a plan", next_step="plan fewer targets at a time, and report this"
    )


def _elsewhere(choices: Choices, vault_url: str) -> Callable[[str], str]:
    """The other vault to which a file's values go, or `""`. A vault that the share does not know gets everything."""
    share = choices.share
    if share is None or vault_url not in share.urls():
        return lambda _: ""

    def other(path: str) -> str:
        url = share.of(path)
        return "" if url == vault_url else url

    return other


def _name(work: Work) -> None:
    """Names for all secrets that have none yet; those that have keep theirs."""
    wanted: dict[str, list[Candidate]] = {}
    for item in work.open:
        if item.id not in work.names:
            wanted.setdefault(item.id, []).append(item)
    if not wanted:
        return
    work.names.release({item.id for item in work.open})
    values = {id_: group[0].value for id_, group in wanted.items()}
    asked = [
        Wanted(
            id_,
            tuple(dict.fromkeys(item.slot.key for item in group if item.slot.key)),
            tuple(dict.fromkeys(_subject(item.slot) for item in group)),
            tuple(dict.fromkeys(item.slot.path for item in group)),
            next((item.kind for item in group if item.part is None), group[0].kind),
            tuple(dict.fromkeys((item.slot.key, _subject(item.slot)) for item in group)),
            any(item.part is not None for item in group),
        )
        for id_, group in wanted.items()
    ]
    work.names.give(asked, values)


def _subject(slot: Slot) -> str:
    """What the place belongs to, for a name: the service or object in the pointer, or the kind of place."""
    if slot.place in ("registry", "volume"):
        return slot.place
    steps = slot.pointer.replace('"', "").split(".")
    if "services" in steps[:-1]:
        return steps[steps.index("services") + 1]
    if "/" in steps[0]:
        return steps[0].split("/", 1)[1].split("#")[0]
    return ""


def _round(work: Work, cancellation: Cancellation) -> bool:
    """Asks all rewriters once; whether something has to be asked again."""
    files = work.survey.claimed

    def ask(name: str, items: Iterable[Candidate], requires: tuple[Requirement, ...]) -> Rewrite:
        cancellation.check()
        return _ask(work, name, items, requires)

    first = {name: ask(name, work.open, ()) for name in rewriters.names()}
    if _settle(work, first.values()):
        return True
    requires = tuple(dict.fromkeys(need for rewrite in first.values() for need in rewrite.requires))
    work.rewrites = {name: ask(name, work.open, requires) for name in rewriters.names()} if requires else first
    if _settle(work, work.rewrites.values()) or drop_reaching(work, requires, ask):
        return True
    again = False
    provided = {need for rewrite in work.rewrites.values() for need in rewrite.provides}
    for need in requires:
        if need.kind in _UNMET and need not in provided:
            reason, alternative = _UNMET[need.kind]
            again |= work.drop(
                lambda item, need=need: work.is_for(item, need),  # type: ignore[misc]
                reason.format(name=need.name),
                alternative.format(name=need.name),
            )
    if again:
        return True
    owner: dict[str, list[tuple[Edit, str]]] = {}
    for name, rewrite in work.rewrites.items():
        for edit in rewrite.edits:
            owner.setdefault(edit.path, []).append((edit, name))
    for path, edits in owner.items():
        try:
            splice(files[path], (edit for edit, _ in edits))
        except ValueError:
            last = edits[-1][1]
            again |= work.drop(
                lambda item, path=path, last=last: item.slot.path == path and item.slot.platform == last,  # type: ignore[misc]
                "two platforms would change the same text of this file",
                _BY_HAND,
            )
            if not again:
                raise
    return again or drop_irreversible(work)


def _ask(work: Work, name: str, items: Iterable[Candidate], requires: tuple[Requirement, ...]) -> Rewrite:
    """What the rewriter of this name answers for those of the places that are its own."""
    mine = tuple(
        Assignment(item.slot, work.reference(item.id), item.part)
        for item in sorted(items, key=lambda item: (item.slot.path, item.slot.span, item.part or item.slot.span))
        if item.slot.platform == name
    )
    if not mine and not requires:
        return Rewrite()
    return rewriters.by_name(name).rewrite(Request(work.survey.claimed, mine, work.settings, requires))


def _settle(work: Work, rewrites: Iterable[Rewrite]) -> bool:
    """Heeds the refusals: takes neighbours along, or the whole text in place of a part, if possible; else the place
    goes out. Whether there was anything to heed."""
    here: dict[tuple[str, str], list[Candidate]] = {}
    for item in work.open:
        here.setdefault(item.where, []).append(item)
    stays = {(left.path, left.pointer) for left in work.left}
    slots: dict[str, dict[str, Slot]] = {}
    gone: dict[tuple[str, str], Refusal] = {}
    wide: dict[tuple[str, str], Candidate] = {}
    along: list[Candidate] = []
    for refusal in (refusal for rewrite in rewrites for refusal in rewrite.refusals):
        path, where = refusal.path, (refusal.path, refusal.pointer)
        if where not in here or where in gone or where in wide:
            continue
        if path not in slots:
            slots[path] = {slot.pointer: slot for slot in work.survey.slots.get(path, ())}
        missing = [pointer for pointer in refusal.needs if (path, pointer) not in here]
        if missing and all(pointer in slots[path] and (path, pointer) not in stays for pointer in missing):
            more = [carried(slots[path][pointer], here[where][0].line, work.ids) for pointer in missing]
            if not any(item.value.empty() for item in more):
                along += more
                here |= {item.where: [item] for item in more}
                continue
        part = any(item.part is not None for item in here[where])
        whole = where not in work.left_out and not unstorable(here[where][0].slot.value)
        if part and not refusal.needs and whole:
            wide[where] = widened(here[where], work.ids)
        else:
            gone[where] = refusal
    if not (gone or wide or along):
        return False
    for where, refusal in gone.items():
        work.leave(here[where], refusal.reason, refusal.alternative or _BY_HAND)
    still = [item for item in work.open if item.where not in gone and item.where not in wide]
    work.open = [*still, *wide.values(), *(item for item in along if item.where not in gone)]
    work.heed_choices()
    _name(work)
    return True
