"""detect-secrets' plugins, asked about one line each.

Only `analyze_string` of the plugin classes is called. Its pipeline is not: that costs four times as much, and asks the
vendors' servers about what it found. `requests`, which the plugins import for that, is replaced by an empty module
while they are imported, so that they could not even if they were asked to.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["MODULES", "secrets"]

MODULES = {
    "ArtifactoryDetector": "artifactory",
    "CloudantDetector": "cloudant",
    "DiscordBotTokenDetector": "discord",
    "IbmCloudIamDetector": "ibm_cloud_iam",
    "IbmCosHmacDetector": "ibm_cos_hmac",
    "KeywordDetector": "keyword",
    "MailchimpDetector": "mailchimp",
    "SoftlayerDetector": "softlayer",
    "SquareOAuthDetector": "square_oauth",
    "TelegramBotTokenDetector": "telegram_token",
    "TwilioKeyDetector": "twilio",
}
"""The plugins that rules may name, and their modules."""


@cache
def _plugin(name: str) -> Any:  # the package has no types
    real = sys.modules.get("requests")
    if real is None:
        stand_in = ModuleType("requests")
        for member in ("Response", "Session", "get", "post", "exceptions", "codes"):
            setattr(stand_in, member, None)
        sys.modules["requests"] = stand_in
    try:
        return getattr(import_module(f"detect_secrets.plugins.{MODULES[name]}"), name)()
    finally:
        if real is None:
            del sys.modules["requests"]


def secrets(plugin: str, line: bytes) -> Iterator[tuple[int, int]]:
    """Where in the line the plugin sees a credential, in bytes."""
    text = line.decode("latin-1")  # one character a byte, so that offsets are the same
    seen: set[str] = set()
    for found in _plugin(plugin).analyze_string(text):
        if not isinstance(found, str) or not found or found in seen:
            continue
        seen.add(found)
        at = text.find(found)
        while at >= 0:
            yield at, at + len(found)
            at = text.find(found, at + len(found))
