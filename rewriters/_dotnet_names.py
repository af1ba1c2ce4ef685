"""The names of a setting of .NET elsewhere: in the environment, and in a vault.

Sources: "Configuration in ASP.NET Core" (`__` for `:`); "Azure Key Vault configuration provider" (`--` for `:`, which
KeyVaultSecretManager turns back); "Configure an App Service app" (names of app settings).
"""

from __future__ import annotations

import re

__all__ = ["is_app_setting", "secret_name", "setting", "variable"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_APP_SETTING = re.compile(r"[A-Za-z0-9._]+\Z")
_SECRET = re.compile(r"[0-9A-Za-z-]{1,127}\Z")


def variable(setting: str) -> str:
    """The variable of the environment that sets `A:B:0`; empty when its name could not be carried everywhere."""
    name = setting.replace(":", "__")
    return name if _VARIABLE.match(name) else ""


def is_app_setting(name: str) -> bool:
    """Whether App Service takes this name for a setting."""
    return _APP_SETTING.match(name) is not None


def secret_name(setting: str) -> str:
    """The name of the secret that becomes the setting `A:B:0`; empty when there is none."""
    name = setting.replace(":", "--")
    # A dash at the edge of a part, or two in it, would be taken for the mark between parts.
    if "--" in setting or "-:" in setting or ":-" in setting:
        return ""
    return name if _SECRET.match(name) else ""


def setting(variable: str) -> str:
    """The setting that a variable of the environment sets."""
    return variable.replace("__", ":")
