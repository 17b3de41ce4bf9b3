"""The raw layout: its files are read and written here."""
