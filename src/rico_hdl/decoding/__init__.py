"""Decoding the bytes of a file into rasters."""
