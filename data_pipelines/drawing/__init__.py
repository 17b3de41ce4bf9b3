"""Pictures for people: heat and gaze over frames, captions, grids and MP4 films. Used by both packages."""
