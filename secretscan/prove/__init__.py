"""The proof: the workload receives the same values, and the plaintext is gone."""
