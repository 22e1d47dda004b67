"""Drafting the spec of a user's dataset from the files that are there."""
