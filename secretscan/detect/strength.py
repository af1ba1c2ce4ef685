"""How good a credential is: `strong`, `weak` (real, but on every list of guesses), or a `placeholder`."""

from __future__ import annotations

import re
from math import log2

from secretscan.model import Strength

__all__ = ["strength"]

_PLACEHOLDER = re.compile(
    r"""(?ix)
      ^(?:please[-_ ]?)?change(?![ds]\b|log)
    | change[-_ ]?(?:me|it|this)
    | ^(?:dummy|sample|placeholder|fill[-_]?me|set[-_]?me|to[-_]?be[-_]?\w+|not[-_]?(?:set|used|a[-_]?real)\w*)
    | placeholder | \bdummy\b
    | ^example | example$
    """
)

# Words of which guessable credentials are made; what remains after taking them out has to carry the strength.
_GUESSED = re.compile(
    r"password|passwort|passwd|passphrase|passw|pass|pwd|secret|token|apikey|key|admin|administrator|root|user(?:name)?|"
    r"default|demo|test(?:ing|er)?|local(?:host)?|develop(?:ment)?|dev|prod(?:uction)?|stag(?:ing|e)|guest|login|welcome|"
    r"letmein|qwertz?u?i?o?p?|qwerty|asdf(?:gh)?|zxcv(?:bn)?|abc(?:def)?|dragon|monkey|master|super|hello|world|"
    r"temp(?:orary)?|fake|foo|bar|baz|simple|insecure|weak|sample|example|my|the|some|very|not|strong|safe|database|"
    r"postgres(?:ql)?|mysql|maria(?:db)?|mongo(?:db)?|redis|rabbitmq?|elastic(?:search)?|kafka|grafana|minio|docker|kube|"
    r"azure|sql|sa|db|app|service|server|client|web|site|shop|store|api|jwt|auth|123456789\d*|12345+|1234|123|000+|111+|"
    r"2[0o](?:1\d|2\d|3\d)",
)
_LEET = str.maketrans("@$0134579", "asoleastg")

_ENOUGH_BITS = 40.0
"""About what a password of eight random small letters and digits has."""


def strength(text: str) -> Strength:
    """The strength of a value that is known to be a credential."""
    text = text.strip()
    if _PLACEHOLDER.search(text[:200]):
        return "placeholder"
    return "strong" if bits(text[:200]) >= _ENOUGH_BITS else "weak"


def bits(text: str) -> float:
    """A low estimate of the guesses that the text takes, as a power of two: known words count little, letters of one
    case count as words do, repeated characters count once."""
    lowered = text.lower()
    rest = _GUESSED.sub("", lowered)
    if len(rest) > 3 and any(char.isdigit() or char in "@$" for char in rest):
        leet = _GUESSED.sub("", rest.translate(_LEET))
        rest = leet if len(leet) < len(rest) / 2 else rest
    known = 4.0 * len(_GUESSED.findall(lowered))
    if not rest:
        return min(known, 20.0)
    alphabet = sum(
        size for size, has in ((26, str.islower), (26, str.isupper), (10, str.isdigit)) if any(map(has, text))
    ) + 20 * any(not char.isalnum() for char in text)
    wordy = rest.isalpha() and (text.islower() or text.isupper() or text.istitle())
    each = 2.3 if wordy else log2(max(alphabet, 10))
    return known + each * min(len(rest), 2 * len(set(rest)))
