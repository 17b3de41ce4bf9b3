"""The authors' archives -> raw data."""
