"""From opened sources to patches: assigning files to keys."""
