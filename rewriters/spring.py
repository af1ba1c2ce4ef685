"""Spring: `application` and `bootstrap` files, as properties and YAML. Reported with the change, never rewritten.
https://docs.spring.io/spring-boot/reference/features/external-config.html

The application reads these files by itself, and takes nothing from a vault unless it is told so. Which of the ways is
right depends on where it runs, and on its code, so a person decides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "spring"

_FILE = re.compile(r"(?:^|/)(?:application|bootstrap)(?:-[\w.-]+)?\.(?P<ends>properties|ya?ml)\Z")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
"""UTF-16 is claimed, and said to be unreadable."""
_OTHERS = re.compile(
    rb"^(?:\xef\xbb\xbf)?(?:[\"']?(?:apiVersion|componentType)[\"']?[ \t]*:"
    rb"|\{|[\"']?type[\"']?[ \t]*:[ \t]*[\"']?Microsoft\.)",
    re.MULTILINE,
)


def claims(path: str, head: bytes) -> bool:
    """By the name; YAML of another platform and templates are left to those."""
    match = _FILE.search(path)
    if match is None or (b"\0" in head and not head.startswith(_WIDE)):
        return False
    if match["ends"] == "properties":
        return True
    from rewriters._compose_project import claims as of_compose
    from rewriters._helm_files import role

    if _OTHERS.search(head) or ".github/workflows/" in path:
        return False
    return not of_compose(path, head) and not role(path, head)


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every property's value, and the defaults of placeholders. Raises `Unreadable`."""
    from rewriters._spring_read import read

    return tuple(site.slot for site in read(path, data))


def rewrite(request: Request) -> Rewrite:
    """Refuses everything, with the change that a person may make."""
    from rewriters._spring_answer import refuse

    return refuse(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """The properties as Spring reads them, by readers of their own."""
    from rewriters._spring_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])})
