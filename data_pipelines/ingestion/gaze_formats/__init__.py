"""Gaze files of trackers and databases, recognised by their content. See `registry`."""
