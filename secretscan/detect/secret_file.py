"""Files that hold nothing but a credential, as Compose secrets, mounted files and generators read them.

Nothing in such a file says what it is. Its name does.
"""

from __future__ import annotations

import re

from rewriters import Span
from secretscan.detect import shapes
from secretscan.detect.names import meaning
from secretscan.detect.ruleset import Rule
from secretscan.detect.strength import strength
from secretscan.detect.text import Hit

__all__ = ["RULE", "whole_file"]

RULE = Rule(
    id="secret-file",
    kind="other",
    confidence="medium",
    description="A file of one line whose name says that it is a credential.",
    source="Compose specification, secrets; Docker secrets in /run/secrets",
    triggers=(),
    generic=True,
)

_MOST = 4096
_NAME = re.compile(r"(?:^|/)\.?(?P<stem>[\w\-]+)(?:\.(?:txt|secret|pwd|pass|password|token|key|cred))?$")
_BARE_TOKEN = re.compile(rb"\s*(?P<value>[\x21-\x7e]{4,1024})\s*")


def whole_file(path: str, data: bytes) -> Hit | None:
    """The credential that this file is, if its name and its one line agree."""
    named = _NAME.search(path)
    if named is None or len(data) > _MOST:
        return None
    said = meaning(named["stem"])
    match = _BARE_TOKEN.fullmatch(data)
    if said is None or match is None:
        return None
    text = match["value"].decode("ascii")
    if shapes.harmless(text) or not (said.sure or shapes.looks_random(text)):
        return None
    return Hit(RULE, Span(*match.span("value")), said.kind, strength(text), named["stem"])
