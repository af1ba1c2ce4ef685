"""Which files hold settings of App Service and Functions.

Sources: Azure App Service, "Configure an App Service app" (both lists); Azure Functions Core Tools,
`local.settings.json`.
"""

from __future__ import annotations

import re

__all__ = ["claims", "is_list"]

_LOCAL = re.compile(r"(?:^|/)local\.settings(?:\.[^/]+)?\.json\Z", re.IGNORECASE)
_LIST = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*+\*/)*+\[\s*+\{")
_ENTRY = re.compile(rb'"slotSetting"\s*:')
_NAME = re.compile(rb'"name"\s*:', re.IGNORECASE)
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def claims(path: str, head: bytes) -> bool:
    """Local settings by their name; a list by its entries, each of which says whether it stays with its slot."""
    if not path.lower().endswith(".json"):
        return False
    if _LOCAL.search(path):
        return b"\0" not in head or head.startswith(_WIDE)
    return is_list(head)


def is_list(head: bytes) -> bool:
    """Whether a file begins as a list of settings does."""
    return _LIST.match(head) is not None and _ENTRY.search(head) is not None and _NAME.search(head) is not None
