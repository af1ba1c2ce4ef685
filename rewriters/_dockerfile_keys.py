"""Files that hold credentials, by their names, and what to do instead of copying one into an image.

Sources: Docker documentation, "Build secrets" (secret mounts as files); the names are those that the programs document.
"""

from __future__ import annotations

import re
from posixpath import basename

from rewriters._dockerfile_read import Instruction, json_items, words

__all__ = ["holds_key", "mounted_instead"]

_FOLDER = r"\.(?:ssh|aws|gnupg)"
_KEY = re.compile(
    rf"(?:^|/)(?:{_FOLDER}"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|[\w.-]+_(?:rsa|ecdsa|ed25519)"
    r"|[^/]+\.(?:pem|key|pfx|p12|pkcs12|jks|keystore|ppk|kdbx|publishsettings|tfvars|tfstate)"
    r"|\.npmrc|\.pnpmrc|\.yarnrc(?:\.yml)?|[._]netrc|\.pypirc|pip\.(?:conf|ini)|nuget\.config|gradle\.properties"
    r"|settings(?:-security)?\.xml|auth\.json|\.git-credentials|\.htpasswd|\.pgpass|\.my\.cnf|\.boto|\.s3cfg"
    r"|\.dockercfg|\.dockerconfigjson|\.docker/config\.json|\.kube/config|[^/]*kubeconfig|\.vault-token|\.terraformrc"
    r"|credentials(?:\.json|\.toml)?|[^/]+-credentials\.json|client_secret\.json|[^/]*service[_-]?account[^/]*\.json"
    r"|\.env(?:\.[^/]+|rc)?|[^/]+\.env)$",
    re.IGNORECASE,
)
"""`settings.xml` is Maven's, `auth.json` Composer's, `credentials` that of AWS, Cargo and others."""
_HARMLESS = re.compile(
    r"\.(?:example|sample|template|dist)$|(?:^|[/._-])(?:ca|cacert|public|pub|cert|example)[._-][^/]*$", re.IGNORECASE
)


def holds_key(path: str) -> bool:
    """Whether a file of this name, or a folder, is kept for credentials; examples and certificates are not."""
    path = path.rstrip("/")
    return len(path) < 1000 and _KEY.search(path) is not None and _HARMLESS.search(path) is None


def mounted_instead(instruction: Instruction, source: bytes) -> str:
    """How builds and containers get the file without a layer that holds it."""
    if any(name == b"from" for name, *_ in (flag.lstrip(b"-").split(b"=") for flag in instruction.options)):
        return (
            "leave the file in the stage that has it, and mount it where it is needed (--mount=type=bind,from=... in a "
            "RUN); in a stage that is only built, let a secret mount bring it"
        )
    text, escape = instruction.text.value, instruction.text.chain[0][-1].encode()
    items = json_items(text, *instruction.rest)
    found = items if items is not None else tuple(words(text, escape, *instruction.rest))
    path = source.decode("utf-8", "replace").rstrip("/")
    name = basename(path)
    target = text[slice(*found[-1])].decode("utf-8", "replace").strip("\"'") if found else ""
    if target.endswith("/") or len(found) > 2 or target in (".", ".."):
        target = f"{target.rstrip('/')}/{name}"
    id_ = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "key"
    each = "each file of it" if re.fullmatch(_FOLDER, name) else "it"
    return (
        f"delete it here and list {path} in .dockerignore; a RUN that needs {each} takes --mount=type=secret,id={id_},"
        f"target={target},required=true, and the build --secret id={id_},src={path}; what the container needs is "
        "mounted when it runs. A later RUN rm does not take it out of the layer"
    )
