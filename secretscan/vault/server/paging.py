"""Which part of a list a request asks for, and the link to the next part.

Recorded: `nextLink` is always there, names the port, does not escape `$`, repeats `maxresults` only if it was sent;
the token is unpadded URL-safe base64 of a JSON object. What stands in its marker is each server's own affair.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from . import errors
from .records import Page

PAGE_SIZE: Final = 25
"""What the service gives at most, and when nothing is asked (SDK; azure-sdk-for-net issue 22641)."""

_TOKEN_LIMIT: Final = 1024


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins (`marker`, empty for the start), and whether an empty page has just been given there."""

    marker: str = ""
    rested: bool = False

    def token(self) -> str:
        """The cursor as `$skiptoken`."""
        text = json.dumps({"NextMarker": self.marker, "TargetLocation": int(self.rested)}, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def read_cursor(token: str | None) -> Cursor:
    """The cursor of a `$skiptoken`. Raises `ServiceError` if it is none of ours."""
    if token is None:
        return Cursor()
    if len(token) > _TOKEN_LIMIT:
        raise errors.bad_page("$skiptoken")
    try:
        found = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise errors.bad_page("$skiptoken") from None
    match found:
        case {"NextMarker": str(marker), "TargetLocation": int(rested)}:
            return Cursor(marker, bool(rested))
    raise errors.bad_page("$skiptoken")


def read_limit(maxresults: str | None) -> int:
    """The page size that `maxresults` asks for. Raises `ServiceError` outside of 1 to 25."""
    if maxresults is None:
        return PAGE_SIZE
    if not (maxresults.isascii() and maxresults.isdigit() and len(maxresults) < 4):
        raise errors.bad_page("maxresults")
    if not 1 <= int(maxresults) <= PAGE_SIZE:
        raise errors.bad_page("maxresults")
    return int(maxresults)


def turn(cursor: Cursor, limit: int, fetch: Callable[[str, int], Page], *, ragged: bool) -> tuple[Page, Cursor | None]:
    """The page at `cursor` and the cursor of the next. `ragged`: pages are short, each after an empty one."""
    if not ragged:
        page = fetch(cursor.marker, limit)
        return page, None if page.following is None else Cursor(page.following)
    if not cursor.rested:
        return Page((), None), Cursor(cursor.marker, rested=True)
    page = fetch(cursor.marker, max(1, limit // 2))
    if page.following is not None:
        return page, Cursor(page.following)
    # Names and ids are ASCII, so nothing sorts behind this: the last page is an empty one without a link.
    return (page, Cursor("\x7f", rested=True)) if page.items else (page, None)
