"""Which parameter files belong to which template: by their names, as Azure's tools and its samples pair them.

Source: Azure Resource Manager, "Create Resource Manager parameter file", file name; Azure quickstart templates.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

__all__ = ["beside", "companion", "template_of", "variant"]

_MARK = re.compile(r"[-_.]?param(?:eter)?s?(?=[-_.]|\Z)", re.IGNORECASE)


def beside(path: str, files: Iterable[str]) -> list[str]:
    """The JSON files of the same folder, of the one above, and of those right below."""
    folder = posixpath.dirname(path)
    above = posixpath.dirname(folder)
    found: list[str] = []
    for other in files:
        its = posixpath.dirname(other)
        if its in (folder, above) or posixpath.dirname(its) == folder:
            found.append(other)
    return found


def companion(template: str) -> str:
    """The parameter file that is made for a template."""
    return template[: template.rindex(".")] + ".parameters.json"


def template_of(path: str, templates: Mapping[str, frozenset[str]], parameters: frozenset[str]) -> str:
    """The template of a parameter file, empty when it cannot be told. `templates` maps each path to its parameters,
    in lower case; `parameters` are those that the file has."""
    folder = posixpath.dirname(path)
    stems = _stems(path)
    for place in (folder, posixpath.dirname(folder)) if folder else (folder,):
        near = [other for other in templates if posixpath.dirname(other) == place]
        by_stem = {_stem(other): other for other in sorted(near, reverse=True)}
        for stem in stems:
            if stem in by_stem:
                return by_stem[stem]
        if place == folder and parameters:
            fit = [other for other in near if parameters <= templates[other]]
            if len(fit) == 1:
                return fit[0]
    return ""


def variant(template: str, path: str) -> str:
    """What tells a parameter file of a template from its others; empty for the one that is named after it."""
    return "" if not path or path.lower() == companion(template).lower() else path


def _stem(path: str) -> str:
    return posixpath.basename(path).rpartition(".")[0].lower()


def _stems(path: str) -> list[str]:
    """The names that the template may have: `app.parameters.prod` and `app.prod.parameters` belong to `app`."""
    stem = _stem(path)
    if _MARK.fullmatch(stem):
        return ["template", "azuredeploy", "main"]
    match = _MARK.search(stem)
    if match is None:
        return [stem.rpartition(".")[0]] if "." in stem else []
    before, after = stem[: match.start()], stem[match.end() :].strip("-_.")
    found = [before] if before else [after]
    while "." in before:
        before = before.rpartition(".")[0]
        found.append(before)
    return found
