"""Zipped Zarr stores."""
