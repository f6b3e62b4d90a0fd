"""Foreign checkpoint layouts, one a file, both ways."""
