"""A film -> frames and sound, timed by the film's own clock."""
