"""Check files from outside; write our own atomically."""
