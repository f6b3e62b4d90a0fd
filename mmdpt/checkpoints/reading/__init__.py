"""A file becomes tensors: trusted, downloaded, checked, and nothing in it executed."""
