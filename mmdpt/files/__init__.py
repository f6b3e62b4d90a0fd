"""Bytes from outside are checked; bytes of ours are written whole."""
