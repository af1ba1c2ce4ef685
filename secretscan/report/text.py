"""`--format text`: findings by file, for people."""

from __future__ import annotations

from collections.abc import Iterator

from secretscan.api import Scan
from secretscan.errors import printable
from secretscan.inventory.folder import IGNORE_FILE
from secretscan.report.ignored import phrases

__all__ = ["lines", "summary"]


def lines(scan: Scan) -> Iterator[str]:
    """The report, line by line. The same short id stands wherever the same value stands."""
    path = None
    for found in scan.found:
        finding, place = found.finding, found.finding.location
        if place.path != path:
            yield ("\n" if path is not None else "") + printable(place.path) + "\n"
            path = place.path
        name = place.pointer or place.key or finding.rule
        via = f" in {' in '.join(reversed(finding.encoding))}" if finding.encoding else ""
        can = "can become: " + ", ".join(finding.references) if finding.references else f"stays: {finding.reason}"
        yield printable(f"  {place.line}:{place.column}  {finding.strength} {finding.kind}{via}  {name}") + "\n"
        yield printable(f"      secret {found.secret[:8]}  {can}") + "\n"
    if scan.unscanned:
        yield ("\n" if path is not None else "") + "not scanned\n"
        for item in scan.unscanned:
            at = f":{item.line}" if item.line else ""
            how = " (as text only)" if item.partial else ""
            yield printable(f"  {item.path}{at}: {item.reason}{how}") + "\n"
    said = phrases(scan)
    if said:
        yield ("\n" if path is not None or scan.unscanned else "") + f"{IGNORE_FILE}\n"
        yield from (f"  {phrase}\n" for phrase in said)


def summary(scan: Scan) -> str:
    """One line: what was found in how much, what of it is ignored, and whether anything is missing."""
    found = len(scan.found)
    head = (
        f"{found} credential{'s' * (found != 1)} ({scan.secrets} distinct)"
        if found
        else "no credentials" + (" in what could be read" if scan.unscanned else "")
    )
    text = f"{head} in {scan.files} file{'s' * (scan.files != 1)}"
    if scan.unscanned:
        text += f"; {len(scan.unscanned)} not scanned fully"
    text += "".join(f"; {part}" for part in phrases(scan))
    if scan.recorded:
        text += f"; {scan.recorded.new} new, {scan.recorded.known} known, {scan.recorded.gone} gone"
    return text
