"""Checkpoints that a training continues from, bit for bit."""
