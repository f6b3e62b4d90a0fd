"""Backbones whose four taps feed a DPT head."""
