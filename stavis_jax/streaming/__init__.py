"""Saliency of a live stream: the newest frames, the newest map, and a page that shows it."""
