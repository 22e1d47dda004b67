"""Parquet files whose cells are files."""
