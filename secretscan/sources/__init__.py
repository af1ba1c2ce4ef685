"""Where bytes come from. A source yields files under relative paths, and names what it could not give."""
