"""How a scan's result is written: one module a format."""
