"""The names under which Spring looks for a property elsewhere: in the environment, and in a vault.

Sources: Spring Boot, "Binding from Environment Variables"; azure-sdk-for-java, toKeyVaultSecretName of
KeyVaultPropertySource (Spring Cloud Azure 4 and later); Quarkus, configuration reference, "Environment variables".
"""

from __future__ import annotations

import re

__all__ = ["is_quarkus", "opens_the_vault", "read_early", "secret_name", "variable"]

_NAME = re.compile(r"[0-9A-Za-z-]{1,127}\Z")
_INDEX = re.compile(r"\[(\d+)\]")
_KEY = re.compile(r"\[[^\]]*\]")
_VAULT = ("spring.cloud.azure.", "azure.keyvault.", "azure.activedirectory.")
_CREDENTIALS = ("client-secret", "clientSecret", "client-key", "client-certificate-password")
_EARLY = ("spring.cloud.config.", "spring.config.", "spring.cloud.vault.", "spring.cloud.consul.", "eureka.client.")


def is_quarkus(name: str) -> bool:
    """Whether a property is of Quarkus, which reads files of the same names: `quarkus.…`, `%prod.…`."""
    return name.startswith(("quarkus.", "%"))


def variable(name: str) -> str:
    """The variable of the environment that sets this property; empty when none does."""
    if is_quarkus(name):
        return re.sub(r"[^A-Z0-9]", "_", name.upper())
    flat = _INDEX.sub(r".\1.", name).strip(".")
    if _KEY.search(flat):
        return ""  # a key in brackets has characters that a variable's name cannot carry
    words = re.sub(r"\.+", ".", flat).split(".")
    found = "_".join(re.sub(r"[^A-Za-z0-9]", "", word) for word in words).upper()
    return found if re.fullmatch(r"[A-Z][A-Z0-9_]*", found) else ""


def secret_name(name: str) -> str:
    """The name of the secret that Spring Cloud Azure's property source gives this property; empty when none does."""
    if is_quarkus(name):
        return ""
    lower = name.lower()
    if not _NAME.match(name):
        lower = lower.replace("-", "").replace("_", "").replace(".", "-")
    return lower if _NAME.match(lower) else ""


def opens_the_vault(name: str) -> bool:
    """Whether this is the credential with which the application would sign in to Azure."""
    return name.startswith(_VAULT) and name.endswith(_CREDENTIALS)


def read_early(path: str, name: str) -> bool:
    """Whether a property is used before a vault could be asked: in `bootstrap` files, and where to find properties."""
    return path.rsplit("/", 1)[-1].startswith("bootstrap") or name.startswith(_EARLY)
