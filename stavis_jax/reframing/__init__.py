"""Crops a film to another shape, along a smooth path that follows predicted saliency."""
