"""Tortilla and TACO (version 1) files: samples, and a table of them at the end."""
