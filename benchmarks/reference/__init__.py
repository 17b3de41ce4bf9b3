"""Implements the network, its training step and its prediction in PyTorch, to measure and to test against."""
