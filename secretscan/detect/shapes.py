"""What a value looks like: a reference, a template's gap, a mask, a flag, a path, a hash; or possibly a credential.

Everything here judges the decoded text of one value and knows nothing of where it stands.
"""

from __future__ import annotations

import re
from math import log2

from secretscan.detect.names import listed

__all__ = [
    "default_of",
    "harmless",
    "is_flag",
    "is_mask",
    "is_passphrase",
    "is_prose",
    "is_reference",
    "is_template",
    "looks_random",
]

LONGEST = 8192
"""Characters of a value that are looked at; no credential that is judged by its looks is longer."""


_REFERENCE = re.compile(
    r"""(?xis)
      \$\{[^{}]*\}                     # ${NAME}
    | \$\([^()]*\)                     # $(NAME), $(command)
    | \$[\d@*\#?]                      # $1, an argument of a script
    | \$[a-z_]\w*(?:[/\[.:\\-].*)?     # $NAME, $NAME/path
    | \$\{\{.*\}\} | \{\{.*\}\}        # ${{ secrets.X }}, {{ .Values.x }}
    | \{%.*%\}
    | %[a-z_]\w*%                      # %NAME%
    | \#\{[^{}]*\}\#?                  # #{NAME}#
    | @@\w+@@ | __\w+__ | @[\w.-]+@
    | \{cipher\}.*                    # encrypted for Spring's configuration server
    | \{[^{}"]*\}                      # a field of a format
    | (?:id|src|source|type)=[\w.,/=-]+  # a secret of a build, by its id
    | @Microsoft\.KeyVault\(.*\)
    | [a-z0-9][a-z0-9-]*@azurekeyvault(?:\?[\w.]*)?  # a variable that akv2k8s fills
    | \[[^\[\]]*\w\(.*\)[^\[\]]*\]     # an expression of an ARM template
    | (?:secretref|keyvaultref|ref\+\w+|op|vault|akvs?|gcp-sm|aws-sm|awsssm|gsm|bao)\:[/\w].*
    | arn:[\w-]+:\w+:.*
    | /subscriptions/.*
    | projects/[^/]+/secrets/.*
    | https://[\w-]+\.vault\.azure\.(?:net|cn|us)/.*
    | encrypted:[a-z0-9+/=]{40,}       # dotenvx
    | ENC\[.*\] | \$ANSIBLE_VAULT.* | ENC\(.*\)
    | (?:process\.env|os\.environ|os\.getenv|System\.getenv|ENV|env|getenv|secrets|vars?|local|data|module|config|
         parameters|variables|self|this|args|options|settings|params|values)[.\[(].*
    | [a-z_][\w.]*\(.*\)               # a call
    | ['"]?\s*[,+&]\s*[a-z_]\w*[.(\[:=].*  # the next operand of a concatenation
    """
)
_INSIDE = re.compile(
    r"""(?xi)
      \$\{(?!\{)[^{}]*\} | \$\([^()\s][^()]*\) | \{\{.*?\}\} | `[^`]+` | ['"]\$[a-z_]\w*['"] | %\([a-z_]\w*\)s
    """
)
_DEFAULT = re.compile(r"\$\{[A-Za-z_]\w*:?-(?P<default>[^${}]+)\}")

_FLAGS = listed(
    """
    true false yes no on off y n t f enabled disabled enable disable none null nil undefined nan n/a na empty
    required optional always never auto automatic unset missing string securestring str text bool boolean int
    integer number object array any ifnotpresent opaque prompt interactive stdin read write
    """
)

_SENTENCE = listed(
    """
    the and for with from your our this that are was not use used using see will must should can may into here there
    when where which its has have set get ask add put run make you all any some
    key keys secret secrets token tokens password passwords credential credentials value values string random
    generate generated obtain contact fill enter replace change default example optional required read stored found
    """
)
"""Words of sentences and of advice, which pass phrases are not made of."""

_MASK = re.compile(
    r"(?i)(?:[x*•.#_\-…?]{3,}|…+|x+(?:[-_ ]x+)*|\[?(?:redacted|masked|hidden|removed|filtered|sanitized)\]?)"
)

