"""Whole models: encoder, decoder, losses, inference."""
