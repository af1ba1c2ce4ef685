"""What the ignore file did to a scan, as counts: nothing that it leaves out goes unsaid, nor any of it that does
nothing."""

from __future__ import annotations

from collections import Counter
from datetime import date

from secretscan.api import Scan

__all__ = ["idle", "kinds", "phrases"]


def kinds(scan: Scan) -> dict[str, int]:
    """How many findings are marked, by the kind of mark."""
    return dict(sorted(Counter(item.mark.kind for item in scan.ignored).items()))


def idle(scan: Scan) -> dict[str, int]:
    """How much of the file marks nothing, by the reason: `expired` or `foreign` entries, `flawed` lines."""
    if scan.marks is None:
        return {}
    marks = scan.marks
    counts = {"expired": len(marks.expired(date.today())), "foreign": marks.foreign, "flawed": marks.flawed}
    return {why: number for why, number in counts.items() if number}


def phrases(scan: Scan) -> tuple[str, ...]:
    """Both for people."""
    found = kinds(scan)
    said = (
        [f"{sum(found.values())} ignored: " + ", ".join(_many(n, kind) for kind, n in found.items())] if found else []
    )
    for why, number in idle(scan).items():
        if why == "flawed":
            whole = scan.marks is not None and any(not flaw.line for flaw in scan.marks.flaws)
            said.append("the ignore file not read" if whole else f"{_many(number, 'line')} not understood")
        else:
            said.append(f"{_many(number, 'mark')} {'expired' if why == 'expired' else 'under another key'}")
    return tuple(said)


def _many(number: int, what: str) -> str:
    plural = "s" if number != 1 and what != "accepted" else ""
    return f"{number} {what.replace('-', ' ')}{plural}"
