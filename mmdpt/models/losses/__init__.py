"""Losses for depth: ``loss(pred, target)`` on (N, 1, H, W), NaN where the target is invalid."""
