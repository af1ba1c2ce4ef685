"""An embedded, Key Vault-compatible HTTPS server on loopback, in memory only.

It answers the unmodified SDK as the service does, as far as the service's answers are known (`docs/vault-server.md`),
and does on demand what the service does on bad days (`Faults`). `EmbeddedVault` is for tests and the demo, `serve` for
the command line.
"""

from .embedded import EmbeddedVault
from .errors import Denial
from .faults import Delays, Deny, Drop, Fail, Faults, Rule, Throttle, WriteLimit
from .operations import EVERY, READS, WRITES, Operation
from .records import Stored, VaultSettings
from .serve import DescriptorTakenError, serve
from .service import Served

__all__ = [
    "EVERY",
    "READS",
    "WRITES",
    "Delays",
    "Denial",
    "Deny",
    "DescriptorTakenError",
    "Drop",
    "EmbeddedVault",
    "Fail",
    "Faults",
    "Operation",
    "Rule",
    "Served",
    "Stored",
    "Throttle",
    "VaultSettings",
    "WriteLimit",
    "serve",
]
