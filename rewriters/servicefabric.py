"""Service Fabric: application and service manifests, settings, and the parameters of an application's environments.
https://learn.microsoft.com/azure/service-fabric/service-fabric-keyvault-references ; the elements are those of the
service model's schema, ServiceFabricServiceModel.xsd.

The platform reads a secret with the application's managed identity when it starts a service. A reference names a
version of the secret; one without a version has to come from a parameter of the application, not from its manifest.

`effective` tells for each file, and for each application with each of its environments, what stands at every place
once parameters are put in and references looked up. What overrides what is the same before and after.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewriters._api import Delivery, Files, Lookup, Request, Rewrite, Slot

__all__ = ["NAME", "claims", "effective", "rewrite", "slots"]

NAME = "servicefabric"

_NAMESPACE = b"http://schemas.microsoft.com/2011/01/fabric"
_ROOT = re.compile(
    rb"\s*+(?:<\?.*?\?>\s*+|<!--.*?-->\s*+)*+<(?:[\w.-]+:)?"
    rb"(?:ApplicationManifest|ServiceManifest|Settings|Application|ClusterManifest)[\s>]",
    re.DOTALL,
)


def claims(path: str, head: bytes) -> bool:
    """XML of the service model's namespace with a root that holds values."""
    if not path.lower().endswith(".xml"):
        return False
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[2:].replace(b"\0", b"")  # is said to be unreadable, not passed over
    return _NAMESPACE in head and _ROOT.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def slots(path: str, data: bytes) -> tuple[Slot, ...]:
    """Every value of the file that is no name. Raises `Unreadable`."""
    from rewriters._servicefabric_read import read

    return tuple(site.slot for site in read(path, data).sites)


def rewrite(request: Request) -> Rewrite:
    """References to the vault, and the type that says of a place that it holds one."""
    from rewriters._servicefabric_rewrite import rewrite as work

    return work(request)


def effective(files: Files, lookup: Lookup) -> tuple[Delivery, ...]:
    """What stands at each place when a service starts, read with ElementTree."""
    from rewriters._servicefabric_effective import effective as work

    return work({path: data for path, data in files.items() if claims(path, data[:4096])}, lookup)
