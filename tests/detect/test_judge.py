"""Names against values: what is a credential, and what only looks or sounds like one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriters import Place, Span
from secretscan.detect import shapes
from secretscan.detect.judge import judge
from secretscan.detect.names import meaning, words
from secretscan.detect.strength import strength


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("DB_PASSWORD", ("db", "password")),
        ("dbPassword", ("db", "password")),
        ("spring.datasource.password", ("spring", "datasource", "password")),
        ("rootpassword", ("root", "password")),
        ("JWTSecret", ("jwt", "secret")),
        ("--admin-password", ("admin", "password")),
        ("compass", ("compass",)),
    ],
)
def test_words_of_a_name(name: str, parts: tuple[str, ...]) -> None:
    assert words(name) == parts


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "POSTGRES_PASSWORD",
        "RABBITMQ_DEFAULT_PASS",
        "password",
        "pwd",
        "apiToken",
        "JWT_SECRET",
        "SECRET_KEY",
        "SECRET_KEY_BASE",
        "AWS_SECRET_ACCESS_KEY",
        "storageAccountKey",
        "N8N_ENCRYPTION_KEY",
        "PASSWORD_POSTGRES",
        "TLS_KEYSTORE_PASSWORD",
        "PGPASSWORD",
        "DB_PASSWORD_2",
        "ADMIN_PASSWORD_OLD",
        "client_secret",
        "node.session.auth.password_in",
    ],
)
def test_names_that_say_credential(name: str) -> None:
    said = meaning(name)
    assert said is not None
    assert said.sure


@pytest.mark.parametrize(
    "name",
    [
        "DB_USER",
        "POSTGRES_PASSWORD_FILE",
        "secretName",
        "existingPasswordSecretKey",
        "TLS_KEY_ALIAS",
        "TLS_KEYSTORE_TYPE",
        "JWT_EXPIRATION",
        "ALLOW_EMPTY_PASSWORD",
        "PASSWORD_MIN_LENGTH",
        "MAX_TOKENS",
        "tokenEndpoint",
        "sharedAccessKeyName",
        "AWS_ACCESS_KEY_ID",
        "publicKey",
        "proxy_pass",
        "passwordHash",
        "secretRef",
        "bypass",
        "keyboard",
        "monkey",
        "PASSWORD_RESET_URL",
        "imagePullSecret",
        "TOKEN_TTL",
        "GPG_KEY",
        "recv-keys",
        "passwordLastModified",
    ],
)
def test_names_that_only_sound_so(name: str) -> None:
    assert meaning(name) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("${DB_PASSWORD}", "reference"),
        ("$(DB_PASSWORD)", "reference"),
        ("$DB_PASSWORD", "reference"),
        ("{{ .Values.password }}", "reference"),
        ("${{ secrets.TOKEN }}", "reference"),
        ("%DB_PASSWORD%", "reference"),
        ("$1", "reference"),
        ("PASSWORD '$DB_PASSWORD'", "reference"),
        ("#{DbPassword}#", "reference"),
        ("@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/db)", "reference"),
        ("[parameters('adminPassword')]", "reference"),
        ("op://vault/item/field", "reference"),
        ("ENC[AES256_GCM,data:abc]", "reference"),
        ("true", "flag"),
        ("securestring", "flag"),
        ("xxxxxxxx", "mask"),
        ("********", "mask"),
        ("<password>", "template"),
        ("YOUR_API_KEY", "template"),
        ("your-token-here", "template"),
        ("REPLACE_ME", "template"),
        ("/run/secrets/db", "path"),
        ("certs/server.key", "path"),
        ("classpath:certs/server.p12", "path"),
        ("$2a$10$abcdefghijklmnopqrstuv", "hash"),
        ("{SSHA}abcdef", "hash"),
        ("https://example.org/a", "url"),
        ("amqp://rabbitmq:5672", "url"),
        ("db.example.org:5432", "host"),
        ("10.0.0.1", "host"),
        ("15m", "duration"),
        ("Ask the team, then set it here.", "prose"),
        ("(?:key|pwd|password)", "pattern"),
    ],
)
def test_what_is_harmless_and_why(text: str, reason: str) -> None:
    assert shapes.harmless(text) == reason


@pytest.mark.parametrize(
    "text", ["postgres", "hunter2", "Tr0ub4dor&3", "p@ss$word", "correct horse battery", "a/b+c=", "2026"]
)
def test_what_may_be_a_credential(text: str) -> None:
    assert shapes.harmless(text) == ""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("changeme", "placeholder"),
        ("changePassword", "placeholder"),
        ("please-change-me", "placeholder"),
        ("example", "placeholder"),
        ("postgres", "weak"),
        ("password", "weak"),
        ("P@ssw0rd", "weak"),
        ("admin123", "weak"),
        ("root", "weak"),
        ("qX7vR2mK9w", "strong"),
        ("f3b1c2d4e5a60718", "strong"),
    ],
)
def test_strength(text: str, wanted: str) -> None:
    assert strength(text) == wanted


@pytest.mark.parametrize(
    ("key", "place", "value", "rule"),
    [
        ("POSTGRES_PASSWORD", "env", "postgres", "credential-by-name"),
        ("POSTGRES_USER", "env", "postgres", ""),
        ("POSTGRES_PASSWORD", "env", "", ""),
        ("POSTGRES_PASSWORD", "env", "${PASSWORD}", ""),
        ("ALLOW_EMPTY_PASSWORD", "env", "yes", ""),
        ("TLS_KEY", "env", "certs/server.key", ""),
        ("SORT_KEY", "env", "created", ""),
        ("SORT_KEY", "env", "9fK2mQx71LpZ0vRt8s", "credential-by-name"),
        ("API_TOKEN", "env", "86400", ""),
        ("DB_PASSWORD", "env", "12345", "credential-by-name"),
        ("SIGNING_KEY", "env", "one\ntwo", "credential-by-name"),
        ("SESSION_SECRET", "env", "correct quokka battery staple", "credential-by-name"),
        ("SESSION_SECRET", "env", "ask the platform team", ""),
        ("SESSION_SECRET", "other", "correct quokka battery staple", ""),
        ("AUTHORIZATION", "env", "Bearer 9fK2mQx71LpZ0vRt8s", "bearer-token"),
        ("value", "other", "bearer 9fK2mQx71LpZ0vRt8s", "bearer-token"),
        ("AUTHORIZATION", "env", "Basic c2hvcDpxdW9ra2EtNzE=", "basic-auth"),
        ("AUTHORIZATION", "env", "Bearer ${TOKEN}", ""),
        ("AUTHORIZATION", "env", "Bearer authentication", ""),
        ("PLAN", "env", "Basic subscription", ""),
        ("password", "arg", "--password", ""),
        ("password", "arg", "quokka-71", "credential-by-name"),
        ("secret", "other", "db-credentials", ""),
        ("token", "other", "Yz6tQ1mKx9Wr", "credential-by-name"),
        ("anything", "secret", "quokka-71", "secret-data"),
        ("username", "secret", "shop", ""),
        ("DB_HOST", "secret", "db", ""),
        ("tls.crt", "secret", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", ""),
        ("replicas", "secret", "3", ""),
        (
            ".dockerconfigjson",
            "secret",
            '{"auths":{"r.example.org":{"auth":"c2hvcDpxdW9ra2E="}}}',
            "registry-credential",
        ),
        (".dockerconfigjson", "secret", "{}", ""),
        ("password", "registry", "quokka-71", "registry-credential"),
        ("storageAccountKey", "volume", "quokka-71", "storage-key"),
        ("share", "volume", "data", ""),
    ],
)
def test_verdict(key: str, place: Place, value: str, rule: str) -> None:
    verdict = judge(key, place, value.encode())
    assert (verdict.rule if verdict else "") == rule


def test_default_of_a_variable_is_a_part() -> None:
    value = b"${PASSWORD:-qu\xc3\xb6kka-71}"
    verdict = judge("DB_PASSWORD", "env", value)
    assert verdict is not None
    assert verdict.part is not None
    assert value[verdict.part.start : verdict.part.end] == "quökka-71".encode()
    assert judge("DB_PASSWORD", "env", b"${PASSWORD:-}") is None
    assert judge("LOG_LEVEL", "env", b"${LEVEL:-info}") is None


def test_the_credential_of_a_header_is_a_part() -> None:
    value = b"Bearer 9fK2mQx71LpZ0vRt8s"
    verdict = judge("AUTHORIZATION", "env", value)
    assert verdict is not None
    assert verdict.part == Span(7, len(value))
    # A place that is kept for secrets moves as a whole.
    whole = judge("authorization", "secret", value)
    assert whole is not None
    assert whole.part is None


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60),
    st.sampled_from(["env", "arg", "secret", "config", "registry", "volume", "build", "other"]),
    st.binary(max_size=80),
)
def test_any_slot_can_be_judged(key: str, place: Place, value: bytes) -> None:
    verdict = judge(key, place, value)
    if verdict is not None and verdict.part is not None:
        assert 0 <= verdict.part.start < verdict.part.end <= len(value)
