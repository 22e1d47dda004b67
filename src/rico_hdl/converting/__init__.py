"""Writing a store: patches become records, records are put."""
