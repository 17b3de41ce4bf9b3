"""A configuration -> trained and scored networks."""
