"""The version. `pyproject.toml` repeats it; a test compares."""

VERSION = "0.1.0"
