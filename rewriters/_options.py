"""What the words of a command are called: by the option before them, or in them.

A password may stand right behind a short option (`mysql -pVALUE`) or end in `=` (base64). Neither is a name: names
are shown, values never.
"""

from __future__ import annotations

import re

__all__ = ["option", "setting"]

_ALONE = re.compile(
    r"--(?P<long>[A-Za-z][\w.-]*)\Z|-(?P<short>[A-Za-z])\Z|-(?P<word>[a-z]+(?:[-_.][a-z]+)*)\Z", re.ASCII
)
_SETTING = re.compile(r"(?P<dashes>-{0,2})(?P<name>[A-Za-z_][\w.-]*)=(?!=*\Z)", re.ASCII)
_LISTED = """
pass passwd password passphrase passcode pwd token secret secrets key apikey credentials auth auth-token
access-key access-token api-key api-token auth-key secret-key private-key client-secret storepass keypass
requirepass masterauth user username login database db host hostname port url uri addr address server endpoint
config file name id client-id tenant-id env environment log level mode
"""
_WORDS = frozenset(_LISTED.split())
"""Options of one dash and several letters, as Go and Java programs have them."""
_DEFINING = frozenset("DXJeEv")
"""Letters right behind which a name is given: `-Dname=value`, `-eNAME=value`."""


def option(text: str) -> str:
    """The name of an option that stands alone (`--name`, `-n`, `-password`), so that the next word may be its value;
    empty for all else."""
    match = _ALONE.match(text)
    if match is None or (match["word"] is not None and match["word"] not in _WORDS):
        return ""
    return str(match["long"] or match["short"] or match["word"])


def setting(text: str) -> tuple[str, int] | None:
    """The name in `name=value`, `--name=value` or `-Dname=value`, and how many characters stand before the value."""
    match = _SETTING.match(text)
    if match is None:
        return None
    name = match["name"]
    if match["dashes"] == "-" and not (len(name) == 1 or name in _WORDS or name[0] in _DEFINING):
        return None
    return name, match.end()
