"""What a name says of its value: `DB_PASSWORD` holds a password, `PASSWORD_MIN_LENGTH` and `passwordSecretName` do not.

A name is a noun phrase: its last word is what the value is, the words before it say of what. So the last word decides,
after words that only qualify (`_1`, `_OLD`, `_BASE64`) are set aside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from secretscan.model import Kind

__all__ = ["STEMS", "Meaning", "listed", "meaning", "names_identity", "words"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a name promises. `sure`: the name alone is enough; otherwise the value has to look generated as well."""

    kind: Kind
    sure: bool


STEMS = (
    rb"(?:pass(?:w(?:or)?d|wort|phrase|code)?|pwd|secret|token|credentials?"
    rb"|(?:api|access|account|auth|private|encryption|signing|shared|master|storage|client|license)[_.\-]?key|key)"
)
"""The words that assignments in free text are looked for by: a regular expression, to be used whatever the case."""


def listed(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

_PASSWORDS = listed("password passwd passwort passphrase passcode pass pwd pw passw psw pword kennwort masterauth")
_TOKENS = listed("token pat jwt bearer")
_SECRETS = listed("secret credential credentials creds apikey secretkey accesskey authkey accountkey")
_PLURAL = listed("passwords secrets tokens keys apikeys")
_UNSURE = listed("auth authorization pin salt pepper seed sas sig signature cookie session otp mnemonic webhook")

_KEY_OF = listed(
    """
    api access secret private encryption encrypt decryption decrypt signing sign signature account storage shared
    master jwt auth authentication authorization app application admin root session cookie hmac aes crypto cipher
    subscription webhook deploy license client service security django flask rails laravel fernet vapid unseal
    recovery cosmos cosmosdb search cognitive openai anthropic sendgrid stripe datadog sentry newrelic twilio
    mailgun function write runner consumer connection event hub iothub hash integration
    ingestion site
    """
)

# Words that only qualify: what stands before them is what the value is.
_QUALIFIERS = listed(
    """
    old new current previous next primary secondary default value val plain plaintext text raw string str base
    base64 b64 encoded env var prod production dev development stage staging test local internal external main
    master slave replica backup in out
    """
)

_NOT_LAST = listed(
    """
    file files filename path paths dir directory folder location name names id ids identifier user username users
    login type types kind algorithm algorithms alg algo length len min max size expiry expiration expires expire
    expired expiring ttl timeout lifetime age days hours minutes seconds ms interval rotation policy policies
    enabled enable disabled disable required require mode method methods url urls uri uris endpoint endpoints host
    hosts hostname port ports issuer audience scope scopes header headers field fields label labels prefix suffix
    format encoding version versions alias store keystore truststore provider providers class count limit limits
    retries hash hashed digest fingerprint thumbprint public rounds cost reset forgot changed updated created
    validation validator check verify regex pattern hint prompt manager service ref refs reference selector source
    sources target arn rule rules template schema status state index column table attribute property annotation
    description title comment cache backend bucket region vault group role roles namespace namespaces domain realm
    mount volume strategy generator requirement requirements complexity history count attempts chars characters
    charset set usage limit budget modified last date time at on
    """
)
_NOT_ANYWHERE = listed(
    """
    existing public allow empty max min num total per remaining ignore skip show hide toggle pull idp metadata
    placeholder instrumentation change forgot reset gpg pgp recv
    """
)
_SECRET_OF = listed("key password tls cert certificate credential credentials pull registry user")
_NOT_PASS_OF = listed("proxy fastcgi uwsgi scgi grpc first second single multi two render by")
_NOT_TOKEN_OF = listed("cancellation csrf xsrf page continuation next start end stop eos bos pad unk mask sep")

_GLUED = (
    ("passphrase", "passphrase"), ("password", "password"), ("passwort", "passwort"), ("passwd", "passwd"),
    ("apikey", "apikey"), ("secretkey", "secretkey"), ("accesskey", "accesskey"), ("authkey", "authkey"),
    ("accountkey", "accountkey"),
    ("credentials", "credentials"), ("secret", "secret"), ("token", "token"), ("pwd", "pwd"), ("pass", "pass"),
)  # fmt: skip
_NOT_GLUED = listed("bypass compass trespass encompass surpass underpass overpass")

_IDENTITY = listed(
    """
    user username login account email mail host hostname server address addr port url uri endpoint database db
    dbname name namespace region zone type kind id tenant subscription domain realm scheme protocol driver schema
    role group version enabled tag image bucket container queue topic issuer audience scope locale timezone tz
    mode environment level file path dir folder usr uid sid arn cluster ca crt cert certificate
    """
)


_IDENTITY_ENDS = ("name", "user", "host", "email", "endpoint", "url", "uri")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, lower case: at punctuation, digits and changes of case; known words are cut off the end of
    a run of small letters (`rootpassword`)."""
    found: list[str] = []
    for run in _SPLIT.findall(name[:200]):
        word = run.lower()
        for end, last in _GLUED:
            if word.endswith(end) and len(word) > len(end) and word not in _NOT_GLUED:
                found.append(word[: -len(end)])
                word = last
                break
        found.append(word)
    return tuple(found)


@lru_cache(maxsize=4096)
def meaning(name: str) -> Meaning | None:
    """What the value under this name is, when the name says that it is a credential."""
    parts = [word for word in words(name) if not word.isdigit()]
    if not parts or not _NOT_ANYWHERE.isdisjoint(parts):
        return None
    while len(parts) > 1 and parts[-1] in _QUALIFIERS and _said(parts[:-1]) is not None:
        parts.pop()
    if parts[-1] in _NOT_LAST:
        return None
    said = _said(parts)
    if said is not None:
        return said
    # `PASSWORD_POSTGRES`, `token_github`: the word may also stand first, with whose it is after it.
    if len(parts) <= 3 and parts[0] in _PASSWORDS | {"token", "secret", "apikey"} and parts[0] != "pass":
        first = _said(parts[:1])
        return Meaning(first.kind, sure=first.kind == "password") if first else None
    return None


def _said(parts: list[str]) -> Meaning | None:
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last in _PASSWORDS:
        return None if last == "pass" and before in _NOT_PASS_OF else Meaning("password", sure=True)
    if last in _TOKENS:
        return None if before in _NOT_TOKEN_OF else Meaning("token", sure=last == "token")
    if last == "secret" and before in _SECRET_OF and parts[-3:-1] != ["access", "key"]:
        return None  # a Kubernetes Secret that holds the password, the key, the certificate
    if last in _SECRETS:
        return Meaning("api-key", sure=True)
    if last in _PLURAL:
        if last == "keys" and before not in _KEY_OF:
            return None
        return Meaning("other", sure=False)
    if last == "key":
        if before == "private":
            return Meaning("private-key", sure=True)
        return Meaning("api-key", sure=before in _KEY_OF)
    if last in _UNSURE:
        return Meaning("other", sure=False)
    return None


def names_identity(name: str) -> bool:
    """Whether the name says that the value is an address, an account or a setting: no credential by itself."""
    parts = [word for word in words(name) if not word.isdigit()]
    while len(parts) > 1 and parts[-1] in _QUALIFIERS:
        parts.pop()
    if not parts:
        return False
    return parts[-1] in _IDENTITY or parts[-1] in _NOT_LAST or parts[-1].endswith(_IDENTITY_ENDS)
