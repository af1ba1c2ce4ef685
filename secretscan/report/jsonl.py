"""`--format jsonl`: one finding a line, the stable machine interface (design, "The command line").

Without a value in any form: `secret` is its keyed id. What was not scanned follows as lines with `unscanned`, and at
the end stands how many findings the ignore file marks, a line for each kind of mark (`ignored`), and how much of it
marks nothing, a line for each reason (`idle`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from secretscan.api import Found, Scan
from secretscan.report.ignored import idle, kinds

__all__ = ["lines"]


def lines(scan: Scan) -> Iterator[str]:
    """The report, line by line, each ending in a line break; ASCII only, so that no control character passes."""
    for found in scan.found:
        yield json.dumps(record(found)) + "\n"
    for item in scan.unscanned:
        skipped = {"unscanned": item.path, "reason": item.reason, "line": item.line, "partial": item.partial}
        yield json.dumps(skipped) + "\n"
    for kind, number in kinds(scan).items():
        yield json.dumps({"ignored": number, "mark": kind}) + "\n"
    for why, number in idle(scan).items():
        yield json.dumps({"idle": number, "why": why}) + "\n"


def record(found: Found) -> dict[str, object]:
    """The fields of one finding, as they are written."""
    finding, place = found.finding, found.finding.location
    result: dict[str, object] = {
        "secret": found.secret,
        "rule": finding.rule,
        "kind": finding.kind,
        "strength": finding.strength,
        "confidence": finding.confidence,
        "source": place.source,
        "path": place.path,
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "start": place.span.start,
        "end": place.span.end,
        "pointer": place.pointer,
        "key": place.key,
        "platform": place.platform,
        "encoding": list(finding.encoding),
        "state": finding.state,
        "references": list(finding.references),
    }
    if not finding.references:
        result["reason"] = finding.reason
    return result
