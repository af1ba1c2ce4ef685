"""Messages for people."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secretscan.errors import ChangedSince, SecretNotFound, SecretscanError, UsageError, VaultError, printable


def test_a_message_says_what_where_why_and_what_next():
    error = UsageError("no such target", where="deploy", why="it does not exist", next_step="name a folder")
    assert str(error) == "deploy: no such target: it does not exist"
    assert error.lines() == ("deploy: no such target", "why: it does not exist", "next: name a folder")
    assert str(ChangedSince("changed")) == "changed"
    assert ChangedSince("changed").lines() == ("changed",)
    assert UsageError.exit_status == 2
    assert ChangedSince.exit_status == 3
    assert issubclass(SecretNotFound, VaultError)
    assert issubclass(SecretNotFound, LookupError)


@given(st.text(st.characters()))
def test_nothing_in_a_message_acts_on_a_terminal(text):
    error = SecretscanError(text, text, text, text)
    for line in (*error.lines(), str(error)):
        assert line.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("one\ntwo\t", "one\\ntwo\\t"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("caf\udce9", "caf\\xe9"),
        ("\U000e0041", "\\U000e0041"),
        ("plain – ünïcödé", "plain – ünïcödé"),
    ],
)
def test_what_is_hidden_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown


def test_a_message_is_no_longer_than_a_person_reads():
    assert len(str(SecretscanError("x" * 1_000_000))) < 3000


def test_an_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(UsageError("what", "where", "why", "next")))  # noqa: S301
    assert error.lines() == UsageError("what", "where", "why", "next").lines()
