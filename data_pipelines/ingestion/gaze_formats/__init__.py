"""Gaze files of trackers and databases, each told by its content. See `registry`."""
