"""A user's films and gaze files -> raw data."""
