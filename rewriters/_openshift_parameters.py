"""Parameters of an OpenShift template whose values are given when it is processed.

Sources: OpenShift API, `template/v1` (Parameter); library-go, `templateprocessing` (a value wins over a generator, and
processing fails when a required parameter has none).
"""

from __future__ import annotations

from collections.abc import Mapping

from rewriters import fetch
from rewriters._api import Edit, Files, Reference, Span, Variable
from rewriters._compose_project import folder_of
from rewriters._k8s_data import UNUSUAL
from rewriters._k8s_objects import Manifest, Site, text_at
from rewriters._k8s_text import removals, stops, written_simply
from rewriters._k8s_vault import Unfit
from rewriters._yaml import Map, Scalar

__all__ = ["note", "required", "variable"]


def required(manifest: Manifest, site: Site) -> list[Edit]:
    """`value: text` becomes `required: true`. Raises `Unfit`."""
    owner = site.owner
    assert isinstance(owner, Map)  # noqa: S101 - the owner of a parameter's value is the parameter
    assert site.pair is not None  # noqa: S101 - the reader gives it
    if text_at(owner, "generate"):
        raise Unfit(
            "without its value the parameter would be generated anew, as another one",
            "take generate and from out of the parameter, or the value alone if a new one will do",
        )
    own = {key.text: (number, value) for number, (key, value) in enumerate(owner.pairs) if isinstance(key, Scalar)}
    if not written_simply(manifest.data, owner) or any(not isinstance(key, Scalar) for key, _ in owner.pairs):
        raise Unfit(*UNUSUAL)
    key, value = site.pair
    if "required" not in own:
        if "required" in owner.entries():
            raise Unfit("the parameter takes required from a merge", "write the parameter out")
        quote = '"' if key.style == "double" else ""
        span = Span(key.literal.start, stops(manifest.data, value))
        return [Edit(manifest.path, span, f"{quote}required{quote}: true".encode())]
    flag = own["required"][1]
    if not isinstance(flag, Scalar) or flag.style != "plain" or flag.anchor:
        raise Unfit("the parameter's required is written in an unusual way", "write required: true")
    edits = removals(manifest.path, manifest.data, owner, {own["value"][0]})
    return edits if flag.text == "true" else [*edits, Edit(manifest.path, flag.span, b"true")]


def variable(site: Site, reference: Reference, files: Files, given: Mapping[tuple[str, str], Reference]) -> Variable:
    """What the folder's fetch script sets for a parameter: a variable of its name. Raises `Unfit`."""
    name, folder = site.slot.key, folder_of(site.slot.path)
    if not fetch.is_variable(name) or name in fetch.RESERVED:
        raise Unfit(f"a shell cannot set a variable {name}", "give the parameter another name")
    known = given.get((folder, name)) or fetch.variables(folder, files).get(name)
    if known not in (None, reference):
        raise Unfit(
            f"the fetch script of this folder sets {name} to another secret already",
            "give the parameter another name, or move the template into a folder of its own",
        )
    return Variable(folder, name, reference)


def note(path: str, names: list[str]) -> str:
    """What whoever processes the template has to know."""
    given = " ".join(f'-p {name}="${name}"' for name in sorted(names))
    return (
        f"oc process needs the values that {path} no longer has: run it through the fetch script of its folder, as "
        f"sh -c 'oc process -f {path.rpartition('/')[2]} {given} | oc apply -f -'; they stand in the objects of the "
        "cluster as before"
    )
