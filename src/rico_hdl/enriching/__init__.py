"""Adding to an existing store what its sources say beyond the records, which stay as they are."""
