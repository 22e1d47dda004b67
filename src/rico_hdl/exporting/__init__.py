"""Giving patches and what is known about them to other tools: GeoParquet tables and GeoTIFFs."""
