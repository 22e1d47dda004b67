"""Inspecting and verifying a store without changing it."""
