"""Fetches the authors' archives into the raw layout."""