_TEMPLATE = re.compile(
    r"""(?ix)
      <[^<>]+>
    | \b(?:put|insert|enter|paste|add|set|use|fill|type|specify|provide|supply)[-_ ]?(?:in[-_ ]?)?
        (?:your|here|the|a|my)(?:[-_ ]|\b)
    | (?:^|[^a-z])your[-_ ]?[a-z]
    | ^your(?=[A-Z_\-\ ])
    | \breplace[-_ ]?(?:me|this|with|by|here|it|$|[a-z]+[-_])
    | ^replace[-_ ]
    | (?:^|[-_ ])(?:goes|go)[-_ ]?here
    | [-_ ]here$
    | ^(?:todo|fixme|tbd|tba|lorem)\b
    | ^\.\.\.|\.\.\.$
    """
)
_UPPER_WORDS = re.compile(r"[A-Z][A-Z0-9]{1,}(?:_[A-Z0-9]+)+")
_GAP_WORDS = listed(
    """
    KEY TOKEN SECRET PASSWORD PASS PWD PASSWD VAL VALUE STRING HERE API NAME ID USER URL ENV VAR PLACEHOLDER
    """
)

_PATH = re.compile(
    r"(?:(?:~|\.{1,2})?/(?!/)|[A-Za-z]:[\\/]|\\\\|classpath:|file:|resource:)[\w.@%+\-\\/ :{}$~]*"
    r"|[\w.@\-]+(?:/[\w.@\-]+)*\.(?:pem|key|crt|cer|cert|p12|pfx|jks|keystore|json|ya?ml|txt|pub|env|conf|cfg|ini|toml"
    r"|xml|properties|gpg|asc|sh|py|js|ts|html?|log|sock|kdbx?|der|csr|bin|db)"
)
_HASH = re.compile(
    r"""(?x)
      \$(?:1|2[abxy]?|5|6|7|y|gy|apr1|argon2\w*|pbkdf2[\w-]*|scrypt|sha1|md5)\$.+
    | (?i:\{(?:s?sha[\d-]*|s?md5|[bs]?crypt(?:@\w+)?|pbkdf2[\w@-]*|argon2[\w@-]*)\}).+
    | (?:sha(?:1|224|256|384|512)|md5)[-:][A-Za-z0-9+/=]+
    | pbkdf2(?:_sha\d+|:sha\d+:\d+)[$:].+ | scrypt:\d+:\d+:\d+\$.+
    """
)
_URL = re.compile(r"(?i)[a-z][a-z0-9+.\-]{1,20}(?::[a-z0-9+.\-]{1,20})?://\S*")
_USERINFO = re.compile(r"//[^/\s@]*:[^/\s@]+@|//[^/\s@:]{16,}@")
_HOST = re.compile(r"(?i)(?:[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?\.)+[a-z]{2,24}\.?(?::\d{1,5})?|[a-z0-9.\-]+:\d{2,5}")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?")
_EMAIL = re.compile(r"[\w.+\-]+@[\w\-]+(?:\.[\w\-]+)+")
_DURATION = re.compile(
    r"(?i)\d+(?:\.\d+)?\s?(?:ms|s|sec|m|min|h|d|w|mo|y|hours?|days?|minutes?|seconds?|[kmgt]i?b?)"
    r"|\d{4}-\d\d-\d\d(?:[T ].*)?"
)
_PUBLIC = re.compile(
    r"ssh-(?:rsa|dss|ed25519) |ecdsa-sha2-|-----BEGIN (?:PUBLIC|CERTIFICATE|RSA PUBLIC|SSH2 PUBLIC|X509)"
)
_SHORT_RANDOM = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=(?:\D*\d){2})[A-Za-z0-9]{10,15}")
_WORD = re.compile(r"[A-Za-z]{2,}")
_PATTERN = re.compile(
    r"\(\?[:=!<P]|\[\^?[\w@]?-?[a-zA-Z0-9]-[a-zA-Z0-9]|\\\\?[dws](?![a-z])|\.\*|%[-.\d]*[sd]\b|\{:?[.\d]*[a-z]?\}"
)


