"""Processors, memory, signals, and memory-saving collections."""
