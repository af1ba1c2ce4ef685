// Package register takes the place of the operator's package of that name, which imports all of its providers.
package register

import _ "github.com/external-secrets/external-secrets/pkg/provider/azure/keyvault"
