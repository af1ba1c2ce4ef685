"""From the inventory to the value-free plan: names in the vault, and what becomes of each place."""
