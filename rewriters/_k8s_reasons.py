"""Why a place of a Kubernetes or OpenShift object takes no reference, and what to do instead.

Sources: Kubernetes API reference; OpenShift API, `build/v1` and `route/v1`.
"""

from __future__ import annotations

from rewriters._api import Place

__all__ = ["REASONS", "instead"]

REASONS = {
    "annotations": "an annotation is stored with the object as it stands; the API has no reference for it",
    "applied": "kubectl wrote this copy of the object when it was applied, values included",
    "labels": "a label is stored with the object as it stands; the API has no reference for it",
    "probe": "variables are not expanded in probes and lifecycle hooks",
    "field": "this field of the API takes literal text only",
    "env": "this list is not a container's, so it is not known that it takes valueFrom",
    "base64": "the text is not base64, so the API server would refuse it",
    "parameter": "a parameter of the template is put in here, encoded already",
    "utf8": "the vault holds text and these bytes are not UTF-8",
    "binaryData": "binary data of a ConfigMap is for files that are not text",
    "volume": "volume attributes are literal text; the driver reads a Secret by a name of its own",
    "git": "the address of a build's source takes literal text only",
    "buildArgs": "build arguments take literal text only, and stay in the history of the image",
    "patch": "an inline patch is literal text of the kustomization",
    "generated": "this generator makes a ConfigMap, and an operator fills Secrets",
    "packed": "a generator packs this file as it stands, and a reference in it would stay text",
    "apart": "the literal is written so that its value cannot be taken apart from its key",
    "route": "a Route holds its key in the object itself",
}

_INSTEAD = {
    "annotations": "take the value out; what reads annotations (an Ingress's login) takes the name of a Secret there",
    "applied": "take the annotation out of the file: kubectl writes it anew; rotate the value, since clusters keep it",
    "volume": "let the driver read a Secret (nodeStageSecretRef, nodePublishSecretRef, secretName)",
    "git": "take the credential out of the address, and name a Secret of type kubernetes.io/basic-auth in sourceSecret",
    "buildArgs": "let the build read a Secret from source.secrets or from a volume of the strategy",
    "route": "name a Secret of type kubernetes.io/tls in externalCertificate, where the cluster has that",
    "patch": "put the patch into a file of its own, whose places can take references",
    "generated": "move the literal to a secretGenerator, let the pods read it from that Secret, then plan again",
    "packed": "keep the file's content in the vault as one secret, let an ExternalSecret make the Secret of that name "
    "with this key, and take the file out here; a file of variables goes below envs of a secretGenerator",
    "apart": "write the literal on one line",
    "parameter": "move the parameter's value",
}
_BY_PLACE = {
    "env": "let the resource read its environment from a Secret, if it can",
    "arg": "let the program read the value from a variable or a file, and set that from a Secret",
}


def instead(reason: str, place: Place) -> str:
    """The nearest honest alternative for a place of this reason."""
    for name, text in REASONS.items():
        if text == reason and name in _INSTEAD:
            return _INSTEAD[name]
    return _BY_PLACE.get(place, "take the value out, or let the program read it from a Secret")
