"""A Secret as the object that makes it: an ExternalSecret, a SecretProviderClass, objects of akv2k8s."""

from __future__ import annotations

from collections.abc import Sequence

from rewriters import _k8s_akv
from rewriters._k8s_data import Moves, converted, reduced
from rewriters._k8s_objects import Object, text_at
from rewriters._k8s_text import Style, style_of
from rewriters._k8s_vault import AKV, CSI, Unfit
from rewriters._k8s_work import Change, Job, Work

__all__ = ["secret"]


def secret(work: Work, jobs: Sequence[Job]) -> Change:
    thing = jobs[0].site.object
    manifest = work.manifests[thing.path]
    moves = Moves(manifest, thing, {id(job.site.scalar): job.assignment.reference for job in jobs})
    style = style_of(manifest.data, thing.root)
    change = Change()
    if text_at(thing.root, "metadata", "name").split() != [thing.name]:
        raise Unfit("the Secret has no fixed name", "give it one below metadata, then plan again")
    work.check_untouched(thing)
    if work.vaults.opened_with(thing):
        raise Unfit(
            "the way to the vault is itself opened with this Secret",
            "let it be opened with workload identity, then remove the Secret",
        )
    if work.vaults.target == CSI:
        if moves.remaining:
            raise Unfit(
                "the driver makes a Secret as a whole, and other keys of this one would stay",
                "move the other keys along, or choose the target external-secrets",
                moves.siblings,
            )
        users = work.readers(thing)
        spec = work.vaults.class_spec(thing.name, moves.entries, moves.type, moves.labels)
        change.edits = converted(moves, work.vaults.class_api, "SecretProviderClass", spec, None, style)
        work.mount(change, thing.name, users)
    elif work.vaults.target == AKV:
        _by_akv(work, change, thing, moves, style)
    elif moves.remaining:
        if moves.whole_only:
            raise Unfit("this Secret is valid only with all of its keys", "move the other keys along", moves.siblings)
        change.edits = reduced(moves)
        work.external(change, thing, work.free(thing), thing.name, moves.entries, "Merge")
        change.notes.append(
            "a Secret that keeps some keys has to be applied before its ExternalSecret fills the others"
        )
    else:
        spec = work.vaults.external_spec(thing, thing.name, moves.entries, "Owner", moves.shape)
        data = work.vaults.external_data(moves.entries)
        change.edits = converted(moves, work.vaults.api, "ExternalSecret", spec, data, style)
    work.filled_keys.update({(id(thing), item.key): item.reference for item in moves.entries})
    return change


def _by_akv(work: Work, change: Change, thing: Object, moves: Moves, style: Style) -> None:
    """One object of akv2k8s for each key, the first in the place of a Secret of which nothing stays."""
    _k8s_akv.check_type(moves)
    made = [(item, _k8s_akv.spec(item.reference, thing.name, item.key, moves.type)) for item in moves.entries]
    api = _k8s_akv.version(work.objects)
    if moves.remaining:
        change.edits = reduced(moves)
        change.notes.append("a Secret that keeps some keys has to be applied before akv2k8s fills the others")
    else:
        change.edits = converted(moves, api, _k8s_akv.KIND, made.pop(0)[1], None, style)
        work.akv_names.add((thing.namespace, thing.name))
    for item, spec in made:
        name = _k8s_akv.named(thing, thing.name, item.key, work.objects, work.akv_names)
        work.document(change, thing, api, _k8s_akv.KIND, name, spec, _k8s_akv.metadata(moves))
