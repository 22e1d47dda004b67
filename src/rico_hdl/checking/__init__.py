"""Looking at a store without changing it: what it holds, and whether that is right."""
