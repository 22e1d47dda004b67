"""From opened sources to patches: which files belong to which key."""
