"""Reads and writes the files of the raw layout."""
