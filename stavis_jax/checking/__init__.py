"""Checks whether files of this project are whole."""
