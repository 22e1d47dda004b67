"""Readers of one corpus in many formats, checked against the truth and timed.

In: this repository and the installed libraries. Out: Markdown tables. ``bench_read.py``, next to
this package, is its command line.
"""
