"""Writing a store: converting patches into records, and storing them."""
