"""The network's inputs: windows of frames, sound excerpts, resizing."""
