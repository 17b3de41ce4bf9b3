"""Writes what is predicted for one film: map files, films, a contact sheet, a gaze track."""
