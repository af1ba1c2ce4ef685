"""Keyed identities: the same value has the same id everywhere, and nobody without the key can test a guess.

A plain hash of a weak value (`postgres`) is as good as the value. So ids of secrets, and digests of files that hold
values, are HMAC-SHA-256 under a key that lives outside of the scanned tree, in the user's state folder.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from hashlib import sha256

from rewriters import Plaintext
from secretscan.errors import ConfigurationError

__all__ = ["Ids", "load_ids", "state_folder"]

_KEY_BYTES = 32


class Ids:
    """Makes ids under one key. Printing it shows nothing of the key."""

    __slots__ = ("__key",)

    def __init__(self, key: bytes) -> None:
        self.__key = key

    def secret(self, value: Plaintext) -> str:
        """The id of a value: 32 hexadecimal digits."""
        return self._mac(b"secret", value.reveal())[:32]

    def file(self, data: bytes) -> str:
        """The digest of a file's bytes: 64 hexadecimal digits."""
        return self._mac(b"file", data)

    def seal(self, document: bytes) -> str:
        """What only the holder of the key can put under a document: it tells whether somebody else changed it."""
        return self._mac(b"seal", document)

    def stand_in(self, secret: str) -> str:
        """What stands for the version of a secret in the vault until the vault has named it: as long as a version, and
        like no other."""
        return self._mac(b"version", secret.encode("ascii"))[:32]

    def fingerprint(self) -> str:
        """Tells two keys apart without telling anything of them."""
        return self._mac(b"fingerprint", b"")[:16]

    def _mac(self, domain: bytes, data: bytes) -> str:
        return hmac.new(self.__key, domain + b"\0" + data, sha256).hexdigest()

    def __repr__(self) -> str:
        return f"Ids({self.fingerprint()})"


def state_folder() -> str:
    """`SECRETSCAN_STATE_DIR`, or `secretscan` in the user's state folder (XDG Base Directory specification).

    Raises `ConfigurationError` when the user has no home."""
    named = os.environ.get("SECRETSCAN_STATE_DIR")
    if named:
        return named
    home = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):  # noqa: PTH117 - the specification has a relative one ignored
        home = os.path.join(os.path.expanduser("~"), ".local", "state")  # noqa: PTH111, PTH118
    if not os.path.isabs(home):  # noqa: PTH117
        # A user without an entry and without HOME, as in many containers: the key must not end up in the tree.
        raise ConfigurationError(
            "there is no home folder for the key for secret ids",
            next_step="set SECRETSCAN_STATE_DIR to a folder of your own, outside of what is scanned",
        )
    return os.path.join(home, "secretscan")  # noqa: PTH118


def load_ids(folder: str | None = None) -> Ids:
    """The key of this user, made on first use. Raises `ConfigurationError` if others could read it or it is damaged."""
    folder = folder or state_folder()
    path = os.path.join(folder, "id.key")  # noqa: PTH118
    try:
        return Ids(_read(path))
    except FileNotFoundError:
        pass
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
        # Written whole under another name first: a second process that starts at the same moment must never see, or
        # be the one that overwrites, half a key.
        draft = f"{path}.{secrets.token_hex(8)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)  # noqa: PTH108
    except OSError as error:
        raise ConfigurationError(
            "cannot make the key for secret ids",
            where=folder,
            why=error.strerror or type(error).__name__,
            next_step="set SECRETSCAN_STATE_DIR to a folder of your own that can be written",
        ) from None
    return Ids(_read(path))


def _read(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            info = os.fstat(handle)
            text = os.read(handle, 4096).strip()
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(
            "cannot read the key for secret ids",
            where=path,
            why=error.strerror or type(error).__name__,
            next_step="make it a file that you can read, or set SECRETSCAN_STATE_DIR to another folder of your own",
        ) from None
    if info.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            "others may read the key for secret ids",
            where=path,
            next_step=f"chmod 600 {path}, or delete it to get a new one",
        )
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(
            "the key for secret ids is damaged",
            where=path,
            next_step="put the right file back, or delete it to start with new ids",
        )
    return key
