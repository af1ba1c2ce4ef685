"""Documents of manifests, and what workloads get of them when Secrets are as an operator made them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

import rewriters
from rewriters import Files, Reference, by_name
from rewriters.plaintext import Plaintext

MAKERS = ("ExternalSecret", "SecretProviderClass", "SecretStore", "ClusterSecretStore")
"""Kinds that an operator reads, in whose place its Secrets stand."""

NO_OBJECTS = ("Kustomization", "Component")
"""Kinds that no cluster sees."""

_HASH = re.compile(r"-[0-9a-z]{10}\Z")


class Loader(yaml.SafeLoader):
    """YAML as a cluster reads it: times stay text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def claimed(files: Files) -> dict[str, bytes]:
    kubernetes = by_name("kubernetes")
    return {path: data for path, data in files.items() if kubernetes.claims(path, data[: rewriters.HEAD])}


def documents(files: Files) -> Iterator[dict[str, Any]]:
    """Every object of the manifests, those in lists too."""
    for data in claimed(files).values():
        text = data.decode("utf-8-sig")
        for document in [json.loads(text)] if text.lstrip().startswith("{") else yaml.load_all(text, Loader):
            if not isinstance(document, dict) or "kind" not in document or document["kind"] in NO_OBJECTS:
                continue
            if document["kind"].endswith("List") and "items" in document:
                yield from document["items"]
            else:
                yield document


def in_namespace(document: dict[str, Any], namespace: str) -> dict[str, Any]:
    """An object as `kubectl --namespace` applies it."""
    meta = document["metadata"]
    if document["kind"].startswith("Cluster") or "namespace" in meta:
        return document
    return document | {"metadata": meta | {"namespace": namespace}}


def handed_over(
    objects: Sequence[dict[str, Any]], secrets: Sequence[dict[str, Any]]
) -> dict[tuple[str, str, str], bytes]:
    """What workloads get, with these Secrets in place of what makes them. No reference is looked up any more."""
    # Whatever it makes was in `secrets`; a name that is still asked for was not made by the operator.
    made = {name_of(one) for one in secrets}
    kept = [one for one in objects if one["kind"] not in MAKERS]
    kept = [one for one in kept if one["kind"] != "Secret" or name_of(one) not in made]
    left = {"kept.yaml": yaml.safe_dump_all(kept, sort_keys=False).encode()}
    left["made.yaml"] = yaml.safe_dump_all(secrets).encode()

    def nothing(reference: Reference) -> Plaintext:
        raise AssertionError(f"{reference.name} is still to be looked up")

    found = by_name("kubernetes").effective(left, nothing)
    return {
        (each.address.subject, each.address.channel, each.address.name): each.value.reveal()
        for each in found
        if each.address.channel != "object"
    }


def secret_data(document: dict[str, Any]) -> dict[str, bytes]:
    """The bytes of a Secret's keys, `stringData` over `data`, as the API server merges them."""
    result = {key: base64.b64decode(value or "") for key, value in (document.get("data") or {}).items()}
    return result | {key: str(value).encode() for key, value in (document.get("stringData") or {}).items()}


def same_workloads(
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
    made: Sequence[dict[str, Any]],
    *,
    may_go: bool = False,
) -> None:
    """The workloads get the same, and a Secret that stood there has the same bytes and the same type.

    Secrets that `may_go` are those that a chart no longer makes, as its workloads read another one.
    """
    was, now = handed_over(before, ()), handed_over(after, made)
    assert was.keys() <= now.keys(), was.keys() - now.keys()
    for key, value in was.items():
        assert now[key] == value, key
    olds = {name_of(one): one for one in before if one["kind"] == "Secret"}
    rest = {name_of(one): one for one in after if one["kind"] == "Secret"}
    news = {name_of(one): one for one in made}
    for name, old in olds.items():
        if name in rest and name not in news:
            continue
        # Kustomize adds a hash of the content to a name; not where an operator makes the Secret.
        new = news.get(name) or news.get((name[0], _HASH.sub("", name[1])))
        if new is None and may_go:
            continue
        assert new is not None, f"nothing makes {name}"
        assert secret_data(new) == secret_data(old), name
        assert new.get("type", "Opaque") == old.get("type", "Opaque"), name


def name_of(document: dict[str, Any]) -> tuple[str, str]:
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]
