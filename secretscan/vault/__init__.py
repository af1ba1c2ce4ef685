"""Key Vault: the client with its pacing, and the embedded server (`secretscan.vault.server`)."""
