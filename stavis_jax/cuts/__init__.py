"""Compares the predicted attention of two cuts of a film."""
