"""The bytes of a file as rasters."""
