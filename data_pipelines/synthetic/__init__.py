"""Synthetic films with gaze -> raw data."""
