"""Readers of one corpus in many formats, checked against the truth and timed.

In: this repository and whatever libraries are installed. Out: Markdown tables. ``bench_read.py``
beside this package is its command line.
"""
