"""Scores saliency maps against recorded gaze: frames, videos, databases."""
