"""Trains and scores the networks that a configuration describes."""
