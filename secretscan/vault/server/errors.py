"""The service's refusals: status, code, inner code and text of each.

The texts are the service's own, since clients branch on them. "Recorded" ones are held against the recordings that
Microsoft publishes with its SDKs; the others are quoted in public reports, or, where it says so, only ours.
"""

from __future__ import annotations

from enum import Enum

from .operations import Operation

_CALLER = "appid={0};oid={0};iss=https://sts.windows.net/{0}/".format("00000000-0000-0000-0000-000000000000")
_PLACE = "location=local"


class ServiceError(Exception):
    """An answer that is not a success. Never holds a value of a secret."""

    def __init__(
        self, status: int, code: str, message: str, inner: str | None = None, *, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.inner = inner
        self.retry_after = retry_after


class Denial(Enum):
    """Every shape of 403 that a data-plane caller meets, apart from disabled and managed secrets."""

    RBAC = "no role assignment allows it; inner code ForbiddenByRbac"
    POLICY = "no access policy allows it; inner code ForbiddenByPolicy (recorded for keys)"
    ACCESS_DENIED = "no access policy allows it, the older text; inner code AccessDenied"
    FIREWALL = "the caller's address is not on the list; inner code ForbiddenByFirewall"
    PUBLIC_ACCESS = "public network access is disabled; inner code ForbiddenByConnection"
    PRIVATE_LINK = "a private endpoint reached under a wrong name; inner code ForbiddenByConnection"


# --- recorded -------------------------------------------------------------------------------------------------------


def missing_token() -> ServiceError:
    return ServiceError(401, "Unauthorized", "AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.")


def secret_not_found(name: str) -> ServiceError:
    return ServiceError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you "
        "may be able to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def deleted_secret_not_found(name: str) -> ServiceError:
    return ServiceError(404, "SecretNotFound", f"Deleted Secret not found: {name}")


def secret_disabled() -> ServiceError:
    return ServiceError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")


def secret_managed(operation: str) -> ServiceError:
    return ServiceError(
        403,
        "Forbidden",
        f'Operation "{operation}" is not allowed on this secret, since it is associated with a certificate. Perform '
        "the operation on the corresponding certificate. For more information refer to "
        "https://docs.microsoft.com/en-us/azure/key-vault/certificates/about-certificates"
        "#composition-of-a-certificate",
        "SecretManagedByKeyVault",
    )


def deleted_but_recoverable(name: str) -> ServiceError:
    return ServiceError(
        409,
        "Conflict",
        f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
        "state, the secret can only be recovered or purged.",
        "ObjectIsDeletedButRecoverable",
    )


def being_deleted_no_set(name: str) -> ServiceError:
    return ServiceError(
        409,
        "Conflict",
        f"Secret {name} is currently being deleted and cannot be re-created; retry later.",
        "ObjectIsBeingDeleted",
    )


def being_deleted_no_recover(name: str) -> ServiceError:
    return ServiceError(409, "Conflict", f"Secret {name} is currently being deleted.", "ObjectIsBeingDeleted")


def being_deleted_no_purge() -> ServiceError:
    return ServiceError(409, "Conflict", "Secret is currently being deleted.", "ObjectIsBeingDeleted")


def not_deleted(name: str) -> ServiceError:
    return ServiceError(
        400, "MethodNotAllowed", f"Secret exists already: {name}", "RequestNotAllowedOnNonDeletedObject"
    )


def method_not_allowed(method: str) -> ServiceError:
    return ServiceError(405, "MethodNotAllowed", f"HTTP {method} not allowed")


def malformed_backup() -> ServiceError:
    return ServiceError(400, "Malformed backup blob", "Backup blob contains invalid or corrupt version.")


def restore_conflict(identifier: str) -> ServiceError:
    return ServiceError(
        409,
        "Conflict",
        f"There was a conflict restoring the secret '{identifier}'. This can happen if either: a second secret with "
        "the same name was created after the first secret was deleted; thus trying to restore a secret whose name is "
        "already in use. To fix this, rename the second secret to something else so that the restore works. The "
        "second probable cause of this exception is when multiple operations are performed in parallel against the "
        "secret. To avoid this error, perform operations against a secret in a sequential manner.",
    )


def throttled(retry_after: int | None) -> ServiceError:
    """Recorded for keys, where the answer had no inner code. Whether the service sends Retry-After is not known."""
    return ServiceError(
        429,
        "Throttled",
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
        retry_after=retry_after,
    )


# --- quoted in public reports ---------------------------------------------------------------------------------------


def invalid_name(name: str) -> ServiceError:
    return ServiceError(400, "BadParameter", f"The request URI contains an invalid name: {name}")


def unknown_api_version(version: str, latest: str) -> ServiceError:
    return ServiceError(
        400,
        "BadParameter",
        f"The specified version ({version}) is not recognized. Consider using the latest supported version ({latest}).",
    )


def invalid_property() -> ServiceError:
    return ServiceError(400, "BadParameter", "Property has invalid value\r\n")


def value_too_long(limit: int) -> ServiceError:
    return ServiceError(400, "BadParameter", f"Secret is beyond the maximum permitted length of {limit} characters.")


def purge_protected(vault: str) -> ServiceError:
    return ServiceError(
        403,
        "Forbidden",
        'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will '
        f"automatically purge it after the retention period has passed.\r\nVault: {vault};{_PLACE}",
    )


def denied(why: Denial, operation: Operation, vault: str, name: str, host: str) -> ServiceError:
    """A 403 as the cause `why` would give it for this operation."""
    tail = f"\r\nCaller: {_CALLER}\r\nVault: {vault};{_PLACE}"
    if why is Denial.RBAC:
        resource = f"/subscriptions/local/resourcegroups/local/providers/microsoft.keyvault/vaults/{vault}"
        text = (
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
            f"definitions were changed recently, please observe propagation time.\r\nCaller: {_CALLER}\r\n"
            f"Action: '{operation.data_action}'\r\nResource: '{resource}{'/secrets/' + name if name else ''}'\r\n"
            f"Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault};{_PLACE}\r\n"
        )
        inner = "ForbiddenByRbac"
    elif why is Denial.POLICY:
        text = (
            f"The user, group or application '{_CALLER}' does not have secrets {operation.permission} permission on "
            f"key vault '{vault};{_PLACE}'. For help resolving this issue, please see "
            "https://go.microsoft.com/fwlink/?linkid=2125287"
        )
        inner = "ForbiddenByPolicy"
    elif why is Denial.ACCESS_DENIED:
        text, inner = "Access denied", "AccessDenied"
    elif why is Denial.FIREWALL:
        text = (
            "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1" + tail
        )
        inner = "ForbiddenByFirewall"
    elif why is Denial.PUBLIC_ACCESS:
        text = (
            "Public network access is disabled and request is not from a trusted service nor via an approved private "
            "link." + tail
        )
        inner = "ForbiddenByConnection"
    else:
        text = f"The TCP connection used does not allow access to the host {host}." + tail
        inner = "ForbiddenByConnection"
    return ServiceError(403, "Forbidden", text, inner)


# --- only ours: nothing was recorded or quoted ----------------------------------------------------------------------


def bad_token() -> ServiceError:
    return ServiceError(401, "Unauthorized", "Error validating token: it was not issued for this vault or has expired.")


def missing_api_version() -> ServiceError:
    return ServiceError(400, "BadParameter", "api-version must be specified")


def bad_page(parameter: str) -> ServiceError:
    return ServiceError(400, "BadParameter", f"Parameter '{parameter}' is not valid.")


def bad_body(what: str) -> ServiceError:
    return ServiceError(400, "BadParameter", f"The request body is not valid: {what}")


def unknown_vault(host: str) -> ServiceError:
    return ServiceError(400, "BadParameter", f"No vault answers to the host {host}.")


def being_recovered(name: str) -> ServiceError:
    return ServiceError(409, "Conflict", f"Secret {name} is currently being recovered.", "ObjectIsBeingRecovered")


def not_supported(what: str) -> ServiceError:
    return ServiceError(501, "NotSupported", f"The embedded vault has no {what}.")


def failed(status: int, retry_after: int | None) -> ServiceError:
    code, message = {
        409: ("Conflict", "A conflict occurred. Another operation on the same object is in progress."),
        500: ("InternalServerError", "An unexpected error occurred."),
        503: ("ServiceUnavailable", "The service is unavailable."),
        504: ("GatewayTimeout", "The request timed out."),
    }.get(status, ("Failed", "The request failed."))
    return ServiceError(status, code, message, retry_after=retry_after)
