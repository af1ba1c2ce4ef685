"""Which files are manifests for an API server or kustomizations of them, and which of them are OpenShift's templates.

Sources: Kubernetes API conventions (`apiVersion` and `kind`); OpenShift, `template.openshift.io/v1`, which older files
call `v1`.
"""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["ACTION", "claims", "is_template", "platform_of"]

Platform = Literal["kubernetes", "openshift", ""]

_START = rb"^(?:\xef\xbb\xbf)?(?:|[ \t]*[{,]?[ \t]*(?=[\"'])|\{[ \t]*)[\"']?"
_API = re.compile(_START + rb"apiVersion[\"']?[ \t]*:[ \t]*[\"']?([\w./-]+)", re.MULTILINE)
_KIND = re.compile(_START + rb"kind[\"']?[ \t]*:|[{,][ \t]*[\"']?kind[\"']?[ \t]*:", re.MULTILINE)
_TEMPLATE = re.compile(
    rb"(?:" + _START + rb"|[{,][ \t]*[\"']?)kind[\"']?[ \t]*:[ \t]*[\"']?Template[\"']?[ \t]*(?:[,}#\r\n]|\Z)",
    re.MULTILINE,
)
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
ACTION = re.compile(rb"\{\{[^}\n]*(?:\.Values\b|\.Release\b|\.Chart\b|\.Capabilities\b|\$\.)")
_ALONE = re.compile(rb"^(?:\xef\xbb\xbf)?\{\{", re.MULTILINE)
"""Actions of a template engine: Helm's anywhere, any at the start of a line. Other braces may be content."""
_NOT_OURS = ("kustomization.yaml", "kustomization.yml", "chart.yaml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_GROUP = b"template.openshift.io/"


def claims(path: str, head: bytes) -> bool:
    """Whether this is a manifest for an API server: `apiVersion` and, unless it may come after the head, `kind`."""
    return platform_of(path, head) != ""


def platform_of(path: str, head: bytes) -> Platform:
    """The platform that claims this file: OpenShift's is that of its templates, in whatever else the file holds."""
    name = path.rsplit("/", 1)[-1]
    if name in _KUSTOMIZATIONS:
        return "" if ACTION.search(head) or _ALONE.search(head) else "kubernetes"
    name = name.lower()
    if name.endswith(".json"):
        return _of_json(head) if b'"apiVersion"' in head else ""
    if not name.endswith((".yaml", ".yml")) or name in _NOT_OURS:
        return ""
    found = _API.search(head)
    if found is None or _DATE.match(found[1]) or found[1].startswith(b"kustomize.config.k8s.io/"):
        return ""
    if not _KIND.search(head) and (len(head) < 4096 or (b"/" not in found[1] and found[1] != b"v1")):
        return ""
    template = found[1].startswith(_GROUP) or (found[1] == b"v1" and _TEMPLATE.search(head) is not None)
    if template:
        head = head.replace(b"${{", b"")
    if ACTION.search(head) or _ALONE.search(head) or ("templates" in path.split("/")[:-1] and b"{{" in head):
        return ""
    return "openshift" if template else "kubernetes"


def is_template(api: str, kind: str) -> bool:
    """Whether an object is a template, whose objects an API server gets when it was processed."""
    return kind == "Template" and (api == "v1" or api.startswith(_GROUP.decode()))


_JSON_TOKEN = re.compile(rb'"((?:[^"\\]|\\.)*)"|[{}\[\]:]')
_JSON_API = re.compile(rb"(?:[a-z0-9.-]+/)?v\d+(?:(?:alpha|beta)\d+)?")


def _of_json(head: bytes) -> Platform:
    """By the texts under the keys of the document itself: parts of other files look the same further in."""
    depth, key, last = 0, b"", b""
    found: dict[bytes, bytes] = {}
    for match in _JSON_TOKEN.finditer(head):
        token = match[0]
        if match[1] is not None:
            if depth == 1 and key:
                found.setdefault(key, match[1])
            key, last = b"", match[1]
        elif token == b":":
            key = last if depth == 1 else b""
        else:
            if not depth and token != b"{":
                return ""
            depth += 1 if token in b"{[" else -1
            key = b""
    if b"$schema" in found or not _JSON_API.fullmatch(found.get(b"apiVersion", b"")):
        return ""
    if b"kind" not in found and len(head) < 4096:
        return ""
    template = found[b"apiVersion"].startswith(_GROUP) or (found[b"apiVersion"], found.get(b"kind")) == (
        b"v1",
        b"Template",
    )
    return "openshift" if template else "kubernetes"
