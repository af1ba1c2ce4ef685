"""The JSON of the service: request bodies read and checked, answers written key by key in the recorded order.

Recorded: what is absent is left out, never null; an answer to anything but set and get carries no value; lists carry
no version in the id; `recoverableDays` appears from api-version 7.1.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from rewriters import Plaintext

from . import errors
from .records import Attributes, Deleted, Held, Page, Tags, Update, VaultSettings, Write

VALUE_LIMIT: Final = 25_600
"""Bytes of UTF-8. The service's message says characters; its documents say 25 KB. The stricter one holds here."""
CONTENT_TYPE_LIMIT: Final = 255
TAG_LIMIT: Final = 15
TAG_TEXT_LIMIT: Final = 512
_LATEST_TIME: Final = 253_402_300_799  # the last second of the year 9999

API_VERSIONS: Final = (
    *("2015-06-01", "2016-10-01", "7.0-preview", "7.0", "7.1-preview", "7.1", "7.2-preview", "7.2", "7.3-preview"),
    *("7.3", "7.4-preview.1", "7.4", "7.5-preview.1", "7.5", "7.6-preview.1", "7.6-preview.2", "7.6"),
    *("2025-06-01-preview", "2025-07-01", "2026-03-01-preview", "2026-04-01"),
)
"""Oldest first. The stable ones from 2016-10-01 on are those that the SDK 4.12.0 can be told to speak."""
_WITHOUT_DAYS: Final = frozenset({"2015-06-01", "2016-10-01", "7.0-preview", "7.0"})

Json = dict[str, Any]


def check_api_version(version: str | None) -> str:
    """The version itself. Raises `ServiceError` if there is none or no such one."""
    if not version:
        raise errors.missing_api_version()
    if version not in API_VERSIONS:
        raise errors.unknown_api_version(version, API_VERSIONS[-1])
    return version


# --- requests -------------------------------------------------------------------------------------------------------


def read_write(body: bytes) -> Write:
    """The body of a set. Raises `ServiceError`; an empty value is allowed (recorded), a missing one is not."""
    found = _object(body)
    value = found.get("value")
    if not isinstance(value, str):
        raise errors.bad_body("a set needs a value, which is a string.")
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise errors.invalid_property() from None
    if len(encoded) > VALUE_LIMIT:
        raise errors.value_too_long(VALUE_LIMIT)
    return Write(Plaintext(encoded), _content_type(found), _tags(found), _attributes(found))


def read_update(body: bytes) -> Update:
    """The body of an update; a value in it is passed over, as it cannot be changed. Raises `ServiceError`."""
    found = _object(body)
    return Update(_content_type(found), _tags(found), _attributes(found))


def _object(body: bytes) -> Json:
    try:
        found = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise errors.bad_body("it is not JSON.") from None
    if not isinstance(found, dict):
        raise errors.bad_body("it is not an object.")
    return found


def _content_type(found: Json) -> str | None:
    text = found.get("contentType")
    return None if text is None else _text(text, CONTENT_TYPE_LIMIT)


def _tags(found: Json) -> Tags | None:
    tags = found.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, dict) or len(tags) > TAG_LIMIT:
        raise errors.invalid_property()
    return tuple((_text(key, TAG_TEXT_LIMIT), _text(text, TAG_TEXT_LIMIT)) for key, text in tags.items())


def _text(text: object, limit: int) -> str:
    # A lone surrogate is JSON, but no text: it could not be written back.
    if not isinstance(text, str) or len(text) > limit or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise errors.invalid_property()
    return text


def _attributes(found: Json) -> Attributes:
    sent = found.get("attributes")
    if sent is None:
        return Attributes()
    if not isinstance(sent, dict):
        raise errors.invalid_property()
    enabled = sent.get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        raise errors.invalid_property()
    return Attributes(enabled, _time(sent.get("nbf")), _time(sent.get("exp")))


def _time(seconds: object) -> int | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= _LATEST_TIME:
        raise errors.invalid_property()
    return seconds


# --- answers --------------------------------------------------------------------------------------------------------


class Shapes:
    """Writes answers of one vault as seen under `base` (`https://host[:port]`) by a speaker of `api_version`."""

    def __init__(self, base: str, settings: VaultSettings, api_version: str) -> None:
        self._base = base
        self._settings = settings
        self._days = settings.soft_delete and api_version not in _WITHOUT_DAYS

    def secret(self, held: Held, *, value: bool, version: bool = True) -> Json:
        """A secret: with its value after set and get; without the version in its id in lists."""
        one = held.version
        shape: Json = {"value": one.value.reveal().decode()} if value else {}
        if one.content_type is not None:
            shape["contentType"] = one.content_type
        shape["id"] = f"{self._base}/secrets/{quote(held.name)}" + (f"/{one.id}" if version else "")
        if held.managed:
            shape["managed"] = True
        shape["attributes"] = self._attributes(held)
        if one.tags is not None:
            shape["tags"] = dict(one.tags)
        return shape

    def deleted(self, deleted: Deleted, *, version: bool = True) -> Json:
        """A deleted secret, without its value."""
        return {
            "recoveryId": f"{self._base}/deletedsecrets/{quote(deleted.held.name)}",
            "deletedDate": deleted.deleted,
            "scheduledPurgeDate": deleted.scheduled_purge,
            **self.secret(deleted.held, value=False, version=version),
        }

    def page(self, page: Page, link: str | None, *, version: bool) -> Json:
        """A page of a list; `nextLink` is there also when it is null."""
        items = [
            self.deleted(one, version=version)
            if isinstance(one, Deleted)
            else self.secret(one, value=False, version=version)
            for one in page.items
        ]
        return {"value": items, "nextLink": link}

    def _attributes(self, held: Held) -> Json:
        one = held.version
        shape: Json = {"enabled": one.enabled}
        if one.nbf is not None:
            shape["nbf"] = one.nbf
        if one.exp is not None:
            shape["exp"] = one.exp
        shape |= {"created": one.created, "updated": one.updated, "recoveryLevel": self._settings.recovery_level}
        if self._days:
            shape["recoverableDays"] = self._settings.retention_days
        return shape


def error(refusal: errors.ServiceError) -> Json:
    """The body of an error."""
    shape: Json = {"code": refusal.code, "message": refusal.message}
    if refusal.inner is not None:
        shape["innererror"] = {"code": refusal.inner}
    return {"error": shape}


def encode(shape: Json) -> bytes:
    """The bytes that go out."""
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":")).encode()
