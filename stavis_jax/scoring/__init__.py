"""Saliency maps and recorded gaze -> scores of frames, videos and databases."""
