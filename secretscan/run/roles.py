"""The least roles of a plan's readers as a Bicep template: Key Vault Secrets User, on each secret alone.

It holds names of secrets and of who reads them, no value. An identity that the manifests name is looked up by the
deployment itself; the object ids of all others are parameters. Sources: Microsoft Learn, Azure built-in roles (id of
Key Vault Secrets User); Bicep, create role assignments (`guid` of scope, principal and role as the name).
"""

from __future__ import annotations

from secretscan.errors import printable
from secretscan.plan.document import Plan
from secretscan.run.aftermath import IDENTITY, READER, readers

__all__ = ["roles"]

_ROLE = "4633458b-17de-408a-b874-0445c86b69e6"
_HEAD = """\
// {role} for whoever reads the secrets that move, on these secrets alone.
// Deploy it where the vault is, once the secrets are in it:
//     az deployment group create --resource-group RESOURCE-GROUP-OF-THE-VAULT --template-file THIS-FILE
// It needs a vault with Azure role-based access control, and somebody who may assign roles there.
param vaultName string = {vault}

var role = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{id}')

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {{
  name: vaultName
}}
"""
_SECRETS = """
var names{n} = [
{names}
]

resource secrets{n} 'Microsoft.KeyVault/vaults/secrets@2023-07-01' existing = [for name in names{n}: {{
  parent: vault
  name: name
}}]

resource roles{n} 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, at) in names{n}: {{
  name: guid(secrets{n}[at].id, {principal}, role)
  scope: secrets{n}[at]
  properties: {{
    roleDefinitionId: role
    principalId: {object}{kind}
  }}
}}]
"""
_IDENTITY = """
// {who}
resource reader{n} 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' existing = {{
  name: '{name}'
  scope: resourceGroup('{subscription}', '{group}')
}}
"""
_PARAMETER = """
@description({who})
param reader{n} string
"""


def roles(plan: Plan) -> str:
    """The template, one block a reader. Without a reader there is only the vault."""
    text = _HEAD.format(
        role=READER, id=_ROLE, vault=_quoted(plan.reference(plan.secrets[0]).vault_name if plan.secrets else "")
    )
    for number, (who, names) in enumerate(sorted(readers(plan).items()), 1):
        listed = "\n".join(f"  {_quoted(name)}" for name in names)
        identity = IDENTITY.search(who)
        if identity is None:
            text += _PARAMETER.format(n=number, who=_quoted(f"object id of {printable(who)}"))
            principal = object_id = f"reader{number}"
            kind = ""
        else:
            steps = identity.group().split("/")
            text += _IDENTITY.format(n=number, who=printable(who), name=steps[8], subscription=steps[2], group=steps[4])
            principal, object_id = f"reader{number}.id", f"reader{number}.properties.principalId"
            kind = "\n    principalType: 'ServicePrincipal'"
        text += _SECRETS.format(n=number, names=listed, principal=principal, object=object_id, kind=kind)
    return text


def _quoted(text: str) -> str:
    """A text of Bicep."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"
