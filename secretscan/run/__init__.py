"""Carrying out a plan, step by journaled step, and taking it back."""
