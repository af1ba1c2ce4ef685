"""One entry for each distinct value, and every place where it occurs."""
