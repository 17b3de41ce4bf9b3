"""Saves and restores checkpoints of a training."""
