"""secretscan finds credentials in container manifests and moves them into Azure Key Vault."""
