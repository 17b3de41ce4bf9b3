"""Flags, process settings and package versions, shared by the commands."""
