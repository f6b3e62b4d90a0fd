"""Read a checkpoint: download it, check it, and execute nothing in it."""
