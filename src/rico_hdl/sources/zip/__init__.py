"""Zip archives, zip64 and split ones included."""
