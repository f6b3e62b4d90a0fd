"""Signals that ask a training to save and end."""
