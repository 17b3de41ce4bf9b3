"""Scores as tables, files and one HTML page."""