def default_of(text: str) -> tuple[int, int] | None:
    """Where the default of `${NAME:-default}` stands, when that is all of the text."""
    match = _DEFAULT.fullmatch(text.strip())
    if match is None:
        return None
    shift = len(text) - len(text.lstrip())
    return match.start("default") + shift, match.end("default") + shift


def is_reference(text: str) -> bool:
    """Whether something else than the text itself is meant, or is put into it, when the file is used."""
    text = text[:LONGEST]
    return _REFERENCE.fullmatch(text.strip(" \t\r\n'\"")) is not None or _INSIDE.search(text) is not None


def is_flag(text: str) -> bool:
    """A switch or a type name instead of a value."""
    return text.strip().lower() in _FLAGS


def is_mask(text: str) -> bool:
    """Crossed out: `xxxxxx`, `****`, `[REDACTED]`."""
    return _MASK.fullmatch(text.strip()) is not None


def is_template(text: str) -> bool:
    """A gap in a template or a document for someone to fill in: `<password>`, `YOUR_API_KEY`, `replace-me`."""
    text = text.strip()
    if len(text) > 200:
        return False
    if _TEMPLATE.search(text):
        return True
    return _UPPER_WORDS.fullmatch(text) is not None and not _GAP_WORDS.isdisjoint(text.split("_"))


def is_prose(text: str) -> bool:
    """A sentence. A pass phrase of a few words is none."""
    words = text.split()
    if len(words) < 3:
        return False
    ends = text.rstrip()[-1:] in ".!?:" or ", " in text
    return len(words) > 8 or (ends and len([word for word in words if _WORD.search(word)]) >= 3)


def is_passphrase(text: str) -> bool:
    """A few words that make no sentence and give no advice, as a pass phrase is made of."""
    words = text.split()
    return 4 <= len(words) <= 8 and len(set(words)) == len(words) and all(map(_drawn, words))


def _drawn(word: str) -> bool:
    return re.fullmatch(r"[A-Za-z][a-z]{2,}", word) is not None and word.lower() not in _SENTENCE


def harmless(text: str) -> str:
    """Why this text is no credential whatever its name says, in one word; empty when it may be one."""
    text = text.strip()
    if not text:
        return "empty"
    head = text[:LONGEST]
    for reason, test in _TESTS:
        if test(head):
            return reason
    return ""


def _is_url(text: str) -> bool:
    return _URL.fullmatch(text) is not None and _USERINFO.search(text) is None


def _is_host(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in (_HOST, _ADDRESS, _EMAIL))


_TESTS = (
    ("reference", is_reference),
    ("flag", is_flag),
    ("mask", is_mask),
    ("template", is_template),
    ("path", lambda text: _PATH.fullmatch(text) is not None),
    ("hash", lambda text: _HASH.fullmatch(text) is not None),
    ("url", _is_url),
    ("duration", lambda text: _DURATION.fullmatch(text) is not None),
    ("public", lambda text: _PUBLIC.match(text) is not None),
    ("host", _is_host),
    ("prose", is_prose),
    ("pattern", lambda text: _PATTERN.search(text) is not None),
)


def entropy(text: str) -> float:
    """Shannon entropy in bits a character."""
    if not text:
        return 0.0
    size = len(text)
    return -sum(count / size * log2(count / size) for count in (text.count(char) for char in set(text)))


def looks_random(text: str) -> bool:
    """Whether the text looks generated: long enough, without blanks, with digits among the letters, unevenly spread."""
    text = text.strip()
    if _SHORT_RANDOM.fullmatch(text) and not re.search(r"[A-Za-z]{4}", text):
        return True
    if not 16 <= len(text) <= LONGEST or len(set(text)) < 8 or not text.isascii() or re.search(r"\s", text):
        return False
    digits = sum(char.isdigit() for char in text)
    letters = sum(char.isalpha() for char in text)
    if digits < 2 or letters < 2:
        return False
    runs = re.findall(r"[A-Za-z]{5,}", text)
    wordy = sum(len(run) for run in runs if run.islower() or run.isupper() or run.istitle())
    return wordy < len(text) * 0.5 and entropy(text) >= 2.8
